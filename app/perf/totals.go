package perf

import (
	"time"

	"kibitz/app/trace"
)

// sweep adds up the time of a request by category while it runs. At any moment the request is on one category's account,
// so the times are exclusive and sum to the duration, whatever runs beside or within what. It needs no spans, so that
// the totals are right when there are too many of them.
type sweep struct {
	at     time.Duration // up to where time has been given to somebody
	open   [trace.Categories]int32
	totals trace.Totals
}

// innermost orders categories by who is on whose behalf: a template may run queries, but no query renders a template.
var innermost = [...]trace.Category{trace.Pool, trace.DB, trace.HTTP, trace.Cache, trace.Template}

func (s *sweep) current() trace.Category {
	for _, c := range innermost {
		if s.open[c] > 0 {
			return c
		}
	}
	return trace.Other
}

// pass gives the time since the last change to whom it belongs.
func (s *sweep) pass(now time.Duration) {
	if now > s.at {
		s.totals.Time[s.current()] += now - s.at
		s.at = now
	}
}

func (s *sweep) enter(c trace.Category, now time.Duration) {
	s.pass(now)
	s.open[c]++
	s.totals.N[c]++
}

func (s *sweep) leave(c trace.Category, now time.Duration) {
	s.pass(now)
	s.open[c] = max(s.open[c]-1, 0) // a span of which nothing is kept may be ended twice
}
