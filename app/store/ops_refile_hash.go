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

// NewRefile is a refiling that is about to be made, by an account.
type NewRefile struct {
	ID      int64
	Account int64
	NextID  func() int64 // ids of what is written along with it
}

// HashMove is a hash that goes to an issue; 0 unbinds it.
type HashMove struct {
	Hash   [16]byte
	To     int64
	Config string // the configuration that made the hash; used when it was not bound before
}

// IssueSeed is what a new issue begins with. Its counters come with its events.
type IssueSeed struct {
	ID                                    int64
	Config                                string
	Hash                                  [16]byte
	Title, Type, Value, Culprit, Platform string
	Level                                 string
	Status                                model.Status
	FirstSeen, LastSeen                   time.Time
	FirstRelease, LastRelease             string
}

// refileFirst begins the transaction of everything that moves hashes: it finds the project of an issue, waits for its
// digests, and locks the issues.
func refileFirst(ctx context.Context, tx pgx.Tx, ids []int64) (project int64, list []heldIssue, err error) {
	err = tx.QueryRow(ctx, `SELECT project_id FROM issue WHERE id = $1`, ids[0]).Scan(&project)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, errs.New(errs.NotFound, "There is no such issue.")
	}
	if err != nil {
		return 0, nil, fmt.Errorf("cannot find the project of issue %d: %w", ids[0], err)
	}
	if err := lockHashes(ctx, tx, project); err != nil {
		return 0, nil, err
	}
	list, err = holdIssues(ctx, tx, ids)
	if err != nil {
		return 0, nil, err
	}
	return project, list, checkHeld(project, ids, list)
}

// heldIssue is what moves of hashes have to know of an issue.
type heldIssue struct {
	ID, ProjectID, Number, Events int64
	Hidden                        bool
}

func holdIssues(ctx context.Context, tx pgx.Tx, ids []int64) ([]heldIssue, error) {
	rows, err := tx.Query(ctx, `SELECT id, project_id, number, events, merged_into IS NOT NULL OR deleted_at IS NOT NULL
		FROM issue WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot lock issues: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[heldIssue])
	if err != nil {
		return nil, fmt.Errorf("cannot lock issues: %w", err)
	}
	return list, nil
}

func checkHeld(project int64, ids []int64, list []heldIssue) error {
	if len(list) < len(ids) {
		return errs.New(errs.NotFound, "One of these issues does not exist.")
	}
	for _, i := range list {
		if i.ProjectID != project {
			return errs.New(errs.Unprocessable, "These issues are of different projects. Choose those of one.")
		}
		if i.Hidden {
			return errs.New(errs.Conflict, "Issue %d has been merged or deleted already. Reload the page and choose again.", i.Number)
		}
	}
	return nil
}

// nextTurn is the place of a refiling behind all others of a project ($2): in the order of these their hashes have moved, their
// jobs run, and they are undone in the reverse of it. It is given while the hashes are locked; ids are made before, and
// those of another process by another clock.
const nextTurn = `(SELECT coalesce(max(o.turn), 0) + 1 FROM refile o WHERE o.project_id = $2)`

// addRefile writes the row of a refiling. Its job waits for its turn; a deletion has none and is done.
func addRefile(ctx context.Context, tx pgx.Tx, r model.Refile, made []int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO refile (id, project_id, kind, state, discard, into_issue, from_issues, made_issues, total,
			account_id, turn, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, '{}'::bigint[]), coalesce($8, '{}'::bigint[]), $9, $10, `+nextTurn+`,
			CASE $4 WHEN 'done' THEN now() END)`,
		r.ID, r.ProjectID, string(r.Kind), string(r.State), r.Discard, r.Into, r.From, made, r.Total, r.AccountID)
	if err != nil {
		return fmt.Errorf("cannot make a refiling: %w", err)
	}
	return nil
}

