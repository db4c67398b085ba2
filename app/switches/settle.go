package switches

import (
	"slices"
	"time"
)

// Settle carries out what is due of a switch's schedule, and drops what is over: changes that have been, overrides that have
// expired. What Compile makes of the switch stays the same. Whoever changes a switch by hand settles it first: else a change of
// yesterday's schedule would win over today's hand. The slices of sw are left as they are.
func Settle(sw Switch, now time.Time) Switch {
	sw.Schedule = slices.Clone(sw.Schedule)
	slices.SortStableFunc(sw.Schedule, func(a, b Change) int { return a.At.Compare(b.At) })
	for len(sw.Schedule) > 0 && !sw.Schedule[0].At.After(now) {
		ch := sw.Schedule[0]
		if ch.State != "" {
			sw.State = ch.State
		}
		if ch.Percent != nil {
			sw.Everyone.Percent = *ch.Percent
		}
		sw.Schedule = sw.Schedule[1:]
	}
	sw.Overrides = slices.DeleteFunc(slices.Clone(sw.Overrides), func(o Override) bool {
		return !o.Expires.IsZero() && !o.Expires.After(now)
	})
	return sw
}
