package views

import (
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// EndpointsProps is the list of endpoints in a period.
type EndpointsProps struct {
	Period model.Period
	// Query is what was looked for in names; Sort is one of EndpointSorts, "" for the first.
	Query, Sort string
	Rows        []EndpointRow
	// Found is how many endpoints there are on all pages; Known whether any request ever came.
	Found      int64
	Known      bool
	Next, Prev string // addresses; empty when there is none
	Connect    Connect
}

// Connect is what a program needs to send its requests: shown as long as none came. Syslog is empty while that door is shut.
type Connect struct{ DSN, OTLP, PublicKey, Syslog string }

// EndpointRow is a line of the list.
type EndpointRow struct {
	Project      model.Project
	Method, Name string
	Timing       Timing
	Budget       Budget
	// Before is the same in the period before; nil when it is not known.
	Before *Timing
	// Spark is the requests of the period in equal steps; nil for none.
	Spark []float64
}

// EndpointSort is a column by which the list can be ordered. The worst is on top: Rising says that this is the smallest.
type EndpointSort struct {
	Key, Name string
	Rising    bool
}

// EndpointSorts are the orders of the list; the first is the usual one.
func EndpointSorts() []EndpointSort {
	return []EndpointSort{{"time", "Time spent", false}, {"name", "Endpoint", true}, {"rate", "Requests", false}, {"p50", "p50", false}, {"p95", "p95", false},
		{"p99", "p99", false}, {"failed", "Failed", false}, {"apdex", "Apdex", true}}
}

func (p EndpointsProps) order() string {
	if p.Sort == "" {
		return EndpointSorts()[0].Key
	}
	return p.Sort
}

func (p EndpointsProps) address(c Chrome) address {
	sort := p.Sort
	if sort == EndpointSorts()[0].Key {
		sort = ""
	}
	return newAddress("/endpoints", p.Period, "project", slugOf(c.Project), "q", p.Query, "sort", sort)
}

// slugOf names a project in an address; "" for all of them.
func slugOf(p *model.Project) string {
	if p == nil {
		return ""
	}
	return p.Slug
}

// sortState is what aria-sort says of a column.
func (p EndpointsProps) sortState(s EndpointSort) string {
	switch {
	case p.order() != s.Key:
		return "none"
	case s.Rising:
		return "ascending"
	}
	return "descending"
}

// mostSpent is what the bars of time spent are measured by.
func (p EndpointsProps) mostSpent() (most time.Duration) {
	for _, r := range p.Rows {
		most = max(most, r.Timing.spent())
	}
	return most
}

// spentShare is an endpoint's part of the largest, in per cent.
func spentShare(r EndpointRow, most time.Duration) float64 {
	if most <= 0 {
		return 0
	}
	return float64(int(float64(r.Timing.spent())/float64(most)*1000)) / 10
}

// failedTone is how loud a share of failures is.
func failedTone(share float64) string {
	switch {
	case share >= .05:
		return "bad"
	case share >= .01:
		return "warn"
	}
	return ""
}

// apdexTone is how loud a score is; the limits are those by which the score's own definition is read (poor below 0.70,
// fair below 0.85).
func apdexTone(score float64) string {
	switch {
	case score < .7:
		return "bad"
	case score < .85:
		return "warn"
	}
	return ""
}

// toneUnless is a tone, or grey where too few requests make a number doubtful.
func toneUnless(few bool, tone string) string {
	if few {
		return "few"
	}
	return tone
}

func sharePercent(s float64) string { return charts.Percent.Text(s * 100) }

func totals(parts [trace.Categories]time.Duration) trace.Totals { return trace.Totals{Time: parts} }

func rate(t Timing, p model.Period) string { return charts.Rate.Text(perSecond(t.N, p)) }

// rowName is an endpoint's name; what has none is said so.
func rowName(name string) string { return cutText(orWord(name, "unnamed endpoint"), 300) }