// moveHashes logs where hashes are and where they go, then moves them. Those that are there already are left out.
// It is the whole of a merge or a split as far as new events are concerned.
func moveHashes(ctx context.Context, tx pgx.Tx, r model.Refile, moves []HashMove) error {
	hashes, to, configs := make([][]byte, len(moves)), make([]int64, len(moves)), make([]string, len(moves))
	for i, m := range moves {
		hashes[i], to[i], configs[i] = m.Hash[:], m.To, m.Config
	}
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO refile_hash (refile_id, project_id, hash, from_issue, to_issue, config)
		SELECT $1, $2, w.hash, coalesce(h.issue_id, 0), w.to_issue, coalesce(h.config, w.config)
		FROM unnest($3::bytea[], $4::bigint[], $5::text[]) AS w (hash, to_issue, config)
		LEFT JOIN issue_hash h ON h.project_id = $2 AND h.hash = w.hash
		WHERE coalesce(h.issue_id, 0) <> w.to_issue`, r.ID, r.ProjectID, hashes, to, configs)
	b.Queue(`UPDATE refile SET hashes = w.n, from_issues = CASE kind WHEN 'regroup' THEN w.gave ELSE from_issues END
		FROM (SELECT count(*) AS n, coalesce(array_agg(DISTINCT from_issue) FILTER (WHERE from_issue <> 0), '{}') AS gave
			FROM refile_hash WHERE refile_id = $1) w
		WHERE id = $1`, r.ID)
	b.Queue(`DELETE FROM issue_hash h USING refile_hash w
		WHERE w.refile_id = $1 AND w.to_issue = 0 AND h.project_id = w.project_id AND h.hash = w.hash`, r.ID)
	b.Queue(`INSERT INTO issue_hash AS h (project_id, hash, issue_id, config)
		SELECT project_id, hash, to_issue, config FROM refile_hash WHERE refile_id = $1 AND to_issue <> 0 ORDER BY hash
		ON CONFLICT (project_id, hash) DO UPDATE SET issue_id = excluded.issue_id`, r.ID)
	queuePointers(b, r.ID, "from_issue", "to_issue")
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot move hashes: %w", err)
	}
	return nil
}

// queuePointers keeps merged_into true after hashes have moved: an issue without hashes points to where they went, and
// one that has some again to nowhere.
func queuePointers(b *pgx.Batch, refile int64, gave, took string) {
	b.Queue(`UPDATE issue SET merged_into = NULL
		WHERE merged_into IS NOT NULL AND id IN (SELECT `+took+` FROM refile_hash WHERE refile_id = $1)`, refile)
	b.Queue(`UPDATE issue i SET merged_into = w.took FROM (
			SELECT DISTINCT ON (`+gave+`) `+gave+` AS gave, `+took+` AS took FROM refile_hash
			WHERE refile_id = $1 AND `+gave+` <> 0 AND `+took+` <> 0 AND `+gave+` <> `+took+` ORDER BY `+gave+`, hash
		) w
		WHERE i.id = w.gave AND NOT EXISTS (SELECT 1 FROM issue_hash h WHERE h.issue_id = i.id)`, refile)
}

// hashesOfIssues are the hashes that lead to issues, as moves to another place.
func hashesOfIssues(ctx context.Context, tx pgx.Tx, issues []int64, to int64) ([]HashMove, error) {
	rows, err := tx.Query(ctx, `SELECT hash FROM issue_hash WHERE issue_id = ANY($1) ORDER BY hash`, issues)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issues: %w", err)
	}
	hashes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issues: %w", err)
	}
	moves := make([]HashMove, len(hashes))
	for i, h := range hashes {
		moves[i] = HashMove{Hash: [16]byte(h), To: to}
	}
	return moves, nil
}

// addSeeds makes the issues that hashes are about to move to, with the next numbers of their project.
func addSeeds(ctx context.Context, tx pgx.Tx, project int64, seeds []IssueSeed) error {
	if len(seeds) == 0 {
		return nil
	}
	var last int64
	err := tx.QueryRow(ctx, `UPDATE project SET last_issue = last_issue + $2 WHERE id = $1 RETURNING last_issue - $2`,
		project, int64(len(seeds))).Scan(&last)
	if err != nil {
		return fmt.Errorf("cannot number issues: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"issue"}, []string{"id", "project_id", "number", "config", "hash", "title", "type",
		"value", "culprit", "level", "platform", "status", "first_seen", "last_seen", "first_release", "last_release"},
		pgx.CopyFromSlice(len(seeds), func(i int) ([]any, error) {
			s := seeds[i]
			return []any{s.ID, project, last + 1 + int64(i), s.Config, s.Hash[:], s.Title, s.Type, s.Value, s.Culprit, s.Level,
				s.Platform, string(s.Status), s.FirstSeen, s.LastSeen, s.FirstRelease, s.LastRelease}, nil
		}))
	if err != nil {
		return fmt.Errorf("cannot make issues: %w", err)
	}
	return nil
}

// deed is a line for the history of an issue.
type deed struct {
	issue                 int64
	action, before, after string
}

func addDeeds(ctx context.Context, tx pgx.Tx, n NewRefile, deeds []deed) error {
	ids, issues := make([]int64, len(deeds)), make([]int64, len(deeds))
	actions, before, after := make([]string, len(deeds)), make([]string, len(deeds)), make([]string, len(deeds))
	for i, d := range deeds {
		ids[i], issues[i], actions[i], before[i], after[i] = n.NextID(), d.issue, d.action, d.before, d.after
	}
	// An issue that has been purged in the meantime has no history any more.
	_, err := tx.Exec(ctx, `INSERT INTO issue_activity (id, issue_id, account_id, action, before, after)
		SELECT w.id, w.issue, $6, w.action, w.before, w.after
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS w (id, issue, action, before, after)
		JOIN issue i ON i.id = w.issue`, ids, issues, actions, before, after, n.Account)
	if err != nil {
		return fmt.Errorf("cannot write the history of issues: %w", err)
	}
	return nil
}
