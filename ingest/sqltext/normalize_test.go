package sqltext

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// forms are sources and what they become.
var forms = []struct{ sql, want string }{
	{"", ""},
	{"  ;; ", ""},
	{"SELECT 1", "select ?"},
	{"select\t'x' ;", "select ?"},
	{"SELECT * FROM Users WHERE Id = 42", "select * from users where id = ?"},
	{"SELECT * FROM users WHERE id=$1", "select * from users where id = ?"},
	{"SELECT * FROM users WHERE id = %s", "select * from users where id = ?"},
	{"SELECT * FROM users WHERE id = %(id)s AND x = :name", "select * from users where id = ? and x = ?"},
	{"select a%5 from t", "select a % ? from t"},
	{`SELECT "Users"."Id", "auth_user"."id" FROM "Users"`, `select "Users"."Id", auth_user.id from "Users"`},
	{`SELECT "user", "select" FROM "user"`, `select "user", "select" from "user"`},
	{`select "a""b", "A`, `select "a""b", "A"`},
	{"-- note\nSELECT /* a /* b */ c */ x -- end\nFROM t", "select x from t"},
	{"/*route='/x'*/ SELECT 1 /* cut", "select ?"},
	{"SELECT 'it''s', E'a\\'b', B'01', X'ff', N'x', U&'d\\0061', $$a'b$$, $tag$ $$ $tag$", "select ?, ?, ?, ?, ?, ?, ?, ?"},
	{"select 0xFF, 1_000, 1.5e-3, .5, 1e10, 3.", "select ?, ?, ?, ?, ?, ?"},
	{"SELECT 'cut off", "select ?"},
	{"SELECT $$cut off", "select ?"},
	{"WHERE x = -5 AND y = - 7 AND z = a - 5 AND w = a -5", "where x = ? and y = ? and z = a - ? and w = a - ?"},
	{"WHERE x=-5 AND y<-1.5 AND z>=+3", "where x = ? and y < ? and z >= ?"},
	{"SELECT f(-1, 2), g ( 3 )", "select f(?, ?), g(?)"},
	{"WHERE a = NULL AND b IS NULL AND c IS NOT NULL", "where a = ? and b is null and c is not null"},
	{"WHERE a = true AND b IS TRUE AND c IS NOT FALSE AND NOT true", "where a = ? and b is true and c is not false and not ?"},
	{"CREATE TABLE t (a int NOT NULL, b text DEFAULT 'x')", "create table t(a int not null, b text default ?)"},
	{"WHERE id IN (1, 2,3)", "where id in (?)"},
	{"WHERE id IN ($1)", "where id in (?)"},
	{"WHERE id IN ('a', NULL, -3)", "where id in (?)"},
	{"WHERE id NOT IN (SELECT id FROM u WHERE k IN (1,2))", "where id not in (select id from u where k in (?))"},
	{"WHERE (a,b) IN ((1,2),(3,4),(5,6))", "where (a, b) in ((?))"},
	{"WHERE id IN (1, f(2), 3, 4)", "where id in (?, f(?), ?)"},
	{"INSERT INTO t (a,b) VALUES (1,'x'),(2,'y'),(3,NULL)", "insert into t(a, b) values (?)"},
	{"INSERT INTO t VALUES ($1,$2) ON CONFLICT (a) DO NOTHING", "insert into t values (?) on conflict (a) do nothing"},
	{"INSERT INTO t VALUES (now(), 1), (now(), 2)", "insert into t values (now(), ?)"},
	{"WHERE a = 1 OR a = 2 OR a = 3", "where a = ?"},
	{"WHERE (a = 1 AND b = 2) OR (a = 3 AND b = 4) OR (a = 5 AND b = 6) ORDER BY x", "where (a = ? and b = ?) order by x"},
	{"WHERE a = 1 OR b = 2 OR b = 3 OR a = 4", "where a = ? or b = ? or a = ?"},
	{"WHERE c AND (a = 1 OR a = 2)", "where c and (a = ?)"},
	{"SELECT ARRAY[1,2,3], ARRAY[[1,2],[3,4]], arr[1], '{1,2}'::int[]", "select ?, ?, arr[?], ?"},
	{"WHERE id = ANY(ARRAY[1,2])", "where id = any (?)"},
	{"WHERE id = ANY($1)", "where id = any (?)"},
	{"WHERE id = ANY('{1,2}'::int4[])", "where id = any (?)"},
	{"SELECT '1'::text, $1::timestamp with time zone, 2::numeric(10,2), x::int", "select ?, ?, ?, x::int"},
	{"SELECT '1'::timestamp(3) without time zone AS t", "select ? as t"},
	{"SELECT '1'::double precision, '2'::pg_catalog.int4[], '3'::int WITH x", "select ?, ?, ? with x"},
	{"SELECT interval '1 day', date '2024-01-01'", "select interval ?, date ?"},
	{"SELECT a->'k', a->>'k', a#>>'{x}', a @> '{}', a ? 'k', a ?| array['x']", "select a -> ?, a ->> ?, a #>> ?, a @> ?, a ? ?, a ?| ?"},
	{"LIMIT 10 OFFSET 20", "limit ? offset ?"},
	{"UPDATE t SET a = 1, b = 2 WHERE id = 3", "update t set a = ?, b = ? where id = ?"},
	{"SELECT count(*) FROM a.b AS c JOIN d USING (id)", "select count(*) from a.b as c join d using (id)"},
	{`SAVEPOINT "s139_x1"`, "savepoint ?"},
	{`RELEASE SAVEPOINT "s139_x2"`, "release savepoint ?"},
	{`ROLLBACK TO SAVEPOINT sp_1`, "rollback to savepoint ?"},
	{`DECLARE "_django_curs_140_sync_1" NO SCROLL CURSOR FOR SELECT 1`, "declare ? no scroll cursor for select ?"},
	{"DEALLOCATE stmtcache_0123abcd", "deallocate ?"},
	{"SELECT a FROM t WHERE b BETWEEN 1 AND 2", "select a from t where b between ? and ?"},
	{"SELECT CASE WHEN a = 1 THEN 'x' ELSE 'y' END", "select case when a = ? then ? else ? end"},
	{"SELECT 'a' 'b'", "select ?"},
	{"sélect Ünïcode FROM 数据", "sélect Ünïcode from 数据"},
	{"select \xff\xfe'x'", "select \uFFFD ?"},
	{"a;b;", "a; b"},
	{"x := 5", "x := ?"},
	{"0: ::", "? : ::"},
	{")(](", ") (]("},
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for _, c := range forms {
		got, fp := Normalize(c.sql)
		if got != c.want {
			t.Errorf("Normalize(%q)\n got %q\nwant %q", c.sql, got, c.want)
		}
		if again, fp2 := Normalize(got); again != got || fp2 != fp {
			t.Errorf("the form of %q is not its own: %q", got, again)
		}
	}
}

