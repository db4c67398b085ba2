package impact

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/guard"
)

// received are the sums of a switch by the end of their window.
type received map[time.Time][]*store.ReceivedSwitchSum

// freezeAfter is how many requests without the switch the boundaries of slow ones are taken from.
const freezeAfter = 500

// maxCarries is how many windows with one side empty are taken together with the next, a minute: their failures would say nothing
// alone. When to stop depends on exposures, not on failures, and so does not void the test.
const maxCarries = 12

// judgeAll takes what was received into the evidence of every switch, and gives what is decided.
func (w *watcher) judgeAll(rows []store.ReceivedSwitchSum, to time.Time) (out []store.GuardDecision, err error) {
	byKey := map[watched]received{}
	for n := range rows {
		r := &rows[n]
		key, _ := answerOf(r.Label)
		at := watched{w.envOf(r.EnvName), key}
		if byKey[at] == nil {
			byKey[at] = received{}
		}
		end := r.Received.UTC().Truncate(model.GuardWindow).Add(model.GuardWindow)
		byKey[at][end] = append(byKey[at][end], r)
	}
	if w.Environments == nil || w.Switches == nil {
		return nil, nil
	}
	for _, env := range w.Environments() {
		list := w.Switches(env)
		for n := range list {
			s := &list[n]
			d, err := w.judge(env, s, byKey[watched{env, s.Key}], to)
			if err != nil {
				return nil, err
			}
			out = append(out, d...)
		}
	}
	return out, nil
}

// judge is the same for one switch. One that nobody was ever exposed to is not tracked.
func (w *watcher) judge(env string, s *switches.Switch, rows received, to time.Time) ([]store.GuardDecision, error) {
	at := watched{env, s.Key}
	t := w.known[at]
	if t == nil {
		if len(rows) == 0 || !live(s) {
			return nil, nil
		}
		t = &tracked{Share: shareOf(s), ShareAt: to}
		w.known[at] = t
	}
	w.follow(t, s, rows, to)
	if !live(s) {
		return nil, nil
	}
	t.Spread = w.spreadOf(at)
	if err := w.addWindows(t, s, at, rows, to); err != nil {
		return nil, err
	}
	v := t.State.Judge(settings(s, to))
	decisions, err := w.decide(t, s, at, v, to)
	t.changed = t.changed || len(rows) > 0 || len(decisions) > 0
	t.Would, t.Acting = v.Would, v.Action
	return decisions, err
}

// follow tells the evidence what became of the switch: fewer percent, or a new release, start it again.
func (w *watcher) follow(t *tracked, s *switches.Switch, rows received, to time.Time) {
	share := shareOf(s)
	if share != t.Share {
		t.Share, t.ShareAt, t.People, t.changed = share, to, 0, true
		t.State.People = guard.People{}
	}
	if t.State.Change(to, share, w.releaseOf(rows)) {
		t.Would, t.Acting, t.Warned, t.changed = guard.Watch, guard.Watch, false, true
		t.carried, t.carries, t.control = guard.Window{}, 0, nil
	}
}

