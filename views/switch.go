package views

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/switches"
	"kibitz/views/charts"
)

// SwitchPageProps is the page of one switch, and that of a new one.
type SwitchPageProps struct {
	SwitchScope
	New    bool
	Switch switches.Switch
	// Revision and Node are the version that the form was made of.
	Revision int64
	Node     string
	By, Kind string
	At       time.Time
	Pending  bool
	Form     SwitchForm
	Problems []string // of the whole switch
	Dirty    bool     // the form holds what is not saved
	Stale    []string

	Period  model.Period
	Clock   charts.Clock
	Metric  string // of the second chart: p95, p50, p99, queries
	Series  []SwitchSeries
	Markers []charts.Marker
	Unknown bool

	People   string // whom it would reach, in words
	Try      SwitchTry
	Guard    GuardPanel
	History  []SwitchEvent
	More     bool     // there is older history
	Keys     []string // of other switches, for what it needs
	Segments []string
	Labs     *LabsCount
	Ramp     string // what its ramp waits for
}

// SwitchSeries is the requests with one answer over time, by bucket of the page's clock; NaN is no data.
type SwitchSeries struct {
	Variant                         string
	On                              bool
	N                               []float64
	Failed, FailedLow, FailedHigh   []float64 // per cent
	P50, P95, P99, P95Low, P95High  []float64 // ms
	P50Low, P50High, P99Low, P99Top []float64
	Queries                         []float64 // a request
}

// SwitchTry is the question of the box and its answer; Asked is false before it was asked.
type SwitchTry struct {
	Asked                                                    bool
	User, Anonymous, IP, Forum, Role, Country, Address, More string
	Variant                                                  string
	On                                                       bool
	Reason, Condition                                        string
	Steps                                                    []TryStep
	Error                                                    string
	Example                                                  string // somebody who would see it, and why
}

// TryStep is what was asked on the way to an answer.
type TryStep struct {
	Depth     int // 1 for a parent or prerequisite, 2 for its own ...
	Text, Why string
	Matched   bool
}

// GuardPanel is what the guard of a switch knows and did.
type GuardPanel struct {
	Config    switches.Guard
	State     GuardState
	Text      string
	Warnings  []string
	Alarm     *GuardAlarm
	E         float64 // evidence; 0 for none
	Figures   string  // what it stands on
	Decisions []GuardDecision
}

// GuardDecision is a line of its log.
type GuardDecision struct {
	At           time.Time
	Action, Text string
	E            float64
}

// SwitchEvent is a change in a history.
type SwitchEvent struct {
	ID            int64
	Env, Key      string
	At            time.Time
	By, Kind, Why string
	Action        string
	Before, After *switches.Switch
	Revision      int64
	UndoneBy      string // who took it back; "" nobody
	IsUndo        bool
	MayUndo       bool
	Killed, Freed bool // the kill bit was set, or taken away
}

// LabsCount is how many opted in and out.
type LabsCount struct{ In, Out int }

func (p SwitchPageProps) address() address {
	path := SwitchPath(p.Switch.Key, "", "")
	key := ""
	if strings.HasPrefix(path, "/switch?") {
		path, key = "/switch", p.Switch.Key
	}
	return newAddress(path, p.Period, "key", key, "env", p.envField(), "metric", p.Metric)
}

// post is where a form of the page is sent.
func (p SwitchPageProps) post(what string) templ.SafeURL {
	if p.New {
		return "/switches/new"
	}
	return templ.SafeURL(SwitchPath(p.Switch.Key, what, ""))
}

// facts are the words below the key.
func (p SwitchPageProps) facts() []string {
	var out []string
	if p.Switch.Owner != "" {
		out = append(out, "Owner "+cutText(p.Switch.Owner, 80))
	}
	if p.Switch.RemoveBy != "" {
		out = append(out, "remove by "+dateText(p.Switch.RemoveBy))
	}
	return out
}

func dateText(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return cutText(date, 20)
	}
	return t.Format("2 Jan 2006")
}

