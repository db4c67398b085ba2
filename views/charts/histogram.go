package charts

import (
	"cmp"
	"math"
	"slices"
)

// Histogram is how often values occur, in bars of equal width.
type Histogram struct {
	Bins   []Bin
	Median float64
	Max    float64 // the upper limit of the highest bin
	N      float64
}

// NewHistogram gathers bins into at most `most` bars of equal width, which begin at zero. Whole numbers stay whole: the
// width is at least 1.
func NewHistogram(bins []Bin, most int) Histogram {
	var h Histogram
	bins = sound(bins)
	for _, b := range bins {
		h.Max, h.N = max(h.Max, b.High), h.N+b.N
	}
	if len(bins) == 0 || most <= 0 {
		return Histogram{Median: math.NaN()}
	}
	width := max(niceStep(max(h.Max, 1)/float64(most)), 1)
	h.Bins = make([]Bin, min(int(h.Max/width)+1, most+1))
	for i := range h.Bins {
		h.Bins[i] = Bin{Low: float64(i) * width, High: float64(i+1) * width}
	}
	for _, b := range bins {
		h.Bins[min(int(b.High/width), len(h.Bins)-1)].N += b.N
	}
	h.Median = Quantile(bins, .5)
	return h
}

// Values are the heights of the bars.
func (h Histogram) Values() []float64 {
	out := make([]float64, len(h.Bins))
	for i, b := range h.Bins {
		out[i] = b.N
	}
	return out
}

// Ticks are at most `most` marks, below the middle of their bars.
func (h Histogram) Ticks(most int) []Tick {
	every := max((len(h.Bins)+most-1)/max(most, 1), 1)
	var out []Tick
	for i := 0; i < len(h.Bins); i += every {
		tick := Tick{At: round1((float64(i) + .5) / float64(len(h.Bins)) * 100), Text: Count.Text(h.Bins[i].Low)}
		if tick.At < edgeRoom {
			tick.Edge = -1
		} else if tick.At > 100-edgeRoom {
			tick.Edge = 1
		}
		out = append(out, tick)
	}
	return out
}

// Quantile is the upper limit of the bin in which the share q of all values ends; missing when there are none.
func Quantile(bins []Bin, q float64) float64 { return quantileBin(bins, q).High }

// quantileBin is the bin in which the share q of all values ends; of missing limits when there are none.
func quantileBin(bins []Bin, q float64) Bin {
	sorted := sound(bins)
	slices.SortFunc(sorted, func(a, b Bin) int { return cmp.Compare(a.High, b.High) })
	all, seen := total(sorted), 0.0
	for _, b := range sorted {
		if seen += b.N; seen >= q*all {
			return b
		}
	}
	if len(sorted) > 0 {
		return sorted[len(sorted)-1] // the sum was rounded
	}
	return Bin{Low: math.NaN(), High: math.NaN()}
}

func total(bins []Bin) (n float64) {
	for _, b := range bins {
		n += b.N
	}
	return n
}

// Range is between which values the quantile q lies with a probability of 95 per cent, from nothing but the order of the
// values (n q ± 1.96 sqrt(n q (1-q)) of them lie below it) and the widths of the bins. It is missing when there are none.
func Range(bins []Bin, q float64) (low, high float64) {
	n := total(sound(bins))
	if n <= 0 {
		return math.NaN(), math.NaN()
	}
	spread := 1.96 * math.Sqrt(q*(1-q)/n)
	return quantileBin(bins, max(q-spread, 0)).Low, quantileBin(bins, min(q+spread, 1)).High
}
