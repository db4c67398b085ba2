package requests

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

func TestCheckExplainable(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"SELECT 1", "select 1;", " ( SELECT 1 ) ; ; ", "-- a\nWITH x AS (SELECT 1) SELECT * FROM x", "INSERT INTO a VALUES (';')", `UPDATE "a;b" SET x = $$;COMMIT$$`,
		"DELETE FROM a WHERE b = $1 /* ; */", "MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", "VALUES (1)", "TABLE a", `SELECT E'\';'`} {
		if _, err := checkExplainable(sql, false); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{"", ";", "COMMIT", "SELECT 1; COMMIT", "SELECT 1;;SELECT 2", "ANALYZE SELECT 1", "EXPLAIN SELECT 1", "CREATE TABLE a AS SELECT 1", "DO $$ $$", "CALL f()",
		"SELECT 'a' ; DROP TABLE x --", "SELECT $$a$$; DELETE FROM x", "SELECT /* /* */ ; */ 1 */ ; COMMIT", "SELECT 'open", "SELECT 1 /* open", "PREPARE x AS SELECT 1", "EXECUTE x", "DECLARE c CURSOR FOR SELECT 1",
		"REFRESH MATERIALIZED VIEW x", "COPY a TO PROGRAM 'sh'", "SELECT '" + strings.Repeat("a", maxExplained) + "'", strings.Repeat("SELECT ", maxExplainedTokens)} {
		if _, err := checkExplainable(sql, false); err == nil || errs.Of(err) != errs.Unprocessable && errs.Of(err) != errs.TooLarge {
			t.Errorf("%s: %v", sql[:min(len(sql), 60)], err)
		}
	}
}

