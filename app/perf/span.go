package perf

import (
	"context"
	"runtime"
	"time"

	"kibitz/app/trace"
)

// maxFrames is how deep the stack is looked at for a caller. pgx, a pool and a layer of helpers take six to eight;
// each costs some 70 ns.
const maxFrames = 12

// meterOneIn is the share of requests that measure what recording costs them.
const meterOneIn = 64

// span is a span as it is recorded. Texts are the caller's, by reference; nothing is formatted before the sink's turn.
type span struct {
	parent                  trace.SpanID
	op, text, system, state string
	start, duration, pool   time.Duration
	rows                    int64
	count                   int32 // statements of a batch; 0 and 1 are one
	pid                     int32
	category                trace.Category
	running, failed         bool
	hit                     int8 // of a cache: 1 hit, -1 miss
	frames                  int8
	pcs                     [maxFrames]uintptr
}

// Span is a piece of work that runs. The zero Span, and one whose request has ended, does nothing. It may be ended by
// another goroutine than began it, once.
type Span struct {
	request  *Request
	index    int32 // among the request's; -1 when only totals are kept
	category trace.Category
}

// Work is what a span is about, in the terms of trace.Span.
type Work struct {
	Category         trace.Category
	Op, Text, System string
	PID              int32
	// Pool is how long it has waited for a connection just before, by Wait.
	Pool time.Duration
	// Near is where it was asked for, when that was found out before. Without it the stack is looked at.
	Near Near
}

// Near is the innermost calls above a layer that knows how far it is from the code that uses it.
type Near [4]uintptr

// known is the part of n that is set.
func (n *Near) known() []uintptr {
	for i, pc := range n {
		if pc == 0 {
			return n[:i]
		}
	}
	return n[:]
}

// NearCallers looks at the stack from its caller on, leaving out skip calls. Four calls take a third of the time that twelve
// do; whoever stands close to the code behind a query, before a driver and a pool, uses it for Work.Near.
func NearCallers(skip int) (n Near) {
	runtime.Callers(skip+2, n[:])
	return n
}

// Begin begins a span in the request of ctx; it does nothing without one. Op is its kind in Sentry's words (cache.get,
// function ...), text what it does. Both are kept by reference. A string that is built from the bytes of a buffer must be
// copied before.
func Begin(ctx context.Context, category trace.Category, op, text string) Span {
	return BeginWork(ctx, Work{Category: category, Op: op, Text: text})
}

// BeginWork is Begin for those who know more.
func BeginWork(ctx context.Context, w Work) Span {
	q, parent := find(ctx)
	if q == nil {
		return Span{}
	}
	return q.begin(parent, &w)
}

func (q *Request) begin(parent trace.SpanID, w *Work) Span {
	now := time.Since(q.start)
	var pcs [maxFrames]uintptr
	frames := copy(pcs[:], w.Near.known())
	if frames == 0 && (w.Category == trace.DB || w.Category == trace.HTTP) && q.callers {
		frames = runtime.Callers(3, pcs[:]) // without Callers, begin and BeginWork
	}
	q.mu.Lock()
	s := q.open(parent, w, now)
	if s.index >= 0 && frames > 0 {
		kept := &q.body.spans[s.index]
		kept.frames, kept.pcs = int8(frames), pcs
	}
	q.meter(now)
	q.mu.Unlock()
	return s
}

// open adds a span, or only its category's count when there are too many. The caller holds the lock.
func (q *Request) open(parent trace.SpanID, w *Work, now time.Duration) Span {
	b := q.body
	if b == nil {
		q.rec.counters.late.Add(1)
		return Span{index: -1}
	}
	b.sweep.enter(w.Category, now)
	if w.Category == trace.Pool && w.Pool > 0 {
		b.sweep.totals.N[trace.Pool]-- // Wait has counted it
	}
	if len(b.spans) >= q.rec.o.MaxSpans {
		b.lost++
		return Span{q, -1, w.Category}
	}
	s := b.add()
	s.parent, s.op, s.text, s.system = parent, w.Op, cut(w.Text, maxText), w.System
	s.start, s.pool, s.rows, s.pid, s.category, s.running = now-w.Pool, w.Pool, -1, w.PID, w.Category, true
	return Span{q, int32(len(b.spans) - 1), w.Category}
}

