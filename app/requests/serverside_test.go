package requests

import (
	"context"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/trace"
)

// joined is a request with queries of 10 ms each, one every 20 ms, of two backends in turn.
func joined(n int) (*trace.Request, map[int]uint64) {
	q := &trace.Request{Start: time.Unix(1_000_000, 0).UTC(), Duration: time.Duration(n) * 20 * time.Millisecond}
	prints := map[int]uint64{}
	for i := range n {
		q.Spans = append(q.Spans, trace.Span{ID: trace.SpanID(i + 1), Category: trace.DB, Start: time.Duration(i) * 20 * time.Millisecond, Duration: 10 * time.Millisecond, PID: int32(100 + i%2)})
		prints[i] = uint64(1 + i/2%2)
	}
	return q, prints
}

func executed(q *trace.Request, after, took time.Duration, statement, pid int32) model.StatementCall {
	return model.StatementCall{Source: model.FromLog, Kind: model.CallExecuted, At: q.Start.Add(after), Duration: took, Statement: statement, PID: pid}
}

// TestJoinServer: backend, statement, time and duration have to fit; each call is of one span.
func TestJoinServer(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	known := map[int32]uint64{11: 1, 12: 2}
	q, _ := joined(4)
	note := executed(q, 31*ms, 0, 12, 101)
	note.Kind = model.CallTempFile
	for name, c := range map[string]struct {
		call    model.StatementCall
		span    trace.SpanID // 0: none
		certain bool
	}{
		"the same backend":                {executed(q, 9*ms, 8*ms, 11, 100), 1, true},
		"a clock that is a second ahead":  {executed(q, time.Second, 8*ms, 11, 100), 1, true},
		"a clock that is far ahead":       {executed(q, 5*time.Second, 8*ms, 11, 100), 0, false},
		"another statement":               {executed(q, 9*ms, 8*ms, 13, 100), 0, false},
		"longer than the program waited":  {executed(q, 9*ms, 80*ms, 11, 100), 0, false},
		"behind a pooler":                 {executed(q, 29*ms, 8*ms, 11, 555), 2, false},
		"behind a pooler, and late":       {executed(q, 2*time.Second, 8*ms, 11, 555), 0, false},
		"a file that a backend has left":  {note, 2, true},
		"the other statement, same times": {executed(q, 50*ms, 9*ms, 12, 100), 3, true},
	} {
		q, prints := joined(4)
		got := joinServer(q, prints, []model.StatementCall{c.call}, known)
		if c.span == 0 && len(got) == 0 {
			continue
		}
		if len(got) != 1 || got[0].Span.ID != c.span || got[0].Certain != c.certain {
			t.Errorf("%s: %+v", name, got)
		}
	}
	q, prints := joined(4)
	both := joinServer(q, prints, []model.StatementCall{executed(q, 10*ms, 7*ms, 11, 555), executed(q, 10*ms, 8*ms, 11, 100), executed(q, 11*ms, 8*ms, 11, 100)}, known)
	if len(both) != 2 || both[1].Span.ID != 2 || both[1].Certain || both[0].Span.ID != 1 || both[0].Wire() != 2*ms {
		t.Errorf("one span has two calls: %+v", both)
	}
}

