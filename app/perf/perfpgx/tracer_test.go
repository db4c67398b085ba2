package perfpgx_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/perf"
	"kibitz/app/perf/perfpgx"
	"kibitz/app/trace"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// bench is a pool with our tracer on a clean database, and a recorder whose last request can be looked at.
type bench struct {
	pool *pgxpool.Pool
	rec  *perf.Recorder
	mu   sync.Mutex
	got  []trace.Request
}

func newBench(t testing.TB, size int32, o perfpgx.Options) *bench {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dbtest.Config(t, false).Parts[db.Ops].Owner)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns, cfg.ConnConfig.Tracer = size, perfpgx.New(o)
	b := &bench{}
	if b.pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	b.rec = perf.New(perf.Options{Interval: time.Hour, Sink: func(_ context.Context, requests []trace.Request) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, q := range requests {
			q.Spans = slices.Clone(q.Spans)
			b.got = append(b.got, q)
		}
		return nil
	}})
	t.Cleanup(func() {
		b.pool.Close()
		b.rec.Close(context.Background())
	})
	return b
}

// record runs fn in a request and gives its spans.
func (b *bench) record(t testing.TB, fn func(ctx context.Context)) []trace.Span {
	t.Helper()
	ctx, q := b.rec.Start(context.Background(), perf.Info{Name: "x"})
	fn(ctx)
	q.Finish()
	if err := b.rec.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got[len(b.got)-1].Spans
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, perfpgx.Options{})
	var pid int32
	spans := b.record(t, func(ctx context.Context) {
		must(t, b.pool.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
		rows, err := b.pool.Query(ctx, "select generate_series(1, $1)", 7)
		must(t, err)
		_, err = pgx.CollectRows(rows, pgx.RowTo[int])
		must(t, err)
		_, err = b.pool.Exec(ctx, "select 1/$1", 0)
		if err == nil {
			t.Error("1/0 has a result")
		}
		_, err = b.pool.Exec(context.Background(), "select 'outside'")
		must(t, err)
	})
	if len(spans) != 3 {
		t.Fatalf("%d spans: %+v", len(spans), spans)
	}
	first, series, failed := spans[0], spans[1], spans[2]
	if first.Text != "select pg_backend_pid()" || first.Op != "db.query" || first.Category != trace.DB || first.System != "postgresql" ||
		first.PID != pid || first.Rows != 1 || first.Failed {
		t.Errorf("%+v (backend %d)", first, pid)
	}
	if first.Pool <= 0 || first.Pool >= first.Duration { // opening the connection
		t.Errorf("the first query took %s, of which %s for a connection", first.Duration, first.Pool)
	}
	if first.Func != "perfpgx_test.TestQuery.func1" || !strings.HasSuffix(first.File, "/tracer_test.go") || series.Line <= first.Line {
		t.Errorf("the caller is %s:%d %s", first.File, first.Line, first.Func)
	}
	if series.Rows != 7 || series.Start < first.Start+first.Duration {
		t.Errorf("%+v", series)
	}
	if !failed.Failed || failed.State != "22012" || failed.Rows != -1 {
		t.Errorf("%+v", failed)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	for _, without := range []bool{false, true} {
		b := newBench(t, 1, perfpgx.Options{NoTransactions: without})
		spans := b.record(t, func(ctx context.Context) {
			must(t, pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "create temp table a (n int)")
				must(t, err)
				_, err = tx.CopyFrom(ctx, pgx.Identifier{"a"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
				return err
			}))
		})
		var texts []string
		for _, s := range spans {
			texts = append(texts, s.Op+" "+s.Text)
		}
		want := []string{"db.sql.transaction begin", "db.query create temp table a (n int)", `db.copy COPY "a" FROM STDIN`, "db.sql.transaction commit"}
		if without {
			want = want[1:3]
		}
		if !slices.Equal(texts, want) {
			t.Errorf("%q", texts)
		}
		if cp := spans[len(want)-2]; !without && (cp.Rows != 3 || cp.PID == 0) {
			t.Errorf("%+v", cp)
		}
	}
}

