package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// AddRegroup makes the refiling that applies a rehearsal. Its job finds the groups of the past before anything changes.
// It is errs.Conflict when the grouping of the project is no longer the one that the rehearsal was compared with, or
// when it is applied already.
func (s *Store) AddRegroup(ctx context.Context, n NewRefile, of model.Rehearsal) (model.Refile, error) {
	r := model.Refile{ID: n.ID, ProjectID: of.ProjectID, Kind: model.RefileRegroup, State: model.JobQueued, AccountID: n.Account, Total: of.Result.Moved}
	err := s.db.Tx(ctx, opsKey(of.ProjectID), func(tx pgx.Tx) error {
		if err := checkVersion(ctx, tx, of); err != nil {
			return err
		}
		// Whoever applies it at the same time waits here: the next statement sees what they made.
		if _, err := tx.Exec(ctx, `SELECT FROM rehearsal WHERE id = $1 FOR UPDATE`, of.ID); err != nil {
			return fmt.Errorf("cannot lock rehearsal %d: %w", of.ID, err)
		}
		tag, err := tx.Exec(ctx, `UPDATE rehearsal h SET refile_id = $2 WHERE id = $1
			AND NOT EXISTS (SELECT 1 FROM refile r WHERE r.id = h.refile_id AND r.state NOT IN ('failed', 'undone'))`, of.ID, r.ID)
		if err != nil {
			return fmt.Errorf("cannot apply rehearsal %d: %w", of.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return errs.New(errs.Conflict, "This rehearsal has been applied already.")
		}
		return addRefile(ctx, tx, r, nil)
	})
	return s.made(ctx, r, err)
}

func checkVersion(ctx context.Context, tx pgx.Tx, of model.Rehearsal) error {
	version, err := currentVersion(ctx, tx, of.ProjectID)
	if err == nil && version != of.Version {
		err = errs.New(errs.Conflict, "The grouping of this project has changed since the rehearsal, from version %d to %d. Rehearse again, then apply that.",
			of.Version, version)
	}
	return err
}

func currentVersion(ctx context.Context, tx pgx.Tx, project int64) (version int64, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT version FROM project_grouping WHERE project_id = $1), 0)`, project).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("cannot read the version of project %d: %w", project, err)
	}
	return version, nil
}

// RehearsalOf is the rehearsal that a refiling applies, without its result.
func (s *Store) RehearsalOf(ctx context.Context, refile int64) (model.Rehearsal, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT `+rehearsalColumns+` FROM rehearsal WHERE refile_id = $1`, refile)
	if err != nil {
		return model.Rehearsal{}, fmt.Errorf("cannot find the rehearsal of refiling %d: %w", refile, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (model.Rehearsal, error) { return scanRehearsal(row) })
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errs.New(errs.NotFound, "The rehearsal that this applies is gone.")
	}
	if err != nil {
		return r, fmt.Errorf("cannot find the rehearsal of refiling %d: %w", refile, err)
	}
	return r, nil
}

// Binding is what the application of a rehearsal changes at once: the grouping, new issues, and which hash leads where.
type Binding struct {
	Grouping model.Grouping // the next version
	Of       model.Rehearsal
	// Plan is asked while no digest of the project runs. It reads what came last from the transaction, and answers the
	// new issues and where the hashes of all groups go.
	Plan func(EventReader, map[int64]int64) ([]IssueSeed, []HashMove, error)
}

// EventReader reads as ReadEvents and EventsByID do, within a transaction: a plan that waited for another connection would
// keep the digests waiting, too.
type EventReader struct{ tx pgx.Tx }

// ReadEvents is that of Store.
func (r EventReader) ReadEvents(ctx context.Context, span EventSpan, limit int, fn func(RawEvent) bool) (EventSpan, error) {
	return readEvents(ctx, r.tx, span, limit, fn)
}

// EventsByID is that of Store.
func (r EventReader) EventsByID(ctx context.Context, project int64, ids []int64) ([]Movable, error) {
	return movables(ctx, r.tx, eventsByID, project, ids, earliestOf(ids))
}