// TestServerSides: a plan of the log stands with its span, in whichever order they come, and with the statement's samples.
func TestServerSides(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	q := k.page(1, "/a")
	q.Spans[0].PID, q.Spans[0].Duration, q.Spans[0].Start = 4711, 12*time.Millisecond, 2*time.Millisecond
	end := time.Second - 14*time.Millisecond
	text := k.line(end, 4711, "LOG:  duration: 9.000 ms  plan:\n\tQuery Text: SELECT * FROM a WHERE id = 5\n\tIndex Scan using a_pkey on a  (cost=0.1..8.1 rows=1 width=4)\n\t  Filter: (mail = 'ann@example.org'::text)") +
		k.line(end, 4711, "LOG:  duration: 9.500 ms  statement: SELECT * FROM a WHERE id = 5") +
		k.line(end, 4711, `LOG:  temporary file: path "base/1", size 99`) + k.line(end, 4711, "STATEMENT:  SELECT * FROM a WHERE id = 5")
	k.log(portionOf(t, text))
	k.take(q)
	var sides []ServerSide
	dbtest.Budget(t, k.ctx, 2, func(ctx context.Context) {
		var err error
		if sides, err = k.requests.ServerSides(ctx, k.project.ID, &q); err != nil {
			t.Fatal(err)
		}
	})
	if len(sides) != 2 {
		t.Fatalf("%+v", sides)
	}
	for _, s := range sides {
		switch c := s.Call; {
		case !s.Certain || s.Span.ID != q.Spans[0].ID:
			t.Errorf("%+v", s)
		case c.Kind == model.CallExecuted && (c.Duration != 9500*time.Microsecond || s.Wire() != 2500*time.Microsecond || c.Plan != "Index Scan using a_pkey on a  (cost=0.1..8.1 rows=1 width=4)\n  Filter: (mail = '…'::text)"):
			t.Errorf("%+v", c)
		case c.Kind != model.CallExecuted && c.Note != `temporary file: path "base/1", size 99`:
			t.Errorf("%+v", c)
		}
	}
	st, ok, err := k.requests.FindStatement(k.ctx, k.project.ID, uint64(k.number("SELECT fingerprint FROM statement")))
	if err != nil || !ok {
		st.ID = int32(k.number("SELECT id FROM statement")) // a fingerprint of 64 bits is no float
	}
	list, err := k.requests.CallSamples(k.ctx, k.project.ID, st.ID, model.Period{From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour)}, 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	if s := list[0]; s.Trace != q.Trace || s.Client != 12*time.Millisecond || s.Server != 9500*time.Microsecond || s.Plan == "" || !s.Certain || list[1].Note == "" {
		t.Errorf("%+v", list)
	}
}

// TestServerSidesProbable: a program that does not tell its backend is joined by statement, duration and time, and that is said.
func TestServerSidesProbable(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	q := k.page(1, "/a")
	q.Spans[0].PID, q.Spans[0].Duration, q.Spans[0].Start = 0, 12*time.Millisecond, 2*time.Millisecond
	k.log(portionOf(t, k.line(time.Second-14*time.Millisecond, 4711, "LOG:  duration: 9.500 ms  statement: SELECT * FROM a WHERE id = 5")))
	k.take(q)
	sides, err := k.requests.ServerSides(k.ctx, k.project.ID, &q)
	if err != nil || len(sides) != 1 || sides[0].Certain || sides[0].Call.PID != 4711 || sides[0].Span.ID != q.Spans[0].ID {
		t.Errorf("%+v %v", sides, err)
	}
}

// TestCallKeeper: few calls of a statement are remembered, whatever comes.
func TestCallKeeper(t *testing.T) {
	t.Parallel()
	var k callKeeper
	now := time.Unix(1_000_000, 0)
	kept := 0
	for i := range 100_000 {
		if k.wants(1, time.Duration(i%500)*time.Millisecond, now) {
			kept++
		}
	}
	if kept > 120 || kept < 23 || !k.wants(1, 0, now.Add(statementBucket)) || !k.wants(2, 0, now) {
		t.Errorf("%d calls of one statement are kept", kept)
	}
}

// BenchmarkJoinServer is 10,000 equal queries of one request, and as many calls as are read at the most.
func BenchmarkJoinServer(b *testing.B) {
	q, prints := joined(10_000)
	var calls []model.StatementCall
	for i := range 2000 {
		calls = append(calls, executed(q, time.Duration(i)*100*time.Millisecond, 8*time.Millisecond, 11, int32(100+i%2)))
	}
	for b.Loop() {
		joinServer(q, prints, calls, map[int32]uint64{11: 1})
	}
}
