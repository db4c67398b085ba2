package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/trace"
)

// rollup is one step from a finer table of sums to a coarser one.
type rollup struct {
	from, to string
	width    time.Duration // of the coarser table's buckets
	every    time.Duration // how often the step is taken
	whole    bool          // it ends at a whole bucket, so that each becomes one row
}

// rollups are the steps, finer before coarser.
func rollups() []rollup {
	const day = 24 * time.Hour
	return []rollup{
		{"endpoint_raw", "endpoint_minute", time.Minute, time.Minute, false}, {"endpoint_minute", "endpoint_hour", time.Hour, time.Hour, true},
		{"endpoint_hour", "endpoint_day", day, day, true},
		{"statement_raw", "statement_ten", 10 * time.Minute, 10 * time.Minute, true}, {"statement_ten", "statement_hour", time.Hour, time.Hour, true},
		{"switch_raw", "switch_minute", time.Minute, time.Minute, false}, {"switch_minute", "switch_hour", time.Hour, time.Hour, true},
		{"switch_hour", "switch_day", day, day, true},
		{"host_fine", "host_minute", time.Minute, time.Minute, true}, {"host_minute", "host_ten", 10 * time.Minute, 10 * time.Minute, true},
	}
}

// MergeRollups takes every step that is due: what a finer table received before a moment is merged into the coarser one, and
// the moment is noted, in one transaction. So a kill, or another process that does the same, neither loses nor repeats
// anything. It tells how many rows were merged.
func (s *Store) MergeRollups(ctx context.Context) (merged int, err error) {
	now, err := s.settled(ctx)
	if err != nil {
		return 0, err
	}
	untils := map[string]time.Time{}
	for _, step := range rollups() {
		limit, ok := untils[step.from] // the finer table has everything up to there
		if !ok {
			limit = now
		}
		n, until, err := s.merge(ctx, step, limit)
		if err != nil {
			return merged, err
		}
		merged, untils[step.to] = merged+n, until
	}
	return merged, nil
}