// releaseOf names the newest releases of the projects that sums are of; "" when nothing was received.
func (w *watcher) releaseOf(rows received) string {
	names := map[int64]string{}
	for _, list := range rows {
		for _, r := range list {
			names[r.Project] = w.releases[r.Project]
		}
	}
	var all []string
	for project, name := range names {
		if name != "" {
			all = append(all, fmt.Sprintf("%d=%s", project, name))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// addWindows adds what was received, window by window, and one that ends the step: silence is told by it.
func (w *watcher) addWindows(t *tracked, s *switches.Switch, at watched, rows received, to time.Time) error {
	ends := make([]time.Time, 0, len(rows))
	for end := range rows {
		ends = append(ends, end)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, end := range ends {
		if err := w.addWindow(t, s, at, rows[end], end); err != nil {
			return err
		}
	}
	if len(ends) == 0 || ends[len(ends)-1].Before(to) {
		return w.add(t, s, guard.Window{At: to})
	}
	return nil
}

func (w *watcher) addWindow(t *tracked, s *switches.Switch, at watched, list []*store.ReceivedSwitchSum, end time.Time) error {
	win := t.carried
	win.At = end
	w.freeze(t, s, list)
	for _, r := range list {
		_, variant := answerOf(r.Label)
		if err := addArm(&win, s, &r.SwitchRollup, variant, t.State.Bounds); err != nil {
			return err
		}
	}
	if empty := win.With.Subjects == 0 || win.Without.Subjects == 0; empty && t.carries < maxCarries && shareOf(s) < 100 {
		t.carried, t.carries = win, t.carries+1
		return nil
	}
	t.carried, t.carries = guard.Window{}, 0
	if end.Truncate(time.Minute) == end {
		win.Past = w.pastOf(at, end.Add(-24*time.Hour-time.Minute))
	}
	return w.add(t, s, win)
}

// add adds a window. One that ends before the last, of another process's clock, is counted at its time.
func (w *watcher) add(t *tracked, s *switches.Switch, win guard.Window) error {
	win.At, win.Spread = later(win.At, t.State.At), t.Spread
	win.People = t.State.People
	if err := t.State.Add(win); err != nil {
		return fmt.Errorf("cannot judge %s: %w", s.Key, err)
	}
	return nil
}

// freeze takes the boundaries above which answers are slow from enough requests without the switch.
func (w *watcher) freeze(t *tracked, s *switches.Switch, list []*store.ReceivedSwitchSum) {
	if s.Guard == nil || !(s.Guard.Latency || s.Guard.Queries) || t.State.Bounds.Frozen {
		return
	}
	if t.control == nil {
		t.control = store.NewSwitchTotal(store.SwitchRollup{Endpoint: -1})
	}
	for _, r := range list {
		if _, variant := answerOf(r.Label); isOff(s, variant) && t.control.Add(&r.SwitchRollup) != nil {
			return // it cannot be read; addArm says so
		}
	}
	if t.control.Seen < freezeAfter {
		return
	}
	var slow, queries [3]float64
	for n, q := range guard.Quantiles() {
		slow[n], queries[n] = t.control.DurationsOf().Quantile(q), t.control.QueriesOf().Quantile(q)
	}
	t.State.Freeze(slow, queries)
	t.control = nil
}

// gravity orders what a guard does.
func gravity(a guard.Action) int {
	return slices.Index([]guard.Action{guard.Watch, guard.Hold, guard.Kill}, cmp.Or(a, guard.Watch))
}

// decide notes what is new in a verdict.
func (w *watcher) decide(t *tracked, s *switches.Switch, at watched, v guard.Verdict, now time.Time) (out []store.GuardDecision, err error) {
	note := func(action Action, text string) {
		if err != nil {
			return
		}
		var evidence []byte
		evidence, err = json.Marshal(evidenceOf(v, t))
		out = append(out, store.GuardDecision{ID: w.IDs.Next(), Env: at.env, Key: at.key, At: now, Action: string(action), Reason: text, Evidence: evidence})
	}
	quiet := v.Reason == guard.Silent && s.Ramp == nil // nothing waits for it
	switch graver := gravity(v.Would) > gravity(t.Would) || gravity(v.Action) > gravity(t.Acting); {
	case quiet:
	case graver && v.Action == guard.Kill:
		note(ActKill, v.Text)
	case graver && v.Action == guard.Hold:
		note(ActHold, v.Text)
	case graver && v.Would == guard.Kill:
		note(ActWouldKill, v.Text)
	case graver && v.Would == guard.Hold:
		note(ActWouldHold, v.Text)
	case gravity(v.Action) < gravity(t.Acting) && t.Acting == guard.Hold:
		note(ActRelease, v.Text)
	}
	if v.Warning != "" && !t.Warned {
		note(ActWarn, v.Warning)
	}
	t.Warned = v.Warning != ""
	return out, err
}

// evidenceOf is the figures of a verdict.
func evidenceOf(v guard.Verdict, t *tracked) Evidence {
	e := Evidence{E: v.Evidence, Dispersion: max(t.Spread.Errors, 1), Since: t.State.Began}
	if len(v.Findings) > 0 {
		f := v.Findings[0]
		e.Exposed, e.Failed, e.Control, e.ControlFailed = f.With.Of, f.With.Count, f.Without.Of, f.Without.Count
		e.Ratio = Band{f.Ratio.Value, f.Ratio.Low, f.Ratio.High}
	}
	return e
}
