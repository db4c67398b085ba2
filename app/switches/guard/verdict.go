package guard

import (
	"fmt"
	"math"
	"time"
)

// Action is what the guard does, or would do.
type Action string

// The actions, from the least to the gravest.
const (
	Watch Action = "watch" // nothing
	Hold  Action = "hold"  // take no further step of the ramp, and tell
	Kill  Action = "kill"  // turn it off for everyone, and tell
)

// Mode is what the guard may do.
type Mode string

// The modes; they are written as those of app/switches.
const (
	MayKill Mode = "kill"
	MayHold Mode = "hold"
	Shadow  Mode = "shadow"
	Idle    Mode = "off"
)

// Settings are what evidence is judged by. The zero value has the defaults.
type Settings struct {
	Mode Mode    // "" is MayKill
	Hold float64 // evidence; 0 is DefaultHold
	Kill float64 // evidence; 0 is DefaultKill
	// Fewest is how many failures with the feature there must be before it is judged; 0 is DefaultFewest.
	Fewest int64
	// Latency and Queries let slower answers and more queries count as harm.
	Latency, Queries bool
}

// The defaults. Without harm a switch is held once in 20 versions at most, and killed once in 1,000 at most.
const (
	DefaultHold   = 20
	DefaultKill   = 1000
	DefaultFewest = 5
)

// What makes counts unfit to be judged.
const (
	// Silence is how long nobody may be exposed.
	Silence = 15 * time.Minute
	// SampleRatioPeople is how many people the check of the share needs.
	SampleRatioPeople = 200
	// SampleRatioChi is the χ² of one degree of freedom whose p is 0.001: with more, the share is not the one meant.
	SampleRatioChi = 10.828
)

// Reason is why the verdict is what it is.
type Reason string

// The reasons.
const (
	Off         Reason = "off"          // the mode
	Nothing     Reason = "nothing"      // no window yet
	SampleRatio Reason = "sample_ratio" // the share is not the one meant: the two groups cannot be compared
	Silent      Reason = "silent"       // nobody was exposed for a while
	Alone       Reason = "alone"        // nobody is without the feature
	Few         Reason = "few"          // too few failures to judge
	Quiet       Reason = "quiet"        // evidence under both levels
	Harm        Reason = "harm"         // evidence
)

// Rate is how many of how many.
type Rate struct {
	Count int64 `json:"count"`
	Of    int64 `json:"of"`
}

// Value is the rate, 0 of nothing.
func (r Rate) Value() float64 {
	if r.Of == 0 {
		return 0
	}
	return float64(r.Count) / float64(r.Of)
}

// Finding is what is known of one kind of harm.
type Finding struct {
	Kind    string  `json:"kind"` // errors, latency, queries
	With    Rate    `json:"with"`
	Without Rate    `json:"without"`
	Above   float64 `json:"above,omitempty"` // the boundary, of latency in microseconds
	Ratio   Ratio   `json:"ratio"`
	// Evidence of this kind alone; of latency and queries the mean over the three boundaries.
	Evidence float64 `json:"evidence"`
	log      float64
}

// Verdict is a decision and all it rests on.
type Verdict struct {
	At       time.Time `json:"at,omitzero"`
	Action   Action    `json:"action"` // to be done
	Would    Action    `json:"would"`  // what would be done if the mode allowed it
	Reason   Reason    `json:"reason"`
	Evidence float64   `json:"evidence"` // mean over the kinds that count
	Findings []Finding `json:"findings,omitempty"`
	Chi      float64   `json:"chi,omitempty"` // χ² of the share, 0 unchecked
	// Warning is what a person should know though nothing is done; "" nothing.
	Warning string `json:"warning,omitempty"`
	// Text explains the decision in a sentence with its numbers.
	Text string `json:"text"`
}

func (set Settings) filled() Settings {
	if set.Mode == "" {
		set.Mode = MayKill
	}
	if !(set.Hold > 0) {
		set.Hold = DefaultHold
	}
	if !(set.Kill > 0) {
		set.Kill = DefaultKill
	}
	if set.Fewest <= 0 {
		set.Fewest = DefaultFewest
	}
	return set
}

