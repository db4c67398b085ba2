package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// DrainOptions are what a drain connects.
type DrainOptions struct {
	Node  string
	Spool *Spool
	Sink  Sink
	Log   *slog.Logger
}

// Drain takes the spool into the database, one batch and one transaction after the other. The cursor moves in
// the transaction that stores the records, so a kill at any moment neither loses nor repeats one.
type Drain struct {
	node   string
	spool  *Spool
	sink   Sink
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	passed atomic.Int64
	buried atomic.Int64
	// at is what has been committed up to, and oldest when what is drained now arrived (Unix milliseconds; 0: nothing waits).
	at     atomic.Pointer[Position]
	oldest atomic.Int64
}

// How long a drain waits after a failure that may pass: from the first, doubling, to the longest.
const (
	firstWait  = 50 * time.Millisecond
	longWait   = 5 * time.Second
	schemaWait = 30 * time.Second
)

// NewDrain makes a drain; Start runs it.
func NewDrain(o DrainOptions) *Drain {
	ctx, cancel := context.WithCancel(context.Background())
	return &Drain{node: o.Node + "/" + o.Spool.ID(), spool: o.Spool, sink: o.Sink, log: o.Log, ctx: ctx, cancel: cancel, done: make(chan struct{})}
}

// Start begins to drain in the background.
func (d *Drain) Start() { go d.run() }

// Stop ends after the running transaction. What is left waits in the spool for the next start.
func (d *Drain) Stop() {
	d.cancel()
	<-d.done
}

// Drained is how many records have been taken over, and how many of them were buried as dead letters.
func (d *Drain) Drained() (records, buried int64) { return d.passed.Load(), d.buried.Load() }

// Lag is what waits in the spool: its bytes, and for how long the first of it has waited. Before the cursor has been read
// once, everything in the spool counts as waiting, for no time.
func (d *Drain) Lag(now time.Time) (bytes int64, age time.Duration) {
	from := Position{}
	if at := d.at.Load(); at != nil {
		from = *at
	}
	if oldest := d.oldest.Load(); oldest != 0 {
		age = max(now.Sub(time.UnixMilli(oldest)), 0)
	}
	return d.spool.Behind(from), age
}

func (d *Drain) run() {
	defer close(d.done)
	wait, seen := firstWait, int64(0)
	for d.ctx.Err() == nil {
		err := d.follow()
		if d.ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, ErrCursor):
			d.log.Warn("the spool cursor was moved by someone else; reading it again")
		case errors.Is(err, ErrSchema):
			wait = schemaWait
			d.log.Error("the drain stands still: run `kibitz migrate`; events go on being spooled", "err", err)
		default:
			d.log.Warn("cannot drain; trying again", "err", err, "in", wait)
		}
		if !d.pause(wait) {
			return
		}
		wait = min(2*wait, longWait)
		if n := d.passed.Load(); n != seen {
			seen, wait = n, firstWait // it got on in between
		}
	}
}

// pause waits a little more or less than wait, so that several nodes do not come back at once.
func (d *Drain) pause(wait time.Duration) bool {
	return d.sleep(wait/2 + rand.N(wait))
}

// follow drains from the cursor on until something fails.
func (d *Drain) follow() error {
	at, err := d.sink.Cursor(d.ctx, d.node)
	if err != nil {
		return fmt.Errorf("cannot read the cursor: %w", err)
	}
	d.spool.Remove(at)
	saved := at
	d.reach(at)
	lingered := false
	for d.ctx.Err() == nil {
		_, news := d.spool.End()
		records, to, err := d.spool.Read(at)
		if err != nil {
			return fmt.Errorf("cannot read the spool: %w", err)
		}
		if !lingered && worthWaiting(records) {
			lingered = true
			if !d.sleep(linger) {
				return nil
			}
			continue
		}
		lingered = false
		if len(records) > 0 {
			d.oldest.Store(records[0].Received.UnixMilli())
			if err := d.store(Batch{d.node, saved, to, records}); err != nil {
				return err
			}
			saved = to
			d.spool.Remove(saved)
			d.oldest.Store(0)
		} else if to == at {
			select {
			case <-d.ctx.Done():
			case <-news:
			}
		}
		at = to
		d.reach(to)
	}
	return nil
}

// reach remembers how far the drain has come, for Lag.
func (d *Drain) reach(p Position) { d.at.Store(&p) }

// linger is how long a small batch without events waits for more: requests come by the hundred a second, and what a
// transaction costs, and the sums that each adds, are paid once for all of them.
const linger = 250 * time.Millisecond

// worthWaiting tells whether a batch is small and nobody waits for what is in it.
func worthWaiting(records []Record) bool {
	size := 0
	for i := range records {
		if records[i].Kind == KindEvent {
			return false
		}
		size += len(records[i].Payload)
	}
	return len(records) > 0 && len(records) < maxBatchRecords/2 && size < maxBatchRequests/2
}

// sleep waits; it is false when the drain is to stop.
func (d *Drain) sleep(wait time.Duration) bool {
	select {
	case <-d.ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// store writes a batch; one that holds records which cannot be stored is halved until each of them stands alone,
// and those are buried.
func (d *Drain) store(b Batch) error {
	err := d.write(b)
	if err == nil {
		d.passed.Add(int64(len(b.Records)))
		return nil
	}
	if !errors.Is(err, ErrData) {
		return err
	}
	if len(b.Records) == 1 {
		if err := d.sink.Bury(d.ctx, b, err.Error()); err != nil {
			return fmt.Errorf("cannot bury a record: %w", err)
		}
		d.passed.Add(1)
		d.buried.Add(1)
		return nil
	}
	first, second := b.halves()
	if err := d.store(first); err != nil {
		return err
	}
	return d.store(second)
}

// write hands a batch to the sink. A panic there is the fault of some record in it.
func (d *Drain) write(b Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("panic while storing events", "panic", r)
			err = fmt.Errorf("panic: %v: %w", r, ErrData)
		}
	}()
	// A stop waits for the transaction rather than to leave its end unknown.
	return d.sink.Write(context.WithoutCancel(d.ctx), b)
}

// halves splits a batch; both know where they begin and end.
func (b Batch) halves() (first, second Batch) {
	n := len(b.Records) / 2
	middle := b.To
	for _, r := range b.Records[n:] {
		middle.Offset -= r.size()
	}
	return Batch{b.Node, b.From, middle, b.Records[:n]}, Batch{b.Node, middle, b.To, b.Records[n:]}
}

// size is the bytes of a record on disk.
func (r *Record) size() int64 {
	return int64(recordHead + recordFixed + len(r.RemoteIP) + len(r.Payload))
}
