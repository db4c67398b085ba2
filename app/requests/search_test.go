package requests

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/requests/filter"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// variety is n requests that differ in everything that can be looked for.
func (k *desk) variety(n int) []trace.Request {
	r := rand.New(rand.NewPCG(7, 8))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var all []trace.Request
	for i := range n {
		q := k.page(i, pick("/a", "/b/{}", "/B/search", "100%"))
		q.Method, q.Status = pick("GET", "POST", ""), []int{200, 204, 404, 500, 503, 0}[r.IntN(6)]
		q.Failed = q.Status >= 500
		q.Duration = time.Duration(r.IntN(2_000_000)) * time.Microsecond
		q.Release, q.Environment, q.Host = pick("", "shop@1", "shop@2", "it's"), pick("prod", "dev", ""), pick("web-1", "web-2")
		q.Service, q.User = pick("", "api"), pick("id:42", "id:43", "")
		q.Switches = []trace.Switch{{Key: "cart", Variant: pick("on", "off")}, {Key: "x", Variant: "y=z"}}[:r.IntN(3)]
		for range r.IntN(30) {
			q.Spans = append(q.Spans, trace.Span{ID: trace.SpanID(r.Uint64()), Parent: q.Span, Category: trace.DB, Op: "db.query", Text: "SELECT 1", Rows: -1})
		}
		all = append(all, q)
	}
	return all
}

// TestSearch holds that the database finds what the filter says that the words mean, in each order and over pages.
func TestSearch(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 3)
	all := k.variety(400)
	k.take(all...)
	kept := map[trace.ID]bool{}
	rows, err := k.store.SearchRequests(k.ctx, store.RequestQuery{Project: k.project.ID, From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour), Limit: 1000})
	if err != nil || len(rows) != 400 {
		t.Fatal(len(rows), err)
	}
	for _, r := range rows {
		kept[r.Trace] = r.Kept != 0
	}
	for _, text := range []string{"", "status:5xx", "-status:5xx", "status:404,500", "duration:>500ms", "duration:<=1.5s duration:>100us", "queries:>20", "queries:0..3",
		"endpoint:/a", "endpoint:/b/*", "-endpoint:/a,/b/*", "b", "B search", "100%", "method:POST", "service:api", "-service:api", "user:id:42", "-user:id:42,id:43",
		"release:shop@*", "-release:shop@1", `release:"it's"`, "env:prod host:web-2", "switch:cart", "switch:cart=on", "-switch:cart=on", `switch:x="y=z"`,
		"is:failed", "-is:kept", "is:failed,kept duration:>1s", "trace:" + all[17].Trace.String(), "release:nobody", "-endpoint:nothing"} {
		f, problems := filter.Parse(text)
		if len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
			continue
		}
		k.compareSearch(t, text, f, all, kept)
	}
	_, _, err = k.requests.Search(k.ctx, ListQuery{Project: k.project.ID, From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour), Limit: 10,
		Filter: filter.Filter{Terms: []filter.Term{{Field: filter.User, Values: []filter.Value{{Op: filter.Match, Text: "id:*"}}}}}})
	if errs.Of(err) != errs.Invalid {
		t.Errorf("a part of a user is looked for: %v", err)
	}
}

func (k *desk) compareSearch(t *testing.T, text string, f filter.Filter, all []trace.Request, kept map[trace.ID]bool) {
	t.Helper()
	var want []string
	for i := range all {
		q := all[i]
		q.Totals = trace.Sum(&q)
		if f.Match(&q, kept[q.Trace]) {
			want = append(want, q.Trace.String())
		}
	}
	slices.Sort(want)
	for sort := store.Newest; sort <= store.MostQueries; sort++ {
		q := ListQuery{Project: k.project.ID, Filter: f, From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour), Sort: sort, Limit: 37}
		var got []string
		for more := true; more; {
			var list []Listed
			var err error
			if list, more, err = k.requests.Search(k.ctx, q); err != nil {
				t.Errorf("%s: %v", text, err)
				return
			}
			for i := range list {
				got = append(got, list[i].Request.Trace.String())
				if i > 0 && !inOrder(sort, &list[i-1], &list[i]) {
					t.Errorf("%s: sort %d is out of order", text, sort)
				}
			}
			if more {
				q.After = list[len(list)-1].Row
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s, sort %d: %d found, %d fit", text, sort, len(got), len(want))
		}
	}
	counts, looked, err := k.requests.Volume(k.ctx, ListQuery{Project: k.project.ID, Filter: f, From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour)}, time.Minute)
	var n float64
	for _, c := range counts {
		n += c.N
	}
	if err != nil || int(n) != len(want) || int(looked) != len(want) {
		t.Errorf("%s: the volume is %v of %d: %v", text, n, len(want), err)
	}
}

func inOrder(sort store.RequestSort, a, b *Listed) bool {
	switch sort {
	case store.Slowest:
		return a.Row.Duration >= b.Row.Duration
	case store.MostQueries:
		return a.Row.Totals.N[trace.DB] >= b.Row.Totals.N[trace.DB]
	}
	return a.Row.ID > b.Row.ID
}

// TestTrace holds that a kept trace comes back whole, late spans and all programs included.
func TestTrace(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	front := k.page(1, "/a")
	front.URL, front.Service = "/a?x=1", "front"
	back := k.page(2, "/back")
	back.Trace, back.Parent, back.Service, back.Start = front.Trace, front.Spans[0].ID, "back", front.Start.Add(time.Millisecond)
	k.take(front, back)
	k.take(trace.Request{Trace: front.Trace, Service: "back", Start: back.Start, Partial: true, Spans: []trace.Span{{ID: 5, Parent: back.Span, Op: "cache.get", Rows: -1}}})
	got, err := k.requests.Trace(k.ctx, front.Trace)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if a, b := got[0].Request, got[1].Request; a.URL != front.URL || a.Service != "front" || len(a.Spans) != 1 || fmt.Sprint(a.Spans[0]) != fmt.Sprint(front.Spans[0]) ||
		b.Service != "back" || len(b.Spans) != 2 || !got[0].Kept {
		t.Errorf("%+v\n%+v", a, b)
	}
	if got[0].Row.Totals.Time[trace.DB] != 5*time.Millisecond {
		t.Errorf("%v", got[0].Row.Totals)
	}
	if _, err := k.requests.Trace(k.ctx, trace.ID{5}); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
	lines := SpanLines(&got[1].Request)
	if len(lines) != 3 || lines[0].SpanID != back.Span.String() || lines[0].ParentID != front.Spans[0].ID.String() {
		t.Errorf("%+v", lines)
	}
}
