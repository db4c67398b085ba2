package perf

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"kibitz/app/trace"
)

// Limits of what one request holds besides its spans.
const (
	maxAttrs    = 32       // set by SetAttr
	maxSwitches = 64       // asked by Asked
	maxText     = 16 << 10 // bytes of a statement, key or address
	maxValue    = 1 << 10  // bytes of an attribute, a switch or a user
	maxURL      = 2048     // bytes of a request's address
	maxName     = 512      // bytes of an endpoint's name
	spanStride  = 0x9e3779b97f4a7c15
)

// Request is a request that runs. Its methods may be called by any number of goroutines, after it has ended too, when they
// do nothing; those of a nil Request never do anything.
//
// It is never used again for another request, so that a goroutine that outlives its request cannot write into somebody
// else's. What it has recorded (recording) is used again, and leaves it when it ends.
type Request struct {
	rec     *Recorder
	start   time.Time
	id      trace.SpanID
	remote  Remote // Trace is that of the request; Parent its caller's span
	metered bool
	callers bool // it looks for the lines of code behind its queries

	mu   sync.Mutex
	body *recording // nil once it has ended
}

// recording is all that is known of a request. It is used again when the sink has had it.
type recording struct {
	info               Info
	trace              trace.ID
	id, parent         trace.SpanID
	start              time.Time
	duration           time.Duration
	url, user, state   string
	status             int
	failed, keep       bool
	received, answered int64 // bytes of the bodies, and 1 more; 0 unknown
	attrs              []trace.Attr
	switches           []trace.Switch
	spans              []span
	lost               int
	sweep              sweep
	own                time.Duration
	metered, callers   bool
	folded             int           // others that it stands for
	together           time.Duration // what it and they took; set when there are any
}

// size is what a recording counts for in the ring.
func (b *recording) size() int64 { return int64(len(b.spans)) + 1 }

// reset makes a recording ready to be used again. It lets go of every string.
func (b *recording) reset() {
	clear(b.spans)
	clear(b.attrs)
	clear(b.switches)
	*b = recording{spans: b.spans[:0], attrs: b.attrs[:0], switches: b.switches[:0]}
	if cap(b.spans) > 256 { // 56 KB: rarely needed
		b.spans = nil
	}
}

// requestContext is a context that carries a request: one allocation for both.
type requestContext struct {
	context.Context
	request Request
}

// spanContext is a context whose spans stand below another span.
type spanContext struct {
	context.Context
	request *Request
	parent  trace.SpanID
}

type contextKey struct{}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// Value implements context.Context.
func (c *spanContext) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// find is the request of a context, and the span that new ones stand below.
func find(ctx context.Context) (*Request, trace.SpanID) {
	switch c := ctx.Value(contextKey{}).(type) {
	case *requestContext:
		return &c.request, c.request.id
	case *spanContext:
		return c.request, c.parent
	}
	return nil, 0
}

// FromContext is the request that ctx belongs to, or nil.
func FromContext(ctx context.Context) *Request {
	q, _ := find(ctx)
	return q
}

// Trace is the id of the request's trace; zero for a nil Request.
func (q *Request) Trace() trace.ID {
	if q == nil {
		return trace.ID{}
	}
	return q.remote.Trace
}

// Span is the id of the request's own span; 0 for a nil Request.
func (q *Request) Span() trace.SpanID {
	if q == nil {
		return 0
	}
	return q.id
}

// WantsCallers tells whether the lines of code behind queries are recorded: for those who call NearCallers.
func (q *Request) WantsCallers() bool { return q != nil && q.callers }

// change runs fn on what is recorded, unless the request has ended.
func (q *Request) change(fn func(*recording)) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.body != nil {
		fn(q.body)
	}
}

// SetName names the endpoint, in the terms of trace.Request's Name and Source.
func (q *Request) SetName(name, source string) {
	q.change(func(b *recording) { b.info.Name, b.info.Source = cut(name, maxName), source })
}