// TestBatch holds that statements of a batch follow each other, and that those alike are one span with their number.
func TestBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, perfpgx.Options{})
	spans := b.record(t, func(ctx context.Context) {
		var batch pgx.Batch
		batch.Queue("select 1")
		for n := range 100 {
			batch.Queue("select generate_series(1, $1)", n%2+1)
		}
		batch.Queue("select 2")
		must(t, b.pool.SendBatch(ctx, &batch).Close())
		var bad pgx.Batch
		bad.Queue("select 3")
		bad.Queue("select 1/0")
		bad.Queue("select 4")
		if err := b.pool.SendBatch(ctx, &bad).Close(); err == nil {
			t.Error("1/0 has a result")
		}
	})
	if len(spans) < 5 {
		t.Fatalf("%d spans: %+v", len(spans), spans)
	}
	if s := spans[1]; s.Text != "select generate_series(1, $1)" || s.Op != "db.batch" || s.Rows != 150 || len(s.Attrs) != 1 ||
		s.Attrs[0] != (trace.Attr{Key: "db.operation.batch.size", Value: "100"}) {
		t.Errorf("%+v", s)
	}
	if s := spans[0]; s.Text != "select 1" || s.Rows != 1 || len(s.Attrs) != 0 || s.Func != "perfpgx_test.TestBatch.func1" {
		t.Errorf("%+v", s)
	}
	if s := spans[2]; s.Text != "select 2" || s.Start < spans[1].Start+spans[1].Duration {
		t.Errorf("%+v", s)
	}
	last := spans[len(spans)-1]
	if !last.Failed || last.State != "22012" {
		t.Errorf("%+v", last)
	}
	for _, s := range spans {
		if len(s.Attrs) > 0 && s.Attrs[0].Key == "perf.unfinished" {
			t.Errorf("never ended: %+v", s)
		}
	}
}

// TestPoolWait holds that a wait for the only connection is a part of the query that got it, and one in vain a span.
func TestPoolWait(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, perfpgx.Options{})
	conn, err := b.pool.Acquire(context.Background())
	must(t, err)
	spans := b.record(t, func(ctx context.Context) {
		go func() {
			for perf.FromContext(ctx).Totals().N[trace.Pool] == 0 { // until the query waits
				runtime.Gosched()
			}
			for began := time.Now(); time.Since(began) < time.Millisecond; {
			}
			conn.Release()
		}()
		_, err := b.pool.Exec(ctx, "select 1")
		must(t, err)
		_, err = b.pool.Exec(ctx, "select 2")
		must(t, err)
	})
	if s := spans[0]; s.Pool < time.Millisecond || s.Duration < s.Pool || s.Text != "select 1" {
		t.Errorf("%+v", s)
	}
	if s := spans[1]; s.Pool >= spans[0].Pool {
		t.Errorf("the second query has the wait of the first: %+v", s)
	}
	conn, err = b.pool.Acquire(context.Background())
	must(t, err)
	defer conn.Release()
	spans = b.record(t, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := b.pool.Exec(ctx, "select 3"); err == nil {
			t.Error("there was a connection")
		}
	})
	if s := spans[0]; len(spans) != 1 || !s.Failed || s.Category != trace.Pool || s.State != "deadline_exceeded" || s.Pool > s.Duration || s.Pool < time.Millisecond {
		t.Errorf("%+v", spans)
	}
}

// TestOutlives holds that a connection handed from a request to another, or outside of any, tells each only its own.
func TestOutlives(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, perfpgx.Options{})
	var conn *pgxpool.Conn
	var rows pgx.Rows
	spans := b.record(t, func(ctx context.Context) {
		var err error
		conn, err = b.pool.Acquire(ctx)
		must(t, err)
		rows, err = conn.Query(ctx, "select 1")
		must(t, err)
	})
	if len(spans) != 1 || len(spans[0].Attrs) != 1 || spans[0].Attrs[0].Key != "perf.unfinished" {
		t.Errorf("%+v", spans)
	}
	if _, err := conn.Query(context.Background(), "select 'busy'"); err == nil {
		t.Error("the connection is not busy")
	}
	rows.Close()
	spans = b.record(t, func(ctx context.Context) {
		_, err := conn.Exec(context.Background(), "select 'nobody'")
		must(t, err)
		_, err = conn.Exec(ctx, "select 2")
		must(t, err)
	})
	conn.Release()
	if len(spans) != 1 || spans[0].Text != "select 2" || spans[0].Pool != 0 || spans[0].Failed || len(spans[0].Attrs) != 0 {
		t.Errorf("%+v", spans)
	}
	if n := b.rec.Stats().LateSpans; n != 1 {
		t.Errorf("%d late spans", n)
	}
}

