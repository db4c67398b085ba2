package switches

import (
	"reflect"
	"slices"
)

// Each answers every switch for a subject, in the order of keys; nil is nobody. The Answer is used again for the next. It does
// not count as exposures.
func (s *Snapshot) Each(sub *Subject, each func(*Answer)) {
	var a Answer
	for _, c := range s.list {
		a = c.answer(c.decide(someone(sub), nil))
		each(&a)
	}
}

// Boolean says whether a switch is just on or off: it has no variants of its own.
func (s *Snapshot) Boolean(key string) bool {
	c := s.index[key]
	return c != nil && len(c.whole.Variants) == 0
}

// Tagged says whether a switch has a tag.
func (s *Snapshot) Tagged(key, tag string) bool {
	c := s.index[key]
	if c == nil {
		return false
	}
	for _, t := range c.whole.Tags {
		if t == tag {
			return true
		}
	}
	return false
}

// Counting is a snapshot in force whose answers are counted.
type Counting struct{ t *table }

// Counting is the snapshot in force, for who asks several switches at once and must get answers of one state.
func (h *Holder) Counting() Counting { return Counting{h.table.Load()} }

// Snapshot is the snapshot itself.
func (c Counting) Snapshot() *Snapshot { return c.t.Snapshot }

// Each is Snapshot.Each for the switches that pass the filter (nil: all), and counts each answer.
func (c Counting) Each(sub *Subject, filter func(key string) bool, each func(*Answer)) {
	var a Answer
	for _, s := range c.t.list {
		if filter != nil && !filter(s.key) {
			continue
		}
		v := s.decide(someone(sub), nil)
		c.t.counters.add(s.slot + int(v.variant))
		a = s.answer(v)
		each(&a)
	}
}

// Count adds answers that a client gave by itself and told of later. Switches and variants that there are none of are left out,
// and it says whether it was one.
func (h *Holder) Count(key, variant string, n int64) bool {
	c := h.table.Load().index[key]
	if c == nil || n <= 0 || c.index(variant) < 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left[keyVariant{key, variant}] += n
	return true
}

// Off is the variant of who is off; "" when there is no such switch.
func (s *Snapshot) Off(key string) string {
	c := s.index[key]
	if c == nil {
		return ""
	}
	return c.variants[c.off].name
}

// Changed are the keys of switches that one snapshot has otherwise than another, or that only one of them has, in order. What a
// switch answers may change with others that it asks; those are told of by their own keys.
func Changed(before, after *Snapshot) (keys []string) {
	for _, c := range after.list {
		if old := before.index[c.key]; old == nil || !reflect.DeepEqual(old.whole, c.whole) {
			keys = append(keys, c.key)
		}
	}
	for _, c := range before.list {
		if after.index[c.key] == nil {
			keys = append(keys, c.key)
		}
	}
	slices.Sort(keys)
	return keys
}
