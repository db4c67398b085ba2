package web

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/ingest/sqltext"
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

// record writes down that a program of a project sent a statement, as the drain does.
func (w *site) record(t *testing.T, project string, sql string) (fingerprint uint64) {
	t.Helper()
	p, _, err := w.projects.Ensure(t.Context(), project, "python")
	if err != nil {
		t.Fatal(err)
	}
	form, fingerprint := sqltext.Normalize(sql)
	statements := []store.Statement{{ProjectID: p.ID, Fingerprint: fingerprint, SQL: form, Sample: sql}}
	if err := store.New(w.db).PutStatements(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	var endpoint, caller int32
	err = w.db.Write(t.Context(), db.Key{Part: db.Ops}).QueryRow(t.Context(), `WITH e AS (INSERT INTO endpoint (project_id, service, method, name) VALUES ($1, '', 'GET', '/cart') RETURNING id),
		l AS (INSERT INTO label (project_id, kind, value) VALUES ($1, $2, 'cart.py:41') RETURNING id) SELECT e.id, l.id FROM e, l`, p.ID, model.LabelCaller).Scan(&endpoint, &caller)
	if err != nil {
		t.Fatal(err)
	}
	durations := sketch.New()
	durations.Add(2000, 8)
	now := time.Now()
	rows := [][]any{{now, now.Add(-30 * time.Second).Truncate(10 * time.Minute), p.ID, statements[0].ID, endpoint, caller, int32(0), int16(model.FromSpans), 8.0, 1.0, 16000.0, int64(2000), 24.0, 8.0, durations.Encode()}}
	_, err = w.db.Copy(t.Context(), db.Key{Part: db.Ops}, "statement_raw", []string{"received", "bucket", "project_id", "statement_id", "endpoint_id", "caller_id", "release_id", "source", "n", "failed", "total_us",
		"max_us", "rows", "rows_known", "durations"}, pgx.CopyFromRows(rows))
	if err != nil {
		t.Fatal(err)
	}
	return fingerprint
}

// TestRecordedQueries: the digest of a project is what its programs report; Kibitz's own statements are known by both.
func TestRecordedQueries(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	fingerprint := w.record(t, "shop", "SELECT * FROM cart WHERE id = 88213")
	list := w.see(t, p, "/queries?project=shop").wantStatus(t, 200)
	for _, want := range []string{"from cart", "GET /cart", "p95 ms", "1 call failed", "8 calls of 1 statement"} {
		if !strings.Contains(text(list), want) {
			t.Errorf("the digest does not say %q", want)
		}
	}
	one := w.see(t, p, fmt.Sprintf("/queries/%016x?project=shop", fingerprint)).wantStatus(t, 200)
	for _, want := range []string{"cart.py:41", "id = 88213", "not one of Kibitz", "/endpoint?method=GET"} {
		if !strings.Contains(text(one), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if found := w.see(t, p, "/queries?project=shop&text=cart.py").wantStatus(t, 200); !strings.Contains(text(found), "from cart") {
		t.Error("a statement is not found by its caller")
	}
	if r := w.see(t, p, "/queries?project=shop&period=7d&rank=p95").wantStatus(t, 200); !strings.Contains(text(r), "from cart") {
		t.Error("a week does not hold it")
	}
	w.record(t, issues.SelfProject, `SELECT count(*) FROM issue WHERE number > 3 AND title = 'x'`)
	own := w.see(t, p, statementPath(t, w, p)).wantStatus(t, 200)
	for _, want := range []string{"cart.py:41", "Run and measure", "GET /cart", "p95"} {
		if !strings.Contains(text(own), want) {
			t.Errorf("our own statement does not say %q", want)
		}
	}
	for path, status := range map[string]int{"/queries?project=nowhere": 404, "/queries/0000000000000001?project=shop": 404, "/queries/zz?project=shop": 404, "/queries?project=shop&period=x": 400} {
		w.see(t, p, path).wantStatus(t, status)
	}
}

// text is a page without its tags: colours cut statements into pieces.
func text(r reply) string {
	return strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`</?(span|b|i|code)[^>]*>`).ReplaceAllString(r.text, ""))), " ")
}

// TestQueriesBudget: both pages cost the session and the projects, whatever they show; callers cost five more.
func TestQueriesBudget(t *testing.T) {
	t.Parallel()
	w, p := digested(t)
	w.do(t, "POST", "/database", url.Values{"csrf": {p.csrf}}, cookies(p.cookie), ours()).wantStatus(t, 303)
	w.record(t, issues.SelfProject, `SELECT count(*) FROM issue WHERE number > 3 AND title = 'x'`)
	for path, most := range map[string]int{"/queries": 6, "/database": 2, statementPath(t, w, p): 7, "/queries?project=" + issues.SelfProject: 6} {
		w.see(t, p, path).wantStatus(t, 200)
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, fmt.Sprintf(`"queries":%d,`, most)) {
			t.Errorf("%s should cost %d queries: %s", path, most, last)
		}
	}
}
