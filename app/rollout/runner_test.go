package rollout

import (
	"testing"
	"time"

	"kibitz/app/switches"
)

// monday is noon of a Monday.
var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestNextStep(t *testing.T) {
	t.Parallel()
	yes := func(string, int) (bool, string) { return true, "" }
	no := func(string, int) (bool, string) { return false, "it fails more often" }
	base := func(change func(*switches.Switch)) switches.Switch {
		s := switches.Switch{Key: "a", State: switches.Partial, Ramp: &switches.Ramp{At: 0, Since: monday.Add(-time.Hour),
			Steps: []switches.Step{{Percent: 1, Wait: switches.Duration(30 * time.Minute)}, {Percent: 10}}}}
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		s     switches.Switch
		ready func(string, int) (bool, string)
		step  int
		why   string
	}{
		"due":        {base(func(s *switches.Switch) {}), yes, 1, ""},
		"first":      {base(func(s *switches.Switch) { s.Ramp.At = -1 }), no, 0, ""},
		"too early":  {base(func(s *switches.Switch) { s.Ramp.Since = monday.Add(-29 * time.Minute) }), yes, -1, "step 1 lasts 1m0s more"},
		"unhealthy":  {base(func(s *switches.Switch) {}), no, -1, "it fails more often"},
		"not known":  {base(func(s *switches.Switch) { s.Ramp.Steps[0].Subjects = 5 }), nil, -1, "how many of 5 subjects were exposed is not known"},
		"paused":     {base(func(s *switches.Switch) { s.Ramp.Paused = true }), yes, -1, "it is paused"},
		"killed":     {base(func(s *switches.Switch) { s.Killed = true }), yes, -1, "the switch is killed"},
		"off":        {base(func(s *switches.Switch) { s.State = switches.Off }), yes, -1, "the switch is off"},
		"done":       {base(func(s *switches.Switch) { s.Ramp.At = 1 }), yes, -1, ""},
		"quiet":      {base(func(s *switches.Switch) { s.Ramp.Quiet = []switches.QuietBit{{From: "11:00", To: "13:00"}} }), yes, -1, "quiet hours last until 13:00 UTC"},
		"over night": {base(func(s *switches.Switch) { s.Ramp.Quiet = []switches.QuietBit{{From: "22:00", To: "12:01"}} }), yes, -1, "quiet hours last until 12:01 UTC"},
		"of yesterday": {base(func(s *switches.Switch) {
			s.Ramp.Quiet = []switches.QuietBit{{Days: []int{0}, From: "22:00", To: "12:01"}}
		}), yes, -1, "quiet hours last until 12:01 UTC"},
		"another day": {base(func(s *switches.Switch) {
			s.Ramp.Quiet = []switches.QuietBit{{Days: []int{1}, From: "22:00", To: "12:01"}}
		}), yes, 1, ""},
		"just over": {base(func(s *switches.Switch) { s.Ramp.Quiet = []switches.QuietBit{{From: "11:00", To: "12:00"}} }), yes, 1, ""},
	} {
		step, ok, why := NextStep(c.s, monday, c.ready)
		if ok != (c.step >= 0) || (ok && step != c.step) || why != c.why {
			t.Errorf("%s: step %d %v %q", name, step, ok, why)
		}
	}
}

// TestRunner: a ramp takes its steps as published changes, a person's flip pauses it, and a schedule is written down.
func TestRunner(t *testing.T) {
	t.Parallel()
	c := &clock{now: monday}
	b := newBoard(t, 1, func(o *Options) {
		o.Now, o.RampReady = c.Now, func(string, string, int) (bool, string) { return true, "" }
	})
	ctx := t.Context()
	ramp := &switches.Ramp{At: -1, Steps: []switches.Step{{Percent: 5, Wait: switches.Duration(time.Hour)}, {Percent: 50, Wait: switches.Duration(time.Hour)}}}
	must[Published](t)(b.Save(ctx, Edit{Env: Production, Switch: switches.Switch{Key: "r", State: switches.Partial, Ramp: ramp}, By: me}))
	must[Published](t)(b.Save(ctx, Edit{Env: Production, Switch: switches.Switch{Key: "s", State: switches.Off,
		Schedule: []switches.Change{{At: monday.Add(90 * time.Minute), State: switches.On}}}, By: me}))
	at := func(after time.Duration, wantPercent float64, by string) {
		t.Helper()
		c.add(after)
		b.step(ctx, c.Now())
		if e, _ := b.Entry(Production, "r"); e.Everyone.Percent != wantPercent || e.ByKind != by {
			t.Errorf("after %s more: %v %% by %s", after, e.Everyone.Percent, e.ByKind)
		}
	}
	at(0, 5, "ramp")
	at(30*time.Minute, 5, "ramp")
	at(31*time.Minute, 50, "ramp")
	if e, _ := b.Entry(Production, "s"); e.State != switches.Off {
		t.Error("the schedule is early")
	}
	must[Published](t)(b.Flip(ctx, Production, "r", Flip{Percent: percent(20)}, me, "slower"))
	at(2*time.Hour, 20, "person")
	if e, _ := b.Entry(Production, "s"); e.State != switches.On || e.ByKind != "schedule" || len(e.Schedule) != 0 {
		t.Errorf("%+v", e)
	}
	if e, _ := b.Entry(Production, "r"); !e.Ramp.Paused || b.RampWhy(Production, "r") != "" && b.RampWhy(Production, "r") != "it is paused" {
		t.Errorf("%+v", e.Ramp)
	}
}

// TestSchedulePublishesItself: answers follow a schedule though nobody writes it down.
func TestSchedulePublishesItself(t *testing.T) {
	t.Parallel()
	c := &clock{now: monday}
	b := newBoard(t, 1, func(o *Options) { o.Now = c.Now })
	must[Published](t)(b.Save(t.Context(), Edit{Env: Production, Switch: switches.Switch{Key: "s", State: switches.Off,
		Schedule: []switches.Change{{At: monday.Add(time.Minute), State: switches.On}}}, By: me}))
	c.add(time.Minute)
	until(t, "it is on", func() bool { return b.Holder(Production).On("s", nil) })
}
