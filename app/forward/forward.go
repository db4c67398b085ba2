// Package forward sends the requests that Kibitz has stored on to another receiver of OpenTelemetry's traces. They wait in a
// bounded queue in memory, as compressed as they were in the spool: neither a door nor the drain ever waits for that receiver.
package forward

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/trace"
	"kibitz/ingest"
)

// maxUnpacked bounds one inflated record, as where requests are digested.
const maxUnpacked = 256 << 20

// maxBatch is how many compressed bytes are taken from the queue at a time. Requests unfold to some twenty times that.
const maxBatch = 256 << 10

// Reasons why requests are not sent on. They are counted under the category forward, which is nobody else's: that what is
// forwarded has been stored and counted already.
const (
	QueueFull = "forward_queue_full" // the receiver is slower than what comes, or away: otlp.forward_queue
	Refused   = "forward_refused"    // it answers that it will never take them
	TimedOut  = "forward_timeout"    // it was away for longer than otlp.forward_patience
	Looped    = "forward_loop"       // another Kibitz has forwarded them already
	Closed    = "forward_closed"     // this process stopped
	Damaged   = "forward_damaged"    // they cannot be read
)

var reasons = []string{QueueFull, Refused, TimedOut, Looped, Closed, Damaged}

// Options are what a forwarder connects. All are needed.
type Options struct {
	// Send delivers requests; perf.OTLP has one. It tells by *perf.SendError what to do with the rest.
	Send func(ctx context.Context, requests []trace.Request) error
	// Node is written to each request (attribute kibitz.forwarded_by).
	Node string
	// Queue bounds the compressed bytes that wait.
	Queue int64
	// Patience is how long one batch is tried while the receiver is away.
	Patience time.Duration
	// Pause is the wait after a failure; it doubles up to 30 seconds.
	Pause time.Duration
	// Dropped is told of requests that are not sent on, and why.
	Dropped func(project int64, reason string, requests int64)
	Log     *slog.Logger
}

// Forwarder sends requests on.
type Forwarder struct {
	o      Options
	zstd   *zstd.Decoder
	ctx    context.Context // of sending
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{}

	mu     sync.Mutex
	queue  []ingest.Record
	bytes  int64
	closed bool

	sent    atomic.Int64
	dropped map[string]*atomic.Int64 // by reason; the map itself never changes
}

// New makes a forwarder and starts the goroutine that sends.
func New(o Options) (*Forwarder, error) {
	in, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("cannot make the decoder of forwarded requests: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Forwarder{o: o, zstd: in, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), done: make(chan struct{}), dropped: map[string]*atomic.Int64{}}
	for _, reason := range reasons {
		f.dropped[reason] = new(atomic.Int64)
	}
	go f.run()
	return f, nil
}

// Offer queues the requests among records that have been stored. It never waits; what does not fit is dropped and counted.
func (f *Forwarder) Offer(records []ingest.Record) {
	for i := range records {
		if r := records[i]; r.Kind == ingest.KindRequests {
			if reason := f.push(r); reason != "" {
				f.discard(r, reason)
			}
		}
	}
}

// push queues a record, or tells why not.
func (f *Forwarder) push(r ingest.Record) (reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch size := int64(len(r.Payload)); {
	case f.closed:
		return Closed
	case f.bytes+size > f.o.Queue:
		return QueueFull
	default:
		f.queue, f.bytes = append(f.queue, r), f.bytes+size
	}
	f.notify()
	return ""
}

func (f *Forwarder) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// discard counts the requests of a record that is not sent. It runs on the drain, so that only a record of an older program,
// which did not write how many there are, is unfolded for it.
func (f *Forwarder) discard(r ingest.Record, reason string) {
	if r.Items > 0 {
		f.drop(r.Project, reason, int64(r.Items))
		return
	}
	u, err := r.Unpack(f.zstd)
	if err != nil {
		f.drop(r.Project, Damaged, 1)
		return
	}
	f.drop(r.Project, reason, int64(len(u.Requests)))
}

func (f *Forwarder) drop(project int64, reason string, n int64) {
	if n > 0 {
		f.dropped[reason].Add(n)
		f.o.Dropped(project, reason, n)
	}
}

// take is what is sent next: records of maxBatch bytes together, or one alone.
func (f *Forwarder) take() (records []ingest.Record, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, size := 0, int64(0)
	for n < len(f.queue) && (n == 0 || size+int64(len(f.queue[n].Payload)) <= maxBatch) {
		size += int64(len(f.queue[n].Payload))
		n++
	}
	records = append(records, f.queue[:n]...)
	clear(f.queue[:n]) // so that what is sent is not held by the queue's array
	f.queue, f.bytes = f.queue[n:], f.bytes-size
	return records, f.closed
}

func (f *Forwarder) run() {
	defer close(f.done)
	for {
		records, closed := f.take()
		switch {
		case len(records) > 0:
			f.deliver(f.open(records))
		case closed:
			return
		default:
			<-f.wake
		}
	}
}

// Close takes no more, and sends what waits until ctx ends; what is left then is dropped and counted.
func (f *Forwarder) Close(ctx context.Context) {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.notify()
	select {
	case <-f.done:
	case <-ctx.Done():
		f.cancel()
		<-f.done
	}
	f.cancel()
}

// Stats are what a forwarder has done since it was made.
type Stats struct {
	Sent, QueueBytes int64            // requests that were taken; compressed bytes that wait
	Dropped          map[string]int64 // requests by reason
}

// Stats tells what the forwarder has done.
func (f *Forwarder) Stats() Stats {
	f.mu.Lock()
	s := Stats{QueueBytes: f.bytes, Sent: f.sent.Load(), Dropped: map[string]int64{}}
	f.mu.Unlock()
	for reason, n := range f.dropped {
		s.Dropped[reason] = n.Load()
	}
	return s
}

// Sink hands what another sink has stored to a forwarder.
type Sink struct {
	ingest.Sink
	To *Forwarder
	On func() bool // whether anything is sent on now; nil always
}

// Write implements ingest.Sink.
func (s Sink) Write(ctx context.Context, b ingest.Batch) error {
	err := s.Sink.Write(ctx, b)
	if err == nil && (s.On == nil || s.On()) {
		s.To.Offer(b.Records)
	}
	return err
}
