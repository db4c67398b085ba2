package requests

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// desk is the use cases over clean databases, with a digester and a place in an imagined spool.
type desk struct {
	t        testing.TB
	ctx      context.Context
	db       *db.DB
	store    *store.Store
	requests *Requests
	issues   *issues.Issues
	digester *issues.Digester
	perf     *Digester
	ids      *model.IDs
	project  model.Project
	at       ingest.Position
	now      time.Time
}

func newDesk(t testing.TB, d *db.DB, keepOneIn int) *desk {
	t.Helper()
	s, ids := store.New(d), model.NewIDs(1)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	groupings := issues.NewGroupings(s, log)
	perf, err := NewDigester(DigesterOptions{Store: s, IDs: ids, Log: log, KeepOneIn: keepOneIn})
	if err != nil {
		t.Fatal(err)
	}
	digester, err := issues.NewDigester(s, groupings, perf, issues.NewHub(), log)
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{t: t, ctx: t.Context(), db: d, store: s, requests: New(s, ids, log, Retention{Days: 14, MinuteDays: 30, HourDays: 400, Budget: 1 << 40}),
		issues: issues.New(s, groupings, ids), digester: digester, perf: perf, ids: ids, now: time.Now().UTC().Truncate(time.Millisecond)}
	if k.project, _, err = issues.NewProjects(s, log).Ensure(k.ctx, "shop", "python"); err != nil {
		t.Fatal(err)
	}
	return k
}

// take stores requests as one batch of the drain.
func (k *desk) take(requests ...trace.Request) {
	k.t.Helper()
	k.write(ingest.KindRequests, trace.Append(nil, requests))
}

func (k *desk) write(kind ingest.Kind, raw []byte) {
	k.t.Helper()
	r := ingest.Record{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: kind, Received: k.now, Payload: k.perf.out.EncodeAll(raw, nil)}
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	if err := k.digester.Write(k.ctx, ingest.Batch{Node: "n", From: k.at, To: to, Records: []ingest.Record{r}}); err != nil {
		k.t.Fatal(err)
	}
	k.at = to
}

// number reads one number.
func (k *desk) number(sql string, args ...any) (n float64) {
	k.t.Helper()
	if err := k.db.Write(k.ctx, db.Key{Part: db.Ops}).QueryRow(k.ctx, sql, args...).Scan(&n); err != nil {
		k.t.Fatal(err)
	}
	return n
}

// expect compares what statements give with what they should.
func (k *desk) expect(want map[string]float64) {
	k.t.Helper()
	for sql, n := range want {
		if got := k.number("SELECT coalesce((" + sql + ")::float8, 0)"); got != n {
			k.t.Errorf("%s is %v, not %v", sql, got, n)
		}
	}
}

// page is request number n of an endpoint: 20 ms with a query of 5 ms.
func (k *desk) page(n int, name string) trace.Request {
	id := trace.ID{1}
	binary.BigEndian.PutUint64(id[8:], uint64(n)<<1|1)
	return trace.Request{Trace: id, Span: trace.SpanID(n + 1), Name: name, Source: "route", Op: "http.server", Method: "GET", Status: 200, State: "ok",
		Start: k.now.Add(-time.Second), Duration: 20 * time.Millisecond, Release: "shop@1", Environment: "production", Host: "web-1", User: "id:42", Weight: 1,
		Switches: []trace.Switch{{Key: "cart", Variant: "on"}},
		Spans: []trace.Span{{ID: trace.SpanID(1000 + n), Parent: trace.SpanID(n + 1), Op: "db.query", Text: "SELECT * FROM a WHERE id = 5", System: "postgresql",
			Category: trace.DB, Start: time.Millisecond, Duration: 5 * time.Millisecond, Rows: 1, File: "shop/views.py", Line: 9, Func: "a"}}}
}

// TestCounted holds that every request is a row and a part of the sums, by its weight, and that a resend is not.
func TestCounted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	var all []trace.Request
	for n := range 50 {
		q := k.page(n, "/a")
		q.Weight = 4
		all = append(all, q)
	}
	all[7].Failed, all[7].Status = true, 500
	k.take(all...)
	k.take(all[:10]...)
	k.take(all[3], all[3], k.page(60, "/b"))
	k.expect(map[string]float64{
		"SELECT count(*) FROM request": 51, "SELECT sum(weight) FROM request": 201, "SELECT sum(duration_us) FROM request": 51 * 20_000,
		"SELECT sum(db_us) FROM request": 51 * 5_000, "SELECT sum(other_us) FROM request": 51 * 15_000, "SELECT sum(db_n) FROM request": 51,
		"SELECT count(*) FROM endpoint": 2, "SELECT count(*) FROM label": 5, "SELECT count(*) FROM statement": 1,
		"SELECT sum(n) FROM endpoint_raw": 201, "SELECT sum(failed) FROM endpoint_raw": 4, "SELECT sum(seen) FROM endpoint_raw": 51,
		"SELECT sum(n) FROM statement_raw": 201, "SELECT sum(total_us) FROM statement_raw": 201 * 5_000, "SELECT sum(rows) FROM statement_raw": 201,
		"SELECT count(*) FROM request WHERE kept = 2":                                              1, // the one that failed
		"SELECT sum(n) FROM outcome WHERE category = 'transaction' AND outcome = 'stored'":         51,
		"SELECT sum(n) FROM outcome WHERE category = 'transaction' AND reason = 'duplicate'":       12,
		"SELECT sum(n) FROM outcome WHERE category = 'span' AND outcome IN ('stored', 'filtered')": 63,
		"SELECT count(*) - (SELECT count(*) FROM request WHERE kept <> 0) FROM trace":              0,
		"SELECT count(*) FROM project WHERE first_event_at IS NOT NULL":                            1,
	})
}

