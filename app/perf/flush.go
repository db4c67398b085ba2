package perf

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/trace"
)

// run serves the sink until Close.
func (r *Recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(r.o.Interval)
	defer tick.Stop()
	var spare []*recording
	for open := true; open; {
		var flushed chan struct{}
		select {
		case <-r.full:
		case flushed = <-r.flushes:
		case <-tick.C:
		case <-r.stop:
			open = false // what ends from now on is dropped
		}
		spare = r.deliverAll(r.take(spare))
		r.tell()
		if flushed != nil {
			close(flushed)
		}
	}
}

// deliverAll hands everything to the sink, batch by batch, and gives the list back empty.
func (r *Recorder) deliverAll(list []*recording) []*recording {
	for batch := range slices.Chunk(list, r.o.Batch) {
		r.deliver(batch)
	}
	return list[:0]
}

// deliver hands a batch to the sink.
func (r *Recorder) deliver(batch []*recording) {
	began := time.Now()
	r.out, r.spans = r.out[:0], r.spans[:0]
	requests := int64(0) // with those that others stand for
	for _, b := range batch {
		requests += int64(1 + b.folded)
		r.out = append(r.out, r.request(b))
	}
	if err := r.call(r.out); err != nil {
		r.counters.dropped[sinkFailed].Add(requests)
		if r.o.Failed != nil {
			r.o.Failed(err)
		}
	} else {
		r.counters.delivered.Add(requests)
	}
	clear(r.out)
	clear(r.spans)
	for i, b := range batch {
		r.waiting.Add(-b.size())
		r.recycle(b)
		batch[i] = nil
	}
	r.counters.flushing.Add(int64(time.Since(began)))
}

// call is the sink, whose panics are failures.
func (r *Recorder) call(requests []trace.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot hand recorded requests on: the sink panicked: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), r.o.SinkTime)
	defer cancel()
	return r.o.Sink(ctx, requests)
}

// recycle keeps a recording for another request. Nothing refers to it any more: its Request let go of it.
func (r *Recorder) recycle(b *recording) {
	if b.metered {
		r.counters.metered.Add(1)
		r.counters.own.Add(int64(b.own))
	}
	b.reset()
	r.free.Put(b)
}

// tell says what was dropped since the last time.
func (r *Recorder) tell() {
	if r.o.Dropped == nil {
		return
	}
	for reason := range r.counters.dropped {
		if n := r.counters.dropped[reason].Load(); n > r.told[reason] {
			r.o.Dropped(reasonNames[reason], n-r.told[reason])
			r.told[reason] = n
		}
	}
}

// request is a recording in the form that all parts share.
func (r *Recorder) request(b *recording) trace.Request {
	q := trace.Request{Trace: b.trace, Span: b.id, Parent: b.parent, Name: valid(b.info.Name), Source: b.info.Source, Op: b.info.Op,
		Method: valid(b.info.Method), URL: valid(b.url), Status: b.status, State: valid(b.state), Failed: b.failed, Start: b.start.UTC(),
		Duration: b.duration, Service: r.o.Service, Release: r.o.Release, Environment: r.o.Environment, Host: r.o.Host,
		Platform: b.info.Platform, User: valid(b.user), Weight: max(b.info.Weight, 1) * float64(1+b.folded), Keep: b.keep, Lost: b.lost}
	// Spans that were left out would be missing from totals of those that were kept.
	if b.lost > 0 {
		q.Summed, q.Totals = true, b.sweep.totals
	}
	q.Attrs = attrsOf(b)
	for _, s := range b.switches {
		q.Switches = append(q.Switches, trace.Switch{Key: valid(s.Key), Variant: valid(s.Variant)})
	}
	q.Spans = r.room(len(b.spans))
	for i := range b.spans {
		r.span(b, i, &q.Spans[i])
	}
	return q
}

// room is place for n spans, from what the batch before has left.
func (r *Recorder) room(n int) []trace.Span {
	if n == 0 {
		return nil
	}
	if cap(r.spans)-len(r.spans) < n {
		r.spans = make([]trace.Span, 0, max(n, 4096)) // requests before keep theirs
	}
	at := len(r.spans)
	r.spans = r.spans[:at+n]
	return r.spans[at : at+n : at+n]
}

func attrsOf(b *recording) (list []trace.Attr) {
	for _, a := range b.attrs {
		list = append(list, trace.Attr{Key: valid(a.Key), Value: valid(a.Value)})
	}
	number := func(key string, n int64) { list = append(list, trace.Attr{Key: key, Value: strconv.FormatInt(n, 10)}) }
	if b.received > 0 {
		number("http.request.body.size", b.received-1)
	}
	if b.answered > 0 {
		number("http.response.body.size", b.answered-1)
	}
	if b.metered {
		number("kibitz.perf.own_ns", int64(b.own))
	}
	return list
}

func (r *Recorder) span(b *recording, i int, to *trace.Span) {
	s := &b.spans[i]
	*to = trace.Span{ID: spanID(b.id, i), Parent: s.parent, Op: s.op, Text: valid(s.text), System: s.system, Start: s.start, Duration: s.duration,
		Category: s.category, Failed: s.failed, State: valid(s.state), Pool: s.pool, PID: s.pid, Rows: s.rows}
	if s.frames > 0 {
		p := r.callers.caller(s.pcs[:s.frames])
		to.File, to.Line, to.Func = p.file, p.line, p.function
	}
	attr := func(key, value string) { to.Attrs = append(to.Attrs, trace.Attr{Key: key, Value: value}) }
	if s.hit != 0 {
		attr("cache.hit", strconv.FormatBool(s.hit > 0))
	}
	if s.count > 1 {
		attr("db.operation.batch.size", strconv.Itoa(int(s.count)))
	}
	if s.running {
		attr("perf.unfinished", "true")
	}
}

// valid is a text as UTF-8; databases take no other, and no NUL.
func valid(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return text
}
