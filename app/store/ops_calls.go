package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/trace"
)

func copyCalls(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	columns := []string{"received", "project_id", "statement_id", "source", "kind", "at", "duration_us", "pid", "trace_id", "span_id", "endpoint_id", "params", "plan", "note"}
	return copyRows(ctx, tx, "statement_call", columns, len(d.Calls), func(i int) []any {
		c := &d.Calls[i]
		var id *[16]byte
		if c.Trace != (trace.ID{}) {
			id = (*[16]byte)(&c.Trace)
		}
		return []any{received, c.Project, c.Statement, int16(c.Source), int16(c.Kind), c.At, c.Duration.Microseconds(), c.PID, id, int64(c.Span), c.Endpoint, c.Params, c.Plan, c.Note}
	})
}

// putLogSources notes what has been taken of logs that can be read again.
func putLogSources(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	if len(d.Sources) == 0 {
		return nil
	}
	var names []string
	var numbers []int64
	for name, seq := range d.Sources {
		names = append(names, name)
		numbers = append(numbers, seq)
	}
	_, err := tx.Exec(ctx, `INSERT INTO log_source AS l (source, seq, updated) SELECT w.source, w.seq, $3 FROM unnest($1::text[], $2::bigint[]) AS w (source, seq) ORDER BY 1
		ON CONFLICT (source) DO UPDATE SET seq = greatest(l.seq, excluded.seq), updated = excluded.updated`, names, numbers, received)
	if err != nil {
		return fmt.Errorf("cannot note what has been taken of logs: %w", err)
	}
	return nil
}

// LogSources tells for each log up to which portion it has been taken; those of which nothing has been are left out.
func (s *Store) LogSources(ctx context.Context, names []string) (map[string]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT source, seq FROM log_source WHERE source = ANY($1)`, names)
	if err != nil {
		return nil, fmt.Errorf("cannot tell what has been taken of logs: %w", err)
	}
	out := map[string]int64{}
	var name string
	var seq int64
	if _, err := pgx.ForEachRow(rows, []any{&name, &seq}, func() error { out[name] = seq; return nil }); err != nil {
		return nil, fmt.Errorf("cannot tell what has been taken of logs: %w", err)
	}
	return out, nil
}

const callColumns = `project_id, statement_id, source, kind, at, duration_us, pid, trace_id, span_id, endpoint_id, params, plan, note`

// maxCallsRead bounds the calls that are looked at together.
const maxCallsRead = 2000

// CallsOfStatement gives the newest calls of statements in a stretch of time.
func (s *Store) CallsOfStatement(ctx context.Context, project int64, statement int32, from, to time.Time) ([]model.StatementCall, error) {
	return s.calls(ctx, project, `SELECT `+callColumns+` FROM statement_call WHERE statement_id = $1 AND at >= $2 AND at < $3 AND received >= $2 AND project_id = $4
		ORDER BY at DESC LIMIT $5`, statement, from, to, project, maxCallsRead)
}

// ServerCalls gives what the servers' logs of a project tell of a stretch of time, of some backends or, for none, of all.
func (s *Store) ServerCalls(ctx context.Context, project int64, from, to time.Time, backends []int32) ([]model.StatementCall, error) {
	if backends = slices.DeleteFunc(slices.Clone(backends), func(pid int32) bool { return pid == 0 }); len(backends) == 0 {
		backends = nil // NULL: of all
	}
	return s.calls(ctx, project, `SELECT `+callColumns+` FROM statement_call WHERE project_id = $1 AND at >= $2 AND at <= $3 AND received >= $2 AND source = $4
		AND ($5::int[] IS NULL OR pid = ANY($5)) ORDER BY at LIMIT $6`, project, from, to, int16(model.FromLog), backends, maxCallsRead)
}

func (s *Store) calls(ctx context.Context, project int64, sql string, args ...any) ([]model.StatementCall, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read calls of statements: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanCall)
	if err != nil {
		return nil, fmt.Errorf("cannot read calls of statements: %w", err)
	}
	return list, nil
}

func scanCall(row pgx.CollectableRow) (c model.StatementCall, err error) {
	var id *[16]byte
	var source, kind int16
	var took, span int64
	err = row.Scan(&c.Project, &c.Statement, &source, &kind, &c.At, &took, &c.PID, &id, &span, &c.Endpoint, &c.Params, &c.Plan, &c.Note)
	c.Source, c.Kind, c.Duration, c.Span = model.StatementSource(source), model.CallKind(kind), time.Duration(took)*time.Microsecond, trace.SpanID(span)
	if id != nil {
		c.Trace = *id
	}
	return c, err
}
