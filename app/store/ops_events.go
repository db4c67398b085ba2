package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

const (
	eventHead    = `id, project_id, issue_id, event_id, received, ts, level, platform, title, release, env`
	eventColumns = eventHead + `, body`
)

func scanEvent(row pgx.CollectableRow) (model.StoredEvent, error) {
	e, err := scanEventInto(row, true)
	return e, err
}

func scanEventHead(row pgx.CollectableRow) (model.StoredEvent, error) {
	return scanEventInto(row, false)
}

func scanEventInto(row pgx.CollectableRow, body bool) (e model.StoredEvent, err error) {
	var id [16]byte
	dest := []any{&e.ID, &e.ProjectID, &e.IssueID, &id, &e.Received, &e.Timestamp, &e.Level, &e.Platform, &e.Title, &e.Release, &e.Env}
	if body {
		dest = append(dest, &e.Body)
	}
	err = row.Scan(dest...)
	e.EventID = hex.EncodeToString(id[:])
	return e, err
}

// earliest is the first moment at which an event with a time-ordered id can have been stored, so that a query opens
// only the days after it. There is no last one: what waited long in a spool stands under a later day.
func earliest(id int64) time.Time { return model.TimeOf(id).Add(-24 * time.Hour) }

// earliestOf is the same for several: without it a statement looks for each of them in each day.
func earliestOf(ids []int64) time.Time {
	if len(ids) == 0 {
		return time.Time{}
	}
	return earliest(slices.Min(ids))
}

// Event is the event of a project with an event id, with its body; errs.NotFound when there is none.
func (s *Store) Event(ctx context.Context, project int64, eventID string) (model.StoredEvent, error) {
	id, err := hex.DecodeString(eventID)
	if err != nil || len(id) != 16 {
		return model.StoredEvent{}, errs.New(errs.NotFound, "There is no such event.")
	}
	var row int64
	q := s.db.Read(ctx, opsKey(project))
	err = q.QueryRow(ctx, `SELECT id FROM event_seen WHERE project_id = $1 AND event_id = $2`, project, [16]byte(id)).Scan(&row)
	if errors.Is(err, pgx.ErrNoRows) {
		return model.StoredEvent{}, errs.New(errs.NotFound, "There is no such event.")
	}
	if err != nil {
		return model.StoredEvent{}, fmt.Errorf("cannot find event %s: %w", eventID, err)
	}
	return s.oneEvent(ctx, project, `SELECT `+eventColumns+` FROM event
		WHERE project_id = $1 AND id = $2 AND received >= $3 AND `+ofSeenIssue, project, row, earliest(row))
}

// ofSeenIssue leaves the events of deleted issues out.
const ofSeenIssue = `NOT EXISTS (SELECT 1 FROM issue i WHERE i.id = event.issue_id AND i.deleted_at IS NOT NULL)`

// LatestEvent is the newest event of an issue with its body.
func (s *Store) LatestEvent(ctx context.Context, issue model.Issue) (model.StoredEvent, error) {
	return s.oneEvent(ctx, issue.ProjectID, `SELECT `+eventColumns+` FROM event
		WHERE issue_id = $1 ORDER BY id DESC LIMIT 1`, issue.ID)
}

// FirstEvent is the oldest event of an issue that is still kept, with its body.
func (s *Store) FirstEvent(ctx context.Context, issue model.Issue) (model.StoredEvent, error) {
	return s.oneEvent(ctx, issue.ProjectID, `SELECT `+eventColumns+` FROM event
		WHERE issue_id = $1 ORDER BY id LIMIT 1`, issue.ID)
}

func (s *Store) oneEvent(ctx context.Context, project int64, sql string, args ...any) (model.StoredEvent, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, sql, args...)
	if err != nil {
		return model.StoredEvent{}, fmt.Errorf("cannot read an event: %w", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEvent)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errs.New(errs.NotFound, "There is no such event, or it has passed its days.")
	}
	if err != nil {
		return e, fmt.Errorf("cannot read an event: %w", err)
	}
	return e, nil
}

// EventPlace is where an event stands among those of its issue. Ids are empty when there is none.
type EventPlace struct {
	First, Prev, Next, Latest string
	Nth, Total                int64
}

// maxNth bounds how far events are counted to say "event 3 of 412": beyond it the place is not said.
const maxNth = 10_000

// EventPlace finds the neighbours of an event.
func (s *Store) EventPlace(ctx context.Context, e model.StoredEvent) (p EventPlace, err error) {
	err = s.db.Read(ctx, opsKey(e.ProjectID)).QueryRow(ctx, `SELECT
		coalesce((SELECT event_id::text FROM event WHERE issue_id = $1 ORDER BY id LIMIT 1), ''),
		coalesce((SELECT event_id::text FROM event WHERE issue_id = $1 AND id < $2 ORDER BY id DESC LIMIT 1), ''),
		coalesce((SELECT event_id::text FROM event WHERE issue_id = $1 AND id > $2 ORDER BY id LIMIT 1), ''),
		coalesce((SELECT event_id::text FROM event WHERE issue_id = $1 ORDER BY id DESC LIMIT 1), ''),
		(SELECT count(*) FROM (SELECT 1 FROM event WHERE issue_id = $1 AND id <= $2 LIMIT $3) n)`,
		e.IssueID, e.ID, maxNth).Scan(&p.First, &p.Prev, &p.Next, &p.Latest, &p.Nth)
	if err != nil {
		return p, fmt.Errorf("cannot place event %s: %w", e.EventID, err)
	}
	for _, id := range []*string{&p.First, &p.Prev, &p.Next, &p.Latest} {
		*id = undash(*id)
	}
	if p.Nth == maxNth {
		p.Nth = 0
	}
	return p, nil
}

// IssueEvents is one page of an issue's events without bodies, newest first: those with ids below before
// (0: from the newest), or when after is not 0 the page above it.
func (s *Store) IssueEvents(ctx context.Context, issue model.Issue, before, after int64, limit int) ([]model.StoredEvent, error) {
	sql := `SELECT ` + eventHead + ` FROM event WHERE issue_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`
	edge := before
	if edge == 0 {
		edge = 1<<63 - 1
	}
	if after != 0 {
		sql = `SELECT * FROM (SELECT ` + eventHead + ` FROM event WHERE issue_id = $1 AND id > $2 ORDER BY id LIMIT $3) e ORDER BY id DESC`
		edge = after
	}
	return s.events(ctx, issue.ProjectID, sql, issue.ID, edge, limit)
}

// ProjectEvents is one page of a project's events without bodies, newest first, below an id.
func (s *Store) ProjectEvents(ctx context.Context, project, before int64, limit int) ([]model.StoredEvent, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	return s.events(ctx, project, `SELECT `+eventHead+` FROM event
		WHERE project_id = $1 AND id < $2 AND `+ofSeenIssue+` ORDER BY id DESC LIMIT $3`, project, before, limit)
}

func (s *Store) events(ctx context.Context, project int64, sql string, args ...any) ([]model.StoredEvent, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanEventHead)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	return out, nil
}

func undash(uuid string) string {
	if len(uuid) != 36 {
		return uuid
	}
	return uuid[:8] + uuid[9:13] + uuid[14:18] + uuid[19:23] + uuid[24:]
}
