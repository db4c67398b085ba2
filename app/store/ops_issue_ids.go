package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// IssuesByID are the issues with these ids, whatever became of them; ids of none are left out.
func (s *Store) IssuesByID(ctx context.Context, ids []int64) ([]model.Issue, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT `+issueColumns+` FROM issue i WHERE i.id = ANY($1) ORDER BY i.id`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read %d issues: %w", len(ids), err)
	}
	list, err := pgx.CollectRows(rows, scanIssue)
	if err != nil {
		return nil, fmt.Errorf("cannot read %d issues: %w", len(ids), err)
	}
	return list, nil
}
