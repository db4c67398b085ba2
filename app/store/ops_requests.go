package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// RequestQuery asks for requests of a project, by what a row knows.
type RequestQuery struct {
	Project  int64
	From, To time.Time // of the start
	Terms    []RequestTerm
	Sort     RequestSort
	Limit    int
	// After continues a list: the last row of the page before. Its ID is 0 on the first page.
	After model.RequestRow
}

// RequestSort is the order of a list.
type RequestSort int

// The orders. All are from the largest down, and the newest first where rows are equal.
const (
	Newest RequestSort = iota
	Slowest
	MostQueries
)

// RequestTerm is one condition: one of its alternatives holds, or with Not none does. A term without alternatives never holds.
type RequestTerm struct {
	Not bool
	Any []RequestAlternative
}

// RequestAlternative compares one column. IDs are of endpoints and labels.
type RequestAlternative struct {
	Column    RequestColumn
	IDs       []int32
	Low, High int64 // both included
	User      int64
	Trace     trace.ID
}

// RequestColumn is what an alternative looks at.
type RequestColumn int

// The columns. OfEndpoint to OfSwitch are in IDs; OfStatus, OfDuration (microseconds) and OfQueries from Low to High.
const (
	OfEndpoint RequestColumn = iota
	OfRelease
	OfEnvironment
	OfHost
	OfSwitch
	OfStatus
	OfDuration
	OfQueries
	OfUser
	OfTrace
	IsFailed
	IsKept
)

// MaxScan is how many of the newest requests a search looks at: some two seconds of work.
const MaxScan = 1_000_000

// arguments collects the values of a statement.
type arguments []any

// hold adds a value and gives its place.
func (a *arguments) hold(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

func (t RequestTerm) sql(args *arguments) string {
	parts := []string{"false"}
	for _, alt := range t.Any {
		parts = append(parts, alt.sql(args))
	}
	sql := "(" + strings.Join(parts, " OR ") + ")"
	if t.Not {
		sql = "NOT " + sql
	}
	return sql
}

func (a RequestAlternative) sql(args *arguments) string {
	switch a.Column {
	case OfEndpoint:
		return "endpoint_id = ANY(" + args.hold(a.IDs) + ")"
	case OfRelease:
		return "release_id = ANY(" + args.hold(a.IDs) + ")"
	case OfEnvironment:
		return "env_id = ANY(" + args.hold(a.IDs) + ")"
	case OfHost:
		return "host_id = ANY(" + args.hold(a.IDs) + ")"
	case OfSwitch:
		return "coalesce(switches && " + args.hold(a.IDs) + ", false)"
	case OfStatus:
		return "status BETWEEN " + args.hold(a.Low) + "::bigint AND " + args.hold(a.High) + "::bigint"
	case OfDuration:
		return "duration_us BETWEEN " + args.hold(a.Low) + "::bigint AND " + args.hold(a.High) + "::bigint"
	case OfQueries:
		return "db_n BETWEEN " + args.hold(a.Low) + "::bigint AND " + args.hold(a.High) + "::bigint"
	case OfUser:
		return "user_hash = " + args.hold(a.User)
	case OfTrace:
		return "trace_id = " + args.hold([16]byte(a.Trace))
	case IsFailed:
		return "failed"
	case IsKept:
		return "kept <> 0"
	}
	return "false"
}

// where is the condition of a query. Rows of a stretch of time were received in it or later, but for clocks that run ahead.
func (q *RequestQuery) where(args *arguments) string {
	from := args.hold(q.From)
	parts := []string{"project_id = " + args.hold(q.Project), "start >= " + from, "received >= " + from + "::timestamptz - interval '5 minutes'",
		"start < " + args.hold(q.To)}
	for _, t := range q.Terms {
		parts = append(parts, t.sql(args))
	}
	return strings.Join(parts, " AND ")
}

func (q *RequestQuery) order(args *arguments) (order, after string) {
	column, value := "id", any(nil)
	switch q.Sort {
	case Slowest:
		column, value = "duration_us", q.After.Duration.Microseconds()
	case MostQueries:
		column, value = "db_n", int32(q.After.Totals.N[trace.DB])
	}
	order = column + " DESC"
	if q.Sort != Newest {
		order += ", id DESC"
	}
	switch {
	case q.After.ID == 0:
		return order, ""
	case q.Sort == Newest:
		return order, " AND id < " + args.hold(q.After.ID)
	}
	return order, " AND (" + column + ", id) < (" + args.hold(value) + ", " + args.hold(q.After.ID) + ")"
}

// SearchRequests gives a page of requests. The newest come by an index; for other orders the newest MaxScan are looked at.
func (s *Store) SearchRequests(ctx context.Context, q RequestQuery) ([]model.RequestRow, error) {
	var args arguments
	where := q.where(&args)
	order, after := q.order(&args)
	source := "request WHERE " + where + after
	if q.Sort != Newest {
		source = "(SELECT * FROM request WHERE " + where + " ORDER BY id DESC LIMIT " + args.hold(MaxScan) + ") AS newest WHERE true" + after
	}
	return s.requestRows(ctx, q.Project, "SELECT "+requestColumns+" FROM "+source+" ORDER BY "+order+" LIMIT "+args.hold(q.Limit), args...)
}

// RequestVolume gives how many of the newest MaxScan requests that a query finds began in each step of time, by their weight,
// and how many of those failed.
func (s *Store) RequestVolume(ctx context.Context, q RequestQuery, step time.Duration) (out []RequestCount, looked int64, err error) {
	var args arguments
	where := q.where(&args)
	width := args.hold(step)
	rows, err := s.db.Read(ctx, opsKey(q.Project)).Query(ctx, `SELECT date_bin(`+width+`::interval, start, 'epoch') AS bucket, sum(weight)::float8,
			coalesce(sum(weight) FILTER (WHERE failed), 0)::float8, count(*)
		FROM (SELECT start, weight, failed FROM request WHERE `+where+` ORDER BY id DESC LIMIT `+args.hold(MaxScan)+`) AS newest
		GROUP BY bucket ORDER BY bucket`, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot count requests: %w", err)
	}
	out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c RequestCount, err error) {
		var n int64
		err = row.Scan(&c.Start, &c.N, &c.Failed, &n)
		looked += n
		return c, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("cannot count requests: %w", err)
	}
	return out, looked, nil
}

