package perf_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

// finish runs n requests with one span each.
func finish(rec *perf.Recorder, n int) {
	for range n {
		ctx, q := rec.Start(context.Background(), perf.Info{Name: "x"})
		perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
		q.Finish()
	}
}

// TestStuckSink holds that requests go on while the sink hangs, and that every one is accounted for.
func TestStuckSink(t *testing.T) {
	t.Parallel()
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	told := map[string]int64{}
	rec, _ := newRecorder(t, perf.Options{Ring: 8, Batch: 2, Dropped: func(reason string, n int64) { told[reason] += n },
		Sink: func(context.Context, []trace.Request) error {
			entered <- struct{}{}
			<-release
			return nil
		}})
	finish(rec, 2)
	<-entered
	finish(rec, 100) // while it hangs: 8 fit, and none of them waits
	if s := rec.Stats(); s.Finished != 102 || s.Dropped != 92 || s.Delivered != 0 {
		t.Errorf("%+v", s)
	}
	close(release)
	if err := rec.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := rec.Stats(); s.Delivered != 10 || s.Dropped != 92 || rec.Dropped() != 92 || told["ring_full"] != 92 || len(told) != 1 {
		t.Errorf("%+v, told %v", s, told)
	}
}

// TestRingSpans holds the bound on spans that wait, which is what takes the memory.
func TestRingSpans(t *testing.T) {
	t.Parallel()
	rec, k := newRecorder(t, perf.Options{Ring: 1000, Batch: 1000, RingSpans: 20})
	entered, release := make(chan struct{}), make(chan struct{})
	slow, _ := newRecorder(t, perf.Options{Ring: 1000, Batch: 1, RingSpans: 20, Sink: func(context.Context, []trace.Request) error {
		entered <- struct{}{}
		<-release
		return nil
	}})
	finish(slow, 1)
	<-entered
	finish(slow, 50) // each counts for two; the one in the sink's hands does too
	if n := slow.Dropped(); n != 41 {
		t.Errorf("%d of 51 dropped", n)
	}
	go func() {
		for range entered {
		}
	}()
	close(release)
	slow.Close(context.Background())
	close(entered)
	finish(rec, 5)
	rec.Flush(context.Background())
	if len(k.all()) != 5 || rec.Dropped() != 0 {
		t.Errorf("%d kept, %d dropped", len(k.all()), rec.Dropped())
	}
}

// TestBadSink holds that a sink that fails or panics costs its batch and nothing else.
func TestBadSink(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var failures []error
	k := &kept{}
	rec, _ := newRecorder(t, perf.Options{Failed: func(err error) { failures = append(failures, err) },
		Sink: func(ctx context.Context, requests []trace.Request) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the sink has no deadline")
			}
			switch calls.Add(1) {
			case 1:
				return errors.New("away")
			case 2:
				panic("broken")
			}
			return k.take(ctx, requests)
		}})
	for n := range 3 {
		finish(rec, n+1)
		rec.Flush(context.Background())
	}
	rec.Close(context.Background())
	if s := rec.Stats(); s.Finished != 6 || s.Delivered != 3 || s.Dropped != 3 || len(k.all()) != 3 {
		t.Errorf("%+v, %d kept", s, len(k.all()))
	}
	if len(failures) != 2 || failures[0].Error() != "away" || failures[1].Error() != "cannot hand recorded requests on: the sink panicked: broken" {
		t.Errorf("failures %v", failures)
	}
}

// TestClose holds that a clean end loses nothing, and that what ends later is counted, exactly, however they meet.
func TestClose(t *testing.T) {
	t.Parallel()
	for range 50 {
		rec, k := newRecorder(t, perf.Options{Ring: 1 << 12, Batch: 7})
		var wg sync.WaitGroup
		_, open := rec.Start(context.Background(), perf.Info{})
		var started atomic.Int64
		for range 4 {
			wg.Go(func() {
				for range 100 {
					if _, q := rec.Start(context.Background(), perf.Info{}); q != nil {
						started.Add(1)
						q.Finish()
					}
				}
			})
		}
		if err := rec.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		open.Finish()
		if err := rec.Close(context.Background()); err != nil { // twice is once
			t.Fatal(err)
		}
		s := rec.Stats()
		if s.Finished != started.Load()+1 || s.Delivered+s.Dropped != s.Finished || s.Delivered != int64(len(k.all())) || s.Dropped == 0 {
			t.Fatalf("%+v of %d started, %d kept", s, started.Load(), len(k.all()))
		}
	}
}

// TestCloseTimeout holds that a sink that never comes back does not hold up the end of the program.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	rec := perf.New(perf.Options{Interval: time.Hour, Sink: func(context.Context, []trace.Request) error { <-release; return nil }})
	finish(rec, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := rec.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close gave %v", err)
	}
	if err := rec.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Flush gave %v", err)
	}
	close(release)
	if err := rec.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if s := rec.Stats(); s.Delivered != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestInterval holds that requests are handed on by themselves.
func TestInterval(t *testing.T) {
	t.Parallel()
	got := make(chan int, 1)
	rec, _ := newRecorder(t, perf.Options{Interval: time.Millisecond, Sink: func(_ context.Context, requests []trace.Request) error {
		got <- len(requests)
		return nil
	}})
	finish(rec, 1)
	if n := <-got; n != 1 {
		t.Errorf("a batch of %d", n)
	}
}

// TestFanOut runs spans of one request on many goroutines, some of which outlive it; for the race detector.
func TestFanOut(t *testing.T) {
	t.Parallel()
	rec, k := newRecorder(t, perf.Options{MaxSpans: 100, Interval: time.Millisecond})
	var all sync.WaitGroup
	for range 20 {
		ctx, q := rec.Start(context.Background(), perf.Info{})
		var some sync.WaitGroup
		for n := range 8 {
			work := func() {
				for range 20 {
					span := perf.Begin(ctx, trace.Category(n%trace.Categories), "op", "text")
					perf.Begin(span.Context(ctx), trace.DB, "db.query", "select 1").End()
					perf.SetAttr(ctx, "k", "v")
					q.Totals()
					span.End()
				}
			}
			if all.Go(work); n%2 == 0 {
				some.Go(work)
			}
		}
		some.Wait()
		q.Finish()
	}
	all.Wait()
	rec.Close(context.Background())
	for _, q := range k.all() {
		if len(q.Spans) > 100 || q.Lost == 0 {
			t.Errorf("%d spans, %d lost", len(q.Spans), q.Lost)
		}
		checkSum(t, q)
		for _, s := range q.Spans {
			if s.Duration < 0 || s.Start+s.Duration > q.Duration {
				t.Errorf("span %+v of %s", s, q.Duration)
			}
		}
	}
	if len(k.all()) != 20 {
		t.Errorf("%d requests", len(k.all()))
	}
}
