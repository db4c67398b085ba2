package web

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"kibitz/app/db"
	"kibitz/app/model"
)

// digested is a site on which a statement has run between two readings of the server's counters.
func digested(t *testing.T) (*site, person) {
	w := newSite(t, plainBase)
	p := w.signIn(t)
	w.sample()
	for i := range 5 {
		var n int
		if err := w.db.Read(t.Context(), db.Key{Part: db.Ops}).QueryRow(t.Context(), `SELECT count(*) FROM issue WHERE number > $1 AND title = 'x'`, i).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	w.sample()
	return w, p
}

func (w *site) see(t testing.TB, p person, path string) reply {
	t.Helper()
	return w.do(t, "GET", path, nil, cookies(p.cookie))
}

var statementLink = regexp.MustCompile(`href="(/queries/[0-9a-f]{16}\?partition=ops)"`)

// statementPath finds the statement in the digest.
func statementPath(t testing.TB, w *site, p person) string {
	t.Helper()
	page := w.see(t, p, "/queries?partition=ops&text=issue+where+number").wantStatus(t, 200)
	m := statementLink.FindAllStringSubmatch(page.text, -1)
	if len(m) != 1 {
		t.Fatalf("%d statements are listed: %.2000s", len(m), page.text)
	}
	return html.UnescapeString(m[0][1])
}

func TestQueries(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	all := w.see(t, p, "/queries").wantStatus(t, 200)
	if len(statementLink.FindAllString(all.text, -1)) < 1 || strings.Contains(all.text, "No statements yet") {
		t.Errorf("%.3000s", all.text)
	}
	page := w.see(t, p, statementPath(t, w, p)).wantStatus(t, 200)
	for _, want := range []string{"Time in this statement", "Run and measure", `name="csrf"`, "Nobody known", "$2"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for path, status := range map[string]int{"/queries?rank=io": 200, "/queries?rank=p95&page=-3": 200, "/queries?page=99999": 200, "/queries?rank=nothing": 400, "/queries?partition=nowhere": 404,
		"/queries?text=" + strings.Repeat("a", maxFilter+1): 413, "/queries/0000000000000000": 404, "/queries/%3Cscript%3E": 404, "/queries?text=%3Cscript%3Ealert": 200} {
		if r := w.see(t, p, path).wantStatus(t, status); strings.Contains(r.text, "<script>alert") {
			t.Errorf("%s: not escaped", path)
		}
	}
}

func TestQueriesEmpty(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	if r := w.see(t, p, "/queries").wantStatus(t, 200); !strings.Contains(r.text, "No statements yet") {
		t.Errorf("%.2000s", r.text)
	}
	if r := w.see(t, p, "/database").wantStatus(t, 200); !strings.Contains(r.text, "has not ended yet") {
		t.Errorf("%.2000s", r.text)
	}
}

// TestExplainPage asks for a plan by the form, as a browser without a script does.
func TestExplainPage(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	address, query, _ := strings.Cut(statementPath(t, w, p), "?")
	post := func(form url.Values, change ...with) reply {
		return w.do(t, "POST", address+"/explain?"+query, form, append(change, cookies(p.cookie), ours())...)
	}
	plan := post(url.Values{"csrf": {p.csrf}}).wantStatus(t, 200)
	for _, want := range []string{"A generic plan", "issue", "Explain with these values", "bigint", "text"} {
		if !strings.Contains(plan.text, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	ran := post(url.Values{"csrf": {p.csrf}, "run": {"1"}, "value": {"3", "it's"}}).wantStatus(t, 200)
	if !strings.Contains(ran.text, "It ran for") || !strings.Contains(ran.text, "it&#39;s") {
		t.Errorf("it was not run: %.3000s", ran.text)
	}
	if r := post(url.Values{"csrf": {p.csrf}, "run": {"1"}}).wantStatus(t, 200); !strings.Contains(r.text, "their values are needed") {
		t.Error("it was run without values")
	}
	if r := post(url.Values{"csrf": {p.csrf}, "with": {"1"}, "value": {"no number", "x"}}).wantStatus(t, 200); !strings.Contains(r.text, "PostgreSQL says") {
		t.Error("a wrong value is not answered in words")
	}
	post(url.Values{}).wantStatus(t, 403)
	w.do(t, "POST", address+"/explain?"+query, url.Values{"csrf": {p.csrf}}, cookies(p.cookie)).wantStatus(t, 403)
}

func TestDatabasePage(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	w.do(t, "POST", "/database", url.Values{"csrf": {p.csrf}}, cookies(p.cookie), ours()).wantStatus(t, 303)
	page := w.see(t, p, "/database").wantStatus(t, 200)
	for _, want := range []string{"Indexes in memory", "Foreign keys", "Replication lag", "not enough data", "PostgreSQL 1", "shared_buffers"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	report := w.Server.health.Report()
	for _, v := range []model.Verdict{model.Bad, model.Warn, model.Unknown, model.Healthy} {
		n := 0
		for _, f := range report.Findings {
			if f.Verdict == v && f.Node == "ops" {
				n++
			}
		}
		shown := strings.Count(w.see(t, p, fmt.Sprintf("/database?node=ops&verdict=%s", v)).wantStatus(t, 200).text, `class="answer"`)
		if shown != n {
			t.Errorf("%d answers are %s, %d are shown", n, v, shown)
		}
	}
	if tiles := w.see(t, p, "/queries").wantStatus(t, 200); !strings.Contains(tiles.text, "Unused indexes") || !strings.Contains(tiles.text, "Index hits") {
		t.Error("there are no vital signs")
	}
}

// TestQueriesBudget: both pages cost the session and the projects, whatever they show.
func TestQueriesBudget(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	w.do(t, "POST", "/database", url.Values{"csrf": {p.csrf}}, cookies(p.cookie), ours()).wantStatus(t, 303)
	for _, path := range []string{"/queries", "/database", statementPath(t, w, p)} {
		w.see(t, p, path).wantStatus(t, 200)
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, `"queries":2,`) {
			t.Errorf("%s should cost 2 queries: %s", path, last)
		}
	}
}
