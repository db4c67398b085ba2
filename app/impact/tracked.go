package impact

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/guard"
)

func readTracked(ctx context.Context, s *store.Store) (map[watched]*tracked, error) {
	rows, err := s.GuardRows(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[watched]*tracked, len(rows))
	for _, r := range rows {
		t := &tracked{}
		if err := json.Unmarshal(r.State, t); err != nil {
			t = &tracked{} // written by a version that knew others: the evidence starts again
		}
		out[watched{r.Env, r.Key}] = t
	}
	return out, nil
}

// copied shares nothing with t that changes.
func (t *tracked) copied() tracked {
	c := *t
	s := &c.State
	for _, p := range []*guard.Process{&s.Errors, &s.Past, &s.Slow[0], &s.Slow[1], &s.Slow[2], &s.Queries[0], &s.Queries[1], &s.Queries[2]} {
		p.Shares = slices.Clone(p.Shares)
	}
	s.Resets, c.control = slices.Clone(s.Resets), nil
	return c
}

// changedRows are the states that are to be written.
func (w *watcher) changedRows(at time.Time) (rows []store.GuardRow, err error) {
	for key, t := range w.known {
		if !t.changed {
			continue
		}
		state, err := json.Marshal(t)
		if err != nil {
			return nil, fmt.Errorf("cannot write what the guard knows of %s: %w", key.key, err)
		}
		rows = append(rows, store.GuardRow{Env: key.env, Key: key.key, Updated: at, State: state})
		t.changed = false
	}
	return rows, nil
}

// settings are what a switch's evidence is judged by. While a person has let it rest, the guard only says what it would do.
func settings(s *switches.Switch, now time.Time) guard.Settings {
	g := s.Guard
	if g == nil {
		g = &switches.Guard{}
	}
	set := guard.Settings{Mode: guard.Mode(g.Mode), Hold: g.Hold, Kill: g.Kill, Latency: g.Latency, Queries: g.Queries}
	if now.Before(g.PausedUntil) && set.Mode != guard.Idle {
		set.Mode = guard.Shadow
	}
	return set
}

// live tells whether anybody may get an answer that is on.
func live(s *switches.Switch) bool { return !s.Killed && s.State != switches.Off }

// shareOf is the percent of everyone that a switch is on for.
func shareOf(s *switches.Switch) float64 {
	switch {
	case !live(s):
		return 0
	case s.State == switches.Partial:
		return s.Everyone.Percent
	}
	return 100
}

// meantShare is the share of people that should have an answer that is on, 0 to 1; 0 when conditions, overrides or another switch
// decide, too, so that nothing can be told.
func meantShare(s *switches.Switch) float64 {
	plain := s.State == switches.Partial && len(s.Sets)+len(s.Overrides)+len(s.Requires)+len(s.Schedule) == 0 && s.BucketBy == "" && s.Labs == nil &&
		s.Take == 0 && (s.Ramp == nil || s.Ramp.Holdout == 0)
	for _, c := range s.Key {
		plain = plain && c != ':'
	}
	if !plain {
		return 0
	}
	return s.Everyone.Percent / 100
}

// srmSigmas is where the chance of a share to be off by chance is 0.001.
const srmSigmas = 3.29

// offShare tells whether a share of people is off by more than chance and the error of their counts, which are sketches, make it.
func offShare(with, without int64, meant float64) bool {
	n := float64(with + without)
	if n < guard.SampleRatioPeople || meant <= 0 || meant >= 1 {
		return false
	}
	p := meant * (1 - meant)
	sketched := sketch.DistinctError * p
	return math.Abs(float64(with)/n-meant) > srmSigmas*math.Sqrt(p/n+2*sketched*sketched)
}

// arms adds a sum to the side that it is on.
func addArm(w *guard.Window, s *switches.Switch, r *store.SwitchRollup, variant string, b guard.Bounds) error {
	arm := &w.With
	if isOff(s, variant) {
		arm = &w.Without
	}
	arm.Subjects, arm.Failed = arm.Subjects+r.Exposed, arm.Failed+r.Hurt
	if !b.Frozen || r.Seen == 0 {
		return nil
	}
	t := store.NewSwitchTotal(store.SwitchRollup{Endpoint: -1})
	if err := t.Add(r); err != nil {
		return err
	}
	arm.Requests += r.Seen
	for n := range b.Slow {
		arm.Slow[n] += above(t.DurationsOf(), b.Slow[n], r.Seen)
		arm.Queries[n] += above(t.QueriesOf(), b.Queries[n], r.Seen)
	}
	return nil
}

// above is how many of the requests that were seen were above a boundary. Those that a request stands for are no evidence.
func above(s *sketch.Sketch, boundary float64, seen int64) int64 {
	all := s.Count()
	if all <= 0 {
		return 0
	}
	share := min(max(1-s.Below(boundary)/all, 0), 1)
	return min(int64(math.Round(share*float64(seen))), seen)
}
