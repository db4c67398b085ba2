package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// Near are the requests beside one; an ID of 0 is none.
type Near struct{ Faster, Slower, Before, After model.RequestRow }

// All are those that there are.
func (n *Near) All() (rows []model.RequestRow) {
	for _, r := range []model.RequestRow{n.Faster, n.Slower, n.Before, n.After} {
		if r.ID != 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

// nearScan bounds the requests of the endpoint, or project, that are looked at on each side.
const nearScan = 20_000

// NearRequests finds the kept requests of the same endpoint that took a little less and a little more time, and the requests of
// the same user before and after, between two moments. One statement.
func (s *Store) NearRequests(ctx context.Context, of model.RequestRow, from, to time.Time) (near Near, err error) {
	const columns = requestColumns
	rows, err := s.db.Read(ctx, opsKey(of.ProjectID)).Query(ctx, `WITH peers AS MATERIALIZED (
			SELECT `+columns+` FROM request WHERE endpoint_id = $1 AND received BETWEEN $2 AND $3 AND id <> $4 ORDER BY id DESC LIMIT $7
		), earlier AS MATERIALIZED (
			SELECT `+columns+` FROM request WHERE project_id = $5 AND received BETWEEN $2 AND $3 AND id < $4 AND $6::bigint <> 0 ORDER BY id DESC LIMIT $7
		), later AS MATERIALIZED (
			SELECT `+columns+` FROM request WHERE project_id = $5 AND received BETWEEN $2 AND $3 AND id > $4 AND $6::bigint <> 0 ORDER BY id LIMIT $7
		)
		SELECT * FROM (SELECT 0 AS side, p.* FROM peers p WHERE kept <> 0 AND (duration_us, id) < ($8, $4) ORDER BY duration_us DESC, id DESC LIMIT 1) AS faster
		UNION ALL
		SELECT * FROM (SELECT 1, p.* FROM peers p WHERE kept <> 0 AND (duration_us, id) > ($8, $4) ORDER BY duration_us, id LIMIT 1) AS slower
		UNION ALL
		SELECT * FROM (SELECT 2, e.* FROM earlier e WHERE user_hash = $6::bigint ORDER BY id DESC LIMIT 1) AS before
		UNION ALL
		SELECT * FROM (SELECT 3, l.* FROM later l WHERE user_hash = $6::bigint ORDER BY id LIMIT 1) AS after`,
		of.Endpoint, from, to, of.ID, of.ProjectID, of.UserHash, nearScan, of.Duration.Microseconds())
	if err != nil {
		return near, fmt.Errorf("cannot find the requests beside one: %w", err)
	}
	sides := [4]*model.RequestRow{&near.Faster, &near.Slower, &near.Before, &near.After}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var side int
		r, err := scanRequest(sided{row, &side})
		*sides[side] = r
		return struct{}{}, err
	})
	if err != nil {
		return near, fmt.Errorf("cannot find the requests beside one: %w", err)
	}
	return near, nil
}

// sided reads one column more before those of a request.
type sided struct {
	pgx.CollectableRow
	side *int
}

// Scan implements pgx.CollectableRow.
func (s sided) Scan(dest ...any) error {
	return s.CollectableRow.Scan(append([]any{s.side}, dest...)...)
}

// AnyRequest tells whether a request of a project is stored.
func (s *Store) AnyRequest(ctx context.Context, project int64) (any bool, err error) {
	err = s.db.Read(ctx, opsKey(project)).QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM request WHERE project_id = $1)`, project).Scan(&any)
	if err != nil {
		return false, fmt.Errorf("cannot look for requests: %w", err)
	}
	return any, nil
}

// IssuesOfTraces gives for each trace that an event names the issue of its newest event.
func (s *Store) IssuesOfTraces(ctx context.Context, project int64, ids []trace.ID) (map[trace.ID]int64, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT DISTINCT ON (trace_id) trace_id, issue_id FROM event
		WHERE trace_id = ANY($1) AND project_id = $2 ORDER BY trace_id, id DESC`, rawIDs(ids), project)
	if err != nil {
		return nil, fmt.Errorf("cannot find the issues of traces: %w", err)
	}
	out := map[trace.ID]int64{}
	var id [16]byte
	var issue int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &issue}, func() error { out[id] = issue; return nil }); err != nil {
		return nil, fmt.Errorf("cannot find the issues of traces: %w", err)
	}
	return out, nil
}

// CountRequests counts the stored requests of a project, and those whose spans are kept.
func (s *Store) CountRequests(ctx context.Context, project int64) (stored, kept int64, err error) {
	err = s.db.Read(ctx, opsKey(project)).QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE kept <> 0) FROM request WHERE project_id = $1`, project).Scan(&stored, &kept)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot count requests: %w", err)
	}
	return stored, kept, nil
}
