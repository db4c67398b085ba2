package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// FlagCount is how many events of an issue name an answer of a switch.
type FlagCount struct {
	Issue, Project int64
	First, Last    time.Time // of the issue
	Tag            string    // FlagTag of the switch
	Variant        string    // "" those beyond MaxTagValues
	N              int64
}

// IssueFlags gives the answers of switches that an issue's events name.
func (s *Store) IssueFlags(ctx context.Context, issue int64) ([]FlagCount, error) {
	return s.flagCounts(ctx, `SELECT i.id, i.project_id, i.first_seen, i.last_seen, t.key, t.value, t.n FROM issue_tag t JOIN issue i ON i.id = t.issue_id
		WHERE t.issue_id = $1 AND t.key LIKE 'flags[%' ORDER BY t.key, t.value`, issue)
}

// maxFlagIssues bounds the issues of one switch that are compared, those with the most events that name it.
const maxFlagIssues = 500

// FlagIssues gives the issues whose events name a switch, with each answer; those of merged issues are with the issue that took them.
func (s *Store) FlagIssues(ctx context.Context, key string, since time.Time) ([]FlagCount, error) {
	return s.flagCounts(ctx, `SELECT i.id, i.project_id, i.first_seen, i.last_seen, t.key, t.value, t.n FROM issue_tag t JOIN issue i ON i.id = t.issue_id
		WHERE t.key = $1 AND t.key LIKE 'flags[%' AND i.last_seen >= $2 ORDER BY t.n DESC, i.id LIMIT $3`, FlagTag(key), since, maxFlagIssues)
}

// ProjectFlags gives how many events of all issues of a project name each answer of some switches.
func (s *Store) ProjectFlags(ctx context.Context, project int64, tags []string) ([]FlagCount, error) {
	return s.flagCounts(ctx, `SELECT 0::bigint, i.project_id, min(i.first_seen), max(i.last_seen), t.key, t.value, sum(t.n)::bigint FROM issue_tag t JOIN issue i ON i.id = t.issue_id
		WHERE t.key = ANY($2) AND t.key LIKE 'flags[%' AND i.project_id = $1 GROUP BY i.project_id, t.key, t.value`, project, tags)
}

func (s *Store) flagCounts(ctx context.Context, sql string, args ...any) ([]FlagCount, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the switches of issues: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FlagCount])
	if err != nil {
		return nil, fmt.Errorf("cannot read the switches of issues: %w", err)
	}
	return list, nil
}
