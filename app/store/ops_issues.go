package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

const issueColumns = `i.id, i.project_id, i.number, i.config, i.hash, i.title, i.type, i.value, i.culprit, i.level, i.platform,
	i.status, i.regressed, i.first_seen, i.last_seen, i.events, i.users, i.first_release, i.last_release,
	coalesce(i.merged_into, 0)`

// listed is what lists, counts and actions ask of an issue; their indexes hold no other.
const listed = `merged_into IS NULL AND deleted_at IS NULL`

func scanIssue(row pgx.CollectableRow) (i model.Issue, err error) {
	var hash []byte
	err = row.Scan(&i.ID, &i.ProjectID, &i.Number, &i.Config, &hash, &i.Title, &i.Type, &i.Value, &i.Culprit, &i.Level, &i.Platform,
		&i.Status, &i.Regressed, &i.FirstSeen, &i.LastSeen, &i.Events, &i.Users, &i.FirstRelease, &i.LastRelease, &i.MergedInto)
	i.Hash = hexHash(hash)
	return i, err
}

// IssueSort is the order of an issue list, largest first.
type IssueSort string

// The orders.
const (
	ByLastSeen  IssueSort = "last_seen"
	ByFirstSeen IssueSort = "first_seen"
	ByEvents    IssueSort = "events"
)

// IssueCursor is a place in an ordered list: after the row with this key and id, or before it.
type IssueCursor struct {
	At     time.Time // for the two sorts by time
	N      int64     // for the sort by events
	ID     int64
	Before bool // page backwards
}

// IssueQuery asks for one page of issues.
type IssueQuery struct {
	Projects []int64
	Statuses []model.Status
	Sort     IssueSort
	Cursor   *IssueCursor
	Limit    int
}

// issueLists holds the six statements of the list, one a sort and direction: a lateral scan of the index for each
// project and status, merged, so that a page reads Limit rows of each and never a whole table.
var issueLists = func() map[string]string {
	const text = `SELECT ` + issueColumns + `
		FROM unnest($1::bigint[]) AS p (id) CROSS JOIN unnest($2::text[]) AS s (status)
		CROSS JOIN LATERAL (
			SELECT * FROM issue
			WHERE project_id = p.id AND status = s.status AND ` + listed + ` AND (COLUMN, id) OP ($3, $4::bigint)
			ORDER BY COLUMN DIR, id DIR LIMIT $5
		) i
		ORDER BY i.COLUMN DIR, i.id DIR LIMIT $5`
	out := map[string]string{}
	for _, sort := range []IssueSort{ByLastSeen, ByFirstSeen, ByEvents} {
		out[string(sort)] = strings.NewReplacer("COLUMN", string(sort), "OP", "<", "DIR", "DESC").Replace(text)
		out[string(sort)+" back"] = strings.NewReplacer("COLUMN", string(sort), "OP", ">", "DIR", "ASC").Replace(text)
	}
	return out
}()

// Issues is one page of issues, largest first, whichever way the cursor points.
func (s *Store) Issues(ctx context.Context, q IssueQuery) ([]model.Issue, error) {
	c := q.Cursor
	if c == nil {
		c = &IssueCursor{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), N: 1<<63 - 1, ID: 1<<63 - 1}
	}
	name, edge := string(q.Sort), any(c.At)
	if q.Sort == ByEvents {
		edge = c.N
	}
	if c.Before {
		name += " back"
	}
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, issueLists[name], q.Projects, q.Statuses, edge, c.ID, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("cannot list issues: %w", err)
	}
	issues, err := pgx.CollectRows(rows, scanIssue)
	if err != nil {
		return nil, fmt.Errorf("cannot list issues: %w", err)
	}
	if c.Before {
		for i, j := 0, len(issues)-1; i < j; i, j = i+1, j-1 {
			issues[i], issues[j] = issues[j], issues[i]
		}
	}
	return issues, nil
}

