package guard

import (
	"math"
	"slices"
)

// thetas are the ratios of harm that evidence is gathered for; E is the mean over them.
var thetas = [...]float64{1.25, 1.5, 2, 3, 5, 10, 30}

// Process is the evidence on one kind of harm.
type Process struct {
	// Logs are the logarithms of the likelihood ratios, one for each ratio of harm, divided by the spread.
	Logs [len(thetas)]float64 `json:"logs"`
	// What was counted in windows that could be judged, those with someone on either side.
	With    int64 `json:"with"`    // exposures with the feature
	Without int64 `json:"without"` // and without
	Failed  int64 `json:"failed"`  // failures with the feature
	Others  int64 `json:"others"`  // and without
	// For the interval of the ratio, which decides nothing: failures by the share that exposures had, over the spread.
	Weight float64 `json:"weight"` // failures with the feature, over the spread
	Shares []Bin   `json:"shares,omitempty"`
}

// Bin holds failures of windows with nearly the same share of exposures.
type Bin struct {
	At     int     `json:"at"`     // four times the logarithm of the odds
	Weight float64 `json:"weight"` // failures over the spread
	Share  float64 `json:"share"`  // sum of weight times share
}

// count is a window's exposures and failures, with and without.
type count struct{ nT, nC, kT, kC int64 }

// add multiplies a window into the evidence. A window in which nobody is on one side says nothing.
func (p *Process) add(c count, spread float64) {
	if c.nT == 0 || c.nC == 0 {
		return
	}
	p.With, p.Without = plus(p.With, c.nT), plus(p.Without, c.nC)
	p.Failed, p.Others = plus(p.Failed, c.kT), plus(p.Others, c.kC)
	k, kT, phi := float64(c.kT)+float64(c.kC), float64(c.kT), max(spread, 1)
	if k == 0 {
		return
	}
	s := float64(c.nT) / (float64(c.nT) + float64(c.nC))
	for i, theta := range thetas {
		p.Logs[i] += (kT*math.Log(theta) - k*math.Log1p(s*(theta-1))) / phi
	}
	p.Weight += kT / phi
	p.bin(math.Log(float64(c.nT)/float64(c.nC)), k/phi, s)
}

// plus adds counts without ever going round.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// bin keeps the failures by the odds of exposure. There are 113 bins at most: counts are limited, and so are their odds.
func (p *Process) bin(odds, weight, share float64) {
	at := int(math.Round(4 * odds))
	i, found := slices.BinarySearchFunc(p.Shares, at, func(b Bin, at int) int { return b.At - at })
	if !found {
		p.Shares = slices.Insert(p.Shares, i, Bin{At: at})
	}
	p.Shares[i].Weight += weight
	p.Shares[i].Share += weight * share
}

// LogEvidence is the natural logarithm of the evidence that there is harm: 0 is none, and below 0 the counts speak against
// it.
func (p *Process) LogEvidence() float64 { return logMean(p.Logs[:]) }

// logMean is the logarithm of the mean of what the values are logarithms of. It cannot overflow.
func logMean(logs []float64) float64 {
	top := slices.Max(logs)
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - top)
	}
	return top + math.Log(sum/float64(len(logs)))
}

// MaxEvidence is the largest evidence that is told; more is said as that.
const MaxEvidence = 1e12

// evidence is the evidence of its logarithm.
func evidence(log float64) float64 { return min(math.Exp(log), MaxEvidence) }