func TestCalled(t *testing.T) {
	t.Parallel()
	names, err := checkExplainable(`SELECT Lower(a), "Odd f" (1), pg_catalog . pg_sleep /* x */ (2) FROM t WHERE b IN (1)`, true)
	if err != nil || strings.Join(names, ",") != "Odd f,in,lower,pg_sleep" {
		t.Errorf("%q, %v", names, err)
	}
	for _, sql := range []string{"INSERT INTO a VALUES (1)", "WITH x AS (DELETE FROM a RETURNING 1) SELECT * FROM x", "SELECT 1 INTO a", "SELECT * FROM a FOR UPDATE", `SELECT U&"pg\005fsleep"(9)`} {
		if _, err := checkExplainable(sql, true); errs.Of(err) != errs.Unprocessable {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// FuzzCheckExplainable: what passes has no semicolon that the scanner sees outside of quotes, and begins as it must.
func FuzzCheckExplainable(f *testing.F) {
	for _, s := range []string{"SELECT 1; COMMIT", "SELECT $$ ; $$", "WITH a AS (SELECT 1) SELECT 'x'';' FROM a -- ;", `U&"`} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, sql string, run bool) {
		if _, err := checkExplainable(sql, run); err != nil && errs.Of(err) == errs.Internal {
			t.Errorf("%q: %v", sql, err)
		}
	})
}

func explainer(t testing.TB) (*Explainer, *db.DB) {
	d := dbtest.New(t)
	owned(t, d, `CREATE TABLE shelf (id bigint PRIMARY KEY, title text, made timestamptz)`, `INSERT INTO shelf SELECT n, 'book ' || n, now() FROM generate_series(1, 5000) n`,
		`CREATE SEQUENCE counter`, `CREATE FUNCTION ops.poke() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM ops.shelf; SELECT 1'`,
		`CREATE FUNCTION ops.sly() RETURNS int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM ops.shelf'`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON shelf TO kibitz_ops`, `GRANT ALL ON SEQUENCE counter TO kibitz_ops`, `ANALYZE shelf`)
	return NewExplainer(store.New(d)), d
}

// owned runs statements as the owner of ops.
func owned(t testing.TB, d *db.DB, statements ...string) {
	t.Helper()
	err := d.Owner(t.Context(), db.Ops, func(conn *pgx.Conn) (err error) {
		for _, sql := range statements {
			_, failed := conn.Exec(t.Context(), sql)
			err = errors.Join(err, failed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func books(t testing.TB, d *db.DB) (n int) {
	t.Helper()
	if err := d.Read(t.Context(), db.Key{Part: db.Ops}).QueryRow(t.Context(), `SELECT count(*) FROM shelf`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// steps are the names of a plan's steps, from the top.
func steps(n model.PlanNode) string {
	out := n.Type
	for _, c := range n.Children {
		out += " > " + steps(c)
	}
	return out
}

func TestExplain(t *testing.T) {
	t.Parallel()
	e, d := explainer(t)
	for _, c := range []struct {
		sql    string
		values []string
		run    bool
		plan   string
		params string
	}{
		{"SELECT * FROM shelf WHERE id = $1", nil, false, "Index Scan", "bigint"},
		{"SELECT * FROM shelf WHERE id = $1;", []string{"7"}, true, "Index Scan", "bigint"},
		{"SELECT * FROM shelf WHERE made > $1 AND title LIKE $2 LIMIT $3", nil, false, "Limit > Seq Scan", "timestamp with time zone text bigint"},
		{"UPDATE shelf SET title = $1 WHERE id = $2", nil, false, "Update > Index Scan", "text bigint"},
		{"DELETE FROM shelf", nil, false, "Delete > Seq Scan", ""},
		{"INSERT INTO shelf (id) VALUES ($1)", []string{"9999"}, false, "Insert > Result", "bigint"},
		{"SELECT title FROM shelf WHERE title = $1", []string{"it's; DROP TABLE shelf; --"}, true, "Seq Scan", "text"},
		{"SELECT ops.sly()", nil, true, "Result", ""},
		{"MERGE INTO shelf USING (SELECT 1 AS id) s ON s.id = shelf.id WHEN MATCHED THEN DELETE", nil, false, "Merge > Index Scan", "bigint"},
	} {
		got, err := e.Explain(t.Context(), "ops", c.sql, c.values, c.run)
		if err != nil || got.Plan == nil {
			t.Errorf("%s: %+v, %v", c.sql, got, err)
			continue
		}
		if s := steps(got.Plan.Root); s != c.plan || got.Plan.Ran != c.run || got.Plan.Generic != (c.values == nil && len(got.Params) > 0) {
			if !strings.HasPrefix(c.sql, "MERGE") || !strings.HasPrefix(s, "Merge") {
				t.Errorf("%s: %s, ran %v, generic %v", c.sql, s, got.Plan.Ran, got.Plan.Generic)
			}
		}
		if s := strings.Join(got.Params, " "); s != c.params && !strings.HasPrefix(c.sql, "MERGE") {
			t.Errorf("%s: placeholders %q", c.sql, s)
		}
	}
	if n := books(t, d); n != 5000 {
		t.Errorf("%d books are left", n)
	}
}

// TestExplainHostile tries to do something by being explained. Nothing happens, and each is refused in words.
func TestExplainHostile(t *testing.T) {
	t.Parallel()
	e, d := explainer(t)
	for _, c := range []struct {
		sql string
		run bool
	}{
		{"SELECT ops.poke()", true}, {"SELECT pg_sleep(100)", true}, {"SELECT pg_terminate_backend(pid) FROM pg_stat_activity", true}, {`SELECT "pg_advisory_lock"(1)`, true},
		{"SELECT nextval('counter')", true}, {"SELECT set_config('transaction_read_only', 'off', false)", true}, {"DELETE FROM shelf", true},
		{"WITH gone AS (DELETE FROM shelf RETURNING 1) SELECT count(*) FROM gone", true}, {"SELECT pg_catalog.query_to_xml('DELETE FROM ops.shelf', true, true, '')", true},
		{"SELECT 1; COMMIT; DELETE FROM shelf", false}, {"SELECT 1 /* */; DELETE FROM shelf", false}, {"ANALYZE SELECT ops.poke()", false},
		{"SELECT * FROM nowhere", false}, {"SELECT nothing FROM shelf", false}, {"SELECT * FROM users.account", false}, {"SELECT $1", false}, {"SELECT syntax error here from", false},
		{"SELECT '\x00'", false}, {"SELECT 1 FROM shelf WHERE id = $9", false},
	} {
		got, err := e.Explain(t.Context(), "ops", c.sql, nil, c.run)
		if got.Plan != nil && c.sql != "SELECT $1" {
			t.Errorf("%s has a plan: %s", c.sql, steps(got.Plan.Root))
		}
		if err != nil && errs.Of(err) != errs.Unprocessable {
			t.Errorf("%s: %v", c.sql, err)
		}
		if got.Plan == nil && err == nil && got.Refused == "" {
			t.Errorf("%s: no word", c.sql)
		}
	}
	// The scanner is the first of three walls. Behind it the protocol takes one statement, and a plan runs none.
	for _, sql := range []string{"SELECT 1; DELETE FROM shelf", "SELECT ops.poke()", "DELETE FROM shelf", "SELECT 1) ; DELETE FROM shelf; --"} {
		if _, err := store.New(d).Explain(t.Context(), db.Node{Part: db.Ops}, store.ExplainRequest{SQL: sql, Timeout: time.Second}); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	got, err := store.New(d).Explain(t.Context(), db.Node{Part: db.Ops}, store.ExplainRequest{SQL: "DELETE FROM shelf", Run: true, Timeout: time.Second})
	if err != nil || got.Code != "25006" {
		t.Errorf("a DELETE that is run: %+v, %v", got, err)
	}
	got, err = store.New(d).Explain(t.Context(), db.Node{Part: db.Ops}, store.ExplainRequest{SQL: "SELECT pg_sleep(100)", Run: true, Timeout: 50 * time.Millisecond})
	if err != nil || got.Code != "57014" {
		t.Errorf("a statement without end: %+v, %v", got, err)
	}
	if n := books(t, d); n != 5000 {
		t.Errorf("%d books are left", n)
	}
	// Nothing that was prepared stays behind, whichever connection it was.
	for range 8 {
		if got, err := e.Explain(t.Context(), "ops", "SELECT 1", nil, false); err != nil || got.Plan == nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := e.Explain(t.Context(), "nowhere", "SELECT 1", nil, false); errs.Of(err) != errs.NotFound {
		t.Error(err)
	}
}

func TestParsePlan(t *testing.T) {
	t.Parallel()
	p, err := ParsePlan([]byte(`[{"Plan": {"Node Type": "Hash Join", "Join Type": "Left", "Startup Cost": 1.5, "Total Cost": 100, "Plan Rows": 10, "Actual Rows": 12, "Actual Loops": 2, "Actual Total Time": 1.5,
		"Hash Cond": "(a.x = b.x)", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "a", "Total Cost": 60, "Filter": "(y > 1)", "Rows Removed by Filter": 990},
		{"Node Type": "Aggregate", "Strategy": "Hashed", "Total Cost": 30, "Group Key": ["x", "y"], "Plans": []}]}, "Execution Time": 3.25, "Settings": {"work_mem": "1MB", "plan_cache_mode": "x"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	if s := steps(p.Root); s != "Hash Join Left > Seq Scan > Hash Aggregate" {
		t.Error(s)
	}
	if p.Root.Self != 10 || p.Root.ActualTime != 3*time.Millisecond || !p.Ran || p.Execution != 3250*time.Microsecond || len(p.Settings) != 1 || p.Root.Children[0].Removed != 990 ||
		p.Root.Children[1].Details[0].Value != "x, y" {
		t.Errorf("%+v", p)
	}
	deep := strings.Repeat(`{"Plans":[`, maxPlanDepth+2) + strings.Repeat(`]}`, maxPlanDepth+2)
	wide := `{"Plans":[` + strings.Repeat(`{},`, maxPlanNodes) + `{}]}`
	for _, text := range []string{"", "[]", "{}", "null", `{"Plan": 7}`, `{"Plan": {"Plans": 7}}`, `{"Plan":` + deep + `}`, `{"Plan":` + wide + `}`, strings.Repeat(" ", maxPlan+1)} {
		if p, err := ParsePlan([]byte(text)); err == nil {
			t.Errorf("%.40q: %+v", text, p)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`[{"Plan": {"Node Type": "Limit", "Plans": [{"Node Type": "Seq Scan"}]}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := ParsePlan(text); err == nil && p == nil {
			t.Error("neither a plan nor an error")
		}
	})
}
