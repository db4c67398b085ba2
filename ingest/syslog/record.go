package syslog

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// Limits of a record, beside those of package trace that every door has. A message is bounded already.
const (
	maxQueries = 200                 // queries of a record; the others are counted as lost (record_queries)
	maxTime    = 31 * 24 * time.Hour // of a request (record_ms)
)

// ErrRecord marks a message that says it is a record of a request, and cannot be one.
var ErrRecord = errors.New("not a record of a request")

// Record is what a message says of one request.
type Record struct {
	Request trace.Request
	Key     string // public key of the project that it belongs to; "" for the door's own project
}

// Decoder reads records. It keeps buffers, so one goroutine uses it at a time.
type Decoder struct{ json fastjson.Parser }

// Record reads the record of a request that docs/syslog.md describes: structured data [perf@PEN route="..." ms="..."], or JSON
// in the body, with or without the cookie "@cee:". ok tells whether the message is meant to be one; if not, it is a line of a
// log. Ids that the sender does not tell are random. The error is ErrRecord with what is wrong.
func (d *Decoder) Record(m *Message) (r Record, ok bool, err error) {
	get, ok, err := d.fields(m)
	if !ok || err != nil {
		return r, ok, err
	}
	r.Key = get.text("key")
	q := &r.Request
	q.Name, q.Source, q.Platform, q.Summed, q.Weight = cut(get.text("route"), trace.MaxName), "route", cut(get.text("platform"), trace.MaxOp), true, 1
	q.Service, q.Release, q.Environment = orElse(cut(get.text("service"), trace.MaxName), cut(m.App, trace.MaxName)), cut(get.text("release"), trace.MaxName), cut(get.text("env"), trace.MaxName)
	q.Host, q.User, q.Op = orElse(cut(get.text("host"), trace.MaxName), cut(m.Host, trace.MaxName)), cut(get.text("user"), trace.MaxName), orElse(cut(get.text("op"), trace.MaxOp), "http.server")
	q.Method, q.URL = cut(get.text("method"), trace.MaxOp), cut(get.text("url"), trace.MaxURL)
	q.Keep = get.text("keep") == "true" || get.text("keep") == "1"
	q.Switches, q.Attrs = get.switches(), get.others()
	n := numbers{get: get}
	n.request(q, m.Time)
	n.ids(q)
	n.totals(q)
	if get.json != nil {
		n.queries(q, get.json.GetArray("queries"))
	}
	settle(q)
	return r, true, n.err
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// cut bounds a text without cutting a letter in two.
func cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	for max > 0 && !utf8.RuneStart(text[max]) {
		max--
	}
	return text[:max]
}

// numbers reads numeric fields and keeps the first mistake.
type numbers struct {
	get fields
	err error
}

func (n *numbers) wrong(name, text, want string) {
	if n.err == nil {
		n.err = fmt.Errorf("%w: %s is %q, not %s", ErrRecord, name, cut(text, 40), want)
	}
}

// float reads a number that is not negative. A field that is not there is 0.
func (n *numbers) float(name, text string) float64 {
	if text == "" {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0) || math.IsInf(f, 1) {
		n.wrong(name, text, "a number from 0 on")
		return 0
	}
	return f
}

// ms reads a number of milliseconds.
func (n *numbers) ms(name, text string) time.Duration {
	f := n.float(name, text)
	if f > float64(maxTime/time.Millisecond) {
		n.wrong(name, text, "at most 31 days (limit record_ms)")
		return 0
	}
	return time.Duration(math.Round(f * 1e6))
}

func (n *numbers) count(name, text string) int {
	f := n.float(name, text)
	if f > math.MaxInt32 {
		n.wrong(name, text, "a count")
		return 0
	}
	return int(f)
}

// request reads when and how the request went. Its message is sent when it ends, so without a start it began that much
// earlier.
func (n *numbers) request(q *trace.Request, sent time.Time) {
	q.Duration = n.ms("ms", n.get.text("ms"))
	q.Status = n.count("status", n.get.text("status"))
	q.State = orElse(cut(n.get.text("state"), trace.MaxOp), trace.StateOf(q.Status))
	q.Failed = trace.Fails(q.State, q.Status)
	q.Start = sent.Add(-q.Duration)
	if text := n.get.text("start"); text != "" {
		q.Start = n.start(text)
	}
	if text := n.get.text("sample"); text != "" {
		share := n.float("sample", text)
		if share < 1e-6 || share > 1 {
			n.wrong("sample", text, "a share from 0.000001 to 1")
			return
		}
		q.Weight = 1 / share
	}
}

// start reads seconds since 1970 or RFC 3339.
func (n *numbers) start(text string) time.Time {
	if at, ok := rfc3339(text); ok {
		return at.UTC()
	}
	s := n.float("start", text)
	if s > 1<<33 { // the year 2242
		n.wrong("start", text, "seconds since 1970 or RFC 3339")
		return time.Unix(0, 0).UTC()
	}
	return time.UnixMicro(int64(math.Round(s * 1e6))).UTC()
}

// ids reads the trace; what the sender does not tell is random: a datagram comes once.
func (n *numbers) ids(q *trace.Request) {
	id, ok := trace.ParseID(n.get.text("trace"))
	if text := n.get.text("trace"); !ok && text != "" {
		n.wrong("trace", text, "32 hexadecimal digits")
	}
	for i := range id {
		if !ok {
			id[i] = byte(rand.Uint32())
		}
	}
	q.Trace, q.Span, q.Parent = id, n.span("span"), n.span("parent")
	for q.Span == 0 {
		q.Span = trace.SpanID(rand.Uint64())
	}
}

func (n *numbers) span(name string) trace.SpanID {
	text := n.get.text(name)
	id, ok := trace.ParseSpanID(text)
	if !ok && text != "" && strings.Trim(text, "0") != "" {
		n.wrong(name, text, "16 hexadecimal digits")
	}
	return id
}

// totals reads time and number of each category but the program's own.
func (n *numbers) totals(q *trace.Request) {
	for c := trace.DB; c <= trace.Pool; c++ {
		ms, count := c.String()+"_ms", c.String()+"_n"
		q.Totals.Time[c] = n.ms(ms, n.get.text(ms))
		q.Totals.N[c] = n.count(count, n.get.text(count))
	}
}

// settle makes the times sum to the request's duration: the rest is the program's own. A program that worked in parallel has
// more than there is; its parts are scaled down.
func settle(q *trace.Request) {
	var sum time.Duration
	for c := trace.DB; c <= trace.Pool; c++ {
		sum += q.Totals.Time[c]
	}
	if sum > q.Duration {
		share := float64(q.Duration) / float64(sum)
		sum = 0
		for c := trace.DB; c <= trace.Pool; c++ {
			q.Totals.Time[c] = time.Duration(float64(q.Totals.Time[c]) * share)
			sum += q.Totals.Time[c]
		}
	}
	q.Totals.Time[trace.Other] = q.Duration - sum
}
