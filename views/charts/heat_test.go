package charts

import (
	"math"
	"strings"
	"testing"
)

func TestHeatmap(t *testing.T) {
	t.Parallel()
	slow := []Bin{{90, 110, 1000}, {700, 760, 10}, {nan, 5, 3}, {1, 2, nan}, {1, 2, -4}}
	h := NewHeatmap(Duration, [][]Bin{{{90, 110, 1000}}, {{90, 110, 1000}}, nil, slow})
	if h.Bounds[0] != 64 || h.Bounds[len(h.Bounds)-1] != 1024 || len(h.Bounds) != 9 || h.Most != 1000 {
		t.Fatalf("rows %v, most %v", h.Bounds, h.Most)
	}
	if want := "M0 75h500v12.5h-500ZM750 75h250v12.5h-250Z"; h.Paths[6] != want {
		t.Errorf("the fullest cells: got %s, want %s", h.Paths[6], want)
	}
	if h.Paths[3] != "M750 0h250v12.5h-250Z" || h.Paths[0] != "" {
		t.Errorf("few: %v", h.Paths)
	}
	if got := texts(h.Scale.Ticks); got != "64 | 130 | 260 | 510 | 1 s" {
		t.Errorf("ticks %s", got)
	}
	if got := h.Share(3, 4, 4, 8); math.Abs(got-10./1010) > 1e-9 {
		t.Errorf("share %v", got)
	}
	if !math.IsNaN(h.Share(2, 3, 0, 8)) || !math.IsNaN(h.Share(-1, 99, 0, 0)*nan) {
		t.Error("a column without values has a share")
	}
}

// TestHeatmapWide keeps a span of nanoseconds to weeks in a drawing that can be looked at.
func TestHeatmapWide(t *testing.T) {
	t.Parallel()
	h := NewHeatmap(Duration, [][]Bin{{{1e-6, 2e-6, 5}, {6e8, 6.1e8, 5}}})
	if len(h.Bounds) != mostOctaves+1 || len(h.Scale.Ticks) > 6 || h.Counts[0][0] != 5 {
		t.Errorf("%d rows, %d ticks, %v", len(h.Bounds), len(h.Scale.Ticks), h.Counts)
	}
	// A sketch may tell a bin by one value alone.
	if h = NewHeatmap(Duration, [][]Bin{{{100, 100, 5}, {0, 0, 2}}}); h.Most != 5 || Quantile([]Bin{{100, 100, 5}, {0, 0, 2}}, .2) != 0 {
		t.Errorf("bins of one value: %+v", h.Counts)
	}
	empty := NewHeatmap(Duration, [][]Bin{nil, {{1, 2, 0}}})
	if strings.Join(empty.Paths[:], "") != "" || len(empty.Scale.Ticks) == 0 {
		t.Errorf("nothing draws %+v", empty)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var bins []Bin
	for i := range 61 {
		bins = append(bins, Bin{Low: float64(i), High: float64(i + 1), N: float64(60 - i)})
	}
	h := NewHistogram(append(bins, Bin{High: nan, N: 9}, Bin{High: 3, N: inf}), 30)
	if len(h.Bins) > 31 || h.Max != 60 || h.N != 1830 || h.Median != 18 {
		t.Errorf("%d bars, max %v, n %v, median %v", len(h.Bins), h.Max, h.N, h.Median)
	}
	if got := Fold(Sum, h.Values()); got != 1830 {
		t.Errorf("the bars hold %v", got)
	}
	if ticks := h.Ticks(6); len(ticks) > 6 || ticks[0].Text != "0" {
		t.Errorf("ticks %v", texts(ticks))
	}
	if h := NewHistogram(nil, 30); h.Bins != nil || !math.IsNaN(h.Median) || h.Ticks(6) != nil {
		t.Errorf("nothing is %+v", h)
	}
	if h := NewHistogram([]Bin{{0, 0, 7}}, 30); h.Bins[0].N != 7 {
		t.Errorf("only zeros: %+v", h)
	}
}

// TestRange holds the interval against the exact order statistics of 1 to 1000.
func TestRange(t *testing.T) {
	t.Parallel()
	var bins []Bin
	for i := range 1000 {
		bins = append(bins, Bin{Low: float64(i), High: float64(i + 1), N: 1})
	}
	low, high := Range(bins, .95)
	if low < 935 || low > 938 || high < 963 || high > 965 || Quantile(bins, .95) != 950 {
		t.Errorf("from %v to %v around %v", low, high, Quantile(bins, .95))
	}
	if low, high = Range(bins[:3], .95); low != 2 || high != 3 {
		t.Errorf("of three: %v to %v", low, high)
	}
	if low, _ = Range(nil, .5); !math.IsNaN(low) {
		t.Errorf("of none: %v", low)
	}
}
