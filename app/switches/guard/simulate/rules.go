package simulate

import (
	"math"

	"kibitz/app/switches/guard"
)

// least is how many exposures each arm must have before the rules of others look.
const least = 100

// judge keeps what the rules need.
type judge struct {
	scenario       Scenario
	plain          guard.State // dispersion 1
	robust         guard.State // dispersion of the past day
	past           float64     // that dispersion
	looks          int
	nT, nC, kT, kC float64
	// sums of control's counts, for the dispersion that is estimated live
	last, sum, squares float64
}

func (j *judge) add(w guard.Window, look int) {
	j.looks = look
	j.nT, j.nC = j.nT+float64(w.With.Subjects), j.nC+float64(w.Without.Subjects)
	j.kT, j.kC = j.kT+float64(w.With.Failed), j.kC+float64(w.Without.Failed)
	must(j.plain.Add(w))
	w.Spread.Errors = j.past
	must(j.robust.Add(w))
	k := float64(w.Without.Failed)
	if look > 1 {
		j.squares += (k - j.last) * (k - j.last)
	}
	j.last, j.sum = k, j.sum+k
}

// must holds that windows which were drawn are possible ones.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (j *judge) fires(r Rule) bool {
	switch r {
	case Z05:
		return j.z() > 1.644854
	case Z001:
		return j.z() > 3.090232
	case Sequence:
		return j.sequence()
	case E20:
		return j.enough(j.plain.Errors.LogEvidence(), guard.DefaultHold)
	case E1000:
		return j.enough(j.plain.Errors.LogEvidence(), guard.DefaultKill)
	case E1000Live:
		return j.enough(j.live(), guard.DefaultKill)
	case E1000Past:
		return j.enough(j.robust.Errors.LogEvidence(), guard.DefaultKill)
	}
	return j.blind()
}

func (j *judge) enough(log, level float64) bool {
	return j.kT >= guard.DefaultFewest && log >= math.Log(level)
}

// z is the statistic of two proportions; positive is harm.
func (j *judge) z() float64 {
	if j.nT < least || j.nC < least {
		return 0
	}
	p := (j.kT + j.kC) / (j.nT + j.nC)
	se := math.Sqrt(p * (1 - p) * (1/j.nT + 1/j.nC))
	if se == 0 {
		return 0
	}
	return (j.kT/j.nT - j.kC/j.nC) / se
}

// sequence is the asymptotic confidence sequence of Waudby-Smith et al. (2021), one-sided, as GrowthBook uses it.
func (j *judge) sequence() bool {
	if j.nT < least || j.nC < least {
		return false
	}
	const alpha, tuned = 0.05, 5000.0
	a := 2 * alpha
	rho := math.Sqrt((-2*math.Log(a) + math.Log(-2*math.Log(a)+1)) / tuned)
	n, pT, pC := j.nT+j.nC, j.kT/j.nT, j.kC/j.nC
	se := math.Sqrt(pT*(1-pT)/j.nT + pC*(1-pC)/j.nC)
	m := n*rho*rho + 1
	half := se * math.Sqrt(n) * math.Sqrt(2*m/(n*n*rho*rho)*math.Log(1+math.Sqrt(m)/(2*alpha)))
	return pT-pC > half
}

// liveFrom is how many windows the live estimate waits for; 1 is taken before.
const liveFrom = 10

// live divides the evidence by the dispersion that control showed so far.
func (j *judge) live() float64 {
	phi := 1.0
	if j.looks >= liveFrom && j.sum > 0 {
		phi = max(1, j.squares/(2*float64(j.looks-1))/(j.sum/float64(j.looks)))
	}
	top, sum := math.Inf(-1), 0.0
	for _, l := range j.plain.Errors.Logs {
		top = max(top, l/phi)
	}
	for _, l := range j.plain.Errors.Logs {
		sum += math.Exp(l/phi - top)
	}
	return top + math.Log(sum/float64(len(j.plain.Errors.Logs)))
}

// warmup is how many windows the blind rule waits for.
const warmup = 6

// blind sees all failures together, and knows what is usual.
func (j *judge) blind() bool {
	return j.looks >= warmup && (j.kT+j.kC)/(j.nT+j.nC) > 2*Failures
}
