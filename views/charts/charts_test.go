package charts

import "testing"

func TestBars(t *testing.T) {
	t.Parallel()
	got := Bars([]int64{0, 10, 5, -1}, []int64{0, 0, 5, 0}, 10, 0.2)
	want := "M275 100V0h200V100ZM525 50V0h200V50Z"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if Bars[int64](nil, nil, 10, 0) != "" || Bars([]int64{1}, nil, 0, 0) != "" {
		t.Error("nothing to draw draws something")
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ most, want int64 }{{0, 2}, {1, 2}, {2, 2}, {4, 5}, {6, 10}, {11, 20}, {289, 300}, {1 << 62, 1 << 62}} {
		if got := Top([]int64{c.most}); got != c.want && c.most < 1<<50 {
			t.Errorf("Top(%d) = %d, want %d", c.most, got, c.want)
		}
	}
	if got := Top([]int64{3}, []int64{4}); got != 10 {
		t.Errorf("stacked: got %d", got)
	}
}

func TestMost(t *testing.T) {
	t.Parallel()
	if Most(nil) != 1 || Most([]int64{0, -3}) != 1 || Most([]int64{4, 9, 2}) != 9 {
		t.Error("the largest value is another one")
	}
}
