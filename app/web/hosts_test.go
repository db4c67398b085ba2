package web

import (
	"context"
	"encoding/csv"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/hostmetrics"
	"kibitz/app/issues"
	"kibitz/app/store"
	"kibitz/views"
)

// TestHostNames: the page shows what is measured, all of it, by the same names.
func TestHostNames(t *testing.T) {
	t.Parallel()
	shown, known := views.HostMetricNames(), hostmetrics.Names()
	slices.Sort(shown)
	slices.Sort(known)
	if !slices.Equal(shown, known) {
		t.Errorf("shown are\n%q\nand measured\n%q", shown, known)
	}
}

// addHost stores n measurements of a host up to now, with a load of 2.5; without any of swap.
func (k *shop) addHost(name string, n int) {
	k.t.Helper()
	var rows []store.HostRow
	for i := range n {
		r := store.HostRow{Bucket: time.Now().UTC().Truncate(15 * time.Second).Add(-time.Duration(i) * 15 * time.Second)}
		for m := range hostmetrics.Metrics {
			count, value := int16(1), 10.
			switch hostmetrics.Metric(m) {
			case hostmetrics.SwapUsed:
				count, value = 0, 0
			case hostmetrics.Load1:
				value = 2.5
			}
			r.N, r.Sums, r.Maxima = append(r.N, count), append(r.Sums, value), append(r.Maxima, float32(value))
		}
		rows = append(rows, r)
	}
	if err := store.New(k.db).AddHostRows(context.Background(), name, rows); err != nil {
		k.t.Fatal(err)
	}
}

// TestHostPages walks through the page and the file of hosts: none, several, one with a hostile name.
func TestHostPages(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.wants(k.get("/hosts").wantStatus(t, 200), "No host was measured")
	if rows := k.hostFile("/hosts.csv"); len(rows) != 1 {
		t.Errorf("%d lines of no host", len(rows))
	}
	k.addHost("web-1", 40)
	k.addHost(`<script>alert(1)</script>`, 4)
	page := k.get("/hosts?host=web-1").wantStatus(t, 200)
	k.wants(page, "2 hosts", "<h2>web-1</h2>", "Busiest disk", "Wait for a connection", "Memory of the container", "Not measured here: Swap", "steps of 1 min", "/hosts.csv?host=web-1")
	k.lacks(page, "<script>alert", "NaN")
	k.wants(page, `data-go="h"`, `aria-current="page"`)
	for _, path := range []string{"/hosts?host=" + url.QueryEscape(`<script>alert(1)</script>`), "/hosts?period=30d", "/hosts?period=7d&host=web-1",
		"/hosts?from=1700000000&to=1700000900"} {
		k.lacks(k.get(path).wantStatus(t, 200), "<script>alert", "NaN")
	}
	k.lacks(k.get("/hosts?host=nobody<script>alert(1)").wantStatus(t, 404), "<script>alert")
	k.get("/hosts?period=nonsense").wantStatus(t, 400)
	k.get("/hosts.csv?host=nobody").wantStatus(t, 404)

	rows := k.hostFile("/hosts.csv?host=web-1")
	load, swap := slices.Index(rows[0], "load.1"), slices.Index(rows[0], "swap.used")
	if len(rows) != 61 || load < 0 || rows[59][load] != "2.5" || rows[59][load+1] != "2.5" || rows[59][swap] != "" || rows[1][load] != "" {
		t.Errorf("%d lines: %q", len(rows), rows[59])
	}
	if r := k.do(t, "GET", "/hosts", nil); r.StatusCode != 303 {
		t.Errorf("who has not signed in is answered %d", r.StatusCode)
	}
}

func (k *shop) hostFile(path string) [][]string {
	k.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(k.get(path).wantStatus(k.t, 200).text)).ReadAll()
	if err != nil || len(rows[0]) != 1+2*hostmetrics.Metrics {
		k.t.Fatalf("%d columns: %v", len(rows[0]), err)
	}
	return rows
}

// TestHostBudget: the page costs the same queries for one host or many.
func TestHostBudget(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	if _, _, err := issues.NewProjects(store.New(k.db), k.Server.log).Ensure(context.Background(), issues.SelfProject, "go"); err != nil {
		t.Fatal(err)
	}
	var before int
	for i := range 6 {
		k.addHost("web-"+string(rune('a'+i)), 20)
		k.get("/hosts?period=7d").wantStatus(t, 200)
		n := k.queriesOf()
		if n > 6 || (before != 0 && n != before) { // session, projects, hosts, measurements of one, CPU of all, releases
			t.Errorf("%d hosts cost %d queries, %d before", i+1, n, before)
		}
		before = n
	}
	t.Logf("%d queries", before)
	if before < 4 {
		t.Errorf("%d queries: nothing was counted", before)
	}
}
