package perfpgx_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/perf"
	"kibitz/app/perf/perfpgx"
	"kibitz/app/trace"
)

// deep runs fn some calls down, as within a server.
func deep(n int, fn func()) {
	if n > 0 {
		deep(n-1, fn)
		return
	}
	fn()
}

// BenchmarkHook is what a query costs besides itself, 20 calls deep, with and without its caller's stack, and on a context
// that belongs to no request.
func BenchmarkHook(b *testing.B) {
	bench := newBench(b, 1, perfpgx.Options{})
	conn, err := bench.pool.Acquire(context.Background())
	must(b, err)
	defer conn.Release()
	tracer := perfpgx.New(perfpgx.Options{})
	run := func(name string, o perf.Options) {
		b.Run(name, func(b *testing.B) {
			o.Sink, o.Interval = func(context.Context, []trace.Request) error { return nil }, time.Second
			rec := perf.New(o)
			defer rec.Close(context.Background())
			b.ReportAllocs()
			deep(20, func() {
				ctx, q := rec.Start(context.Background(), perf.Info{})
				for n := 1; b.Loop(); n++ {
					if n%100 == 0 { // a request of a hundred queries
						q.Finish()
						ctx, q = rec.Start(context.Background(), perf.Info{})
					}
					end := tracer.TraceQueryStart(ctx, conn.Conn(), pgx.TraceQueryStartData{SQL: "select 1"})
					tracer.TraceQueryEnd(end, conn.Conn(), pgx.TraceQueryEndData{})
				}
				q.Finish()
			})
		})
	}
	run("with its caller", perf.Options{})
	b.Run("its caller told by a layer above", func(b *testing.B) {
		b.ReportAllocs()
		deep(20, func() {
			ctx, q := bench.rec.Start(context.Background(), perf.Info{})
			defer func() { q.Finish() }()
			for n := 1; b.Loop(); n++ {
				if n%100 == 0 {
					q.Finish()
					ctx, q = bench.rec.Start(context.Background(), perf.Info{})
				}
				tracer.TraceCaller(ctx, conn.Conn())
				end := tracer.TraceQueryStart(ctx, conn.Conn(), pgx.TraceQueryStartData{SQL: "select 1"})
				tracer.TraceQueryEnd(end, conn.Conn(), pgx.TraceQueryEndData{})
			}
		})
	})
	run("without", perf.Options{NoCallers: true})
	b.Run("in no request", func(b *testing.B) {
		hook := hookOf(context.Background(), tracer, conn.Conn())
		for b.Loop() {
			hook()
		}
	})
}

// BenchmarkQuery is the smallest query over a socket of the same machine, with the tracer and without: the hook's
// share of what there is to be won.
func BenchmarkQuery(b *testing.B) {
	bench := newBench(b, 1, perfpgx.Options{})
	ctx, q := bench.rec.Start(context.Background(), perf.Info{})
	defer q.Finish()
	for name, ctx := range map[string]context.Context{"recorded": ctx, "in no request": context.Background()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := bench.pool.Exec(ctx, "select 1")
				must(b, err)
			}
		})
	}
}
