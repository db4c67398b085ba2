package grouping

import (
	"fmt"
	"strings"
)

// Comparison is two events laid side by side.
type Comparison struct {
	Together bool   // a hash of one is a hash of the other
	Hash     string // that they share; "" when they are apart
	Sentence string // why they are together or apart
	// A and B are the variants to look at: of the same name when both events have it.
	A, B *Variant
	// Differs are the leaves that count in one event and not, or not so, in the other; in the order of the trees.
	Differs []Difference
}

// Difference is one leaf that differs. A or B is nil when only the other event has it.
type Difference struct{ A, B *Component }

// Marked are the leaves that differ, of both events.
func (c Comparison) Marked() map[*Component]bool {
	out := make(map[*Component]bool, 2*len(c.Differs))
	for _, d := range c.Differs {
		out[d.A], out[d.B] = true, true
	}
	delete(out, nil)
	return out
}

// Compare says whether two events, grouped by the same setup, belong together by their hashes, and why.
func Compare(a, b Result) Comparison {
	var c Comparison
	c.A, c.B, c.Hash = shared(a, b)
	if c.Together = c.Hash != ""; c.Together {
		c.Sentence = sameSentence(c, a.Deciding(), b.Deciding())
		return c
	}
	c.A, c.B = facing(a, b)
	if c.A != nil && c.B != nil {
		c.Differs = differences(nil, c.A.Root, c.B.Root, 0)
	}
	c.Sentence = apartSentence(a, b, c)
	return c
}

// shared is the first hash that both have, with its variants.
func shared(a, b Result) (va, vb *Variant, hash string) {
	for i := range a.Variants {
		for j := range b.Variants {
			va, vb = &a.Variants[i], &b.Variants[j]
			if va.Contributes && vb.Contributes && va.Hash != "" && va.Hash == vb.Hash {
				return va, vb, va.Hash
			}
		}
	}
	return nil, nil, ""
}

// facing are the first variants that count in both and have one name, else the first that count in each.
func facing(a, b Result) (va, vb *Variant) {
	for i := range a.Variants {
		for j := range b.Variants {
			va, vb = &a.Variants[i], &b.Variants[j]
			if va.Contributes && vb.Contributes && va.Name == vb.Name {
				return va, vb
			}
		}
	}
	return a.Deciding(), b.Deciding()
}

// differences are the leaves that count in one of two trees and not, or not so, in the other.
func differences(out []Difference, a, b *Component, depth int) []Difference {
	switch aCounts, bCounts := a != nil && a.Contributes, b != nil && b.Contributes; {
	case depth > maxExplainDepth || (!aCounts && !bCounts):
		return out
	case !bCounts:
		return oneSided(out, a, depth, func(c *Component) Difference { return Difference{A: c} })
	case !aCounts:
		return oneSided(out, b, depth, func(c *Component) Difference { return Difference{B: c} })
	}
	if strings.Join(a.Values, "\x00") != strings.Join(b.Values, "\x00") {
		out = append(out, Difference{a, b})
	}
	for _, p := range align(counting(a.Children), counting(b.Children)) {
		out = differences(out, p.A, p.B, depth+1)
	}
	return out
}

// oneSided adds every leaf that counts below c.
func oneSided(out []Difference, c *Component, depth int, as func(*Component) Difference) []Difference {
	if len(c.Values) > 0 {
		out = append(out, as(c))
	}
	for _, child := range counting(c.Children) {
		if depth <= maxExplainDepth {
			out = oneSided(out, child, depth+1, as)
		}
	}
	return out
}

func counting(list []*Component) (out []*Component) {
	for _, c := range list {
		if c.Contributes {
			out = append(out, c)
		}
	}
	return out
}

// sameSentence says what two events of one hash have in common.
func sameSentence(c Comparison, a, b *Variant) string {
	var why string
	switch c.A.Strategy {
	case "fingerprint":
		why = "their fingerprint is the same: " + quoted(c.A.Root.Values)
	case "checksum":
		why = "they were sent with the same checksum"
	case "fallback":
		why = "neither holds anything to tell it by"
	default:
		why = "the same " + Parts(c.A.Root) + " count (variant " + c.A.Name + ")"
	}
	if c.A.Hash != a.Hash || c.B.Hash != b.Hash {
		why += ", though the hashes that are tried first differ"
	}
	return "Together: " + why + "."
}

// apartSentence says what keeps two events apart, by the one difference that tells most.
func apartSentence(a, b Result, c Comparison) string {
	switch {
	case c.A == nil || c.B == nil:
		return "Apart: one of them has nothing that counts."
	case c.A.Strategy != c.B.Strategy:
		return fmt.Sprintf("Apart: A is grouped by its %s, B by its %s.", noun(c.A.Strategy), noun(c.B.Strategy))
	case c.A.Name != c.B.Name:
		return fmt.Sprintf("Apart: the variant %s counts in A, and %s in B.", c.A.Name, c.B.Name)
	case len(c.Differs) == 0 && (c.A.Fingerprint != nil || c.B.Fingerprint != nil):
		return fmt.Sprintf("Apart: the same parts count, but the fingerprint is %s in A and %s in B.", c.A.fingerprint(), c.B.fingerprint())
	case len(c.Differs) == 0:
		return "Apart: the same parts count, in another order or number."
	}
	d := telling(c.Differs)
	text := "Apart: " + d.words()
	if more := len(c.Differs) - 1; more > 0 {
		text += fmt.Sprintf(", and %s", plural(more, "more part differs", "more parts differ"))
	}
	return text + "."
}

// fingerprint is how people read what takes part in the hash beside the components.
func (v *Variant) fingerprint() string {
	if v.Fingerprint == nil {
		return "the default"
	}
	return quoted(v.Fingerprint)
}

// telling is the difference that says most: what was thrown, else what is nearest the crash.
func telling(list []Difference) Difference {
	for _, d := range list {
		if d.leaf().ID == "type" {
			return d
		}
	}
	return list[len(list)-1]
}

func (d Difference) leaf() *Component {
	if d.A != nil {
		return d.A
	}
	return d.B
}

func (d Difference) words() string {
	what := noun(d.leaf().ID)
	switch {
	case d.B == nil:
		return fmt.Sprintf("the %s %s counts in A only", what, quoted(d.A.Values))
	case d.A == nil:
		return fmt.Sprintf("the %s %s counts in B only", what, quoted(d.B.Values))
	}
	return fmt.Sprintf("the %s is %s in A and %s in B", what, quoted(d.A.Values), quoted(d.B.Values))
}

// maxQuoted bounds a value within a sentence, in characters.
const maxQuoted = 80

func quoted(values []string) string {
	text := []rune(printable(strings.TrimSpace(strings.Join(values, ", "))))
	if len(text) > maxQuoted {
		text = append(text[:maxQuoted-1], '…')
	}
	return "“" + string(text) + "”"
}

// noun is how people call what a component or strategy looks at.
func noun(id string) string {
	switch id {
	case "exception", "chained-exception":
		return "exception"
	case "stacktrace":
		return "stack trace"
	case "type":
		return "exception type"
	case "value":
		return "exception message"
	case "module", "function", "package":
		return id + " of a frame"
	case "filename":
		return "file of a frame"
	case "context-line":
		return "source line of a frame"
	case "csp":
		return "security report"
	}
	return strings.ReplaceAll(id, "-", " ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
