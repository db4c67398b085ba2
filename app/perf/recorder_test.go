package perf_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

// kept is a sink that keeps copies of what it is given.
type kept struct {
	mu   sync.Mutex
	list []trace.Request
}

func (k *kept) take(_ context.Context, requests []trace.Request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, q := range requests {
		q.Spans = slices.Clone(q.Spans)
		k.list = append(k.list, q)
	}
	return nil
}

func (k *kept) all() []trace.Request {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.list)
}

// newRecorder makes a recorder that hands on only when it is told to.
func newRecorder(t testing.TB, o perf.Options) (*perf.Recorder, *kept) {
	t.Helper()
	k := &kept{}
	if o.Sink == nil {
		o.Sink = k.take
	}
	if o.Interval == 0 {
		o.Interval = time.Hour
	}
	rec := perf.New(o)
	t.Cleanup(func() { rec.Close(context.Background()) })
	return rec, k
}

// one runs fn in a request and gives what the sink got of it.
func one(t testing.TB, o perf.Options, fn func(context.Context, *perf.Request)) trace.Request {
	t.Helper()
	rec, k := newRecorder(t, o)
	ctx, q := rec.Start(context.Background(), perf.Info{Name: "/thing/:id", Source: "route", Method: "GET"})
	fn(ctx, q)
	q.Finish()
	if err := rec.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(k.all()); n != 1 {
		t.Fatalf("the sink got %d requests", n)
	}
	return k.all()[0]
}

func TestRequest(t *testing.T) {
	t.Parallel()
	before := time.Now()
	got := one(t, perf.Options{Service: "shop", Release: "shop@1", Environment: "test", Host: "h1"}, func(ctx context.Context, q *perf.Request) {
		span := perf.Begin(ctx, trace.DB, "db.query", "select 1")
		span.EndWith(perf.Outcome{Failed: true, State: "23505", Rows: -1})
		perf.Cache(ctx, "cache.get", "k").Hit(true)
		perf.SetUser(ctx, "id:7")
		perf.SetAttr(ctx, "a", "1")
		perf.SetAttr(ctx, "a", "2")
		perf.Asked(ctx, "beta", "off")
		perf.Asked(ctx, "beta", "on")
		q.SetURL("/thing/7?x=1")
		q.SetStatus(503)
		q.SetSizes(10, -1)
		q.SetKeep()
	})
	if got.Name != "/thing/:id" || got.Source != "route" || got.Op != "http.server" || got.Method != "GET" || got.Status != 503 ||
		got.State != "unavailable" || !got.Failed || !got.Keep || got.Weight != 1 || got.Platform != "go" || got.User != "id:7" ||
		got.Service != "shop" || got.Release != "shop@1" || got.Environment != "test" || got.Host != "h1" || got.URL != "/thing/7?x=1" || got.Summed {
		t.Errorf("%+v", got)
	}
	if got.Trace == (trace.ID{}) || got.Span == 0 || got.Parent != 0 || got.Start.Before(before) || got.Start.Location() != time.UTC {
		t.Errorf("identity: %+v", got)
	}
	if fmt.Sprint(got.Switches) != "[{beta on}]" || got.Attrs[0] != (trace.Attr{Key: "a", Value: "2"}) || got.Attrs[1].Value != "10" {
		t.Errorf("switches %v, attributes %v", got.Switches, got.Attrs)
	}
	db, cache := got.Spans[0], got.Spans[1]
	if db.Text != "select 1" || db.State != "23505" || !db.Failed || db.Rows != -1 || db.Parent != got.Span || db.ID == cache.ID || db.ID == got.Span {
		t.Errorf("query: %+v", db)
	}
	if db.File != "kibitz/app/perf_test/recorder_test.go" || db.Line == 0 || db.Func != "perf_test.TestRequest.func1" {
		t.Errorf("the caller is %s:%d %s", db.File, db.Line, db.Func)
	}
	if cache.Category != trace.Cache || len(cache.Attrs) != 1 || cache.Attrs[0].Value != "true" || cache.Start < db.Start+db.Duration {
		t.Errorf("cache: %+v", cache)
	}
}

