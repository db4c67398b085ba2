package requests

import (
	"slices"
	"sort"
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// maxTries bounds the spans that are looked at for one call, the nearest in time first: a loop of 10,000 equal queries has as
// many that could be it.
const maxTries = 1000

// serverJoin looks for the spans of calls. Lists are places of spans in order of their end.
type serverJoin struct {
	q       *trace.Request
	known   map[int32]uint64 // fingerprints of statements
	byPrint map[uint64][]int
	byPID   map[int32][]int
	print   map[int]uint64
	used    map[int]bool
}

// joinServer finds for each executed call the span that it fits best, one for one, and for what a backend did meanwhile
// (temporary files, locks) the span during which it did. Those of a known backend choose first.
func joinServer(q *trace.Request, prints map[int]uint64, calls []model.StatementCall, known map[int32]uint64) (out []ServerSide) {
	j := &serverJoin{q, known, map[uint64][]int{}, map[int32][]int{}, prints, map[int]bool{}}
	j.index()
	taken := make([]bool, len(calls))
	for _, certain := range []bool{true, false} {
		for i := range calls {
			if taken[i] {
				continue
			}
			if at := j.find(&calls[i], certain); at >= 0 {
				taken[i] = true
				out = append(out, ServerSide{&q.Spans[at], calls[i], certain})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ServerSide) int { return a.Call.At.Compare(b.Call.At) })
	return out
}

func (j *serverJoin) index() {
	places := make([]int, 0, len(j.print))
	for at := range j.print {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b int) int {
		if n := j.end(a).Compare(j.end(b)); n != 0 {
			return n
		}
		return a - b
	})
	for _, at := range places {
		j.byPrint[j.print[at]] = append(j.byPrint[j.print[at]], at)
		if pid := j.q.Spans[at].PID; pid != 0 {
			j.byPID[pid] = append(j.byPID[pid], at)
		}
	}
}

func (j *serverJoin) end(at int) time.Time {
	s := &j.q.Spans[at]
	return j.q.Start.Add(s.Start + s.Duration)
}

// find gives the place of a call's span, -1 for none.
func (j *serverJoin) find(c *model.StatementCall, certain bool) int {
	switch {
	case c.Kind != model.CallExecuted && !certain:
		return -1
	case c.Kind != model.CallExecuted:
		return j.nearest(j.byPID[c.PID], c, func(at int) bool { return j.during(at, c.At) })
	case certain:
		return j.take(j.nearest(j.byPID[c.PID], c, func(at int) bool { return j.fits(at, c, clockSkew) }))
	}
	return j.take(j.nearest(j.byPrint[j.known[c.Statement]], c, func(at int) bool { return j.fits(at, c, tightSkew) }))
}

func (j *serverJoin) take(at int) int {
	if at >= 0 {
		j.used[at] = true
	}
	return at
}

// nearest is the first place in a list that fits, those first that end nearest to the call.
func (j *serverJoin) nearest(list []int, c *model.StatementCall, fits func(at int) bool) int {
	after := sort.Search(len(list), func(i int) bool { return !j.end(list[i]).Before(c.At) })
	before := after - 1
	for range maxTries {
		var at int
		switch {
		case before < 0 && after >= len(list):
			return -1
		case before < 0 || after < len(list) && j.end(list[after]).Sub(c.At) < c.At.Sub(j.end(list[before])):
			at = list[after]
			after++
		default:
			at = list[before]
			before--
		}
		if fits(at) {
			return at
		}
	}
	return -1
}

// fits tells whether a call may be what a span was for its server.
func (j *serverJoin) fits(at int, c *model.StatementCall, most time.Duration) bool {
	s := &j.q.Spans[at]
	return !j.used[at] && j.print[at] == j.known[c.Statement] && c.Duration <= s.Duration-s.Pool+overlong && c.At.Sub(j.end(at)).Abs() <= most
}

// during tells whether a span ran at a moment.
func (j *serverJoin) during(at int, moment time.Time) bool {
	end := j.end(at)
	return !moment.Before(end.Add(-j.q.Spans[at].Duration-tightSkew)) && !moment.After(end.Add(tightSkew))
}
