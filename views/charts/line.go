package charts

import (
	"math"
	"strings"
)

// MaxPoints is how many points a path has at the most: a denser series is thinned.
const MaxPoints = 300

// Line is the path through values, one a bucket, at the bucket's middle. A missing value breaks it; a value alone
// between two gaps is a dash. With open set the way to the last value comes apart, as a path of its own: its bucket
// still fills, and the page draws it dashed.
func Line(values []float64, s Scale, open bool) (path, last string) {
	n := len(values)
	if open && n > 1 && n <= MaxPoints && finite(values[n-1]) && finite(values[n-2]) {
		x0, x1 := middle(n-2, n), middle(n-1, n)
		last = "M" + number(x0) + " " + number(s.Y(values[n-2])) + "L" + number(x1) + " " + number(s.Y(values[n-1]))
		values = append(append([]float64(nil), values[:n-1]...), math.NaN())
	}
	var b strings.Builder
	for _, run := range runs(kept(values)) {
		if len(run) == 1 {
			b.WriteString("M" + number(min(max(middle(run[0], n)-2, 0), Width-4)) + " " + number(s.Y(values[run[0]])) + "h4")
			continue
		}
		for i, at := range run {
			b.WriteString(letter(i) + number(middle(at, n)) + " " + number(s.Y(values[at])))
		}
	}
	return b.String(), last
}

func letter(i int) string {
	if i == 0 {
		return "M"
	}
	return "L"
}

// middle is the x of a bucket's middle.
func middle(i, n int) float64 { return (float64(i) + .5) / float64(n) * Width }

// edge is the x at which a bucket begins.
func edge(i, n int) float64 { return float64(i) / float64(n) * Width }

// kept are the indexes of the values to draw, with -1 for a gap. Of a series that is too dense each column keeps its
// first, smallest, largest and last value, so that no peak is lost.
func kept(values []float64) []int {
	n := len(values)
	if n <= MaxPoints {
		out := make([]int, n)
		for i, v := range values {
			out[i] = i
			if !finite(v) {
				out[i] = -1
			}
		}
		return out
	}
	const columns = MaxPoints / 4
	var out []int
	for c := range columns {
		out = append(out, column(values, c*n/columns, (c+1)*n/columns)...)
	}
	return out
}

// column keeps the values that matter of one column, in their order; -1 when all are missing.
func column(values []float64, from, to int) []int {
	first, last, least, most := -1, -1, -1, -1
	for i := from; i < to; i++ {
		if !finite(values[i]) {
			continue
		}
		if first < 0 {
			first, least, most = i, i, i
		}
		if values[i] < values[least] {
			least = i
		}
		if values[i] > values[most] {
			most = i
		}
		last = i
	}
	out := []int{first}
	for _, i := range []int{min(least, most), max(least, most), last} {
		if i > out[len(out)-1] {
			out = append(out, i)
		}
	}
	return out
}

// runs cuts indexes at their gaps.
func runs(kept []int) [][]int {
	var out [][]int
	start := 0
	for i := 0; i <= len(kept); i++ {
		if i < len(kept) && kept[i] >= 0 {
			continue
		}
		if i > start {
			out = append(out, kept[start:i])
		}
		start = i + 1
	}
	return out
}

// Area is the surface between values and the ground. It ends where the values do.
func Area(values []float64, s Scale) string { return Stack([][]float64{values}, s)[0] }

// Stack is the surface of each series on top of those before it. Where any series has no value, none is drawn.
func Stack(series [][]float64, s Scale) []string {
	thin := make([][]float64, len(series))
	for i, values := range series {
		thin[i] = thinned(values)
	}
	total := Total(thin...)
	under := make([]float64, len(total))
	out := make([]string, len(series))
	for i, values := range thin {
		over := make([]float64, len(total))
		for j := range total {
			over[j] = under[j]
			if j < len(values) && finite(total[j]) {
				over[j] += max(values[j], 0)
			}
		}
		out[i] = surface(total, under, over, s)
		under = over
	}
	return out
}

// surface goes along the lower edge of a run of values and back along the upper one. present tells where values are.
func surface(present, under, over []float64, s Scale) string {
	var b strings.Builder
	n := len(present)
	indexes := make([]int, n)
	for i, v := range present {
		indexes[i] = i
		if !finite(v) {
			indexes[i] = -1
		}
	}
	for _, run := range runs(indexes) {
		first, last := run[0], run[len(run)-1]
		left, right := number(edge(first, n)), number(edge(last+1, n))
		b.WriteString("M" + left + " " + number(s.Y(under[first])) + "V" + number(s.Y(over[first])))
		for _, i := range run {
			b.WriteString("L" + number(middle(i, n)) + " " + number(s.Y(over[i])))
		}
		b.WriteString("H" + right + "V" + number(s.Y(under[last])))
		for j := len(run) - 1; j >= 0 && !flat(under, run); j-- {
			b.WriteString("L" + number(middle(run[j], n)) + " " + number(s.Y(under[run[j]])))
		}
		b.WriteString("H" + left + "Z")
	}
	return b.String()
}

// flat tells whether the lower edge is the ground, which needs no points.
func flat(under []float64, run []int) bool {
	for _, i := range run {
		if under[i] != 0 {
			return false
		}
	}
	return true
}

// thinned is a dense series in MaxPoints means; a mean of nothing is missing.
func thinned(values []float64) []float64 {
	n := len(values)
	if n <= MaxPoints {
		return values
	}
	out := make([]float64, MaxPoints)
	for c := range out {
		out[c] = Fold(Mean, values[c*n/MaxPoints:(c+1)*n/MaxPoints])
	}
	return out
}

// Band is the surface between two lines, of an interval in which the truth is likely to lie. It breaks where either has no value.
func Band(low, high []float64, s Scale) string {
	low, high = thinned(low), thinned(high)
	return surface(Total(low, high), low, high, s)
}

// Spark is a line without axes: the largest value is its top, zero its ground.
func Spark(values []float64) string {
	top := largest([][]float64{values})
	path, _ := Line(values, Scale{Max: max(top, 1e-9)}, false)
	return path
}
