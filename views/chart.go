package views

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/views/charts"
)

// ChartKind is how a chart draws its series.
type ChartKind string

// The kinds of charts over time.
const (
	Lines ChartKind = "lines"
	Areas ChartKind = "areas" // lines with the surface below them
	Stack ChartKind = "stack"
	Bars  ChartKind = "bars" // stacked, too
)

// Chart is a graph over time with everything around it: title, legend, axes, flags, links to zoom, and its numbers as a
// table. It is made from a page's props.
type Chart struct {
	Title, Sub string
	Kind       ChartKind
	Unit       charts.Unit
	Clock      charts.Clock
	Lines      []ChartLine
	Bands      []ChartBand   // behind the lines
	Scale      *charts.Scale // nil: from zero to the largest value
	Markers    []charts.Marker
	Height     int  // in pixels
	Ends       bool // each line is named at its end
	// Over is a ghost over a whole stack: its sum a period earlier; nil for none.
	Over  []float64
	Ghost string // what Before is called in the legend: the hour before, peak
	// Limit is a value that a line across the chart marks, as LimitName; 0 for none. Of lines only.
	Limit     float64
	LimitName string
	// CSV is where the numbers are as a file, Zoom the page's address without its period; "" for none.
	CSV, Zoom string
}

// ChartLine is a series and how it is drawn.
type ChartLine struct {
	charts.Series
	Mark   string    // the colour: a percentile, a category, err, or s1 to s4
	Before []float64 // the same a period earlier, drawn as a ghost; nil for none
}

// ChartBand is an interval around a line in which the truth lies with 95 %, in the line's colour.
type ChartBand struct {
	Mark      string
	Low, High []float64
}

// tableRows is how long the table behind a chart is at the most.
const tableRows = 24

// perChar is how many per cent of a plot's width a character of a flag takes: 6.4 px of 490, the plot of half a page.
const perChar = 1.3

func (c Chart) values() [][]float64 {
	out := make([][]float64, len(c.Lines))
	for i, l := range c.Lines {
		out[i] = l.Values
	}
	return out
}

func (c Chart) series() []charts.Series {
	out := make([]charts.Series, len(c.Lines))
	for i, l := range c.Lines {
		out[i] = l.Series
	}
	return out
}

func (c Chart) scale() charts.Scale {
	switch {
	case c.Scale != nil:
		return *c.Scale
	case c.Kind == Stack || c.Kind == Bars:
		return charts.Linear(c.Unit, charts.Total(c.values()...), c.Over)
	}
	all := append(c.values(), []float64{c.Limit})
	for _, l := range c.Lines {
		all = append(all, l.Before)
	}
	for _, b := range c.Bands {
		all = append(all, b.High)
	}
	return charts.Linear(c.Unit, all...)
}

// lowPlot is the height in pixels below which an axis names its ends and its middle alone.
const lowPlot = 90

// axis is the scale with as many ticks as there is room for.
func (c Chart) axis() charts.Scale {
	s := c.scale()
	if last := len(s.Ticks) - 1; c.Height < lowPlot && last > 2 {
		few := []charts.Tick{s.Ticks[0], s.Ticks[last]}
		if last%2 == 0 {
			few = slices.Insert(few, 1, s.Ticks[last/2])
		}
		s.Ticks = few
	}
	return s
}

// drawn is one path of a chart.
type drawn struct{ class, mark, d string }

func (c Chart) paths(s charts.Scale) []drawn {
	switch c.Kind {
	case Stack:
		return append(c.surfaces(s), c.over(s)...)
	case Bars:
		return append(c.bars(s), c.over(s)...)
	}
	var out []drawn
	for _, l := range c.Lines {
		if c.Kind == Areas {
			out = append(out, drawn{"area", l.Mark, charts.Area(l.Values, s)})
		}
	}
	for _, b := range c.Bands {
		out = append(out, drawn{"band", b.Mark, charts.Band(b.Low, b.High, s)})
	}
	for _, l := range c.Lines {
		ghost, _ := charts.Line(l.Before, s, false)
		path, last := charts.Line(l.Values, s, c.Clock.Open)
		out = append(out, drawn{"ln", "prev", ghost}, drawn{"ln", l.Mark, path}, drawn{"ln open", l.Mark, last})
	}
	if c.Limit > 0 {
		out = append(out, drawn{"ln", "guard", fmt.Sprintf("M0 %.1fH%d", s.Y(c.Limit), charts.Width)})
	}
	return slices.DeleteFunc(out, func(d drawn) bool { return d.d == "" })
}

func (c Chart) over(s charts.Scale) []drawn {
	if path, _ := charts.Line(c.Over, s, false); path != "" {
		return []drawn{{"ln", "prev", path}}
	}
	return nil
}

func (c Chart) surfaces(s charts.Scale) []drawn {
	var out []drawn
	for i, d := range charts.Stack(c.values(), s) {
		out = append(out, drawn{"ar", c.Lines[i].Mark, d})
	}
	return out
}

// bars stand on each other. The last one is drawn apart while its bucket still fills.
func (c Chart) bars(s charts.Scale) []drawn {
	var out []drawn
	base := make([]float64, c.Clock.N)
	for _, l := range c.Lines {
		whole, filling := slices.Clone(l.Values), make([]float64, len(l.Values))
		if last := len(whole) - 1; c.Clock.Open && last >= 0 {
			whole[last], filling[last] = 0, whole[last]
		}
		out = append(out, drawn{"b", l.Mark, charts.Bars(whole, base, s.Max, .18)}, drawn{"b open", l.Mark, charts.Bars(filling, base, s.Max, .18)})
		base = slices.Clone(base)
		for i, v := range l.Values[:min(len(l.Values), len(base))] {
			if v > 0 {
				base[i] += v
			}
		}
	}
	return slices.DeleteFunc(out, func(d drawn) bool { return d.d == "" })
}

