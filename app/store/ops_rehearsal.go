package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

const rehearsalColumns = `id, project_id, version, config, stack_rules, fingerprint_rules, since, until, state, done, total, error,
	account_id, created_at, coalesce(started_at, 'epoch'), coalesce(finished_at, 'epoch'), refile_id`

func scanRehearsal(row pgx.CollectableRow, more ...any) (r model.Rehearsal, err error) {
	dest := []any{&r.ID, &r.ProjectID, &r.Version, &r.Config, &r.StackRules, &r.FingerprintRules, &r.Since, &r.Until, &r.State, &r.Done, &r.Total,
		&r.Error, &r.AccountID, &r.CreatedAt, &r.StartedAt, &r.FinishedAt, &r.RefileID}
	err = row.Scan(append(dest, more...)...)
	for _, t := range []*time.Time{&r.StartedAt, &r.FinishedAt} {
		if t.Unix() == 0 {
			*t = time.Time{}
		}
	}
	return r, err
}

// AddRehearsal queues a rehearsal, unless its project has as many open ones as it may: then it is errs.Limited.
func (s *Store) AddRehearsal(ctx context.Context, r model.Rehearsal, mostOpen int) error {
	tag, err := s.db.Write(ctx, opsKey(r.ProjectID)).Exec(ctx, `INSERT INTO rehearsal (id, project_id, version, config, stack_rules, fingerprint_rules,
			since, until, account_id)
		SELECT $1, $2::bigint, coalesce((SELECT g.version FROM project_grouping g WHERE g.project_id = $2::bigint), 0), $3, $4, $5, $6, $7, $8
		WHERE (SELECT count(*) FROM rehearsal o WHERE o.project_id = $2::bigint AND o.state IN ('queued', 'running')) < $9`,
		r.ID, r.ProjectID, r.Config, r.StackRules, r.FingerprintRules, r.Since, r.Until, r.AccountID, mostOpen)
	if err != nil {
		return fmt.Errorf("cannot queue a rehearsal: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.Limited, "%d rehearsals of this project are waiting already (limit open_rehearsals). Cancel one, or wait for it.", mostOpen)
	}
	return nil
}

// Rehearsal is one rehearsal with its result; errs.NotFound when there is none.
func (s *Store) Rehearsal(ctx context.Context, id int64) (model.Rehearsal, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT `+rehearsalColumns+`, result FROM rehearsal WHERE id = $1`, id)
	if err != nil {
		return model.Rehearsal{}, fmt.Errorf("cannot read rehearsal %d: %w", id, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (model.Rehearsal, error) {
		var result []byte
		r, err := scanRehearsal(row, &result)
		if err == nil && result != nil {
			err = json.Unmarshal(result, &r.Result)
		}
		return r, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errs.New(errs.NotFound, "There is no such rehearsal.")
	}
	if err != nil {
		return r, fmt.Errorf("cannot read rehearsal %d: %w", id, err)
	}
	return r, nil
}

// RehearsalList are the rehearsals of a project without their results, the newest first.
func (s *Store) RehearsalList(ctx context.Context, project int64, limit int) ([]model.Rehearsal, error) {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `SELECT `+rehearsalColumns+` FROM rehearsal WHERE project_id = $1
		ORDER BY id DESC LIMIT $2`, project, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot list rehearsals: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (model.Rehearsal, error) { return scanRehearsal(row) })
	if err != nil {
		return nil, fmt.Errorf("cannot list rehearsals: %w", err)
	}
	return list, nil
}

// CancelRehearsal ends a rehearsal that waits or runs, and tells whether it was one.
func (s *Store) CancelRehearsal(ctx context.Context, id int64) (bool, error) {
	tag, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE rehearsal SET state = 'cancelled', finished_at = now()
		WHERE id = $1 AND state IN ('queued', 'running')`, id)
	if err != nil {
		return false, fmt.Errorf("cannot cancel rehearsal %d: %w", id, err)
	}
	return tag.RowsAffected() > 0, nil
}

// OpenRehearsalProjects are the projects whose rehearsals wait or run, the one that waits longest first.
func (s *Store) OpenRehearsalProjects(ctx context.Context) ([]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT project_id FROM rehearsal
		WHERE state IN ('queued', 'running') GROUP BY project_id ORDER BY min(id)`)
	if err != nil {
		return nil, fmt.Errorf("cannot look for rehearsals: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("cannot look for rehearsals: %w", err)
	}
	return ids, nil
}

// NextRehearsal starts the oldest rehearsal of a project that waits, or one again that its process left when it died; ok
// is false when there is none. The caller holds the rehearsals of the project.
func (s *Store) NextRehearsal(ctx context.Context, project int64) (r model.Rehearsal, ok bool, err error) {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `UPDATE rehearsal SET state = 'running', started_at = now(), done = 0
		WHERE id = (SELECT id FROM rehearsal WHERE project_id = $1 AND state IN ('queued', 'running') ORDER BY id LIMIT 1)
			AND state IN ('queued', 'running')
		RETURNING `+rehearsalColumns, project)
	if err != nil {
		return r, false, fmt.Errorf("cannot start a rehearsal of project %d: %w", project, err)
	}
	r, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (model.Rehearsal, error) { return scanRehearsal(row) })
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("cannot start a rehearsal of project %d: %w", project, err)
	}
	return r, true, nil
}

// TellRehearsal notes how far a running rehearsal has come, and tells whether it shall go on.
func (s *Store) TellRehearsal(ctx context.Context, id, done, total int64) (goOn bool, err error) {
	tag, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE rehearsal SET done = $2::bigint, total = greatest($3, $2::bigint) WHERE id = $1 AND state = 'running'`,
		id, done, total)
	if err != nil {
		return false, fmt.Errorf("cannot note the progress of rehearsal %d: %w", id, err)
	}
	return tag.RowsAffected() > 0, nil
}