// Judge is Verdict, and remembers when it first came to hold and to kill.
func (s *State) Judge(set Settings) Verdict {
	v := s.Verdict(set)
	if v.Reason != Harm {
		return v
	}
	if s.HeldAt.IsZero() {
		s.HeldAt = s.At
	}
	if v.Would == Kill && s.KilledAt.IsZero() {
		s.KilledAt = s.At
	}
	return v
}

// Verdict judges the evidence so far. Health comes first: counts that cannot be compared are not judged.
func (s State) Verdict(set Settings) Verdict {
	set = set.filled()
	v := Verdict{At: s.At, Action: Watch, Would: Watch, Evidence: 1, Chi: s.People.chi()}
	if set.Mode == Idle {
		v.Reason, v.Text = Off, "the guard of this switch is off"
		return v
	}
	if s.At.IsZero() {
		v.Reason, v.Text = Nothing, "nothing was counted yet"
		return v
	}
	s.weigh(&v, set)
	s.decide(&v, set)
	v.Action = set.allowed(v.Would)
	v.Text = s.explain(v, set)
	if s.Refused > 0 {
		v.Warning = join(v.Warning, fmt.Sprintf("the evidence was started again %d times within a day, which is the limit; it goes on from what was counted before the last change", MaxResets))
	}
	return v
}

func (s State) decide(v *Verdict, set Settings) {
	switch {
	case v.Chi > SampleRatioChi:
		v.Reason, v.Would = SampleRatio, Hold
	case s.At.Sub(later(s.Began, s.WithAt)) >= Silence:
		v.Reason, v.Would = Silent, Hold
	case s.At.Sub(later(s.Began, s.WithoutAt)) >= Silence:
		v.Reason, v.Warning = Alone, s.warning(set)
	case v.Evidence >= set.Kill:
		v.Reason, v.Would = Harm, Kill
	case v.Evidence >= set.Hold:
		v.Reason, v.Would = Harm, Hold
	case s.Errors.Failed < set.Fewest:
		v.Reason = Few
	default:
		v.Reason = Quiet
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// allowed is what a mode makes of an action.
func (set Settings) allowed(a Action) Action {
	switch {
	case set.Mode == Shadow:
		return Watch
	case set.Mode == MayHold && a == Kill:
		return Hold
	}
	return a
}

// weigh takes the mean evidence of all kinds that count, which is evidence again: without harm its expectation is 1. A kind
// with too few failures counts as 0, which only makes it less.
func (s State) weigh(v *Verdict, set Settings) {
	s.find(v, set, "errors", []Process{s.Errors}, [3]float64{})
	if set.Latency {
		s.find(v, set, "latency", s.Slow[:], s.Bounds.Slow)
	}
	if set.Queries {
		s.find(v, set, "queries", s.Queries[:], s.Bounds.Queries)
	}
	var logs []float64
	for _, f := range v.Findings {
		logs = append(logs, f.log)
	}
	v.Evidence = evidence(logMean(logs))
}

// find tells one kind, by the boundary that speaks most clearly.
func (s State) find(v *Verdict, set Settings, kind string, parts []Process, bounds [3]float64) {
	best, logs := 0, make([]float64, len(parts))
	for i := range parts {
		if logs[i] = math.Inf(-1); parts[i].Failed >= set.Fewest {
			logs[i] = parts[i].LogEvidence()
		}
		if logs[i] > logs[best] {
			best = i
		}
	}
	p := parts[best]
	v.Findings = append(v.Findings, Finding{Kind: kind, With: Rate{p.Failed, p.With}, Without: Rate{p.Others, p.Without}, Above: bounds[best],
		Ratio: p.Ratio(), Evidence: evidence(logMean(logs)), log: logMean(logs)})
}

// chi is χ² of the share that people have against the one meant, with one degree of freedom; 0 where it cannot be told.
func (p People) chi() float64 {
	n := float64(p.With) + float64(p.Without)
	if n < SampleRatioPeople || p.Expected <= 0 || p.Expected >= 1 {
		return 0
	}
	d := float64(p.With) - n*p.Expected
	return d * d / (n * p.Expected * (1 - p.Expected))
}