// TestNesting holds that spans stand below the one whose context they got, and that a request within a request is
// a part of its trace.
func TestNesting(t *testing.T) {
	t.Parallel()
	rec, k := newRecorder(t, perf.Options{})
	ctx, q := rec.Start(context.Background(), perf.Info{})
	err := perf.Render(ctx, "page", func(ctx context.Context) error {
		perf.Begin(ctx, trace.DB, "db.query", "select 2").End()
		_, inner := rec.Start(ctx, perf.Info{Op: "queue.process"})
		inner.Finish()
		return errors.New("broken")
	})
	if err == nil || err.Error() != "broken" {
		t.Errorf("Render gave %v", err)
	}
	q.Finish()
	rec.Flush(context.Background())
	inner, outer := k.all()[0], k.all()[1]
	render, query := outer.Spans[0], outer.Spans[1]
	if render.Parent != outer.Span || query.Parent != render.ID || !render.Failed || render.Category != trace.Template {
		t.Errorf("spans %+v", outer.Spans)
	}
	if inner.Trace != outer.Trace || inner.Parent != render.ID || inner.Op != "queue.process" {
		t.Errorf("inner %v below %v, outer %v", inner.Trace, inner.Parent, outer.Trace)
	}
}

// TestRenderPanic holds that a panic in a template goes on, and that its span has ended.
func TestRenderPanic(t *testing.T) {
	t.Parallel()
	got := one(t, perf.Options{}, func(ctx context.Context, _ *perf.Request) {
		defer func() { recover() }()
		perf.Render(ctx, "page", func(context.Context) error { panic("oh") })
	})
	if s := got.Spans[0]; !s.Failed || len(s.Attrs) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTooManySpans holds that beyond the limit totals go on and what was left out is told.
func TestTooManySpans(t *testing.T) {
	t.Parallel()
	got := one(t, perf.Options{MaxSpans: 10}, func(ctx context.Context, _ *perf.Request) {
		for range 25 {
			span := perf.Begin(ctx, trace.DB, "db.query", "select 3")
			span.End()
			span.End() // twice, which must change nothing
			perf.Begin(ctx, trace.HTTP, "http.client", "GET x").End()
		}
	})
	if len(got.Spans) != 10 || got.Lost != 40 || !got.Summed {
		t.Fatalf("%d spans, %d lost, summed %v", len(got.Spans), got.Lost, got.Summed)
	}
	if n := got.Totals.N; n[trace.DB] != 25 || n[trace.HTTP] != 25 {
		t.Errorf("counts %v", n)
	}
	checkSum(t, got)
}

func checkSum(t *testing.T, q trace.Request) {
	t.Helper()
	var sum time.Duration
	for _, d := range q.Totals.Time {
		if d < 0 {
			t.Errorf("negative times %v", q.Totals.Time)
		}
		sum += d
	}
	if sum != q.Duration {
		t.Errorf("the categories sum to %s of %s", sum, q.Duration)
	}
}

// TestLate holds that what outlives its request is cut, counted, and written into no other request.
func TestLate(t *testing.T) {
	t.Parallel()
	rec, k := newRecorder(t, perf.Options{})
	ctx, q := rec.Start(context.Background(), perf.Info{Name: "first"})
	running := perf.Begin(ctx, trace.DB, "db.query", "select 4")
	q.Finish()
	q.Finish() // twice is once
	rec.Flush(context.Background())
	_, second := rec.Start(context.Background(), perf.Info{Name: "second"}) // takes the first's memory
	running.End()
	perf.Begin(ctx, trace.DB, "db.query", "late").End()
	perf.SetAttr(ctx, "late", "1")
	perf.Asked(ctx, "late", "1")
	perf.Wait(ctx).End()
	second.Finish()
	rec.Flush(context.Background())
	all := k.all()
	if len(all) != 2 || len(all[1].Spans) != 0 || len(all[1].Attrs) != 0 || len(all[1].Switches) != 0 {
		t.Fatalf("%+v", all)
	}
	if s := all[0].Spans[0]; s.Duration != all[0].Duration-s.Start || s.Attrs[0].Key != "perf.unfinished" {
		t.Errorf("the running span: %+v of %s", s, all[0].Duration)
	}
	if n := rec.Stats().LateSpans; n != 2 {
		t.Errorf("%d late spans", n)
	}
}

// TestPoolWait holds that a wait is a part of the query's duration and a category of its own.
func TestPoolWait(t *testing.T) {
	t.Parallel()
	got := one(t, perf.Options{MaxSpans: 1}, func(ctx context.Context, _ *perf.Request) {
		wait := perf.Wait(ctx)
		for began := time.Now(); time.Since(began) < time.Millisecond; {
		}
		perf.BeginWork(ctx, perf.Work{Category: trace.DB, Op: "db.query", Pool: wait.End(), PID: 12}).End()
		perf.Begin(ctx, trace.DB, "db.query", "lost").End()
	})
	if s := got.Spans[0]; s.Pool < time.Millisecond || s.Duration < s.Pool || s.Start < 0 || s.PID != 12 || s.Rows != -1 {
		t.Errorf("%+v", s)
	}
	if got.Totals.Time[trace.Pool] < time.Millisecond {
		t.Errorf("totals %v", got.Totals)
	}
	checkSum(t, got)
}

// TestTotals holds that a request's time is on the innermost category's account, whatever runs side by side.
func TestTotals(t *testing.T) {
	t.Parallel()
	got := one(t, perf.Options{}, func(ctx context.Context, q *perf.Request) {
		render := perf.Begin(ctx, trace.Template, "template.render", "page")
		a := perf.Begin(ctx, trace.DB, "db.query", "a")
		b := perf.Begin(ctx, trace.DB, "db.query", "b")
		a.End()
		b.End()
		render.End()
		totals := q.Totals()
		if totals.N != [trace.Categories]int{trace.DB: 2, trace.Template: 1} || totals.Time[trace.DB] <= 0 {
			t.Errorf("totals %v", totals)
		}
		if text := q.ServerTiming(); !strings.HasPrefix(text, "db;dur=") || !strings.Contains(text, `;desc="2", template;dur=`) || !strings.Contains(text, "total;dur=") {
			t.Errorf("Server-Timing: %s", text)
		}
	})
	if got.Lost != 0 || len(got.Spans) != 3 {
		t.Errorf("%+v", got)
	}
}

// TestBounds holds the limits of what one request may say, and that no text breaks a database.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 20_000)
	got := one(t, perf.Options{}, func(ctx context.Context, q *perf.Request) {
		for i := range 100 {
			perf.SetAttr(ctx, fmt.Sprint("k", i), long)
			perf.Asked(ctx, fmt.Sprint("s", i), long)
		}
		q.SetURL("/?" + long)
		q.SetName(long, "url")
		perf.SetUser(ctx, long)
		perf.Begin(ctx, trace.DB, "db.query", long).End()
		perf.Begin(ctx, trace.DB, "db.query", "a\xffb\x00c").End()
	})
	if len(got.Attrs) > 34 || len(got.Switches) != 64 || len(got.URL) > 2048 || len(got.Name) > 512 || len(got.User) > 1024 ||
		len(got.Spans[0].Text) > 16<<10 || len(got.Attrs[0].Value) > 1024 {
		t.Errorf("%d attributes, %d switches, URL %d, name %d, user %d, text %d", len(got.Attrs), len(got.Switches), len(got.URL), len(got.Name),
			len(got.User), len(got.Spans[0].Text))
	}
	if text := got.Spans[1].Text; text != "a\uFFFDb\uFFFDc" {
		t.Errorf("%q", text)
	}
	if strings.Contains(got.Name+got.URL+got.User+got.Spans[0].Text, "\uFFFD") {
		t.Error("a text was cut within a character")
	}
}