// otherEnv is where the button copies to: the next environment.
func (p SwitchPageProps) otherEnv() []string {
	return slices.DeleteFunc(slices.Clone(p.Environments), func(e string) bool { return e == p.Env })
}

// mark is the colour of an answer's line.
func (s SwitchSeries) mark(i int, several bool) string {
	switch {
	case !s.On:
		return "off"
	case !several:
		return "on"
	}
	return "s" + strconv.Itoa(i%3+1)
}

// sides are the answers that have any requests, those that are on first, at most four.
func (p SwitchPageProps) sides() (list []SwitchSeries, several bool) {
	on := 0
	for _, s := range p.Series {
		if lastOf(s.N) >= 0 && len(list) < 4 {
			list = append(list, s)
			if s.On {
				on++
			}
		}
	}
	return list, on > 1
}

// chartOf draws one measure of all answers; band may be nil.
func (p SwitchPageProps) chartOf(title, sub string, unit charts.Unit, by charts.Folding, value func(SwitchSeries) []float64, band func(SwitchSeries) (low, high []float64)) Chart {
	c := Chart{Title: title, Sub: sub, Kind: Lines, Unit: unit, Clock: p.Clock, Height: 138, Markers: p.Markers, Ends: true, Zoom: p.address().timeless()}
	list, several := p.sides()
	for i, s := range list {
		mark := s.mark(i, several)
		c.Lines = append(c.Lines, ChartLine{charts.Series{Name: s.sideName(several), Values: value(s), By: by}, mark, nil})
		if band != nil {
			low, high := band(s)
			c.Bands = append(c.Bands, ChartBand{mark, low, high})
		}
	}
	return c
}

func (s SwitchSeries) sideName(several bool) string {
	switch {
	case !s.On:
		return "off"
	case !several:
		return "on"
	}
	return cutText(s.Variant, 20)
}

func (p SwitchPageProps) errorChart() Chart {
	return p.chartOf("Error rate", "with 95 % band", charts.Percent, charts.Mean, func(s SwitchSeries) []float64 { return s.Failed },
		func(s SwitchSeries) (low, high []float64) { return s.FailedLow, s.FailedHigh })
}

// switchMetrics are the choices of the second chart.
var switchMetrics = []choice{{"p95", "p95"}, {"p50", "p50"}, {"p99", "p99"}, {"queries", "Queries"}}

func (p SwitchPageProps) metricChart() Chart {
	switch p.Metric {
	case "queries":
		return p.chartOf("Queries a request", "mean", charts.Count, charts.Mean, func(s SwitchSeries) []float64 { return s.Queries }, nil)
	case "p50":
		return p.chartOf("p50 duration", "half are faster", charts.Duration, charts.Max, func(s SwitchSeries) []float64 { return s.P50 },
			func(s SwitchSeries) (low, high []float64) { return s.P50Low, s.P50High })
	case "p99":
		return p.chartOf("p99 duration", "with 95 % band", charts.Duration, charts.Max, func(s SwitchSeries) []float64 { return s.P99 },
			func(s SwitchSeries) (low, high []float64) { return s.P99Low, s.P99Top })
	}
	return p.chartOf("p95 duration", "with 95 % band", charts.Duration, charts.Max, func(s SwitchSeries) []float64 { return s.P95 },
		func(s SwitchSeries) (low, high []float64) { return s.P95Low, s.P95High })
}

// failingEarly warns that a fast side may be fast because it fails.
func (p SwitchPageProps) failingEarly() bool {
	for _, s := range p.Series {
		if i := lastOf(s.Failed); s.On && i >= 0 && s.Failed[i] >= 5 {
			return true
		}
	}
	return false
}

// evidenceBar is where evidence stands between 1 and what kills, on a scale of powers of ten.
func (g GuardPanel) evidenceBar() float64 {
	if !(g.E > 1) {
		return 0
	}
	return min(100, math.Round(math.Log10(g.E)/math.Log10(g.killAt())*1000)/10)
}