// Bind takes the first step of a regrouping, in one transaction: from its commit on events are filed by the new version,
// into the groups that the past has under it. Refilings that were made before have moved their hashes already: their jobs
// come first, since this one has another turn from now on.
func (s *Store) Bind(ctx context.Context, job RefileJob, b Binding) error {
	return s.db.Tx(ctx, opsKey(job.ProjectID), func(tx pgx.Tx) error {
		if err := lockHashes(ctx, tx, job.ProjectID); err != nil {
			return err
		}
		if err := checkVersion(ctx, tx, b.Of); err != nil {
			return err
		}
		seeds, moves, err := plan(ctx, tx, job, b)
		if err != nil {
			return err
		}
		g := b.Grouping
		if err := saveGrouping(ctx, tx, &g, b.Of.Version); err != nil {
			return err
		}
		return bindPlan(ctx, tx, job, seeds, moves)
	})
}

func plan(ctx context.Context, tx pgx.Tx, job RefileJob, b Binding) ([]IssueSeed, []HashMove, error) {
	hidden, err := hiddenIssues(ctx, tx, job.ProjectID)
	if err != nil {
		return nil, nil, err
	}
	return b.Plan(EventReader{tx}, hidden)
}

func bindPlan(ctx context.Context, tx pgx.Tx, job RefileJob, seeds []IssueSeed, moves []HashMove) error {
	if err := addSeeds(ctx, tx, job.ProjectID, seeds); err != nil {
		return err
	}
	if err := moveHashes(ctx, tx, job.Refile, moves); err != nil {
		return err
	}
	b := &pgx.Batch{}
	queueStep(b, job, RefileCursor{Step: job.Cursor.Step + 1})
	b.Queue(`UPDATE refile SET turn = `+nextTurn+`, made_issues = made_issues || $3::bigint[] WHERE id = $1`, job.ID, job.ProjectID, seedIDs(seeds))
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot take the first step of refiling %d: %w", job.ID, err)
	}
	return nil
}

// HiddenIssues are the merged and deleted issues of a project: to the one that a merged issue leads to, 0 for a deleted one.
func (s *Store) HiddenIssues(ctx context.Context, project int64) (map[int64]int64, error) {
	return hiddenIssues(ctx, s.db.Write(ctx, opsKey(project)), project)
}

func hiddenIssues(ctx context.Context, q queries, project int64) (map[int64]int64, error) {
	rows, err := q.Query(ctx, `SELECT id, CASE WHEN deleted_at IS NULL THEN merged_into ELSE 0 END FROM issue
		WHERE project_id = $1 AND (deleted_at IS NOT NULL OR merged_into IS NOT NULL)`, project)
	if err != nil {
		return nil, fmt.Errorf("cannot read merged and deleted issues: %w", err)
	}
	out := map[int64]int64{}
	var id, to int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &to}, func() error { out[id] = to; return nil }); err != nil {
		return nil, fmt.Errorf("cannot read merged and deleted issues: %w", err)
	}
	return out, nil
}

// MergedHashes are the hashes of the issues that people have merged others into, with those issues: what they put together
// stays together whatever the rules say.
func (s *Store) MergedHashes(ctx context.Context, project int64) (map[[16]byte]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `SELECT h.hash, h.issue_id FROM issue_hash h
		WHERE h.issue_id IN (
			SELECT w.to_issue FROM refile r JOIN refile_hash w ON w.refile_id = r.id
			WHERE r.project_id = $1 AND r.kind = 'merge' AND r.state NOT IN ('undoing', 'undone'))`, project)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of merged issues: %w", err)
	}
	out := map[[16]byte]int64{}
	var hash []byte
	var issue int64
	if _, err := pgx.ForEachRow(rows, []any{&hash, &issue}, func() error { out[[16]byte(hash)] = issue; return nil }); err != nil {
		return nil, fmt.Errorf("cannot read the hashes of merged issues: %w", err)
	}
	return out, nil
}

// BoundHashes are the issues that hashes of a project lead to; those that lead nowhere, or to discarded events, are not in it.
func (s *Store) BoundHashes(ctx context.Context, project int64, hashes [][16]byte) (map[[16]byte]int64, error) {
	keys := make([][]byte, len(hashes))
	for i := range hashes {
		keys[i] = hashes[i][:]
	}
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `SELECT hash, issue_id FROM issue_hash WHERE project_id = $1 AND hash = ANY($2)`,
		project, keys)
	if err != nil {
		return nil, fmt.Errorf("cannot look hashes up: %w", err)
	}
	out := make(map[[16]byte]int64, len(hashes))
	var hash []byte
	var issue int64
	if _, err := pgx.ForEachRow(rows, []any{&hash, &issue}, func() error { out[[16]byte(hash)] = issue; return nil }); err != nil {
		return nil, fmt.Errorf("cannot look hashes up: %w", err)
	}
	return out, nil
}

