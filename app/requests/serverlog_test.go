package requests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// portionOf reads a log of stderr.
func portionOf(t *testing.T, text string) (p pglog.Portion) {
	t.Helper()
	_, err := pglog.Gather(strings.NewReader(text), pglog.Options{Format: pglog.Stderr, Prefix: "%m [%p] ", Normalizer: sqltext.NewNormalizer(1 << 20)}, func(part pglog.Portion) error {
		p = part
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// log stores portions as one batch each.
func (k *desk) log(portions ...pglog.Portion) {
	k.t.Helper()
	for i := range portions {
		raw, err := portions[i].Append(nil)
		if err != nil {
			k.t.Fatal(err)
		}
		k.write(ingest.KindPortion, raw)
	}
}

func (k *desk) line(ago time.Duration, pid int, message string) string {
	return fmt.Sprintf("%s UTC [%d] %s\n", k.now.Add(-ago).Format("2006-01-02 15:04:05.000"), pid, message)
}

// TestServerLog: calls of a log are sums of their own source, once; everything else is a line with its level.
func TestServerLog(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	k.take(k.page(1, "/a")) // SELECT * FROM a, 5 ms by its program
	text := k.line(time.Second, 7, "LOG:  duration: 4.000 ms  statement: SELECT * FROM a WHERE id = 77") +
		k.line(900*time.Millisecond, 7, "LOG:  duration: 6.000 ms  statement: DELETE FROM b WHERE mail = 'ann@example.org'") +
		k.line(800*time.Millisecond, 7, "ERROR:  division by zero") + k.line(800*time.Millisecond, 7, "STATEMENT:  SELECT 1 / 0") +
		k.line(700*time.Millisecond, 1, "LOG:  checkpoint starting: time") +
		k.line(600*time.Millisecond, 7, `LOG:  temporary file: path "base/pgsql_tmp/7.0", size 1234`) + k.line(600*time.Millisecond, 7, "STATEMENT:  SELECT * FROM a WHERE id = 78") +
		"rubbish\n" + k.line(40*24*time.Hour, 7, "LOG:  duration: 9.000 ms  statement: SELECT 'too old'")
	p := portionOf(t, text)
	p.Source, p.Seq = "file", 5
	again := p
	again.Seq = 4
	k.log(p, p, again)
	k.expect(map[string]float64{
		"SELECT sum(n) FROM statement_raw WHERE source = 2": 2, "SELECT sum(total_us) FROM statement_raw WHERE source = 2": 10_000,
		"SELECT sum(failed) FROM statement_raw WHERE source = 2": 1, "SELECT count(*) FROM log_line": 3,
		"SELECT count(*) FROM log_line WHERE level = 5 AND body = 'division by zero' AND attrs->>'statement' = 'select ? / ?'": 1,
		"SELECT count(*) FROM log_line WHERE logger = 'postgres' AND body LIKE 'checkpoint%'":                                  1,
		"SELECT count(*) FROM statement_call WHERE source = 2 AND kind = 1":                                                    2,
		"SELECT count(*) FROM statement_call WHERE source = 2 AND kind = 2 AND note LIKE 'temporary file%'":                    1,
		"SELECT seq FROM log_source WHERE source = 'file'":                                                                     5,
		"SELECT sum(n) FROM outcome WHERE category = 'statement' AND outcome = 'stored'":                                       2,
		"SELECT sum(n) FROM outcome WHERE category = 'statement' AND reason = 'too_old'":                                       1,
		"SELECT count(*) FROM statement WHERE sample LIKE '%ann@%'":                                                            0,
	})
	next := p
	next.Seq = 6
	k.log(next)
	k.expect(map[string]float64{"SELECT sum(n) FROM statement_raw WHERE source = 2": 4})
	d, err := k.requests.QueryDigest(k.ctx, QueryOptions{Project: k.project.ID, Period: model.Period{From: k.now.Add(-time.Hour), To: k.now}})
	if err != nil || len(d.Queries) != 3 {
		t.Fatalf("%+v %v", d.Queries, err)
	}
	for _, q := range d.Queries {
		want := map[string]model.StatementSource{"select * from a where id = ?": model.FromSpans}[q.SQL]
		if want == 0 {
			want = model.FromLog
		}
		if q.Source != want || q.Source == model.FromSpans && (q.N != 1 || q.Others[model.FromLog].N != 2) {
			t.Errorf("%s: %+v", q.SQL, q)
		}
	}
	sums, err := k.requests.StatementSums(k.ctx, k.project.ID, model.Period{From: k.now.Add(-time.Hour), To: k.now}, nil)
	if err != nil || len(sums) != 3 {
		t.Fatal(sums, err)
	}
	for _, s := range sums {
		if s.SQL == "select * from a where id = ?" && s.N != 1 {
			t.Errorf("the page counts %v calls of one", s.N)
		}
	}
}

// TestStoredStatements: what pg_stat_statements counts is a source of its own, which knows sums only.
func TestStoredStatements(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	s := NewStoredStatements(k.store, k.project.ID, discard())
	delta := model.StatementDelta{SQL: "SELECT $1", Fingerprint: 99, To: k.now, Calls: 8, Rows: 16, Total: 40 * time.Millisecond,
		StatementIO: model.StatementIO{Hit: 90, Read: 10, Dirtied: 1, Written: 2, TempRead: 3, TempDone: 4, ReadTime: time.Millisecond, WriteTime: 2 * time.Millisecond, WALBytes: 512}}
	s.Add(k.ctx, []model.StatementDelta{delta, {Calls: 5, To: k.now}}, nil)
	s.Add(k.ctx, []model.StatementDelta{delta}, nil)
	d, err := k.requests.QueryDigest(k.ctx, QueryOptions{Project: k.project.ID, Period: model.Period{From: k.now.Add(-time.Hour), To: k.now.Add(time.Second)}, Source: model.FromPgStat})
	if err != nil || len(d.Queries) != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	q := d.Queries[0]
	if per, ok := q.RowsPerCall(); q.SQL != "select ?" || q.N != 16 || q.Mean() != 5*time.Millisecond || !ok || per != 2 {
		t.Errorf("%+v", q)
	}
	if _, ok := q.Quantile(0.95); ok {
		t.Error("a percentile is known")
	}
	if io, ok := q.IO(); !ok || io != delta.StatementIO.Plus(delta.StatementIO) || io.Moved() != 2*19 {
		t.Errorf("%+v", io)
	}
}

// TestStatementIO: what servers count of blocks stands beside the numbers of spans, also when it has been merged; statements of
// which nobody tells it come last.
func TestStatementIO(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	one, two := k.page(1, "/a"), k.page(2, "/b")
	one.Spans[0].Text, two.Spans[0].Text = "SELECT * FROM light", "SELECT * FROM heavy"
	k.take(one, one, two)
	io := model.StatementIO{Hit: 1, Read: 30, WALBytes: 7}
	s := NewStoredStatements(k.store, k.project.ID, discard())
	heavy := int64(sqltext.NewNormalizer(1 << 10).Normalize("SELECT * FROM heavy").Fingerprint)
	s.Add(k.ctx, []model.StatementDelta{{SQL: "SELECT * FROM heavy", Fingerprint: heavy, To: k.now, Calls: 4, Total: time.Second, StatementIO: io}}, nil)
	p := model.Period{From: k.now.Add(-time.Hour), To: k.now.Add(time.Second)}
	check := func(when string) {
		t.Helper()
		d, err := k.requests.QueryDigest(k.ctx, QueryOptions{Project: k.project.ID, Period: p, Sort: QueriesByIO})
		if err != nil || len(d.Queries) != 2 || d.Queries[0].SQL != "select * from heavy" || d.Queries[0].Source != model.FromSpans {
			t.Fatalf("%s: %+v %v", when, d, err)
		}
		if got, ok := d.Queries[0].IO(); !ok || got != io {
			t.Errorf("%s: %+v", when, got)
		}
		if _, ok := d.Queries[1].IO(); ok {
			t.Errorf("%s: blocks of spans are known", when)
		}
		sums, err := k.requests.StatementSums(k.ctx, k.project.ID, p, nil)
		if err != nil || len(sums) != 2 {
			t.Fatalf("%s: %+v %v", when, sums, err)
		}
		for _, sum := range sums {
			if known := sum.IO != nil; known != (sum.SQL == "select * from heavy") || known && (*sum.IO != io || sum.N == 4) || !sum.P95Known {
				t.Errorf("%s: %+v", when, sum)
			}
		}
	}
	check("added")
	owned(t, k.db, `UPDATE statement_raw SET received = received - interval '20 minutes'`)
	if n, err := k.store.MergeRollups(k.ctx); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	owned(t, k.db, `TRUNCATE statement_raw`) // what is read now was merged
	check("merged")
}