// TestParallel runs queries of one request on several connections; for the race detector.
func TestParallel(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4, perfpgx.Options{})
	spans := b.record(t, func(ctx context.Context) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					if _, err := b.pool.Exec(ctx, "select pg_sleep(0)"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
	if len(spans) != 80 {
		t.Errorf("%d spans", len(spans))
	}
	for _, s := range spans {
		if s.Failed || s.PID == 0 || s.Rows != 1 || s.Line == 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTraceCaller holds that what a layer above has said of a statement's caller is that statement's alone.
func TestTraceCaller(t *testing.T) {
	t.Parallel()
	for _, without := range []bool{false, true} {
		b := newBench(t, 1, perfpgx.Options{NoTransactions: without})
		tracer := perfpgx.New(perfpgx.Options{})
		spans := b.record(t, func(ctx context.Context) {
			conn, err := b.pool.Acquire(ctx)
			must(t, err)
			defer conn.Release()
			told := func() { tracer.TraceCaller(ctx, conn.Conn()) } // the layer
			told()
			_, err = conn.Exec(ctx, "select 1")
			must(t, err)
			_, err = conn.Exec(ctx, "select 2")
			must(t, err)
			told()
			_, err = conn.Exec(ctx, "begin")
			must(t, err)
			_, err = conn.Exec(ctx, "select 3")
			must(t, err)
		})
		for _, s := range spans {
			want := "perfpgx_test.TestTraceCaller.func1"
			if s.Text == "select 1" || s.Text == "begin" {
				want += ".1" // the layer's own call, which perf.Options.Skip leaves out
			}
			if s.Func != want {
				t.Errorf("%s was asked for by %s:%d", s.Text, s.Func, s.Line)
			}
		}
	}
}

// TestCancelled holds that a query given up by its caller says so.
func TestCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, perfpgx.Options{})
	spans := b.record(t, func(ctx context.Context) {
		must(t, b.pool.Ping(ctx))
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := b.pool.Exec(ctx, "select pg_sleep(60)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("gave %v", err)
		}
	})
	if s := spans[len(spans)-1]; !s.Failed || s.State != "deadline_exceeded" {
		t.Errorf("%+v", spans)
	}
}

// TestHookAllocations holds that the hook of a query allocates nothing, with its caller's stack and all.
func TestHookAllocations(t *testing.T) {
	b := newBench(t, 1, perfpgx.Options{})
	ctx, q := b.rec.Start(context.Background(), perf.Info{Name: "x"})
	defer q.Finish()
	conn, err := b.pool.Acquire(ctx)
	must(t, err)
	defer conn.Release()
	tracer := perfpgx.New(perfpgx.Options{})
	hook := hookOf(ctx, tracer, conn.Conn())
	for range 1000 {
		hook() // until the request's spans are full and its list does not grow
	}
	if n := testing.AllocsPerRun(1000, hook); n != 0 {
		t.Errorf("%v allocations a query beyond the limit of spans", n)
	}
	// Below the limit the list of a request that was recorded before is used again.
	runs := testing.AllocsPerRun(20, func() {
		_, q := b.rec.Start(context.Background(), perf.Info{Name: "x"})
		q.Finish()
	})
	with := testing.AllocsPerRun(20, func() {
		ctx, q := b.rec.Start(context.Background(), perf.Info{Name: "x"})
		for range 20 {
			end := tracer.TraceQueryStart(ctx, conn.Conn(), pgx.TraceQueryStartData{SQL: "select 1"})
			tracer.TraceQueryEnd(end, conn.Conn(), pgx.TraceQueryEndData{})
		}
		q.Finish()
		if err := b.rec.Flush(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Logf("a request: %v allocations; with 20 queries, and handed to a sink that copies them: %v", runs, with)
	if with > 20 {
		t.Errorf("20 queries make %v allocations, with the sink's", with)
	}
}

func hookOf(ctx context.Context, tracer *perfpgx.Tracer, conn *pgx.Conn) func() {
	return func() {
		end := tracer.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{SQL: "select 1"})
		tracer.TraceQueryEnd(end, conn, pgx.TraceQueryEndData{})
	}
}
