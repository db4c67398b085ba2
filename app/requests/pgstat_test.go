package requests

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/store"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// counters is a row of a snapshot.
func counters(query, calls int64, total time.Duration) model.StatementCounters {
	return model.StatementCounters{Role: "kibitz_ops", User: 1, StatementDelta: model.StatementDelta{QueryID: query, Calls: calls, Total: total, Rows: 10 * calls, StatementIO: model.StatementIO{Hit: calls}}}
}

func TestStatementDeltas(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	later := start.Add(time.Minute)
	since := func(c model.StatementCounters, at time.Time) model.StatementCounters { c.Since = at; return c }
	for _, c := range []struct {
		name        string
		before, now model.StatementSnapshot
		calls       string // query:calls:ms ...
		gap         string
	}{
		{"more calls", model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 5, time.Second)}},
			model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 8, 3*time.Second)}}, "1:3:2000 ", ""},
		{"no calls", model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 5, time.Second)}},
			model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 5, time.Second)}}, "", ""},
		{"new", model.StatementSnapshot{}, model.StatementSnapshot{Rows: []model.StatementCounters{counters(2, 4, time.Second)}}, "2:4:1000 ", ""},
		{"evicted and back", model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 50, time.Hour)}},
			model.StatementSnapshot{Evictions: 2, Rows: []model.StatementCounters{counters(1, 3, time.Second)}}, "1:3:1000 ", "evicted 2"},
		{"evicted and gone", model.StatementSnapshot{Rows: []model.StatementCounters{counters(1, 50, time.Hour)}}, model.StatementSnapshot{Evictions: 1}, "", "evicted 1"},
		{"evicted, back with more calls, told by 17", model.StatementSnapshot{Rows: []model.StatementCounters{since(counters(1, 5, time.Second), start)}},
			model.StatementSnapshot{Evictions: 1, Rows: []model.StatementCounters{since(counters(1, 8, 2*time.Second), later)}}, "1:8:2000 ", "evicted 1"},
		{"reset", model.StatementSnapshot{Reset: start, Rows: []model.StatementCounters{counters(1, 5, time.Second)}},
			model.StatementSnapshot{Reset: later, Rows: []model.StatementCounters{counters(1, 8, 2*time.Second)}}, "1:8:2000 ", "reset 0"},
	} {
		c.now.At = later
		deltas, gaps := statementDeltas("s", c.before, keyed(c.before.Rows), c.now)
		got := ""
		for _, d := range deltas {
			got += fmt.Sprintf("%d:%d:%d ", d.QueryID, d.Calls, d.Total.Milliseconds())
			if d.Partition != "ops" || d.Rows != 10*d.Calls || !d.To.Equal(later) || d.Server != "s" {
				t.Errorf("%s: %+v", c.name, d)
			}
		}
		gap := ""
		if len(gaps) > 0 {
			gap = fmt.Sprintf("%s %d", gaps[0].Reason, gaps[0].Times)
		}
		if got != c.calls || gap != c.gap {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, got, gap, c.calls, c.gap)
		}
	}
}

func TestRecentStatements(t *testing.T) {
	t.Parallel()
	r, start := NewRecentStatements(), time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for minute := range 90 {
		at := start.Add(time.Duration(minute) * time.Minute)
		r.Add(t.Context(), []model.StatementDelta{{Partition: "ops", Server: "a", QueryID: 1, Fingerprint: 9, SQL: "x", Calls: 2, Total: time.Second, To: at},
			{Partition: "ops", Server: "b", QueryID: 7, Fingerprint: 9, Calls: 1, Total: time.Second, To: at}, {Partition: "users", Server: "a", QueryID: 1, Calls: 1, To: at}},
			[]model.StatementGap{{Reason: "evicted"}, {Reason: "evicted"}})
	}
	h := r.Hour("ops")
	if len(h.Statements) != 1 || h.Statements[0].Calls != 61*3 || h.To.Sub(h.From) != 61*time.Minute || len(h.Gaps) != maxGaps {
		t.Fatalf("%d statements, %d gaps, %s", len(h.Statements), len(h.Gaps), h.To.Sub(h.From))
	}
	var sum time.Duration
	for _, d := range h.Statements[0].Spark {
		sum += d
	}
	if sum != h.Statements[0].Total || h.Statements[0].SQL != "x" {
		t.Errorf("the minutes add up to %s of %s", sum, h.Statements[0].Total)
	}
	if h := r.Hour(""); len(h.Statements) != 2 {
		t.Errorf("%d statements", len(h.Statements))
	}
	var many []model.StatementDelta
	for i := range int64(maxRecent + 7) {
		many = append(many, model.StatementDelta{Server: "a", QueryID: 100 + i, Calls: 1, Total: time.Duration(i), To: start.Add(90 * time.Minute)})
	}
	r.Add(t.Context(), many, nil)
	if h := r.Hour(""); h.Others != 7 || len(h.Statements) != 2+maxRecent+1 {
		t.Errorf("%d others of %d", h.Others, len(h.Statements))
	}
}

// TestStatements watches a real server: what ran between two samples is told once, with text and fingerprint, and nothing is reset.
func TestStatements(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var told []model.StatementDelta
	s := NewStatements(store.New(d), discard(), func(_ context.Context, deltas []model.StatementDelta, _ []model.StatementGap) {
		told = append(told, deltas...)
	})
	run := func(n int) {
		for range n {
			var x int
			if err := d.Read(t.Context(), db.Key{Part: db.Ops}).QueryRow(t.Context(), `SELECT count(*) FROM issue WHERE id = 4711`).Scan(&x); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls := func() (n int64) {
		for _, d := range told {
			if d.Partition == "ops" && d.SQL == `SELECT count(*) FROM issue WHERE id = $1` {
				n += d.Calls
				if d.Fingerprint == 0 || d.Total <= 0 || d.Rows != d.Calls || d.From.IsZero() || !d.To.After(d.From) {
					t.Errorf("%+v", d)
				}
			}
		}
		return n
	}
	run(4)
	s.Sample(t.Context())
	if len(told) != 0 {
		t.Errorf("the first sample told %d differences", len(told))
	}
	run(3)
	s.Sample(t.Context())
	s.Sample(t.Context())
	if n := calls(); n != 3 {
		t.Errorf("%d calls were told, 3 were made", n)
	}
	run(2)
	s.Sample(t.Context())
	if n := calls(); n != 5 {
		t.Errorf("%d calls were told, 5 were made", n)
	}
	h := s.Recent.Hour("ops")
	if len(h.Servers) != 1 || h.Servers[0].Missing != "" || h.From.IsZero() {
		t.Errorf("%+v", h.Servers)
	}
}

func TestStatementsMissing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owned(t, d, "DROP EXTENSION pg_stat_statements")
	s := NewStatements(store.New(d), discard())
	s.Sample(t.Context())
	s.Sample(t.Context())
	if h := s.Recent.Hour(""); len(h.Servers) != 1 || h.Servers[0].Missing != "extension" || !h.From.IsZero() {
		t.Errorf("%+v", h)
	}
}
