package views

import (
	"strings"
	"testing"
)

func TestLineDiff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, after, want string }{
		"the same":        {"a\nb", "a\r\nb\n", ""},
		"from nothing":    {"", "a\nb\n", "+a +b"},
		"to nothing":      {"a\n", "", "-a"},
		"one in between":  {"a\nb\nc\nd\ne\nf", "a\nb\nc\nx\nd\ne\nf", "~… _b _c +x _d _e ~…"},
		"replaced":        {"a\nb\nc", "a\nx\nc", "_a -b +x _c"},
		"moved":           {"a\nb\nc", "c\na\nb", "+c _a _b -c"},
		"two far changes": {"1\na\nb\nc\nd\ne\nf\n2", "a\nb\nc\nd\ne\nf", "-1 _a _b ~… _e _f -2"},
	} {
		var got []string
		for _, line := range lineDiff(tc.before, tc.after) {
			got = append(got, strings.ReplaceAll(string(line.op), " ", "_")+line.text)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: got %q, want %q", name, strings.Join(got, " "), tc.want)
		}
	}
}

// Texts at the limits are compared in bounded work and shown in bounded space.
func TestLineDiffIsBounded(t *testing.T) {
	t.Parallel()
	before, after := strings.Repeat("a\n", 100_000), strings.Repeat("b\n", 100_000)
	if got := lineDiff(before, after); len(got) > maxDiffLines+1 || got[0].op != '-' || got[len(got)-1].op != '~' {
		t.Errorf("%d lines, %c first", len(got), got[0].op)
	}
}
