package views

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/requests/filter"
	"kibitz/app/trace"
)

// Bounds of what a page shows of lists that senders fill.
const (
	maxFindingNotes = 4
	maxAttrs        = 60
	maxIndent       = 16 // of rows of the waterfall, in steps
	shownRepeats    = 6
	shownSwitches   = 2
	maxRepeats      = 200
)

// requestAt is this request's page in another view, at an element of it.
func requestAt(p RequestProps, v RequestView, id string) templ.SafeURL {
	return templ.SafeURL(requestPath(&p.Request) + v.query() + "#" + id)
}

func withMode(v RequestView, mode string) RequestView {
	v.Mode, v.Row = mode, 0
	return v
}

func withDepth(v RequestView, depth int) RequestView {
	v.Depth, v.Row = depth, 0
	return v
}

func withRow(v RequestView, row int) RequestView {
	v.Row = row
	return v
}

func withSpan(v RequestView, id trace.SpanID) RequestView {
	v.Span = id
	return v
}

func toggledCritical(v RequestView) RequestView {
	v.Critical = !v.Critical
	return v
}

func criticalName(v RequestView) string {
	if v.Critical {
		return "Critical path: on"
	}
	return "Critical path"
}

func criticalLabel(v RequestView) string {
	if v.Critical {
		return "Critical path: on, take the marks away"
	}
	return "Critical path: mark it"
}

// rowHref leads to the details of a row, or to the page of another program's request.
func rowHref(p RequestProps, r *wfRow) templ.SafeURL {
	switch {
	case r.request != nil && r.url != "":
		return templ.URL(r.url)
	case r.request != nil || r.Gap:
		return "#wf"
	case r.shut:
		return requestAt(p, withDepth(p.View, r.depth+1), "wf")
	}
	return requestAt(p, withSpan(p.View, r.Spans[0].ID), "span")
}

func rowCat(r *wfRow) string {
	if r.request != nil || r.Gap {
		return "app"
	}
	return catKey(r.Spans[0].Category)
}

func catName(r *wfRow) string {
	if r.request != nil {
		return "request"
	}
	return r.Spans[0].Category.String()
}

func tableText(r *wfRow) string {
	if r.request != nil {
		return endpointName(r.request)
	}
	return cutText(maskWords(oneLine(r.Spans[0].Text)), 160)
}

func answerText(w *waterfall, r *wfRow) string {
	if text := w.rowLabel(r); text != "" || !r.failed() {
		return text
	}
	return "failed"
}

// millis is a number of milliseconds without its unit, for columns that name it.
func millis(d time.Duration) string { return figures(float64(d)/float64(time.Millisecond), 2) }

func noteWidth(p RequestProps) string {
	if n := len(p.Findings); n == 1 && p.Error == nil || n == 0 {
		return "c12"
	}
	return "c6"
}

func seeText(f RequestFinding) string {
	if len(f.Spans) == 1 {
		return "See it"
	}
	return "See the " + strconv.Itoa(len(f.Spans))
}

func eventOf(e *LinkedError) string {
	if e.Issue.Events > 1 {
		return "One of " + count(e.Issue.Events) + " events of"
	}
	return "The only event of"
}

// fullStop ends a sentence of somebody else's before ours follows.
func fullStop(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?…") {
		return text
	}
	return text + "."
}

func notKeptText(p RequestProps) string {
	text := "This request is in all counts and times above. Its spans were not stored"
	if p.Request.Summed {
		return "This request is in all counts and times above. Its sender gave totals and no spans."
	}
	if p.OneIn > 1 {
		return text + ": 1 in " + count(int64(p.OneIn+0.5)) + " of fast ones is."
	}
	return text + "."
}

func goneText(p RequestGoneProps) string {
	text := "No request has the trace " + cutText(p.Trace, 40) + "."
	if p.Days > 0 {
		text += " Requests are kept for " + span(p.Days) + "; the counts of their endpoints stay longer."
	}
	return text
}

// fact is a line of the rail.
type fact struct{ name, text string }

func factsOf(p RequestProps, w *waterfall) []fact {
	r := &p.Request
	var out []fact
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, cutText(text, 300)})
		}
	}
	add("Status", statusText(r))
	if r.Status > 0 && r.State != "" && r.State != "ok" {
		add("State", strings.ReplaceAll(r.State, "_", " "))
	}
	add("Address", maskURL(r.URL))
	add("Body", bodyText(r))
	add("Service", r.Service)
	add("Environment", r.Environment)
	add("Platform", r.Platform)
	add("User", requestUser(r.User))
	if p.Kept != "" {
		add("Kept because", p.Kept)
	}
	if r.Lost > 0 {
		add("Left out", plural(int64(r.Lost), "span")+", by the sender")
	}
	if r.Weight > 1 {
		add("Stands for", plural(int64(r.Weight+0.5), "request")+", it was sampled")
	}
	if len(p.Segments) > 1 {
		add("Programs", strconv.Itoa(len(p.Segments))+more(len(p.Segments)-maxSegments))
	}
	if n := w.notes(); n > 0 {
		add("Mended", plural(int64(n), "span")+" with a parent or a clock that does not fit")
	}
	return out
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return ", " + strconv.Itoa(n) + " not shown"
}

func (w *waterfall) notes() (n int) {
	for i := range w.drawn {
		if w.drawn[i].Note != "" {
			n++
		}
	}
	return n
}

