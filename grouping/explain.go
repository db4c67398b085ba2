package grouping

import "strings"

// Explain is the result as text: each variant with its hash and its components, one a line, indented. A star
// marks what counts; the hint behind a dash says why something does not.
func Explain(r Result) string {
	var b strings.Builder
	b.WriteString(string(r.Config) + ", decided by " + r.Strategy + "\n")
	for i := range r.Variants {
		v := &r.Variants[i]
		b.WriteString("\n" + mark(v.Contributes) + v.Name)
		if v.Hash != "" {
			b.WriteString(" " + v.Hash)
		}
		writeHint(&b, v.Hint)
		explain(&b, v.Root, 1)
	}
	return b.String()
}

// maxExplainDepth is far beyond the deepest tree: chain, exception, stack, frame, leaf.
const maxExplainDepth = 16

func explain(b *strings.Builder, c *Component, depth int) {
	if c == nil || depth > maxExplainDepth {
		return
	}
	b.WriteString(strings.Repeat("  ", depth) + mark(c.Contributes) + c.Name)
	for _, v := range c.Values {
		b.WriteString(" \"" + printable(v) + "\"")
	}
	writeHint(b, c.Hint)
	for _, child := range c.Children {
		explain(b, child, depth+1)
	}
}

func mark(contributes bool) string {
	if contributes {
		return "* "
	}
	return "  "
}

func writeHint(b *strings.Builder, hint string) {
	if hint != "" {
		b.WriteString(" - " + hint)
	}
	b.WriteByte('\n')
}

// printable replaces control characters: values come from outside and end up on terminals.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}
