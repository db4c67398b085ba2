package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// ErrorVolume counts the events of projects by steps of time. Steps below half an hour are counted from the events
// themselves, by when they were received; others from the sums of half hours.
func (s *Store) ErrorVolume(ctx context.Context, projects []int64, from, to time.Time, step time.Duration) ([]model.Bucket, error) {
	sql := `SELECT date_bin($4, bucket, 'epoch') AS at, '', sum(n)::bigint FROM project_stat
		WHERE project_id = ANY($1) AND bucket >= $2 AND bucket < $3 GROUP BY at ORDER BY at`
	if step < StatBucket {
		sql = `SELECT date_bin($4, received, 'epoch') AS at, '', count(*) FROM event
			WHERE project_id = ANY($1) AND received >= $2 AND received < $3 GROUP BY at ORDER BY at`
	}
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, sql, projects, from, to, step)
	if err != nil {
		return nil, fmt.Errorf("cannot count errors: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.Bucket])
	if err != nil {
		return nil, fmt.Errorf("cannot count errors: %w", err)
	}
	return list, nil
}

// FreshIssues gives the unresolved issues of projects that are new since a moment, or came back, the latest first, and how many
// there are.
func (s *Store) FreshIssues(ctx context.Context, projects []int64, since time.Time, limit int) (list []model.Issue, total int64, err error) {
	q := s.db.Read(ctx, opsKey(0))
	const where = ` FROM issue i WHERE i.project_id = ANY($1) AND i.status = 'unresolved' AND i.last_seen >= $2 AND (i.first_seen >= $2 OR i.regressed) AND ` + listed
	rows, err := q.Query(ctx, `SELECT `+issueColumns+where+` ORDER BY i.last_seen DESC, i.id DESC LIMIT $3`, projects, since, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read fresh issues: %w", err)
	}
	if list, err = pgx.CollectRows(rows, scanIssue); err != nil {
		return nil, 0, fmt.Errorf("cannot read fresh issues: %w", err)
	}
	if err = q.QueryRow(ctx, `SELECT count(*)`+where, projects, since).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("cannot count fresh issues: %w", err)
	}
	return list, total, nil
}

// OutcomesOf adds up where the items of projects, and those of nobody, have ended since a moment.
func (s *Store) OutcomesOf(ctx context.Context, projects []int64, since time.Time) ([]model.OutcomeCount, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT 0::bigint, max(hour), category, outcome, reason, sum(n)::bigint
		FROM outcome WHERE (project_id = ANY($1) OR project_id = 0) AND hour >= $2 GROUP BY 3, 4, 5 ORDER BY 3, 4, 5`, projects, since)
	if err != nil {
		return nil, fmt.Errorf("cannot read outcomes: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.OutcomeCount])
	if err != nil {
		return nil, fmt.Errorf("cannot read outcomes: %w", err)
	}
	return list, nil
}
