// Package bench measures the recorder beside the SDKs that people would use in its place. It is a module of its own, so that
// Kibitz does not depend on them:
//
//	cd app/perf/bench && go test -bench .
package bench

import (
	"context"
	"testing"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/getsentry/sentry-go"
	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

const sql = "select id, name from thing where id = $1"

// queries is how many a request makes.
const queries = 10

// BenchmarkRequest is a request of ten queries that is recorded and thrown away at the other end, each in the way of its
// SDK: ours with the caller of each query and without, OpenTelemetry's with a batching exporter, Sentry's with a transport
// that sends nothing.
func BenchmarkRequest(b *testing.B) {
	b.Run("kibitz, with callers", func(b *testing.B) { kibitz(b, perf.Options{}) })
	b.Run("kibitz", func(b *testing.B) { kibitz(b, perf.Options{NoCallers: true}) })
	b.Run("opentelemetry", opentelemetry)
	b.Run("sentry", sentryGo)
}

func kibitz(b *testing.B, o perf.Options) {
	o.Sink = func(context.Context, []trace.Request) error { return nil }
	rec := perf.New(o)
	defer rec.Close(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		ctx, q := rec.Start(context.Background(), perf.Info{Name: "/x", Method: "GET"})
		for range queries {
			perf.BeginWork(ctx, perf.Work{Category: trace.DB, Op: "db.query", Text: sql, System: "postgresql", PID: 1}).EndWith(perf.Outcome{Rows: 1})
		}
		q.SetStatus(200)
		q.Finish()
	}
	b.ReportMetric(100*float64(rec.Dropped())/float64(b.N), "%dropped")
}

// discard is an exporter that keeps nothing.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

func opentelemetry(b *testing.B) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	defer provider.Shutdown(context.Background())
	tracer := provider.Tracer("bench")
	hook := otelpgx.NewTracer(otelpgx.WithTracerProvider(provider), otelpgx.WithDisableConnectionDetailsInAttributes())
	b.ReportAllocs()
	for b.Loop() {
		ctx, span := tracer.Start(context.Background(), "GET /x")
		for range queries {
			ctx := hook.TraceQueryStart(ctx, nil, pgx.TraceQueryStartData{SQL: sql})
			hook.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{})
		}
		span.End()
	}
}

// nowhere is a transport of Sentry's that sends nothing.
type nowhere struct{}

func (nowhere) Configure(sentry.ClientOptions)        {}
func (nowhere) SendEvent(*sentry.Event)               {}
func (nowhere) Flush(time.Duration) bool              { return true }
func (nowhere) FlushWithContext(context.Context) bool { return true }
func (nowhere) Close()                                {}

func sentryGo(b *testing.B) {
	client, err := sentry.NewClient(sentry.ClientOptions{Dsn: "http://0123456789abcdef0123456789abcdef@kibitz.invalid/1", EnableTracing: true,
		TracesSampleRate: 1, Transport: nowhere{}})
	if err != nil {
		b.Fatal(err)
	}
	root := sentry.SetHubOnContext(context.Background(), sentry.NewHub(client, sentry.NewScope()))
	b.ReportAllocs()
	for b.Loop() {
		transaction := sentry.StartTransaction(root, "GET /x")
		for range queries {
			sentry.StartSpan(transaction.Context(), "db.query", sentry.WithDescription(sql)).Finish()
		}
		transaction.Finish()
	}
}
