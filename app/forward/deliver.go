package forward

import (
	"errors"
	"strconv"
	"time"

	"kibitz/app/perf"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// forwardedBy is the attribute that marks what has been forwarded. Such requests go no further: two Kibitzes that name each
// other, or one that names itself, would send them round for ever.
const forwardedBy = "kibitz.forwarded_by"

// longPause is the longest wait between two tries.
const longPause = 30 * time.Second

// batch is requests on their way, with their projects one for one.
type batch struct {
	requests []trace.Request
	projects []int64
}

func (b *batch) cut(n int) (first batch) {
	first = batch{b.requests[:n], b.projects[:n]}
	b.requests, b.projects = b.requests[n:], b.projects[n:]
	return first
}

// open reads records, leaves out what must not go on, and marks the rest.
func (f *Forwarder) open(records []ingest.Record) (b batch) {
	for i := range records {
		r := &records[i]
		u, err := r.Unpack(f.zstd)
		if err != nil {
			f.o.Log.Warn("cannot forward a record that cannot be read", "project", r.Project, "err", err)
			f.drop(r.Project, Damaged, 1)
			continue
		}
		for k := range u.Requests {
			if forwarded(&u.Requests[k]) {
				f.drop(r.Project, Looped, 1)
				continue
			}
			f.mark(&u.Requests[k])
			b.requests, b.projects = append(b.requests, u.Requests[k]), append(b.projects, r.Project)
		}
	}
	return b
}

func forwarded(q *trace.Request) bool {
	if marked(q.Attrs) {
		return true
	}
	return q.Partial && len(q.Spans) > 0 && marked(q.Spans[0].Attrs)
}

func marked(attrs []trace.Attr) bool {
	for i := range attrs {
		if attrs[i].Key == forwardedBy {
			return true
		}
	}
	return false
}

// mark puts our mark first, where no limit of attributes cuts it. Spans without their request each get one.
func (f *Forwarder) mark(q *trace.Request) {
	mark := trace.Attr{Key: forwardedBy, Value: f.o.Node}
	if !q.Partial {
		q.Attrs = append(append([]trace.Attr{mark}, sums(q)...), q.Attrs...)
		return
	}
	for i := range q.Spans {
		q.Spans[i].Attrs = append([]trace.Attr{mark}, q.Spans[i].Attrs...)
	}
}

// sums are the totals of a request whose sender gave them in place of spans (a line of syslog), as attributes: nothing else
// in OTLP has room for them. Times are in seconds, as in OpenTelemetry's metrics.
func sums(q *trace.Request) (attrs []trace.Attr) {
	if !q.Summed {
		return nil
	}
	for c := range trace.Category(trace.Categories) {
		if took := q.Totals.Time[c]; took > 0 {
			attrs = append(attrs, trace.Attr{Key: "kibitz." + c.String() + ".duration", Value: strconv.FormatFloat(took.Seconds(), 'g', -1, 64)})
		}
		if n := q.Totals.N[c]; n > 0 {
			attrs = append(attrs, trace.Attr{Key: "kibitz." + c.String() + ".count", Value: strconv.Itoa(n)})
		}
	}
	return attrs
}

// deliver sends a batch until all of it is taken or dropped.
func (f *Forwarder) deliver(b batch) {
	until, pause := time.Now().Add(f.o.Patience), f.o.Pause
	for len(b.requests) > 0 {
		again := f.send(&b)
		if !again {
			continue
		}
		switch {
		case f.ctx.Err() != nil:
			f.dropAll(b, Closed)
			return
		case time.Now().Add(pause).After(until):
			f.dropAll(b, TimedOut)
			return
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// send tries once and takes out of b what is settled. It tells whether the rest is worth another try later.
func (f *Forwarder) send(b *batch) (again bool) {
	err := f.o.Send(f.ctx, b.requests)
	if err == nil {
		f.sent.Add(int64(len(b.requests)))
		b.cut(len(b.requests))
		return false
	}
	f.o.Log.Warn("cannot forward requests", "err", err, "requests", len(b.requests))
	failure := &perf.SendError{Tried: len(b.requests)}
	errors.As(err, &failure)
	f.sent.Add(int64(failure.Sent))
	b.cut(failure.Sent)
	if !failure.Again {
		f.dropAll(b.cut(failure.Tried), Refused)
	}
	return failure.Again
}

func (f *Forwarder) dropAll(b batch, reason string) {
	for _, project := range b.projects {
		f.drop(project, reason, 1)
	}
}