func (g GuardPanel) killAt() float64 {
	if g.Config.Kill > 1 {
		return g.Config.Kill
	}
	return 1000
}

func (g GuardPanel) holdAt() float64 {
	if g.Config.Hold > 1 {
		return g.Config.Hold
	}
	return 20
}

func eText(e float64) string {
	switch {
	case !(e > 0):
		return "none"
	case e < 0.01:
		return "under 0.01"
	case e > 1e6:
		return "over a million"
	}
	return charts.Count.Text(e)
}

// guardModes are the choices of the guard.
var guardModes = []choice{{"kill", "Hold the ramp, then kill"}, {"hold", "Hold the ramp and tell"}, {"shadow", "Only say what it would do"}, {"off", "Off"}}

func (g GuardPanel) mode() string { return orWord(string(g.Config.Mode), string(switches.GuardKill)) }

// changes are what an event did, for its list and for its details.
func (e SwitchEvent) changes() []SwitchChange { return SwitchDiff(e.Before, e.After) }

// headline says what an event did: from and to where the share or state moved, else in words.
func (e SwitchEvent) headline() (before, after, words string) {
	was, is := StateText(e.Before), StateText(e.After)
	switch changes := e.changes(); {
	case e.Killed:
		return "", "", "killed"
	case e.Freed:
		return "", "", "released"
	case e.Before == nil && e.After != nil:
		return "", is, "created,"
	case e.After == nil && e.Before != nil:
		return was, "", "removed"
	case was != is:
		return was, is, ""
	case len(changes) == 1:
		return "", "", "changed " + lowerFirst(cutText(changes[0].What, 60))
	case len(changes) > 1:
		return "", "", "changed " + lowerFirst(cutText(changes[0].What, 40)) + " and " + strconv.Itoa(len(changes)-1) + " more"
	}
	return "", "", orWord(cutText(e.Action, 40), "changed")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// ownerless is a kind that is no person, drawn with its shape.
func (e SwitchEvent) byMachine() bool {
	return e.Kind == "guard" || e.Kind == "schedule" || e.Kind == "ramp" || e.Kind == "import"
}

// stepDone tells how a step of a ramp is drawn: done, current, or ahead.
func stepDone(r *switches.Ramp, i int) string {
	switch {
	case i < r.At:
		return "done"
	case i == r.At:
		return "current"
	}
	return ""
}

// stepWords are what a step of a ramp waits for.
func stepWords(r *switches.Ramp, i int, now time.Time) string {
	s := r.Steps[i]
	switch stepDone(r, i) {
	case "done":
		return "done"
	case "current":
		text := "now"
		if !r.Since.IsZero() {
			text += ", for " + span(now.Sub(r.Since))
		}
		if r.Paused {
			text += ", paused"
		}
		return text
	}
	if i > 0 {
		s = r.Steps[i-1]
	}
	return orWord(joined(prefixed("after ", waitText(time.Duration(s.Wait))), subjectsText(s.Subjects)), "next")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// stepShare is how much of a step's waiting is over, in per cent.
func stepShare(r *switches.Ramp, i int, now time.Time) float64 {
	wait := time.Duration(r.Steps[i].Wait)
	if wait <= 0 || r.Since.IsZero() {
		return 30
	}
	return min(100, max(4, math.Round(float64(now.Sub(r.Since))/float64(wait)*100)))
}

// bucketWords says by what people are divided.
func bucketWords(f SwitchForm) string {
	return "by " + orWord(cutText(f.BucketBy, 40), "user id") + ", steady between visits"
}

// atoi is a number that is known to be one.
func atoi(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// GuardFigures says what a guard's evidence stands on.
func GuardFigures(failed, exposed, controlFailed, control int64, dispersion float64) string {
	text := grouped(failed) + " of " + grouped(exposed) + " failed with it on, " + grouped(controlFailed) + " of " + grouped(control) + " with it off; each person once in a window."
	if dispersion > 1.005 {
		text += " Failures come in bursts here, so it takes " + charts.Count.Text(dispersion) + " times as much to convince it."
	}
	return text
}
