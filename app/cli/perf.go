package cli

import (
	"context"
	"time"

	"kibitz/app/config"
	"kibitz/app/db"
	"kibitz/app/issues"
	"kibitz/app/perf"
	"kibitz/app/perf/perfpgx"
	"kibitz/app/switches"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// traceQueries has queries recorded in the request of their context, when requests are recorded at all.
func traceQueries(c *config.Config, d *db.Config) {
	if c.Perf.Enabled {
		d.Tracer = perfpgx.New(perfpgx.Options{})
	}
}

// newRecorder records our own requests in the project that has our own exceptions; nil when that is turned off. They go
// through the spool as everybody's do.
func (s *server) newRecorder(project, key int64) *perf.Recorder {
	if !s.config.Perf.Enabled {
		return nil
	}
	return perf.New(perf.Options{
		Service: issues.SelfProject, Release: "kibitz@" + Version, Environment: "production", Host: s.config.Node,
		Skip: []string{"kibitz/app/db", "kibitz/app/cli"}, Busy: selfBusy, Batch: selfBatch,
		Sink: func(ctx context.Context, requests []trace.Request) error {
			return s.keepOwn(ctx, project, key, requests)
		},
		Failed: func(err error) { s.log.Warn("cannot keep our own requests", "err", err) },
		Dropped: func(reason string, n int64) {
			if reason != "sink_failed" { // those have been counted
				s.outcomes.Count(project, "transaction", ingest.RateLimited, "recorder_"+reason, n)
			}
		},
	})
}

// selfBusy is from how many of our own requests a second on not every one gets a row, and selfBatch how many go into the spool
// at once. The doors take thousands of events a second, and to record each cost a twentieth of what taking them did.
const (
	selfBusy  = 50
	selfBatch = 2_000
)

// keepOwn spools requests of our own. Those that others stand for are counted as filtered, reason folded.
func (s *server) keepOwn(ctx context.Context, project, key int64, requests []trace.Request) error {
	folded := int64(0)
	for i := range requests {
		folded += int64(requests[i].Weight) - 1
	}
	if !s.features.on(switches.OwnRecorder) {
		s.outcomes.Count(project, "transaction", ingest.Filtered, "switched_off", int64(len(requests))+folded)
		return nil
	}
	// A spool that fills while the database is away is for other people's events.
	if err := s.pipeline.Healthy(); err != nil {
		s.outcomes.Count(project, "transaction", ingest.RateLimited, "spool_high_water", int64(len(requests))+folded)
		return err
	}
	if err := s.pipeline.AcceptRequests(ctx, ingest.Source{Project: project, KeyID: key, Received: time.Now().UTC().Truncate(time.Millisecond)}, requests); err != nil {
		s.outcomes.Count(project, "transaction", ingest.RateLimited, "spool_unavailable", folded) // the others were counted there
		return err
	}
	s.outcomes.Count(project, "transaction", ingest.Filtered, "folded", folded)
	return nil
}

// queryCounter gives a request's context a counter of its queries, for the log. A recorded request has one already.
func queryCounter(rec *perf.Recorder) func(context.Context) (context.Context, func() (int, time.Duration)) {
	if rec == nil {
		return countQueries
	}
	return func(ctx context.Context) (context.Context, func() (int, time.Duration)) {
		q := perf.FromContext(ctx)
		return ctx, func() (int, time.Duration) {
			t := q.Totals()
			return t.N[trace.DB], t.Time[trace.DB] + t.Time[trace.Pool]
		}
	}
}
