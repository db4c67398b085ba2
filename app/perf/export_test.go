package perf

import (
	"context"
	"slices"
	"time"

	"kibitz/app/trace"
)

// Recorded is what a sink gets of requests of one endpoint that took so long: a clock for tests.
func Recorded(busy int, durations ...time.Duration) (got []trace.Request) {
	r := New(Options{Busy: busy, Batch: 10_000, Ring: 10_000, Interval: time.Hour, Sink: func(_ context.Context, list []trace.Request) error {
		got = slices.Clone(list)
		return nil
	}})
	defer r.Close(context.Background())
	for _, d := range durations {
		r.enqueue(&recording{info: Info{Name: "/", Method: "POST"}, status: 200, duration: d})
	}
	r.Flush(context.Background())
	return got
}

// Age has a request begin earlier, so that its duration is known but for what the test itself takes.
func (q *Request) Age(by time.Duration) { q.start = q.start.Add(-by) }
