package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// Actions in the history of issues that refilings write. Before names the refiling by its id; after the issues at the
// other end by their numbers, with commas.
const (
	ActMerged     = "merged"      // took others in
	ActMergedInto = "merged_into" // went into another
	ActSplitOff   = "split_off"   // gave hashes away
	ActSplitFrom  = "split_from"  // got hashes of another
	ActDeleted    = "deleted"     // after is "discard" when later events are not wanted either
	ActUndid      = "undid"       // after is the kind of what was undone
)

// CreateMerge moves all hashes of some issues to one, at once; the job that moves the events waits for its turn.
func (s *Store) CreateMerge(ctx context.Context, n NewRefile, into int64, from []int64) (model.Refile, error) {
	r := model.Refile{ID: n.ID, Kind: model.RefileMerge, State: model.JobQueued, Into: into, From: from, AccountID: n.Account}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		project, list, err := refileFirst(ctx, tx, append([]int64{into}, from...))
		if err != nil {
			return err
		}
		r.ProjectID, r.Total = project, eventsOf(list, from)
		if err := addRefile(ctx, tx, r, nil); err != nil {
			return err
		}
		moves, err := hashesOfIssues(ctx, tx, from, into)
		if err != nil {
			return err
		}
		if err := moveHashes(ctx, tx, r, moves); err != nil {
			return err
		}
		deeds := []deed{{into, ActMerged, idText(r.ID), numbersOf(list, from)}}
		for _, id := range from {
			deeds = append(deeds, deed{id, ActMergedInto, idText(r.ID), numbersOf(list, []int64{into})})
		}
		return addDeeds(ctx, tx, n, deeds)
	})
	return s.made(ctx, r, err)
}

// made reads a refiling after it was made, from the primary: a replica may not have heard of it.
func (s *Store) made(ctx context.Context, r model.Refile, err error) (model.Refile, error) {
	if err != nil {
		return model.Refile{}, err
	}
	rows, err := s.db.Write(ctx, opsKey(r.ProjectID)).Query(ctx, `SELECT `+refileColumns+` FROM refile r WHERE r.id = $1`, r.ID)
	if err != nil {
		return model.Refile{}, fmt.Errorf("cannot read refiling %d: %w", r.ID, err)
	}
	if r, err = pgx.CollectExactlyOneRow(rows, scanRefile); err != nil {
		return model.Refile{}, fmt.Errorf("cannot read refiling %d: %w", r.ID, err)
	}
	return r, nil
}

func eventsOf(list []heldIssue, ids []int64) (n int64) {
	for _, i := range list {
		if slices.Contains(ids, i.ID) {
			n += i.Events
		}
	}
	return n
}

func numbersOf(list []heldIssue, ids []int64) string {
	var out []string
	for _, i := range list {
		if slices.Contains(ids, i.ID) {
			out = append(out, idText(i.Number))
		}
	}
	return strings.Join(out, ",")
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }

// CreateSplit takes hashes out of an issue, at once. One that came by a merge that still holds goes back to where it
// was; the others go together to a new issue made of seed. Events is how many will follow, about.
func (s *Store) CreateSplit(ctx context.Context, n NewRefile, issue int64, hashes [][16]byte, seed IssueSeed, events int64) (model.Refile, error) {
	r := model.Refile{ID: n.ID, Kind: model.RefileSplit, State: model.JobQueued, From: []int64{issue}, AccountID: n.Account, Total: events}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		project, list, err := refileFirst(ctx, tx, []int64{issue})
		if err != nil {
			return err
		}
		r.ProjectID = project
		moves, err := splitMoves(ctx, tx, issue, hashes)
		if err != nil {
			return err
		}
		made, err := newHome(ctx, tx, project, moves, seed)
		if err != nil {
			return err
		}
		takers := takersOf(moves)
		r.Into = 0
		if len(takers) == 1 {
			r.Into = takers[0]
		}
		if err := addRefile(ctx, tx, r, made); err != nil {
			return err
		}
		if err := moveHashes(ctx, tx, r, moves); err != nil {
			return err
		}
		return addSplitDeeds(ctx, tx, n, r, list[0], takers)
	})
	return s.made(ctx, r, err)
}

