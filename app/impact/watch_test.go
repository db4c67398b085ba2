package impact

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

// actions are what a guard did, oldest first.
func (k *desk) actions(key string) (list []Action) {
	k.t.Helper()
	decisions, err := k.Decisions(k.ctx, "production", key)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, d := range decisions {
		list = append(list, d.Action)
	}
	slices.Reverse(list)
	return list
}

// TestKill holds that a switch that breaks every third visit at 5 % is killed once, explained and told, that the one beside it is
// not, and that turned on again it is judged afresh.
func TestKill(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("risky", 5), partly("tea", 5))
	k.begin()
	for range 40 {
		k.window(5, 3)
	}
	k.watch()
	k.watch()
	if !slices.Equal(k.killed, []string{"risky"}) {
		t.Fatalf("killed are %v", k.killed)
	}
	if got := k.actions("risky"); got[len(got)-1] != ActKill || slices.Contains(k.actions("tea"), ActKill) {
		t.Errorf("risky: %v, tea: %v", got, k.actions("tea"))
	}
	decisions, _ := k.Decisions(k.ctx, "production", "risky")
	if d := decisions[0]; !strings.HasPrefix(d.Text, "killed: errors") || d.Evidence.E < 1000 || d.Evidence.Failed < 5 || d.Evidence.Ratio.Low <= 1 {
		t.Errorf("it is explained by %+v", d)
	}
	if last := k.alerts[len(k.alerts)-1]; last.Key != "risky" || last.Action != ActKill {
		t.Errorf("told is %+v", k.alerts)
	}
	if g := k.Guard("production", "tea"); !g.Watching || g.Holding || g.Exposed == 0 {
		t.Errorf("the guard of tea knows %+v", g)
	}
	k.again()
}

// again turns the killed switch on again, now without its fault.
func (k *desk) again() {
	k.t.Helper()
	k.window(0, 0)
	k.watch()
	k.list[0].Killed = false
	for range 20 {
		k.window(5, 0)
	}
	k.watch()
	if len(k.killed) != 1 {
		k.t.Errorf("it was killed again: %v", k.actions("risky"))
	}
	if g := k.Guard("production", "risky"); g.E >= 20 || g.Holding {
		k.t.Errorf("the old evidence is still there: %+v", g)
	}
}

// TestModes holds what a guard may do: only say, only hold, rest for a while, nothing.
func TestModes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		guard *switches.Guard
		want  []Action
		holds bool
	}{
		"shadow": {&switches.Guard{Mode: switches.GuardShadow}, []Action{ActWouldKill}, false},
		"hold":   {&switches.Guard{Mode: switches.GuardHold}, []Action{ActHold}, true},
		"paused": {&switches.Guard{PausedUntil: time.Now().Add(time.Hour)}, []Action{ActWouldKill}, false},
		"off":    {&switches.Guard{Mode: switches.GuardOff}, nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := partly("risky", 5)
			s.Guard, s.Ramp = test.guard, &switches.Ramp{Steps: []switches.Step{{Percent: 5, Subjects: 10}}}
			k := newDesk(t, s)
			k.begin()
			for range 40 {
				k.window(5, 2)
			}
			k.watch()
			if got := k.actions("risky"); !endsWith(got, test.want) || len(k.killed) > 0 {
				t.Errorf("did %v, not %v; killed %v", got, test.want, k.killed)
			}
			if g := k.Guard("production", "risky"); g.Holding != test.holds {
				t.Errorf("holds: %+v", g)
			}
		})
	}
}

func endsWith(list, end []Action) bool {
	return len(list) >= len(end) && slices.Equal(list[len(list)-len(end):], end) && (len(end) > 0 || len(list) == 0)
}

// TestTwoGuards holds that what was received counts once, whoever looks, and that a guard that was away goes on where it stood.
func TestTwoGuards(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("risky", 50))
	k.begin()
	one, two := &watcher{Impact: k.Impact}, &watcher{Impact: k.Impact}
	for range 5 {
		k.window(50, 0)
		for _, w := range []*watcher{one, two} {
			w.limit = k.now
			if err := w.catchUp(k.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.watch()
	known, err := readTracked(k.ctx, k.Store)
	if err != nil {
		t.Fatal(err)
	}
	if p := known[watched{"production", "risky"}].State.Errors; p.With+p.Without != 500 {
		t.Errorf("500 people were exposed, %d are counted", p.With+p.Without)
	}
}

// TestLooks holds that pages may look while the guard is at work.
func TestLooks(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("risky", 50), partly("tea", 50))
	k.begin()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 500 {
			k.Guard("production", "tea")
			k.Ask("production", "tea", "on", 1)
		}
	}()
	w := &watcher{Impact: k.Impact}
	for range 4 {
		k.window(50, 0)
		w.limit = k.now
		if err := w.catchUp(k.ctx); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	if g := k.Guard("production", "tea"); g.Exposed+g.Control == 0 {
		t.Errorf("it knows %+v", g)
	}
}

// TestRampReady holds what a ramp waits for.
func TestRampReady(t *testing.T) {
	t.Parallel()
	s := partly("risky", 50)
	s.Ramp = &switches.Ramp{Steps: []switches.Step{{Percent: 50, Subjects: 100}, {Percent: 100, Subjects: 100_000}}}
	k := newDesk(t, s)
	k.begin()
	k.window(50, 0)
	k.watch()
	if ready, why := k.RampReady("production", "risky", 0); ready || why != "0 of 100 people have had it" {
		t.Errorf("too early: %v %s", ready, why)
	}
	k.now = k.now.Add(2 * time.Minute)
	for range 13 {
		k.window(50, 0)
	}
	k.watch()
	k.now = k.now.Add(2 * time.Minute) // people are counted every minute
	k.watch()
	if ready, why := k.RampReady("production", "risky", 0); !ready {
		t.Errorf("it waits: %s", why)
	}
	if ready, why := k.RampReady("production", "risky", 1); ready || !strings.Contains(why, "of 100000 people") {
		t.Errorf("it does not wait: %s", why)
	}
}

// TestShare holds that a share which is off stops the judging, and one that is not is let be.
func TestShare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		with, without int64
		meant         float64
		want          bool
	}{{500, 500, 0.5, false}, {60, 40, 0.5, false}, {700, 300, 0.5, true}, {10_200, 9_800, 0.5, false}, {13_000, 7_000, 0.5, true}, {500, 500, 0, false}, {50, 950, 0.05, false}, {150, 850, 0.05, true}} {
		if got := offShare(test.with, test.without, test.meant); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	k := newDesk(t, partly("risky", 50))
	k.begin()
	k.now = k.now.Add(2 * time.Minute)
	for range 40 {
		k.window(80, 0) // programs do not do as they are told
	}
	k.watch()
	k.now = k.now.Add(2 * time.Minute)
	k.watch()
	if g := k.Guard("production", "risky"); !g.Holding || !strings.Contains(g.Why, "where 50 % were meant") {
		t.Errorf("it says %+v", g)
	}
}
