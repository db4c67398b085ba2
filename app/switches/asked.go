package switches

import (
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// maxAsked is how many unknown keys are remembered. Keys that come from outside must not be asked of a Holder: ask its Snapshot.
const maxAsked = 1_000

// Asked is a switch that code asks for and that does not exist.
type Asked struct {
	Key    string `json:"key"`
	Caller string `json:"caller"` // who asked first: app/web/page_hosts.go:41
	Times  int64  `json:"times"`
}

type askedKeys struct {
	known sync.Map // key to *askedKey
	mu    sync.Mutex
	n     int
}

type askedKey struct {
	caller string
	times  atomic.Int64
}

func (a *askedKeys) note(key string) {
	known, ok := a.known.Load(key)
	if !ok {
		known = a.first(key)
	}
	if k, ok := known.(*askedKey); ok && k != nil {
		k.times.Add(1)
	}
}

// first remembers a key, as long as there is room.
func (a *askedKeys) first(key string) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.known.Load(key); ok {
		return known
	}
	if a.n >= maxAsked || len(key) > MaxKey {
		return nil
	}
	a.n++
	k := &askedKey{caller: caller()}
	a.known.Store(strings.Clone(key), k)
	return k
}

// Asked lists the switches that were asked for, and do not exist now, by key: at most 1,000.
func (h *Holder) Asked() []Asked {
	found := map[string]Asked{}
	h.asked.known.Range(func(key, value any) bool {
		name, _ := key.(string)
		if k, ok := value.(*askedKey); ok && !h.Snapshot().Has(name) {
			found[name] = Asked{name, k.caller, k.times.Load()}
		}
		return true
	})
	out := make([]Asked, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[key])
	}
	return out
}

// maxCallers is how many switches' first callers are remembered, those of removed ones among them.
const maxCallers = 20_000

// callers are who asked first for switches that exist.
type callers struct {
	mu    sync.Mutex
	lines map[string]string
}

// meet remembers who asks for a switch, once a process.
func (h *Holder) meet(t *table, c *compiled) {
	h.callers.mu.Lock()
	defer h.callers.mu.Unlock()
	if _, known := h.callers.lines[c.key]; !known && len(h.callers.lines) < maxCallers {
		if h.callers.lines == nil {
			h.callers.lines = map[string]string{}
		}
		h.callers.lines[c.key] = caller()
	}
	t.met[c.slot].Store(true)
}

// Callers are the lines of code that asked first in this process, by key: of switches that exist as of those that do not.
func (h *Holder) Callers() map[string]string {
	h.callers.mu.Lock()
	out := maps.Clone(h.callers.lines)
	h.callers.mu.Unlock()
	if out == nil {
		out = map[string]string{}
	}
	for _, a := range h.Asked() {
		out[a.Key] = a.Caller
	}
	return out
}

// caller is the first function outside of this package and those below it, as its directory, file and line.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !ours(f) {
			return fmt.Sprintf("%s/%s:%d", packageOf(f.Function), path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

const self = "kibitz/app/switches"

func ours(f runtime.Frame) bool {
	pkg := "kibitz/" + packageOf(f.Function)
	return (pkg == self || strings.HasPrefix(pkg, self+"/")) && !strings.HasSuffix(f.File, "_test.go")
}

// packageOf is the import path in a function's full name, without our module.
func packageOf(function string) string {
	dir, name := path.Split(function)
	name, _, _ = strings.Cut(name, ".")
	return strings.TrimPrefix(dir+name, "kibitz/")
}
