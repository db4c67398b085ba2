package guard

import "math"

// Ratio is how many times as often failures come with the feature as without, and the interval in which it lies. The
// interval is always valid: the chance that it ever leaves the truth out, over all looks, is 5 %. It is for people to
// read; decisions use the evidence alone.
type Ratio struct {
	Value float64 `json:"value"` // 0 when nothing failed with the feature
	Low   float64 `json:"low"`
	High  float64 `json:"high"` // 0 is without bound
}

// The interval's error, and the ratios (as logarithms) that are told apart.
const (
	intervalError = 0.05
	maxLogRatio   = 13.8 // a million
	gridLogRatio  = 6.9  // a thousand: the alternatives are spread over this
	gridSteps     = 60
)

// Ratio is the ratio that the counts are likeliest under, and its interval: every ratio that a mixture of others does not
// beat 20 times over.
func (p *Process) Ratio() Ratio {
	if len(p.Shares) == 0 {
		return Ratio{}
	}
	peak := p.peak()
	floor := p.mixture() + math.Log(intervalError)
	r := Ratio{Value: math.Exp(peak), Low: math.Exp(p.cross(peak, -maxLogRatio, floor)), High: math.Exp(p.cross(peak, maxLogRatio, floor))}
	if p.Failed == 0 {
		r.Value, r.Low = 0, 0
	}
	if p.log(-maxLogRatio) > floor {
		r.Low = 0
	}
	if p.log(maxLogRatio) > floor {
		r.High = 0
	}
	return r
}

// log is the logarithm of the likelihood of a ratio, over that of 1. It is concave in the logarithm of the ratio.
func (p *Process) log(x float64) float64 {
	sum := p.Weight * x
	for _, b := range p.Shares {
		sum -= b.Weight * math.Log1p(b.Share/b.Weight*math.Expm1(x))
	}
	return sum
}

// slope is the derivative of log.
func (p *Process) slope(x float64) float64 {
	sum := p.Weight
	for _, b := range p.Shares {
		s := b.Share / b.Weight
		sum -= b.Weight * s * math.Exp(x) / (1 + s*math.Expm1(x))
	}
	return sum
}

func (p *Process) mixture() float64 {
	logs := make([]float64, 0, 2*gridSteps+1)
	for i := -gridSteps; i <= gridSteps; i++ {
		logs = append(logs, p.log(gridLogRatio*float64(i)/gridSteps))
	}
	return logMean(logs)
}

// halvings are enough for fifteen digits.
const halvings = 50

// peak is where the likelihood is highest.
func (p *Process) peak() float64 {
	low, high := -maxLogRatio, maxLogRatio
	for range halvings {
		if mid := (low + high) / 2; p.slope(mid) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// cross is where the likelihood falls to floor between the peak and an end, or the end.
func (p *Process) cross(peak, end, floor float64) float64 {
	in, out := peak, end
	for range halvings {
		if mid := (in + out) / 2; p.log(mid) > floor {
			in = mid
		} else {
			out = mid
		}
	}
	return out
}
