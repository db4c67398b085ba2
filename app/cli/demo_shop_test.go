package cli

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kibitz/app/detect"
	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// TestShopRequests holds that the demo's requests are sound, use every category, and have a loop of queries in those releases alone
// that are to have it.
func TestShopRequests(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for release, of := range demoReleases {
		var seen trace.Totals
		kinds, endpoints := map[detect.Kind]bool{}, map[string]bool{}
		for range 600 {
			q := newShopRequest(r, release, func(string, string) bool { return r.IntN(4) == 0 })
			checkShopRequest(t, &q)
			totals := trace.Sum(&q)
			for c := range seen.Time {
				seen.Time[c] += totals.Time[c]
			}
			found, _ := detect.Run(&q, sqltext.Normalize, detect.Defaults())
			for _, f := range found {
				kinds[f.Kind] = true
			}
			endpoints[q.Name] = true
		}
		if kinds[detect.QueryLoop] != of.loop || !kinds[detect.SlowQuery] || len(endpoints) != len(shopRoutes) || slices.Contains(seen.Time[:], 0) {
			t.Errorf("%s: found %v at %v, with %v", of.name, kinds, endpoints, seen.Time)
		}
	}
}

func checkShopRequest(t *testing.T, q *trace.Request) {
	t.Helper()
	ids := map[trace.SpanID]bool{q.Span: true}
	for _, s := range q.Spans {
		if ids[s.ID] || s.Start < 0 || s.Start+s.Duration > q.Duration {
			t.Fatalf("%s has the span %+v of %v", q.Name, s, q.Duration)
		}
		ids[s.ID] = true
	}
	if q.Trace == (trace.ID{}) || q.Duration <= 0 || q.Failed != (q.Status >= 500) {
		t.Fatalf("got %+v", q)
	}
}

func TestReleaseAt(t *testing.T) {
	t.Parallel()
	for since, want := range map[time.Duration]int{-time.Second: 0, 0: 0, demoRelease - 1: 0, demoRelease: 1, 2 * demoRelease: 2, 100 * demoRelease: len(demoReleases) - 1} {
		if got := releaseAt(since); got != want {
			t.Errorf("%v after the start release %d is in use, not %d", since, got, want)
		}
	}
}
