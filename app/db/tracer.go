package db

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
)

// Counter counts the statements of a context: a request's, or a test's.
type Counter struct {
	mu      sync.Mutex
	queries []string
	spent   time.Duration
	retries int
}

// maxKeptQueries bounds how many statements a counter remembers by text; it goes on counting.
const maxKeptQueries = 200

type counterKey struct{}

// WithCounter gives ctx a counter of its statements.
func WithCounter(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, counterKey{}, c), c
}

func counterOf(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}

// N is how many statements have run.
func (c *Counter) N() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queries)
}

// Time is how long they took, as seen from here.
func (c *Counter) Time() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spent
}

// Queries are the statements that ran.
func (c *Counter) Queries() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.queries...)
}

func (c *Counter) add(sql string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queries) >= maxKeptQueries {
		sql = ""
	}
	c.queries = append(c.queries, sql)
}

func (c *Counter) took(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent += d
}

func countRetry(ctx context.Context) {
	if c := counterOf(ctx); c != nil {
		c.mu.Lock()
		c.retries++
		c.mu.Unlock()
	}
}

// tracer tells the context's counter about each statement. Transaction control is not a statement of ours.
type tracer struct{}

type startKey struct{}

// tracers are ours and perhaps another. Ours costs a look into the context when nobody counts.
func tracers(other pgx.QueryTracer) pgx.QueryTracer {
	if other == nil {
		return tracer{}
	}
	return multitracer.New(tracer{}, other)
}

func (tracer) begin(ctx context.Context, sql string) context.Context {
	c := counterOf(ctx)
	if c == nil {
		return ctx
	}
	switch strings.ToLower(sql) {
	case "begin", "commit", "rollback":
	default:
		c.add(sql)
	}
	return context.WithValue(ctx, startKey{}, time.Now())
}

func (tracer) end(ctx context.Context) {
	if start, ok := ctx.Value(startKey{}).(time.Time); ok {
		counterOf(ctx).took(time.Since(start))
	}
}

// TraceQueryStart implements pgx.QueryTracer.
func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return t.begin(ctx, d.SQL)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (t tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { t.end(ctx) }

// TraceBatchStart implements pgx.BatchTracer.
func (t tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	if counterOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, startKey{}, time.Now())
}

// TraceBatchQuery implements pgx.BatchTracer.
func (tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	if c := counterOf(ctx); c != nil {
		c.add(d.SQL)
	}
}

// TraceBatchEnd implements pgx.BatchTracer.
func (t tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) { t.end(ctx) }

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (t tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	return t.begin(ctx, "COPY "+strings.Join(d.TableName, "."))
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (t tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	t.end(ctx)
}
