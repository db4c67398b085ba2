package grouping

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func mustGlob(t *testing.T, pattern string, o globOptions) glob {
	t.Helper()
	g, problem := compileGlob(pattern, o)
	if problem != "" {
		t.Fatalf("%q: %s", pattern, problem)
	}
	return g
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		path, want    bool
	}{
		{"a*c", "abc", false, true}, {"a*c", "abd", false, false}, {"*b*d*", "abcde", false, true}, {"a?c", "abc", false, true},
		{`a\*`, "a*", false, true}, {`a\*`, "ab", false, false}, {"a/*/c", "a/b/c", true, true}, {"a/*/d", "a/b/c/d", true, false},
		{"a/**/d", "a/b/c/d", true, true}, {"a/**/d", "a/d", true, true}, {"**/x/**", "x/y", true, true}, {"**/x/*.py", "/a/x/b/x/c.py", true, true},
		{"**/x/*.py", "/a/x/b/c.py", true, false}, {"", "", false, true}, {"**", "", false, true}, {"*", "a/b", true, false},
		{"**", "a/b", true, true}, {"a**", "a/b", true, false}, {"node:**", "node:fs/promises", true, false}, {"ab*ba", "aba", false, false},
		{"a*", "a\nb", false, false}, {"a*", "a\nb", true, true}, {"?", "é", false, false}, {"??", "é", false, true},
		{"[a-c]x", "bx", false, true}, {"[!a-c]x", "bx", false, false}, {"[!a]x", "/x", true, true}, {"[]-]", "]", false, true}, {"[]-]", "-", false, true},
		{"[a-e-c]", "d", false, false}, {"[Z-a]", "z", true, true}, {"{foo,b*}.c", "bar.c", false, true}, {"{foo,b*}.c", "oo.c", false, false},
		{"{a,}x", "x", false, false}, {"{}x", "x", false, true}, {"x}", "x", false, true}, {"{}", "x", false, false}, {"x{**/a,b}", "xy/a", true, true},
		{`C:\A\*`, "c:/a/b", true, true}, {"/usr/**", "usr/lib", true, true}, {"/usr/**", "/usr", true, false}, {"/a", "a", true, true},
		{"?:/windows/**", "d:/windows/x.dll", true, true}, {"É", "é", true, false},
	} {
		g := mustGlob(t, c.pattern, globOptions{path: c.path})
		if g.match(c.text) != c.want {
			t.Errorf("%q on %q (path %v): want %v", c.pattern, c.text, c.path, c.want)
		}
	}
	for _, bad := range []string{"[a", "[", "[]", "[!]", "{a", "{a,{b,c}}", `a\`, "[b-a]", "[é-a]"} {
		if g, problem := compileGlob(bad, globOptions{}); problem == "" || g.match(bad) {
			t.Errorf("%q: problem %q", bad, problem)
		}
	}
}

// TestGlobLong runs programs that do not fit into the small buffers, and patterns that make a backtracking matcher
// take longer than the universe will last.
func TestGlobLong(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 4000)
	for _, pattern := range []string{strings.Repeat("a*", 1000) + "b", strings.Repeat("*[ab]", 25) + strings.Repeat("?", 100) + "b", strings.Repeat("{a*,*a}", 128) + "b", strings.Repeat("**/", 1000) + "b", strings.Repeat("a?*", 1000) + "b"} {
		for _, path := range []bool{false, true} {
			g := mustGlob(t, pattern, globOptions{path: path})
			if g.match(text) || !g.match(text+"b") && !strings.HasPrefix(pattern, "**") {
				t.Errorf("%.20s (path %v) is wrong", pattern, path)
			}
		}
	}
}

// reference is a pattern as a regular expression over Latin-1 characters, one for each byte. It is made straight from
// the published rules of globset, without tokens or automaton.
func reference(pattern string, path bool) *regexp.Regexp {
	if path {
		pattern = strings.ToLower(strings.ReplaceAll(pattern, `\`, "/"))
	}
	part := map[bool]string{false: `[^\n]`, true: `[^/]`}[path]
	if strings.Trim(pattern, "*/") == "" && regexp.MustCompile(`^\*\*(/\*\*)*/?$`).MatchString(pattern) {
		return regexp.MustCompile(`^[^\n]*$`)
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch {
		case i == 0 && strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^\n]*/)?`)
			i += 2
		case rest == "/**":
			b.WriteString(`/[^\n]*`)
			i += 2
		case strings.HasPrefix(rest, "/**/"):
			b.WriteString(`/(?:[^\n]*/)?`)
			i += 3
		case rest[0] == '*':
			b.WriteString(part + "*")
		case rest[0] == '?':
			b.WriteString(part)
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			b.WriteString(strings.Replace(rest[:end+1], "[!", "[^", 1))
			i += end
		case rest[0] == '{':
			end := strings.IndexByte(rest, '}')
			b.WriteString("(?:" + strings.NewReplacer(",", "|", "?", part).Replace(rest[1:end]) + ")")
			i += end
		default:
			if rest[0] == '\\' {
				i++
			}
			fmt.Fprintf(&b, `\x{%02x}`, pattern[i])
		}
	}
	return regexp.MustCompile("^(?:" + b.String() + ")$")
}

func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// FuzzGlob compares globs with regular expressions. Those that globset reads in a way of its own may do what they want
// but panic: they are left to the test beside the engine.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "axb"}, {"**/x/*.py", "a/x/b.py"}, {"/**/a", "/b/a"}, {"a/**", "a/b"}, {"[!a]{b,c*}", "xcd"}, {"*?*", "\n"}, {`\`, `\`}} {
		f.Add(s[0], s[1], true)
		f.Add(s[0], s[1], false)
	}
	one := `[^*\[\]{},\\]|\\[a-z*?]|\[!?[a-z0-9/]+\]|\{[a-z0-9?/]+(,[a-z0-9?/]+)*\}`
	plain := regexp.MustCompile(`^(\*\*/)?(` + one + `|\*(` + one + `)|[a-z]/\*\*/[a-z])*([a-z]/\*\*|\*)?$`)
	f.Fuzz(func(t *testing.T, pattern, text string, path bool) {
		if len(pattern) > 200 || len(text) > 1000 {
			return
		}
		g, problem := compileGlob(pattern, globOptions{path: path})
		if path {
			text = strings.ToLower(text)
		}
		got := g.match(text)
		if problem != "" && got {
			t.Fatalf("%q matches although %s", pattern, problem)
		}
		if !plain.MatchString(pattern) || problem != "" || strings.ToLower(pattern) != pattern || path && strings.Contains(pattern, `\`) {
			return
		}
		re := reference(pattern, path)
		want := re.MatchString(latin1(text)) || path && !strings.HasPrefix(text, "/") && re.MatchString("/"+latin1(text))
		if got != want {
			t.Errorf("%q on %q (path %v): %v, want %v (%s)", pattern, text, path, got, want, re)
		}
	})
}
