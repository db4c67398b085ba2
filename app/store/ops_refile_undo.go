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

// Undo is a refiling that is about to be undone.
type Undo struct {
	NewRefile // ID is that of the refiling

	// also runs in the same transaction, while no digest of the project does, for what else has to go back.
	also func(context.Context, pgx.Tx, model.Refile) error
}

// UndoRefile takes the hashes of a refiling back at once, and has its job move the events back. It refuses what has
// been undone or purged, and what a later refiling built upon: that one must be undone first.
func (s *Store) UndoRefile(ctx context.Context, u Undo) (model.Refile, error) {
	r := model.Refile{ID: u.ID}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) (err error) {
		if r, err = holdRefile(ctx, tx, u.ID); err != nil {
			return err
		}
		if err := checkUndo(ctx, tx, r); err != nil {
			return err
		}
		if u.also != nil {
			if err := u.also(ctx, tx, r); err != nil {
				return err
			}
		}
		if err := takeBack(ctx, tx, r); err != nil {
			return err
		}
		return addDeeds(ctx, tx, u.NewRefile, undoDeeds(r))
	})
	return s.made(ctx, r, err)
}

// holdRefile locks the hashes of a refiling's project, then the refiling.
func holdRefile(ctx context.Context, tx pgx.Tx, id int64) (r model.Refile, err error) {
	var project int64
	err = tx.QueryRow(ctx, `SELECT project_id FROM refile WHERE id = $1`, id).Scan(&project)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errNoRefile
	}
	if err != nil {
		return r, fmt.Errorf("cannot find refiling %d: %w", id, err)
	}
	if err := lockHashes(ctx, tx, project); err != nil {
		return r, err
	}
	err = tx.QueryRow(ctx, `SELECT `+refileColumns+` FROM refile r WHERE r.id = $1 FOR UPDATE`, id).Scan(refileFields(&r)...)
	if err != nil {
		return r, fmt.Errorf("cannot lock refiling %d: %w", id, err)
	}
	return tidyRefile(r), nil
}

func checkUndo(ctx context.Context, tx pgx.Tx, r model.Refile) error {
	switch {
	case r.State == model.JobUndoing || r.State == model.JobUndone:
		return errs.New(errs.Conflict, "This has been undone already.")
	case !r.PurgedAt.IsZero():
		return errs.New(errs.Conflict, "These issues were removed for good on %s.", r.PurgedAt.Format("2 January at 15:04"))
	}
	var later int64
	var kind string
	var at time.Time
	err := tx.QueryRow(ctx, `SELECT r.id, r.kind, r.created_at FROM refile_hash mine
		JOIN refile me ON me.id = mine.refile_id
		JOIN refile_hash w ON w.project_id = mine.project_id AND w.hash = mine.hash
		JOIN refile r ON r.id = w.refile_id AND r.turn > me.turn AND r.state NOT IN ('undoing', 'undone')
		WHERE mine.refile_id = $1 ORDER BY r.turn DESC LIMIT 1`, r.ID).Scan(&later, &kind, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look for later refilings than %d: %w", r.ID, err)
	}
	return errs.New(errs.Conflict, "The %s %d of %s moved the same groups later. Undo that one first.", kindWords[model.RefileKind(kind)], later,
		at.UTC().Format("2 January at 15:04 UTC"))
}

var kindWords = map[model.RefileKind]string{model.RefileMerge: "merge", model.RefileSplit: "split", model.RefileRegroup: "regrouping",
	model.RefileDelete: "deletion"}

// takeBack moves hashes to where they were. One that was not bound before is unbound again. One that a deletion
// unbound may lead to a new issue by now: it is taken from that, and the events that it brought there follow.
func takeBack(ctx context.Context, tx pgx.Tx, r model.Refile) error {
	b := &pgx.Batch{}
	b.Queue(`UPDATE refile_hash w SET undo_from = coalesce((
			SELECT h.issue_id FROM issue_hash h WHERE h.project_id = w.project_id AND h.hash = w.hash), 0)
		WHERE w.refile_id = $1`, r.ID)
	b.Queue(`DELETE FROM issue_hash h USING refile_hash w
		WHERE w.refile_id = $1 AND w.from_issue = 0 AND h.project_id = w.project_id AND h.hash = w.hash`, r.ID)
	b.Queue(`INSERT INTO issue_hash AS h (project_id, hash, issue_id, config)
		SELECT project_id, hash, from_issue, config FROM refile_hash WHERE refile_id = $1 AND from_issue <> 0 ORDER BY hash
		ON CONFLICT (project_id, hash) DO UPDATE SET issue_id = excluded.issue_id`, r.ID)
	if r.Kind == model.RefileDelete {
		b.Queue(`UPDATE issue SET deleted_at = NULL WHERE id = ANY($1)`, r.From)
		b.Queue(`DELETE FROM hash_tombstone WHERE refile_id = $1`, r.ID)
	}
	queuePointers(b, r.ID, "undo_from", "from_issue")
	b.Queue(`UPDATE refile SET state = 'undoing', turn = `+nextTurn+`, seq = seq + 1, step = 0, after_id = 0, done = 0, total = done,
		error = '', finished_at = NULL WHERE id = $1`, r.ID, r.ProjectID)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot take the hashes of refiling %d back: %w", r.ID, err)
	}
	return nil
}

func undoDeeds(r model.Refile) (deeds []deed) {
	if r.Kind == model.RefileRegroup { // its issues may be thousands; the history of the rules tells of it
		return nil
	}
	for _, id := range append([]int64{r.Into}, r.From...) {
		if id != 0 {
			deeds = append(deeds, deed{id, ActUndid, idText(r.ID), string(r.Kind)})
		}
	}
	return deeds
}

// Tombstones are the hashes of a project whose events are discarded, the latest first.
func (s *Store) Tombstones(ctx context.Context, project int64, limit int) ([]model.Tombstone, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT t.project_id, t.hash, t.refile_id, coalesce(r.account_id, 0), t.title, t.at
		FROM hash_tombstone t LEFT JOIN refile r ON r.id = t.refile_id
		WHERE t.project_id = $1 ORDER BY t.at DESC, t.hash LIMIT $2`, project, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot list discarded hashes of project %d: %w", project, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t model.Tombstone, err error) {
		var hash []byte
		err = row.Scan(&t.ProjectID, &hash, &t.RefileID, &t.AccountID, &t.Title, &t.At)
		t.Hash = hexHash(hash)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list discarded hashes of project %d: %w", project, err)
	}
	return list, nil
}

// AcceptHashes lets the events of discarded hashes in again; errs.NotFound when none of them is discarded.
func (s *Store) AcceptHashes(ctx context.Context, project int64, hashes [][16]byte) error {
	raw := make([][]byte, len(hashes))
	for i := range hashes {
		raw[i] = hashes[i][:]
	}
	tag, err := s.db.Write(ctx, opsKey(project)).Exec(ctx, `DELETE FROM hash_tombstone WHERE project_id = $1 AND hash = ANY($2)`, project, raw)
	if err != nil {
		return fmt.Errorf("cannot accept hashes of project %d: %w", project, err)
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.NotFound, "That is not discarded.")
	}
	return nil
}
