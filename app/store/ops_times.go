package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
)

// TimeTable is a table of ops whose rows are kept in partitions by the time of receipt.
type TimeTable struct {
	Name          string
	Slice         db.Slice
	Behind, Ahead int // partitions that are made around the present
}

// TimeTables are all of them.
func TimeTables() []TimeTable {
	const days = 3 // ahead; an hourly job goes on making them
	return []TimeTable{
		{"event", db.ByDay, db.DaysBehind, db.DaysAhead},
		{"request", db.ByDay, 0, days}, {"trace", db.ByDay, 0, days}, {"log_line", db.ByDay, 0, days}, {"span_pending", db.ByDay, 0, days},
		{"endpoint_raw", db.ByHour, 0, 6}, {"endpoint_minute", db.ByDay, 0, days}, {"endpoint_hour", db.ByDay, 0, days}, {"endpoint_day", db.ByDay, 0, days},
		{"statement_raw", db.ByHour, 0, 6}, {"statement_ten", db.ByDay, 0, days}, {"statement_hour", db.ByDay, 0, days},
		{"statement_call", db.ByDay, 0, days},
		{"switch_raw", db.ByHour, 0, 6}, {"switch_minute", db.ByDay, 0, days}, {"switch_hour", db.ByDay, 0, days}, {"switch_day", db.ByDay, 0, days},
		{"switch_ask_minute", db.ByDay, 0, days}, {"switch_ask_hour", db.ByMonth, 0, 1},
		{"host_fine", db.ByDay, 0, days}, {"host_minute", db.ByDay, 0, days}, {"host_ten", db.ByMonth, 0, 1},
	}
}

// MakeTimes makes the partitions around the present that are not there yet.
func (s *Store) MakeTimes(ctx context.Context, now time.Time) error {
	for _, t := range TimeTables() {
		if err := s.db.MakeDays(ctx, db.Ops, t.Name, t.Slice, t.Slice.Before(now, t.Behind), t.Behind+1+t.Ahead); err != nil {
			return fmt.Errorf("cannot make the partitions of ops.%s: %w", t.Name, err)
		}
	}
	return nil
}

// DropTimes retires the partitions of a table that end before a moment and tells which.
func (s *Store) DropTimes(ctx context.Context, t TimeTable, before time.Time) ([]string, error) {
	return s.db.DropDays(ctx, db.Ops, t.Name, t.Slice, before)
}

// MergedUntil tells for each table of sums that is merged into a coarser one up to when that has been done.
func (s *Store) MergedUntil(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT name, until FROM rollup_state`)
	if err != nil {
		return nil, fmt.Errorf("cannot tell what has been merged: %w", err)
	}
	finer := map[string]string{}
	out := map[string]time.Time{}
	for _, step := range rollups() {
		finer[step.to], out[step.from] = step.from, time.Time{}
	}
	var name string
	var until time.Time
	if _, err := pgx.ForEachRow(rows, []any{&name, &until}, func() error { out[finer[name]] = until; return nil }); err != nil {
		return nil, fmt.Errorf("cannot tell what has been merged: %w", err)
	}
	return out, nil
}

// RequestBytes is what requests, spans and log lines hold on disk, and their oldest day.
func (s *Store) RequestBytes(ctx context.Context) (size int64, oldest time.Time, err error) {
	var day *string
	err = s.db.Read(ctx, opsKey(0)).QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
			min(substring(c.relname from '_([0-9]{8})$')) FILTER (WHERE c.reltuples <> 0 OR pg_relation_size(c.oid) > 0)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ANY (ARRAY['request', 'trace', 'log_line', 'statement_call']::regclass[])`).Scan(&size, &day)
	if err != nil {
		return 0, oldest, fmt.Errorf("cannot measure requests: %w", err)
	}
	if day == nil {
		return size, time.Now(), nil
	}
	if oldest, err = time.Parse("20060102", *day); err != nil {
		return 0, oldest, fmt.Errorf("cannot tell the oldest day of requests: %w", err)
	}
	return size, oldest, nil
}

// CountAbandoned counts the spans that waited for a request until they were retired, and none came: those received before a
// moment, on days that have ended by then.
func (s *Store) CountAbandoned(ctx context.Context, before time.Time) error {
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `INSERT INTO outcome AS o (project_id, hour, category, outcome, reason, n)
		SELECT p.project_id, date_trunc('hour', min(p.received)), 'span', 'filtered', 'no_request', sum(p.spans)
		FROM span_pending p
		WHERE p.received < date_trunc('day', $1::timestamptz AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
			AND NOT EXISTS (SELECT 1 FROM request r WHERE r.trace_id = p.trace_id)
		GROUP BY p.project_id, date_trunc('hour', p.received)
		ON CONFLICT (hour, project_id, category, outcome, reason) DO UPDATE SET n = o.n + excluded.n`, before)
	if err != nil {
		return fmt.Errorf("cannot count abandoned spans: %w", err)
	}
	return nil
}
