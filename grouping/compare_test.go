package grouping

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// ownFrame is a frame of the program itself.
func ownFrame(module, function string) Frame {
	return Frame{Module: module, Function: function, Filename: module + ".py", Line: 3, InApp: yes()}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	plain := func() *Event {
		return thrown("python", "KeyError", "no 17", ownFrame("shop.views", "confirm"), ownFrame("shop.totals", "tax_for"))
	}
	for name, tc := range map[string]struct {
		a, b     *Event
		sentence string
		differs  string
	}{
		"the same": {plain(), plain(), "Together: the same exception type and 2 frames count (variant app).", ""},
		"another function": {plain(), thrown("python", "KeyError", "no 17", ownFrame("shop.views", "confirm"), ownFrame("shop.totals", "price_line")),
			"Apart: the function of a frame is “tax_for” in A and “price_line” in B.", "tax_for|price_line"},
		"another type": {plain(), thrown("python", "ValueError", "no 17", ownFrame("shop.views", "confirm"), ownFrame("shop.totals", "price_line")),
			"Apart: the exception type is “KeyError” in A and “ValueError” in B, and 1 more part differs.", "KeyError|ValueError tax_for|price_line"},
		"a frame more": {plain(), thrown("python", "KeyError", "no 17", ownFrame("shop.views", "confirm"), ownFrame("shop.cart", "total"), ownFrame("shop.totals", "tax_for")),
			"Apart: the function of a frame “total” counts in B only, and 1 more part differs.", "|shop.cart |total"},
		"a message against an exception": {plain(), &Event{Platform: "python", Message: "hello"}, "Apart: A is grouped by its exception, B by its message.", ""},
		"messages":                       {&Event{Message: "hello"}, &Event{Message: "goodbye"}, "Apart: the message is “hello” in A and “goodbye” in B.", "hello|goodbye"},
		"fingerprints": {&Event{Message: "a", Fingerprint: []string{"x", "y"}}, &Event{Message: "b", Fingerprint: []string{"x", "y"}},
			"Together: their fingerprint is the same: “x, y”.", ""},
		"other fingerprints": {&Event{Message: "a", Fingerprint: []string{"x"}}, &Event{Message: "a", Fingerprint: []string{"z"}},
			"Apart: the fingerprint is “x” in A and “z” in B.", "x|z"},
		"hybrid fingerprints": {&Event{Message: "a", Fingerprint: []string{"{{ default }}", "x"}}, &Event{Message: "a", Fingerprint: []string{"{{ default }}", "y"}},
			"Apart: the same parts count, but the fingerprint is “{{ default }}, x” in A and “{{ default }}, y” in B.", ""},
		"a hybrid fingerprint against none": {&Event{Message: "a", Fingerprint: []string{"{{ default }}", "x"}}, &Event{Message: "a"},
			"Apart: the same parts count, but the fingerprint is “{{ default }}, x” in A and the default in B.", ""},
		"a fingerprint against none": {&Event{Message: "a", Fingerprint: []string{"x"}}, &Event{Message: "a"}, "Apart: A is grouped by its fingerprint, B by its message.", ""},
		"checksums":                  {&Event{Checksum: "c"}, &Event{Checksum: "c"}, "Together: they were sent with the same checksum.", ""},
		"nothing":                    {&Event{}, &Event{}, "Together: neither holds anything to tell it by.", ""},
	} {
		c := Compare(Group(tc.a), Group(tc.b))
		if c.Sentence != tc.sentence {
			t.Errorf("%s: got %s\nwant %s", name, c.Sentence, tc.sentence)
		}
		if got := differing(c); got != tc.differs && tc.differs != "" {
			t.Errorf("%s: differs in %s, want %s", name, got, tc.differs)
		}
		if back := Compare(Group(tc.b), Group(tc.a)); back.Together != c.Together || len(back.Differs) != len(c.Differs) {
			t.Errorf("%s: the other way round %+v", name, back)
		}
	}
}

// differing are the values that differ: "a|b", one side empty where only the other has it.
func differing(c Comparison) string {
	var out []string
	for _, d := range c.Differs {
		var a, b string
		if d.A != nil {
			a = strings.Join(d.A.Values, ",")
		}
		if d.B != nil {
			b = strings.Join(d.B.Values, ",")
		}
		out = append(out, a+"|"+b)
	}
	return strings.Join(out, " ")
}

// Parts calls leaves outside of frames by what they are.
func TestParts(t *testing.T) {
	t.Parallel()
	frame := Frame{Filename: "a.py", ContextLine: "x()", InApp: yes()}
	for _, c := range []struct {
		ev   Event
		want string
	}{
		{Event{Template: &Template{Filename: "a.html", ContextLine: "{{ x }}"}}, "file and source line"},
		{Event{Platform: "python", Stacktrace: stackOf(frame)}, "frame"},
		{Event{Platform: "python", Exceptions: []Exception{{Type: "E", Value: "v", Stack: stackOf(frame, Frame{Module: "m", Function: "f", InApp: yes()})}}}, "exception type and 2 frames"},
	} {
		if got := Parts(Group(&c.ev).Deciding().Root); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Two stacks of thousands of frames with nothing in common are laid side by side in bounded work, and every leaf
// that counts is marked.
func TestCompareLongStacks(t *testing.T) {
	t.Parallel()
	long := func(name string) *Event {
		var frames []Frame
		for i := range 3000 {
			frames = append(frames, ownFrame(fmt.Sprintf("shop.%s%d", name, i), name))
		}
		return thrown("python", "KeyError", "x", frames...)
	}
	c := Compare(Group(long("a")), Group(long("b")))
	if c.Together || len(c.Differs) != 6000 || len(c.Marked()) != 12000 {
		t.Errorf("%v, %d differences, %d marks", c.Together, len(c.Differs), len(c.Marked()))
	}
}

func TestExplainJSON(t *testing.T) {
	t.Parallel()
	text, err := ExplainJSON(Group(thrown("python", "KeyError", "no 17", ownFrame("shop.views", "confirm"))))
	if err != nil {
		t.Fatal(err)
	}
	var got explained
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Config != Newstyle2026 || got.Strategy != "exception" || len(got.Variants) != 2 || len(got.Variants[0].Hash) != 32 || !got.Variants[0].Contributes {
		t.Fatalf("%s", text)
	}
	kids := got.Variants[0].Component.Children
	if len(kids) != 3 || kids[0].ID != "type" || kids[0].Values[0] != "KeyError" || kids[1].Contributes || kids[1].Hint == "" || kids[2].Children[0].ID != "frame" {
		t.Errorf("%s", text)
	}
}
