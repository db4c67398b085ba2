package requests

import (
	"context"
	"log/slog"
	"time"

	"kibitz/app/store"
)

// Requests are the use cases of the pages and commands of the performance half.
type Requests struct {
	store     *store.Store
	log       *slog.Logger
	retention Retention
}

// Retention is how long things are kept, in days, and what they may hold on disk.
type Retention struct {
	Days       int   // requests, spans, log lines, sums of statements
	MinuteDays int   // sums by the minute
	HourDays   int   // sums by the hour and the day
	Budget     int64 // bytes of requests, spans and log lines
}

// New makes the use cases.
func New(s *store.Store, log *slog.Logger, r Retention) *Requests { return &Requests{s, log, r} }

// rollupEvery is how often sums are merged: what is not yet merged is what pages have to merge themselves.
const rollupEvery = 20 * time.Second

// RunRollups merges sums until ctx ends.
func (r *Requests) RunRollups(ctx context.Context) {
	tick := time.NewTicker(rollupEvery)
	defer tick.Stop()
	for {
		if _, err := r.store.MergeRollups(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot merge the sums of requests; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
