package store

import (
	"context"
	"fmt"
	"time"

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
	}
}

// MakeTimes makes the partitions around the present that are not there yet.
func (s *Store) MakeTimes(ctx context.Context, now time.Time) error {
	for _, t := range TimeTables() {
		step := 24 * time.Hour
		if t.Slice == db.ByHour {
			step = time.Hour
		}
		if err := s.db.MakeDays(ctx, db.Ops, t.Name, t.Slice, now.Add(-time.Duration(t.Behind)*step), t.Behind+1+t.Ahead); err != nil {
			return fmt.Errorf("cannot make the partitions of ops.%s: %w", t.Name, err)
		}
	}
	return nil
}
