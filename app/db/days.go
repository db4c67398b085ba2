package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// daysLock keeps two processes from making the same day at once.
const daysLock = 715190222

// Slice is how wide the time partitions of a table are.
type Slice int

// The widths.
const (
	ByDay Slice = iota
	ByHour
	ByMonth
)

// start is the beginning of the slice in which a moment lies.
func (s Slice) start(t time.Time) time.Time {
	switch t = t.UTC(); s {
	case ByHour:
		return t.Truncate(time.Hour)
	case ByMonth:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	return t.Truncate(24 * time.Hour)
}

// after is the beginning of the nth slice after the one that begins at start.
func (s Slice) after(start time.Time, n int) time.Time {
	switch s {
	case ByHour:
		return start.Add(time.Duration(n) * time.Hour)
	case ByMonth:
		return start.AddDate(0, n, 0)
	}
	return start.AddDate(0, 0, n)
}

// Before is the beginning of the nth slice before the one in which a moment lies.
func (s Slice) Before(t time.Time, n int) time.Time { return s.after(s.start(t), -n) }

// form is what the name of a slice ends in.
func (s Slice) form() string {
	switch s {
	case ByHour:
		return "2006010215"
	case ByMonth:
		return "200601"
	}
	return "20060102"
}

// MakeDays makes n partitions of a table (its name, in the partition's schema), by the column received, from a moment on. One
// that is there stays. Each is made beside the table and then attached, which lets readers and writers of the table go on.
func (d *DB) MakeDays(ctx context.Context, part Partition, table string, slice Slice, from time.Time, n int) error {
	err := d.Owner(ctx, part, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, hashtext($2))", daysLock, table); err != nil {
			return err
		}
		have, err := daysOf(ctx, conn, part, table)
		if err != nil {
			return err
		}
		for i := range n {
			start := slice.after(slice.start(from), i)
			if have[table+"_"+start.Format(slice.form())] {
				continue
			}
			if err := makeDay(ctx, conn, table, slice, start); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot make days of %s: %w", table, err)
	}
	return nil
}

// daysOf are the partitions of a table by name.
func daysOf(ctx context.Context, conn *pgx.Conn, part Partition, table string) (map[string]bool, error) {
	rows, err := conn.Query(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = format('%I.%I', $1::text, $2::text)::regclass`, string(part), table)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	have := map[string]bool{}
	for _, n := range names {
		have[n] = true
	}
	return have, err
}

// makeDay makes one partition. Rows of its time that went to the default partition, because nobody had made it, move
// along in the same transaction.
func makeDay(ctx context.Context, conn *pgx.Conn, table string, slice Slice, start time.Time) error {
	name, parent, spare := quote(table+"_"+start.Format(slice.form())), quote(table), quote(table+"_default")
	from, to := start.Format(time.RFC3339), slice.after(start, 1).Format(time.RFC3339)
	within := fmt.Sprintf("received >= '%s' AND received < '%s'", from, to)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"SET LOCAL lock_timeout = '10s'",
			"DROP TABLE IF EXISTS " + name, // left behind by a kill before it was attached
			"CREATE TABLE " + name + " (LIKE " + parent + " INCLUDING ALL, CONSTRAINT day CHECK (" + within + "))",
			"WITH moved AS (DELETE FROM " + spare + " WHERE " + within + " RETURNING *) INSERT INTO " + name + " SELECT * FROM moved",
			"ALTER TABLE " + parent + " ATTACH PARTITION " + name + " FOR VALUES FROM ('" + from + "') TO ('" + to + "')",
			"ALTER TABLE " + name + " DROP CONSTRAINT day",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("cannot make day %s: %w", name, err)
			}
		}
		return nil
	})
}

// DropDays retires the partitions of a table that end before a moment and tells which. Each is detached without
// stopping readers and writers, then dropped; one that a kill left detached halfway is finished.
func (d *DB) DropDays(ctx context.Context, part Partition, table string, slice Slice, before time.Time) (dropped []string, err error) {
	err = d.Owner(ctx, part, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, hashtext($2))", daysLock, table); err != nil {
			return err
		}
		have, err := daysOf(ctx, conn, part, table)
		if err != nil {
			return err
		}
		for name := range have {
			start, err := time.Parse(slice.form(), strings.TrimPrefix(name, table+"_"))
			if err != nil || slice.after(start, 1).After(before) {
				continue
			}
			if err := dropDay(ctx, conn, table, name); err != nil {
				return err
			}
			dropped = append(dropped, name)
		}
		return nil
	})
	if err != nil {
		return dropped, fmt.Errorf("cannot retire days of %s: %w", table, err)
	}
	return dropped, nil
}

// dropDay detaches and drops one day. A default partition rules DETACH CONCURRENTLY out, so the plain form is
// used with a short lock timeout and a few attempts: it needs the table for some milliseconds only.
func dropDay(ctx context.Context, conn *pgx.Conn, table, name string) error {
	const attempts = 5
	var err error
	for range attempts {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, sql := range []string{"SET LOCAL lock_timeout = '2s'",
				"ALTER TABLE " + quote(table) + " DETACH PARTITION " + quote(name), "DROP TABLE " + quote(name)} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
		if !hasCode(err, "55P03") {
			return err
		}
	}
	return errors.Join(err, fmt.Errorf("day %s stays: the table was never free", name))
}

// Day partitions that exist while the program runs: MakeDays is asked for these around today. A time outside
// is stored under the nearest of them.
const (
	DaysBehind = 2
	DaysAhead  = 7
)

// ClampDay moves a moment into the days that exist around now: events that waited long in a spool, or that a
// clock running ahead dates into the future, must find a partition.
func ClampDay(t, now time.Time) time.Time {
	today := now.UTC().Truncate(24 * time.Hour)
	first, last := today.AddDate(0, 0, -DaysBehind), today.AddDate(0, 0, DaysAhead).Add(-time.Microsecond)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}
