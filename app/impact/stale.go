package impact

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/store"
	"kibitz/app/switches"
)

const (
	// neverAskedFor is how long a switch must not have been asked for to be told as never asked.
	neverAskedFor = 14 * 24 * time.Hour
	// oneSidedFor is how long it must have given one answer only.
	oneSidedFor = 30 * 24 * time.Hour
)

// Stale are the switches of an environment that may be removed, or looked after, by key. A switch that was changed lately is
// neither never asked nor one-sided yet.
func (i *Impact) Stale(ctx context.Context, env string, now time.Time) ([]StaleSwitch, error) {
	if i.Switches == nil {
		return nil, nil
	}
	seen, err := i.Store.AnswersSeen(ctx, env, i.names(env), now.Add(-oneSidedFor-time.Hour))
	if err != nil {
		return nil, err
	}
	byKey := map[string][]store.AnswerSeen{}
	for _, a := range seen {
		byKey[a.Key] = append(byKey[a.Key], a)
	}
	changed, callers := map[string]time.Time{}, map[string]string{}
	if i.Changed != nil {
		changed = i.Changed(env)
	}
	if i.Callers != nil {
		callers = i.Callers(env)
	}
	var out []StaleSwitch
	for _, s := range i.Switches(env) {
		st := staleOf(&s, byKey[s.Key], changed[s.Key], now)
		if st.Caller = callers[s.Key]; len(st.Why) > 0 {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b StaleSwitch) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// staleOf tells why one switch may be removed. changed is when it was made or changed last; zero: long ago.
func staleOf(s *switches.Switch, seen []store.AnswerSeen, changed, now time.Time) StaleSwitch {
	st := StaleSwitch{Key: s.Key, Owner: s.Owner, RemoveBy: s.RemoveBy}
	answers, since := answersOf(seen, now.Add(-oneSidedFor))
	for _, a := range seen {
		st.LastAsked = later(st.LastAsked, a.Last)
	}
	old := func(d time.Duration) bool { return changed.IsZero() || now.Sub(changed) >= d }
	if old(neverAskedFor) && now.Sub(st.LastAsked) >= neverAskedFor {
		st.say(NeverAsked, fmt.Sprintf("nobody has asked for it in %d days", int(neverAskedFor.Hours()/24)))
	}
	if len(answers) == 1 {
		st.Answer = answers[0]
		if old(oneSidedFor) && now.Sub(since) >= oneSidedFor {
			st.say(OneSided, fmt.Sprintf("it has answered %s only for %d days", st.Answer, int(oneSidedFor.Hours()/24)))
		}
	}
	if live := liveAnswer(s, st.Answer); s.Default != "" && live != "" && normal(s.Default) != live {
		st.say(DefaultDiffers, fmt.Sprintf("code falls back to %s where it answers %s", s.Default, live))
	}
	if at, err := time.Parse(time.DateOnly, s.RemoveBy); err == nil && now.After(at.AddDate(0, 0, 1)) {
		st.say(PastRemoveBy, "it was to be removed by "+s.RemoveBy)
	}
	return st
}

func (st *StaleSwitch) say(why StaleWhy, text string) {
	st.Why, st.Text = append(st.Why, why), append(st.Text, text)
}

// answersOf are the different answers since a moment, and when the first of them was given first.
func answersOf(seen []store.AnswerSeen, after time.Time) (answers []string, first time.Time) {
	for _, a := range seen {
		if a.Last.Before(after) {
			continue
		}
		if v := normal(a.Variant); !slices.Contains(answers, v) {
			answers = append(answers, v)
		}
		if first.IsZero() || a.First.Before(first) {
			first = a.First
		}
	}
	return answers, first
}

// liveAnswer is the one answer that a switch gives to everybody; "" when it gives several.
func liveAnswer(s *switches.Switch, asked string) string {
	switch {
	case s.Killed || s.State == switches.Off:
		return offOf(s)
	case s.State == switches.On && len(s.Everyone.Split) == 0 && len(s.Overrides) == 0:
		return cmp.Or(normal(s.OnVariant), firstOn(s))
	}
	return asked
}

func firstOn(s *switches.Switch) string {
	for _, v := range s.Variants {
		if name := normal(v.Name); name != offOf(s) {
			return name
		}
	}
	return "on"
}

// RemovalList is what is to be done about stale switches, one line each, to be pasted into an issue.
func RemovalList(list []StaleSwitch) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "- [ ] %s: %s", s.Key, strings.Join(s.Text, "; "))
		if s.Owner != "" {
			fmt.Fprintf(&b, " (%s)", s.Owner)
		}
		if s.Caller != "" {
			fmt.Fprintf(&b, " — %s", s.Caller)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
