package charts

import (
	"math"
	"time"
)

// Tick is a mark of an axis. At is in per cent, from the bottom or from the left.
type Tick struct {
	At   float64
	Text string
	// Edge is -1 when the text begins at its mark because it is close to the left edge, 1 when it ends there.
	Edge int
	// Alt is set for those that leave when there is little room.
	Alt bool
	// Moment is what it stands at on an axis of time; else zero.
	Moment time.Time
}

// Scale is a vertical axis.
type Scale struct {
	Min, Max float64
	Log      bool
	Ticks    []Tick
	// Name is the unit of the ticks' texts, to be written once: ms, MB, %; "" for none.
	Name string
	unit Unit
	by   float64
}

// leastTop is the smallest value that an axis is made for: below it a step has no decimal power of its own.
const leastTop = 1e-9

// intervals is how many parts an axis has at the most.
const intervals = 4

// Linear is an axis from zero to a round number at or above every value.
func Linear(u Unit, series ...[]float64) Scale { return linear(u, largest(series)) }

// Summed is the same for series that are stacked.
func Summed(u Unit, series ...[]float64) Scale {
	return linear(u, largest([][]float64{Total(series...)}))
}

// Between is an axis with given ends, for what is bounded: a share, or a score whose interesting part is narrow.
func Between(u Unit, low, high float64) Scale {
	if !finite(low) || !finite(high) || high <= low {
		low, high = 0, 1
	}
	s := scaleOf(u, low, high)
	s.Ticks = []Tick{{At: 0, Text: s.text(low)}, {At: 100, Text: s.text(high)}}
	if u == Percent {
		s.Ticks = []Tick{s.Ticks[0], {At: 50, Text: s.text((low + high) / 2)}, s.Ticks[1]}
	}
	return s
}

func linear(u Unit, most float64) Scale {
	if most < leastTop {
		most = 1
	}
	by := u.prefix(most).by
	step := niceStep(most/by/intervals) * by
	if u == Count {
		step = max(step, 1)
	}
	n := max(math.Ceil(most/step-1e-9), 1)
	s := scaleOf(u, 0, step*n)
	for i := 0.0; i <= n; i++ {
		s.Ticks = append(s.Ticks, Tick{At: round1(i / n * 100), Text: s.text(i * step)})
	}
	return s
}

// niceStep is a round number at or above f: 1, 2, 2.5, 4 or 5 times a power of ten.
func niceStep(f float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(f)))
	for _, n := range []float64{1, 2, 2.5, 4, 5} {
		if n*power >= f*(1-1e-9) {
			return n * power
		}
	}
	return 10 * power
}

func scaleOf(u Unit, low, high float64) Scale {
	p := u.prefix(high)
	s := Scale{Min: low, Max: high, Name: p.name, unit: u, by: p.by}
	if u == Count {
		s.Name, s.by = "", 1
	}
	return s
}

// text is a tick's: without its unit, which stands once, but for counts (1.2k).
func (s Scale) text(v float64) string {
	if s.unit == Count {
		return Count.Text(v)
	}
	return figures(v / s.by)
}

// Y is the height of a value in a drawing: 0 is its top, Height its ground. Values beyond the axis stay at its end.
func (s Scale) Y(v float64) float64 { return Height - s.At(v)*Height/100 }

// At is a value's place in per cent from the bottom.
func (s Scale) At(v float64) float64 {
	low, high := s.Min, s.Max
	if s.Log {
		v, low, high = math.Log2(max(v, s.Min)), math.Log2(low), math.Log2(high)
	}
	if !(high > low) || math.IsNaN(v) {
		return 0
	}
	return min(max((v-low)/(high-low)*100, 0), 100)
}

func largest(series [][]float64) float64 {
	most := 0.0
	for _, values := range series {
		for _, v := range values {
			if finite(v) {
				most = max(most, v)
			}
		}
	}
	return min(most, 1e300) // room for a round number above it
}

// Total adds series up; a moment of which any is missing is missing.
func Total(series ...[]float64) []float64 {
	var out []float64
	for _, values := range series {
		for len(out) < len(values) {
			out = append(out, 0)
		}
		for i, v := range values {
			if finite(v) {
				v = max(v, 0)
			}
			out[i] += v
		}
	}
	return out
}

func round1(f float64) float64 { return math.Round(f*10) / 10 }

// In is a value in the axis's own unit, in three figures: what a readout shows beside Name.
func (s Scale) In(v float64) float64 {
	v /= s.by
	if v == 0 || !finite(v) {
		return v
	}
	digits := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	if !finite(v*digits) || digits == 0 {
		return v
	}
	return math.Round(v*digits) / digits
}
