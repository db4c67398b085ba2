package views

import (
	"strings"
	"testing"
	"time"
)

// TestBudget: what is over a budget says so in words; few requests, and none, say nothing.
func TestBudget(t *testing.T) {
	t.Parallel()
	p := sampleEndpointPage()
	c := sampleChrome("/endpoint")
	many, few := p.Timing, p.Timing
	many.Seen, few.Seen = LeastSeen, LeastSeen-1
	for name, one := range map[string]struct {
		budget    Budget
		timing    Timing
		has, lack string
	}{
		"none":    {Budget{}, many, "<dt>p95</dt>", "budget"},
		"over":    {Budget{P95: many.P95 - time.Millisecond}, many, "p95, over ", "p95, budget"},
		"equal":   {Budget{P95: many.P95}, many, "p95, budget ", "p95, over"},
		"few":     {Budget{P95: time.Millisecond}, few, "p95, budget 1 ms", "p95, over"},
		"queries": {Budget{Queries: 1}, many, "over its budget of 1<", "p95, "},
	} {
		p.Budget, p.Timing = one.budget, one.timing
		html := rendered(t, endpointTiles(p))
		if !strings.Contains(html, one.has) || strings.Contains(html, one.lack) {
			t.Errorf("%s: %s", name, html)
		}
	}
	p.Timing, p.Budget = many, Budget{P95: 9 * time.Hour} // far above all that is drawn
	html := rendered(t, EndpointPage(c, p))
	for _, want := range []string{`data-p="guard"`, "P95 budget: 9 h", "Change the budget", "p95 budget 9 h"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is not there", want)
		}
	}
	rows := EndpointsProps{Rows: []EndpointRow{{Name: "/a", Timing: many, Budget: Budget{P95: time.Millisecond}}}}
	if html := rendered(t, endpointTable(rows, rows.address(c))); !strings.Contains(html, "over 1 ms") {
		t.Errorf("the list does not tell it: %s", html)
	}
}
