package rollout

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// many are records of so many switches, each with two conditions.
func many(t testing.TB, n int) []peers.Record {
	t.Helper()
	out := make([]peers.Record, n)
	for i := range out {
		s := switches.Switch{Key: fmt.Sprintf("switch_%05d", i), State: switches.Partial, Salt: fmt.Sprint(i), Owner: "team", Description: "what it is for",
			Everyone: switches.Rollout{Percent: 10}, Sets: []switches.Set{{When: switches.When{{{Attribute: "plan", Op: switches.Is, Values: []string{"pro"}},
				{Attribute: "country", Op: switches.Is, Values: []string{"de", "at"}}}}, Rollout: switches.Rollout{Percent: 100}}}}
		body, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = peers.Record{ID: peers.ID{Kind: peers.Switch, Env: Production, Key: s.Key}, Version: peers.Version{Revision: int64(i + 1), Node: "x"}, Body: body, At: time.Now()}
	}
	return out
}

// BenchmarkFlip10000 is a click among 10,000 switches, in memory.
func BenchmarkFlip10000(b *testing.B) {
	board := newBoard(b, 1, nil)
	board.receive(many(b, 10_000))
	for b.Loop() {
		board.Flip(b.Context(), Production, "switch_05000", Flip{Percent: percent(float64(b.N % 100))}, me, "")
		board.Kill(b.Context(), Production, "switch_05000", true, me, "")
		board.Kill(b.Context(), Production, "switch_05000", false, me, "")
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/3, "µs/change")
}

// BenchmarkStart10000 takes 10,000 switches in, as a start does.
func BenchmarkStart10000(b *testing.B) {
	records := many(b, 10_000)
	for b.Loop() {
		newBoard(b, 1, nil).receive(records)
	}
}
