package views

import (
	"math"
	"strconv"
	"strings"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// EndpointProps is the page of one endpoint.
type EndpointProps struct {
	Project      model.Project
	Method, Name string
	Period       model.Period
	Clock        charts.Clock
	// Timing is of the period, Before of the one before of the same length; nil when it is not known.
	Timing Timing
	Before *Timing
	// ApdexT is the duration up to which a request satisfies; four times as long it is still tolerated.
	ApdexT time.Duration
	Budget Budget
	Series EndpointSeries
	// Overlay is hour, day or week, and Ghost the series of that long ago; "" for no overlay.
	Overlay string
	Ghost   EndpointSeries
	Markers []charts.Marker
	// Queries is how many requests had how many database queries.
	Queries  []charts.Bin
	Samples  []Sample
	SortedBy string // of the samples: slowest, queries or failed; "" for slowest
	Switches []SwitchRow
	Compared Comparison
	// Thresholds are those of the detectors at this endpoint, each with its present value.
	Thresholds []detect.Field
	Findings   []Finding
	CSV        string // where the series are as a file; "" for none
}

// EndpointSeries are numbers of one endpoint by bucket of the page's clock. Durations are milliseconds; NaN is no data.
type EndpointSeries struct {
	Served, Failed     []float64 // requests in the bucket
	P50, P75, P95, P99 []float64
	// Time is the mean of each category a request, exclusive.
	Time [trace.Categories][]float64
	// Durations are the bins of each bucket's sketch, in milliseconds.
	Durations [][]charts.Bin
}

// Sample is a request whose spans are kept.
type Sample struct {
	Trace    trace.ID
	Span     trace.SpanID
	At       time.Time
	Duration time.Duration
	Totals   trace.Totals
	Status   int
	Failed   bool
	// Note is what stands out: "58 queries", an error's short id; User whom it was for.
	Note, User string
}

// SwitchRow is what a switch does to an endpoint: its requests with it on and off.
type SwitchRow struct {
	Key     string
	Share   float64 // per cent that have it on
	Killed  bool
	On, Off Timing
	URL     string // the switch's page; "" while there is none
}

// Finding is something that a detector found at this endpoint.
type Finding struct {
	Kind     string // n+1, slow query, regression ...
	Title    string
	Evidence string
	ShortID  string // the issue
	File     string
	Line     int
	Wasted   time.Duration // a request
	Seen     int64
	Status   model.Status
}

// sampleSorts and overlays are choices as the address has them and as people read them.
var (
	sampleSorts = [][2]string{{"slowest", "Slowest"}, {"queries", "Most queries"}, {"failed", "Failed"}}
	overlays    = [][2]string{{"", "No overlay"}, {"hour", "Hour before"}, {"day", "Day before"}, {"week", "Week before"}}
)

// OverlayLength is how long ago an overlay is: hour, day or week; 0 for none.
func OverlayLength(overlay string) time.Duration {
	return map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}[overlay]
}

func (p EndpointProps) address() address {
	sorted := p.SortedBy
	if sorted == sampleSorts[0][0] {
		sorted = ""
	}
	return newAddress("/endpoint", p.Period, "project", p.Project.Slug, "method", p.Method, "name", p.Name, "overlay", p.Overlay, "samples", sorted,
		"by", p.Compared.By, "a", p.Compared.A, "b", p.Compared.B)
}

// chartHeight is that of the endpoint's charts, in pixels.
const chartHeight = 132

func (p EndpointProps) chart(title, sub string, kind ChartKind, unit charts.Unit, lines ...ChartLine) Chart {
	c := Chart{Title: title, Sub: sub, Kind: kind, Unit: unit, Clock: p.Clock, Lines: lines, Markers: p.Markers, Height: chartHeight,
		CSV: p.CSV, Zoom: p.address().timeless()}
	if p.Overlay != "" {
		c.Ghost = "the " + p.Overlay + " before"
	}
	return c
}

func (p EndpointProps) throughput() Chart {
	served := ChartLine{charts.Series{Name: "served", Values: p.Series.Served, By: charts.Sum}, "p50", nil}
	failed := ChartLine{charts.Series{Name: "failed", Values: p.Series.Failed, By: charts.Sum}, "err", nil}
	c := p.chart("Requests per "+stepName(p.Clock.Step), "", Bars, charts.Count, served, failed)
	c.Over = charts.Total(p.Ghost.Served, p.Ghost.Failed)
	return c
}

func (p EndpointProps) durations() Chart {
	s, g := p.Series, p.Ghost
	line := func(name string, values, before []float64) ChartLine {
		return ChartLine{charts.Series{Name: name, Values: values, By: charts.Max}, name, before}
	}
	c := p.chart("Duration", "", Lines, charts.Duration, line("p50", s.P50, g.P50), line("p75", s.P75, nil), line("p95", s.P95, g.P95), line("p99", s.P99, nil))
	c.Ends = true
	return c.limited(p.Budget.P95)
}

func (p EndpointProps) timeByCategory() Chart {
	var lines []ChartLine
	var ghosts [][]float64
	for _, n := range catNames {
		lines = append(lines, ChartLine{charts.Series{Name: n.name, Values: p.Series.Time[n.category]}, catKey(n.category), nil})
		ghosts = append(ghosts, p.Ghost.Time[n.category])
	}
	c := p.chart("Where the time goes", "mean per request", Stack, charts.Duration, lines...)
	c.Over = charts.Total(ghosts...)
	return c
}

