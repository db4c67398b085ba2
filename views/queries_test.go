package views

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
)

func sampleStatement() StatementRow {
	return StatementRow{ID: "00d2f84e1a9c2eb7", Partition: "posts", SQL: "SELECT p.id, p.body FROM posts AS p WHERE p.thread_id = $1 ORDER BY p.score DESC LIMIT $2", Total: 12180 * time.Second, Mean: 690 * time.Microsecond,
		P95: 2100 * time.Microsecond, HasP95: true, Calls: 17.6e6, RowsPerCall: 24.8, IO: &model.StatementIO{Hit: 990, Read: 10, TempDone: 3, WALBytes: 1 << 20}, Share: .384, Impact: 1.4, Spark: []int64{1, 5, 0, 9},
		Callers: []StatementCaller{{Endpoint: "GET /embed/thread", URL: "/endpoints/1", Code: "thread.go:41", Calls: 3, Total: time.Second}}, Badges: []Badge{{"ok", "31 % faster"}}}
}

func sampleFinding() model.Finding {
	return model.Finding{Check: "unused_index", Title: "Unused indexes", Node: "posts", Verdict: model.Warn, Said: "1 index takes 1.2 GB", Advice: "Drop it.", Value: "1", Unit: "1.2 GB", More: 2,
		Items: []model.FindingItem{{Name: "posts.posts_ip_idx", Said: "no scan in 30 days", SQL: "DROP INDEX CONCURRENTLY posts.posts_ip_idx;"}}}
}

func sampleQueries() QueriesProps {
	return QueriesProps{Partition: "posts", Partitions: []string{"forums", "posts"}, Rank: "total", Text: "thread", From: time.Unix(0, 0), To: time.Unix(3600, 0), Rows: []StatementRow{sampleStatement()}, First: 1, Found: 1,
		Statements: 214, Others: 7, Calls: 38.1e6, Total: 31720 * time.Second, Next: "/queries?page=2", Notes: []string{"The counters were reset."},
		Tiles:     []VitalTile{{Name: "Index hits", Value: "99.2", Unit: "%", Sub: "goal 99 %", Verdict: model.Healthy, Line: []float64{1, 2, 3}}},
		Suggested: []model.Finding{sampleFinding()}, Unused: []model.Finding{sampleFinding(), {Node: "ops", Verdict: model.Unknown, Said: "too young"}}}
}

func samplePlan() *model.Plan {
	return &model.Plan{Generic: true, Ran: true, Planning: time.Millisecond, Execution: 3 * time.Millisecond, Settings: []model.Attr{{Key: "work_mem", Value: "8MB"}},
		Root: model.PlanNode{Type: "Limit", Total: 10, Self: 1, Rows: 3, ActualRows: 3, Loops: 1, Children: []model.PlanNode{{Type: "Index Scan", Relation: "posts", Index: "posts_pkey", Total: 9, Self: 9, Loops: 4, Removed: 8,
			Details: []model.Attr{{Key: "Index Cond", Value: "(id = $1)"}}}}}}
}

func sampleStatementPage() StatementProps {
	return StatementProps{Row: sampleStatement(), From: time.Unix(0, 0), To: time.Unix(3600, 0), Step: 2 * time.Minute, Explainable: true, Notes: []string{"evicted"},
		Samples: []StatementSample{{At: time.Unix(9, 0), Duration: time.Second, URL: "/requests/1", Text: "SELECT 1"}},
		Explain: &ExplainProps{Plan: samplePlan(), Refused: "PostgreSQL says: no", Params: []string{"bigint"}, Values: []string{"7"}}}
}