// RequestCount is the number of requests that began in a step of time.
type RequestCount struct {
	Start     time.Time
	N, Failed float64
}

// RequestsOfTrace gives the stored requests of a trace in order of start, of whichever project; at most 1,000.
func (s *Store) RequestsOfTrace(ctx context.Context, id trace.ID) ([]model.RequestRow, error) {
	return s.requestRows(ctx, 0, "SELECT "+requestColumns+" FROM request WHERE trace_id = $1 ORDER BY start, id LIMIT 1000", [16]byte(id))
}

const requestColumns = `id, received, project_id, trace_id, span_id, start, user_hash, duration_us, db_us, cache_us, http_us, template_us, pool_us, other_us,
	endpoint_id, release_id, env_id, host_id, db_n, cache_n, http_n, template_n, weight, status, kept, failed, found, switches`

func (s *Store) requestRows(ctx context.Context, project int64, sql string, args ...any) ([]model.RequestRow, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read requests: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanRequest)
	if err != nil {
		return nil, fmt.Errorf("cannot read requests: %w", err)
	}
	return list, nil
}

func scanRequest(row pgx.CollectableRow) (r model.RequestRow, err error) {
	var id [16]byte
	var span, took int64
	var t [trace.Categories]int64
	var n [trace.Categories]int32
	var weight float32
	var status, kept int16
	err = row.Scan(&r.ID, &r.Received, &r.ProjectID, &id, &span, &r.Start, &r.UserHash, &took, &t[trace.DB], &t[trace.Cache], &t[trace.HTTP],
		&t[trace.Template], &t[trace.Pool], &t[trace.Other], &r.Endpoint, &r.Release, &r.Env, &r.Host, &n[trace.DB], &n[trace.Cache], &n[trace.HTTP],
		&n[trace.Template], &weight, &status, &kept, &r.Failed, &r.Found, &r.Switches)
	r.Trace, r.Span, r.Duration = id, trace.SpanID(span), time.Duration(took)*time.Microsecond
	for c := range t {
		r.Totals.Time[c], r.Totals.N[c] = time.Duration(t[c])*time.Microsecond, int(n[c])
	}
	r.Weight, r.Status, r.Kept = float64(weight), int(status), model.KeepReason(kept)
	return r, err
}

// TraceBodies gives the kept spans of a trace, at most 1,000 requests' of them.
func (s *Store) TraceBodies(ctx context.Context, id trace.ID) ([]TraceRow, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT trace_id, project_id, request_id, spans, body FROM trace WHERE trace_id = $1
		ORDER BY request_id DESC LIMIT 1000`, [16]byte(id))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spans of a trace: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t TraceRow, err error) {
		var id [16]byte
		err = row.Scan(&id, &t.Project, &t.Request, &t.Spans, &t.Body)
		t.Trace = id
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the spans of a trace: %w", err)
	}
	return list, nil
}

// LogsOfTrace gives the first log lines of a trace, and how many there are.
func (s *Store) LogsOfTrace(ctx context.Context, project int64, id trace.ID, limit int) (lines []trace.LogLine, total int64, err error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT at, level, logger, body, attrs, count(*) OVER () FROM log_line
		WHERE trace_id = $1 AND project_id = $2 ORDER BY at, id LIMIT $3`, [16]byte(id), project, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the log lines of a trace: %w", err)
	}
	lines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l trace.LogLine, err error) {
		var level int16
		var attrs map[string]string
		err = row.Scan(&l.At, &level, &l.Logger, &l.Body, &attrs, &total)
		l.Level = logLevels[min(max(int(level), 0), len(logLevels)-1)]
		l.Service, l.Release, l.Environment, l.Host = attrs["service"], attrs["release"], attrs["environment"], attrs["host"]
		return l, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the log lines of a trace: %w", err)
	}
	return lines, total, nil
}

// EventsOfTrace gives the heads of the newest events that name a trace.
func (s *Store) EventsOfTrace(ctx context.Context, project int64, id trace.ID, limit int) ([]model.StoredEvent, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT `+eventHead+` FROM event WHERE trace_id = $1 AND project_id = $2
		ORDER BY id DESC LIMIT $3`, [16]byte(id), project, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read the events of a trace: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEventHead)
	if err != nil {
		return nil, fmt.Errorf("cannot read the events of a trace: %w", err)
	}
	return list, nil
}
