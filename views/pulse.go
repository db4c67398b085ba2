package views

import (
	"cmp"
	"math"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/views/charts"
)

// PulseProps is the home page: what is going on now.
type PulseProps struct {
	Period model.Period
	Clock  charts.Clock
	Live   bool // the page looks again every five seconds
	Series PulseSeries
	// Before is the same as long ago as the period is; empty when it is not known.
	Before  PulseSeries
	ApdexT  time.Duration
	Markers []charts.Marker
	// Issues are those that are new or came back in the period, Review how many there are.
	Issues []IssueRow
	Review int64
	// Slowest are the endpoints with the largest p95, Endpoints how many there are.
	Slowest   []EndpointRow
	Endpoints int64
	// Flips are the latest changes of switches; none leaves the panel out.
	Flips    []Flip
	Arrived  []model.OutcomeCount
	Silent   bool // no request ever came: the vital signs hold errors alone
	Projects int  // how many there are; none gets a welcome
}

// PulseSeries are the vital signs by bucket of the page's clock; NaN is no data.
type PulseSeries struct {
	Errors   []float64 // a minute
	Requests []float64 // a second
	P95      []float64 // milliseconds
	Apdex    []float64 // 0 to 1
}

// Flip is a change of a switch.
type Flip struct {
	At            time.Time
	Key           string
	Before, After string // what it was and is: 5 %, on, off
	Share         float64
	Killed        bool
	Who, Comment  string
	On, Off       Timing // since then
	URL           string
}

func (p PulseProps) address(c Chrome) address {
	live := ""
	if p.Live {
		live = "1"
	}
	return newAddress("/", p.Period, "project", slugOf(c.Project), "live", live)
}

// vital is a lane: a number, how it changed, and its line.
type vital struct {
	name, unit string
	value      string
	change     delta
	chart      Chart
}

// vitals are the lanes that have anything to show.
func (p PulseProps) vitals(c Chrome) (out []vital) {
	lane := func(name, unit string, u charts.Unit, kind ChartKind, height int, mark string, now, was []float64, judge func(before, now float64) delta) {
		if lastOf(now) < 0 && lastOf(was) < 0 {
			return
		}
		v := recent(now, p.Clock.Open)
		text, suffix := u.Split(v)
		out = append(out, vital{name, joinedBySpace(suffix, unit), text, judge(charts.Fold(charts.Mean, was), v),
			Chart{Title: name, Kind: kind, Unit: u, Clock: p.Clock, Height: height, Zoom: p.address(c).timeless(),
				Lines: []ChartLine{{charts.Series{Name: name, Values: now, By: folding(u)}, mark, was}}}})
	}
	lane("Errors", "/min", charts.Count, Areas, 84, "err", p.Series.Errors, p.Before.Errors, worse)
	lane("Requests", "", charts.Rate, Areas, 64, "", p.Series.Requests, p.Before.Requests, changeOnly)
	lane("p95 duration", "", charts.Duration, Lines, 64, "p95", p.Series.P95, p.Before.P95, worse)
	lane("Apdex", "of 1, T "+took(p.ApdexT), charts.Score, Lines, 56, "", p.Series.Apdex, p.Before.Apdex, worseScoreSeen)
	for i := range out {
		if out[i].name == "Apdex" {
			out[i].chart.Scale = apdexScale(p.Series.Apdex, p.Before.Apdex)
		}
	}
	return out
}

func folding(u charts.Unit) charts.Folding {
	if u == charts.Duration {
		return charts.Max // a mean of percentiles is none
	}
	return charts.Mean
}

// recentBuckets are the last ones, whose mean is the number beside a lane: one alone jumps.
const recentBuckets = 3

// recent is the mean of the last buckets that are full.
func recent(values []float64, open bool) float64 {
	if open && len(values) > 1 {
		values = values[:len(values)-1]
	}
	return charts.Fold(charts.Mean, values[max(len(values)-recentBuckets, 0):])
}

// changeOnly is a change that is neither good nor bad.
func changeOnly(before, now float64) delta {
	d := worse(before, now)
	d.tone = ""
	return d
}

// worseScoreSeen is worseScore, and nothing when either is missing.
func worseScoreSeen(before, now float64) delta {
	if math.IsNaN(before) || math.IsNaN(now) {
		return delta{}
	}
	return worseScore(before, now)
}

// apdexScale begins where the scores do, in steps of .05, and names its floor: what matters happens near 1.
func apdexScale(series ...[]float64) *charts.Scale {
	least := 1.0
	for _, values := range series {
		for _, v := range values {
			if v < least {
				least = v
			}
		}
	}
	floor := math.Max(math.Floor(least*20-1)/20, 0)
	s := charts.Between(charts.Score, math.Min(floor, .9), 1)
	return &s
}

