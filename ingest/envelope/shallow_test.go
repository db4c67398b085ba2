package envelope

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestShallow(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":1}`:                          `{"a":1}`,
		`{"a":{"b":{"c":{}}},"d":[1]}`:     `{"a":{"b":"(nested too deep)"},"d":[1]}`,
		`[[[]],[[[1],[2]],3],"]"]`:         `[["(nested too deep)"],["(nested too deep)",3],"]"]`,
		`{"a":"[[[{","b":{"c":["\"}",1]}}`: `{"a":"[[[{","b":{"c":"(nested too deep)"}}`,
		`[[[`:                              `[["(nested too deep)"`,
		``:                                 ``,
	} {
		if got := string(Shallow([]byte(in), 2)); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
	deepest := `{"message":"kept","exception":{"values":[{"type":"A","stacktrace":{"frames":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}]}}`
	ev, err := ParseEvent([]byte(deepest), Full)
	if err != nil || ev.Message.Formatted != "kept" || len(ev.Exceptions) != 1 || ev.Exceptions[0].Type != "A" {
		t.Errorf("%v: %+v", err, ev)
	}
	for _, cut := range []string{deepest, `{"extra":` + cutHere + `}`} {
		if ev, err := ParseEvent([]byte(cut), Full); err != nil || !slices.ContainsFunc(ev.Notes, func(n string) bool { return strings.Contains(n, "ingest.json_depth") }) {
			t.Errorf("%v: nothing says that %.40s was cut", err, cut)
		}
	}
}

// FuzzShallow holds that JSON stays JSON, and no deeper than it may be.
func FuzzShallow(f *testing.F) {
	for _, s := range []string{`{"a":[[["]"]]]}`, `[[[[]]],{"\\":"\""}]`, `"x"`} {
		f.Add([]byte(s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, depth uint8) {
		if depth == 0 || !json.Valid(b) {
			return
		}
		out := Shallow(b, int(depth))
		if !json.Valid(out) {
			t.Fatalf("%q became %q", b, out)
		}
		if deep(out, int(depth), len(out)+1) != nil {
			t.Fatalf("%q is still deeper than %d", out, depth)
		}
	})
}