func sampleDatabase() DatabaseProps {
	f := model.ServerFacts{Node: "posts", Version: 150018, Started: time.Unix(0, 0), Size: 5 << 30}
	return DatabaseProps{At: time.Unix(100, 0), Node: "posts", Nodes: []string{"ops", "posts"}, Counts: map[model.Verdict]int{model.Warn: 1, model.Healthy: 3}, Findings: []model.Finding{sampleFinding()},
		Servers: []DatabaseServer{{Names: "ops, posts", Facts: f, Tiles: sampleQueries().Tiles, Settings: []SettingRow{{"shared_buffers", "512 MB", "default"}}}, {Names: "users", Down: "It does not answer."}}}
}

func sampleReport() ReportProps {
	return ReportProps{Title: "Week 47 of 2026", From: time.Unix(0, 0), To: time.Unix(604800, 0), Base: "https://kibitz.example", Findings: []model.Finding{sampleFinding()}, Checked: time.Unix(1, 0), Unknown: 2,
		Statements: []ReportStatement{{Project: "shop", SQL: "SELECT 1", Total: time.Hour, Mean: time.Millisecond, Max: time.Second, Calls: 10, Share: .5, URL: "https://kibitz.example/queries/1"}},
		Endpoints:  []ReportEndpoint{{Project: "shop", Name: "GET /cart", N: 5, Failed: .1, Total: time.Minute, P95: time.Second, URL: "https://kibitz.example/endpoint"}}}
}

func TestReportMail(t *testing.T) {
	t.Parallel()
	p := sampleReport()
	for name, got := range map[string]string{"html": rendered(t, ReportMail(p)), "text": ReportText(p)} {
		for _, want := range []string{"Week 47 of 2026", "SELECT 1", "GET /cart", "DROP INDEX CONCURRENTLY", "0 wrong, 1 to look at, 2 wait", "1,000"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
	if s := p.Subject(); s != "Kibitz: Week 47 of 2026, 1 to look at" {
		t.Error(s)
	}
	if text := ReportText(ReportProps{}); !strings.Contains(text, "No program reported a query") || !strings.Contains(text, "were not checked") {
		t.Error(text)
	}
	poison(reflect.ValueOf(&p).Elem(), "x\r\n.\r\nRCPT TO: evil <script>alert(1)</script>")
	p.Base = "https://kibitz.example"
	if html, text := rendered(t, ReportMail(p)), ReportText(p); strings.Contains(html, "<script>alert") || strings.Contains(text, "\r") || strings.Contains(text, "\n.\n") {
		t.Errorf("hostile text comes through:\n%s", text)
	}
}

// TestHostileQueries puts text that would be markup into every field of the pages of statements and databases.
func TestHostileQueries(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, "javascript:alert(1)", "a\x00b\x1b[31m\u202e", strings.Repeat("long ", 2000)} {
		c, list, one, health := sampleChrome("/"), sampleQueries(), sampleStatementPage(), sampleDatabase()
		for _, p := range []any{&list, &one, &health} {
			poison(reflect.ValueOf(p).Elem(), text)
		}
		for name, page := range map[string]templ.Component{"list": QueriesPage(c, list), "statement": StatementPage(c, one), "database": DatabasePage(c, health)} {
			html := rendered(t, page)
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `action="javascript:`} {
				if strings.Contains(html, bad) {
					t.Errorf("%s: %q becomes %s", name, text[:min(len(text), 30)], bad)
				}
			}
		}
	}
}

