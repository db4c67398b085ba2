package issues

import (
	"context"
	"time"

	"kibitz/app/model"
)

// Fresh gives the issues that are new since a moment, or came back, with their sparklines since, and how many there are.
func (i *Issues) Fresh(ctx context.Context, projects []int64, since, sparksFrom time.Time, limit int) (rows []Row, total int64, err error) {
	list, total, err := i.store.FreshIssues(ctx, projects, since, limit)
	if err != nil || len(list) == 0 {
		return nil, total, err
	}
	ids := make([]int64, len(list))
	for n := range list {
		ids[n] = list[n].ID
	}
	stats, err := i.store.IssueStats(ctx, ids, sparksFrom)
	if err != nil {
		return nil, 0, err
	}
	for _, issue := range list {
		rows = append(rows, Row{Issue: issue, Stats: stats[issue.ID]})
	}
	return rows, total, nil
}

// Errors counts events by steps of time.
func (i *Issues) Errors(ctx context.Context, projects []int64, from, to time.Time, step time.Duration) ([]model.Bucket, error) {
	return i.store.ErrorVolume(ctx, projects, from, to, step)
}

// Arrived adds up where the items of projects have ended since a moment.
func (i *Issues) Arrived(ctx context.Context, projects []int64, since time.Time) ([]model.OutcomeCount, error) {
	return i.store.OutcomesOf(ctx, projects, since)
}
