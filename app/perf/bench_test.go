package perf_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

func nowhere(context.Context, []trace.Request) error { return nil }

// BenchmarkRequest is a whole request with six spans, beside what the machine cannot do without: reading the clock
// fourteen times, and one stack for each span.
func BenchmarkRequest(b *testing.B) {
	for name, without := range map[string]bool{"callers": false, "no callers": true} {
		b.Run(name, func(b *testing.B) {
			rec, _ := newRecorder(b, perf.Options{Sink: nowhere, NoCallers: without, Interval: time.Second})
			b.ReportAllocs()
			for b.Loop() {
				ctx, q := rec.Start(context.Background(), perf.Info{Name: "/x", Method: "GET"})
				for range 6 {
					perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
				}
				q.SetStatus(200)
				q.Finish()
			}
			b.ReportMetric(float64(rec.Dropped())/float64(b.N), "dropped/op")
		})
	}
	b.Run("limit: clock and stacks", func(b *testing.B) {
		start := time.Now()
		var pcs [12]uintptr
		for b.Loop() {
			for range 6 {
				runtime.Callers(0, pcs[:])
				time.Since(start)
				time.Since(start)
			}
			time.Since(start)
			time.Since(start)
		}
	})
}

// BenchmarkSpan is one span of a running request.
func BenchmarkSpan(b *testing.B) {
	for name, category := range map[string]trace.Category{"query with caller": trace.DB, "function": trace.Other} {
		b.Run(name, func(b *testing.B) {
			rec, _ := newRecorder(b, perf.Options{Sink: nowhere, MaxSpans: 1000})
			b.ReportAllocs()
			ctx, q := rec.Start(context.Background(), perf.Info{})
			n := 0
			for b.Loop() {
				if n++; n%1000 == 0 { // else the list would be full, and the span cheaper than it is
					q.Finish()
					ctx, q = rec.Start(context.Background(), perf.Info{})
				}
				perf.Begin(ctx, category, "op", "text").End()
			}
			q.Finish()
		})
	}
}

// BenchmarkNobody is a span where there is no request, as in every job.
func BenchmarkNobody(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
	}
}

// TestAllocations holds what is allocated: the request's context, and nothing for its spans.
func TestAllocations(t *testing.T) {
	rec, _ := newRecorder(t, perf.Options{Sink: nowhere, MaxSpans: 100})
	ctx, q := rec.Start(context.Background(), perf.Info{})
	defer q.Finish()
	span := func() {
		s := perf.Begin(ctx, trace.DB, "db.query", "select 1")
		s.EndWith(perf.Outcome{Rows: 1})
		perf.Wait(ctx).End()
		q.SetStatus(200)
	}
	for range 200 { // the list is full
		span()
	}
	if n := testing.AllocsPerRun(100, span); n != 0 {
		t.Errorf("a span beyond the limit makes %v allocations", n)
	}
	request := func() {
		ctx, q := rec.Start(context.Background(), perf.Info{Name: "/x"})
		for range 20 {
			perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
		}
		perf.SetUser(ctx, "id:1")
		q.Finish()
	}
	for range 50 { // recordings and their lists come into being
		request()
		rec.Flush(context.Background())
	}
	// Flush makes a channel, the batch a context with a timer. 20 spans make none, or there would be 20 more.
	if n := testing.AllocsPerRun(100, func() { request(); rec.Flush(context.Background()) }); n > 12 {
		t.Errorf("a request with 20 spans makes %v allocations", n)
	}
}

// TestSumAgrees holds that totals of a request that ran one thing at a time are those that its spans give.
func TestSumAgrees(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var before trace.Totals
		got := one(t, perf.Options{}, func(ctx context.Context, q *perf.Request) {
			for range 1 + random.IntN(20) {
				outer := perf.Begin(ctx, trace.Template, "template.render", "page")
				for range random.IntN(3) {
					perf.Begin(outer.Context(ctx), []trace.Category{trace.DB, trace.Cache, trace.HTTP}[random.IntN(3)], "op", "text").End()
				}
				outer.End()
			}
			before = q.Totals()
		})
		sum := trace.Sum(&got)
		sum.Time[trace.Other], before.Time[trace.Other] = 0, 0 // went on until the end
		if sum != before {
			t.Fatalf("by spans %v, by the recorder %v", sum, before)
		}
	}
}
