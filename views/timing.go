package views

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// LeastSeen is how many requests must have been received before a percentile is to be believed; fewer are shown in grey.
const LeastSeen = 30

// Timing sums up requests: of an endpoint, or of one side of a comparison.
type Timing struct {
	// N is how many requests there were, those that a client's sampling left out included; Seen is how many were received.
	N    float64
	Seen int64
	// Percentiles of the duration.
	P50, P75, P95, P99 time.Duration
	// Failed is the share of failed requests, Apdex the score by the endpoint's own T: both between 0 and 1.
	Failed, Apdex float64
	// Time is the mean of each category a request, exclusive, so that they sum to the mean duration.
	Time [trace.Categories]time.Duration
	// Queries and MaxQueries are the median and the largest number of database queries a request.
	Queries, MaxQueries float64
}

// few tells whether there are too few to judge, but some.
func (t Timing) few() bool { return t.Seen < LeastSeen }

// mean is the mean duration.
func (t Timing) mean() (d time.Duration) {
	for _, part := range t.Time {
		d += part
	}
	return d
}

// spent is the sum of all durations.
func (t Timing) spent() time.Duration {
	spent := float64(t.mean()) * t.N
	if !(spent < math.MaxInt64) {
		return math.MaxInt64
	}
	return time.Duration(spent)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// worse is how a number that should be small changed, and how loud that is said.
func worse(before, now float64) delta {
	up, text := charts.Change(before, now)
	d := delta{text: text}
	switch ratio := now / before; {
	case text == "" || text == "0 %":
		return delta{text: text}
	case ratio >= 1.3:
		d.tone = "bad"
	case ratio >= 1.1:
		d.tone = "warn"
	case ratio <= .8:
		d.tone = "ok"
	}
	d.sign = "▼"
	if up {
		d.sign = "▲"
	}
	return d
}

// delta is a change: a sign, what it says, and a tone.
type delta struct{ sign, text, tone string }

func (d delta) String() string { return joinedBySpace(d.sign, d.text) }

func joinedBySpace(parts ...string) (out string) {
	for _, p := range parts {
		if p != "" && out != "" {
			out += " "
		}
		out += p
	}
	return out
}

// worseTime is the same for durations; nothing when there was none before.
func worseTime(before, now time.Duration) delta { return worse(ms(before), ms(now)) }

// worseShare is how a share of failures changed: from what, because a factor of nearly nothing tells nothing.
func worseShare(before, now float64) delta {
	from, to := charts.Percent.Text(before*100), charts.Percent.Text(now*100)
	switch {
	case from == to:
		return delta{}
	case now > before && now-before >= .01:
		return delta{"▲", "from " + from, "bad"}
	case now > before:
		return delta{"▲", "from " + from, "warn"}
	}
	return delta{"▼", "from " + from, "ok"}
}

// worseScore is how an apdex changed.
func worseScore(before, now float64) delta {
	change := math.Round((now-before)*100) / 100
	text := charts.Score.Text(math.Abs(change))
	switch {
	case change < -.1:
		return delta{"▼", text, "bad"}
	case change < 0:
		return delta{"▼", text, "warn"}
	case change > 0:
		return delta{"▲", text, "ok"}
	}
	return delta{}
}

// perSecond is how many requests a second N of them are in a period.
func perSecond(n float64, p model.Period) float64 {
	if s := p.To.Sub(p.From).Seconds(); s > 0 {
		return n / s
	}
	return math.NaN()
}

// periodName is a period in words.
func periodName(p model.Period) string {
	words := map[string]string{"1h": "Last hour", "6h": "Last 6 hours", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days"}
	if name := words[p.Name]; name != "" {
		return name
	}
	return periodSpan(p)
}

// periodSpan is from when to when.
func periodSpan(p model.Period) string {
	from, to := periodEnds(p)
	return from + " to " + to + " UTC"
}

// periodEnds are both ends of a period in words.
func periodEnds(p model.Period) (first, last string) {
	from, to := p.From.UTC(), p.To.UTC()
	if from.YearDay() == to.YearDay() && from.Year() == to.Year() {
		return from.Format("Mon 2 Jan, 15:04"), to.Format("15:04")
	}
	return from.Format("2 Jan, 15:04"), to.Format("2 Jan, 15:04")
}

// before says which period comes before one of the same length.
func before(p model.Period) string {
	words := map[string]string{"1h": "the hour before", "6h": "the 6 hours before", "24h": "the day before", "7d": "the week before", "30d": "the 30 days before"}
	if name := words[p.Name]; name != "" {
		return name
	}
	return "the time before"
}

func sortedKeys(v url.Values) []string { return slices.Sorted(maps.Keys(v)) }

// endpointURL is the page of an endpoint. What names it stands in the fields, because routes hold slashes.
func endpointURL(project model.Project, method, name string, p model.Period) string {
	return string(newAddress("/endpoint", p, "project", project.Slug, "method", method, "name", name).with())
}
