package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// StatementQuery asks for sums of statements.
type StatementQuery struct {
	Project    int64
	Endpoints  []int32 // nil: all
	Statements []int32 // nil: all
	From, To   time.Time
}

// Width is that of the buckets which answer it. The first one begins at or before From.
func (q StatementQuery) Width() time.Duration {
	if q.To.Sub(q.From) > hourlyFrom {
		return time.Hour
	}
	return 10 * time.Minute
}

// hourlyFrom is the length from which on sums by the hour do for statements.
const hourlyFrom = 3 * 24 * time.Hour

const (
	statementWhere = ` WHERE project_id = $1 AND ($2::int[] IS NULL OR endpoint_id = ANY($2)) AND ($3::int[] IS NULL OR statement_id = ANY($3))
		AND bucket >= $4 AND bucket < $5 AND received >= $4 - interval '5 minutes'`
	statementMarks = `WITH mark AS (SELECT
		coalesce(max(until) FILTER (WHERE name = 'statement_ten'), 'epoch') AS ten,
		coalesce(max(until) FILTER (WHERE name = 'statement_hour'), 'epoch') AS hour FROM rollup_state) `
	statementRaw  = `SELECT ` + statementRollupColumns + ` FROM statement_raw` + statementWhere + ` AND received >= (SELECT ten FROM mark)`
	statementTen  = `SELECT ` + statementRollupColumns + ` FROM statement_ten` + statementWhere
	statementHour = `SELECT ` + statementRollupColumns + ` FROM statement_hour` + statementWhere

	statementsByTen  = statementMarks + statementTen + ` UNION ALL ` + statementRaw
	statementsByHour = statementMarks + statementHour + ` UNION ALL ` + statementTen + ` AND received >= (SELECT hour FROM mark) UNION ALL ` + statementRaw
)

// StatementSums gives sums as they are stored: in buckets of ten minutes, or an hour for more than three days; several rows of
// one bucket may have to be added (MergeStatements).
func (s *Store) StatementSums(ctx context.Context, q StatementQuery) ([]StatementRollup, error) {
	sql := statementsByTen
	if q.Width() == time.Hour {
		sql = statementsByHour
	}
	rows, err := readStatementRollups(ctx, s.db.Read(ctx, opsKey(q.Project)), sql, q.Project, q.Endpoints, q.Statements, q.From.Truncate(q.Width()), q.To)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of statements: %w", err)
	}
	return rows, nil
}

// AddStatementSums stores sums that do not come through the drain.
func (s *Store) AddStatementSums(ctx context.Context, rows []StatementRollup) error {
	if len(rows) == 0 {
		return nil
	}
	return s.db.Tx(ctx, opsKey(rows[0].Project), func(tx pgx.Tx) error { return saveRequests(ctx, tx, &RequestDigest{Statements: rows}) })
}

// StatementsByID gives statements by their ids.
func (s *Store) StatementsByID(ctx context.Context, ids []int32) (map[int32]Statement, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT id, project_id, fingerprint, sql, sample, first_seen FROM statement WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read statements: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanStatement)
	if err != nil {
		return nil, fmt.Errorf("cannot read statements: %w", err)
	}
	out := make(map[int32]Statement, len(list))
	for _, st := range list {
		out[st.ID] = st
	}
	return out, nil
}

// FindStatement gives the statement of a project with a fingerprint; ok is false when there is none.
func (s *Store) FindStatement(ctx context.Context, project int64, fingerprint uint64) (st Statement, ok bool, err error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT id, project_id, fingerprint, sql, sample, first_seen FROM statement
		WHERE project_id = $1 AND fingerprint = $2`, project, int64(fingerprint))
	if err != nil {
		return st, false, fmt.Errorf("cannot find a statement: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanStatement)
	if err != nil || len(list) == 0 {
		return st, false, err
	}
	return list[0], true, nil
}

func scanStatement(row pgx.CollectableRow) (st Statement, err error) {
	var print int64
	err = row.Scan(&st.ID, &st.ProjectID, &print, &st.SQL, &st.Sample, &st.FirstSeen)
	st.Fingerprint = uint64(print)
	return st, err
}

// SwitchSum is the requests of an endpoint in which a switch gave one answer.
type SwitchSum struct {
	Label          model.Label
	N, Failed      float64
	Seen           int64
	P50, P95, Mean time.Duration
	Queries        float64 // mean a request
	Time           [6]time.Duration
}

// switchScan bounds the newest requests of an endpoint that are looked at for its switches.
const switchScan = 20_000

// SwitchSums adds up the newest requests of endpoints by the answers of switches. Durations of answers are told from
// requests, not from sketches, since sums are not kept by switch.
func (s *Store) SwitchSums(ctx context.Context, endpoints []int32, from, to time.Time) ([]SwitchSum, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `WITH q AS MATERIALIZED (
			SELECT * FROM request WHERE endpoint_id = ANY($1) AND received >= $2 AND start >= $2 AND start < $3 AND switches IS NOT NULL
			ORDER BY id DESC LIMIT $4
		)
		SELECT l.id, l.project_id, l.kind, l.value, l.first_seen, sum(weight)::float8, coalesce(sum(weight) FILTER (WHERE failed), 0)::float8, count(*),
			percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_us), percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us),
			avg(duration_us)::bigint, avg(db_n)::float8, avg(other_us)::bigint, avg(db_us)::bigint, avg(cache_us)::bigint, avg(http_us)::bigint,
			avg(template_us)::bigint, avg(pool_us)::bigint
		FROM q CROSS JOIN LATERAL unnest(q.switches) AS w (label_id) JOIN label l ON l.id = w.label_id
		GROUP BY l.id ORDER BY l.value LIMIT 200`, endpoints, from, to, switchScan)
	if err != nil {
		return nil, fmt.Errorf("cannot add requests up by switch: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w SwitchSum, err error) {
		var p50, p95, mean int64
		var t [6]int64
		err = row.Scan(&w.Label.ID, &w.Label.ProjectID, &w.Label.Kind, &w.Label.Value, &w.Label.FirstSeen, &w.N, &w.Failed, &w.Seen, &p50, &p95, &mean,
			&w.Queries, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5])
		w.P50, w.P95, w.Mean = time.Duration(p50)*time.Microsecond, time.Duration(p95)*time.Microsecond, time.Duration(mean)*time.Microsecond
		for c := range t {
			w.Time[c] = time.Duration(t[c]) * time.Microsecond
		}
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot add requests up by switch: %w", err)
	}
	return list, nil
}
