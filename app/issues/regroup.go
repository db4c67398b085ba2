package issues

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// Bounds of what a stream of stored events holds in memory: chunks of at most 256 events and about 1 MiB of compressed
// bodies, four of them for each core. A chunk is one statement, so that no connection waits while others work.
const (
	chunkEvents  = 256
	chunkBytes   = 1 << 20
	chunksPerCPU = 4
)

// regroupChunk is a run of stored events, in order of id, with the hashes that a setup gives them.
type regroupChunk struct {
	events []regrouped
	bodies []byte
	hashes [][16]byte
	ready  chan struct{} // one word for each time that it has been grouped
	unread unread
}

// unread counts the events that cannot be grouped again: they stay where they are.
type unread struct {
	events int
	first  error // why the first of them cannot
}

func (u *unread) add(n int, why error) {
	if u.events += n; u.first == nil {
		u.first = why
	}
}

func (u *unread) tell(log *slog.Logger, project int64) {
	if u.events > 0 {
		log.Warn("stored events cannot be read; they stay where they are", "project", project, "events", u.events, "first", u.first)
	}
}

// regrouped is one event of a chunk. Without hashes it could not be read.
type regrouped struct {
	id, issue int64
	eventID   [16]byte
	hash      [16]byte // the primary hash that it was filed by; zero when that is not known
	body      [2]int   // its place in bodies
	hashes    [][16]byte
}

// take adds an event and tells whether there is room for more: four times what was meant to be read is let pass, since
// events may be larger than those before them.
func (c *regroupChunk) take(e store.RawEvent) (more bool) {
	at := len(c.bodies)
	c.bodies = append(c.bodies, e.Body...)
	c.events = append(c.events, regrouped{id: e.ID, issue: e.IssueID, eventID: e.EventID, hash: e.Hash, body: [2]int{at, len(c.bodies)}})
	return len(c.bodies) < 4*chunkBytes
}

// next is how many events the next chunk should have, when they are as large as those of this one.
func (c *regroupChunk) next() int {
	return min(max(chunkBytes*len(c.events)/max(len(c.bodies), 1), 1), chunkEvents)
}

func (c *regroupChunk) reset() {
	c.events, c.bodies, c.hashes, c.unread = c.events[:0], c.bodies[:0], c.hashes[:0], unread{}
	if cap(c.bodies) > 2*chunkBytes { // one huge event must not keep its room for good
		c.bodies = nil
	}
}

// regroupEvents groups the events of a span by a setup, on all cores, and hands them to fn in order of id. A chunk is
// fn's until it returns.
func (r *Rehearsals) regroupEvents(ctx context.Context, span store.EventSpan, setup grouping.Setup, fn func(*regroupChunk) error) error {
	cores := runtime.GOMAXPROCS(0)
	g, ctx := errgroup.WithContext(ctx)
	st := &regroupStream{ctx: ctx, store: r.store, free: make(chan *regroupChunk, cores*chunksPerCPU),
		work: make(chan *regroupChunk, cores*chunksPerCPU), order: make(chan *regroupChunk, cores*chunksPerCPU)}
	for range cap(st.free) {
		st.free <- &regroupChunk{ready: make(chan struct{}, 1)}
	}
	g.Go(recovered(func() error { return st.read(span) }))
	for range cores {
		g.Go(recovered(func() error { return st.group(setup) }))
	}
	g.Go(recovered(func() error { return st.hand(fn) }))
	err := g.Wait()
	st.unread.tell(r.log, span.Project)
	return err
}

// recovered is fn with its panic as an error: one that ended the process would end it again after each start, over the
// same job.
func recovered(fn func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v at %s", p, debug.Stack())
			}
		}()
		return fn()
	}
}

// regroupStream moves chunks in a circle: read, grouped, handed on in their order, free again.
type regroupStream struct {
	ctx               context.Context
	store             *store.Store
	free, work, order chan *regroupChunk
	unread            unread // of the chunks that were handed on
}

// read fills chunks. It is ahead of those who group by what the free chunks hold.
func (st *regroupStream) read(span store.EventSpan) error {
	defer close(st.order)
	defer close(st.work)
	for size := chunkEvents; ; {
		c, err := st.receive(st.free)
		if err != nil {
			return err
		}
		c.reset()
		if span, err = st.store.ReadEvents(st.ctx, span, size, c.take); err != nil || len(c.events) == 0 {
			return err
		}
		size = c.next()
		// Both have room for every chunk there is.
		st.work <- c
		st.order <- c
	}
}

func (st *regroupStream) receive(from chan *regroupChunk) (*regroupChunk, error) {
	select {
	case c := <-from:
		return c, nil
	case <-st.ctx.Done():
		return nil, st.ctx.Err()
	}
}

func (st *regroupStream) group(setup grouping.Setup) error {
	r, err := newRegrouper(setup)
	if err != nil {
		return err
	}
	defer r.close()
	for c := range st.work {
		if st.ctx.Err() == nil {
			r.chunk(c)
		}
		c.ready <- struct{}{}
	}
	return nil
}

func (st *regroupStream) hand(fn func(*regroupChunk) error) error {
	for c := range st.order {
		select {
		case <-c.ready:
		case <-st.ctx.Done(): // those who group may have ended without a word
		}
		if err := st.ctx.Err(); err != nil {
			return err
		}
		st.unread.add(c.unread.events, c.unread.first)
		if err := fn(c); err != nil {
			return err
		}
		st.free <- c
	}
	return nil
}

// regrouper groups stored events one after another, with memory that it uses again.
type regrouper struct {
	setup  grouping.Setup
	bodies *zstd.Decoder
	body   []byte
	slim   envelope.Slim
	room   groupingRoom
	memory grouping.Room
}

func newRegrouper(setup grouping.Setup) (*regrouper, error) {
	bodies, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("cannot make the decoder of event bodies: %w", err)
	}
	return &regrouper{setup: setup, bodies: bodies}, nil
}

func (r *regrouper) close() { r.bodies.Close() }

// chunk gives the events of a chunk their hashes.
func (r *regrouper) chunk(c *regroupChunk) {
	for i := range c.events {
		e := &c.events[i]
		result, err := r.event(c.bodies[e.body[0]:e.body[1]])
		if err != nil {
			c.unread.add(1, fmt.Errorf("event %d: %w", e.id, err))
			continue
		}
		from := len(c.hashes)
		c.hashes = appendHashes(c.hashes, result)
		e.hashes = c.hashes[from:len(c.hashes):len(c.hashes)]
	}
}

// errUnreadable marks a stored event that cannot be inflated or parsed any more.
var errUnreadable = errors.New("the stored event cannot be read")

// event groups one stored body. The texts of the result are valid until the next one. A panic over it is its own trouble:
// these rules may not have met a single event before, and a job that ended the process would end the next one too.
func (r *regrouper) event(stored []byte) (result grouping.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", errUnreadable, p)
		}
	}()
	if r.body, err = r.bodies.DecodeAll(stored, r.body[:0]); err != nil {
		return result, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	ev, err := r.slim.Parse(r.body)
	if err != nil {
		return result, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return r.setup.GroupIn(&r.memory, r.room.event(ev)), nil
}