// add makes room for a span. What is there already is clean (reset), and 230 bytes need not be written twice.
func (b *recording) add() *span {
	n := len(b.spans)
	if n == cap(b.spans) {
		b.spans = append(b.spans, span{})
	} else {
		b.spans = b.spans[:n+1]
	}
	return &b.spans[n]
}

// meter adds what a hook has cost since began, in requests that measure it.
func (q *Request) meter(began time.Duration) {
	if q.metered && q.body != nil {
		q.body.own += time.Since(q.start) - began
	}
}

// Outcome is how a piece of work went.
type Outcome struct {
	Failed bool
	State  string // as trace.Span's: Sentry's word or an SQLSTATE
	Rows   int64  // returned or changed; negative unknown
	Count  int    // how many alike the span stands for; 0 is one
	hit    int8
}

// End ends the span.
func (s Span) End() { s.EndWith(Outcome{Rows: -1}) }

// EndWith ends the span and tells how it went.
func (s Span) EndWith(o Outcome) {
	q := s.request
	if q == nil {
		return
	}
	now := time.Since(q.start)
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.body
	if b == nil {
		q.rec.counters.late.Add(1)
		return
	}
	if s.index < 0 {
		b.sweep.leave(s.category, now)
		return
	}
	kept := &b.spans[s.index]
	if !kept.running {
		return // ended twice
	}
	b.sweep.leave(s.category, now)
	kept.running, kept.duration = false, now-kept.start
	kept.failed, kept.state, kept.rows, kept.count, kept.hit = o.Failed, o.State, o.Rows, int32(o.Count), o.hit
	q.meter(now)
}

// EndErr ends the span; an error marks it as failed.
func (s Span) EndErr(err error) {
	o := Outcome{Rows: -1}
	if err != nil {
		o.Failed, o.State = true, "internal_error"
	}
	s.EndWith(o)
}

// ID is the span's id, as it goes to other programs; the request's own when the span is not kept.
func (s Span) ID() trace.SpanID {
	switch {
	case s.request == nil:
		return 0
	case s.index < 0:
		return s.request.id
	}
	return spanID(s.request.id, int(s.index))
}

// Context gives a context whose spans stand below this one.
func (s Span) Context(ctx context.Context) context.Context {
	if s.request == nil || s.index < 0 {
		return ctx
	}
	return &spanContext{ctx, s.request, s.ID()}
}

// spanID makes the ids of a request's spans from its own: no two alike, and none to be drawn and kept.
func spanID(request trace.SpanID, index int) trace.SpanID {
	if id := request + trace.SpanID(index+1)*spanStride; id != 0 {
		return id
	}
	return 1 // once in 2^64
}

// Waiting is a wait for a connection of a pool. The zero Waiting does nothing.
type Waiting struct {
	request *Request
	start   time.Duration
}

// Wait begins a wait for a connection in the request of ctx.
func Wait(ctx context.Context) Waiting {
	q, _ := find(ctx)
	if q == nil {
		return Waiting{}
	}
	w := Waiting{q, time.Since(q.start)}
	q.change(func(b *recording) { b.sweep.enter(trace.Pool, w.start) })
	return w
}

// Request is the request that waits, or nil.
func (w Waiting) Request() *Request { return w.request }

// End ends the wait. What it gives belongs into Work.Pool of the span that got the connection.
func (w Waiting) End() time.Duration {
	if w.request == nil {
		return 0
	}
	now := time.Since(w.request.start)
	w.request.change(func(b *recording) { b.sweep.leave(trace.Pool, now) })
	return now - w.start
}
