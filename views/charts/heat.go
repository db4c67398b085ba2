package charts

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bin is how many values are above Low and at most High: a bin of a sketch or of a histogram.
type Bin struct {
	Low, High float64
	N         float64
}

// Shades is how many a heatmap has, the empty one included.
const Shades = 7

// Heatmap is how values spread over time, on a logarithmic axis.
type Heatmap struct {
	// Paths are the cells of each shade; that of shade 0 is empty, because the ground has its colour.
	Paths [Shades]string
	Scale Scale
	// Bounds are the limits of the rows from below; Counts are the values in each column and row.
	Bounds []float64
	Counts [][]float64
	// Most is the fullest cell.
	Most float64
}

// mostOctaves is how far the axis of a heatmap reaches below its largest value: 20 octaves are a millionth of it.
const mostOctaves = 20

// NewHeatmap sorts the bins of each column into rows: half octaves while the values span at most eight of them, whole
// ones otherwise. A bin counts where its geometric middle is.
func NewHeatmap(u Unit, columns [][]Bin) Heatmap {
	low, high, any := bounds(columns)
	if !any {
		return Heatmap{Scale: Between(u, 0, 1)}
	}
	perOctave := 1
	if high-low <= 8 {
		perOctave = 2
	}
	rows := (high - low) * perOctave
	h := Heatmap{Scale: logScale(u, low, high), Counts: make([][]float64, len(columns))}
	for i := range rows + 1 {
		h.Bounds = append(h.Bounds, math.Exp2(float64(low)+float64(i)/float64(perOctave)))
	}
	for c, bins := range columns {
		h.Counts[c] = make([]float64, rows)
		for _, b := range bins {
			if b.counts() {
				row := int(math.Floor((b.middle() - float64(low)) * float64(perOctave)))
				h.Counts[c][min(max(row, 0), rows-1)] += b.N
			}
		}
	}
	h.shade(rows)
	return h
}

// maxMeasure is beyond every measure: in milliseconds it is 30 million years. Larger values are faults of a sender.
const maxMeasure = 1e18

// counts tells whether there is anything in the bin that can be believed.
func (b Bin) counts() bool {
	return !math.IsNaN(b.Low) && b.N > 0 && b.N <= maxMeasure && b.High >= 0 && b.High <= maxMeasure
}

// sound are the bins that count.
func sound(bins []Bin) []Bin {
	return slices.DeleteFunc(slices.Clone(bins), func(b Bin) bool { return !b.counts() })
}

// middle is the binary logarithm of the bin's geometric middle. A bin from nothing is as low as its half, and one of
// zeros as low as a millionth.
func (b Bin) middle() float64 {
	b.High = max(b.High, 1e-6)
	low := b.Low
	if !(low > 0 && low <= b.High) {
		low = b.High / 2
	}
	return (math.Log2(low) + math.Log2(b.High)) / 2
}

// bounds are the octaves between which all values are.
func bounds(columns [][]Bin) (low, high int, any bool) {
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, bins := range columns {
		for _, b := range bins {
			if b.counts() {
				any = true
				lowest, highest = min(lowest, b.middle()), max(highest, b.middle())
			}
		}
	}
	if !any {
		return 0, 0, false
	}
	high = int(math.Floor(highest)) + 1
	return max(min(int(math.Floor(lowest)), high-2), high-mostOctaves), high, true
}

// logScale has at most five ticks, at whole octaves. Those in the unit itself go without its name, which stands once.
func logScale(u Unit, low, high int) Scale {
	s := scaleOf(u, math.Exp2(float64(low)), math.Exp2(float64(high)))
	s.Log, s.Name = true, u.prefix(0).name
	every := (high - low + intervals - 1) / intervals
	for i := low; i <= high; i += every {
		v := math.Exp2(float64(i))
		text := u.Text(twoFigures(v))
		s.Ticks = append(s.Ticks, Tick{At: round1(s.At(v)), Text: strings.TrimSuffix(text, " "+s.Name)})
	}
	return s
}

// twoFigures rounds a limit for an axis: 1,024 ms is 1 s there.
func twoFigures(v float64) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64)
	if err != nil {
		return v
	}
	return out
}

// shade draws the cells. Neighbours of one shade in a row are one rectangle, so that a page stays small.
func (h *Heatmap) shade(rows int) {
	for _, column := range h.Counts {
		for _, n := range column {
			h.Most = max(h.Most, n)
		}
	}
	var paths [Shades]strings.Builder
	n := len(h.Counts)
	for row := range rows {
		y, tall := float64(rows-1-row)/float64(rows)*Height, float64(Height)/float64(rows)
		for c := 0; c < n; {
			end, shade := c+1, h.shadeOf(c, row)
			for end < n && h.shadeOf(end, row) == shade {
				end++
			}
			if shade > 0 {
				wide := number(edge(end, n) - edge(c, n))
				paths[shade].WriteString("M" + number(edge(c, n)) + " " + number(y) + "h" + wide + "v" + number(tall) + "h-" + wide + "Z")
			}
			c = end
		}
	}
	for i := range paths {
		h.Paths[i] = paths[i].String()
	}
}

// shadeOf is 0 for nothing and grows with the logarithm of the count, so that the few slow ones are seen beside the
// many fast ones.
func (h *Heatmap) shadeOf(c, row int) int {
	n := h.Counts[c][row]
	if n <= 0 {
		return 0
	}
	return min(1+int(math.Log1p(n)/math.Log1p(h.Most)*(Shades-1)-1e-9), Shades-1)
}

// Share is the part of all values in columns from..to that lie in rows low..high, each without its end; missing when
// there are none.
func (h *Heatmap) Share(from, to, low, high int) float64 {
	var part, all float64
	for c := max(from, 0); c < min(to, len(h.Counts)); c++ {
		for row, n := range h.Counts[c] {
			all += n
			if row >= low && row < high {
				part += n
			}
		}
	}
	if all == 0 {
		return math.NaN()
	}
	return part / all
}