// bodyText is the sizes of both bodies, by the attributes of OpenTelemetry.
func bodyText(r *trace.Request) string {
	in, out := bytesText(attr(r.Attrs, "http.request.body.size")), bytesText(attr(r.Attrs, "http.response.body.size"))
	switch {
	case in != "" && out != "":
		return "in " + in + ", out " + out
	case in != "":
		return "in " + in
	case out != "":
		return "out " + out
	}
	return ""
}

func bytesText(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return ""
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1_000_000:
		return figures(float64(n)/1e3, 1) + " kB"
	}
	return figures(float64(n)/1e6, 1) + " MB"
}

// requestUser is who asked, as SDKs name people: id:42 is a number of the program's own.
func requestUser(user string) string { return strings.TrimPrefix(cutText(user, 100), "id:") }

func pieState(s trace.Switch) string {
	switch state := flagState(s.Variant); state {
	case "on", "off":
		return state
	}
	return "partial"
}

func offsetText(d time.Duration) string {
	if d < 0 {
		return "−" + took(-d)
	}
	return "+" + took(d)
}

func otherService(r trace.Request, l trace.LogLine) string {
	if l.Service == r.Service {
		return ""
	}
	return cutText(l.Service, 40)
}

// traceRequests, endpointRequests, keptRequests and switchRequests are lists of requests alike.
func traceRequests(p RequestProps) templ.SafeURL {
	return found(p, filter.Term{Field: filter.Trace, Values: []filter.Value{{Text: p.Request.Trace.String()}}})
}

func endpointRequests(p RequestProps) templ.SafeURL { return found(p, endpointTerm(p)) }

func keptRequests(p RequestProps) templ.SafeURL {
	return found(p, endpointTerm(p), filter.Term{Field: filter.Is, Values: []filter.Value{{Text: "kept"}}})
}

func switchRequests(p RequestProps, s trace.Switch) templ.SafeURL {
	return found(p, filter.Term{Field: filter.Switch, Values: []filter.Value{{Text: s.Key, Variant: s.Variant}}})
}

func endpointTerm(p RequestProps) filter.Term {
	return filter.Term{Field: filter.Endpoint, Values: []filter.Value{{Text: p.Request.Name}}}
}

func found(p RequestProps, terms ...filter.Term) templ.SafeURL {
	return requestsPath(&p.Project, filter.Filter{Terms: terms}.String())
}

func panelTitle(r *wfRow) string {
	n := len(r.Spans)
	same := !slices.ContainsFunc(r.Spans, func(s trace.Span) bool { return s.Text != r.Spans[0].Text })
	switch {
	case n > 1 && r.Spans[0].Category == trace.DB && same:
		return strconv.Itoa(n) + " identical queries"
	case n > 1 && r.Spans[0].Category == trace.DB:
		return strconv.Itoa(n) + " similar queries"
	case n > 1:
		return strconv.Itoa(n) + " × " + spanOp(r.Spans[0])
	}
	return orWord(cutText(r.Spans[0].Op, 60), "Span")
}

func panelSub(w *waterfall, r *wfRow) string {
	if len(r.Spans) > 1 {
		return joined(took(r.took()), rowsText(r.Spans)+" in all")
	}
	s := r.Spans[0]
	text := joined(took(s.Duration)+" at "+offsetText(r.from()-w.whole.from), "self time "+took(r.Self), spanAnswer(r.Spans), poolText(r.Spans))
	if s.PID > 0 {
		text += ", backend " + strconv.Itoa(int(s.PID))
	}
	return text
}

func panelWhat(s trace.Span) string {
	if s.Category == trace.DB {
		return joined("SQL", cutText(s.System, 30))
	}
	return "What was done"
}

func panelWidth(s trace.Span) string {
	if s.File != "" {
		return "c6"
	}
	return "c12"
}

// parameterKey begins the attributes that hold a query's parameters, by OpenTelemetry: db.query.parameter.0 is the first.
const parameterKey = "db.query.parameter."

// differences is what tells the members of a fold apart: their parameters, else their texts where these differ.
func differences(spans []trace.Span) (head string, values []string) {
	texts := false
	for _, s := range spans {
		values = append(values, parameters(s))
		texts = texts || s.Text != spans[0].Text
	}
	if strings.Join(values, "") != "" {
		return "Parameters", values
	}
	if !texts {
		return "", nil
	}
	for i, s := range spans {
		values[i] = cutText(maskWords(oneLine(s.Text)), maxShown)
	}
	return "What", values
}

func parameters(s trace.Span) string {
	var out []string
	for _, a := range s.Attrs {
		if name, ok := strings.CutPrefix(a.Key, parameterKey); ok {
			out = append(out, masked(name, cutText(a.Value, 80)))
		}
	}
	return cutText(strings.Join(out, ", "), 200)
}

func longest(spans []trace.Span) time.Duration {
	top := time.Duration(1)
	for _, s := range spans {
		top = max(top, s.Duration)
	}
	return top
}

// relative is a span's time in per cent of the longest.
func relative(s trace.Span, longest time.Duration) string {
	return figures(float64(max(s.Duration, 0))/float64(longest)*100, 0)
}

func answerHead(s trace.Span) string {
	if s.Category == trace.DB {
		return "Rows"
	}
	return "Answer"
}

func spanAnswerShort(s trace.Span) string {
	if s.Category == trace.DB && s.Rows >= 0 && !s.Failed {
		return strconv.FormatInt(s.Rows, 10)
	}
	return spanAnswer([]trace.Span{s})
}
