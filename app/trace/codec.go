package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The stored form of requests, in the spool and in the database: a version, then requests and log lines as fields in a
// fixed order. Numbers are varints; a string is written once, and then by its place in the list of those written
// before, since a batch says the same routes, statements and keys over and over. A request with six spans takes some 300 bytes
// before compression and 2.3 us to write and read; encoding/json takes 46 us for the same (BenchmarkCodec).
const codecVersion = 1

// errCodec marks bytes that Append did not write.
var errCodec = errors.New("not the stored form of requests")

// Append adds the stored form of requests to b.
func Append(b []byte, requests []Request) []byte {
	w := writer{b: append(b, codecVersion), seen: make(map[string]uint64, 64)}
	w.count(len(requests))
	for i := range requests {
		w.request(&requests[i])
	}
	return w.b
}

// Decode reads what Append wrote. What it gives does not share memory with b.
func Decode(b []byte) ([]Request, error) {
	r, err := newReader(b)
	if err != nil {
		return nil, err
	}
	out := make([]Request, r.count(20))
	for i := range out {
		r.request(&out[i])
	}
	return out, r.end()
}

// AppendLogs adds the stored form of log lines to b.
func AppendLogs(b []byte, lines []LogLine) []byte {
	w := writer{b: append(b, codecVersion), seen: make(map[string]uint64, 64)}
	w.count(len(lines))
	for i := range lines {
		w.line(&lines[i])
	}
	return w.b
}

// DecodeLogs reads what AppendLogs wrote.
func DecodeLogs(b []byte) ([]LogLine, error) {
	r, err := newReader(b)
	if err != nil {
		return nil, err
	}
	out := make([]LogLine, r.count(20))
	for i := range out {
		r.line(&out[i])
	}
	return out, r.end()
}

type writer struct {
	b    []byte
	seen map[string]uint64
}

func (w *writer) count(n int)              { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) signed(n int64)           { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) fixed(n uint64)           { w.b = binary.BigEndian.AppendUint64(w.b, n) }
func (w *writer) duration(d time.Duration) { w.signed(int64(d)) }
func (w *writer) moment(t time.Time)       { w.signed(t.UnixNano()) }

// text writes a string: its place among those before, or 0, its length and its bytes.
func (w *writer) text(s string) {
	if at, ok := w.seen[s]; ok {
		w.b = binary.AppendUvarint(w.b, at)
		return
	}
	w.seen[s] = uint64(len(w.seen) + 1)
	w.b = append(binary.AppendUvarint(append(w.b, 0), uint64(len(s))), s...)
}

func (w *writer) texts(list ...string) {
	for _, s := range list {
		w.text(s)
	}
}

func (w *writer) attrs(list []Attr) {
	w.count(len(list))
	for _, a := range list {
		w.texts(a.Key, a.Value)
	}
}

// The bits of a request's and of a span's flags.
const (
	flagFailed = 1 << iota
	flagKeep
	flagSummed
	flagPartial
)

func flags(failed, keep, summed, partial bool) (f byte) {
	for i, on := range [...]bool{failed, keep, summed, partial} {
		if on {
			f |= 1 << i
		}
	}
	return f
}

func (w *writer) request(q *Request) {
	w.b = append(append(w.b, flags(q.Failed, q.Keep, q.Summed, q.Partial)), q.Trace[:]...)
	w.fixed(uint64(q.Span))
	w.fixed(uint64(q.Parent))
	w.texts(q.Name, q.Source, q.Op, q.Method, q.URL, q.State, q.Service, q.Release, q.Environment, q.Host, q.Platform, q.User)
	w.signed(int64(q.Status))
	w.moment(q.Start)
	w.duration(q.Duration)
	w.fixed(math.Float64bits(q.Weight))
	w.signed(int64(q.Lost))
	w.count(len(q.Switches))
	for _, s := range q.Switches {
		w.texts(s.Key, s.Variant)
	}
	w.attrs(q.Attrs)
	if q.Summed {
		for c := range q.Totals.Time {
			w.duration(q.Totals.Time[c])
			w.signed(int64(q.Totals.N[c]))
		}
	}
	w.count(len(q.Spans))
	for i := range q.Spans {
		w.span(&q.Spans[i])
	}
}

func (w *writer) span(s *Span) {
	w.b = append(w.b, flags(s.Failed, false, false, false), byte(s.Category))
	w.fixed(uint64(s.ID))
	w.fixed(uint64(s.Parent))
	w.texts(s.Op, s.Text, s.System, s.State, s.File, s.Func)
	w.duration(s.Start)
	w.duration(s.Duration)
	w.duration(s.Pool)
	w.signed(int64(s.PID))
	w.signed(s.Rows)
	w.signed(int64(s.Line))
	w.attrs(s.Attrs)
}

