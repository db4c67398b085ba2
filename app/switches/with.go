package switches

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// With is the snapshot with one of its switches changed, without compiling the others: among 10,000 a click costs no more than
// copying a table. segments are those of the Config. It is not ok where more has to be looked at, and Compile does that: where the
// switch is new, has other variants, asks others or is asked by them, or where the time has changed answers since.
func (s *Snapshot) With(sw Switch, segments []Segment, revision int64, now time.Time) (out *Snapshot, problems []Problem, ok bool) {
	old := s.index[sw.Key]
	if old == nil || len(sw.Requires) > 0 || strings.Contains(sw.Key, ":") || s.asked(old) || (!s.next.IsZero() && !now.Before(s.next)) {
		return nil, nil, false
	}
	k := &compiler{now: now, environment: s.environment, segments: map[string]*segment{}, sources: map[string]Segment{}}
	k.compileSegments(segments)
	k.problems = nil
	one := k.compileSwitch(sw)
	if !slices.EqualFunc(one.variants, old.variants, func(a, b variant) bool { return a.name == b.name }) {
		return nil, nil, false
	}
	one.slot = old.slot
	one.gate()
	out = &Snapshot{environment: s.environment, revision: revision, next: earliest(s.next, k.next), index: maps.Clone(s.index), list: slices.Clone(s.list), slots: s.slots}
	out.index[sw.Key] = one
	out.list[slices.Index(out.list, old)] = one
	return out, k.problems, true
}

// asked tells whether another switch asks one.
func (s *Snapshot) asked(one *compiled) bool {
	return slices.ContainsFunc(s.list, func(c *compiled) bool {
		return c.parent == one || slices.ContainsFunc(c.requires, func(r requirement) bool { return r.of == one })
	})
}

// earliest is the first of two moments, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
