package requests

import (
	"context"
	"log/slog"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest/sqltext"
)

// Requests are the use cases of the pages and commands of the performance half.
type Requests struct {
	store     *store.Store
	ids       *model.IDs
	log       *slog.Logger
	retention Retention
	cache     *sqltext.Normalizer
}

// Retention is how long things are kept, in days, and what they may hold on disk.
type Retention struct {
	Days       int   // requests, spans, log lines, sums of statements
	MinuteDays int   // sums by the minute
	HourDays   int   // sums by the hour and the day
	Budget     int64 // bytes of requests, spans and log lines
}

// New makes the use cases.
func New(s *store.Store, ids *model.IDs, log *slog.Logger, r Retention) *Requests {
	return &Requests{s, ids, log, r, sqltext.NewNormalizer(pageCache)}
}

// pageCache is how many bytes of statements and their normal forms pages remember.
const pageCache = 4 << 20

func (r *Requests) normalize(sql string) (string, uint64) {
	form := r.cache.Normalize(sql)
	return form.Text, form.Fingerprint
}

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
		if _, err := r.ResolveFixed(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot tell which findings are gone; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
