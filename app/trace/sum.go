package trace

import (
	"cmp"
	"slices"
	"time"
)

// Sum is a request's time and operations by category.
//
// At each instant the deepest running span says what the time was spent on; of spans equally deep, the one that began
// first. So calls side by side never exceed the request, and the times sum to its duration exactly (of a partial
// request, to the end of its last span). Other has what no span covers. A span waits for its connection before it
// works: its first Pool is Pool's time. Parts of a span outside its parent's time do not count.
//
// N counts spans, those of the program's own functions under Other; a wait for a connection is one more under Pool.
//
// Totals that the sender gave are made to fit: scaled down when they exceed the duration, and Other takes the rest.
func Sum(r *Request) Totals {
	if r.Summed {
		return fit(r.Totals, max(0, r.Duration))
	}
	var room [few]slot
	var pieces [2 * few]piece
	slots := layout(r, room[:0])
	return sweep(split(r, slots, pieces[:0]), extent(r), count(r, slots))
}

// piece is a time during which a span did one kind of thing.
type piece struct {
	from, to time.Duration
	began    time.Duration // the span
	depth    int32
	category Category
}

// category is s's own, or Other when it is none of ours.
func category(s *Span) Category {
	if s.Category >= Categories {
		return Other
	}
	return s.Category
}

func count(r *Request, slots []slot) (t Totals) {
	for i := range slots {
		s := &r.Spans[slots[i].span]
		t.N[category(s)]++
		if s.Pool > 0 && s.Category != Pool {
			t.N[Pool]++
		}
	}
	return t
}

// split cuts spans in two where the wait for a connection ends. The wait stands before the work by the sender's times, so
// a span that began before its parent has waited before it, too.
func split(r *Request, slots []slot, list []piece) []piece {
	if cap(list) < len(slots) {
		list = make([]piece, 0, len(slots)+len(slots)/4)
	}
	for i := range slots {
		s, span := &slots[i], &r.Spans[slots[i].span]
		waited := s.from
		if span.Pool > 0 {
			waited = min(max(plus(span.Start, span.Pool), s.from), s.to)
		}
		if waited > s.from {
			list = append(list, piece{s.from, waited, s.from, s.depth, Pool})
		}
		if s.to > waited {
			list = append(list, piece{waited, s.to, s.from, s.depth, category(span)})
		}
	}
	return list
}

// sweep goes through the time from 0 to length and gives each piece of it to the deepest of list that runs.
func sweep(list []piece, length time.Duration, t Totals) Totals {
	slices.SortFunc(list, func(a, b piece) int { return cmp.Compare(a.from, b.from) })
	var room [2 * few]piece
	running := room[:0]
	for now, i := time.Duration(0), 0; now < length; {
		for i < len(list) && list[i].from <= now {
			running = push(running, list[i])
			i++
		}
		for len(running) > 0 && running[0].to <= now {
			running = pop(running)
		}
		until, what := length, Other
		if len(running) > 0 {
			until, what = running[0].to, running[0].category
		}
		if i < len(list) {
			until = min(until, list[i].from)
		}
		t.Time[what] += until - now
		now = until
	}
	return t
}

// before tells whether a has the time rather than b.
func (a *piece) before(b *piece) bool {
	if a.depth != b.depth {
		return a.depth > b.depth
	}
	if a.began != b.began {
		return a.began < b.began
	}
	return a.category > b.category
}

// push and pop keep a binary heap whose first piece has the time. (container/heap would allocate for each.)
func push(heap []piece, s piece) []piece {
	heap = append(heap, s)
	for i := len(heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !heap[i].before(&heap[up]) {
			break
		}
		heap[i], heap[up] = heap[up], heap[i]
		i = up
	}
	return heap
}

func pop(heap []piece) []piece {
	last := len(heap) - 1
	heap[0] = heap[last]
	heap = heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return heap
		}
		if down+1 < last && heap[down+1].before(&heap[down]) {
			down++
		}
		if !heap[down].before(&heap[i]) {
			return heap
		}
		heap[i], heap[down] = heap[down], heap[i]
		i = down
	}
}

// fit makes totals sum to length.
func fit(t Totals, length time.Duration) Totals {
	sum, rest := 0.0, length
	for c := range t.Time {
		t.N[c] = max(0, t.N[c])
		t.Time[c] = max(0, t.Time[c])
		if Category(c) != Other {
			sum += float64(t.Time[c])
		}
	}
	for c := range t.Time {
		if Category(c) == Other {
			continue
		}
		if sum > float64(length) {
			t.Time[c] = time.Duration(float64(t.Time[c]) / sum * float64(length))
		}
		// Rounding, and times near the largest that there is, must not make more of it.
		t.Time[c] = min(max(0, t.Time[c]), rest)
		rest -= t.Time[c]
	}
	t.Time[Other] = rest
	return t
}
