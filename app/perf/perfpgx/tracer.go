// Package perfpgx records the queries of pgx v5 in the request of their context: each with its SQL, its duration, the
// wait for its connection, the rows, the SQLSTATE of a failure, the PID of the backend that ran it, and the line of code
// that asked for it.
//
//	config.ConnConfig.Tracer = perfpgx.New(perfpgx.Options{})
//
// with the configuration of a pgxpool.Pool or of one connection. Beside another tracer use pgx's multitracer. A query whose
// context has no request costs a look into the context.
package perfpgx

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

// Options are what a Tracer leaves out.
type Options struct {
	// NoTransactions leaves out begin, commit and rollback. A commit is where PostgreSQL waits for its disk, so its time
	// is worth seeing; it then counts as the program's own.
	NoTransactions bool
}

// Tracer implements pgx's tracers of queries, batches and copies, and pgxpool's of acquires. Preparing a statement is a part
// of the query that needs it.
type Tracer struct{ o Options }

// New makes a Tracer.
func New(o Options) *Tracer { return &Tracer{o} }

const system = "postgresql"

// state is what a connection's tracer remembers between the beginning of a statement and its end. It hangs on the
// connection and not on the context: a connection runs one statement at a time, and so nothing has to be allocated.
type state struct {
	open []perf.Span // the innermost last: a query on a busy connection begins and fails within another
	// waiter has waited for this connection, and its next query tells how long.
	waiter *perf.Request
	wait   time.Duration
	batch  batch
	near   perf.Near // where the next statement is asked for, when TraceCaller was told
}

// dataKey names our state among a connection's custom data.
const dataKey = "kibitz.perf"

// maxOpen bounds statements that began and never ended, as after a panic in between.
const maxOpen = 16

func stateOf(conn *pgx.Conn) *state {
	data := conn.PgConn().CustomData()
	if s, ok := data[dataKey].(*state); ok {
		return s
	}
	s := &state{}
	data[dataKey] = s
	return s
}

// push begins a statement.
func (s *state) push(span perf.Span) {
	if len(s.open) == maxOpen {
		s.open = s.open[:0]
	}
	s.open = append(s.open, span)
}

// begin begins a statement of a context. What belongs to no request is not even looked up, here and at its end (end).
func begin(ctx context.Context, conn *pgx.Conn, op, text string) {
	q := perf.FromContext(ctx)
	if q == nil {
		return
	}
	s := stateOf(conn)
	w := perf.Work{Category: trace.DB, Op: op, Text: text, System: system, PID: int32(conn.PgConn().PID()), Pool: s.waited(q), Near: s.near}
	s.push(perf.BeginWork(ctx, w))
	s.near = perf.Near{}
}

// TraceCaller is for a layer above pgx, such as a package that all queries go through: it may say that it is about to run a
// statement on a connection, and spares us a walk through pgx and the pool. The layer's own calls are left out by
// perf.Options.Skip.
func (t *Tracer) TraceCaller(ctx context.Context, conn *pgx.Conn) {
	if perf.FromContext(ctx).WantsCallers() {
		stateOf(conn).near = perf.NearCallers(1)
	}
}

func end(ctx context.Context, conn *pgx.Conn, tag pgconn.CommandTag, err error) {
	if perf.FromContext(ctx) != nil {
		stateOf(conn).pop().EndWith(outcome(tag, err))
	}
}

// waited is the wait for this connection that nobody has accounted for yet, if it was this request that waited.
func (s *state) waited(q *perf.Request) (wait time.Duration) {
	if s.waiter == q {
		wait = s.wait
	}
	s.waiter, s.wait = nil, 0
	return wait
}

func (s *state) pop() (span perf.Span) {
	if last := len(s.open) - 1; last >= 0 {
		span = s.open[last]
		s.open[last] = perf.Span{} // lets go of the request
		s.open = s.open[:last]
	}
	return span
}

// TraceQueryStart implements pgx.QueryTracer.
func (t *Tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	switch {
	case !isTransaction(d.SQL):
		begin(ctx, conn, "db.query", d.SQL)
	case !t.o.NoTransactions:
		begin(ctx, conn, "db.sql.transaction", d.SQL)
	case perf.FromContext(ctx) != nil:
		s := stateOf(conn)
		s.near = perf.Near{}
		s.push(perf.Span{}) // for its end to find
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t *Tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, d pgx.TraceQueryEndData) {
	end(ctx, conn, d.CommandTag, d.Err)
}

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (t *Tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	if perf.FromContext(ctx) != nil {
		begin(ctx, conn, "db.copy", "COPY "+d.TableName.Sanitize()+" FROM STDIN")
	}
	return ctx
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (t *Tracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, d pgx.TraceCopyFromEndData) {
	end(ctx, conn, d.CommandTag, d.Err)
}

func outcome(tag pgconn.CommandTag, err error) perf.Outcome {
	if err != nil {
		return perf.Outcome{Failed: true, State: sqlState(err), Rows: -1}
	}
	return perf.Outcome{Rows: tag.RowsAffected()}
}

// sqlState is PostgreSQL's code of a failure (its manual, appendix A), or Sentry's word where the server has not spoken.
func sqlState(err error) string {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return pg.Code
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "internal_error"
}

// isTransaction knows the statements that begin and end transactions by their first word.
func isTransaction(sql string) bool {
	for _, word := range [...]string{"begin", "commit", "rollback", "savepoint", "release"} {
		if n := len(word); len(sql) >= n && strings.EqualFold(sql[:n], word) && (len(sql) == n || sql[n] <= ' ' || sql[n] == ';') {
			return true
		}
	}
	return false
}

type acquireKey struct{}

// acquireContext carries a wait from its beginning to its end.
type acquireContext struct {
	context.Context
	wait perf.Waiting
}

// Value implements context.Context.
func (c *acquireContext) Value(key any) any {
	if _, ok := key.(acquireKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// TraceAcquireStart implements pgxpool.AcquireTracer.
func (t *Tracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	wait := perf.Wait(ctx)
	if wait.Request() == nil {
		return ctx
	}
	return &acquireContext{ctx, wait}
}

// TraceAcquireEnd implements pgxpool.AcquireTracer. The wait belongs to the query that comes next on the connection; only
// one that was in vain is a span of its own.
func (t *Tracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, d pgxpool.TraceAcquireEndData) {
	c, ok := ctx.Value(acquireKey{}).(*acquireContext)
	if !ok {
		return
	}
	took := c.wait.End()
	if d.Err == nil && d.Conn != nil {
		s := stateOf(d.Conn)
		s.waiter, s.wait = c.wait.Request(), took
		return
	}
	span := perf.BeginWork(ctx, perf.Work{Category: trace.Pool, Op: "pool.acquire", Text: "acquire a connection", System: system, Pool: took})
	span.EndWith(perf.Outcome{Failed: true, State: sqlState(d.Err), Rows: -1})
}
