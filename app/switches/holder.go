package switches

import (
	"context"
	"sync"
	"sync/atomic"
)

// Holder is what a process answers from in one environment: the snapshot in force, and how often each variant was given. All its
// methods may be called at once.
type Holder struct {
	// OnAnswer, when it is set before the first request, is told of each answer that a request gets by IsOn or Of, once a
	// request and switch.
	OnAnswer func(ctx context.Context, key, variant string)

	environment string
	table       atomic.Pointer[table]
	asked       askedKeys
	callers     callers

	mu     sync.Mutex           // for what follows
	real   *Snapshot            // as published, without what is forced
	forced map[string]string    // answers that a test forces, by key
	left   map[keyVariant]int64 // counts of snapshots that are not in force any more
}

// table is a snapshot and its counters.
type table struct {
	*Snapshot
	counters counters
	retired  atomic.Bool   // replaced by another
	met      []atomic.Bool // by the first slot of a switch: it is known who asks for it
}

type keyVariant struct{ key, variant string }

// NewHolder makes a Holder without switches: until something is published, every switch is unknown, and off.
func NewHolder(environment string) *Holder {
	h := &Holder{environment: environment, left: map[keyVariant]int64{}}
	h.Publish(&Snapshot{environment: environment})
	return h
}

// Environment is the environment that the Holder answers for.
func (h *Holder) Environment() string { return h.environment }

// Publish puts a snapshot in force at once: every answer from now on is its.
func (h *Holder) Publish(s *Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.real = s
	h.publish()
}

func (h *Holder) publish() {
	s := h.real.force(h.forced)
	before := h.table.Swap(&table{Snapshot: s, counters: newCounters(s.slots), met: make([]atomic.Bool, s.slots)})
	if before != nil {
		before.retired.Store(true)
		before.drain(h.keep)
	}
}

// keep puts counts of tables that are not in force any more aside.
func (h *Holder) keep(key, variant string, n int64) { h.left[keyVariant{key, variant}] += n }

// count counts an answer of a table. When the table was replaced just then, its counts have been taken already, or are about to be:
// whoever finds it so takes them again, so that none is ever lost.
func (h *Holder) count(t *table, slot int) {
	t.counters.add(slot)
	if t.retired.Load() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.drain(h.keep)
	}
}

// Snapshot is the one in force.
func (h *Holder) Snapshot() *Snapshot { return h.table.Load().Snapshot }

// On says whether a switch is on for a subject; nil is nobody. An unknown switch is off. The answer is counted.
func (h *Holder) On(key string, sub *Subject) bool {
	t := h.table.Load()
	c := t.index[key]
	if c == nil {
		h.asked.note(key)
		return false
	}
	if !t.met[c.slot].Load() {
		h.meet(t, c)
	}
	v := c.decide(someone(sub), nil)
	h.count(t, c.slot+int(v.variant))
	return v.variant != c.off
}

// Variant is the whole answer of a switch for a subject; nil is nobody. The answer is counted.
func (h *Holder) Variant(key string, sub *Subject) Answer {
	return h.answer(h.table.Load(), key, sub)
}

func (h *Holder) answer(t *table, key string, sub *Subject) Answer {
	c := t.index[key]
	if c == nil {
		h.asked.note(key)
		return Answer{Key: key, Reason: NotFound, Bucket: -1}
	}
	if !t.met[c.slot].Load() {
		h.meet(t, c)
	}
	v := c.decide(someone(sub), nil)
	h.count(t, c.slot+int(v.variant))
	return c.answer(v)
}

// Drain hands over how often each variant was given since the last Drain; each answer is in one Drain, and only one.
func (h *Holder) Drain(each func(key, variant string, n int64)) {
	for kv, n := range h.takeCounts() {
		each(kv.key, kv.variant, n)
	}
}

func (h *Holder) takeCounts() map[keyVariant]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.table.Load().drain(h.keep)
	sums := h.left
	h.left = map[keyVariant]int64{}
	return sums
}

func (t *table) drain(each func(key, variant string, n int64)) {
	sums := t.counters.take()
	for _, c := range t.list {
		for i := range c.variants {
			if n := sums[c.slot+i]; n > 0 {
				each(c.key, c.variants[i].name, n)
			}
		}
	}
}

// Force lets a switch, existing or not, answer one variant to everybody, above everything, until undo is called: for tests (see
// switchestest) and tools.
func (h *Holder) Force(key, variant string) (undo func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, had := h.forced[key]
	h.setForced(key, variant, true)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.setForced(key, before, had)
	}
}

func (h *Holder) setForced(key, variant string, is bool) {
	forced := make(map[string]string, len(h.forced)+1)
	for k, v := range h.forced {
		forced[k] = v
	}
	delete(forced, key)
	if is {
		forced[key] = variant
	}
	h.forced = forced
	h.publish()
}
