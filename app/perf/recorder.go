package perf

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/trace"
)

// Sink takes requests that have ended. It is called by one goroutine at a time. The slices in requests, and requests
// itself, are used again after it returns; strings may be kept. An error or a panic drops and counts the batch: a sink that
// wants to try again does so itself, before ctx ends.
type Sink func(ctx context.Context, requests []trace.Request) error

// Options are what a Recorder is made of. Zero values stand for what is said at each.
type Options struct {
	// Sink takes what is recorded; needed.
	Sink Sink
	// Service, Release, Environment and Host are written to every request; "" when unknown.
	Service, Release, Environment, Host string

	// MaxSpans bounds the spans of a request that are kept one by one; 1,000. Beyond it the totals go on, and Request.Lost
	// says how many there were.
	MaxSpans int
	// Ring bounds the requests that wait for the sink (4,096), and RingSpans the spans in them (100,000, some 22 MB).
	Ring, RingSpans int
	// Batch is how many requests the sink gets at most at once (500), and Interval how long one waits for it (1 s).
	Batch    int
	Interval time.Duration
	// SinkTime is how long a call of the sink may take before its context ends; 10 s.
	SinkTime time.Duration

	// Busy bounds what recording costs when requests come faster than anyone can look at: beyond so many that begin in a second,
	// one in 16 has the lines of code behind its queries, and of an endpoint that has more of them in a batch, those are folded
	// that are alike in status, user, number of operations and duration (within the 4 % of a sketch's bin). One of them is handed
	// on with its Weight. Never folded is what failed, is to be kept, calls others or continues their trace. 0: all stand alone.
	Busy int
	// NoCallers leaves out the line of code behind each query and request to others, which costs 1 µs each.
	NoCallers bool
	// Skip are packages that are no callers, besides pgx, database/sql, net/http and this one: a layer of helpers through
	// which all queries go. One that ends with a slash stands for all packages below.
	Skip []string

	// Dropped is told how many requests were dropped since it was last told, and why: ring_full, sink_failed or closed. It runs
	// beside the sink, never during a request.
	Dropped func(reason string, requests int64)
	// Failed is told what the sink said when it failed.
	Failed func(error)
}

func (o *Options) fill() {
	o.MaxSpans = cmp.Or(o.MaxSpans, 1000)
	o.Ring = cmp.Or(o.Ring, 4096)
	o.RingSpans = cmp.Or(o.RingSpans, 100_000)
	o.Batch = cmp.Or(o.Batch, 500)
	o.Interval = cmp.Or(o.Interval, time.Second)
	o.SinkTime = cmp.Or(o.SinkTime, 10*time.Second)
}

// Recorder makes requests and hands them to its sink when they have ended. It is safe for use by any number of goroutines;
// a nil Recorder records nothing.
type Recorder struct {
	o        Options
	mu       sync.Mutex
	ring     []*recording  // what waits for the sink, at most o.Ring
	folds    folds         // of the ring
	full     chan struct{} // a batch waits
	flushes  chan chan struct{}
	stop     chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	closed   atomic.Bool
	free     sync.Pool // of *recording
	waiting  atomic.Int64
	counters counters
	callers  *resolver
	seed     maphash.Seed
	second   atomic.Int64 // in which begun requests began; for Busy
	begun    atomic.Int64
	out      []trace.Request // of the flushing goroutine, used again
	spans    []trace.Span    // and those of its requests
	told     [reasons]int64  // what Dropped was told
}

// Reasons why requests are dropped.
const (
	ringFull = iota
	sinkFailed
	afterClose
	reasons
)

var reasonNames = [reasons]string{"ring_full", "sink_failed", "closed"}

type counters struct {
	finished, delivered, late, lost atomic.Int64
	dropped                         [reasons]atomic.Int64
	metered, own                    atomic.Int64
	flushing                        atomic.Int64
}

// New makes a Recorder and starts the goroutine that serves its sink. It panics without a sink.
func New(o Options) *Recorder {
	if o.Sink == nil {
		panic("perf: a recorder needs a sink")
	}
	o.fill()
	r := &Recorder{o: o, folds: newFolds(), full: make(chan struct{}, 1), flushes: make(chan chan struct{}), stop: make(chan struct{}),
		done: make(chan struct{}), callers: newResolver(o.Skip), seed: maphash.MakeSeed()}
	r.free.New = func() any { return new(recording) }
	go r.run()
	return r
}

// Info is what is known of a request when it begins.
type Info struct {
	// Name and Source, Op and Method are those of trace.Request. Name may be set later. Op is http.server when empty.
	Name, Source, Op, Method string
	// Platform is go when empty.
	Platform string
	// Weight is how many requests this one stands for, where not all are recorded; 1 when it is less.
	Weight float64
	// Remote is the caller's span, from the headers of a request.
	Remote Remote
}

