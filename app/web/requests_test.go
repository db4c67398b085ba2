package web

import (
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kibitz/app/issues"
	"kibitz/app/requests"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// newTraffic is a shop whose drain takes requests.
func newTraffic(t *testing.T) *shop {
	t.Helper()
	k := newShop(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	perf, err := requests.NewDigester(requests.DigesterOptions{Store: store.New(k.db), IDs: k.ids, Log: log, KeepOneIn: 1})
	if err != nil {
		t.Fatal(err)
	}
	if k.digester, err = issues.NewDigester(store.New(k.db), k.groupings, perf, issues.NewHub(), log); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *shop) take(list ...trace.Request) {
	k.t.Helper()
	r := ingest.Record{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: ingest.KindRequests, Received: time.Now().UTC().Truncate(time.Millisecond),
		Payload: k.zstd.EncodeAll(trace.Append(nil, list), nil)}
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	if err := k.digester.Write(context.Background(), ingest.Batch{Node: "web-test", From: k.at, To: to, Records: []ingest.Record{r}}); err != nil {
		k.t.Fatal(err)
	}
	k.at = to
}

// cart is request number n of the shop, with a query for each of eight rows.
func cart(n int, release string) trace.Request {
	id := trace.ID{7}
	binary.BigEndian.PutUint32(id[12:], uint32(n+1))
	q := trace.Request{Trace: id, Span: trace.SpanID(n + 1), Name: "/cart/{id}/", Source: "route", Op: "http.server", Method: "GET", URL: "/cart/7/?a=<b>", Status: 200,
		State: "ok", Start: time.Now().Add(-time.Duration(n%50) * time.Second).UTC(), Duration: time.Duration(100+n) * time.Millisecond, Release: release,
		Environment: "production", Host: "web-1", User: "id:42", Weight: 1, Switches: []trace.Switch{{Key: "cart.sticky", Variant: []string{"on", "off"}[n%2]}}}
	for i := range 8 {
		q.Spans = append(q.Spans, trace.Span{ID: trace.SpanID(1000*n + i + 100_000), Parent: q.Span, Op: "db.query", Text: "SELECT name FROM product WHERE id = $1", System: "postgresql",
			Category: trace.DB, Start: time.Duration(i*10) * time.Millisecond, Duration: 8 * time.Millisecond, Rows: 1, File: "shop/totals.py", Line: 52, Func: "price_line"})
	}
	return q
}

// TestRequestPages walks through the pages of requests, with what is hostile in their names.
func TestRequestPages(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	for _, path := range []string{"/", "/requests", "/endpoints", "/requests?project=shop"} {
		k.get(path).wantStatus(t, 200)
	}
	k.get("/endpoint?project=shop&method=GET&name=/nothing").wantStatus(t, 404)
	k.get("/requests/0af7651916cd43dd8448eb211c80319c").wantStatus(t, 404)
	var all []trace.Request
	for n := range 60 {
		all = append(all, cart(n, []string{"shop@1", "shop@2"}[n%2]))
	}
	all[9].Failed, all[9].Status = true, 500
	bad := cart(70, `"><script>alert(1)</script>`)
	bad.Name = `/x/<script>alert(2)</script>`
	k.take(append(all, bad)...)

	list := k.get("/requests?project=shop").wantStatus(t, 200)
	k.wants(list, "/cart/{id}/", "N+1 query")
	k.lacks(list, "<script>alert")
	k.wants(k.get("/requests?project=shop&q=status:5xx").wantStatus(t, 200), "500")
	k.lacks(k.get("/requests?project=shop&q="+url.QueryEscape("duration:>10s")).wantStatus(t, 200), "/requests/07000000")
	k.wants(k.get("/requests?project=shop&q=colour:red").wantStatus(t, 422), "colour")
	k.get("/requests?project=shop&cursor=nonsense").wantStatus(t, 400)
	k.get("/requests?project=nobody").wantStatus(t, 404)
	k.get("/requests?project=shop&from=x&to=y").wantStatus(t, 400)

	page := k.get("/requests/"+all[3].Trace.String()+"/"+all[3].Span.String()).wantStatus(t, 200)
	k.wants(page, "8 × ", "SELECT", "shop/totals.py:52", "N+1", "cart.sticky", "SHOP-1", "of 500 ms needed")
	k.get("/requests/"+all[3].Trace.String()).wantStatus(t, 200)
	k.get("/requests/"+all[3].Trace.String()+"/0000000000000099").wantStatus(t, 404)
	k.lacks(k.get("/requests/"+bad.Trace.String()).wantStatus(t, 200), "<script>alert")

	k.wants(k.get("/endpoints?project=shop").wantStatus(t, 200), "/cart/{id}/")
	end := "/endpoint?project=shop&method=GET&name=" + url.QueryEscape("/cart/{id}/")
	k.wants(k.get(end).wantStatus(t, 200), "p95", "N+1 query", "shop/totals.py:52", "8 calls", "cart.sticky", "shop@1")
	k.wants(k.get(end+"&by=release&a=shop@1&b=shop@2").wantStatus(t, 200), "shop@2", "select name from product")
	k.get(end+"&by=switch&overlay=day&samples=queries&period=7d").wantStatus(t, 200)
	k.get(end+"&by=release&a=nobody&b=%3Cscript%3E&overlay=zzz&period=6h").wantStatus(t, 200)
	k.wants(k.get("/?project=shop").wantStatus(t, 200), "/cart/{id}/")
}

// TestRequestFiles reads what scripts get.
func TestRequestFiles(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	var all []trace.Request
	for n := range 5 {
		all = append(all, cart(n, "=cmd|' /C calc'!A0"))
	}
	k.take(all...)
	rows, err := csv.NewReader(strings.NewReader(k.get("/requests.csv?project=shop").wantStatus(t, 200).text)).ReadAll()
	if err != nil || len(rows) != 6 || len(rows[0]) != len(requests.CSVHeader()) {
		t.Fatalf("%v: %q", err, rows)
	}
	for _, cell := range rows[1] {
		if strings.HasPrefix(cell, "=") {
			t.Errorf("%q is a formula in a spreadsheet", cell)
		}
	}
	var got struct {
		Request requests.Line
		Spans   []requests.SpanLine
	}
	if err := json.Unmarshal([]byte(k.get("/requests/"+all[2].Trace.String()+"/"+all[2].Span.String()+"/json").wantStatus(t, 200).text), &got); err != nil {
		t.Fatal(err)
	}
	if l := got.Request; len(got.Spans) != 9 || l.DBN != 8 || l.DurationMS != 102 || l.Switches["cart.sticky"] != "on" ||
		fmt.Sprintf("%.3f", l.DBMS+l.CacheMS+l.HTTPMS+l.TemplateMS+l.PoolMS+l.OtherMS) != "102.000" {
		t.Errorf("%+v", got)
	}
	series := k.get("/endpoint.csv?project=shop&method=GET&name="+url.QueryEscape("/cart/{id}/")).wantStatus(t, 200)
	if rows, err = csv.NewReader(strings.NewReader(series.text)).ReadAll(); err != nil || len(rows) != 61 {
		t.Errorf("%d lines of an hour: %v", len(rows), err)
	}
}

// TestEndpointSettings: thresholds are checked, kept, and told apart from the usual ones.
func TestEndpointSettings(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.take(cart(1, "shop@1"))
	end := "/endpoint?project=shop&method=GET&name=" + url.QueryEscape("/cart/{id}/")
	form := func(key, value string) url.Values {
		return url.Values{"project": {"shop"}, "method": {"GET"}, "name": {"/cart/{id}/"}, "return": {end}, key: {value}}
	}
	k.wants(k.follow(k.post("/endpoint/settings", form("n_plus_one_query_count", "12"))), `value="12"`, "Saved")
	k.wants(k.follow(k.post("/endpoint/settings", form("apdex_t", "80"))), `value="80"`, `value="12"`)
	if body := k.get(end).text; strings.Contains(body, `data-p="guard"`) || !strings.Contains(body, "Set a budget") {
		t.Error("an endpoint without a budget has one")
	}
	k.wants(k.follow(k.post("/endpoint/settings", form("budget_p95_ms", "5"))), `name="budget_p95_ms" type="number" min="0" max="3600000" required value="5"`, `data-p="guard"`, "p95 budget 5 ms", "Change the budget")
	for key, value := range map[string]string{"budget_queries": "-3", "n_plus_one_query_count": "1", "apdex_t": "-1", "slow_query_ms": "1.5"} {
		if r := k.post("/endpoint/settings", form(key, value)); r.StatusCode != http.StatusUnprocessableEntity && r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s=%s is answered %d", key, value, r.StatusCode)
		}
	}
	k.wants(k.get(end), `value="80"`, `value="12"`)
	k.wants(k.get("/requests/"+cart(1, "").Trace.String()), "12 needed")
	k.post("/endpoint/settings", url.Values{"project": {"shop"}, "method": {"GET"}, "name": {"/none"}}).wantStatus(t, 404)
}

// TestRequestBudgets: a page costs the same queries however much it shows.
func TestRequestBudgets(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	var all []trace.Request
	for n := range 120 {
		all = append(all, cart(n, []string{"shop@1", "shop@2"}[n%2]))
	}
	k.take(all...)
	end := "/endpoint?project=shop&method=GET&name=" + url.QueryEscape("/cart/{id}/")
	for path, most := range map[string]int{
		"/requests?project=shop":             8,  // session, projects, rows, volume, endpoints, labels, issues of traces and their numbers
		"/requests/" + all[3].Trace.String(): 15, // session, projects, requests, endpoints, labels, spans, findings, sums, neighbours and their names, logs, events, issue
		"/endpoints?project=shop":            6,  // session, projects, sums and endpoints of two periods
		end:                                  18, // session, projects, endpoint, sums of two periods, releases, samples with names and issues, switches, names, findings
		end + "&by=release&overlay=hour&period=6h": 21, // and statements with their texts, sums of the overlay
		"/?project=shop": 17, // flips of switches for graphs and panel, session, projects, sums and errors of two periods, issues and their number and sparks, endpoints, outcomes, releases
	} {
		k.get(path).wantStatus(t, http.StatusOK)
		if n := k.queriesOf(); n > most {
			t.Errorf("%s costs %d queries, %d are allowed", path, n, most)
		} else {
			t.Logf("%s: %d", path, n)
		}
	}
}
