package requests

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// TestQueryDigest: what spans say of a statement, with who sends it, in the order that was asked for.
func TestQueryDigest(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	var all []trace.Request
	for n := range 30 {
		q := k.page(n, []string{"/a", "/a", "/b"}[n%3])
		q.Weight = 2
		slow := q.Spans[0]
		slow.ID, slow.Text, slow.Duration, slow.Rows, slow.Line, slow.Failed = trace.SpanID(5000+n), fmt.Sprintf("UPDATE t SET x = %d", n), 50*time.Millisecond, -1, 11, n == 3
		if n < 6 {
			q.Spans = append(q.Spans, slow)
		}
		all = append(all, q)
	}
	k.take(all...)
	o := QueryOptions{Project: k.project.ID, Period: model.Period{From: k.now.Add(-time.Hour), To: k.now}, Compare: true}
	d, err := k.requests.QueryDigest(k.ctx, o)
	if err != nil || len(d.Queries) != 2 || d.Found != 2 || d.Calls != 72 || d.Total != 900*time.Millisecond {
		t.Fatalf("%+v %v", d, err)
	}
	first, second := d.Queries[0], d.Queries[1]
	if first.SQL != "update t set x = ?" || first.N != 12 || first.Failed != 2 || first.Total != 600*time.Millisecond || first.Mean() != 50*time.Millisecond || first.Max != 50*time.Millisecond {
		t.Errorf("%+v", first)
	}
	if _, known := first.RowsPerCall(); known || first.Source != model.FromSpans || first.Before != nil || math.Abs(first.Impact-0.6/3600) > 1e-9 {
		t.Errorf("rows known %v, %+v", known, first)
	}
	if p95, ok := second.Quantile(0.95); !ok || p95 < 4900*time.Microsecond || p95 > 5100*time.Microsecond || second.N != 60 || second.Rows != 60 {
		t.Errorf("p95 %v, %+v", p95, second)
	}
	if e := second.Endpoints; len(e) != 2 || e[0].Endpoint.Name != "/a" || e[0].N != 40 || math.Abs(e[0].Share-2.0/3) > 1e-9 || len(second.Callers) != 1 || second.Callers[0].Code != "shop/views.py:9 a" {
		t.Errorf("%+v %+v", e, second.Callers)
	}
	var drawn time.Duration
	for _, spent := range second.Trend {
		drawn += spent
	}
	if drawn != second.Total || len(second.Trend) != d.Trend.N {
		t.Errorf("the trend shows %v of %v", drawn, second.Total)
	}
	for by, want := range map[QueryOrder]string{QueriesByCalls: second.SQL, QueriesByRows: second.SQL, QueriesByMean: first.SQL, QueriesByP95: first.SQL} {
		o.Sort, o.Top = by, 1
		if d, err := k.requests.QueryDigest(k.ctx, o); err != nil || len(d.Queries) != 1 || d.Found != 2 || d.Queries[0].SQL != want {
			t.Errorf("%s: %+v %v", by, d.Queries, err)
		}
	}
}

// TestQueryDigestBudget holds that a digest is at most five statements to the database, however many it lists.
func TestQueryDigestBudget(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	var all []trace.Request
	for n := range 40 {
		q := k.page(n, fmt.Sprintf("/p%d", n))
		q.Spans[0].Text = fmt.Sprintf("SELECT c%d FROM t%d", n, n)
		all = append(all, q)
	}
	k.take(all...)
	dbtest.Budget(t, k.ctx, 5, func(ctx context.Context) {
		d, err := k.requests.QueryDigest(ctx, QueryOptions{Project: k.project.ID, Period: model.Period{From: k.now.Add(-time.Hour), To: k.now}, Compare: true})
		if err != nil || len(d.Queries) != 40 {
			t.Error(len(d.Queries), err)
		}
	})
}

// TestQuerySources: three sources that saw the same calls are not added. Spans are believed first, then the log.
func TestQuerySources(t *testing.T) {
	t.Parallel()
	row := func(statement int32, source model.StatementSource, n, us float64) store.StatementRollup {
		s := sketch.New()
		if source != model.FromPgStat {
			s.Add(us, n)
		}
		return store.StatementRollup{Statement: statement, Source: source, N: n, Total: n * us, Durations: s.Encode(), Endpoint: int32(source % 2)}
	}
	rows := []store.StatementRollup{row(1, model.FromLog, 10, 4000), row(1, model.FromPgStat, 10, 4000), row(1, model.FromSpans, 10, 5000),
		row(2, model.FromPgStat, 7, 1000), row(2, model.FromLog, 5, 1500), row(3, model.FromPgStat, 9, 100)}
	sum := func(source model.StatementSource) map[int32]Query {
		sums, err := sumQueries(rows, QueryOptions{Source: source}, Buckets{Step: time.Hour, N: 1})
		if err != nil {
			t.Fatal(err)
		}
		out := map[int32]Query{}
		for _, s := range sums {
			out[s.id] = s.query(time.Second)
		}
		return out
	}
	all := sum(0)
	for id, want := range map[int32]struct {
		source model.StatementSource
		n      float64
		total  time.Duration
		others int
	}{1: {model.FromSpans, 10, 50 * time.Millisecond, 2}, 2: {model.FromLog, 5, 7500 * time.Microsecond, 1}, 3: {model.FromPgStat, 9, 900 * time.Microsecond, 0}} {
		if q := all[id]; q.Source != want.source || q.N != want.n || q.Total != want.total || len(q.Others) != want.others {
			t.Errorf("statement %d: %+v", id, q)
		}
	}
	if _, ok := func() (time.Duration, bool) { q := all[3]; return q.Quantile(0.95) }(); ok {
		t.Error("pg_stat_statements tells a percentile")
	}
	if got := sum(model.FromLog); len(got) != 2 || got[1].N != 10 || got[1].Total != 40*time.Millisecond || got[1].Others != nil {
		t.Errorf("%+v", got)
	}
}

// TestQueryCompare: the period before is compared, and no bucket counts in both.
func TestQueryCompare(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	for n, ago := range []time.Duration{5 * time.Minute, 65 * time.Minute, 70 * time.Minute, 30 * time.Hour} {
		q := k.page(n, "/a")
		q.Start = k.now.Add(-ago)
		k.take(q)
	}
	for _, at := range []time.Time{k.now, k.now.Truncate(statementBucket).Add(time.Second)} {
		d, err := k.requests.QueryDigest(k.ctx, QueryOptions{Project: k.project.ID, Period: model.Period{From: at.Add(-time.Hour), To: at}, Compare: true})
		if err != nil || len(d.Queries) != 1 || d.Queries[0].Before == nil {
			t.Fatalf("%+v %v", d, err)
		}
		if q := d.Queries[0]; q.N+q.Before.N != 3 {
			t.Errorf("%v calls and %v before are not the 3 of two hours", q.N, q.Before.N)
		}
	}
}
