package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"kibitz/app/db"
	"kibitz/app/switches"
)

const (
	runEvery  = time.Second     // how often schedules and ramps are looked at
	leadEvery = 5 * time.Second // how often a process tries to be the one that does
)

// runs writes down schedules that came due, and takes the steps of ramps: in one process at a time. (Answers follow a schedule
// without it, since it is compiled into every snapshot.) That is the one that has the lock in the database; while the database is
// away, the one whose node comes first among those that reach each other.
func (b *Board) runs(ctx context.Context) {
	for tick := time.NewTicker(leadEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		s := b.rows()
		if s != nil && b.Health().DatabaseDown.IsZero() {
			_, err := s.HoldSwitches(db.With(ctx, db.Jobs), func(ctx context.Context) error { return b.lead(ctx) })
			if err != nil && ctx.Err() == nil {
				b.log.Debug("cannot lead", "err", err)
			}
		} else if b.comesFirst() {
			b.step(ctx, b.opts.Now())
		}
	}
}

// errAway ends leading: the lock may be lost with the database.
var errAway = errors.New("the database is away")

func (b *Board) lead(ctx context.Context) error {
	for tick := time.NewTicker(runEvery); ; {
		b.step(ctx, b.opts.Now())
		select {
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		case <-tick.C:
		}
		if !b.Health().DatabaseDown.IsZero() {
			tick.Stop()
			return errAway
		}
	}
}

func (b *Board) comesFirst() bool {
	return !slices.ContainsFunc(b.Processes(), func(p Process) bool { return p.Reached && p.Node < b.opts.Node })
}

// step does what is due.
func (b *Board) step(ctx context.Context, now time.Time) {
	for _, env := range b.Environments() {
		for _, e := range b.due(env, now) {
			b.carryOut(ctx, e, now)
		}
	}
}

// due are the switches that have a schedule or a ramp with something to do.
func (b *Board) due(env string, now time.Time) (out []Entry) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.views[env]
	for _, key := range v.keys {
		s := &v.switches[key].saved
		scheduled := slices.ContainsFunc(s.Schedule, func(c switches.Change) bool { return !c.At.After(now) })
		if scheduled || s.Ramp != nil {
			out = append(out, b.entry(v, key))
		}
	}
	return out
}

func (b *Board) carryOut(ctx context.Context, e Entry, now time.Time) {
	s, by, why := e.Switch, By{Name: "schedule", Kind: "schedule"}, "its schedule says so"
	if settled := switches.Settle(s, now); len(settled.Schedule) < len(s.Schedule) {
		s = settled
	} else if step, ok, _ := NextStep(s, now, b.ready(e.Env)); ok {
		s = takeStep(s, step, now)
		by, why = By{Name: "ramp", Kind: "ramp"}, fmt.Sprintf("step %d of %d", step+1, len(s.Ramp.Steps))
	} else {
		return
	}
	_, err := b.Save(ctx, Edit{Env: e.Env, Switch: s, Base: e.Version, By: by, Why: why})
	if conflict := (*Conflict)(nil); err != nil && !errors.As(err, &conflict) {
		b.log.Warn("cannot carry out what is planned for a switch", "env", e.Env, "key", e.Key, "err", err)
	}
}

func (b *Board) ready(env string) func(key string, step int) (bool, string) {
	if b.opts.RampReady == nil {
		return nil
	}
	return func(key string, step int) (bool, string) { return b.opts.RampReady(env, key, step) }
}

// RampWhy tells why a switch's ramp does not take its next step yet; "" when it is about to, or there is none to take.
func (b *Board) RampWhy(env, key string) string {
	e, ok := b.Entry(env, key)
	if !ok {
		return ""
	}
	_, _, why := NextStep(e.Switch, b.opts.Now(), b.ready(env))
	return why
}

// NextStep is the step that a switch's ramp takes now; not ok with the reason why it does not. ready tells whether the step in
// force was healthy and exposed to enough; nil: nobody knows, so steps that ask for subjects wait.
func NextStep(s switches.Switch, now time.Time, ready func(key string, step int) (bool, string)) (step int, ok bool, why string) {
	r := s.Ramp
	switch {
	case r == nil || r.At+1 >= len(r.Steps):
		return 0, false, ""
	case r.Paused:
		return 0, false, "it is paused"
	case s.Killed:
		return 0, false, "the switch is killed"
	case s.State != switches.Partial:
		return 0, false, "the switch is " + string(s.State)
	}
	if until, quiet := quietAt(r.Quiet, now); quiet {
		return 0, false, "quiet hours last until " + until
	}
	if r.At < 0 {
		return 0, true, ""
	}
	in := r.Steps[min(r.At, len(r.Steps)-1)]
	if left := r.Since.Add(time.Duration(in.Wait)).Sub(now); left > 0 {
		return 0, false, "step " + fmt.Sprint(r.At+1) + " lasts " + left.Round(time.Second).String() + " more"
	}
	if ready != nil {
		if ok, why := ready(s.Key, r.At); !ok {
			return 0, false, why
		}
	} else if in.Subjects > 0 {
		return 0, false, fmt.Sprintf("how many of %d subjects were exposed is not known", in.Subjects)
	}
	return r.At + 1, true, ""
}

// takeStep is a switch whose ramp stands at a step.
func takeStep(s switches.Switch, step int, now time.Time) switches.Switch {
	r := *s.Ramp
	r.At, r.Since = step, now.UTC().Truncate(time.Second)
	s.Ramp, s.Everyone.Percent = &r, math.Min(math.Max(r.Steps[step].Percent, 0), 100)
	return s
}

// quietAt tells whether a moment is in quiet hours, and until when they last.
func quietAt(bits []switches.QuietBit, now time.Time) (until string, quiet bool) {
	now = now.UTC()
	minute := now.Hour()*60 + now.Minute()
	for _, q := range bits {
		from, okFrom := minuteOf(q.From)
		to, okTo := minuteOf(q.To)
		if !okFrom || !okTo {
			continue // Check of the engine says so where it is edited
		}
		today, yesterday := int(now.Weekday()), (int(now.Weekday())+6)%7
		switch {
		case from < to && on(q.Days, today) && minute >= from && minute < to,
			from >= to && on(q.Days, today) && minute >= from,
			from >= to && on(q.Days, yesterday) && minute < to:
			return q.To + " UTC", true
		}
	}
	return "", false
}

func on(days []int, day int) bool { return len(days) == 0 || slices.Contains(days, day) }

func minuteOf(text string) (int, bool) {
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}
