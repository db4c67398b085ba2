package rollout

import (
	"context"
	"sync"
	"time"

	"kibitz/app/db"
	"kibitz/app/store"
	"kibitz/app/switches/peers"
)

// Limits of writing.
const (
	writeBatch = 500
	writeWait  = 10 * time.Second // for one batch
	retryEvery = time.Second
	// maxWaiting is how many changes wait for a database that is away. Beyond it registers are kept, and stored later from memory;
	// what is lost is the lines of history in between.
	maxWaiting = 50_000
)

// writer stores changes behind the click, in their order. While the database is away they wait in memory.
type writer struct {
	board *Board
	kick  chan struct{}

	mu      sync.Mutex
	queue   []*write
	waiting map[peers.ID]int
	down    bool
}

// write is a change that is to be stored; done is closed when it is, failed when it could not be at the first try.
type write struct {
	store.SwitchChange
	done, failed chan struct{}
	tried        bool // and failed
	gone         bool // it does not wait any more
}

func newWriter(b *Board) *writer {
	return &writer{board: b, kick: make(chan struct{}, 1), waiting: map[peers.ID]int{}}
}

// note says that changes will be added, before anybody can see them.
func (w *writer) note(changes []store.SwitchChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		w.waiting[c.ID]++
	}
}

// pending tells whether a register is not stored yet.
func (w *writer) pending(id peers.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting[id] > 0
}

// Len is how many changes wait.
func (w *writer) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// ticket waits for changes to be stored.
type ticket struct {
	writes []*write
	down   bool
}

// wait tells whether all were stored in time. A database that is known to be away is not waited for.
func (t ticket) wait(ctx context.Context, most time.Duration) bool {
	if t.down {
		return false
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for _, w := range t.writes {
		select {
		case <-w.done:
		case <-w.failed:
			return false
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// add queues changes that were noted.
func (w *writer) add(changes []store.SwitchChange) ticket {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := ticket{down: w.down || !w.board.attached()}
	for _, c := range changes {
		one := &write{SwitchChange: c, done: make(chan struct{}), failed: make(chan struct{})}
		t.writes = append(t.writes, one)
		if len(w.queue) >= maxWaiting {
			w.forget(w.queue[0])
			w.queue = w.queue[1:]
			w.board.state.lost.Add(1)
		}
		w.queue = append(w.queue, one)
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
	return t
}

func (w *writer) forget(one *write) {
	if one.gone {
		return
	}
	one.gone = true
	if w.waiting[one.ID]--; w.waiting[one.ID] <= 0 {
		delete(w.waiting, one.ID)
	}
}

// run stores what is queued until ctx ends.
func (w *writer) run(ctx context.Context) {
	for {
		pause := retryEvery
		if w.Len() == 0 {
			pause = time.Hour
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.kick:
		case <-timer.C:
		}
		timer.Stop()
		w.flush(ctx)
	}
}

// flush stores until nothing is queued or it fails.
func (w *writer) flush(ctx context.Context) bool {
	for {
		w.mu.Lock()
		batch := w.queue[:min(len(w.queue), writeBatch)]
		w.mu.Unlock()
		if len(batch) == 0 {
			return true
		}
		err := w.store(ctx, batch)
		if store.IsDataError(err) {
			err = w.oneByOne(ctx, batch)
		}
		w.board.database(err)
		w.setDown(err)
		if err != nil {
			w.fail(batch)
			return false
		}
		w.settle(batch)
	}
}

// oneByOne stores a batch of which something cannot be stored; that is left out.
func (w *writer) oneByOne(ctx context.Context, batch []*write) error {
	for i, one := range batch {
		err := w.store(ctx, batch[i:i+1])
		if err != nil && !store.IsDataError(err) {
			return err
		}
		if err != nil {
			w.board.log.Error("a change of a switch cannot be stored and is left out", "key", one.Key, "err", err)
		}
	}
	return nil
}

func (w *writer) setDown(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.down {
		w.board.log.Warn("changes of switches wait in memory until the database takes them", "err", err)
	} else if err == nil && w.down {
		w.board.log.Info("the database takes changes of switches again")
	}
	w.down = err != nil
}

// fail tells those who wait for a batch that it will take longer.
func (w *writer) fail(batch []*write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range batch {
		if !one.tried {
			one.tried = true
			close(one.failed)
		}
	}
}

// settle takes a batch that is stored off the queue.
func (w *writer) settle(batch []*write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stored := map[*write]bool{}
	for _, one := range batch {
		stored[one] = true
		close(one.done)
		w.forget(one)
	}
	rest := w.queue[:0:0]
	for _, one := range w.queue {
		if !stored[one] {
			rest = append(rest, one)
		}
	}
	w.queue = rest
}

// store notifies and then stores.
func (w *writer) store(ctx context.Context, batch []*write) error {
	s := w.board.rows()
	ctx, cancel := context.WithTimeout(db.With(ctx, db.Jobs), writeWait)
	defer cancel()
	changes := make([]store.SwitchChange, len(batch))
	for i, one := range batch {
		changes[i] = one.SwitchChange
	}
	told, err := s.NotifySwitches(ctx, changes)
	if err != nil {
		return err
	}
	return s.StoreSwitches(ctx, changes, !told)
}
