// Package rollout is the use cases of feature switches: who changes one, how the change reaches every process, and what is done
// when the database, the peers or the disk are away. A change is published in memory first, told to the peers, notified of through
// the database, and only then stored: no click waits for a disk.
package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// Production is the environment that is there always, and that Kibitz itself answers from.
const Production = "production"

// defaults are the environments that need no record.
var defaults = []string{Production, "staging"}

// Options is what a Board is made of. Only Node, Version and IDs have to be there.
type Options struct {
	Node, Version string // of this process and of the program
	IDs           *model.IDs
	Log           *slog.Logger
	// Dir is where the last known good and the door for the command line are kept; "" keeps none.
	Dir string
	// Listen is the address that peers reach; "" joins nobody. Peers are addresses that are tried always, and Secret is what
	// messages are signed with: that of the database when it is empty.
	Listen, Secret string
	Advertise      string // what peers are told to dial; what is listened on when empty
	Peers          []string
	AutoCreate     bool // make switches that code asks for and that are not there, off
	Hooks          Hooks
	// Answered is told of each answer that was asked for in a request.
	Answered func(ctx context.Context, key, variant string)
	// Ask answers what the command line asks this process by its door.
	Ask func(ctx context.Context, op string, body json.RawMessage) (answer json.RawMessage, status int, text string)
	// Changed is told of what was changed in this process, once everybody answers by it; it must not wait.
	Changed func([]Change)
	Own     []switches.Switch // Kibitz's own, made where they are missing
	Now     func() time.Time
}

// Hooks are what others do for a board. Each may be nil.
type Hooks struct {
	// RampReady tells whether the step of a ramp that is in force was healthy and exposed to enough subjects, and else why not. nil:
	// steps that ask for subjects are never ready.
	RampReady func(env, key string, step int) (ready bool, why string)
	// Flush gets what was answered since the last time, every five seconds, by environment. nil: it is thrown away.
	Flush func(env string, counts []Count)
}

// Hook gives a board others' hooks: it starts before they do.
func (b *Board) Hook(h Hooks) { b.hooks.Store(&h) }

// Count is how often a switch answered with a variant.
type Count struct {
	Key, Variant string
	N            int64
}

// Board is all switches of all environments in one process.
type Board struct {
	opts Options
	log  *slog.Logger
	set  *peers.Set

	mu    sync.RWMutex // of the views, and of the order of publishing
	views map[string]*view

	writer *writer
	file   *saver
	recent recent
	hooks  atomic.Pointer[Hooks]

	state  state
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// New makes a board that answers from the last known good, or with nothing. Start lets it talk to peers, Attach to the database.
func New(o Options) *Board {
	o.Now = orNow(o.Now)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &Board{opts: o, log: o.Log, set: peers.NewSet(), views: map[string]*view{}}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.state.source = FromNothing
	b.Hook(o.Hooks)
	b.writer, b.file = newWriter(b), newSaver(b)
	for _, env := range defaults {
		b.view(env)
	}
	return b
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

// Environments are the names of all environments, production first, then staging, then the others by name.
func (b *Board) Environments() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(b.views), compareEnvs)
}

func compareEnvs(a, b string) int {
	place := func(env string) int {
		if i := slices.Index(defaults, env); i >= 0 {
			return i
		}
		return len(defaults)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
}

// Holder is what this process answers from in an environment; nil when there is none of that name.
func (b *Board) Holder(env string) *switches.Holder {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.views[env]; v != nil {
		return v.holder
	}
	return nil
}

// Config is all that is published of an environment: switches by key, with kills and people's opinions in them.
func (b *Board) Config(env string) switches.Config {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.views[env]
	if v == nil {
		return switches.Config{Environment: env}
	}
	return v.config(b.set.Revision())
}

// Revision is the highest revision that this process knows.
func (b *Board) Revision() int64 { return b.set.Revision() }

// Entry is a switch with what happened to it last. Pending ones are not in the database yet.
type Entry struct {
	switches.Switch
	Env     string        `json:"env"`
	Version peers.Version `json:"version"`
	By      string        `json:"by"`
	ByKind  string        `json:"by_kind"`
	Why     string        `json:"why"`
	At      time.Time     `json:"at"`
	Pending bool          `json:"pending,omitempty"`
	// Who killed it, when it is killed.
	KilledBy  string             `json:"killed_by,omitempty"`
	KilledWhy string             `json:"killed_why,omitempty"`
	KilledAt  time.Time          `json:"killed_at,omitzero"`
	Problems  []switches.Problem `json:"problems,omitempty"`
}

// List are the switches of an environment, by key.
func (b *Board) List(env string) []Entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.views[env]
	if v == nil {
		return nil
	}
	out := make([]Entry, 0, len(v.keys))
	for _, key := range v.keys {
		out = append(out, b.entry(v, key))
	}
	return out
}

// Entry is one switch; false when there is none.
func (b *Board) Entry(env, key string) (Entry, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.views[env]
	if v == nil || v.switches[key] == nil {
		return Entry{}, false
	}
	return b.entry(v, key), true
}

// entry is for callers that hold the lock.
func (b *Board) entry(v *view, key string) Entry {
	i := v.switches[key]
	e := Entry{Switch: v.merged(key), Env: v.env, Version: i.record.Version, By: i.record.By, ByKind: i.record.ByKind, Why: i.record.Why,
		At: i.record.At, Pending: b.writer.pending(i.record.ID), Problems: v.problems[key]}
	if kill, ok := v.kills[key]; ok {
		e.KilledBy, e.KilledWhy, e.KilledAt = kill.By, kill.Why, kill.At
		e.Pending = e.Pending || b.writer.pending(kill.ID)
	}
	return e
}

// Segments are the named conditions of an environment, by key.
func (b *Board) Segments(env string) []switches.Segment {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.views[env]; v != nil {
		return v.segmentList()
	}
	return nil
}

// Watch tells of revisions that were published in an environment, the newest only, until the returned function is called.
func (b *Board) Watch(env string) (<-chan int64, func()) {
	ch := make(chan int64, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.views[env]
	if v == nil {
		return ch, func() {}
	}
	v.watchers[ch] = true
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(v.watchers, ch)
	}
}

// Attach lets the board read from and write to a database, which may be away. It reads all rows at once when it can.
func (b *Board) Attach(ctx context.Context, s *store.Store) { b.attach(ctx, s) }
