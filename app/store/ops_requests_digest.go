package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// RequestDigest is what one batch of the drain adds to the tables of requests. It is worked out before the transaction, so
// that this only copies.
type RequestDigest struct {
	Rows       []model.RequestRow
	Traces     []TraceRow
	Pending    []TraceRow // spans whose request has not come yet
	Logs       []LogRow
	Endpoints  []EndpointRollup
	Statements []StatementRollup
	Switches   []SwitchRollup
	Findings   []FindingSeen
	Calls      []model.StatementCall
	Sources    map[string]int64 // by log: the number of its last portion
	Outcomes   []model.OutcomeCount
	Firsts     map[int64]time.Time // by project: when something came first
}

func (d *RequestDigest) empty() bool {
	return len(d.Rows)+len(d.Traces)+len(d.Pending)+len(d.Logs)+len(d.Endpoints)+len(d.Statements)+len(d.Switches)+len(d.Findings)+len(d.Calls)+len(d.Sources) == 0
}

// TraceRow is the spans of one request, or of a trace whose request is not known, as trace.Append under zstd.
type TraceRow struct {
	Project int64
	Trace   trace.ID
	Request int64 // 0: they came after or before their request
	Spans   int
	Body    []byte
}

// LogRow is a log line to store.
type LogRow struct {
	ID, Project int64
	Line        trace.LogLine
}

// EndpointRollup is a sum of requests of one endpoint, release and stretch of time. Times are microseconds; everything but
// Seen counts requests by their weight.
type EndpointRollup struct {
	Bucket    time.Time
	Project   int64
	Endpoint  int32
	Release   int32
	N, Failed float64
	Seen      int64
	Duration  float64
	Time      [trace.Categories]float64 // Time[Other] is not stored: what the others leave of Duration
	Queries   float64
	Durations []byte // sketch.Encode, of microseconds
	PerQuery  []byte // sketch.Encode, of queries a request
}

// StatementRollup is a sum of calls of one statement by one caller in a stretch of time.
type StatementRollup struct {
	Bucket    time.Time
	Project   int64
	Statement int32
	Endpoint  int32
	Release   int32
	Caller    int32
	Source    model.StatementSource
	N, Failed float64
	Total     float64 // microseconds
	Max       int64   // microseconds
	Rows      float64
	RowsKnown float64 // calls whose rows are known
	Durations []byte  // sketch.Encode, of microseconds
}

// FindingSeen is what a detector found, summed up.
type FindingSeen struct {
	Project  int64
	Key      [16]byte // of its fingerprint
	Hash     [16]byte // of its issue
	Endpoint int32
	Kind     string
	At       time.Time
	Release  int32
	N        int64
	Wasted   time.Duration
	File     string // and Line: the code that asked; "" when it is not known
	Line     int
	Evidence string
}

// rollupLock is shared by whoever adds rows that are to be merged, and taken alone by whoever decides up to when they are:
// so no row can appear before that moment later.
const rollupLock = 715190224

// saveRequests copies a batch's requests. received is the moment that all its rows carry.
func saveRequests(ctx context.Context, tx pgx.Tx, d *RequestDigest) error {
	if d.empty() {
		return nil
	}
	var received time.Time
	// The clock is read when the lock is held: a row's moment is never before what was merged by then.
	err := tx.QueryRow(ctx, `SELECT clock_timestamp() FROM (SELECT pg_advisory_xact_lock_shared($1)) AS held`, rollupLock).Scan(&received)
	if err != nil {
		return fmt.Errorf("cannot begin to store requests: %w", err)
	}
	for _, copy := range []func(context.Context, pgx.Tx, time.Time, *RequestDigest) error{copyRequests, copyTraces, copyLogs, copyEndpoints, copyStatements, copySwitches, copyCalls, putFindings, putLogSources} {
		if err := copy(ctx, tx, received, d); err != nil {
			return err
		}
	}
	return nil
}

// copyRows copies n rows into a table; none costs nothing.
func copyRows(ctx context.Context, tx pgx.Tx, table string, columns []string, n int, row func(i int) []any) error {
	if n == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
	if err != nil {
		return fmt.Errorf("cannot copy into %s: %w", table, err)
	}
	return nil
}

func copyRequests(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	columns := []string{"received", "id", "trace_id", "span_id", "start", "project_id", "user_hash", "duration_us", "db_us", "cache_us", "http_us",
		"template_us", "pool_us", "other_us", "endpoint_id", "release_id", "env_id", "host_id", "db_n", "cache_n", "http_n", "template_n", "weight",
		"status", "kept", "failed", "found", "switches"}
	return copyRows(ctx, tx, "request", columns, len(d.Rows), func(i int) []any {
		r := &d.Rows[i]
		t, n := &r.Totals.Time, &r.Totals.N
		return []any{received, r.ID, [16]byte(r.Trace), int64(r.Span), r.Start, r.ProjectID, r.UserHash, r.Duration.Microseconds(),
			t[trace.DB].Microseconds(), t[trace.Cache].Microseconds(), t[trace.HTTP].Microseconds(), t[trace.Template].Microseconds(),
			t[trace.Pool].Microseconds(), t[trace.Other].Microseconds(), r.Endpoint, r.Release, r.Env, r.Host, int32(n[trace.DB]), int32(n[trace.Cache]),
			int32(n[trace.HTTP]), int32(n[trace.Template]), float32(r.Weight), int16(r.Status), int16(r.Kept), r.Failed, r.Found, r.Switches}
	})
}

