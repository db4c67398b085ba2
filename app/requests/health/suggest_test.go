package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/app/model"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`SELECT * FROM post WHERE author = $1 AND p.state IN ($2, $3) ORDER BY post.id DESC LIMIT $4`: ".post = [author state] < [] ~ [] by [id]",
		`select count(*) from "posts"."post" as p where p.a > $1 and b between $2 and $3 and c <> $4`: "posts.post = [] < [a b] ~ [] by []",
		`UPDATE ONLY post SET a = $1, b = lower($2) WHERE c = ANY($3) AND lower(d) = $4 RETURNING x`:  ".post = [c] < [] ~ [] by []",
		`DELETE FROM post WHERE body LIKE $1`:                                     ".post = [] < [] ~ [body] by []",
		`SELECT extract(year FROM a) FROM post WHERE (b = $1) AND c = $2`:         ".post = [c] < [] ~ [] by []",
		`SELECT 1 FROM post WHERE a @> $1 AND b <@ $2 AND c = $1 /* AND d = 1 */`: ".post = [c] < [] ~ [] by []",
	} {
		q, ok := parseQuery(sql)
		if got := fmt.Sprintf("%s.%s = %v < %v ~ %v by %v", q.schema, q.table, q.equal, q.ranges, q.patterns, q.order); !ok || got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	for _, sql := range []string{"", "SELECT 1", "SELECT * FROM post", "SELECT * FROM a, b WHERE a.x = b.x", "SELECT * FROM a JOIN b ON a.x = b.x WHERE a.y = 1",
		"SELECT * FROM a WHERE x = 1 OR y = 2", "SELECT * FROM (SELECT 1) a WHERE x = 1", "WITH a AS (SELECT 1) SELECT * FROM a WHERE x = 1",
		"INSERT INTO a VALUES (1)", "SELECT * FROM generate_series(1, 2) WHERE x = 1", "DELETE FROM a USING b WHERE a.x = b.x", "SELECT * FROM a WHERE x IN (SELECT y FROM b)",
		"VACUUM post", "SELECT * FROM post WHERE a = 1 " + strings.Repeat("AND a = 1 ", 1000)} {
		if q, ok := parseQuery(sql); ok {
			t.Errorf("%s: %+v", sql[:min(len(sql), 80)], q)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add(`SELECT * FROM post WHERE a = $1 AND b BETWEEN 1 AND 2 ORDER BY c`)
	f.Add(`UPDATE ONLY "x". SET WHERE (((`)
	f.Fuzz(func(t *testing.T, sql string) {
		if q, ok := parseQuery(sql); ok && q.table == "" {
			t.Errorf("a query of no table: %q", sql)
		}
	})
}

// TestSuggest asks for indexes on a table of 100,000 rows: 1,000 threads, 5 states, 50,000 authors.
func TestSuggest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sql, want string }{
		{"SELECT * FROM post WHERE author = $1", "CREATE INDEX CONCURRENTLY ON posts.post (author);"},
		{"SELECT * FROM post WHERE state = $1 AND author = $2", "CREATE INDEX CONCURRENTLY ON posts.post (author);"},      // 2 rows are left by the first
		{"SELECT * FROM post WHERE state = $1 AND forum = $2", "CREATE INDEX CONCURRENTLY ON posts.post (forum, state);"}, // 1,000, then 200
		{"SELECT * FROM post WHERE forum = $1 AND flag = $2", "CREATE INDEX CONCURRENTLY ON posts.post (forum);"},         // flag leaves half
		{"SELECT * FROM post WHERE flag = $1", ""},
		{"SELECT * FROM post WHERE forum = $1 AND made > $2 AND state = $3", "CREATE INDEX CONCURRENTLY ON posts.post (forum, state);"},
		{"SELECT * FROM post WHERE forum = $1 ORDER BY made", "CREATE INDEX CONCURRENTLY ON posts.post (forum, made);"},
		{"SELECT * FROM post WHERE made > $1", "CREATE INDEX CONCURRENTLY ON posts.post (made);"},
		{"SELECT * FROM post WHERE body LIKE $1", "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX CONCURRENTLY ON posts.post USING gist (body gist_trgm_ops);"},
		{"SELECT * FROM post WHERE id = $1", ""},                    // the primary key
		{"SELECT * FROM post WHERE thread_id = $1 AND id > $2", ""}, // there is one
		{"SELECT * FROM users.post WHERE author = $1", ""},
		{"SELECT * FROM tiny WHERE author = $1", ""},
		{"SELECT * FROM elsewhere WHERE author = $1", ""},
	} {
		p := tidy()
		for name, distinct := range map[string]float64{"author": -0.5, "state": 5, "forum": 100, "flag": 2, "made": -1, "body": -1} {
			p.Schema.Columns = append(p.Schema.Columns, model.ColumnFacts{Table: "post", Name: name, Known: true, Distinct: distinct})
		}
		p.Schema.Tables = append(p.Schema.Tables, model.TableFacts{Name: "tiny", Root: "tiny", Rows: 499})
		p.Statements = []Statement{{c.sql, 100, time.Second}, {c.sql + " LIMIT 1", 10, time.Second}}
		f := at(t, JudgePartition(p), "suggested_index")
		switch {
		case c.want == "" && len(f.Items) > 0, c.want != "" && (len(f.Items) != 1 || f.Items[0].SQL != c.want || !strings.Contains(f.Items[0].Said, "110 calls")):
			t.Errorf("%s: %+v, want %q", c.sql, f.Items, c.want)
		}
		p.Statements = []Statement{{c.sql, 1000, time.Second}}
		if f := at(t, JudgePartition(p), "suggested_index"); len(f.Items) > 0 {
			t.Errorf("%s takes 1 ms and wants %+v", c.sql, f.Items)
		}
	}
}

func TestSuggestWithoutStatistics(t *testing.T) {
	t.Parallel()
	p := tidy()
	p.Statements = []Statement{{"SELECT * FROM post WHERE author = $1", 1, time.Second}}
	if f := at(t, JudgePartition(p), "suggested_index"); f.Verdict != model.Unknown {
		t.Errorf("%+v", f)
	}
}
