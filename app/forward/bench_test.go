package forward_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/forward"
	"kibitz/app/perf"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// BenchmarkForward is 100 requests of 10 queries: what the drain pays to queue them; what the sending goroutine takes, with
// unfolding, JSON, gzip and a receiver on the same machine that reads nothing; and unfolding alone, which none can do without.
func BenchmarkForward(b *testing.B) {
	rec := benchRecord(b)
	options := forward.Options{Node: "n1", Queue: 1 << 40, Patience: time.Minute, Pause: time.Millisecond, Log: slog.New(slog.DiscardHandler), Dropped: func(int64, string, int64) {}}
	b.Run("queue", func(b *testing.B) {
		o := options
		o.Send = func(ctx context.Context, _ []trace.Request) error { <-ctx.Done(); return &perf.SendError{Again: true} }
		f := newBench(b, o)
		for b.Loop() {
			f.Offer([]ingest.Record{rec})
		}
	})
	b.Run("send", func(b *testing.B) {
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer receiver.Close()
		sender, err := perf.NewOTLPTo(receiver.URL, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		o := options
		o.Send = sender.Send
		f := newBench(b, o)
		for range b.N {
			f.Offer([]ingest.Record{rec})
		}
		f.Close(context.Background())
		if s := f.Stats(); s.Sent != int64(100*b.N) {
			b.Fatalf("%+v", s)
		}
		b.ReportMetric(float64(b.N*1100)/b.Elapsed().Seconds(), "spans/s")
	})
	b.Run("unfold", func(b *testing.B) {
		z, err := zstd.NewReader(nil)
		if err != nil {
			b.Fatal(err)
		}
		for range b.N {
			if _, err := rec.Unpack(z); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*1100)/b.Elapsed().Seconds(), "spans/s")
	})
}

func newBench(b *testing.B, o forward.Options) *forward.Forwarder {
	f, err := forward.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		f.Close(ctx)
	})
	return f
}

func benchRecord(b *testing.B) ingest.Record {
	var list []trace.Request
	for n := range 100 {
		q := request(n + 1)
		for k := range 9 {
			s := q.Spans[0]
			s.ID, s.Start = trace.SpanID(10_000+100*n+k), time.Duration(k)*time.Millisecond
			q.Spans = append(q.Spans, s)
		}
		list = append(list, q)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	return ingest.Record{Project: 7, Kind: ingest.KindRequests, Payload: z.EncodeAll(trace.Append(nil, list), nil)}
}