func copyTraces(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	err := copyRows(ctx, tx, "trace", []string{"received", "trace_id", "request_id", "project_id", "spans", "body"}, len(d.Traces), func(i int) []any {
		t := &d.Traces[i]
		return []any{received, [16]byte(t.Trace), t.Request, t.Project, int32(t.Spans), t.Body}
	})
	if err != nil {
		return err
	}
	return copyRows(ctx, tx, "span_pending", []string{"received", "trace_id", "project_id", "spans", "body"}, len(d.Pending), func(i int) []any {
		t := &d.Pending[i]
		return []any{received, [16]byte(t.Trace), t.Project, int32(t.Spans), t.Body}
	})
}

func copyLogs(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	return copyRows(ctx, tx, "log_line", []string{"received", "id", "project_id", "at", "trace_id", "level", "logger", "body", "attrs"}, len(d.Logs), func(i int) []any {
		l := &d.Logs[i]
		var id *[16]byte
		if l.Line.Trace != (trace.ID{}) {
			id = (*[16]byte)(&l.Line.Trace)
		}
		return []any{received, l.ID, l.Project, l.Line.At, id, levelNumber(l.Line.Level), l.Line.Logger, l.Line.Body, logAttrs(&l.Line)}
	})
}

// logLevels are the levels of log lines in the order of their numbers in the database.
var logLevels = []string{"", "trace", "debug", "info", "warn", "error", "fatal"}

func levelNumber(level string) int16 {
	for i, name := range logLevels {
		if name == level {
			return int16(i)
		}
	}
	return 3
}

func logAttrs(l *trace.LogLine) map[string]string {
	m := map[string]string{}
	for _, a := range l.Attrs {
		m[a.Key] = a.Value
	}
	for key, value := range map[string]string{"service": l.Service, "release": l.Release, "environment": l.Environment, "host": l.Host} {
		if value != "" {
			m[key] = value
		}
	}
	if l.Span != 0 {
		m["span"] = l.Span.String()
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

var endpointColumns = []string{"received", "bucket", "project_id", "endpoint_id", "release_id", "n", "seen", "failed", "duration_us", "db_us", "cache_us",
	"http_us", "template_us", "pool_us", "db_n", "durations", "queries"}

func (r *EndpointRollup) row(received time.Time) []any {
	return []any{received, r.Bucket, r.Project, r.Endpoint, r.Release, r.N, r.Seen, r.Failed, r.Duration, r.Time[trace.DB], r.Time[trace.Cache],
		r.Time[trace.HTTP], r.Time[trace.Template], r.Time[trace.Pool], r.Queries, r.Durations, r.PerQuery}
}

func copyEndpoints(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	return copyRows(ctx, tx, "endpoint_raw", endpointColumns, len(d.Endpoints), func(i int) []any { return d.Endpoints[i].row(received) })
}

var statementColumns = []string{"received", "bucket", "project_id", "statement_id", "endpoint_id", "release_id", "caller_id", "source", "n", "failed", "total_us",
	"max_us", "rows", "rows_known", "durations"}

func (r *StatementRollup) row(received time.Time) []any {
	return []any{received, r.Bucket, r.Project, r.Statement, r.Endpoint, r.Release, r.Caller, int16(r.Source), r.N, r.Failed, r.Total, r.Max, r.Rows, r.RowsKnown, r.Durations}
}

func copyStatements(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	return copyRows(ctx, tx, "statement_raw", statementColumns, len(d.Statements), func(i int) []any { return d.Statements[i].row(received) })
}

// putFindings adds to what is known of findings.
func putFindings(ctx context.Context, tx pgx.Tx, _ time.Time, d *RequestDigest) error {
	b := &pgx.Batch{}
	for _, f := range d.Findings {
		b.Queue(`INSERT INTO finding AS f (project_id, key, hash, endpoint_id, kind, first_seen, last_seen, last_release, n, wasted_us, file, line, evidence)
			VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (project_id, key) DO UPDATE SET n = f.n + excluded.n, last_seen = greatest(f.last_seen, excluded.last_seen),
				hash = excluded.hash, last_release = greatest(f.last_release, excluded.last_release), wasted_us = excluded.wasted_us,
				file = excluded.file, line = excluded.line, evidence = excluded.evidence,
				fixed_in = CASE WHEN excluded.last_release >= f.fixed_in THEN 0 ELSE f.fixed_in END`,
			f.Project, f.Key[:], f.Hash[:], f.Endpoint, f.Kind, f.At, f.Release, f.N, f.Wasted.Microseconds(),
			f.File, f.Line, f.Evidence)
	}
	if b.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot note findings: %w", err)
	}
	return nil
}