func TestQueriesPages(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/queries")
	for name, page := range map[string]struct {
		html templ.Component
		says []string
	}{
		"list": {QueriesPage(c, sampleQueries()), []string{"38.1 M calls of 214 statements in the last 1 h, 31,720 s in the database", "SELECT", "38.4 %", "17.6 M", "<b>0.69</b>", "24.8", "GET /embed/thread",
			"31 % faster", "p95 ms", "99 % hit", "no scan in 30 days", "posts.posts_ip_idx", "7 more are summed up", "too young", `data-state="idle"`, "M0 96L500 50L1000 4"}},
		"statement": {StatementPage(c, sampleStatementPage()), []string{"thread.go:41", "Run and measure", "A generic plan", "It ran for 3 ms", "posts_pkey", "(id = $1)", "× 4", "$1, bigint", "PostgreSQL says: no", "work_mem"}},
		"refused":   {StatementPage(c, StatementProps{Reason: "Its text is not known."}), []string{"Its text is not known.", "evicted from pg_stat_statements", "Nobody known"}},
		"database":  {DatabasePage(c, sampleDatabase()), []string{"Of 4 answers 1 to look at, 3 well.", "PostgreSQL 15.18, primary", "It does not answer.", "512 MB", "2 more are not listed", "pg_monitor"}},
		"empty":     {DatabasePage(c, DatabaseProps{}), []string{"not checked yet"}},
		"nothing":   {QueriesPage(c, QueriesProps{Text: "zebra", From: time.Unix(0, 0), To: time.Unix(60, 0)}), []string{"No statement matches", "“zebra”"}},
	} {
		html := rendered(t, page.html)
		for _, want := range page.says {
			if !strings.Contains(html, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{digits(0): "0", digits(math.NaN()): "–", digits(0.694): "0.69", digits(24.84): "24.8", digits(100): "100", digits(999.6): "1 k", digits(12_940): "12.9 k", digits(38.1e6): "38.1 M", digits(2e12): "2 T",
		msText(690 * time.Microsecond): "0.69", msText(1839 * time.Millisecond): "1,839", timeSum(12 * time.Millisecond): "12 ms", timeSum(1870 * time.Second): "1,870 s", shareOf(0.3842): "38.4 %",
		byteText(1 << 30): "1 GB", byteText(-1): "0 B", versionText(170004): "17.4", settingValue(model.Setting{Value: "65536", Unit: "8kB"}): "512 MB",
		settingValue(model.Setting{Value: "-1", Unit: "kB"}): "-1 kB", settingValue(model.Setting{Value: "900", Unit: "s"}): "900 s", sparkline([]float64{1}): "", sparkline([]float64{3, 3}): "M0 96L1000 96"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestQueriesIO: I/O is a column and a ranking where a server's counters tell it, and nowhere else.
func TestQueriesIO(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/queries")
	known := StatementRow{ID: "1", SQL: "select 1", Calls: 1, IO: &model.StatementIO{Hit: 90, Read: 10, Written: 5, TempRead: 1, TempDone: 2, WALBytes: 4096, WriteTime: 3 * time.Millisecond}}
	blind := StatementRow{ID: "2", SQL: "select 2", Calls: 1}
	for name, one := range map[string]struct {
		rows       []StatementRow
		rank       string
		head, link bool
	}{"known": {[]StatementRow{known, blind}, "total", true, true}, "blind": {[]StatementRow{blind}, "total", false, false}, "asked for": {[]StatementRow{blind}, "io", false, true}} {
		html := rendered(t, QueriesPage(c, QueriesProps{Rank: one.rank, Rows: one.rows, Found: len(one.rows), From: sampleNow.Add(-time.Hour), To: sampleNow}))
		if strings.Contains(html, "I/O, blocks") != one.head || strings.Contains(html, ">I/O<") != one.link {
			t.Errorf("%s: %v and %v", name, strings.Contains(html, "I/O, blocks"), strings.Contains(html, ">I/O<"))
		}
		if one.head && (!strings.Contains(html, `title="10 read, 5 written"`) || !strings.Contains(html, ">18<") || !strings.Contains(html, "90 % hit")) {
			t.Errorf("%s: the numbers are not there", name)
		}
	}
	html := rendered(t, StatementPage(c, StatementProps{Row: known, From: sampleNow.Add(-time.Hour), To: sampleNow, Step: time.Minute}))
	for _, want := range []string{"<dt>I/O</dt><dd>18</dd>", "0 ms reading, 3 ms writing", "4 kB"} {
		if !strings.Contains(html, want) {
			t.Errorf("the statement's page lacks %q", want)
		}
	}
}
