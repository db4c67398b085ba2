package requests

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// Spans and lines of a server's log are joined without comments in statements: by backend, statement, duration and the moment
// of the end. Both are stored as they come and joined when they are read, so that it does not matter which was first.

const (
	// clockSkew is how far the clocks of two machines may be apart when the backend is known.
	clockSkew = 2 * time.Second
	// tightSkew is the same when it is not, as behind a pooler: then time has to tell calls apart.
	tightSkew = 250 * time.Millisecond
	// overlong is how much longer a call may be for its server than for its program: their clocks tick alike but for rounding.
	overlong = time.Millisecond
)

// ServerSide is what a server's log tells of one span.
type ServerSide struct {
	Span *trace.Span
	Call model.StatementCall
	// Certain is set when the backend is the same; else statement and time alone fit, and the match is probable.
	Certain bool
}

// Wire is the part of a span's time that its server does not know of: on the wire, and in the program's driver.
func (s *ServerSide) Wire() time.Duration {
	if s.Call.Kind != model.CallExecuted {
		return 0
	}
	return max(s.Span.Duration-s.Span.Pool-s.Call.Duration, 0)
}

// ServerSides finds what servers' logs tell of a request's statements, in order of time: two statements to the database, and
// none for a request without statements.
func (r *Requests) ServerSides(ctx context.Context, project int64, q *trace.Request) ([]ServerSide, error) {
	prints := r.prints(q)
	if len(prints) == 0 {
		return nil, nil
	}
	calls, err := r.store.ServerCalls(ctx, project, q.Start.Add(-clockSkew), q.Start.Add(q.Duration+clockSkew), backends(q, prints))
	if err != nil || len(calls) == 0 {
		return nil, err
	}
	ids := make([]int32, 0, len(calls))
	for _, c := range calls {
		ids = append(ids, c.Statement)
	}
	texts, err := r.store.StatementsByID(ctx, compact(ids))
	if err != nil {
		return nil, err
	}
	known := map[int32]uint64{}
	for id, t := range texts {
		known[id] = t.Fingerprint
	}
	return joinServer(q, prints, calls, known), nil
}

// prints are the fingerprints of a request's statements, by the place of their span.
func (r *Requests) prints(q *trace.Request) map[int]uint64 {
	out := map[int]uint64{}
	for i := range q.Spans {
		if s := &q.Spans[i]; s.Category == trace.DB && s.Text != "" {
			if _, print := r.normalize(s.Text); print != 0 {
				out[i] = print
			}
		}
	}
	return out
}

// backends are those of a request's statements; none when some span does not tell its own.
func backends(q *trace.Request, prints map[int]uint64) (out []int32) {
	for i := range prints {
		if q.Spans[i].PID == 0 {
			return nil
		}
		out = append(out, q.Spans[i].PID)
	}
	return compact(out)
}

// CallSample is one call of a statement: as its program saw it, its server, or both.
type CallSample struct {
	At             time.Time
	Client, Server time.Duration // 0 when that side is not known
	Trace          trace.ID      // zero when no kept request is known
	PID            int32
	Params, Plan   string
	Note           string
	Certain        bool // both sides are known and the backend is the same
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CallSamples gives calls of a statement in a period: those with a plan first, then the slowest. Two sides of one call are one.
func (r *Requests) CallSamples(ctx context.Context, project int64, statement int32, p model.Period, most int) ([]CallSample, error) {
	calls, err := r.store.CallsOfStatement(ctx, project, statement, p.From, p.To)
	if err != nil {
		return nil, err
	}
	list := pairCalls(calls)
	slices.SortStableFunc(list, func(a, b CallSample) int {
		return cmp.Or(boolean(b.Plan != "")-boolean(a.Plan != ""), cmp.Compare(max(b.Client, b.Server), max(a.Client, a.Server)))
	})
	return list[:min(len(list), most)], nil
}

// pairCalls joins calls of spans with those of the log.
func pairCalls(calls []model.StatementCall) (out []CallSample) {
	var servers []model.StatementCall
	for _, c := range calls {
		if c.Source == model.FromLog {
			servers = append(servers, c)
		}
	}
	used := make([]bool, len(servers))
	for _, c := range calls {
		if c.Source != model.FromSpans {
			continue
		}
		sample := CallSample{At: c.At, Client: c.Duration, Trace: c.Trace, PID: c.PID}
		if i := nearest(c, servers, used); i >= 0 {
			used[i] = true
			sample.server(servers[i])
			sample.Certain = c.PID != 0 && c.PID == servers[i].PID
		}
		out = append(out, sample)
	}
	for i, c := range servers {
		if !used[i] {
			sample := CallSample{At: c.At, PID: c.PID}
			sample.server(c)
			out = append(out, sample)
		}
	}
	return out
}

func (s *CallSample) server(c model.StatementCall) {
	s.Server, s.Params, s.Plan, s.Note = c.Duration, c.Params, c.Plan, c.Note
	if s.PID == 0 {
		s.PID = c.PID
	}
}

// nearest is the call of the log that ends nearest to a span's, -1 when none fits.
func nearest(c model.StatementCall, servers []model.StatementCall, used []bool) int {
	best := -1
	for i, s := range servers {
		apart, most := s.At.Sub(c.At).Abs(), tightSkew
		if c.PID != 0 && c.PID == s.PID {
			most = clockSkew
		}
		if used[i] || s.Kind != model.CallExecuted || apart > most || s.Duration > c.Duration+overlong {
			continue
		}
		if best < 0 || apart < servers[best].At.Sub(c.At).Abs() {
			best = i
		}
	}
	return best
}
