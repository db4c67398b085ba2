package impact

import (
	"context"
	"slices"
	"sync"
	"time"

	"kibitz/app/store"
)

const (
	// flushEvery is how often what was asked is written; a kill of the process loses that of the last stretch.
	flushEvery = 10 * time.Second
	// maxAsks bounds the minutes and answers that wait while the database is away (limit switch_asks): some 10 MB. Beyond it they
	// are added to the newest minute of the same answer, so that counts stay right and only their time blurs.
	maxAsks = 50_000
	// maxAskText bounds keys and answers, which may come from outside.
	maxAskText = 200
)

type askKey struct {
	minute            int64
	env, key, variant string
}

// asks waits to be written.
type asks struct {
	mu      sync.Mutex
	waiting map[askKey]int64
	newest  map[askKey]int64 // by answer, with minute 0: the newest minute that waits
	lost    int64            // answers that found no room
}

// Ask counts answers given without a request: n times the variant of a switch.
func (i *Impact) Ask(env, key, variant string, n int64) { i.asks.add(time.Now(), env, key, variant, n) }

func (a *asks) add(now time.Time, env, key, variant string, n int64) {
	if n <= 0 || len(env) > maxAskText || len(key) > maxAskText || len(variant) > maxAskText {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting, a.newest = map[askKey]int64{}, map[askKey]int64{}
	}
	answer := askKey{0, env, key, variant}
	at := askKey{now.Unix() / 60, env, key, variant}
	if _, ok := a.waiting[at]; !ok && len(a.waiting) >= maxAsks {
		if at.minute, ok = a.newest[answer]; !ok {
			a.lost += n
			return
		}
	}
	a.waiting[at] += n
	a.newest[answer] = at.minute
}

// take gives what waits, in order, and how many answers were lost.
func (a *asks) take() (list []store.SwitchAsk, lost int64) {
	a.mu.Lock()
	waiting, gone := a.waiting, a.lost
	a.waiting, a.newest, a.lost = nil, nil, 0
	a.mu.Unlock()
	list = make([]store.SwitchAsk, 0, len(waiting))
	for k, n := range waiting {
		list = append(list, store.SwitchAsk{Minute: time.Unix(k.minute*60, 0).UTC(), Env: k.env, Key: k.key, Variant: k.variant, N: n})
	}
	slices.SortFunc(list, store.SwitchAsk.Compare)
	return list, gone
}

// giveBack lets wait what could not be written.
func (a *asks) giveBack(list []store.SwitchAsk) {
	for _, one := range list {
		a.add(one.Minute, one.Env, one.Key, one.Variant, one.N)
	}
}

// Flush writes what was asked.
func (i *Impact) Flush(ctx context.Context) {
	list, lost := i.asks.take()
	if lost > 0 {
		i.Log.Warn("answers of switches were not counted: too many different ones wait for the database (limit switch_asks)", "answers", lost)
	}
	if len(list) == 0 {
		return
	}
	if err := i.Store.AddSwitchAsks(ctx, list); err != nil {
		i.asks.giveBack(list)
		i.Log.Warn("cannot count what switches were asked; trying again", "waiting", len(list), "err", err)
	}
}

// RunAsks writes what was asked until ctx ends, and then what is left.
func (i *Impact) RunAsks(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			i.Flush(last)
			cancel()
			return
		case <-tick.C:
			i.Flush(ctx)
		}
	}
}

// Asks gives how often a switch, or all of an environment when key is "", gave each answer, by the minute, or by the hour for more than
// two hours.
func (i *Impact) Asks(ctx context.Context, env, key string, from, to time.Time) ([]store.SwitchAsk, error) {
	step := min(coarsest(to.Sub(from)), time.Hour)
	return i.Store.SwitchAsks(ctx, env, key, from.Truncate(step), to, step)
}
