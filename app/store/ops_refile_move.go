package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// MoveEvents takes one step of a job, in one transaction: it moves those events that are still where the moves expect
// them, with everything that they count for, logs them so that they can go back, and sets the job's cursor. It answers
// how many moved, and ErrRefileMoved when the job stands elsewhere: then nothing has changed. On success job.Seq and
// job.Cursor are those of the next step.
func (s *Store) MoveEvents(ctx context.Context, job *RefileJob, next RefileCursor, moves []EventMove) (moved int, err error) {
	err = s.db.Tx(ctx, opsKey(job.ProjectID), func(tx pgx.Tx) error {
		went, err := relocate(ctx, tx, *job, next, moves)
		if err != nil {
			return err
		}
		moved = len(went)
		return recount(ctx, tx, *job, went)
	})
	if err != nil {
		return 0, err
	}
	job.Seq, job.Cursor = job.Seq+1, next
	job.Done += int64(moved)
	return moved, nil
}

// relocate takes the step and moves the rows. The issues are locked first, in order of id as digests do, and stay so
// until the counters agree again.
func relocate(ctx context.Context, tx pgx.Tx, job RefileJob, next RefileCursor, moves []EventMove) (went []EventMove, err error) {
	b := &pgx.Batch{}
	queueStep(b, job, next)
	moved := map[int64]bool{}
	if len(moves) > 0 {
		b.Queue(`SELECT FROM issue WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, movedIssues(moves))
		queueRelocate(b, moves, moved)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("cannot move events: %w", err)
	}
	for _, m := range moves {
		if moved[m.ID] {
			went = append(went, m)
		}
	}
	return went, nil
}

// queueStep moves the cursor from where the caller believes it to stand, or ends the transaction.
func queueStep(b *pgx.Batch, job RefileJob, next RefileCursor) {
	b.Queue(`UPDATE refile SET seq = seq + 1, step = $4, after_id = $5, error = '' WHERE id = $1 AND state = $2 AND seq = $3 RETURNING 1`,
		job.ID, string(job.State), job.Seq, next.Step, next.After).Query(func(rows pgx.Rows) error {
		n := 0
		if err := eachRow(rows, func(int) { n++ }); err != nil {
			return err
		}
		if n != 1 {
			return ErrRefileMoved
		}
		return nil
	})
}

func movedIssues(moves []EventMove) (ids []int64) {
	for _, m := range moves {
		ids = append(ids, m.From, m.To)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// queueRelocate moves the rows. The bounds on id and day say nothing new; they keep any plan to the stretch of the
// index, and the days, that a batch is about.
func queueRelocate(b *pgx.Batch, moves []EventMove, moved map[int64]bool) {
	c := columnsOf(moves)
	first, last := slices.MinFunc(c.received, time.Time.Compare), slices.MaxFunc(c.received, time.Time.Compare)
	b.Queue(`UPDATE event e SET issue_id = w.new_issue, hash = w.new_hash
		FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[])
			AS w (id, received, old_issue, old_hash, new_issue, new_hash)
		WHERE e.issue_id = w.old_issue AND e.id = w.id AND e.received = w.received AND e.hash IS NOT DISTINCT FROM w.old_hash
			AND e.id BETWEEN $7 AND $8 AND e.received BETWEEN $9 AND $10
		RETURNING e.id`, c.ids, c.received, c.from, c.oldHashes, c.to, c.newHash, slices.Min(c.ids), slices.Max(c.ids), first, last).
		Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(id int64) { moved[id] = true })
		})
}

// shift is what moved events take from the counters of issues (below zero) and add to them, summed up.
type shift struct {
	issues map[int64]*issueShift
	stats  map[statKey]int64
	tags   map[tagKey]int64
	users  map[userKey]int64
}

type issueShift struct {
	n           int64
	first, last time.Time // of the events that came
}

func newShift(moves []EventMove) *shift {
	s := &shift{map[int64]*issueShift{}, map[statKey]int64{}, map[tagKey]int64{}, map[userKey]int64{}}
	for i := range moves {
		if m := &moves[i]; m.From != m.To {
			s.add(m, m.From, -1)
			s.add(m, m.To, 1)
		}
	}
	return s
}

func (s *shift) add(m *EventMove, issue, n int64) {
	i := s.issues[issue]
	if i == nil {
		i = &issueShift{}
		s.issues[issue] = i
	}
	i.n += n
	if n > 0 && (i.first.IsZero() || m.Timestamp.Before(i.first)) {
		i.first = m.Timestamp
	}
	if n > 0 && m.Timestamp.After(i.last) {
		i.last = m.Timestamp
	}
	s.stats[statKey{issue, m.Timestamp.Truncate(StatBucket), m.Level}] += n
	for _, tag := range m.Tags {
		s.tags[tagKey{issue, tag.Key, tag.Value}] += n
	}
	if m.UserHash != 0 {
		s.users[userKey{issue, m.UserHash}] += n
	}
}

// part is what of a sum is above zero (sign 1), or below, made positive (sign -1).
func part[K comparable](sums map[K]int64, sign int64) map[K]int64 {
	out := map[K]int64{}
	for k, n := range sums {
		if n*sign > 0 {
			out[k] = n * sign
		}
	}
	return out
}

// recount adjusts the counters of the issues and logs what moved: one round trip. What is taken goes first, so that it
// makes room.
func recount(ctx context.Context, tx pgx.Tx, job RefileJob, went []EventMove) error {
	if len(went) == 0 {
		return nil
	}
	s, b := newShift(went), &pgx.Batch{}
	s.queueIssues(b)
	queueStats(b, takeIssueStats, part(s.stats, -1))
	queueStats(b, addIssueStats, part(s.stats, 1))
	queueTakeTags(b, part(s.tags, -1))
	queueTags(b, part(s.tags, 1))
	queueTakeUsers(b, part(s.users, -1))
	queueUsers(b, part(s.users, 1))
	b.Queue(`UPDATE refile SET done = done + $2, total = greatest(total, done + $2) WHERE id = $1`, job.ID, len(went))
	if job.State != model.JobUndoing {
		c := columnsOf(went)
		b.Queue(`INSERT INTO refile_batch (refile_id, seq, ids, received, old_issues, old_hashes, new_issues, new_hashes)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, job.ID, job.Seq+1, c.ids, c.received, c.from, c.oldHashes, c.to, c.newHash)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot recount moved events: %w", err)
	}
	return nil
}