// settled is a moment before which no row will be received any more.
func (s *Store) settled(ctx context.Context) (now time.Time, err error) {
	err = s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT clock_timestamp() FROM (SELECT pg_advisory_xact_lock($1)) AS held`, rollupLock).Scan(&now)
	})
	if err != nil {
		return now, fmt.Errorf("cannot tell up to when sums are complete: %w", err)
	}
	return now, nil
}

// merge takes one step up to a moment. Most end at a whole bucket, so that it becomes one row.
func (s *Store) merge(ctx context.Context, step rollup, limit time.Time) (n int, until time.Time, err error) {
	cut := limit
	if step.whole {
		cut = limit.Truncate(step.every)
	}
	err = s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO rollup_state AS r (name, until) VALUES ($1, 'epoch')
			ON CONFLICT (name) DO UPDATE SET until = r.until RETURNING until`, step.to).Scan(&until)
		if err != nil || cut.Sub(until) < step.every {
			return err
		}
		// Received just before the cut: the next coarser table takes all that was received before its own.
		if n, err = mergeInto(ctx, tx, step, until, cut, cut.Add(-time.Microsecond)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE rollup_state SET until = $2 WHERE name = $1`, step.to, cut)
		until = cut
		return err
	})
	if err != nil {
		return 0, until, fmt.Errorf("cannot merge %s into %s: %w", step.from, step.to, err)
	}
	return n, until, nil
}

func mergeInto(ctx context.Context, tx pgx.Tx, step rollup, from, to, received time.Time) (int, error) {
	switch step.from {
	case "host_fine", "host_minute":
		return mergeHosts(ctx, tx, step, from, to, received)
	case "switch_raw", "switch_minute", "switch_hour":
		return mergeSwitchRows(ctx, tx, step, from, to, received)
	case "endpoint_raw", "endpoint_minute", "endpoint_hour":
		rows, err := readEndpointRollups(ctx, tx, `SELECT `+endpointRollupColumns+` FROM `+step.from+` WHERE received >= $1 AND received < $2`, from, to)
		if err != nil {
			return 0, err
		}
		sums, err := MergeEndpoints(rows, func(r *EndpointRollup) EndpointRollup {
			return EndpointRollup{Project: r.Project, Endpoint: r.Endpoint, Release: r.Release, Bucket: r.Bucket.Truncate(step.width)}
		})
		if err != nil {
			return 0, err
		}
		if step.from == "endpoint_raw" {
			if sums, err = withWhole(sums); err != nil {
				return 0, err
			}
		}
		return len(rows), copyRows(ctx, tx, step.to, endpointColumns, len(sums), func(i int) []any { return sums[i].row(received) })
	}
	rows, err := readStatementRollups(ctx, tx, `SELECT `+statementRollupColumns+` FROM `+step.from+` WHERE received >= $1 AND received < $2`, from, to)
	if err != nil {
		return 0, err
	}
	sums, err := MergeStatements(rows, func(r *StatementRollup) StatementRollup {
		return StatementRollup{Project: r.Project, Statement: r.Statement, Endpoint: r.Endpoint, Release: r.Release, Caller: r.Caller, Source: r.Source, Bucket: r.Bucket.Truncate(step.width)}
	})
	if err != nil {
		return 0, err
	}
	return len(rows), copyRows(ctx, tx, step.to, statementColumns, len(sums), func(i int) []any { return sums[i].row(received) })
}

// withWhole adds sums of whole projects, as endpoint 0: the home page draws all endpoints together, and would have to read
// every minute of each.
func withWhole(sums []EndpointRollup) ([]EndpointRollup, error) {
	whole, err := MergeEndpoints(sums, func(r *EndpointRollup) EndpointRollup { return EndpointRollup{Project: r.Project, Bucket: r.Bucket} })
	return append(sums, whole...), err
}

// rowQuerier is what rows can be read through: a transaction, or the database.
type rowQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const endpointRollupColumns = `bucket, project_id, endpoint_id, release_id, n, seen, failed, duration_us, db_us, cache_us, http_us, template_us,
	pool_us, db_n, durations, queries`

func readEndpointRollups(ctx context.Context, q rowQuerier, sql string, args ...any) ([]EndpointRollup, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r EndpointRollup, err error) {
		t := &r.Time
		err = row.Scan(&r.Bucket, &r.Project, &r.Endpoint, &r.Release, &r.N, &r.Seen, &r.Failed, &r.Duration, &t[trace.DB], &t[trace.Cache],
			&t[trace.HTTP], &t[trace.Template], &t[trace.Pool], &r.Queries, &r.Durations, &r.PerQuery)
		t[trace.Other] = max(r.Duration-t[trace.DB]-t[trace.Cache]-t[trace.HTTP]-t[trace.Template]-t[trace.Pool], 0)
		return r, err
	})
}

const statementRollupColumns = `bucket, project_id, statement_id, endpoint_id, release_id, caller_id, source, n, failed, total_us, max_us, rows, rows_known, durations`

func readStatementRollups(ctx context.Context, q rowQuerier, sql string, args ...any) ([]StatementRollup, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r StatementRollup, err error) {
		var source int16
		err = row.Scan(&r.Bucket, &r.Project, &r.Statement, &r.Endpoint, &r.Release, &r.Caller, &source, &r.N, &r.Failed, &r.Total, &r.Max, &r.Rows, &r.RowsKnown, &r.Durations)
		r.Source = model.StatementSource(source)
		return r, err
	})
}

// endpointGroup is what tells sums of endpoints apart.
type endpointGroup struct {
	bucket            int64
	project           int64
	endpoint, release int32
}

// MergeEndpoints adds up the sums that group gives the same project, endpoint, release and bucket; those are all that it
// need fill in. The result is in order of project, endpoint, release and bucket.
func MergeEndpoints(rows []EndpointRollup, group func(*EndpointRollup) EndpointRollup) ([]EndpointRollup, error) {
	type sum struct {
		EndpointRollup
		durations, queries *sketch.Sketch
	}
	sums := map[endpointGroup]*sum{}
	for i := range rows {
		r := &rows[i]
		g := group(r)
		key := endpointGroup{g.Bucket.UnixMicro(), g.Project, g.Endpoint, g.Release}
		to := sums[key]
		if to == nil {
			to = &sum{g, sketch.New(), sketch.New()}
			sums[key] = to
		}
		to.add(r)
		if err := cmp.Or(to.durations.MergeEncoded(r.Durations), to.queries.MergeEncoded(r.PerQuery)); err != nil {
			return nil, err
		}
	}
	out := make([]EndpointRollup, 0, len(sums))
	for _, key := range sortedKeys(sums, func(a, b endpointGroup) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.release, b.release), cmp.Compare(a.bucket, b.bucket))
	}) {
		to := sums[key]
		to.Durations, to.PerQuery = to.durations.Encode(), to.queries.Encode()
		out = append(out, to.EndpointRollup)
	}
	return out, nil
}

func (r *EndpointRollup) add(o *EndpointRollup) {
	r.N, r.Failed, r.Seen = r.N+o.N, r.Failed+o.Failed, r.Seen+o.Seen
	r.Duration, r.Queries = r.Duration+o.Duration, r.Queries+o.Queries
	for c := range r.Time {
		r.Time[c] += o.Time[c]
	}
}

type statementGroup struct {
	bucket, project                      int64
	statement, endpoint, release, caller int32
	source                               model.StatementSource
}

// MergeStatements does the same for statements.
func MergeStatements(rows []StatementRollup, group func(*StatementRollup) StatementRollup) ([]StatementRollup, error) {
	type sum struct {
		StatementRollup
		durations *sketch.Sketch
	}
	sums := map[statementGroup]*sum{}
	for i := range rows {
		r := &rows[i]
		g := group(r)
		key := statementGroup{g.Bucket.UnixMicro(), g.Project, g.Statement, g.Endpoint, g.Release, g.Caller, g.Source}
		to := sums[key]
		if to == nil {
			to = &sum{g, sketch.New()}
			sums[key] = to
		}
		to.add(r)
		if err := to.durations.MergeEncoded(r.Durations); err != nil {
			return nil, err
		}
	}
	out := make([]StatementRollup, 0, len(sums))
	for _, key := range sortedKeys(sums, func(a, b statementGroup) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.statement, b.statement), cmp.Compare(a.endpoint, b.endpoint),
			cmp.Compare(a.release, b.release), cmp.Compare(a.caller, b.caller), cmp.Compare(a.source, b.source), cmp.Compare(a.bucket, b.bucket))
	}) {
		to := sums[key]
		to.Durations = to.durations.Encode()
		out = append(out, to.StatementRollup)
	}
	return out, nil
}

func (r *StatementRollup) add(o *StatementRollup) {
	r.N, r.Failed, r.Total = r.N+o.N, r.Failed+o.Failed, r.Total+o.Total
	r.Max, r.Rows, r.RowsKnown = max(r.Max, o.Max), r.Rows+o.Rows, r.RowsKnown+o.RowsKnown
}
