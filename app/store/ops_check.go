package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// EventCopies tells, of event ids that were acknowledged, how many are stored and how many of those more than once:
// what a benchmark that kills the server has to know.
func (s *Store) EventCopies(ctx context.Context, project int64, ids [][16]byte) (found, twice int, err error) {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `SELECT count(*) FROM event
		WHERE project_id = $1 AND event_id = ANY($2::uuid[]) GROUP BY event_id`, project, ids)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot count events: %w", err)
	}
	copies, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, 0, fmt.Errorf("cannot count events: %w", err)
	}
	for _, n := range copies {
		if n > 1 {
			twice++
		}
	}
	return len(copies), twice, nil
}
