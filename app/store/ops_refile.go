package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// RefileJob is a refiling with where its job stands.
type RefileJob struct {
	model.Refile
	Seq    int64 // the steps taken so far
	Cursor RefileCursor
	Since  int64 // when a regrouping is undone: ids from here on are younger than the version that it saved
}

// RefileCursor is where a job goes on; what the numbers mean is the job's own matter. A job, and the undoing of one,
// begin at the zero value.
type RefileCursor struct{ Step, After int64 }

// ErrRefileMoved marks that somebody else took a step of a job, or undid it, in between.
var ErrRefileMoved = errors.New("the job stands elsewhere")

// A regrouping may take from some 100,000 issues: no more of them are read than people can choose (issues.MaxRefileIssues).
const refileColumns = `r.id, r.project_id, r.kind, r.state, r.discard, r.into_issue, r.from_issues[1:100], r.hashes, r.done, r.total,
	r.account_id, r.created_at, coalesce(r.finished_at, 'epoch'), coalesce(r.purged_at, 'epoch'), r.error`

func refileFields(r *model.Refile) []any {
	return []any{&r.ID, &r.ProjectID, &r.Kind, &r.State, &r.Discard, &r.Into, &r.From, &r.Hashes, &r.Done, &r.Total,
		&r.AccountID, &r.CreatedAt, &r.FinishedAt, &r.PurgedAt, &r.Error}
}

func scanRefile(row pgx.CollectableRow) (r model.Refile, err error) {
	err = row.Scan(refileFields(&r)...)
	return tidyRefile(r), err
}

func scanJob(row pgx.CollectableRow) (j RefileJob, err error) {
	err = row.Scan(append(refileFields(&j.Refile), &j.Seq, &j.Cursor.Step, &j.Cursor.After)...)
	j.Refile = tidyRefile(j.Refile)
	return j, err
}

func tidyRefile(r model.Refile) model.Refile {
	for _, at := range []*time.Time{&r.FinishedAt, &r.PurgedAt} {
		if at.Unix() == 0 {
			*at = time.Time{}
		}
	}
	return r
}

var errNoRefile = errs.New(errs.NotFound, "There is no such merge, split, deletion or application of rules.")

