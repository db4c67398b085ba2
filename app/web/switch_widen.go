package web

import (
	"math"
	"reflect"
	"slices"

	"kibitz/app/impact"
	"kibitz/app/switches"
	"kibitz/views"
)

// widens tells whether more people, or others, may see a switch after a change than before it. When it cannot tell it says yes: one
// is asked once too often rather than not.
func widens(was, is switches.Switch) bool {
	switch {
	case dark(is):
		return false
	case lessNeeded(was, is):
		return true
	case is.State == switches.On:
		return was.State != switches.On || was.Killed
	case dark(was):
		return is.State != switches.Partial || is.Everyone.Percent > 0 || len(is.Sets) > 0 || willWiden(switches.Switch{}, is)
	case was.State == switches.On:
		return false
	case was.State != is.State:
		return true // as its parent, whatever that is
	}
	return is.Everyone.Percent > was.Everyone.Percent || others(was, is) || setsWiden(was, is) || willWiden(was, is)
}

// dark tells that nobody sees a switch.
func dark(s switches.Switch) bool { return s.Killed || s.State == switches.Off || s.State == "" }

// lessNeeded tells that a prerequisite was dropped.
func lessNeeded(was, is switches.Switch) bool {
	for _, r := range was.Requires {
		if !slices.Contains(is.Requires, r) {
			return true
		}
	}
	return false
}

// others tells that a share takes other people.
func others(was, is switches.Switch) bool {
	return was.Salt != is.Salt || was.BucketBy != is.BucketBy || was.Hash != is.Hash || was.Skip != is.Skip || was.Take != is.Take
}

// setsWiden compares the sets: a larger share of one, a new one that sees more than everyone did, one gone that saw less, another order.
func setsWiden(was, is switches.Switch) bool {
	find := func(sets []switches.Set, when switches.When) int {
		return slices.IndexFunc(sets, func(s switches.Set) bool { return reflect.DeepEqual(s.When, when) })
	}
	last := -1
	for _, s := range is.Sets {
		i := find(was.Sets, s.When)
		switch {
		case i < 0 && s.Rollout.Percent > was.Everyone.Percent, i >= 0 && s.Rollout.Percent > was.Sets[i].Rollout.Percent, i >= 0 && i < last:
			return true
		}
		last = max(last, i)
	}
	for _, s := range was.Sets {
		if find(is.Sets, s.When) < 0 && is.Everyone.Percent > s.Rollout.Percent {
			return true
		}
	}
	return false
}

// willWiden tells that a plan or a schedule that was not there will.
func willWiden(was, is switches.Switch) bool {
	if r := is.Ramp; r != nil && !r.Paused && !(was.Ramp != nil && !was.Ramp.Paused && reflect.DeepEqual(was.Ramp.Steps, r.Steps) && was.Ramp.Holdout <= r.Holdout) {
		for _, s := range r.Steps {
			if s.Percent > is.Everyone.Percent {
				return true
			}
		}
	}
	for _, c := range is.Schedule {
		if known := slices.ContainsFunc(was.Schedule, func(o switches.Change) bool { return reflect.DeepEqual(o, c) }); known {
			continue
		}
		if c.State == switches.On || c.Percent != nil && *c.Percent > is.Everyone.Percent {
			return true
		}
	}
	return false
}

// wider is the question before a change that widens: how many people more, from those who asked within the day.
func wider(was, is switches.Switch, e impact.Estimate, err error) views.Wider {
	w := views.Wider{Key: is.Key, From: views.StateText(&was), To: views.StateText(&is), Known: err == nil && e.Known}
	switch {
	case err != nil:
		w.People = "How many cannot be read at the moment."
	case !e.Known:
		w.People = "Nobody has asked for it in the last 24 h, so how many would newly see it is not known."
	default:
		n, atMost := newly(was, is, float64(e.Subjects), float64(e.On))
		w.People = views.PeopleNewly(n, atMost)
	}
	return w
}

// newly estimates how many people more see a switch, of n who asked for it within the day, on of whom saw it. atMost is set where
// that is all that can be told.
func newly(was, is switches.Switch, n, on float64) (people int64, atMost bool) {
	round := func(f float64) int64 { return int64(math.Round(math.Min(math.Max(f, 0), n))) }
	before, after := was.Everyone.Percent/100, is.Everyone.Percent/100
	switch {
	case is.State == switches.On && dark(was):
		return round(n), false
	case is.State == switches.On:
		return round(n - on), false
	case is.State != switches.Partial, setsWiden(was, is), others(was, is), lessNeeded(was, is):
		return round(n - on), true
	case dark(was):
		return round(n * after), len(is.Sets) > 0
	case after <= before:
		return round(n - on), true // by a plan or schedule
	case before < 1 && on < n:
		// Those who saw it not are 1-before of the people that no set names.
		return round((n - on) / (1 - before) * (after - before)), false
	}
	return round(n * (after - before)), false
}
