package perf_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/sketch"
	"kibitz/app/trace"
)

// measured runs n requests of an endpoint, each as long as its work makes it, and gives how long they took by the sink's word:
// their sum, and how many there were in each bin of a sketch.
func measured(list []trace.Request) (n float64, took time.Duration, bins map[float64]float64) {
	s := sketch.New()
	for i := range list {
		q := &list[i]
		n += q.Weight
		took += q.Duration * time.Duration(q.Weight)
		s.Add(float64(q.Duration)/float64(time.Microsecond), q.Weight)
	}
	bins = map[float64]float64{}
	s.Each(func(value, n float64) { bins[value] = n })
	return n, took, bins
}

// TestFoldExact holds that folding changes neither the number of requests, nor the sum of their durations, nor any percentile:
// the same requests, folded and not.
func TestFoldExact(t *testing.T) {
	t.Parallel()
	var durations []time.Duration
	for i := range 1000 {
		durations = append(durations, time.Duration(math.Exp(8+3*float64(i%97)/97)*float64(time.Microsecond))+time.Duration(i)*time.Microsecond)
	}
	plain, folded := perf.Recorded(0, durations...), perf.Recorded(100, durations...)
	n, took, bins := measured(plain)
	foldedN, foldedTook, foldedBins := measured(folded)
	if len(plain) != 1000 || len(folded) < 50 || len(folded) > 120 {
		t.Errorf("%d requests became %d", len(plain), len(folded))
	}
	if n != foldedN || !maps.Equal(bins, foldedBins) {
		t.Errorf("%v requests in bins %v became %v in %v", n, bins, foldedN, foldedBins)
	}
	if math.Abs(float64(took-foldedTook)) > float64(time.Microsecond) { // a mean is of whole nanoseconds
		t.Errorf("%s in all became %s", took, foldedTook)
	}
}

// crowd runs n requests of one endpoint in one batch.
func crowd(t *testing.T, o perf.Options, n int, each func(ctx context.Context, q *perf.Request, i int)) []trace.Request {
	t.Helper()
	o.Busy, o.Batch = 20, 10_000
	rec, k := newRecorder(t, o)
	for i := range n {
		ctx, q := rec.Start(context.Background(), perf.Info{Name: "/thing/:id", Source: "route", Method: "GET"})
		q.SetStatus(200)
		each(ctx, q, i)
		q.Finish()
	}
	if err := rec.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := rec.Stats(); s.Delivered != int64(n) {
		t.Errorf("%+v", s)
	}
	return k.all()
}

// TestFoldApart holds what is never folded, and what is folded only with its like.
func TestFoldApart(t *testing.T) {
	t.Parallel()
	const n = 1000
	for name, c := range map[string]struct {
		each  func(ctx context.Context, q *perf.Request, i int)
		apart func(trace.Request) string
	}{
		"failed":  {func(_ context.Context, q *perf.Request, _ int) { q.SetStatus(500) }, nil},
		"kept":    {func(_ context.Context, q *perf.Request, _ int) { q.SetKeep() }, nil},
		"told of": {func(_ context.Context, q *perf.Request, _ int) { q.SetAttr("cart", "7") }, nil},
		"a failed query": {func(ctx context.Context, _ *perf.Request, _ int) {
			perf.Begin(ctx, trace.DB, "db.query", "select 1").EndErr(errors.New("away"))
		}, nil},
		"calls another": {func(ctx context.Context, _ *perf.Request, _ int) {
			perf.Begin(ctx, trace.HTTP, "http.client", "GET /").End()
		}, nil},
		"status": {func(_ context.Context, q *perf.Request, i int) { q.SetStatus(200 + i%5) }, func(q trace.Request) string { return fmt.Sprint(q.Status) }},
		"user":   {func(_ context.Context, q *perf.Request, i int) { q.SetUser(fmt.Sprint("id:", i%5)) }, func(q trace.Request) string { return q.User }},
		"switch": {func(ctx context.Context, _ *perf.Request, i int) { perf.Asked(ctx, "beta", fmt.Sprint(i%5)) }, func(q trace.Request) string { return q.Switches[0].Variant }},
		"queries": {func(ctx context.Context, _ *perf.Request, i int) {
			for range i % 5 {
				perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
			}
		}, func(q trace.Request) string { return fmt.Sprint(len(q.Spans)) }},
	} {
		got := crowd(t, perf.Options{}, n, c.each)
		if c.apart == nil {
			if len(got) != n || slices.ContainsFunc(got, func(q trace.Request) bool { return q.Weight != 1 }) {
				t.Errorf("%s: %d of %d are left", name, len(got), n)
			}
			continue
		}
		by := map[string]float64{}
		for _, q := range got {
			by[c.apart(q)] += q.Weight
		}
		if len(by) != 5 || slices.ContainsFunc(slices.Collect(maps.Values(by)), func(w float64) bool { return w != n/5 }) || len(got) > n/2 {
			t.Errorf("%s: %v of %d rows", name, by, len(got))
		}
	}
}

// TestFoldQuiet holds that nothing is folded where there is little.
func TestFoldQuiet(t *testing.T) {
	t.Parallel()
	got := crowd(t, perf.Options{}, 20, func(context.Context, *perf.Request, int) {})
	if len(got) != 20 || slices.ContainsFunc(got, func(q trace.Request) bool { return q.Weight != 1 }) {
		t.Errorf("%d of 20", len(got))
	}
}

// TestFoldCallers holds that not every request of a crowd looks for its callers, and that one which did stands for those that
// did not.
func TestFoldCallers(t *testing.T) {
	t.Parallel()
	looked, found, weight := 0, 0.0, 0.0
	got := crowd(t, perf.Options{}, 2000, func(ctx context.Context, q *perf.Request, _ int) {
		if q.WantsCallers() {
			looked++
		}
		q.Age(1010 * time.Millisecond) // what looking for callers takes does not count beside it
		perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
	})
	for _, q := range got {
		weight += q.Weight
		if q.Spans[0].Line > 0 {
			found += q.Weight
		}
	}
	if looked < 20 || looked > 600 || weight != 2000 || found < weight/2 {
		t.Errorf("%d looked; %v of %v have a line", looked, found, weight)
	}
}
