// Package guard judges whether a feature switch harms those who get it. It is pure: counts go in, a verdict with its
// reasons comes out. It reads no clock and asks nobody; the moments are those of the windows that it is given.
//
// The test is a conditional Poisson e-process. Of all failures in a window, those of subjects with the feature are a share
// that is known in advance if the feature does no harm: the share of exposures. How much likelier the counts are under a
// harm of ratio θ than under none is multiplied up window by window; the mean over some θ is the evidence E. Without harm
// E reaches 1/α with probability α at most, however often one looks (Ville's inequality), so there is no price for
// looking every second, no minimum duration and no correction. Shares and traffic may change freely, and an incident that
// meets everybody cancels out. See Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
package guard

import (
	"fmt"
	"math"
	"time"
)

// Quantiles are those of the control's latency and query counts at which boundaries are frozen.
var quantiles = [3]float64{0.5, 0.95, 0.99}

// Quantiles answers at which quantiles of control boundaries are frozen.
func Quantiles() [3]float64 { return quantiles }

// Above counts requests above each of the frozen boundaries.
type Above [3]int64

// Arm is what was counted in a window of those with, or of those without, the feature.
type Arm struct {
	Subjects int64 `json:"subjects"` // distinct ones that were exposed in this window
	Failed   int64 `json:"failed"`   // failures; a subject counts once a window and error group
	Requests int64 `json:"requests"` // whose duration and queries were measured
	Slow     Above `json:"slow"`     // requests that took longer than the boundaries
	Queries  Above `json:"queries"`  // requests that made more queries than the boundaries
}

// People is how many distinct subjects had and had not the feature since its share last changed. The counts must be exact:
// the error of a sketch looks like a wrong share.
type People struct {
	With     int64   `json:"with"`
	Without  int64   `json:"without"`
	Expected float64 `json:"expected"` // share that the rollout means to have, 0 to 1; 0 or 1 is not checked
}

// Spread is how much more counts vary than by chance alone (see Dispersion), for each kind of harm; 0 is 1.
type Spread struct {
	Errors  float64 `json:"errors"`
	Slow    float64 `json:"slow"`
	Queries float64 `json:"queries"`
}

// Window is what was counted in a stretch of 1 to 10 seconds. Windows without any exposure are added, too: silence is told
// by them.
type Window struct {
	At      time.Time // its end; not before that of the window before
	With    Arm
	Without Arm
	// Past is the same endpoints over an equal time before everyone got the feature. It is compared only where Without is
	// empty, and only to warn.
	Past   Arm
	People People // the latest; the zero value leaves the earlier ones
	Spread Spread
}

// State is the evidence on one version of a switch in one environment. The zero value is ready. It can be stored as JSON.
type State struct {
	Began time.Time `json:"began,omitzero"` // first window since the evidence was started again
	At    time.Time `json:"at,omitzero"`    // last window
	// WithAt and WithoutAt are the last windows in which someone had, and had not, the feature.
	WithAt    time.Time `json:"with_at,omitzero"`
	WithoutAt time.Time `json:"without_at,omitzero"`

	Errors  Process    `json:"errors"`
	Slow    [3]Process `json:"slow"`    // a boundary each
	Queries [3]Process `json:"queries"` // a boundary each
	Past    Process    `json:"past"`    // errors against the time before

	People People `json:"people"`
	Bounds Bounds `json:"bounds"`

	Percent float64     `json:"percent"`           // that Change told last
	Release string      `json:"release,omitempty"` // that Change told last
	Resets  []time.Time `json:"resets,omitempty"`  // within a day
	Refused int64       `json:"refused,omitempty"` // resets that the limit refused within a day

	HeldAt   time.Time `json:"held_at,omitzero"`   // when Judge first found enough to hold
	KilledAt time.Time `json:"killed_at,omitzero"` // when Judge first found enough to kill
}

// Bounds are the boundaries that were frozen when the ramp began, from those without the feature.
type Bounds struct {
	Frozen  bool       `json:"frozen,omitempty"`
	Slow    [3]float64 `json:"slow"`    // microseconds
	Queries [3]float64 `json:"queries"` // queries a request
}