// Start begins a request. The context that it gives carries it to everything that is done on its behalf; Finish ends
// it. Within another request's context it is a part of the same trace. A nil Recorder gives ctx and nil, whose methods do
// nothing.
func (r *Recorder) Start(ctx context.Context, info Info) (context.Context, *Request) {
	if r == nil || r.closed.Load() {
		return ctx, nil
	}
	if info.Remote.Trace == (trace.ID{}) {
		info.Remote = remoteOf(ctx)
	}
	c := &requestContext{Context: ctx}
	q := &c.request
	q.rec, q.start, q.id = r, time.Now(), newSpanID()
	q.remote = info.Remote
	if q.remote.Trace == (trace.ID{}) {
		q.remote.Trace = newID()
	}
	q.body = r.free.Get().(*recording)
	q.body.info = info
	q.body.info.Op = cmp.Or(info.Op, "http.server")
	q.body.info.Platform = cmp.Or(info.Platform, "go")
	q.callers = r.wantsCallers(q)
	q.metered = uint64(q.id)%meterOneIn == 0
	return c, q
}

// remoteOf continues the trace of a request that ctx belongs to.
func remoteOf(ctx context.Context) (remote Remote) {
	if q, parent := find(ctx); q != nil {
		remote = q.remote
		remote.Parent = parent
	}
	return remote
}

func newID() (id trace.ID) {
	for id == (trace.ID{}) {
		a, b := rand.Uint64(), rand.Uint64()
		for i := range 8 {
			id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
		}
	}
	return id
}

func newSpanID() trace.SpanID {
	for {
		if n := rand.Uint64(); n != 0 {
			return trace.SpanID(n)
		}
	}
}

// enqueue hands a recording on, or drops it. It never waits.
func (r *Recorder) enqueue(b *recording) {
	r.counters.finished.Add(1)
	r.counters.lost.Add(int64(b.lost))
	reason, freed := r.put(b)
	switch {
	case reason >= 0:
		r.drop(b, reason)
	case freed != nil:
		r.recycle(freed)
	}
}

// put has a recording wait, or folds it into one that does, or tells why neither. freed is what is left over of two.
func (r *Recorder) put(b *recording) (reason int, freed *recording) {
	key, foldable := r.alike(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return afterClose, nil
	}
	if r.o.Busy > 0 {
		if at := r.folds.place(key, foldable, r.o.Busy, len(r.ring)); at >= 0 {
			before := r.ring[at].size()
			r.ring[at], freed = standFor(r.ring[at], b)
			r.waiting.Add(r.ring[at].size() - before)
			return -1, freed
		}
	}
	size := b.size()
	if len(r.ring) >= r.o.Ring || r.waiting.Load()+size > int64(r.o.RingSpans) && size > 1 {
		r.folds.forget(key, len(r.ring))
		return ringFull, nil
	}
	r.waiting.Add(size)
	// Nobody is woken for one request: that would cost more than to record it.
	if r.ring = append(r.ring, b); len(r.ring) >= min(r.o.Batch, r.o.Ring) {
		r.wake()
	}
	return -1, nil
}

// wake tells the flushing goroutine that a batch waits.
func (r *Recorder) wake() {
	select {
	case r.full <- struct{}{}:
	default:
	}
}

// take gives everything that waits, in place of which into comes.
func (r *Recorder) take(into []*recording) []*recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.folds.clear()
	out := r.ring
	r.ring = into[:0]
	return out
}

func (r *Recorder) drop(b *recording, reason int) {
	r.counters.dropped[reason].Add(1)
	r.recycle(b)
}

// Flush hands everything that has ended so far to the sink. The error is that of ctx.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	flushed := make(chan struct{})
	select {
	case r.flushes <- flushed:
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot flush recorded requests: %w", ctx.Err())
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot flush recorded requests: %w", ctx.Err())
	}
}

// Close takes no more requests, hands what has ended to the sink, and waits for it. Requests that end later are dropped and
// counted. The error is that of ctx, whose end leaves the sink to itself.
func (r *Recorder) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.closed.Store(true)
	r.stopOnce.Do(func() { close(r.stop) })
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot hand the last recorded requests on: %w", ctx.Err())
	}
}

// Stats are what a Recorder has done since it was made.
type Stats struct {
	// Finished requests are Delivered to the sink, Dropped, or still wait.
	Finished, Delivered, Dropped int64
	// LostSpans were beyond MaxSpans. LateSpans came, or ended, after their request had.
	LostSpans, LateSpans int64
	// Own is what recording has cost the requests themselves, in the mean, as measured on one in 64 of them. It leaves out
	// half of the clock's own cost.
	Own time.Duration
	// Flushing is the time that was spent on making and handing on batches, the sink's own included, beside the requests.
	Flushing time.Duration
}

// Stats tells what the Recorder has done.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	c := &r.counters
	s := Stats{Finished: c.finished.Load(), Delivered: c.delivered.Load(), Dropped: r.Dropped(), LostSpans: c.lost.Load(), LateSpans: c.late.Load(),
		Flushing: time.Duration(c.flushing.Load())}
	if n := c.metered.Load(); n > 0 {
		s.Own = time.Duration(c.own.Load() / n)
	}
	return s
}

// Dropped is how many requests have ended and never reached the sink, for whatever reason.
func (r *Recorder) Dropped() (n int64) {
	if r == nil {
		return 0
	}
	for i := range r.counters.dropped {
		n += r.counters.dropped[i].Load()
	}
	return n
}
