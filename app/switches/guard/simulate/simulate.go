// Package simulate plays traffic with a switch in it, to see how often each rule stops a switch that does no harm, and
// how long it takes to stop one that does. The rules are ours (the guard's own code) and those of others to compare with.
//
// Traffic is Poisson. Requests and failures of a window are drawn as counts, never one by one: the failures of Poisson
// traffic are Poisson, and independent of the rest.
package simulate

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"kibitz/app/switches/guard"
)

// What is played.
const (
	Traffic  = 100.0   // requests a second
	Failures = 0.005   // share of them that fails
	Look     = 10.0    // seconds a window
	Looks    = 6 * 360 // windows of six hours
	Burst    = 5.0     // mean failures of one cause, where they come in bursts; their number is geometric, which makes the dispersion 9
	Global   = 10.0    // how many times as often everyone fails in an incident
)

// The incident that meets everyone lasts from the third hour to the fourth.
const (
	incidentFrom = 3 * 360
	incidentTo   = 4 * 360
)

// Scenario is one kind of traffic.
type Scenario struct {
	Share    float64 // of the exposures that have the feature
	Ratio    float64 // how many times as often those fail; 1 is no harm
	Bursts   bool    // failures come five at a time
	Incident bool    // everyone fails more for an hour
	// PastRhythm gives the past day, which dispersion is measured on, a daily rhythm and an incident of its own.
	PastRhythm bool
}

// Rule is one way to decide.
type Rule int

// The rules.
const (
	Z05       Rule = iota // two proportions, p < 0.05 at every look
	Z001                  // two proportions, p < 0.001 at every look
	Sequence              // GrowthBook's confidence sequence, one-sided, 0.05, tuned to 5,000
	E20                   // ours, evidence 20
	E1000                 // ours, evidence 1,000
	E1000Live             // ours, dispersion estimated as it goes
	E1000Past             // ours, dispersion of the past day
	Blind                 // all errors together more than twice as many as usual
	Rules     = int(Blind) + 1
)

// Outcome is the window in which each rule fired first; 0 never.
type Outcome [Rules]int

// Play plays six hours and answers when each of the rules asked for fired first. It ends when all have.
func Play(sc Scenario, rules []Rule, seed uint64, run int) Outcome {
	t := newTraffic(sc, rand.New(rand.NewPCG(seed, uint64(run))))
	j := judge{scenario: sc}
	j.past = 1
	for _, r := range rules {
		if r == E1000Past {
			j.past = t.pastDay()
		}
	}
	var out Outcome
	left := len(rules)
	for look := 1; look <= Looks && left > 0; look++ {
		j.add(t.window(look), look)
		for _, r := range rules {
			if out[r] == 0 && j.fires(r) {
				out[r] = look
				left--
			}
		}
	}
	return out
}

// traffic draws windows.
type traffic struct {
	scenario  Scenario
	r         *rand.Rand
	calm, bad [2]side // with and without the feature; bad is while the incident lasts
}

// side draws what happens to those with, or without, the feature.
type side struct {
	fine   *poisson // requests that do not fail; with bursts, all requests
	causes *poisson
	bursts bool
}

func newTraffic(sc Scenario, r *rand.Rand) *traffic {
	t := &traffic{scenario: sc, r: r}
	for i, n := range [2]float64{Traffic * Look * sc.Share, Traffic * Look * (1 - sc.Share)} {
		rate := Failures
		if i == 0 {
			rate *= sc.Ratio
		}
		t.calm[i] = newSide(n, rate, sc.Bursts)
		if sc.Incident {
			t.bad[i] = newSide(n, rate*Global, sc.Bursts)
		}
	}
	return t
}

// newSide divides n requests a window into those that fail and those that do not. Causes of bursts are as many as make the
// rate exact although one cannot fail more requests than there are: the mean of a geometric number cut off at a Poisson one
// is Burst times 1 - exp(-n/Burst).
func newSide(n, rate float64, bursts bool) side {
	rate = min(rate, 1)
	if bursts {
		return side{fine: newPoisson(n), causes: newPoisson(n * rate / (Burst * -math.Expm1(-n/Burst))), bursts: true}
	}
	return side{fine: newPoisson(n * (1 - rate)), causes: newPoisson(n * rate)}
}

// window draws one.
func (t *traffic) window(look int) guard.Window {
	sides := &t.calm
	if t.scenario.Incident && look > incidentFrom && look <= incidentTo {
		sides = &t.bad
	}
	return guard.Window{At: time.Unix(int64(look)*Look, 0), With: sides[0].draw(t.r), Without: sides[1].draw(t.r)}
}

func (s side) draw(r *rand.Rand) guard.Arm {
	n, k := int64(s.fine.draw(r)), s.failures(r)
	if s.bursts {
		return guard.Arm{Subjects: n, Failed: min(k, n)}
	}
	return guard.Arm{Subjects: n + k, Failed: k}
}

// failures draws the causes of a window and how many failures each makes.
func (s side) failures(r *rand.Rand) int64 {
	n := s.causes.draw(r)
	if !s.bursts {
		return int64(n)
	}
	var sum int64
	for range n {
		sum += 1 + int64(math.Log(1-r.Float64())/math.Log(1-1/Burst))
	}
	return sum
}

// pastDay is the dispersion of a day before, in which nothing was wrong with the switch.
func (t *traffic) pastDay() float64 {
	hours := make([][]int64, 24)
	for h := range hours {
		level := Traffic * Look
		if t.scenario.PastRhythm {
			level *= 1 + 0.8*math.Sin(2*math.Pi*float64(h)/24)
		}
		usual, worse := newSide(level, Failures, t.scenario.Bursts), newSide(level, Failures*Global, t.scenario.Bursts)
		for i := range 360 {
			if t.scenario.PastRhythm && h == 20 && i >= 120 && i < 240 {
				hours[h] = append(hours[h], worse.failures(t.r))
				continue
			}
			hours[h] = append(hours[h], usual.failures(t.r))
		}
	}
	phi, err := guard.Dispersion(hours)
	must(err)
	return phi
}

// poisson draws from a Poisson distribution by its table: exact to the precision of floats, and fast for the few means
// that a scenario has.
type poisson struct {
	first int
	sums  []float64
}

func newPoisson(mean float64) *poisson {
	p := &poisson{}
	if mean <= 0 {
		return p
	}
	width := 12*math.Sqrt(mean) + 40
	p.first = int(max(mean-width, 0))
	sum := 0.0
	for k := p.first; float64(k) < mean+width; k++ {
		g, _ := math.Lgamma(float64(k) + 1)
		sum += math.Exp(float64(k)*math.Log(mean) - mean - g)
		p.sums = append(p.sums, sum)
	}
	return p
}

func (p *poisson) draw(r *rand.Rand) int {
	if len(p.sums) == 0 {
		return 0
	}
	u := r.Float64() * p.sums[len(p.sums)-1]
	return p.first + sort.SearchFloat64s(p.sums, u)
}
