package requests

import (
	"context"
	"fmt"
	"time"

	"kibitz/app/store"
)

// keptFor is how long a table's rows are kept.
func (r Retention) keptFor(table string) time.Duration {
	const day = 24 * time.Hour
	switch table {
	case "request", "trace", "log_line", "statement_ten", "statement_call":
		return time.Duration(r.Days) * day
	case "span_pending":
		return 2 * day // what waits longer than one waits for nothing
	case "endpoint_raw", "statement_raw", "switch_raw":
		return 2 * time.Hour // they are merged within minutes; what is not, is kept
	case "endpoint_minute":
		return time.Duration(r.MinuteDays) * day
	case "host_fine":
		return day
	case "switch_minute", "switch_ask_minute":
		return 3 * day // the guard looks at the past day, charts of more at hours
	case "host_minute":
		return 14 * day
	case "host_ten":
		return 365 * day
	case "endpoint_hour", "endpoint_day", "statement_hour", "switch_hour", "switch_day", "switch_ask_hour":
		return time.Duration(r.HourDays) * day
	}
	return 0 // not ours
}

// Retire drops what is too old, and then the oldest days until the budget holds. Nothing is ever deleted row by row.
func (r *Requests) Retire(ctx context.Context, now time.Time) error {
	merged, err := r.store.MergedUntil(ctx)
	if err != nil {
		return err
	}
	for _, t := range store.TimeTables() {
		keep := r.retention.keptFor(t.Name)
		if keep == 0 {
			continue
		}
		before := now.Add(-keep)
		if until, ok := merged[t.Name]; ok && until.Before(before) {
			before = until // rows that no coarser table has yet
		}
		if err := r.retire(ctx, t, before); err != nil {
			return err
		}
	}
	return r.holdBudget(ctx, now)
}

func (r *Requests) retire(ctx context.Context, t store.TimeTable, before time.Time) error {
	if t.Name == "span_pending" {
		if err := r.store.CountAbandoned(ctx, before); err != nil {
			return err
		}
	}
	dropped, err := r.store.DropTimes(ctx, t, before)
	for _, name := range dropped {
		r.log.Info("retired", "table", name)
	}
	return err
}

// holdBudget drops the oldest day of requests, spans and log lines while they hold more than they may. Today stays.
func (r *Requests) holdBudget(ctx context.Context, now time.Time) error {
	if r.retention.Budget <= 0 {
		return nil
	}
	for {
		size, oldest, err := r.store.RequestBytes(ctx)
		if err != nil || size <= r.retention.Budget || !oldest.Before(now.UTC().Truncate(24*time.Hour)) {
			return err
		}
		r.log.Warn("requests hold more than perf.disk_budget; the oldest day goes", "bytes", size, "budget", r.retention.Budget, "day", oldest.Format(time.DateOnly))
		for _, t := range store.TimeTables() {
			switch t.Name {
			case "request", "trace", "log_line", "statement_call":
				if err := r.retire(ctx, t, oldest.Add(24*time.Hour)); err != nil {
					return fmt.Errorf("cannot hold the budget: %w", err)
				}
			}
		}
	}
}