// newHome makes the new issue when some hash has nowhere to go back to, and points those hashes to it.
func newHome(ctx context.Context, tx pgx.Tx, project int64, moves []HashMove, seed IssueSeed) (made []int64, err error) {
	for i := range moves {
		if moves[i].To == 0 {
			moves[i].To, made = seed.ID, []int64{seed.ID}
		}
	}
	if made == nil {
		return nil, nil
	}
	return made, addSeeds(ctx, tx, project, []IssueSeed{seed})
}

// splitMoves says where chosen hashes of an issue go; 0 is a new issue. It refuses to take all of them.
func splitMoves(ctx context.Context, tx pgx.Tx, issue int64, hashes [][16]byte) ([]HashMove, error) {
	chosen := make([][]byte, len(hashes))
	for i := range hashes {
		chosen[i] = hashes[i][:]
	}
	rows, err := tx.Query(ctx, `SELECT h.hash, coalesce(m.from_issue, 0), (SELECT count(*) FROM issue_hash WHERE issue_id = $1)
		FROM issue_hash h LEFT JOIN LATERAL (`+lastMerge+`) m ON true WHERE h.issue_id = $1 AND h.hash = ANY($2) ORDER BY h.hash`, issue, chosen)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issue %d: %w", issue, err)
	}
	var moves []HashMove
	var hash []byte
	var from, all int
	_, err = pgx.ForEachRow(rows, []any{&hash, &from, &all}, func() error {
		moves = append(moves, HashMove{Hash: [16]byte(hash), To: int64(from)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issue %d: %w", issue, err)
	}
	if len(moves) < len(hashes) {
		return nil, errs.New(errs.Conflict, "Some of these hashes lead elsewhere by now. Reload the page and choose again.")
	}
	if len(moves) == all {
		return nil, errs.New(errs.Unprocessable, "An issue must keep one hash at least. Leave one out.")
	}
	return moves, nil
}

// lastMerge finds, for a row h of issue_hash, the issue from which the last merge that still holds took it.
const lastMerge = `SELECT w.from_issue, o.number FROM refile_hash w
	JOIN refile r ON r.id = w.refile_id AND r.kind = 'merge' AND r.state NOT IN ('undoing', 'undone')
	JOIN issue o ON o.id = w.from_issue AND o.deleted_at IS NULL
	WHERE w.project_id = h.project_id AND w.hash = h.hash AND w.to_issue = h.issue_id
	ORDER BY r.turn DESC LIMIT 1`

func takersOf(moves []HashMove) (ids []int64) {
	for _, m := range moves {
		if !slices.Contains(ids, m.To) {
			ids = append(ids, m.To)
		}
	}
	return ids
}

func addSplitDeeds(ctx context.Context, tx pgx.Tx, n NewRefile, r model.Refile, issue heldIssue, takers []int64) error {
	list, err := holdIssues(ctx, tx, takers)
	if err != nil {
		return err
	}
	deeds := []deed{{issue.ID, ActSplitOff, idText(r.ID), numbersOf(list, takers)}}
	for _, id := range takers {
		deeds = append(deeds, deed{id, ActSplitFrom, idText(r.ID), idText(issue.Number)})
	}
	return addDeeds(ctx, tx, n, deeds)
}

// CreateDelete hides issues and unbinds their hashes, at once. With discard their hashes get tombstones. No job
// follows: events stay where they are until the purge.
func (s *Store) CreateDelete(ctx context.Context, n NewRefile, ids []int64, discard bool) (model.Refile, error) {
	r := model.Refile{ID: n.ID, Kind: model.RefileDelete, State: model.JobDone, Discard: discard, From: ids, AccountID: n.Account}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		project, list, err := refileFirst(ctx, tx, ids)
		if err != nil {
			return err
		}
		r.ProjectID = project
		if err := addRefile(ctx, tx, r, nil); err != nil {
			return err
		}
		moves, err := hashesOfIssues(ctx, tx, ids, 0)
		if err != nil {
			return err
		}
		if err := moveHashes(ctx, tx, r, moves); err != nil {
			return err
		}
		if err := hideDeleted(ctx, tx, r); err != nil {
			return err
		}
		return addDeeds(ctx, tx, n, deleteDeeds(r, list))
	})
	return s.made(ctx, r, err)
}