// EventsByID are events of a project, as jobs read them, in order of id, except those of deleted issues. When their bodies
// are very large it answers the first of them only.
func (s *Store) EventsByID(ctx context.Context, project int64, ids []int64) ([]Movable, error) {
	return s.movables(ctx, eventsByID, project, ids, earliestOf(ids))
}

const eventsByID = `SELECT ` + movableColumns + ` FROM event e JOIN issue i ON i.id = e.issue_id AND i.deleted_at IS NULL
	WHERE e.project_id = $1 AND e.id = ANY($2) AND e.received >= $3 ORDER BY e.id`

// FileLate gives groups to events of a regrouping that were filed by the old version and have none under the new one: they
// were committed behind the back of the job, which had looked at later ones. The groups are found, or made, as the
// digest does, and noted with the refiling.
func (s *Store) FileLate(ctx context.Context, job *RefileJob, events []NewEvent) error {
	late := make([]*NewEvent, len(events))
	for i := range events {
		late[i] = &events[i]
	}
	err := s.db.Tx(ctx, opsKey(job.ProjectID), func(tx pgx.Tx) error {
		if err := lockHashes(ctx, tx, job.ProjectID); err != nil {
			return err
		}
		known := map[hashKey]int64{}
		if err := lockProjects(ctx, tx, late, known); err != nil {
			return err
		}
		kept := withoutDiscarded(late, known)
		took, err := adopt(ctx, tx, *job, kept, known)
		if err != nil {
			return err
		}
		made, err := bindIssues(ctx, tx, kept, known)
		if err != nil {
			return err
		}
		return noteLate(ctx, tx, *job, kept, append(took, made...))
	})
	if err == nil {
		job.Seq++
	}
	return err
}

func noteLate(ctx context.Context, tx pgx.Tx, job RefileJob, events []*NewEvent, made []IssueRef) error {
	var hashes [][]byte
	var ids []int64
	for _, e := range events {
		for i := range e.Hashes {
			hashes = append(hashes, e.Hashes[i][:])
		}
	}
	for _, ref := range made {
		ids = append(ids, ref.IssueID)
	}
	b := &pgx.Batch{}
	queueStep(b, job, job.Cursor)
	b.Queue(`INSERT INTO refile_hash (refile_id, project_id, hash, from_issue, to_issue, config)
		SELECT $1, h.project_id, h.hash, 0, h.issue_id, h.config FROM issue_hash h
		WHERE h.project_id = $2 AND h.hash = ANY($3) AND h.issue_id = ANY($4) ON CONFLICT DO NOTHING`, job.ID, job.ProjectID, hashes, ids)
	b.Queue(`UPDATE refile SET made_issues = made_issues || $2::bigint[] WHERE id = $1`, job.ID, ids)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot note the groups of late events: %w", err)
	}
	return nil
}

