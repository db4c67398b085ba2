package guard

import "time"

// MaxResets is how often within a day the evidence is started again. Each start spends the probability of a false kill
// anew; a switch that is turned to and fro keeps its evidence after so many.
const MaxResets = 8

// Change tells the guard what became of the switch, at a moment. Fewer percent or another release start the evidence
// again, since what failed before is not what is judged now; more percent keep it. It answers whether it started again.
// An empty release is unknown and changes nothing.
func (s *State) Change(at time.Time, percent float64, release string) bool {
	fewer := percent < s.Percent
	other := release != "" && s.Release != "" && release != s.Release
	if s.Percent = percent; release != "" {
		s.Release = release
	}
	return (fewer || other) && s.Reset(at)
}

// Reset starts the evidence again, unless MaxResets within a day forbid it.
func (s *State) Reset(at time.Time) bool {
	s.forget(at)
	if len(s.Resets) >= MaxResets {
		s.Refused++
		return false
	}
	*s = State{Percent: s.Percent, Release: s.Release, Resets: append(s.Resets, at)}
	return true
}

// forget drops resets that are older than a day.
func (s *State) forget(at time.Time) {
	var kept []time.Time
	for _, r := range s.Resets {
		if at.Sub(r) < 24*time.Hour {
			kept = append(kept, r)
		}
	}
	if s.Resets = kept; len(kept) < MaxResets {
		s.Refused = 0
	}
}