func hideDeleted(ctx context.Context, tx pgx.Tx, r model.Refile) error {
	b := &pgx.Batch{}
	b.Queue(`UPDATE issue SET deleted_at = now() WHERE id = ANY($1)`, r.From)
	if r.Discard {
		b.Queue(`INSERT INTO hash_tombstone (project_id, hash, refile_id, title)
			SELECT w.project_id, w.hash, w.refile_id, i.title FROM refile_hash w JOIN issue i ON i.id = w.from_issue
			WHERE w.refile_id = $1 ON CONFLICT DO NOTHING`, r.ID)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot hide deleted issues: %w", err)
	}
	return nil
}

func deleteDeeds(r model.Refile, list []heldIssue) (deeds []deed) {
	after := ""
	if r.Discard {
		after = "discard"
	}
	for _, i := range list {
		deeds = append(deeds, deed{i.ID, ActDeleted, idText(r.ID), after})
	}
	return deeds
}

func seedIDs(seeds []IssueSeed) (ids []int64) {
	for _, s := range seeds {
		ids = append(ids, s.ID)
	}
	return ids
}

// IssueHashes are the hashes that lead to an issue, at most MaxIssueHashes of them, those first that most of its newest
// events carry.
func (s *Store) IssueHashes(ctx context.Context, issue int64) ([]model.IssueHash, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `WITH kept AS MATERIALIZED (
			SELECT hash, count(*) AS n, max(id) AS id
			FROM (SELECT hash, id FROM event WHERE issue_id = $1 ORDER BY id DESC LIMIT $2) e GROUP BY hash
		)
		SELECT h.hash, h.config, coalesce(k.n, 0), coalesce(e.ts, 'epoch'), coalesce(e.title, ''), e.event_id,
			coalesce(m.from_issue, 0), coalesce(m.number, 0)
		FROM (SELECT * FROM issue_hash WHERE issue_id = $1 ORDER BY hash LIMIT $3) h
		LEFT JOIN kept k ON k.hash = h.hash
		LEFT JOIN event e ON e.issue_id = $1 AND e.id = k.id
		LEFT JOIN LATERAL (`+lastMerge+`) m ON true
		ORDER BY 3 DESC, h.hash`, issue, maxHashEvents, MaxIssueHashes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issue %d: %w", issue, err)
	}
	list, err := pgx.CollectRows(rows, scanIssueHash)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of issue %d: %w", issue, err)
	}
	return list, nil
}

const (
	// MaxIssueHashes bounds how many hashes of an issue are shown, and so how many can be split off at once.
	MaxIssueHashes = 500
	// maxHashEvents bounds how many events of an issue are looked at to count those of each hash: some 20 ms of an index.
	maxHashEvents = 50_000
)

func scanIssueHash(row pgx.CollectableRow) (h model.IssueHash, err error) {
	var hash []byte
	var event *[16]byte
	err = row.Scan(&hash, &h.Config, &h.Events, &h.LastSeen, &h.Title, &event, &h.FromIssue, &h.FromShort)
	h.Hash = hexHash(hash)
	if event != nil {
		h.EventID = hex.EncodeToString(event[:])
	}
	return h, err
}
