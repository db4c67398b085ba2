package views

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/requests/filter"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// RequestsProps is the request list.
type RequestsProps struct {
	// Query is what was asked, as it was written, and Filter what Parse understood of it. With Problems nothing is searched.
	Query    string
	Filter   filter.Filter
	Problems []filter.Problem
	// Edit is a term that was taken out of Query to be changed: it stands in the field (address: edit=).
	Edit   string
	Sort   string // newest, slowest or queries
	Period string // 1h, 6h, 24h, 7d, 30d; "" when From and To were chosen
	// From and To are the bounds of the search; To is not included.
	From, To time.Time
	Rows     []RequestRow
	// Volume is the requests found, in steps of Step; buckets without any may be left out. At most 300 steps fit between
	// From and To.
	Volume     []RequestBucket
	Step       time.Duration
	Next, Prev string // addresses of pages; "" for none
	CSVURL     string // the same list as CSV; "" for none
	// Any tells whether a request ever came, so that an empty list can say why it is empty.
	Any bool
	// Stopped says that the search looked only at the newest this many requests (its limit); 0 when it looked at all.
	Stopped int64
}

// RequestRow is a line of the list.
type RequestRow struct {
	Request  trace.Request // what its row knows; Spans is not looked at
	Project  model.Project
	Kept     bool     // its spans are stored
	Findings []string // what detectors found: "N+1 query", "slow query"
	ShortID  string   // the issue of the error that it ended in; "" for none
}

// RequestBucket is the number of requests in one step of time.
type RequestBucket struct {
	Start     time.Time
	N, Failed int64 // Failed is a part of N
}

// requestSorts are the orders of the list, as the address has them and as people read them; the first is the usual one.
var requestSorts = [][2]string{{"newest", "newest"}, {"slowest", "slowest"}, {"queries", "most queries"}}

// requestsPath is the list with a query; project nil is all of them.
func requestsPath(project *model.Project, query string) templ.SafeURL {
	slug := ""
	if project != nil {
		slug = project.Slug
	}
	return newAddress("/requests", model.Period{Name: model.PeriodChoices()[0].Name}, "project", slug, "q", query).with()
}

// address is the list with its present choices. Moments are written out, for people read these addresses too.
func (p RequestsProps) address(c Chrome) address {
	slug, sort := "", p.Sort
	if c.Project != nil {
		slug = c.Project.Slug
	}
	if sort == requestSorts[0][0] {
		sort = ""
	}
	usual := model.PeriodChoices()[0].Name
	a := newAddress("/requests", model.Period{Name: usual}, "project", slug, "q", p.Query, "sort", sort)
	if p.Period == "" {
		a.fields.Set("from", iso(p.From))
		a.fields.Set("to", iso(p.To))
	} else if p.Period != usual {
		a.fields.Set("period", p.Period)
	}
	return a
}

func (p RequestsProps) period() model.Period {
	return model.Period{Name: p.Period, From: p.From, To: p.To}
}

// without takes the nth term away; edit puts it into the field.
func (p RequestsProps) without(c Chrome, n int, edit bool) templ.SafeURL {
	text := ""
	if edit {
		text = p.Filter.Terms[n].String()
	}
	return p.address(c).with("q", p.Filter.Without(n).String(), "edit", text)
}

// between is the list from one moment to another.
func (p RequestsProps) between(c Chrome, from, to time.Time) templ.SafeURL {
	return p.address(c).with("period", "", "from", iso(from), "to", iso(to))
}

// longest is the list over the longest time that can be chosen by name.
func (p RequestsProps) longest(c Chrome) templ.SafeURL {
	return p.address(c).with("from", "", "to", "", "period", "30d")
}

// field is the text of the search field: what is edited, or all of a query that was not understood, so that it can be
// mended.
func (p RequestsProps) field() string {
	if len(p.Problems) > 0 {
		return p.Query
	}
	return p.Edit
}

// tokens are the terms that stand as chips before the field.
func (p RequestsProps) tokens() []filter.Term {
	if len(p.Problems) > 0 {
		return nil
	}
	return p.Filter.Terms
}

func tokenKey(t filter.Term) string {
	key := orWord(string(t.Field), "endpoint has")
	if t.Not {
		return "not " + key + ":"
	}
	return key + ":"
}

// problemText is a problem with its place, in characters from 1.
func problemText(query string, p filter.Problem) string {
	before := query[:min(max(p.Pos, 0), len(query))]
	return "At character " + strconv.Itoa(len([]rune(before))+1) + ": " + p.Message + "."
}

// requestsScope says how much is shown: "in the last 6 h of 4 projects".
func requestsScope(c Chrome, p RequestsProps) string {
	if p.Period == "" {
		return clockText(p.From) + " to " + clockText(p.To) + " in " + scope(c)
	}
	return "the last " + p.Period + " in " + scope(c)
}

