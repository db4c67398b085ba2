package rollout

import (
	"cmp"
	"slices"
	"time"
)

// Process is one that answers from these switches.
type Process struct {
	Node     string        `json:"node"`
	Addr     string        `json:"addr"`
	Version  string        `json:"version"` // of the program
	Revision int64         `json:"revision"`
	Took     time.Duration `json:"took"` // until it acknowledged the last change of this process
	Seen     time.Time     `json:"seen"` // heard of last
	Self     bool          `json:"self,omitempty"`
	// Reached tells that it is connected now; a process that is only in the database is not told directly.
	Reached bool `json:"reached"`
	// Age is how long ago it was heard of; of this process, how long it has heard nobody.
	Age time.Duration `json:"age"`
}

// Processes are all that live, by node.
func (b *Board) Processes() []Process {
	now := b.opts.Now()
	me := Process{Node: b.opts.Node, Addr: b.address(), Version: b.opts.Version, Revision: b.set.Revision(), Seen: now, Self: true, Reached: true}
	if heard := b.Health().Heard; !heard.IsZero() {
		me.Age = now.Sub(heard)
	}
	out := []Process{me}
	known := map[string]bool{me.Node: true}
	if m := b.mesh(); m != nil {
		for _, p := range m.Peers() {
			if !p.Connected && now.Sub(p.Seen) > silent {
				continue
			}
			known[p.Node] = true
			out = append(out, Process{Node: p.Node, Addr: p.Address, Version: p.Version, Revision: p.Revision, Took: p.Took, Seen: p.Seen,
				Reached: p.Connected, Age: now.Sub(p.Seen)})
		}
	}
	b.state.mu.Lock()
	for _, p := range b.state.node {
		if !known[p.Node] && now.Sub(p.Heartbeat) < silent {
			out = append(out, Process{Node: p.Node, Addr: p.Address, Version: p.Version, Revision: p.Revision, Seen: p.Heartbeat, Age: now.Sub(p.Heartbeat)})
		}
	}
	b.state.mu.Unlock()
	slices.SortFunc(out, func(a, b Process) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Addr, b.Addr)) })
	return out
}
