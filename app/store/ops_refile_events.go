package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// Movable is a stored event as jobs read it.
type Movable struct {
	ID        int64
	IssueID   int64
	Received  time.Time
	Timestamp time.Time
	Level     string
	Release   string
	Hash      []byte // nil: stored before hashes were kept
	UserHash  *int64 // nil: the same
	Body      []byte
}

// maxReadBytes bounds the bodies that one read holds in memory; a page of events ends early when they are larger.
const maxReadBytes = 16 << 20

const movableColumns = `e.id, e.issue_id, e.received, e.ts, e.level, e.release, e.hash, e.user_hash, e.body`

// EventScan says which events of an issue to read: those with certain hashes, all when none are named. Unhashed adds those
// stored before hashes were kept.
type EventScan struct {
	Issue    int64
	Hashes   [][]byte
	Unhashed bool
	After    int64
	Limit    int
}

// EventsAfter is a page of the events of an issue, in order of id, above one. They are found by the index alone, which
// holds their hashes: however many others lie between them, no row of those is read.
func (s *Store) EventsAfter(ctx context.Context, q EventScan) ([]Movable, error) {
	return s.movables(ctx, `SELECT `+movableColumns+` FROM (
			SELECT id FROM event WHERE issue_id = $1 AND id > $2 AND ($4::bytea[] IS NULL OR hash = ANY($4) OR $5 AND hash IS NULL)
			ORDER BY id LIMIT $3
		) w JOIN event e ON e.issue_id = $1 AND e.id = w.id AND e.received >= $6 ORDER BY e.id`, q.Issue, q.After, q.Limit, q.Hashes, q.Unhashed,
		earliest(q.After))
}

func (s *Store) movables(ctx context.Context, sql string, args ...any) (out []Movable, err error) {
	return movables(ctx, s.db.Write(ctx, opsKey(0)), sql, args...)
}

func movables(ctx context.Context, q queries, sql string, args ...any) (out []Movable, err error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read events to move: %w", err)
	}
	defer rows.Close()
	for size := 0; size < maxReadBytes && rows.Next(); {
		var e Movable
		if err := rows.Scan(&e.ID, &e.IssueID, &e.Received, &e.Timestamp, &e.Level, &e.Release, &e.Hash, &e.UserHash, &e.Body); err != nil {
			return nil, fmt.Errorf("cannot read events to move: %w", err)
		}
		out, size = append(out, e), size+len(e.Body)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read events to move: %w", err)
	}
	return out, nil
}

// MovedHashes are the hashes that a job follows, in order of the issues where their events are, with where they go.
func (s *Store) MovedHashes(ctx context.Context, job RefileJob) ([]MovedHash, error) {
	from, to := "from_issue", "to_issue"
	if job.State == model.JobUndoing {
		from, to = "undo_from", "from_issue"
	}
	rows, err := s.db.Write(ctx, opsKey(job.ProjectID)).Query(ctx, `SELECT hash, `+from+`, `+to+` FROM refile_hash
		WHERE refile_id = $1 AND `+from+` <> 0 AND `+to+` <> 0 AND `+from+` <> `+to+` ORDER BY 2, 1`, job.ID)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of refiling %d: %w", job.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[MovedHash])
	if err != nil {
		return nil, fmt.Errorf("cannot read the hashes of refiling %d: %w", job.ID, err)
	}
	return list, nil
}

// MovedHash is a hash with where its events are and where they go.
type MovedHash struct {
	Hash     []byte
	From, To int64
}

// EventMove is an event that changes its issue, its hash or both, with what it counts for.
type EventMove struct {
	ID               int64
	Received         time.Time
	From, To         int64
	OldHash, NewHash []byte // nil: not known
	Timestamp        time.Time
	Level, Release   string
	Tags             []Tag
	UserHash         int64
}

// moveColumns are events to move, a slice a column.
type moveColumns struct {
	ids, from, to      []int64
	received           []time.Time
	oldHashes, newHash [][]byte
}

func columnsOf(moves []EventMove) (c moveColumns) {
	for _, m := range moves {
		c.ids, c.received = append(c.ids, m.ID), append(c.received, m.Received)
		c.from, c.to = append(c.from, m.From), append(c.to, m.To)
		c.oldHashes, c.newHash = append(c.oldHashes, m.OldHash), append(c.newHash, m.NewHash)
	}
	return c
}

// RefileBatch is what one transaction of a job moved: for each event where it went, and where it had been.
type RefileBatch struct {
	Seq   int64
	Moves map[int64]EventMove // by id; From and To, OldHash and NewHash as they were logged
}

// BatchBefore is the last batch of a refiling below a number (0: the last of all), with its events as far as they are
// still where it put them; ok is false when there is none.
func (s *Store) BatchBefore(ctx context.Context, refile, before int64) (b RefileBatch, events []Movable, ok bool, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	var c moveColumns
	err = s.db.Write(ctx, opsKey(0)).QueryRow(ctx, `SELECT seq, ids, received, old_issues, old_hashes, new_issues, new_hashes
		FROM refile_batch WHERE refile_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT 1`, refile, before).
		Scan(&b.Seq, &c.ids, &c.received, &c.from, &c.oldHashes, &c.to, &c.newHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return b, nil, false, nil
	}
	if err != nil {
		return b, nil, false, fmt.Errorf("cannot read a batch of refiling %d: %w", refile, err)
	}
	b.Moves = make(map[int64]EventMove, len(c.ids))
	for i, id := range c.ids {
		b.Moves[id] = EventMove{ID: id, Received: c.received[i], From: c.from[i], To: c.to[i], OldHash: c.oldHashes[i], NewHash: c.newHash[i]}
	}
	events, err = s.eventsAt(ctx, c)
	return b, events, true, err
}

// eventsAt reads the events of a batch that are still where it put them. The issue leads to the index, the day to the
// partition.
func (s *Store) eventsAt(ctx context.Context, c moveColumns) ([]Movable, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT `+movableColumns+`
		FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bytea[]) AS w (id, received, issue, hash)
		JOIN event e ON e.issue_id = w.issue AND e.id = w.id AND e.received = w.received AND e.hash IS NOT DISTINCT FROM w.hash
		ORDER BY e.id`, c.ids, c.received, c.to, c.newHash)
	if err != nil {
		return nil, fmt.Errorf("cannot read moved events: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Movable])
	if err != nil {
		return nil, fmt.Errorf("cannot read moved events: %w", err)
	}
	return list, nil
}
