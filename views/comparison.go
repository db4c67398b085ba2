package views

import (
	"math"
	"slices"
	"time"

	"kibitz/app/trace"
	"kibitz/views/charts"
)

// Comparison lays two sides of an endpoint beside each other: two releases, or two variants of a switch.
type Comparison struct {
	By string // release or switch; "" when nothing is compared
	// Choices are what the sides may be; A and B the values of those chosen.
	Choices     []Choice
	A, B        string
	Left, Right Side
	Rows        []Difference
}

// Choice is a side that can be chosen: a release, or a switch and its variant.
type Choice struct{ Value, Name string }

// Side is what is known of one side. Durations are the bins of its sketch, in milliseconds.
type Side struct {
	Name      string
	Timing    Timing
	Durations []charts.Bin
}

// Difference is a piece of work on both sides: a whole category, or one query, call or template by its fingerprint. Times
// are exclusive means a request, N how often it happened in one.
type Difference struct {
	Category    trace.Category
	Name        string // "" for the whole category
	Left, Right time.Duration
	LeftN       float64
	RightN      float64
}

// maxDifferences is how many rows the table has at the most.
const maxDifferences = 25

// ranked are the rows by how much they differ, whichever way.
func (c Comparison) ranked() []Difference {
	rows := slices.Clone(c.Rows)
	slices.SortStableFunc(rows, func(a, b Difference) int {
		switch x, y := (a.Right - a.Left).Abs(), (b.Right - b.Left).Abs(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return rows[:min(len(rows), maxDifferences)]
}

// largest is what the bars of the differences are measured by.
func (c Comparison) largest() (most time.Duration) {
	for _, r := range c.Rows {
		most = max(most, (r.Right - r.Left).Abs())
	}
	return max(most, 1)
}

// verdict is the comparison in one sentence, and its tone. Ranges of the p95 that overlap may be chance, and so may sides
// with few requests: it then says so instead of a winner.
func (c Comparison) verdict() (tone, text string) {
	l, r := c.Left, c.Right
	if l.Timing.few() || r.Timing.few() {
		return "", "Too few requests to judge: " + count(l.Timing.Seen) + " and " + count(r.Timing.Seen) + ", and " + itoa(LeastSeen) + " are needed on each side."
	}
	l0, l1 := charts.Range(l.Durations, .95)
	r0, r1 := charts.Range(r.Durations, .95)
	was, is := rangeText(l.Timing.P95, l0, l1), rangeText(r.Timing.P95, r0, r1)
	switch {
	case math.IsNaN(l0) || math.IsNaN(r0):
		return "", r.Name + " has a p95 of " + took(r.Timing.P95) + ", " + l.Name + " of " + took(l.Timing.P95) + ". Without their distributions nobody can say whether that is chance."
	case l0 <= r1 && r0 <= l1:
		return "", "No difference at p95 that could not be chance: " + is + ", and " + was + " with " + l.Name + "."
	}
	change := worseTime(l.Timing.P95, r.Timing.P95)
	if r.Timing.P95 > l.Timing.P95 {
		return "bad", r.Name + " is slower at p95 by " + change.text + ": " + is + ", and " + was + " with " + l.Name + "."
	}
	return "ok", r.Name + " is faster at p95 by " + change.text + ": " + is + ", and " + was + " with " + l.Name + "."
}

// rangeText is a percentile and between what it lies with 95 % certainty.
func rangeText(d time.Duration, low, high float64) string {
	return took(d) + " (" + charts.Duration.Text(low) + " to " + charts.Duration.Text(high) + ")"
}

// overlaid are both distributions as shares over one logarithmic axis.
type overlaid struct {
	left, right string
	ticks       []charts.Tick
	label       string
}

func (c Comparison) overlaid() overlaid {
	h := charts.NewHeatmap(charts.Duration, [][]charts.Bin{c.Left.Durations, c.Right.Durations})
	if h.Most == 0 {
		return overlaid{}
	}
	sides := [2][]float64{}
	for i := range sides {
		for row := range len(h.Bounds) - 1 {
			share := h.Share(i, i+1, row, row+1)
			if math.IsNaN(share) {
				share = 0
			}
			sides[i] = append(sides[i], share*100)
		}
	}
	s := charts.Linear(charts.Percent, sides[0], sides[1])
	left, _ := charts.Line(sides[0], s, false)
	right, _ := charts.Line(sides[1], s, false)
	ticks := slices.Clone(h.Scale.Ticks)
	for i := range ticks {
		ticks[i].Edge = map[bool]int{true: -1}[ticks[i].At == 0] + map[bool]int{true: 1}[ticks[i].At == 100]
	}
	return overlaid{left, right, ticks, "Distribution of durations. " + c.Left.Name + ": median " + took(c.Left.Timing.P50) + ", p95 " + took(c.Left.Timing.P95) + ". " +
		c.Right.Name + ": median " + took(c.Right.Timing.P50) + ", p95 " + took(c.Right.Timing.P95) + "."}
}

// workName is what a row is about.
func (d Difference) workName() string {
	if d.Name == "" {
		return "all of " + categoryName(d.Category)
	}
	return cutText(oneLine(d.Name), 160)
}

func categoryName(c trace.Category) string {
	for _, n := range catNames {
		if n.category == c {
			return n.name
		}
	}
	return trace.Other.String()
}

// signed is a difference in time with its sign.
func signed(d time.Duration) string {
	switch {
	case d > 0:
		return "+" + took(d)
	case d < 0:
		return "−" + took(-d)
	}
	return "±0"
}

// timesText is how often something happened in a request.
func timesText(left, right float64) string {
	l, r := charts.Count.Text(left), charts.Count.Text(right)
	if l == r {
		return l
	}
	return l + " → " + r
}

func differenceTone(d Difference) string {
	switch {
	case d.Right > d.Left:
		return "bad"
	case d.Right < d.Left:
		return "ok"
	}
	return ""
}

func differenceShare(d Difference, most time.Duration) float64 {
	return math.Round(float64((d.Right - d.Left).Abs()) / float64(most) * 100)
}
