package impact

import (
	"math"
	"time"

	"kibitz/app/sketch"
)

// z95 is how many standard deviations hold 95 % of a normal distribution.
const z95 = 1.96

// wilson is the share of failures and its interval after Wilson (1927). seen is how many were looked at: a sample is no surer for
// its weight.
func wilson(failed, n, seen float64) Band {
	if n <= 0 || seen <= 0 {
		return Band{}
	}
	p := min(failed/n, 1)
	z := z95 * z95 / seen
	middle, half := (p+z/2)/(1+z), z95*math.Sqrt(p*(1-p)/seen+z/(4*seen))/(1+z)
	return Band{p, max(0, middle-half), min(1, middle+half)}
}

// quantile is a percentile and its interval: that of an order statistic, so that no shape is assumed. In n requests the rank of
// quantile q varies by the root of n·q·(1−q).
func quantile(s *sketch.Sketch, q, seen float64) Band {
	if seen <= 0 {
		return Band{}
	}
	half := z95 * math.Sqrt(q*(1-q)/seen)
	return Band{s.Quantile(q), s.Quantile(max(0, q-half)), s.Quantile(min(1, q+half))}
}

// rateRatio is how many times commoner a of n is than b of m, with the interval of so many standard deviations of its logarithm.
// Half an event is added to each side, so that none on one side is no infinity (Haldane 1956).
func rateRatio(a, n, b, m, deviations float64) Band {
	if n <= 0 || m <= 0 {
		return Band{}
	}
	a, b = a+0.5, b+0.5
	ratio := (a / n) / (b / m)
	factor := math.Exp(deviations * math.Sqrt(1/a+1/b))
	return Band{ratio, ratio / factor, ratio * factor}
}

// crowd is an estimate of different people with its interval of 95 %.
func crowd(n int64, over time.Duration) Estimate {
	off := z95 * sketch.DistinctError
	return Estimate{Known: n > 0, Subjects: n, Low: int64(float64(n) / (1 + off)), High: int64(math.Ceil(float64(n) * (1 + off))), Over: over}
}

func asDuration(micros float64) time.Duration {
	return time.Duration(micros * float64(time.Microsecond))
}
