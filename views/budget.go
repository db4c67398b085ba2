package views

import (
	"slices"
	"strings"
	"time"

	"kibitz/app/detect"
	"kibitz/views/charts"
)

// Budget is what an endpoint promises; 0 is no promise.
type Budget struct {
	P95     time.Duration
	Queries int // of a median request
}

// over tells whether a p95 is above its budget. Of few requests it may be chance, so nothing is said.
func (b Budget) over(t Timing) bool { return b.P95 > 0 && !t.few() && t.P95 > b.P95 }

// overQueries tells it of the queries of a median request.
func (b Budget) overQueries(t Timing) bool {
	return b.Queries > 0 && !t.few() && t.Queries > float64(b.Queries)
}

// p95Name is the name of the number with its budget.
func (p EndpointProps) p95Name() string {
	switch {
	case p.Budget.over(p.Timing):
		return "p95, over " + took(p.Budget.P95)
	case p.Budget.P95 > 0:
		return "p95, budget " + took(p.Budget.P95)
	}
	return "p95"
}

// queriesSub stands below the queries of a median request.
func (p EndpointProps) queriesSub() delta {
	most := charts.Count.Text(p.Timing.MaxQueries) + " at most"
	switch {
	case p.Budget.overQueries(p.Timing):
		return delta{text: "over its budget of " + itoa(p.Budget.Queries), tone: "bad"}
	case p.Budget.Queries > 0:
		return delta{text: "budget " + itoa(p.Budget.Queries) + ", " + most}
	}
	return delta{text: "median, " + most}
}

func (p EndpointProps) p95Tone() string {
	if p.Budget.over(p.Timing) {
		return "bad"
	}
	return toneUnless(p.Timing.few(), "")
}

func (p EndpointProps) queriesTone() string {
	if p.Budget.overQueries(p.Timing) {
		return "bad"
	}
	return ""
}

// budgetButton is the word for what leads to the budgets' fields.
func (p EndpointProps) budgetButton() string {
	if p.Budget == (Budget{}) {
		return "Set a budget"
	}
	return "Change the budget"
}

// budgetFields and detectorFields are both kinds of thresholds.
func (p EndpointProps) budgetFields() []detect.Field {
	return slices.DeleteFunc(slices.Clone(p.Thresholds), func(f detect.Field) bool { return !f.Budget() })
}

func (p EndpointProps) detectorFields() []detect.Field {
	return slices.DeleteFunc(slices.Clone(p.Thresholds), detect.Field.Budget)
}

// overBudget is what stands below a p95 that is over its budget.
func overBudget(b Budget, t Timing) delta {
	if !b.over(t) {
		return delta{}
	}
	return delta{text: "over " + took(b.P95), tone: "bad"}
}

// limited draws a budget over the lines of a chart; 0 draws none.
func (c Chart) limited(limit time.Duration) Chart {
	if limit > 0 {
		c.Limit, c.LimitName = ms(limit), "p95 budget"
		c.Sub = strings.TrimPrefix(c.Sub+", p95 budget "+charts.Duration.Text(c.Limit), ", ")
	}
	return c
}