// Sweep has the issues that a regrouping has emptied lead to where most of their events went: what of their hashes is left
// goes there too, and so they are listed no more. Those to which another refiling brings events, or brings them back, stay.
func (s *Store) Sweep(ctx context.Context, job *RefileJob) error {
	gave, took, err := s.emptied(ctx, *job)
	if err != nil || len(gave) == 0 {
		return err
	}
	err = s.db.Tx(ctx, opsKey(job.ProjectID), func(tx pgx.Tx) error {
		if err := lockHashes(ctx, tx, job.ProjectID); err != nil {
			return err
		}
		if gave, took, err = left(ctx, tx, *job, gave, took); err != nil {
			return err
		}
		b := &pgx.Batch{}
		queueStep(b, *job, job.Cursor)
		b.Queue(`INSERT INTO refile_hash (refile_id, project_id, hash, from_issue, to_issue, config)
			SELECT $1, h.project_id, h.hash, h.issue_id, w.took, h.config
			FROM unnest($2::bigint[], $3::bigint[]) AS w (gave, took) JOIN issue_hash h ON h.issue_id = w.gave
			ON CONFLICT DO NOTHING`, job.ID, gave, took)
		b.Queue(`UPDATE issue_hash h SET issue_id = w.to_issue FROM refile_hash w
			WHERE w.refile_id = $1 AND w.from_issue = ANY($2) AND h.project_id = w.project_id AND h.hash = w.hash AND h.issue_id = w.from_issue`,
			job.ID, gave)
		b.Queue(`UPDATE issue i SET merged_into = w.took FROM unnest($1::bigint[], $2::bigint[]) AS w (gave, took)
			WHERE i.id = w.gave AND i.merged_into IS NULL AND i.deleted_at IS NULL
				AND NOT EXISTS (SELECT 1 FROM issue_hash h WHERE h.issue_id = i.id)`, gave, took)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot sweep the issues of refiling %d: %w", job.ID, err)
	}
	job.Seq++
	return nil
}

// emptied are the issues that gave events and keep none, with where most of those went.
func (s *Store) emptied(ctx context.Context, job RefileJob) (gave, took []int64, err error) {
	rows, err := s.db.Write(ctx, opsKey(job.ProjectID)).Query(ctx, `WITH went AS (
			SELECT w.gave, w.took, count(*) AS n FROM refile_batch b, unnest(b.old_issues, b.new_issues) AS w (gave, took)
			WHERE b.refile_id = $1 AND w.gave <> w.took GROUP BY 1, 2
		)
		SELECT DISTINCT ON (w.gave) w.gave, w.took FROM went w
		WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.issue_id = w.gave)
		ORDER BY w.gave, w.n DESC, w.took`, job.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot look for issues that refiling %d emptied: %w", job.ID, err)
	}
	return issuePairs(rows)
}

// left are those of them that are still empty, now that no digest runs, and that no job which waits gives to or takes from.
func left(ctx context.Context, tx pgx.Tx, job RefileJob, gave, took []int64) ([]int64, []int64, error) {
	rows, err := tx.Query(ctx, `SELECT w.gave, w.took FROM unnest($1::bigint[], $2::bigint[]) AS w (gave, took)
		WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.issue_id = w.gave) AND w.gave NOT IN (
			SELECT unnest(ARRAY[h.from_issue, h.to_issue]) FROM refile o JOIN refile_hash h ON h.refile_id = o.id
			WHERE o.project_id = $3 AND o.id <> $4 AND o.state IN `+openStates+`)`, gave, took, job.ProjectID, job.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot look for empty issues: %w", err)
	}
	return issuePairs(rows)
}

func issuePairs(rows pgx.Rows) (gave, took []int64, err error) {
	var g, t int64
	_, err = pgx.ForEachRow(rows, []any{&g, &t}, func() error { gave, took = append(gave, g), append(took, t); return nil })
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read emptied issues: %w", err)
	}
	return gave, took, nil
}

// UndoRegroup takes the application of a rehearsal back, and with it the version of the grouping that it saved: a new one
// has the content of the one before. It is errs.Conflict when the grouping has changed since.
func (s *Store) UndoRegroup(ctx context.Context, n NewRefile, of model.Rehearsal, back model.Grouping) (model.Refile, error) {
	return s.UndoRefile(ctx, Undo{NewRefile: n, also: func(ctx context.Context, tx pgx.Tx, _ model.Refile) error {
		version, err := currentVersion(ctx, tx, of.ProjectID)
		if err != nil || version == of.Version { // it had not come to that
			return err
		}
		if err := checkApplied(ctx, tx, of); err != nil {
			return err
		}
		g := back
		return saveGrouping(ctx, tx, &g, version)
	}})
}

// checkApplied refuses when the grouping that counts is no longer what was applied.
func checkApplied(ctx context.Context, tx pgx.Tx, of model.Rehearsal) error {
	var same bool
	err := tx.QueryRow(ctx, `SELECT v.config = $2 AND v.stack_rules = $3 AND v.fingerprint_rules = $4
		FROM project_grouping g JOIN project_grouping_version v USING (project_id, version) WHERE g.project_id = $1`,
		of.ProjectID, of.Config, of.StackRules, of.FingerprintRules).Scan(&same)
	if err != nil {
		return fmt.Errorf("cannot read the grouping of project %d: %w", of.ProjectID, err)
	}
	if !same {
		return errs.New(errs.Conflict, "The grouping of this project has changed since this was applied. Restore version %d first.", of.Version+1)
	}
	return nil
}