// Freeze keeps control's quantiles as boundaries, until the evidence is started again; a second call changes nothing,
// since boundaries that move with the counts would void the test. Callers that count by the bins of a sketch round a
// boundary up to the edge of its bin for both sides alike, which only costs power. It answers the boundaries in force.
func (s *State) Freeze(slow, queries [3]float64) Bounds {
	if !s.Bounds.Frozen {
		s.Bounds = Bounds{Frozen: true, Slow: slow, Queries: queries}
	}
	return s.Bounds
}

// MaxCount is the largest count that a window may hold.
const MaxCount = 1_000_000_000_000

// Add takes a window into the evidence. A window with impossible counts, or one that ends before the last, is refused and
// changes nothing.
func (s *State) Add(w Window) error {
	if err := w.check(); err != nil {
		return err
	}
	if w.At.Before(s.At) {
		return fmt.Errorf("cannot add window: it ends at %s, before the last one at %s", w.At.Format(time.RFC3339), s.At.Format(time.RFC3339))
	}
	s.mark(w)
	s.Errors.add(count{w.With.Subjects, w.Without.Subjects, w.With.Failed, w.Without.Failed}, w.Spread.Errors)
	for i := range quantiles {
		s.Slow[i].add(count{w.With.Requests, w.Without.Requests, w.With.Slow[i], w.Without.Slow[i]}, w.Spread.Slow)
		s.Queries[i].add(count{w.With.Requests, w.Without.Requests, w.With.Queries[i], w.Without.Queries[i]}, w.Spread.Queries)
	}
	if w.Without.Subjects == 0 {
		s.Past.add(count{w.With.Subjects, w.Past.Subjects, w.With.Failed, w.Past.Failed}, w.Spread.Errors)
	}
	return nil
}

// mark notes when what was seen last.
func (s *State) mark(w Window) {
	if s.At = w.At; s.Began.IsZero() {
		s.Began = w.At
	}
	if w.With.Subjects > 0 {
		s.WithAt = w.At
	}
	if w.Without.Subjects > 0 {
		s.WithoutAt = w.At
	}
	if w.People != (People{}) {
		s.People = w.People
	}
}

func (w Window) check() error {
	if w.At.IsZero() {
		return fmt.Errorf("cannot add window: it has no time")
	}
	if err := w.With.check("with"); err != nil {
		return err
	}
	if err := w.Without.check("without"); err != nil {
		return err
	}
	if err := w.Past.check("past"); err != nil {
		return err
	}
	if p := w.People; min(p.With, p.Without) < 0 || max(p.With, p.Without) > MaxCount {
		return fmt.Errorf("cannot add window: %d and %d people", p.With, p.Without)
	}
	if e := w.People.Expected; !(e >= 0 && e <= 1) {
		return fmt.Errorf("cannot add window: expected share %v is not from 0 to 1", e)
	}
	return w.Spread.check()
}

func (a Arm) check(name string) error {
	if min(a.Subjects, a.Failed, a.Requests) < 0 || max(a.Subjects, a.Failed, a.Requests) > MaxCount {
		return fmt.Errorf("cannot add window: %s: %d subjects, %d failures and %d requests must be from 0 to %d", name, a.Subjects, a.Failed, a.Requests, int64(MaxCount))
	}
	for i := range quantiles {
		if n := min(a.Slow[i], a.Queries[i]); n < 0 {
			return fmt.Errorf("cannot add window: %s: %d requests above a boundary", name, n)
		}
		if n := max(a.Slow[i], a.Queries[i]); n > a.Requests {
			return fmt.Errorf("cannot add window: %s: %d requests above a boundary, of %d", name, n, a.Requests)
		}
	}
	return nil
}

func (p Spread) check() error {
	for _, v := range []float64{p.Errors, p.Slow, p.Queries} {
		if !(v >= 0) || math.IsInf(v, 1) {
			return fmt.Errorf("cannot add window: spread %v is no positive number", v)
		}
	}
	return nil
}
