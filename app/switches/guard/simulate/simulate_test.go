package simulate

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// TestRows plays a part of what `kibitz bench guard` plays, with few runs and so with wide error bars.
func TestRows(t *testing.T) {
	t.Parallel()
	rows := FalseKills()
	for _, row := range append(rows[:6:6], Detections()[3:12]...) {
		if row.Scenario.Share < 0.05 && row.Scenario.Ratio > 1 {
			continue
		}
		for _, r := range row.Run(context.Background(), 30, 2, 7, func() {}) {
			if r.Rule.Ours() && !r.Within() {
				t.Errorf("%s at %g, ×%g, %s: rate %g of %g ± %g, median %g of %g (%g to %g)", row.Name, row.Scenario.Share, row.Scenario.Ratio, r.Rule,
					r.Found, r.Rate, r.Error, r.Median, r.Seconds, r.Low, r.High)
			}
		}
	}
}

// TestCompare holds that a wrong figure is told from a right one.
func TestCompare(t *testing.T) {
	t.Parallel()
	var all []Outcome
	for i := range 1000 {
		var o Outcome
		if i%2 == 0 {
			o[E20] = 10
		}
		all = append(all, o)
	}
	for _, c := range []struct {
		cell   Cell
		within bool
	}{
		{Cell{E20, 0.5, 0}, true}, {Cell{E20, 0.55, 0}, true}, {Cell{E20, 0.65, 0}, false}, {Cell{E20, 0.35, 0}, false},
		{Cell{E20, math.NaN(), 100}, true}, {Cell{E20, math.NaN(), 90}, false}, {Cell{E1000, 0, 0}, true}, {Cell{E1000, 0.02, 0}, false},
	} {
		if got := c.cell.compare(all).Within(); got != c.within {
			t.Errorf("%+v: within %v, want %v", c.cell, got, c.within)
		}
	}
}

// TestPoisson holds mean and variance of what is drawn.
func TestPoisson(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, mean := range []float64{0, 0.05, 3, 40, 995} {
		p, sum, squares := newPoisson(mean), 0.0, 0.0
		const n = 20_000
		for range n {
			x := float64(p.draw(r))
			sum, squares = sum+x, squares+x*x
		}
		m := sum / n
		if d := 5 * math.Sqrt(mean/n); math.Abs(m-mean) > d {
			t.Errorf("mean of %g is %g", mean, m)
		}
		if v := squares/n - m*m; math.Abs(v-mean) > 0.1*mean+0.01 {
			t.Errorf("variance of %g is %g", mean, v)
		}
	}
}
