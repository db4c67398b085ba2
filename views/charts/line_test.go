package charts

import (
	"math"
	"strings"
	"testing"
)

var nan, inf = math.NaN(), math.Inf(1)

// TestLine draws gaps as gaps, a lone value as a dash, and the last bucket apart while it fills.
func TestLine(t *testing.T) {
	t.Parallel()
	s := Between(Count, 0, 10)
	for name, c := range map[string]struct {
		values     []float64
		open       bool
		path, last string
	}{
		"plain":           {[]float64{0, 5, 10}, false, "M166.7 100L500 50L833.3 0", ""},
		"gap":             {[]float64{1, 2, nan, 3, 4}, false, "M100 90L300 80M700 70L900 60", ""},
		"alone":           {[]float64{nan, 5, nan}, false, "M498 50h4", ""},
		"one":             {[]float64{5}, true, "M498 50h4", ""},
		"open":            {[]float64{0, 5, 10}, true, "M166.7 100L500 50", "M500 50L833.3 0"},
		"open after gap":  {[]float64{0, nan, 10}, true, "M164.7 100h4M831.3 0h4", ""},
		"beyond the axis": {[]float64{-5, 99}, false, "M250 100L750 0", ""},
		"infinite":        {[]float64{1, inf, -inf}, false, "M164.7 90h4", ""},
		"nothing":         {nil, true, "", ""},
		"only gaps":       {[]float64{nan, nan}, true, "", ""},
	} {
		if path, last := Line(c.values, s, c.open); path != c.path || last != c.last {
			t.Errorf("%s: got %q and %q, want %q and %q", name, path, last, c.path, c.last)
		}
	}
}

// TestDense keeps the one peak and the one dip of a series with far more values than points, and its order.
func TestDense(t *testing.T) {
	t.Parallel()
	values := make([]float64, 100_000)
	for i := range values {
		values[i] = 50
	}
	values[33_333], values[33_900], values[70_000] = 90, 10, inf
	path, last := Line(values, Between(Count, 0, 100), true)
	if n := strings.Count(path, "L") + strings.Count(path, "M"); n > MaxPoints || last != "" {
		t.Errorf("%d points, last %q", n, last)
	}
	for _, want := range []string{"L333.3 10", "L339 90", "L1000 50"} {
		if !strings.Contains(path, want) {
			t.Errorf("%s lacks %s", path[:200], want)
		}
	}
	indexes := kept(values)
	for i := 1; i < len(indexes); i++ {
		if indexes[i] <= indexes[i-1] {
			t.Fatalf("point %d is value %d, after value %d", i, indexes[i], indexes[i-1])
		}
	}
	for i := range 50_000 {
		values[20_000+i] = nan
	}
	if path, _ = Line(values, Between(Count, 0, 100), false); strings.Count(path, "M") != 2 {
		t.Errorf("a long gap leaves %d parts", strings.Count(path, "M"))
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	s := Between(Count, 0, 10)
	got := Stack([][]float64{{2, 4}, {3, 1}}, s)
	if want := "M0 100V80L250 80L750 60H1000V100H0Z"; got[0] != want {
		t.Errorf("below: got %s, want %s", got[0], want)
	}
	if want := "M0 80V50L250 50L750 50H1000V60L750 60L250 80H0Z"; got[1] != want {
		t.Errorf("above: got %s, want %s", got[1], want)
	}
	got = Stack([][]float64{{2, nan, 2}, {3, 3, nan}}, s)
	if want := "M0 100V80L166.7 80H333.3V100H0Z"; got[0] != want {
		t.Errorf("with gaps: got %s, want %s", got[0], want)
	}
	if len(Stack(nil, s)) != 0 || Area(nil, s) != "" || Area([]float64{nan}, s) != "" {
		t.Error("nothing to draw draws something")
	}
	dense := Area(make([]float64, 5000), s)
	if n := strings.Count(dense, "L"); n != MaxPoints {
		t.Errorf("a dense surface has %d points", n)
	}
}

func TestSpark(t *testing.T) {
	t.Parallel()
	if got, want := Spark([]float64{0, 4, 2, nan}), "M125 100L375 0L625 50"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Spark([]float64{0, 0}); got != "M250 100L750 100" {
		t.Errorf("zeros: %s", got)
	}
}

// FuzzDraw gives every drawing whatever there is: no coordinate is missing or outside, and nothing is longer than it may be.
func FuzzDraw(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 254, 253, 0}, uint8(0), true)
	f.Add([]byte{}, uint8(3), false)
	f.Fuzz(func(t *testing.T, data []byte, unit uint8, open bool) {
		values, u := wild(data), Unit(unit)
		line := Linear(u, values)
		var paths []string
		for _, s := range []Scale{line, Summed(u, values, values), Between(u, -1, 1), NewHeatmap(u, [][]Bin{wildBins(values), nil}).Scale} {
			path, last := Line(values, s, open)
			paths = append(paths, path, last)
			paths = append(paths, Stack([][]float64{values, wild(data[len(data)/2:])}, s)...)
		}
		heat := NewHeatmap(u, [][]Bin{wildBins(values), wildBins(wild(data[len(data)/2:]))})
		paths = append(paths, heat.Paths[:]...)
		histogram := NewHistogram(wildBins(values), 30)
		paths = append(paths, Spark(values), Bars(values, nil, line.Max, .2), Bars(histogram.Values(), nil, 1, .2))
		for _, p := range paths {
			checkPath(t, p)
		}
		if len(histogram.Bins) > 31 || len(heat.Bounds) > 2*mostOctaves+1 || len(line.Ticks) > intervals+2 {
			t.Errorf("%d bars, %d rows, %d ticks", len(histogram.Bins), len(heat.Bounds), len(line.Ticks))
		}
		for _, s := range []Scale{line, heat.Scale} {
			for _, tick := range s.Ticks {
				if !(tick.At >= 0 && tick.At <= 100) {
					t.Errorf("a tick at %v", tick.At)
				}
			}
		}
		low, high := Range(wildBins(values), .95)
		if low > high {
			t.Errorf("a range from %v to %v", low, high)
		}
	})
}

// wild makes every eighth kind of byte something that is no ordinary number.
func wild(data []byte) []float64 {
	odd := []float64{nan, inf, -inf, -1, 0, math.MaxFloat64, math.SmallestNonzeroFloat64, -math.MaxFloat64}
	out := make([]float64, len(data))
	for i, b := range data {
		out[i] = math.Exp2(float64(b%64)) / 7
		if b >= 128 {
			out[i] = odd[b%8]
		}
	}
	return out
}

func wildBins(values []float64) []Bin {
	var out []Bin
	for i := 0; i+1 < len(values); i++ {
		out = append(out, Bin{Low: values[i], High: values[i+1], N: values[(i*7)%len(values)]})
	}
	return out
}

// checkPath allows nothing but commands and numbers within the drawing.
func checkPath(t *testing.T, path string) {
	t.Helper()
	if strings.Trim(path, "MLHVhvZ0123456789. -") != "" || strings.ContainsAny(path, "NIe") {
		t.Errorf("a path with more than numbers: %.120s", path)
	}
	relative := false
	for _, word := range strings.FieldsFunc(strings.NewReplacer("h", " r", "v", " r", "H", " ", "V", " ", "M", " ", "L", " ", "Z", " ").Replace(path), func(r rune) bool { return r == ' ' }) {
		relative = strings.HasPrefix(word, "r")
		if n := atof(t, strings.TrimPrefix(word, "r")); n > Width+5 || n < 0 && !relative {
			t.Errorf("coordinate %v in %.120s", n, path)
		}
	}
}