// EndRehearsal stores the result of a running rehearsal, or why there is none.
func (s *Store) EndRehearsal(ctx context.Context, id int64, result *model.RehearsalResult, failure string) error {
	state, done, text := model.JobFailed, int64(0), []byte(nil)
	if result != nil {
		var err error
		if text, err = json.Marshal(result); err != nil {
			return fmt.Errorf("cannot write the result of rehearsal %d: %w", id, err)
		}
		state, done = model.JobDone, result.Events
	}
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE rehearsal SET state = $2::text, result = $3, error = $4, finished_at = now(),
			done = greatest(done, $5::bigint), total = CASE WHEN $2::text = 'done' THEN $5::bigint ELSE total END
		WHERE id = $1 AND state = 'running'`, id, string(state), text, failure, done)
	if err != nil {
		return fmt.Errorf("cannot end rehearsal %d: %w", id, err)
	}
	return nil
}

// EventSpan is a stretch of a project's events: ids above After and below Before.
type EventSpan struct {
	Project       int64
	After, Before int64
}

// SpanOf is the events that were received from since on and before until.
func SpanOf(project int64, since, until time.Time) EventSpan {
	return EventSpan{project, model.FirstIDAt(since) - 1, model.FirstIDAt(until)}
}

// CountEvents is the number of events in a span.
func (s *Store) CountEvents(ctx context.Context, span EventSpan) (n int64, err error) {
	err = s.db.Write(ctx, opsKey(span.Project)).QueryRow(ctx, `SELECT count(*) FROM event
		WHERE project_id = $1 AND id > $2 AND id < $3 AND received >= $4`, span.Project, span.After, span.Before, earliest(span.After)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("cannot count events: %w", err)
	}
	return n, nil
}

// RawEvent is what grouping an event again needs of its row. Body is compressed, and valid only while it is being looked at.
type RawEvent struct {
	ID, IssueID int64
	EventID     [16]byte
	Hash        [16]byte // zero when it was stored before hashes were kept
	Body        []byte
}

// ReadEvents hands the first events of a span to fn, in order of id, at most limit of them, until fn wants no more. It
// answers the span that is left.
func (s *Store) ReadEvents(ctx context.Context, span EventSpan, limit int, fn func(RawEvent) (more bool)) (rest EventSpan, err error) {
	return readEvents(ctx, s.db.Write(ctx, opsKey(span.Project)), span, limit, fn)
}

type queries interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func readEvents(ctx context.Context, q queries, span EventSpan, limit int, fn func(RawEvent) bool) (rest EventSpan, err error) {
	rows, err := q.Query(ctx, `SELECT id, issue_id, event_id, hash, body FROM event
		WHERE project_id = $1 AND id > $2 AND id < $3 AND received >= $4 ORDER BY id LIMIT $5`,
		span.Project, span.After, span.Before, earliest(span.After), limit)
	if err != nil {
		return span, fmt.Errorf("cannot read events: %w", err)
	}
	defer rows.Close()
	for more := true; more && rows.Next(); {
		e, err := rawEvent(rows)
		if err != nil {
			return span, err
		}
		more, span.After = fn(e), e.ID
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return span, fmt.Errorf("cannot read events: %w", err)
	}
	return span, nil
}

// rawEvent reads a row as it came over the wire: Scan would copy each body, and a rehearsal reads a million.
func rawEvent(rows pgx.Rows) (RawEvent, error) {
	v := rows.RawValues()
	for i, f := range rows.FieldDescriptions() {
		if f.Format != pgx.BinaryFormatCode || i < 2 && len(v[i]) != 8 || i == 2 && len(v[i]) != 16 {
			return RawEvent{}, fmt.Errorf("cannot read event rows: column %s came in another form", f.Name)
		}
	}
	e := RawEvent{ID: int64(binary.BigEndian.Uint64(v[0])), IssueID: int64(binary.BigEndian.Uint64(v[1])), EventID: [16]byte(v[2]), Body: v[4]}
	copy(e.Hash[:], v[3])
	return e, nil
}

// IssueName is what people know an issue by.
type IssueName struct {
	ID, Number int64
	Title      string
}

// IssueNames are the numbers and titles of issues, by id.
func (s *Store) IssueNames(ctx context.Context, ids []int64) (map[int64]IssueName, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT id, number, title FROM issue WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read issues: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[IssueName])
	if err != nil {
		return nil, fmt.Errorf("cannot read issues: %w", err)
	}
	out := make(map[int64]IssueName, len(list))
	for _, n := range list {
		out[n.ID] = n
	}
	return out, nil
}

// EventBodies hands events of a project with these ids to fn.
func (s *Store) EventBodies(ctx context.Context, project int64, ids []int64, fn func(RawEvent) error) error {
	rows, err := s.db.Write(ctx, opsKey(project)).Query(ctx, `SELECT id, issue_id, event_id, hash, body FROM event
		WHERE project_id = $1 AND id = ANY($2) AND received >= $3`, project, ids, earliestOf(ids))
	if err != nil {
		return fmt.Errorf("cannot read events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := rawEvent(rows)
		if err != nil {
			return err
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot read events: %w", err)
	}
	return nil
}
