package requests

import (
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/trace"
)

// loop is request number n with a query for each of twelve rows.
func (k *desk) loop(n int, release string) trace.Request {
	q := k.page(n, "/cart")
	q.Release, q.Duration = release, 200*time.Millisecond
	q.Start = k.now.Add(time.Duration(n) * time.Millisecond)
	for i := range 12 {
		q.Spans = append(q.Spans, trace.Span{ID: trace.SpanID(n*100 + i + 50_000), Parent: q.Span, Op: "db.query", Text: "SELECT name FROM product WHERE id = " + string(rune('1'+i%9)),
			System: "postgresql", Category: trace.DB, Start: time.Duration(10+i*10) * time.Millisecond, Duration: 6 * time.Millisecond, Rows: 1, File: "shop/totals.py", Line: 52, Func: "price_line"})
	}
	return q
}

// TestFinding follows a loop of queries through its life: filed once, gone with a release, not brought back by a straggler
// of the old one, and back with a later release.
func TestFinding(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	var first []trace.Request
	for n := range 30 {
		first = append(first, k.loop(n, "shop@1"))
	}
	k.take(first...)
	list := k.open(t, "unresolved")
	if len(list) != 1 || list[0].Title != "N+1 query: SELECT … FROM product WHERE id = ?" && list[0].Type != "N+1 query" || list[0].Events != 1 || list[0].Culprit == "" {
		t.Fatalf("%+v", list)
	}
	t.Log(list[0].Title, "|", list[0].Culprit)
	k.expect(map[string]float64{"SELECT sum(n) FROM outcome WHERE category = 'finding' AND reason = 'finding_per_minute'": 29, "SELECT count(*) FROM request WHERE found = 1": 30})
	d, err := k.issues.Detail(k.ctx, list[0], "latest", k.now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if f := d.Event.Exceptions[0].Stacktrace.Frames; len(f) != 1 || f[0].Filename != "shop/totals.py" || f[0].Line != 52 {
		t.Errorf("the finding names %+v", f)
	}
	k.take(first[0]) // a resend
	k.expect(map[string]float64{"SELECT events FROM issue": 1})

	k.now = k.now.Add(time.Minute)
	var second []trace.Request
	for n := range fixedAfter {
		q := k.page(100+n, "/cart")
		q.Release, q.Start = "shop@2", k.now
		second = append(second, q)
	}
	k.take(second[:fixedAfter-1]...)
	k.resolve(t, 0)
	k.take(second[fixedAfter-1])
	k.resolve(t, 1)
	if got := k.open(t, "resolved"); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	k.perf.settings.at = time.Time{}
	k.now = k.now.Add(2 * time.Minute)
	k.take(k.loop(200, "shop@1"))
	if got := k.open(t, "resolved"); len(got) != 1 {
		t.Fatal("a straggler of the old release brought the finding back")
	}
	k.now = k.now.Add(2 * time.Minute)
	k.take(k.loop(300, "shop@3"))
	if got := k.open(t, "unresolved"); len(got) != 1 || !got[0].Regressed {
		t.Fatalf("%+v", got)
	}
	k.expect(map[string]float64{"SELECT fixed_in FROM finding": 0})
}

func (k *desk) open(t *testing.T, status string) (list []model.Issue) {
	t.Helper()
	page, err := k.issues.List(k.ctx, issues.Filter{Projects: []int64{k.project.ID}, Status: status, Sort: "last_seen", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range page.Rows {
		list = append(list, row.Issue)
	}
	return list
}

func (k *desk) resolve(t *testing.T, want int) {
	t.Helper()
	if n, err := k.requests.ResolveFixed(k.ctx); err != nil || n != want {
		t.Fatalf("%d findings are gone, not %d: %v", n, want, err)
	}
}

// TestRegression holds that a release that is surely slower is an issue, once, and that one that is not is none.
func TestRegression(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	n := 0
	send := func(release, name string, took time.Duration) {
		var all []trace.Request
		for i := range 300 {
			q := k.page(n, name)
			q.Release, q.Duration = release, took+time.Duration(i%50)*time.Millisecond
			n++
			all = append(all, q)
		}
		k.take(all...)
	}
	send("shop@1", "/slower", 100*time.Millisecond)
	send("shop@1", "/same", 100*time.Millisecond)
	send("shop@2", "/slower", 180*time.Millisecond)
	send("shop@2", "/same", 101*time.Millisecond)
	for range 2 {
		k.perf.compared = time.Time{}
		k.take(k.page(n, "/other"))
		n++
		k.perf.regressed = map[[2]int32]bool{} // as another process, or after a restart
	}
	list := k.open(t, "unresolved")
	if len(list) != 1 || list[0].Type != "Slower endpoint" || list[0].Events != 1 {
		t.Fatalf("%+v", list)
	}
	k.expect(map[string]float64{"SELECT count(*) FROM finding WHERE kind = 'endpoint_regression'": 1})
	k.resolve(t, 0)
}
