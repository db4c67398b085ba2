package views

import "kibitz/views/charts"

// SuspectRow is an answer of a switch with which an issue's events are commoner.
type SuspectRow struct {
	SwitchScope
	Key, Variant string
	URL, State   string // "" when there is no such switch (any more)
	Share        float64
	Live         bool // it can be turned off
	Text         string
	// Ratio is how many times likelier an event is, and the interval in which the truth lies with 95 %.
	Ratio, Low, High float64
	// InEvents and InExposed are the shares of the events, and of requests, with the answer.
	InEvents, InExposed float64
	ByErrors            bool // of all errors instead of requests
	Guard               string
}

// figures are what a suspicion stands on.
func (r SuspectRow) figures() string {
	of := "of the requests of that time"
	if r.ByErrors {
		of = "of the project's errors of that time"
	}
	return cutText(r.Variant, 40) + " in " + sharePercent(r.InEvents) + " of these events and in " + sharePercent(r.InExposed) + " " + of + "; between " +
		charts.Count.Text(r.Low) + " and " + charts.Count.Text(r.High) + " times as likely (95 %)."
}
