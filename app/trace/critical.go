package trace

import (
	"cmp"
	"slices"
	"time"
)

// Stretch is a part of a request's time and the span that the request was waiting for.
type Stretch struct {
	Span     *Span // nil for the request itself
	From, To time.Duration
}

// Critical is the critical path of a request: the stretches that would have to become shorter for the request to become
// shorter, in order of time. Together they are exactly the request's duration.
//
// It is found as Jaeger does: from the end go back to the child that finished last, from its start to the one that
// finished last before that, and the same within each child. Children that ran beside those are not on the path.
func Critical(r *Request) []Stretch {
	slots := layout(r, make([]slot, 0, len(r.Spans)))
	w := back{r: r, slots: slots, kin: families(slots, byEnd(slots))}
	w.enter(root, extent(r))
	for len(w.path) > 0 {
		w.step()
	}
	slices.Reverse(w.found)
	return w.found
}

// byEnd is the order in which the walk goes through slots: the last to end first, and of those the longest.
func byEnd(slots []slot) []int32 {
	order := make([]int32, len(slots))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(slots[b].to, slots[a].to), cmp.Compare(slots[a].from, slots[b].from), cmp.Compare(a, b))
	})
	return order
}

// back is a walk in progress, from the end to the start.
type back struct {
	r     *Request
	slots []slot
	kin   kin
	path  []wait
	found []Stretch // the last first
}

// wait is a slot within which the walk is; what came after until is done.
type wait struct {
	slot, child int32
	until       time.Duration
}

func (w *back) enter(slot int32, until time.Duration) {
	w.path = append(w.path, wait{slot, w.kin.first[slot+1], until})
}

// step goes into the child that ended last before the point that was reached, or, when none did, out of the slot.
func (w *back) step() {
	at := &w.path[len(w.path)-1]
	for at.child != root && !w.awaited(at) {
		at.child = w.kin.next[at.child+1]
	}
	if at.child == root {
		w.leave(at)
		return
	}
	child := at.child
	at.child = w.kin.next[child+1]
	w.add(at, w.slots[child].to)
	at.until = w.slots[child].from
	w.enter(child, w.slots[child].to)
}

func (w *back) awaited(at *wait) bool {
	s := &w.slots[at.child]
	return s.to <= at.until && s.from < s.to
}

func (w *back) leave(at *wait) {
	var from time.Duration
	if at.slot != root {
		from = w.slots[at.slot].from
	}
	w.add(at, from)
	w.path = w.path[:len(w.path)-1]
}

// add notes that the slot itself was what took the time from then on.
func (w *back) add(at *wait, from time.Duration) {
	if from >= at.until {
		return
	}
	s := Stretch{From: from, To: at.until}
	if at.slot != root {
		s.Span = &w.r.Spans[w.slots[at.slot].span]
	}
	w.found = append(w.found, s)
}