// queueIssues moves the counts, and widens when issues were seen. An issue that was empty has been seen when its events
// were; one that gives events away is narrowed when the job ends (SettleIssues).
func (s *shift) queueIssues(b *pgx.Batch) {
	ids := sortedKeys(s.issues, cmp.Compare[int64])
	n, first, last := make([]int64, len(ids)), make([]*time.Time, len(ids)), make([]*time.Time, len(ids))
	for i, id := range ids {
		d := s.issues[id]
		n[i] = d.n
		if !d.first.IsZero() {
			first[i], last[i] = &d.first, &d.last
		}
	}
	if len(ids) == 0 {
		return
	}
	b.Queue(`UPDATE issue i SET events = i.events + w.n,
			first_seen = CASE WHEN i.events > 0 THEN least(i.first_seen, w.first) ELSE coalesce(w.first, i.first_seen) END,
			last_seen = CASE WHEN i.events > 0 THEN greatest(i.last_seen, w.last) ELSE coalesce(w.last, i.last_seen) END
		FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS w (id, n, first, last)
		WHERE i.id = w.id`, ids, n, first, last)
}

const takeIssueStats = `WITH w AS MATERIALIZED (
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[]) AS w (issue_id, bucket, level, n)
	), gone AS (
		DELETE FROM issue_stat s USING w
		WHERE s.issue_id = w.issue_id AND s.bucket = w.bucket AND s.level = w.level AND s.n <= w.n
	)
	UPDATE issue_stat s SET n = s.n - w.n FROM w
	WHERE s.issue_id = w.issue_id AND s.bucket = w.bucket AND s.level = w.level AND s.n > w.n`

// queueTakeTags takes from the count of a value what is there, and what is missing from the empty value: the events may
// have been counted there when the issue had no room for theirs. A row never holds more than the events of its
// value, so what is missing is always there.
func queueTakeTags(b *pgx.Batch, tags map[tagKey]int64) {
	if len(tags) == 0 {
		return
	}
	ids, names, values, n := tagColumns(tags)
	b.Queue(`WITH w AS MATERIALIZED (
			SELECT w.i, w.k, w.v, w.n, least(w.n, coalesce(t.n, 0)) AS there
			FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS w (i, k, v, n)
			LEFT JOIN issue_tag t ON t.issue_id = w.i AND t.key = w.k AND t.value = w.v
		), less AS MATERIALIZED (
			SELECT i, k, v, there AS n FROM w WHERE there > 0
			UNION ALL
			SELECT i, k, '', sum(n - there) FROM w WHERE n > there GROUP BY i, k
		), gone AS (
			DELETE FROM issue_tag t USING less l WHERE t.issue_id = l.i AND t.key = l.k AND t.value = l.v AND t.n <= l.n
		)
		UPDATE issue_tag t SET n = t.n - l.n FROM less l
		WHERE t.issue_id = l.i AND t.key = l.k AND t.value = l.v AND t.n > l.n`, ids, names, values, n)
}

// queueTakeUsers takes events from users, and users from issues with the last of their events.
func queueTakeUsers(b *pgx.Batch, users map[userKey]int64) {
	if len(users) == 0 {
		return
	}
	issues, hashes, n := userColumns(users)
	b.Queue(`WITH w AS MATERIALIZED (
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (issue_id, user_hash, n)
		), gone AS (
			DELETE FROM issue_user u USING w WHERE u.issue_id = w.issue_id AND u.user_hash = w.user_hash AND u.n <= w.n
			RETURNING u.issue_id
		), less AS (
			UPDATE issue_user u SET n = u.n - w.n FROM w
			WHERE u.issue_id = w.issue_id AND u.user_hash = w.user_hash AND u.n > w.n
		)
		UPDATE issue i SET users = i.users - g.n
		FROM (SELECT issue_id, count(*) AS n FROM gone GROUP BY issue_id) g
		WHERE i.id = g.issue_id`, issues, hashes, n)
}
