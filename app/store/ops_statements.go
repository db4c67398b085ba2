package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
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