// IssueCounts is the number of issues of projects by status.
func (s *Store) IssueCounts(ctx context.Context, projects []int64) (map[string]int64, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT status, count(*) FROM issue
		WHERE project_id = ANY($1) AND `+listed+` GROUP BY status`, projects)
	if err != nil {
		return nil, fmt.Errorf("cannot count issues: %w", err)
	}
	counts := map[string]int64{}
	var status string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error { counts[status] = n; return nil })
	if err != nil {
		return nil, fmt.Errorf("cannot count issues: %w", err)
	}
	return counts, nil
}

// IssueStats are the events of issues by half hour since a moment.
func (s *Store) IssueStats(ctx context.Context, issues []int64, since time.Time) (map[int64][]model.Bucket, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT issue_id, bucket, level, n FROM issue_stat
		WHERE issue_id = ANY($1) AND bucket >= $2 ORDER BY issue_id, bucket`, issues, since)
	if err != nil {
		return nil, fmt.Errorf("cannot read the graphs of issues: %w", err)
	}
	out := map[int64][]model.Bucket{}
	var id int64
	var b model.Bucket
	_, err = pgx.ForEachRow(rows, []any{&id, &b.Start, &b.Level, &b.N}, func() error {
		out[id] = append(out[id], b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the graphs of issues: %w", err)
	}
	return out, nil
}

// Issue is the issue of a project with a number; errs.NotFound when there is none, or when it has been deleted.
// One that was merged comes with MergedInto set.
func (s *Store) Issue(ctx context.Context, project, number int64) (model.Issue, error) {
	return s.oneIssue(ctx, project, `SELECT `+issueColumns+` FROM issue i WHERE i.project_id = $1 AND i.number = $2 AND i.deleted_at IS NULL`, project, number)
}

// IssueByID is the issue with an id, under the same terms as Issue. Projects carry no tenants yet, so any
// signed-in account may read any of them; the caller checks scopes.
func (s *Store) IssueByID(ctx context.Context, id int64) (model.Issue, error) {
	return s.oneIssue(ctx, 0, `SELECT `+issueColumns+` FROM issue i WHERE i.id = $1 AND i.deleted_at IS NULL`, id)
}

// Taker is the issue to which merges lead from one; errs.NotFound when that has been deleted.
func (s *Store) Taker(ctx context.Context, id int64) (model.Issue, error) {
	return s.oneIssue(ctx, 0, `WITH RECURSIVE way AS (
			SELECT id, merged_into FROM issue WHERE id = $1
			UNION SELECT i.id, i.merged_into FROM issue i JOIN way ON i.id = way.merged_into
		)
		SELECT `+issueColumns+` FROM way JOIN issue i USING (id) WHERE way.merged_into IS NULL AND i.deleted_at IS NULL`, id)
}

func (s *Store) oneIssue(ctx context.Context, project int64, sql string, args ...any) (model.Issue, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, sql, args...)
	if err != nil {
		return model.Issue{}, fmt.Errorf("cannot read issue %v: %w", args, err)
	}
	issue, err := pgx.CollectExactlyOneRow(rows, scanIssue)
	if errors.Is(err, pgx.ErrNoRows) {
		return issue, errs.New(errs.NotFound, "There is no such issue.")
	}
	if err != nil {
		return issue, fmt.Errorf("cannot read issue %v: %w", args, err)
	}
	return issue, nil
}

// IssueTags are the counted tag values of an issue, the commonest of each tag first. The empty value stands
// for those beyond MaxTagValues.
func (s *Store) IssueTags(ctx context.Context, issue int64) ([]model.TagShare, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT key, value, n FROM issue_tag WHERE issue_id = $1 AND key NOT LIKE 'flags[%' ORDER BY key, n DESC, value`, issue)
	if err != nil {
		return nil, fmt.Errorf("cannot read tags of issue %d: %w", issue, err)
	}
	tags, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.TagShare])
	if err != nil {
		return nil, fmt.Errorf("cannot read tags of issue %d: %w", issue, err)
	}
	return tags, nil
}

// FlagTag is the tag that the answers of a switch are counted under, after Sentry's flags[name]: no tag of an event can be called so.
func FlagTag(key string) string { return "flags[" + key + "]" }

// StatusChange is one thing that somebody did to the status of an issue.
type StatusChange struct {
	ActivityID int64
	IssueID    int64
	Before     model.Status
	After      model.Status
}

// SetStatus gives issues a status and records it with the account that did it, in one statement. It answers
// what changed, with the status before, so that it can be undone; issues that had the status already are left out.
func (s *Store) SetStatus(ctx context.Context, ids, activityIDs []int64, status model.Status, account int64) ([]StatusChange, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `WITH was AS (
			SELECT i.id, i.status, w.activity FROM unnest($1::bigint[], $2::bigint[]) AS w (id, activity)
			JOIN issue i ON i.id = w.id
			WHERE i.status <> $3 AND `+listed+` ORDER BY i.id FOR UPDATE OF i
		), done AS (
			UPDATE issue i SET status = $3, regressed = false FROM was WHERE i.id = was.id
		)
		INSERT INTO issue_activity (id, issue_id, account_id, action, before, after)
		SELECT was.activity, was.id, $4, 'status', was.status, $3 FROM was
		RETURNING id, issue_id, before, after`, ids, activityIDs, string(status), account)
	if err != nil {
		return nil, fmt.Errorf("cannot change the status of issues: %w", err)
	}
	changes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[StatusChange])
	if err != nil {
		return nil, fmt.Errorf("cannot change the status of issues: %w", err)
	}
	return changes, nil
}

// Activity is one line of an issue's history.
type Activity struct {
	ID        int64
	AccountID int64
	Action    string
	Before    string
	After     string
	At        time.Time
}

// IssueActivity is the history of an issue, newest first.
func (s *Store) IssueActivity(ctx context.Context, issue int64, limit int) ([]Activity, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT id, account_id, action, before, after, at FROM issue_activity
		WHERE issue_id = $1 ORDER BY id DESC LIMIT $2`, issue, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of issue %d: %w", issue, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Activity])
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of issue %d: %w", issue, err)
	}
	return out, nil
}
