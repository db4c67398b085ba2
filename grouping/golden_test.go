package grouping

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// golden is an event of ours with the hashes that it has in each configuration. Those of 2023 are what the published
// implementation of that year computes; see testdata/README.md.
type golden struct {
	Event  json.RawMessage
	Old    []string `json:"2023"`
	Recent []string `json:"2026"`
}

// TestGolden holds the hashes of 200 made-up events of every platform: a configuration that was published never
// changes them.
func TestGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		g.check(t, n+1)
	}
	if n != 200 {
		t.Errorf("%d events, want 200", n)
	}
}

func (g *golden) check(t *testing.T, line int) {
	var raw rawEvent
	if err := json.Unmarshal(g.Event, &raw); err != nil {
		t.Fatalf("line %d: %v", line, err)
	}
	rules, err := ParseRules(raw.Grouping.Enhancements, "")
	if err != nil {
		t.Fatalf("line %d: %v", line, err)
	}
	for _, c := range []struct {
		config Config
		want   []string
	}{{Newstyle2023, g.Old}, {Newstyle2026, g.Recent}} {
		r := Setup{Config: c.config, Rules: rules}.Group(raw.event())
		have := r.Hashes()
		slices.Sort(have)
		if !slices.Equal(slices.Compact(have), c.want) {
			t.Errorf("line %d by %s: have %v, want %v\n%s", line, c.config, have, c.want, Explain(r))
		}
	}
}
