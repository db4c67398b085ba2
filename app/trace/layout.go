package trace

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Marks are what a reader of a waterfall must know of a line: what had to be mended before it could be drawn.
type Marks uint8

// The marks.
const (
	// Orphan names a parent that is not among the request's spans; it was put directly below the request.
	Orphan Marks = 1 << iota
	// Cut was its own ancestor; it was put directly below the request.
	Cut
	// Clamped did not lie within its parent's time (clocks differ, or the work outlived its caller); it was cut to it.
	Clamped
	// Gap is no span, but time in which none ran although its parent's other work has some.
	Gap
)

// slot is where a span stands once the sender's mistakes are mended. Slots are in order of start.
type slot struct {
	from, to time.Duration // within the parent's
	span     int32         // index among Request.Spans
	parent   int32         // a slot; root for the request
	depth    int32         // 1 directly below the request; 0 not known yet, walking while its ancestors are looked for
	marks    Marks
}

const (
	root    int32 = -1
	walking int32 = -1
	// few is up to how many spans a search from end to end is faster than a map, and everything fits the stack.
	few = 16
)

// extent is how long the request took. Of a partial one that is not known: it lasts until its last span ends.
func extent(r *Request) time.Duration {
	length := max(0, r.Duration)
	if !r.Partial {
		return length
	}
	for i := range r.Spans {
		length = max(length, end(&r.Spans[i]))
	}
	return length
}

// end is when a span ended, or the end of time when that cannot be told.
func end(s *Span) time.Duration {
	return plus(s.Start, max(0, s.Duration))
}

// plus is a and b together; more would not be a time. b is not negative.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// layout fills slots with r's spans without those that have come twice. It takes O(n log n) and does not recurse, for a
// request may be 100,000 spans deep.
func layout(r *Request, slots []slot) []slot {
	for i := range r.Spans {
		slots = append(slots, slot{span: int32(i)})
	}
	slices.SortFunc(slots, func(a, b slot) int { return order(&r.Spans[a.span], &r.Spans[b.span]) })
	slots = link(r, slots)
	var room [few]int32
	path, length := room[:0], extent(r)
	for i := range slots {
		path = ascend(slots, int32(i), path[:0])
		for j := len(path) - 1; j >= 0; j-- {
			place(r, slots, path[j], length)
		}
	}
	return slots
}

// order sorts by start, then the longer first, for it may be the parent. The rest is there so that the order in which
// spans came changes nothing.
func order(a, b *Span) int {
	if a.Start != b.Start {
		return cmp.Compare(a.Start, b.Start)
	}
	return cmp.Or(cmp.Compare(end(b), end(a)), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Pool, b.Pool),
		cmp.Compare(a.Op, b.Op), cmp.Compare(a.Text, b.Text), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Parent, b.Parent))
}

// link finds each slot's parent, and leaves out spans that are there twice: the first in order stays.
func link(r *Request, slots []slot) []slot {
	if len(slots) <= few {
		return linkFew(r, slots)
	}
	at := make(map[SpanID]int32, len(slots))
	kept := slots[:0]
	for _, s := range slots {
		id := r.Spans[s.span].ID
		if _, twice := at[id]; id != 0 && (twice || id == r.Span) {
			continue
		}
		at[id] = int32(len(kept))
		kept = append(kept, s)
	}
	delete(at, 0)
	for i := range kept {
		parent, found := at[r.Spans[kept[i].span].Parent]
		adopt(r, &kept[i], parent, found)
	}
	return kept
}

func linkFew(r *Request, slots []slot) []slot {
	kept := slots[:0]
	for _, s := range slots {
		id := r.Spans[s.span].ID
		if _, twice := find(r, kept, id); id != 0 && (twice || id == r.Span) {
			continue
		}
		kept = append(kept, s)
	}
	for i := range kept {
		parent, found := find(r, kept, r.Spans[kept[i].span].Parent)
		adopt(r, &kept[i], parent, found)
	}
	return kept
}

func find(r *Request, slots []slot, id SpanID) (int32, bool) {
	for i := range slots {
		if id != 0 && r.Spans[slots[i].span].ID == id {
			return int32(i), true
		}
	}
	return 0, false
}

// adopt gives s its parent. A span that names none belongs to the request, as does one whose parent was lost.
func adopt(r *Request, s *slot, parent int32, found bool) {
	s.parent = root
	switch named := r.Spans[s.span].Parent; {
	case named == 0 || named == r.Span:
	case found:
		s.parent = parent
	default:
		s.marks |= Orphan
	}
}

// ascend collects the slots from i up to the first whose place is known. A circle is cut at its earliest member.
func ascend(slots []slot, i int32, path []int32) []int32 {
	for i != root && slots[i].depth == 0 {
		slots[i].depth = walking
		path = append(path, i)
		i = slots[i].parent
	}
	if i == root || slots[i].depth != walking {
		return path
	}
	circle := path[slices.Index(path, i):]
	top := slices.Index(circle, slices.Min(circle))
	slots[circle[top]].parent = root
	slots[circle[top]].marks |= Cut
	// The one that was cut becomes the last, and those below it come before it.
	slices.Reverse(circle[:top+1])
	slices.Reverse(circle[top+1:])
	slices.Reverse(circle)
	return path
}

// place puts a slot below its parent, whose own place is known, and into its time.
func place(r *Request, slots []slot, i int32, length time.Duration) {
	s, span := &slots[i], &r.Spans[slots[i].span]
	var low time.Duration
	high, depth := length, int32(0)
	if s.parent != root {
		p := &slots[s.parent]
		low, high, depth = p.from, p.to, p.depth
	}
	s.depth = depth + 1
	s.from, s.to = min(max(span.Start, low), high), min(max(end(span), low), high)
	if s.from != span.Start || s.to != end(span) || span.Duration < 0 {
		s.marks |= Clamped
	}
}