// SetURL tells what was asked for: path and query. The text is kept as it is: leave out what nobody else may read.
func (q *Request) SetURL(url string) {
	q.change(func(b *recording) { b.url = cut(url, maxURL) })
}

// SetUser tells who asks, as id:42 or ip:203.0.113.9.
func (q *Request) SetUser(user string) {
	q.change(func(b *recording) { b.user = cut(user, maxValue) })
}

// SetStatus sets the status of HTTP and what follows from it: the outcome's name, and that 5xx are failures.
func (q *Request) SetStatus(status int) {
	q.change(func(b *recording) { b.status, b.state, b.failed = status, trace.StateOf(status), status >= 500 })
}

// SetState sets the outcome in Sentry's words, for requests that are not HTTP.
func (q *Request) SetState(state string, failed bool) {
	q.change(func(b *recording) { b.state, b.failed = cut(state, maxValue), failed })
}

// SetKeep asks for the request to be kept with all its spans.
func (q *Request) SetKeep() { q.change(func(b *recording) { b.keep = true }) }

// SetSizes tells how many bytes the bodies of request and answer had; negative is unknown.
func (q *Request) SetSizes(received, answered int64) {
	q.change(func(b *recording) { b.received, b.answered = max(received+1, 0), max(answered+1, 0) })
}

// SetAttr tells something else of the request; a key that is there already gets the new value. More than 32 keys are not
// kept.
func (q *Request) SetAttr(key, value string) {
	q.change(func(b *recording) {
		for i := range b.attrs {
			if b.attrs[i].Key == key {
				b.attrs[i].Value = cut(value, maxValue)
				return
			}
		}
		if len(b.attrs) < maxAttrs {
			b.attrs = append(b.attrs, trace.Attr{Key: cut(key, maxValue), Value: cut(value, maxValue)})
		}
	})
}

// SetUser is Request.SetUser for the request of a context.
func SetUser(ctx context.Context, user string) { FromContext(ctx).SetUser(user) }

// SetAttr is Request.SetAttr for the request of a context.
func SetAttr(ctx context.Context, key, value string) { FromContext(ctx).SetAttr(key, value) }

// Asked notes that a feature switch was asked during the request of a context, and what it answered. Of a key that is
// asked again the last answer counts. More than 64 keys are not kept.
func Asked(ctx context.Context, key, variant string) {
	FromContext(ctx).change(func(b *recording) {
		for i := range b.switches {
			if b.switches[i].Key == key {
				b.switches[i].Variant = cut(variant, maxValue)
				return
			}
		}
		if len(b.switches) < maxSwitches {
			b.switches = append(b.switches, trace.Switch{Key: cut(key, maxValue), Variant: cut(variant, maxValue)})
		}
	})
}

// Finish ends the request. Spans that still run are cut here. Only the first call counts.
func (q *Request) Finish() {
	if q == nil {
		return
	}
	now := time.Since(q.start)
	q.mu.Lock()
	b := q.body
	q.body = nil
	q.mu.Unlock()
	if b == nil {
		return
	}
	b.trace, b.id, b.parent, b.start, b.metered, b.callers = q.remote.Trace, q.id, q.remote.Parent, q.start, q.metered, q.callers
	b.duration = max(now, b.sweep.at)
	b.sweep.pass(b.duration)
	for i := range b.spans {
		if s := &b.spans[i]; s.running {
			s.duration = b.duration - s.start
		}
	}
	q.rec.enqueue(b)
}

// Totals are the time and the operations by category so far; of a request that has ended, none.
func (q *Request) Totals() (t trace.Totals) {
	q.change(func(b *recording) {
		b.sweep.pass(time.Since(q.start))
		t = b.sweep.totals
	})
	return t
}

// cut shortens a text to at most n bytes, at the boundary of a character. What is cut is copied, so that the rest of
// a large text is not kept alive by it.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n])
}
