package perfpgx

import (
	"context"

	"github.com/jackc/pgx/v5"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

// batch is a batch that runs. Its statements are spans one after the other, each from the end of the one before; the first
// has the round trip. Statements alike that follow each other are one span with their number, so that loading a thousand
// rows by a batch is not a thousand spans.
type batch struct {
	ctx  context.Context // nil when no batch runs, or in no request
	of   *pgx.Batch
	next int // the statement whose result comes next
	span perf.Span
	n    int   // statements in span that have ended
	rows int64 // of them
}

// TraceBatchStart implements pgx.BatchTracer.
func (t *Tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	s := stateOf(conn)
	s.batch = batch{}
	if q := perf.FromContext(ctx); q != nil && len(d.Batch.QueuedQueries) > 0 {
		s.batch = batch{ctx: ctx, of: d.Batch}
		s.batch.begin(conn, perf.Work{Pool: s.waited(q)})
	}
	return ctx
}

// begin begins the span of the statements that come next.
func (b *batch) begin(conn *pgx.Conn, w perf.Work) {
	w.Category, w.Op, w.System, w.PID = trace.DB, "db.batch", system, int32(conn.PgConn().PID())
	w.Text = b.of.QueuedQueries[b.next].SQL
	b.span, b.n, b.rows = perf.BeginWork(b.ctx, w), 0, 0
}

// more tells whether another statement follows, and whether it is alike.
func (b *batch) more() (more, alike bool) {
	queued := b.of.QueuedQueries
	more = b.next < len(queued)
	return more, more && queued[b.next].SQL == queued[b.next-1].SQL
}

// TraceBatchQuery implements pgx.BatchTracer.
func (t *Tracer) TraceBatchQuery(_ context.Context, conn *pgx.Conn, d pgx.TraceBatchQueryData) {
	b := &stateOf(conn).batch
	if b.ctx == nil || b.next >= len(b.of.QueuedQueries) {
		return
	}
	b.next++
	b.n++
	b.rows += d.CommandTag.RowsAffected()
	if d.Err != nil { // PostgreSQL runs nothing after it
		b.end(d.Err)
		return
	}
	if more, alike := b.more(); !alike {
		b.span.EndWith(perf.Outcome{Rows: b.rows, Count: b.n})
		b.span = perf.Span{}
		if more {
			b.begin(conn, perf.Work{})
		}
	}
}

// TraceBatchEnd implements pgx.BatchTracer.
func (t *Tracer) TraceBatchEnd(_ context.Context, conn *pgx.Conn, d pgx.TraceBatchEndData) {
	stateOf(conn).batch.end(d.Err)
}

// end ends the span that runs, and lets go of the batch.
func (b *batch) end(err error) {
	if err != nil {
		b.span.EndWith(perf.Outcome{Failed: true, State: sqlState(err), Rows: -1, Count: b.n})
	} else {
		b.span.EndWith(perf.Outcome{Rows: b.rows, Count: b.n})
	}
	*b = batch{}
}