// table is the lanes as one chart, for the table behind all of them.
func vitalTable(vitals []vital) []charts.Row {
	if len(vitals) == 0 {
		return nil
	}
	var series []charts.Series
	for _, v := range vitals {
		series = append(series, v.chart.series()...)
	}
	return charts.Rows(vitals[0].chart.Clock, series, tableRows)
}

// arrival is a line of what arrived: one kind of item and how it ended.
type arrival struct {
	kind                                        string
	stored, filtered, limited, invalid, dropped int64
}

// kindNames are the categories of items as people call them.
var kindNames = map[string]string{"error": "Errors", "default": "Messages", "transaction": "Requests", "request": "Requests", "span": "Spans", "log_item": "Logs", "log": "Logs", "finding": "Findings", "statement": "Queries of logs",
	"session": "Sessions", "attachment": "Attachments", "profile": "Profiles", "security": "Security reports", "monitor": "Check-ins", "replay": "Replays", "metric": "Host metrics"}

// arrivals sums the outcomes up by kind, the most frequent first.
func arrivals(counts []model.OutcomeCount) []arrival {
	byKind := map[string]*arrival{}
	for _, n := range counts {
		name := orWord(kindNames[n.Category], n.Category)
		if byKind[name] == nil {
			byKind[name] = &arrival{kind: name}
		}
		*byKind[name].of(n.Outcome) += n.N
	}
	var out []arrival
	for _, a := range byKind {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(b.sum(), a.sum()), cmp.Compare(a.kind, b.kind))
	})
	return out
}

func (a *arrival) of(outcome string) *int64 {
	switch outcome {
	case "stored":
		return &a.stored
	case "filtered":
		return &a.filtered
	case "rate_limited":
		return &a.limited
	case "invalid", "too_large":
		return &a.invalid
	}
	return &a.dropped
}

func (a arrival) sum() int64 { return a.stored + a.filtered + a.limited + a.invalid + a.dropped }

func arrived(list []arrival) (n int64) {
	for _, a := range list {
		n += a.sum()
	}
	return n
}

// remark is what a colleague would say: what, from and to, and where to look.
type remark struct {
	state      string // bad, warn or ok
	subject    string
	href, open string
	text       string
	when       time.Time
}

// maxRemarks is how many are said at the most, the worst first.
const maxRemarks = 4

// remarks are made of what the page knows: issues that come in bursts, endpoints that got slower or faster.
func (p PulseProps) remarks(c Chrome) (out []remark) {
	for _, row := range p.Issues {
		if r, ok := issueRemark(row); ok {
			out = append(out, r)
		}
	}
	for _, row := range p.Slowest {
		if r, ok := endpointRemark(row, p.Period); ok {
			out = append(out, r)
		}
	}
	loud := map[string]int{"bad": 0, "warn": 1, "ok": 2}
	slices.SortStableFunc(out, func(a, b remark) int { return loud[a.state] - loud[b.state] })
	return out[:min(len(out), maxRemarks)]
}

// issueRemark speaks of an issue whose last hours stand far above those before.
func issueRemark(row IssueRow) (remark, bool) {
	calm, hot := split(row.Spark)
	if hot == nil {
		return remark{}, false
	}
	var now, was int64
	for i := range hot {
		now, was = now+hot[i], was+calm[i]
	}
	subject := row.Issue.Type
	if subject == "" {
		subject = firstLine(row.Issue.Title)
	}
	return remark{"bad", cutText(subject, 80), string(issueURL(row.ShortID, "")), "Open issue",
		" in " + row.Project.Name + " comes in a burst: " + count(now) + " lately, and " + count(was) + " in all the time before on this page.", row.Issue.LastSeen}, true
}

// loudChange is from which change of its p95 an endpoint is spoken of.
const loudChange = 1.25

func endpointRemark(row EndpointRow, p model.Period) (remark, bool) {
	if row.Before == nil || row.Before.few() || row.Timing.few() || row.Before.P95 <= 0 {
		return remark{}, false
	}
	ratio := float64(row.Timing.P95) / float64(row.Before.P95)
	_, change := charts.Change(ms(row.Before.P95), ms(row.Timing.P95))
	r := remark{subject: joinedBySpace(cutText(row.Method, 20), rowName(row.Name)), href: endpointURL(row.Project, row.Method, row.Name, p), open: "See timing"}
	switch {
	case ratio >= loudChange:
		r.state, r.text = "warn", " got slower at p95 by "+change
	case ratio <= 1/loudChange:
		r.state, r.text = "ok", " got faster at p95 by "+change
	default:
		return remark{}, false
	}
	r.text += ": " + took(row.Timing.P95) + ", was " + took(row.Before.P95) + " in " + before(p) + "."
	return r, true
}