func clockText(t time.Time) string { return t.UTC().Format("2 Jan, 15:04") + " UTC" }

// inputTime is a moment as a field of datetime-local has it, in UTC.
func inputTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04") }

// traffic is the volume of the list laid out for drawing.
type traffic struct {
	from      time.Time
	step      time.Duration
	ok, bad   []int64
	sum, fail int64
}

// maxBuckets bounds the bars of a chart.
const maxBuckets = 300

func newTraffic(p RequestsProps) traffic {
	t := traffic{from: p.From, step: max(p.Step, time.Second)}
	n := int(min(max((p.To.Sub(p.From)+t.step-1)/t.step, 0), maxBuckets))
	t.ok, t.bad = make([]int64, n), make([]int64, n)
	for _, b := range p.Volume {
		at := int(b.Start.Sub(p.From) / t.step)
		if b.Start.Before(p.From) || at >= n {
			continue
		}
		failed := min(b.Failed, b.N)
		t.ok[at], t.bad[at] = t.ok[at]+b.N-failed, t.bad[at]+failed
		t.sum, t.fail = t.sum+b.N, t.fail+failed
	}
	return t
}

func (t traffic) top() int64 { return charts.Top(t.ok, t.bad) }

func (t traffic) at(i int) time.Time { return t.from.Add(time.Duration(i) * t.step) }

// layout is how a bucket's time is written: with the day when a chart spans more than one.
func (t traffic) layout() string {
	if t.step*time.Duration(len(t.ok)) > 24*time.Hour {
		return "2 Jan 15:04"
	}
	if t.step < time.Minute {
		return "15:04:05"
	}
	return "15:04"
}

// label says the chart in a sentence.
func (t traffic) label() string {
	if t.sum == 0 {
		return "No requests."
	}
	most := 0
	for i := range t.ok {
		if t.ok[i]+t.bad[i] > t.ok[most]+t.bad[most] {
			most = i
		}
	}
	return fmt.Sprintf("%s in steps of %s, %d of them failed; most at %s UTC with %d.", plural(t.sum, "request"), span(t.step), t.fail, t.at(most).UTC().Format(t.layout()), t.ok[most]+t.bad[most])
}

func (t traffic) xs() string {
	out := make([]string, len(t.ok))
	for i := range out {
		out[i] = t.at(i).UTC().Format(t.layout())
	}
	return strings.Join(out, ",")
}

func (t traffic) ys() string {
	all := make([]int64, len(t.ok))
	for i := range all {
		all[i] = t.ok[i] + t.bad[i]
	}
	b, err := json.Marshal(map[string][]int64{"requests": all, "failed": t.bad})
	if err != nil {
		return "{}"
	}
	return string(b)
}

// marks are five times below the chart.
func (t traffic) marks() []time.Time {
	var out []time.Time
	for i := range 5 {
		out = append(out, t.from.Add(time.Duration(len(t.ok))*t.step*time.Duration(i)/4).UTC())
	}
	return out
}

// rowed joins buckets so that the table behind the chart has at most 24 rows.
func (t traffic) rowed() []RequestBucket {
	every := (len(t.ok) + 23) / 24
	var out []RequestBucket
	for i := range t.ok {
		if i%every == 0 {
			out = append(out, RequestBucket{Start: t.at(i)})
		}
		last := &out[len(out)-1]
		last.N, last.Failed = last.N+t.ok[i]+t.bad[i], last.Failed+t.bad[i]
	}
	return out
}

// longestOf is the longest time of the list, for the bars beside the numbers.
func longestOf(rows []RequestRow) time.Duration {
	top := time.Duration(1)
	for _, r := range rows {
		top = max(top, r.Request.Duration)
	}
	return top
}

func barOf(d, top time.Duration) string {
	return figures(float64(max(d, 0))/float64(max(top, 1))*100, 0)
}

// showsProject tells whether a list names the project of each row.
func showsProject(c Chrome) bool { return c.Project == nil && len(c.Projects) > 1 }

// rowPlace is the small line below an endpoint: its project where the list has several, its service and host.
func rowPlace(c Chrome, row RequestRow) string {
	name := ""
	if showsProject(c) {
		name = row.Project.Name
	}
	if row.Request.Service == name {
		return joined(name, cutText(row.Request.Host, 60))
	}
	return joined(name, cutText(row.Request.Service, 60), cutText(row.Request.Host, 60))
}

func queriesText(row RequestRow) string { return count(int64(row.Request.Totals.N[trace.DB])) }

func sortedBy(sort, column string) string {
	if sort == column {
		return "descending"
	}
	return "none"
}

func filterExamples() []string { return filter.Examples() }

func searchInvalid(p RequestsProps) templ.Attributes {
	if len(p.Problems) > 0 {
		return templ.Attributes{"aria-invalid": "true"}
	}
	return nil
}
