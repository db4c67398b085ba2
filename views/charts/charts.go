// Package charts turns numbers into the paths, ticks and words of SVG graphs. It is pure and knows nothing of what the
// numbers count. A value that is missing is NaN; infinities count as missing too. The page stretches every drawing to its
// box, so that all coordinates are shares of Width and Height.
package charts

import (
	"math"
	"strconv"
	"strings"
)

// Width and Height are the units of every drawing; the page stretches them.
const (
	Width  = 1000
	Height = 100
)

// Bars is the path of one bar a value, standing on base (nil for the ground), scaled so that top is the full height.
// gap is the share of a bar's room that stays empty. Values that are missing or not above zero have no bar.
func Bars[T int64 | float64](values, base []T, top T, gap float64) string {
	if len(values) == 0 || !(top > 0) {
		return ""
	}
	room := float64(Width) / float64(len(values))
	var b strings.Builder
	for i, v := range values {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			continue
		}
		var under T
		if i < len(base) {
			under = base[i]
		}
		x, y0, y1 := float64(i)*room+room*gap/2, height(under, top), height(under+v, top)
		b.WriteString("M" + number(x) + " " + number(y0) + "V" + number(y1) + "h" + number(room*(1-gap)) + "V" + number(y0) + "Z")
	}
	return b.String()
}

// height is the y of a value: a value that is not zero is at least a line high.
func height[T int64 | float64](v, top T) float64 {
	if !(v > 0) {
		return Height
	}
	return max(min(Height-float64(v)/float64(top)*Height, Height-1.5), 0)
}

func number(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Top is a round number at or above the largest sum of the stacked series: 1, 2, 3 or 5 times a power of ten, so that
// half of it can be written beside the axis.
func Top(series ...[]int64) int64 {
	var most int64
	for i := 0; ; i++ {
		var sum int64
		more := false
		for _, s := range series {
			if i < len(s) {
				sum, more = sum+s[i], true
			}
		}
		if !more {
			break
		}
		most = max(most, sum)
	}
	for unit := int64(1); unit < 1<<60/10; unit *= 10 {
		for _, n := range []int64{1, 2, 3, 5} {
			if n*unit >= most {
				return max(n*unit, 2)
			}
		}
	}
	return most
}

// Most is the largest value, at least 1: the top of a drawing without an axis.
func Most(values []int64) int64 {
	most := int64(1)
	for _, v := range values {
		most = max(most, v)
	}
	return most
}