// Refile is the refiling with an id; errs.NotFound when there is none.
func (s *Store) Refile(ctx context.Context, id int64) (model.Refile, error) {
	list, err := s.refiles(ctx, `SELECT `+refileColumns+` FROM refile r WHERE r.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = errNoRefile
	}
	if err != nil {
		return model.Refile{}, err
	}
	return list[0], nil
}

// Refiles are the latest refilings of a project.
func (s *Store) Refiles(ctx context.Context, project int64, limit int) ([]model.Refile, error) {
	return s.refiles(ctx, `SELECT `+refileColumns+` FROM refile r WHERE r.project_id = $1 ORDER BY r.id DESC LIMIT $2`, project, limit)
}

// IssueRefiles are the latest refilings that an issue gave to or took from; it looks through all of the project.
func (s *Store) IssueRefiles(ctx context.Context, issue int64, limit int) ([]model.Refile, error) {
	return s.refiles(ctx, ofIssue+` ORDER BY r.id DESC LIMIT $2`, issue, limit)
}

// OpenRefiles are those of them that wait or run: an index holds no others.
func (s *Store) OpenRefiles(ctx context.Context, issue int64, limit int) ([]model.Refile, error) {
	return s.refiles(ctx, ofIssue+` AND r.state IN `+openStates+` ORDER BY r.turn DESC LIMIT $2`, issue, limit)
}

const ofIssue = `SELECT ` + refileColumns + ` FROM issue i JOIN refile r USING (project_id)
	WHERE i.id = $1 AND (r.into_issue = i.id OR r.from_issues @> ARRAY[i.id] OR r.made_issues @> ARRAY[i.id])`

func (s *Store) refiles(ctx context.Context, sql string, args ...any) ([]model.Refile, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot list refilings: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanRefile)
	if err != nil {
		return nil, fmt.Errorf("cannot list refilings: %w", err)
	}
	return list, nil
}

const openStates = `('queued', 'running', 'undoing')`

// OpenRefileProjects are the projects whose refilings wait or run, the one that waits longest first.
func (s *Store) OpenRefileProjects(ctx context.Context) ([]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT project_id FROM refile
		WHERE state IN `+openStates+` GROUP BY project_id ORDER BY min(created_at)`)
	if err != nil {
		return nil, fmt.Errorf("cannot look for refilings: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("cannot look for refilings: %w", err)
	}
	return ids, nil
}

// The classes of locks that jobs hold while they work; the other half is the project.
const (
	refileLock    = 715190224
	rehearsalLock = 715190225
)

// HoldRefiles runs fn while no other process works at the refilings of a project; held is false when one does. Losing
// the lock on the way does no harm: a step of a job checks where the job stands.
func (s *Store) HoldRefiles(ctx context.Context, project int64, fn func(context.Context) error) (held bool, err error) {
	return s.db.Hold(ctx, opsKey(project), refileLock, fn)
}

// HoldRehearsals is the same for the rehearsals of a project.
func (s *Store) HoldRehearsals(ctx context.Context, project int64, fn func(context.Context) error) (held bool, err error) {
	return s.db.Hold(ctx, opsKey(project), rehearsalLock, fn)
}

// NextRefile starts, or goes on with, the refiling of a project whose turn it is; ok is false when none waits.
func (s *Store) NextRefile(ctx context.Context, project int64) (job RefileJob, ok bool, err error) {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `UPDATE refile r SET
			state = CASE r.state WHEN 'queued' THEN 'running' ELSE r.state END
		WHERE r.id = (SELECT id FROM refile WHERE project_id = $1 AND state IN `+openStates+` ORDER BY turn LIMIT 1)
			AND r.state IN `+openStates+`
		RETURNING `+refileColumns+`, r.seq, r.step, r.after_id`, project)
	if err != nil {
		return job, false, fmt.Errorf("cannot take a refiling of project %d: %w", project, err)
	}
	job, err = pgx.CollectExactlyOneRow(rows, scanJob)
	if errors.Is(err, pgx.ErrNoRows) {
		return job, false, nil
	}
	if err != nil {
		return job, false, fmt.Errorf("cannot take a refiling of project %d: %w", project, err)
	}
	return job, true, nil
}

// FinishRefile ends a job whose events have all moved: done, or undone. Issues that it had made and that are left
// without hashes and events, and did not go into another, are hidden.
func (s *Store) FinishRefile(ctx context.Context, job RefileJob) error {
	tag, err := s.db.Write(ctx, opsKey(job.ProjectID)).Exec(ctx, `WITH ended AS (
			UPDATE refile SET state = CASE state WHEN 'undoing' THEN 'undone' ELSE 'done' END, finished_at = now(), error = '',
				total = done, seq = seq + 1
			WHERE id = $1 AND state = $2 AND seq = $3
			RETURNING state, made_issues
		), emptied AS (
			UPDATE issue i SET deleted_at = now() FROM ended
			WHERE ended.state = 'undone' AND i.id = ANY(ended.made_issues) AND i.events = 0 AND i.merged_into IS NULL
				AND NOT EXISTS (SELECT 1 FROM issue_hash h WHERE h.issue_id = i.id)
		)
		SELECT 1 FROM ended`, job.ID, string(job.State), job.Seq)
	if err != nil {
		return fmt.Errorf("cannot end refiling %d: %w", job.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrRefileMoved
	}
	return nil
}

// TroubleRefile notes what keeps a job from going on. With final set it ends as failed; it can still be undone.
func (s *Store) TroubleRefile(ctx context.Context, job RefileJob, message string, final bool) error {
	_, err := s.db.Write(ctx, opsKey(job.ProjectID)).Exec(ctx, `UPDATE refile SET error = $2,
			state = CASE WHEN $3 THEN 'failed' ELSE state END, finished_at = CASE WHEN $3 THEN now() END
		WHERE id = $1 AND state = $4`, job.ID, message, final, string(job.State))
	if err != nil {
		return fmt.Errorf("cannot note the trouble of refiling %d: %w", job.ID, err)
	}
	return nil
}
