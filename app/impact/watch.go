package impact

import (
	"context"
	"errors"
	"sync"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches/guard"
)

const (
	// leadFor is how long a process watches before it lets others try: they wait for nothing in the meantime.
	leadFor = time.Minute
	// watchAfter is how long after a window's end it is looked at: the drain that stores it may just be committing.
	watchAfter = 300 * time.Millisecond
	// catchUp is how much is looked at in one step when the guard is behind.
	catchUp = time.Minute
	// forgetAfter is how far behind it may be at the most: what was received before has been merged.
	forgetAfter = 2 * time.Hour
)

// watched names a switch of an environment.
type watched struct{ env, key string }

// guards is what this process knows of all guards, whether it watches or another does.
type guards struct {
	mu    sync.RWMutex
	known map[watched]tracked
}

// tracked is what is kept of a switch.
type tracked struct {
	State   guard.State  `json:"state"`
	Share   float64      `json:"share"` // percent of everyone that is in force
	ShareAt time.Time    `json:"share_at,omitzero"`
	People  int64        `json:"people"` // who got an answer that is on since then
	Spread  guard.Spread `json:"spread"`
	Would   guard.Action `json:"would"`  // of the last verdict
	Acting  guard.Action `json:"acting"` // of the last verdict
	Warned  bool         `json:"warned,omitempty"`
	carried guard.Window // of windows in which one side was empty
	carries int
	control *store.SwitchTotal // until the boundaries are frozen
	changed bool
}

// RunGuard watches, when no other process does, until ctx ends.
func (i *Impact) RunGuard(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := i.Store.HoldGuard(ctx, i.lead)
		if err != nil && ctx.Err() == nil {
			i.Log.Warn("the guard of switches cannot watch; trying again", "err", err)
		}
		if err := i.readGuards(ctx); err != nil && ctx.Err() == nil {
			i.Log.Warn("cannot read what the guard of switches knows", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(model.GuardWindow):
		}
	}
}

// lead watches for a while.
func (i *Impact) lead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leadFor)
	defer cancel()
	w := &watcher{Impact: i}
	for {
		if err := w.catchUp(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		now := time.Now()
		next := now.Truncate(model.GuardWindow).Add(model.GuardWindow + watchAfter)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next.Sub(now)):
		}
	}
}

// readGuards takes over what another process wrote.
func (i *Impact) readGuards(ctx context.Context) error {
	known, err := readTracked(ctx, i.Store)
	if err != nil {
		return err
	}
	i.guards.mu.Lock()
	defer i.guards.mu.Unlock()
	i.guards.known = map[watched]tracked{}
	for key, t := range known {
		i.guards.known[key] = *t
	}
	return nil
}

// watcher is a guard at work.
type watcher struct {
	*Impact
	mark     time.Time
	known    map[watched]*tracked // nil: not read yet
	past     map[watched]*pastDay
	pastAt   time.Time
	peopleAt time.Time
	releases map[int64]string
	limit    time.Time // what was received later is left for later; zero: nothing is
}

// catchUp takes steps until nothing more has been received, and carries out what is decided.
func (w *watcher) catchUp(ctx context.Context) error {
	for {
		done, err := w.step(ctx)
		if errors.Is(err, store.ErrGuardMoved) {
			w.known = nil
			return nil
		}
		if err != nil {
			w.known = nil // what is in memory may not be what is stored
			return err
		}
		if err := w.carryOut(ctx); err != nil {
			return err
		}
		if done {
			return nil
		}
	}
}

// step takes one stretch of what was received into the evidence. What it makes of it is stored with the mark in one transaction, so
// that a kill, or another process that watches, too, neither loses nor repeats anything.
func (w *watcher) step(ctx context.Context) (done bool, err error) {
	settled, err := w.Store.Settled(ctx)
	if err != nil {
		return true, err
	}
	cut := settled.UTC().Truncate(model.GuardWindow)
	if !w.limit.IsZero() {
		cut = earlier(cut, w.limit)
	}
	if err := w.open(ctx, cut); err != nil || !cut.After(w.mark) {
		return true, err
	}
	from, to := w.mark, cut
	if to.Sub(from) > forgetAfter {
		from = to.Add(-forgetAfter)
	}
	if to.Sub(from) > catchUp {
		to = from.Add(catchUp)
	}
	rows, err := w.Store.SwitchSumsReceived(ctx, from, to)
	if err != nil {
		return true, err
	}
	if err := w.lookAround(ctx, to); err != nil {
		return true, err
	}
	decisions, err := w.judgeAll(rows, to)
	if err != nil {
		return true, err
	}
	changed, err := w.changedRows(to)
	if err != nil {
		return true, err
	}
	if err := w.Store.SaveGuard(ctx, w.mark, to, changed, decisions); err != nil {
		return true, err
	}
	w.mark = to
	w.show()
	return !to.Before(cut), nil
}

// open reads where the guard stands, once; the first time it begins now.
func (w *watcher) open(ctx context.Context, now time.Time) (err error) {
	if w.known != nil {
		return nil
	}
	mark, err := w.Store.GuardMark(ctx)
	if err != nil {
		return err
	}
	if mark.IsZero() {
		if err := w.Store.SaveGuard(ctx, mark, now, nil, nil); err != nil {
			return err
		}
		mark = now
	}
	w.mark = mark.UTC()
	w.known, err = readTracked(ctx, w.Store)
	return err
}

// show lets pages see what is known.
func (w *watcher) show() {
	w.guards.mu.Lock()
	defer w.guards.mu.Unlock()
	w.guards.known = make(map[watched]tracked, len(w.known))
	for key, t := range w.known {
		w.guards.known[key] = t.copied()
	}
}
