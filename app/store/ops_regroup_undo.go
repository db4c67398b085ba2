package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// adopt binds hashes that lead nowhere to the issue where their event is, when that came with the rules which are being
// undone: it goes on with what people noted in it. Each such issue takes one group.
func adopt(ctx context.Context, tx pgx.Tx, job RefileJob, events []*NewEvent, known map[hashKey]int64) (took []IssueRef, err error) {
	if job.State != model.JobUndoing {
		return nil, nil
	}
	free, err := adopters(ctx, tx, job, events)
	if err != nil {
		return nil, err
	}
	var bound []boundHash
	for _, e := range events {
		if issueOf(e, known) != 0 || !free[e.From] {
			continue
		}
		delete(free, e.From)
		took = append(took, IssueRef{IssueID: e.From})
		for _, h := range e.Hashes {
			k := hashKey{e.ProjectID, h}
			known[k] = e.From
			bound = append(bound, boundHash{k, e.From, e.Config})
		}
	}
	return took, insertHashes(ctx, tx, bound)
}

// adopters are the issues of events that are younger than the rules and have not taken a group yet: that is noted with the
// refiling.
func adopters(ctx context.Context, tx pgx.Tx, job RefileJob, events []*NewEvent) (map[int64]bool, error) {
	var ids []int64
	for _, e := range events {
		ids = append(ids, e.From)
	}
	rows, err := tx.Query(ctx, `SELECT i.id FROM issue i WHERE i.id = ANY($1) AND i.id >= $2 AND i.merged_into IS NULL AND i.deleted_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM refile_hash w WHERE w.refile_id = $3 AND w.to_issue = i.id)`, ids, job.Since, job.ID)
	free := map[int64]bool{}
	if err == nil {
		err = eachRow(rows, func(id int64) { free[id] = true })
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for issues that refiling %d leaves behind: %w", job.ID, err)
	}
	return free, nil
}

// SweepUndone hides the issues that came with rules which are undone, and whose events all went elsewhere, with their
// hashes. An issue that another refiling put hashes to stays.
func (s *Store) SweepUndone(ctx context.Context, job *RefileJob) error {
	err := s.db.Tx(ctx, opsKey(job.ProjectID), func(tx pgx.Tx) error {
		if err := lockHashes(ctx, tx, job.ProjectID); err != nil {
			return err
		}
		b := &pgx.Batch{}
		queueStep(b, *job, job.Cursor)
		b.Queue(`WITH gone AS (
				UPDATE issue i SET deleted_at = now()
				WHERE i.project_id = $1 AND i.id >= $2 AND i.events = 0 AND i.merged_into IS NULL AND i.deleted_at IS NULL
					AND NOT EXISTS (SELECT 1 FROM event e WHERE e.issue_id = i.id)
					AND NOT EXISTS (SELECT 1 FROM issue_hash h JOIN refile_hash w ON w.project_id = h.project_id AND w.hash = h.hash
						JOIN refile r ON r.id = w.refile_id WHERE h.issue_id = i.id AND w.refile_id <> $3 AND r.state <> 'undone')
				RETURNING i.id
			)
			DELETE FROM issue_hash h USING gone WHERE h.issue_id = gone.id`, job.ProjectID, job.Since, job.ID)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot sweep the issues of refiling %d: %w", job.ID, err)
	}
	job.Seq++
	return nil
}
