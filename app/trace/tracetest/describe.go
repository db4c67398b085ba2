// Package tracetest writes requests and log lines down so that people can compare them, for golden tests.
package tracetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/trace"
)

// Requests describes requests, a block each: what is the same from one run of a program to the next. Times are there as
// whether they can be.
func Requests(list []trace.Request) string {
	var b strings.Builder
	for i := range list {
		request(&b, &list[i])
	}
	return b.String()
}

func request(b *strings.Builder, q *trace.Request) {
	if q.Partial {
		fmt.Fprintf(b, "partial service=%q platform=%s times=%v\n", q.Service, q.Platform, sane(q))
	} else {
		fmt.Fprintf(b, "%s %s (%s) %s %d %s failed=%v url=%q weight=%g parent=%v times=%v\n", q.Method, q.Name, q.Source, q.Op, q.Status, q.State, q.Failed, q.URL, q.Weight, q.Parent != 0, sane(q))
		fmt.Fprintf(b, "  of service=%q release=%q env=%q host=%q platform=%s user=%q keep=%v lost=%d\n", q.Service, q.Release, q.Environment, q.Host, q.Platform, q.User, q.Keep, q.Lost)
		for _, s := range q.Switches {
			fmt.Fprintf(b, "  switch %s=%s\n", s.Key, s.Variant)
		}
		attrs(b, "  ", q.Attrs)
	}
	spans := slices.Clone(q.Spans)
	slices.SortStableFunc(spans, func(a, b trace.Span) int { return int(a.Start - b.Start) })
	for i := range spans {
		s := &spans[i]
		fmt.Fprintf(b, "  - %s [%s] %q system=%s rows=%d", s.Op, s.Category, s.Text, s.System, s.Rows)
		if s.State != "" || s.Failed {
			fmt.Fprintf(b, " %s failed=%v", s.State, s.Failed)
		}
		if s.File != "" {
			fmt.Fprintf(b, " at %s:%d %s", s.File, s.Line, s.Func)
		}
		b.WriteString("\n")
		attrs(b, "      ", s.Attrs)
	}
}

// sane tells whether a request's spans lie within it, and its start within this decade.
func sane(q *trace.Request) bool {
	for i := range q.Spans {
		s := &q.Spans[i]
		if s.Start < -time.Second || s.Duration < 0 || !q.Partial && s.Start+s.Duration > q.Duration+time.Second {
			return false
		}
	}
	return q.Start.Year() >= 2020 && q.Start.Year() < 2100 && q.Duration >= 0
}

// Lines describes log lines.
func Lines(list []trace.LogLine) string {
	var b strings.Builder
	for i := range list {
		l := &list[i]
		fmt.Fprintf(&b, "%s %q logger=%q of service=%q release=%q env=%q host=%q trace=%v span=%v\n", l.Level, l.Body, l.Logger, l.Service, l.Release,
			l.Environment, l.Host, l.Trace != trace.ID{}, l.Span != 0)
		attrs(&b, "  ", l.Attrs)
	}
	return b.String()
}

func attrs(b *strings.Builder, indent string, list []trace.Attr) {
	for _, a := range list {
		fmt.Fprintf(b, "%s%s=%q\n", indent, a.Key, a.Value)
	}
}