func (w *writer) line(l *LogLine) {
	w.moment(l.At)
	w.texts(l.Level, l.Logger, l.Body, l.Service, l.Release, l.Environment, l.Host)
	w.b = append(w.b, l.Trace[:]...)
	w.fixed(uint64(l.Span))
	w.attrs(l.Attrs)
}

// reader reads the stored form. After a failure everything it gives is zero, and bad is set.
type reader struct {
	all  string // strings are parts of it
	at   int
	seen []string
	bad  bool
}

func newReader(b []byte) (*reader, error) {
	if len(b) == 0 || b[0] != codecVersion {
		return nil, fmt.Errorf("%w: it is of another version", errCodec)
	}
	return &reader{all: string(b), at: 1}, nil
}

func (r *reader) end() error {
	if r.bad || r.at != len(r.all) {
		return fmt.Errorf("%w: damaged at byte %d of %d", errCodec, r.at, len(r.all))
	}
	return nil
}

func (r *reader) take(n int) string {
	if r.bad || n < 0 || n > len(r.all)-r.at {
		r.bad = true
		return ""
	}
	r.at += n
	return r.all[r.at-n : r.at]
}

func (r *reader) octet() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) unsigned() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.octet()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *reader) signed() int64 {
	n := r.unsigned()
	return int64(n>>1) ^ -int64(n&1)
}

// count reads the length of a list whose elements take at least least bytes each, so that damage cannot ask for memory.
func (r *reader) count(least int) int {
	n := r.unsigned()
	if n > uint64((len(r.all)-r.at)/least) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) fixed() uint64 {
	s := r.take(8)
	if s == "" {
		return 0
	}
	return binary.BigEndian.Uint64([]byte(s))
}

func (r *reader) duration() time.Duration { return time.Duration(r.signed()) }
func (r *reader) moment() time.Time       { return time.Unix(0, r.signed()).UTC() }

func (r *reader) text() string {
	place := r.unsigned()
	if place > uint64(len(r.seen)) {
		r.bad = true
		return ""
	}
	if place > 0 {
		return r.seen[place-1]
	}
	s := r.take(r.count(1))
	r.seen = append(r.seen, s)
	return s
}

func (r *reader) texts(into ...*string) {
	for _, s := range into {
		*s = r.text()
	}
}

func (r *reader) attrs() []Attr {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	list := make([]Attr, n)
	for i := range list {
		r.texts(&list[i].Key, &list[i].Value)
	}
	return list
}

func (r *reader) request(q *Request) {
	f := r.octet()
	q.Failed, q.Keep, q.Summed, q.Partial = f&flagFailed != 0, f&flagKeep != 0, f&flagSummed != 0, f&flagPartial != 0
	copy(q.Trace[:], r.take(len(q.Trace)))
	q.Span, q.Parent = SpanID(r.fixed()), SpanID(r.fixed())
	r.texts(&q.Name, &q.Source, &q.Op, &q.Method, &q.URL, &q.State, &q.Service, &q.Release, &q.Environment, &q.Host, &q.Platform, &q.User)
	q.Status = int(r.signed())
	q.Start, q.Duration = r.moment(), r.duration()
	q.Weight = math.Float64frombits(r.fixed())
	q.Lost = int(r.signed())
	if n := r.count(2); n > 0 {
		q.Switches = make([]Switch, n)
		for i := range q.Switches {
			r.texts(&q.Switches[i].Key, &q.Switches[i].Variant)
		}
	}
	q.Attrs = r.attrs()
	if q.Summed {
		for c := range q.Totals.Time {
			q.Totals.Time[c], q.Totals.N[c] = r.duration(), int(r.signed())
		}
	}
	if n := r.count(30); n > 0 {
		q.Spans = make([]Span, n)
		for i := range q.Spans {
			r.span(&q.Spans[i])
		}
	}
}

func (r *reader) span(s *Span) {
	s.Failed = r.octet()&flagFailed != 0
	s.Category = Category(min(r.octet(), Categories-1))
	s.ID, s.Parent = SpanID(r.fixed()), SpanID(r.fixed())
	r.texts(&s.Op, &s.Text, &s.System, &s.State, &s.File, &s.Func)
	s.Start, s.Duration, s.Pool = r.duration(), r.duration(), r.duration()
	s.PID, s.Rows, s.Line = int32(r.signed()), r.signed(), int(r.signed())
	s.Attrs = r.attrs()
}

func (r *reader) line(l *LogLine) {
	l.At = r.moment()
	r.texts(&l.Level, &l.Logger, &l.Body, &l.Service, &l.Release, &l.Environment, &l.Host)
	copy(l.Trace[:], r.take(len(l.Trace)))
	l.Span = SpanID(r.fixed())
	l.Attrs = r.attrs()
}