// TestPieces holds that spans find their request, whichever comes first, and that what never finds one is counted.
func TestPieces(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	whole := k.page(1, "/a")
	early := trace.Request{Trace: whole.Trace, Start: whole.Start, Partial: true, Spans: []trace.Span{
		{ID: 71, Parent: whole.Span, Op: "cache.get", Category: trace.Cache, Start: 10 * time.Millisecond, Duration: 2 * time.Millisecond, Rows: -1}}}
	k.take(early)
	k.expect(map[string]float64{"SELECT count(*) FROM span_pending": 1, "SELECT count(*) FROM request": 0})
	k.take(whole)
	k.expect(map[string]float64{"SELECT count(*) FROM request": 1, "SELECT cache_us FROM request": 2_000, "SELECT cache_n FROM request": 1, "SELECT spans FROM trace": 2})
	late := early
	late.Spans = []trace.Span{{ID: 72, Parent: 71, Op: "function", Rows: -1}}
	k.take(late)
	k.expect(map[string]float64{"SELECT count(*) FROM trace WHERE request_id = 0": 1, "SELECT count(*) FROM span_pending": 1})
	orphan := trace.Request{Trace: trace.ID{9, 9}, Start: k.now, Partial: true, Spans: []trace.Span{{ID: 1}, {ID: 2}}}
	k.take(orphan)
	if err := k.store.CountAbandoned(k.ctx, k.now.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	k.expect(map[string]float64{"SELECT n FROM outcome WHERE reason = 'no_request'": 2})
}

// TestKeepsNoSpans holds that a request without its spans is still a row that counts, and that its spans are counted.
func TestKeepsNoSpans(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	on := false
	k.perf.keepSpans = func() bool { return on }
	k.take(k.page(1, "/a"))
	k.expect(map[string]float64{"SELECT count(*) FROM request": 1, "SELECT count(*) FROM request WHERE kept <> 0": 0, "SELECT count(*) FROM trace": 0,
		"SELECT count(*) FROM outcome WHERE category = 'span' AND reason = 'counted_not_kept'": 1})
	on = true
	k.take(k.page(2, "/a"))
	k.expect(map[string]float64{"SELECT count(*) FROM request": 2, "SELECT count(*) FROM trace": 1})
}

// TestMergeRollups holds that merging changes no sum and no percentile, whenever it happens, and leaves nothing behind.
func TestMergeRollups(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1000)
	whole := sketch.New()
	for n := range 300 {
		q := k.page(n, "/a")
		q.Start = k.now.Add(-time.Duration(n) * 20 * time.Second)
		q.Duration = time.Duration(n+6) * time.Millisecond
		whole.Add(float64(q.Duration.Microseconds()), 1)
		k.take(q)
		if n%100 == 50 {
			k.pastMinute()
			if _, err := k.store.MergeRollups(k.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func() {
		t.Helper()
		rows, err := k.store.EndpointSums(k.ctx, store.SumQuery{Projects: []int64{k.project.ID}, From: k.now.Add(-3 * time.Hour), To: k.now.Add(time.Hour), Step: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		var n float64
		all := sketch.New()
		for _, r := range rows {
			n += r.N
			if err := all.MergeEncoded(r.Durations); err != nil {
				t.Fatal(err)
			}
		}
		together, err := k.requests.Series(k.ctx, []int64{k.project.ID}, nil, Buckets{k.now.Add(-3 * time.Hour).Truncate(time.Minute), time.Minute, 240})
		if err != nil || together.Total.N != 300 || !bytes.Equal(together.Total.Durations.Encode(), whole.Encode()) {
			t.Errorf("the whole project has %v requests: %v", together.Total.N, err)
		}
		if n != 300 || !bytes.Equal(all.Encode(), whole.Encode()) {
			t.Errorf("%v requests of 300 are in the sums, p95 %v not %v", n, all.Quantile(0.95), whole.Quantile(0.95))
		}
	}
	check()
	k.pastMinute()
	if n, err := k.store.MergeRollups(k.ctx); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	check()
	if n, err := k.store.MergeRollups(k.ctx); err != nil || n != 0 {
		t.Errorf("merging at once again merged %d rows: %v", n, err)
	}
	k.expect(map[string]float64{"SELECT count(*) FROM endpoint_raw r, rollup_state s WHERE s.name = 'endpoint_minute' AND received >= until": 0,
		"SELECT sum(n) FROM endpoint_minute WHERE endpoint_id <> 0": 300})
	if got := k.number("SELECT count(*) FROM endpoint_minute WHERE endpoint_id <> 0"); got > 104 { // 100 minutes, those of each merge apart
		t.Errorf("300 requests of 100 minutes are %v rows", got)
	}
}

// pastMinute lets what was merged last seem a while ago.
func (k *desk) pastMinute() {
	k.t.Helper()
	const sql = `WITH a AS (UPDATE endpoint_raw SET received = received - interval '1 hour 1 minute'),
		b AS (UPDATE endpoint_minute SET received = received - interval '1 hour 1 minute'),
		c AS (UPDATE statement_raw SET received = received - interval '1 hour 1 minute'),
		d AS (UPDATE statement_ten SET received = received - interval '1 hour 1 minute')
		UPDATE rollup_state SET until = until - interval '1 hour 1 minute' WHERE until > 'epoch'`
	if _, err := k.db.Write(k.ctx, db.Key{Part: db.Ops}).Exec(k.ctx, sql); err != nil {
		k.t.Fatal(err)
	}
}
