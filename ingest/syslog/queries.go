package syslog

import (
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// queries reads the list [{sql, ms, at, rows, caller, system}] of the JSON form, so that a program that speaks nothing but
// syslog has its waterfall and its N+1 loops found. Without db_ms and db_n they are counted from it.
func (n *numbers) queries(q *trace.Request, list []*fastjson.Value) {
	known := list[:min(len(list), maxQueries)]
	counted := n.get.text("db_ms") != ""
	for i, v := range known {
		if v.Type() != fastjson.TypeObject {
			n.wrong("queries", v.String(), "a list of objects")
			return
		}
		s := n.query(v)
		s.ID, s.Parent = childID(q.Span, i), q.Span
		q.Spans = append(q.Spans, s)
		if !counted {
			q.Totals.Time[trace.DB] += s.Duration
		}
	}
	q.Totals.N[trace.DB] = max(q.Totals.N[trace.DB], len(list))
	if len(list) > 0 {
		q.Lost = q.Totals.N[trace.DB] - len(known)
	}
}

func (n *numbers) query(v *fastjson.Value) trace.Span {
	field := func(name string) string { return scalar(v.Get(name)) }
	s := trace.Span{Op: "db.query", Category: trace.DB, Text: cut(field("sql"), trace.MaxText), System: cut(field("system"), trace.MaxOp), Rows: -1,
		Start: n.ms("queries.at", field("at")), Duration: n.ms("queries.ms", field("ms"))}
	if text := field("rows"); text != "" {
		s.Rows = int64(n.count("queries.rows", text))
	}
	s.File, s.Line, s.Func = caller(cut(field("caller"), trace.MaxName))
	return s
}

// caller reads "shop/views.py:52 cart": file, line and, after a space, the function.
func caller(text string) (file string, line int, function string) {
	place, function, _ := strings.Cut(text, " ")
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 {
		return text, 0, ""
	}
	line, err := strconv.Atoi(place[colon+1:])
	if err != nil || line < 0 {
		return text, 0, ""
	}
	return place[:colon], line, function
}

// childID is the id of a query, the same when a record comes twice: the steps of splitmix64 from the request's id
// (https://prng.di.unimi.it/splitmix64.c) are never alike within a trace but by chance.
func childID(parent trace.SpanID, i int) trace.SpanID {
	z := uint64(parent) + uint64(i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return trace.SpanID(max(z^z>>31, 1))
}