// TestOneFingerprint: what pg_stat_statements, Django, pgx and psql show of one statement.
func TestOneFingerprint(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{
			`SELECT "auth_user"."id" FROM "auth_user" WHERE ("auth_user"."id" IN ($1, $2) AND "auth_user"."active" = $3) LIMIT $4`,
			`SELECT "auth_user"."id" FROM "auth_user" WHERE ("auth_user"."id" IN (%s, %s, %s) AND "auth_user"."active" = %s) LIMIT %s`,
			`SELECT "auth_user"."id" FROM "auth_user" WHERE ("auth_user"."id" IN (1, 2) AND "auth_user"."active" = true)  LIMIT 21`,
			"select auth_user.id\n\tfrom auth_user -- all\nwhere (auth_user.id in (7) and auth_user.active = 'f'::bool) limit 1;",
		},
		{"INSERT INTO t (a, at) VALUES ($1, $2)", "insert into t(a,at) values (-1, '2024-01-01'::timestamptz), (NULL, E'\\'x')", "INSERT INTO t (a, at) VALUES (?, ?)"},
		{"SELECT * FROM t WHERE ids && $1", "SELECT * FROM t WHERE ids && ARRAY[1,2,3]", "SELECT * FROM t WHERE ids && '{1,2}'::bigint[]"},
	} {
		_, want := Normalize(same[0])
		for _, sql := range same[1:] {
			if text, got := Normalize(sql); got != want {
				first, _ := Normalize(same[0])
				t.Errorf("two fingerprints:\n%s\n%s", first, text)
			}
		}
	}
	for _, other := range [][2]string{
		{"select a from t where b is null", "select a from t where b is not null"},
		{"select a from t where b = 1", "select a from t where b > 1"},
		{`select "A"`, "select a"},
		{"select f(1)", "select f(1, 2)"},
	} {
		if _, a := Normalize(other[0]); a == second(Normalize(other[1])) {
			t.Errorf("one fingerprint for %q and %q", other[0], other[1])
		}
	}
}

func second(_ string, fp uint64) uint64 { return fp }