// stepName is a bucket's length as a unit: minute, 15 min.
func stepName(d time.Duration) string {
	switch d {
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return span(d)
}

func (p EndpointProps) heat() charts.Heatmap {
	return charts.NewHeatmap(charts.Duration, p.Series.Durations)
}

// heatRow is a row of the table behind the heatmap: a stretch of durations, and its share in each half of the period.
type heatRow struct {
	name          string
	first, second float64
}

// heatRows are at most eight.
func heatRows(h charts.Heatmap) (out []heatRow) {
	n := len(h.Counts)
	for _, b := range heatBands(h) {
		out = append(out, heatRow{b.name, h.Share(0, n/2, b.low, b.high), h.Share(n/2, n, b.low, b.high)})
	}
	return out
}

// heatBand is some rows of a heatmap, from low up to high.
type heatBand struct {
	name      string
	low, high int
}

// heatBands are at most eight, from below.
func heatBands(h charts.Heatmap) (out []heatBand) {
	rows := len(h.Bounds) - 1
	for low, every := 0, max((rows+7)/8, 1); low < rows; low += every {
		high := min(low+every, rows)
		out = append(out, heatBand{charts.Duration.Text(h.Bounds[low]) + " to " + charts.Duration.Text(h.Bounds[high]), low, high})
	}
	return out
}

// heatNumbers is what the readout of a heatmap says: requests by duration, the longest first as they are drawn.
func heatNumbers(h charts.Heatmap) string {
	bands := heatBands(h)
	parts := make([]string, len(bands))
	for i, b := range bands {
		numbers := make([]string, len(h.Counts))
		for c, rows := range h.Counts {
			sum := 0.0
			for _, n := range rows[b.low:b.high] {
				sum += n
			}
			numbers[c] = strconv.FormatFloat(math.Round(sum*10)/10, 'f', -1, 64)
		}
		parts[len(bands)-1-i] = strconv.Quote(b.name) + ":[" + strings.Join(numbers, ",") + "]"
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// heatChartOf is the heatmap's clock and links, as other charts have them.
func heatChartOf(p EndpointProps) Chart { return Chart{Clock: p.Clock, Zoom: p.address().timeless()} }

// heatLabel says in words what the heatmap shows.
func heatLabel(p EndpointProps, h charts.Heatmap) string {
	if h.Most == 0 {
		return "Duration heatmap. No data."
	}
	var most heatRow
	for _, r := range heatRows(h) {
		if r.second > most.second || math.IsNaN(most.second) {
			most = r
		}
	}
	return "Duration heatmap. In the second half of the period most requests, " + sharePercent(most.second) + ", took " + most.name +
		"; in the first half " + sharePercent(most.first) + " did."
}

func shareText(v float64) string { return charts.Percent.Text(v * 100) }

// queriesLabel says in words what the histogram shows.
func queriesLabel(h charts.Histogram) string {
	return "Database queries per request: median " + charts.Count.Text(h.Median) + ", at most " + charts.Count.Text(h.Max) + "."
}

// tone is that of a status as people know them from HTTP.
func (s Sample) tone() string {
	switch {
	case s.Failed || s.Status >= 500:
		return "bad"
	case s.Status >= 400:
		return "warn"
	}
	return "ok"
}

// answer is the status, or a word where there is none.
func (s Sample) answer() string {
	switch {
	case s.Status > 0:
		return itoa(s.Status)
	case s.Failed:
		return "failed"
	}
	return "ok"
}

// longestSample is what the bars of the samples are measured by.
func longestSample(samples []Sample) (most time.Duration) {
	for _, s := range samples {
		most = max(most, s.Duration)
	}
	return max(most, 1)
}

// comparable tells whether changes against the period before mean anything.
func (p EndpointProps) comparable() bool {
	return p.Before != nil && !p.Before.few() && !p.Timing.few()
}

func (p EndpointProps) earlier() Timing {
	if p.Before == nil {
		return Timing{}
	}
	return *p.Before
}

// since is a change, or nothing while there is nothing to compare with.
func (p EndpointProps) since(d delta) delta {
	if !p.comparable() {
		return delta{}
	}
	return d
}

// changed is how many thresholds are not the usual ones.
func (p EndpointProps) changed() (n int64) {
	for _, f := range p.detectorFields() {
		if f.Value != f.Default {
			n++
		}
	}
	return n
}

// thresholdsTitle is the line above the thresholds.
func (p EndpointProps) thresholdsTitle() string {
	if n := p.changed(); n > 0 {
		return plural(int64(len(p.detectorFields())), "threshold") + " of the detectors, " + count(n) + " changed"
	}
	return plural(int64(len(p.detectorFields())), "threshold") + " of the detectors, all as usual"
}

// thresholdHint is what a threshold means, its usual value when this is another one, and how to turn it off.
func thresholdHint(f detect.Field) string {
	hint := title(f.Meaning)
	if f.Value != f.Default {
		hint += ", usually " + itoa(f.Default)
	}
	switch {
	case f.Budget():
		return title(f.Meaning) + "; 0 is no budget. Pages mark what is over it."
	case f.Off:
		hint += "; 0 turns the detector off"
	}
	return hint + "."
}

// least is the smallest value that a form may send.
func least(f detect.Field) int {
	if f.Off {
		return 0
	}
	return f.Least
}

// thresholdName is a threshold's name in words: n plus one query count.
func thresholdName(f detect.Field) string {
	name := strings.TrimSuffix(strings.TrimSuffix(f.Name, "_ms"), "_percent")
	name = title(strings.ReplaceAll(name, "_", " "))
	if strings.HasSuffix(name, f.Unit) {
		return name
	}
	return joined(name, f.Unit)
}

// maxApdexT is an hour in milliseconds: nobody who waits longer is satisfied.
const maxApdexT = 3_600_000

func (p EndpointProps) settingsURL() string { return "/endpoint/settings" }