// label says in words what the chart shows, for those who do not see it.
func (c Chart) label() string {
	var out []string
	for _, l := range c.Lines {
		out = append(out, charts.Trend(c.Clock, c.Unit, l.Series))
	}
	if c.Limit > 0 {
		out = append(out, title(c.LimitName)+": "+c.Unit.Text(c.Limit)+".")
	}
	return strings.TrimSpace(c.Title + ". " + strings.Join(out, " "))
}

// xs and ys are what the readout under the pointer says.
func (c Chart) xs() string {
	out := make([]string, c.Clock.N)
	for i := range out {
		out[i] = c.Clock.Label(i)
	}
	return strings.Join(out, ",")
}

// clockSeconds is where an axis of time begins and how long its steps are, in seconds: scripts write times of another zone.
func clockSeconds(c charts.Clock) string {
	return strconv.FormatInt(c.From.Unix(), 10) + "," + strconv.FormatFloat(c.Step.Seconds(), 'f', -1, 64)
}

// top is the end of the axis in the unit of the readout.
func (c Chart) top(s charts.Scale) string { return strconv.FormatFloat(s.In(s.Max), 'f', -1, 64) }

func (c Chart) ys(s charts.Scale) string {
	parts := make([]string, len(c.Lines))
	for i, l := range c.Lines {
		name, err := json.Marshal(l.Name)
		if err != nil {
			continue // text always has a form in JSON
		}
		parts[i] = string(name) + ":" + jsonNumbers(l.Values, s)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// jsonNumbers is a list in the unit of the axis; null where nothing is.
func jsonNumbers(values []float64, s charts.Scale) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = "null"
		if v = s.In(v); !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return "[" + strings.Join(out, ",") + "]"
}

// bucketTitle is what a browser shows over a bucket without a script.
func (c Chart) bucketTitle(i int) string {
	out := c.Clock.Label(i)
	for _, l := range c.Lines {
		if i < len(l.Values) {
			out += ", " + l.Name + " " + c.Unit.Text(l.Values[i])
		}
	}
	return out
}

// end is the name of a line beside its last value. At is in per cent from below.
type end struct {
	at         float64
	text, mark string
}

// endHeight is how far apart two names are at least, in pixels.
const endHeight = 13

func (c Chart) ends(s charts.Scale) []end {
	var out []end
	for _, l := range c.Lines {
		if i := lastOf(l.Values); i >= 0 {
			out = append(out, end{s.At(l.Values[i]), l.Name + " " + c.Unit.Text(l.Values[i]), l.Mark})
		}
	}
	slices.SortStableFunc(out, func(a, b end) int { return cmp.Compare(a.at, b.at) })
	pushApart(out, endHeight/float64(max(c.Height, 1))*100)
	return out
}

// pushApart moves names that would lie on each other up, and those that leave the plot by that down again.
func pushApart(ends []end, apart float64) {
	for i := 1; i < len(ends); i++ {
		ends[i].at = max(ends[i].at, ends[i-1].at+apart)
	}
	top := 100.0
	for i := len(ends) - 1; i >= 0 && ends[i].at > top; i-- {
		ends[i].at = top
		top -= apart
	}
}

// lastOf is where the last value is; -1 when there is none.
func lastOf(values []float64) int {
	for i := len(values) - 1; i >= 0; i-- {
		if !math.IsNaN(values[i]) && !math.IsInf(values[i], 0) {
			return i
		}
	}
	return -1
}

// zoomURL is a page with another period; "" when there is no such page.
func zoomURL(page string, from, to time.Time) templ.SafeURL {
	if page == "" {
		return ""
	}
	join := "?"
	if strings.Contains(page, "?") {
		join = "&"
	}
	return templ.URL(page + join + "from=" + strconv.FormatInt(from.Unix(), 10) + "&to=" + strconv.FormatInt(to.Unix(), 10))
}

// rowLabel is when a row of the table begins.
func rowLabel(c charts.Clock, from time.Time) string {
	return c.Label(int(from.Sub(c.From) / max(c.Step, 1)))
}

// foldedBy says how the rows of a table come from the buckets of its chart; "" when each is one.
func (c Chart) foldedBy() string {
	if c.Clock.N <= tableRows {
		return ""
	}
	words := map[charts.Folding]string{charts.Mean: "mean", charts.Sum: "sum", charts.Max: "highest value"}
	var kinds []string
	for _, l := range c.Lines {
		if word := words[l.By]; !slices.Contains(kinds, word) {
			kinds = append(kinds, word)
		}
	}
	return ", " + strings.Join(kinds, " or ") + " of each row"
}

func gapTitle(c charts.Clock, g charts.Gap) string {
	return "No data, " + c.Label(g.From) + " to " + c.At(g.To).Format("15:04")
}

// css is a custom property of a style attribute. What is no place on a page is 0.
func css(name string, v float64) templ.SafeCSS {
	if !(v >= 0 && v <= maxPlace) {
		v = 0
	}
	return templ.SafeCSS("--" + name + ":" + strconv.FormatFloat(v, 'f', -1, 64))
}

// maxPlace is beyond every per cent and every height in pixels.
const maxPlace = 10_000

// css2 is two of them.
func css2(a string, v float64, b string, w float64) templ.SafeCSS {
	return css(a, v) + ";" + css(b, w)
}