// TestBounded: what is large ends in something small, in time that grows with it no faster than it does.
func TestBounded(t *testing.T) {
	t.Parallel()
	for name, piece := range map[string]string{
		"list": "1,", "strings": "'a','b',", "open": "(", "array": "array[", "comments": "/*", "columns": "a,", "or": " or a=1",
		"dollars": "$a$ $b$", "casts": "'1'::int", "signs": "- ", "rows": "(1,2),", "quotes": `"`, "with": "1::x with ", "percent": "%(", "types": "1::t(1,2,3,4,5", "nested or": "(a or ",
	} {
		text, _ := Normalize("select x in (" + strings.Repeat(piece, (1<<20)/len(piece)))
		if len(text) > MaxText+100 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
	text, _ := Normalize("select x in (" + strings.Repeat("1,", 500_000) + "2) and z")
	if text != "select x in (?) and z" {
		t.Errorf("a list of 500,000 became %.100q", text)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, c := range forms {
		f.Add(c.sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		text, fp := Normalize(sql)
		if !utf8.ValidString(text) || len(text) > 2*MaxText+4*len(sql) {
			t.Fatalf("%q", text)
		}
		if again, fp2 := Normalize(text); fp2 != fp {
			t.Fatalf("not its own form:\nsource %q\nform   %q\nagain  %q", sql, text, again)
		}
		var b strings.Builder
		for _, tok := range Tokens(sql) {
			b.WriteString(tok.Text)
		}
		if b.String() != sql {
			t.Fatalf("tokens of %q are %q", sql, b.String())
		}
		Verb(sql)
		if n := len(Tables(sql)); n > MaxTables {
			t.Fatal(n)
		}
	})
}

// pieces are put together at random: what fuzzing seldom finds.
var pieces = strings.Fields("select : := ? 1 'a' - + ( ) [ ] array , or and in values a \"B\" :: int null true not is ; . * = ?| %s :x where on interval 'x'::int savepoint s_1 $1 $$ /* */ -- with time zone ' E' \" = < any then set")

func TestIdempotent(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	failures := 0
	for range 200_000 {
		var b strings.Builder
		for range 1 + r.IntN(14) {
			b.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(4) > 0 {
				b.WriteByte(' ')
			}
		}
		sql := b.String()
		text, fp := Normalize(sql)
		if again, fp2 := Normalize(text); fp2 != fp {
			t.Errorf("source %q\n form  %q\n again %q", sql, text, again)
			if failures++; failures > 10 {
				return
			}
		}
	}
}

func TestNormalizer(t *testing.T) {
	t.Parallel()
	n := NewNormalizer(100 << 10)
	for i := range 10_000 {
		sql := fmt.Sprintf("SELECT a%d FROM t WHERE b = %d", i, i)
		want, fp := Normalize(sql)
		for range 2 {
			if got := n.Normalize(sql); got.Text != want || got.Fingerprint != fp {
				t.Fatalf("%q, want %q", got.Text, want)
			}
		}
	}
	if n.size > n.bytes || len(n.young) == 0 || len(n.old) == 0 {
		t.Errorf("%d bytes of %d, %d and %d entries", n.size, n.bytes, len(n.young), len(n.old))
	}
}

// TestHit is not parallel: it counts allocations.
func TestHit(t *testing.T) {
	n := NewNormalizer(100 << 10)
	n.Normalize("keep")
	if allocs := testing.AllocsPerRun(100, func() { n.Normalize("keep") }); allocs != 0 {
		t.Errorf("a hit allocates %v times", allocs)
	}
}

func TestVerb(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"": "", "select 1": "SELECT", " /* x */ Update t": "UPDATE", "(select 1)": "SELECT", "1": "",
		"with a as (select 1) insert into t select * from a": "INSERT", "with recursive a as (delete from x returning 1) select 1": "SELECT",
	} {
		if got := Verb(sql); got != want {
			t.Errorf("Verb(%q) = %q, want %q", sql, got, want)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"select * from a, b.c as x join \"D\" on true left join lateral f on x": `a b.c "D" f`,
		"insert into ops.event (a) values (1)":                                  "ops.event",
		"update only t set a = 1 from u where x is distinct from y":             "t u",
		"with q as (select * from a) select * from q join z using (id)":         "a z",
		"select 1 from (select 2 from inner_one) s for update":                  "inner_one",
		"delete from \"auth_user\" where 1":                                     "auth_user",
		"insert into t values (1) on conflict (a) do update set b = 1":          "t",
	} {
		if got := strings.Join(Tables(sql), " "); got != want {
			t.Errorf("Tables(%q) = %q, want %q", sql, got, want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(Tokens("SELECT a.b FROM t WHERE x='y' AND n > 1.5 -- c"))
	want := "[{1 SELECT} {0  a} {5 .} {0 b } {1 FROM} {0  t } {1 WHERE} {0  x} {5 =} {2 'y'} {0  } {1 AND} {0  n } {5 >} {0  } {3 1.5} {0  } {6 -- c}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const typical = `SELECT "auth_user"."id", "auth_user"."username" FROM "auth_user" INNER JOIN "orders" ON ("auth_user"."id" = "orders"."user_id") WHERE ("auth_user"."id" IN (1, 2, 3) AND "orders"."total" > 19.99 AND "orders"."note" LIKE 'abc%') ORDER BY "orders"."created" DESC LIMIT 21`

// BenchmarkNormalize shows a look-up in the cache beside the work that it saves, and beside passing over the bytes once.
func BenchmarkNormalize(b *testing.B) {
	b.Run("fresh", func(b *testing.B) {
		b.SetBytes(int64(len(typical)))
		b.ReportAllocs()
		for b.Loop() {
			Normalize(typical)
		}
	})
	b.Run("remembered", func(b *testing.B) {
		n := NewNormalizer(1 << 20)
		b.SetBytes(int64(len(typical)))
		b.ReportAllocs()
		for b.Loop() {
			n.Normalize(typical)
		}
	})
	b.Run("limit: FNV-1a alone", func(b *testing.B) {
		b.SetBytes(int64(len(typical)))
		for b.Loop() {
			hash(typical)
		}
	})
	b.Run("1 MB list", func(b *testing.B) {
		sql := "select x in (" + strings.Repeat("123456,", 150_000) + "1)"
		b.SetBytes(int64(len(sql)))
		for b.Loop() {
			Normalize(sql)
		}
	})
}
