package impact

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kibitz/app/store"
	"kibitz/app/switches"
)

// carryOut does what was decided and not done yet, oldest first. What fails is tried again with the next step; a kill that was done
// before the process died is done once more, which changes nothing.
func (w *watcher) carryOut(ctx context.Context) error {
	open, err := w.Store.OpenGuardDecisions(ctx)
	if err != nil {
		return err
	}
	for _, d := range open {
		if err := w.carry(ctx, d); err != nil {
			return err
		}
		if err := w.Store.GuardDecisionDone(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) carry(ctx context.Context, stored store.GuardDecision) error {
	d := decisionOf(stored)
	s := w.switchesOf(d.Env)[d.Key]
	if d.Action == ActKill && w.Kill != nil && s != nil && !s.Killed {
		if err := w.Kill(ctx, d.Env, d.Key, d.Text); err != nil {
			return fmt.Errorf("cannot kill %s: %w", d.Key, err)
		}
	}
	w.Log.Warn("guard of switches", "action", string(d.Action), "env", d.Env, "switch", d.Key, "why", d.Text)
	if w.Alert == nil || d.Action == ActRelease || d.Action == ActReset {
		return nil
	}
	if s == nil {
		s = &switches.Switch{}
	}
	if err := w.Alert(ctx, Alert{Decision: d, Project: s.Project, Owner: s.Owner}); err != nil {
		w.Log.Error("nobody could be told what the guard of switches did", "switch", d.Key, "err", err)
	}
	return nil
}

func decisionOf(s store.GuardDecision) Decision {
	d := Decision{ID: s.ID, Env: s.Env, Key: s.Key, At: s.At, Action: Action(s.Action), Text: s.Reason}
	if err := json.Unmarshal(s.Evidence, &d.Evidence); err != nil {
		d.Evidence = Evidence{} // the sentence says it, too
	}
	return d
}

// maxDecisions is how many decisions are told of.
const maxDecisions = 100

// Decisions are what the guard of a switch did, newest first; of all switches of an environment when key is "".
func (i *Impact) Decisions(ctx context.Context, env, key string) ([]Decision, error) {
	rows, err := i.Store.GuardDecisions(ctx, env, key, maxDecisions)
	if err != nil {
		return nil, err
	}
	out := make([]Decision, len(rows))
	for n, r := range rows {
		out[n] = decisionOf(r)
	}
	return out, nil
}

func (i *Impact) trackedOf(env, key string) (t tracked, ok bool) {
	i.guards.mu.RLock()
	defer i.guards.mu.RUnlock()
	t, ok = i.guards.known[watched{env, key}]
	return t, ok
}

// Guard is what the guard of a switch knows, some seconds old at the most.
func (i *Impact) Guard(env, key string) GuardView { return i.GuardOf(env, i.switchesOf(env)[key]) }

// GuardOf is Guard for who has the switch at hand, which saves the look among all of them.
func (i *Impact) GuardOf(env string, s *switches.Switch) GuardView {
	key := ""
	if s != nil {
		key = s.Key
	}
	t, known := i.trackedOf(env, key)
	switch {
	case s == nil:
		return GuardView{Why: "there is no such switch"}
	case s.Killed:
		return GuardView{Why: "it is killed: nobody gets it", Holding: true}
	case !live(s):
		return GuardView{Why: "it is off: nobody gets it"}
	case !known:
		return GuardView{Watching: true, Why: "watching: no request has named it yet"}
	}
	v := t.State.Verdict(settings(s, time.Now()))
	g := GuardView{Watching: true, Why: v.Text, Holding: v.Action != "watch", Warning: v.Warning, People: t.People, Evidence: evidenceOf(v, &t)}
	if s.Guard != nil && time.Now().Before(s.Guard.PausedUntil) {
		g.Warning = join(g.Warning, "it only watches until "+s.Guard.PausedUntil.UTC().Format("15:04")+" UTC")
	}
	return g
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// RampReady tells whether a switch's ramp may leave a step: so many people as it asks for have had the switch since it began, and the
// guard is content. why says what it waits for.
func (i *Impact) RampReady(env, key string, step int) (ready bool, why string) {
	s := i.switchesOf(env)[key]
	if s == nil || s.Ramp == nil || step < 0 || step >= len(s.Ramp.Steps) {
		return false, "it has no such step"
	}
	g := i.GuardOf(env, s)
	if g.Holding {
		return false, g.Why
	}
	need := s.Ramp.Steps[step].Subjects
	if need > 0 && g.People < need {
		return false, fmt.Sprintf("%d of %d people have had it", g.People, need)
	}
	return true, ""
}