// TestNothing holds that contexts without a request, nil recorders and nil requests cost nobody anything.
func TestNothing(t *testing.T) {
	t.Parallel()
	var rec *perf.Recorder
	ctx, q := rec.Start(context.Background(), perf.Info{})
	q.SetName("x", "route")
	q.SetStatus(500)
	span := perf.Begin(ctx, trace.DB, "db.query", "select 1")
	if span.ID() != 0 || span.Context(ctx) != ctx || q.Trace() != (trace.ID{}) || q.Span() != 0 || rec.Dropped() != 0 || rec.Stats() != (perf.Stats{}) {
		t.Error("something came of nothing")
	}
	span.Hit(true)
	perf.SetUser(ctx, "x")
	perf.Asked(ctx, "x", "y")
	if err := perf.Render(ctx, "x", func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	q.Finish()
	if rec.Flush(ctx) != nil || rec.Close(ctx) != nil {
		t.Error("a nil recorder failed")
	}
}

// TestIDs draws many ids, which must differ and not be zero.
func TestIDs(t *testing.T) {
	t.Parallel()
	seen := map[trace.SpanID]bool{}
	got := one(t, perf.Options{}, func(ctx context.Context, _ *perf.Request) {
		for range 1000 {
			span := perf.Begin(ctx, trace.Other, "function", "f")
			seen[span.ID()] = true
			span.End()
		}
	})
	for _, s := range got.Spans {
		if !seen[s.ID] || s.ID == 0 {
			t.Fatalf("span %v was not told before", s.ID)
		}
	}
	if len(seen) != 1000 || len(got.Spans) != 1000 {
		t.Errorf("%d ids of %d spans", len(seen), len(got.Spans))
	}
}
