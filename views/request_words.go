package views

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest/envelope"
)

// took is a length of time with up to three figures: 38 µs, 0.5 ms, 164 ms, 1.26 s, 2.1 min.
func took(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms == 0:
		return "0 ms"
	case ms < 0.1:
		return strconv.FormatFloat(float64(d)/1e3, 'f', 0, 64) + " µs"
	case ms < 9.95:
		return strings.TrimSuffix(figures(ms, 1), ".0") + " ms"
	case ms < 999.5:
		return figures(ms, 0) + " ms"
	case d < 100*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
	return figures(d.Minutes(), 1) + " min"
}

func figures(f float64, decimals int) string { return strconv.FormatFloat(f, 'f', decimals, 64) }

// aligned is a length of time for a column: always with one decimal, so that points stand below each other.
func aligned(d time.Duration) string {
	if d < time.Second {
		return figures(float64(d)/float64(time.Millisecond), 1) + " ms"
	}
	return figures(d.Seconds(), 2) + " s"
}

// catKeys are the colours of the categories: what is the program's own is app on pages, pool waits have a hatch.
var catKeys = [trace.Categories]string{"app", "db", "cache", "http", "template", "pool"}

// catNames are the categories in the order in which pages have them.
var catNames = []struct {
	category   trace.Category
	name, noun string
}{{trace.DB, "DB", "queries"}, {trace.Cache, "cache", ""}, {trace.HTTP, "HTTP", ""}, {trace.Template, "template", ""}, {trace.Pool, "pool wait", ""}, {trace.Other, "app", ""}}

func catKey(c trace.Category) string {
	if int(c) >= len(catKeys) {
		return catKeys[trace.Other]
	}
	return catKeys[c]
}

// share is the part of the duration that a category took, in per cent.
func share(t trace.Totals, c trace.Category) string {
	var sum time.Duration
	for _, d := range t.Time {
		sum += max(d, 0)
	}
	if sum <= 0 {
		return "0"
	}
	return tenth(float64(max(t.Time[c], 0)) / float64(sum) * 100)
}

// splitLabel says the split bar in words.
func splitLabel(t trace.Totals) string {
	var parts []string
	for _, c := range catNames {
		if t.Time[c.category] > 0 {
			parts = append(parts, c.name+" "+took(t.Time[c.category]))
		}
	}
	return strings.Join(parts, ", ")
}

// maxShown bounds a text within a row; the whole of it stands in the details.
const maxShown = 110

// spanOp is the kind of work as a row names it: "cache get", "query", "http", the function's name.
func spanOp(s trace.Span) string {
	head, rest, _ := strings.Cut(s.Op, ".")
	switch {
	case s.Category == trace.DB && (rest == "" || strings.Contains(rest, "query")):
		return "query"
	case s.Category == trace.DB:
		return strings.ReplaceAll(cutText(rest, 30), "_", " ")
	case s.Category == trace.HTTP:
		return cutText(head, 30)
	case s.Category == trace.Template:
		return "render"
	case head == "function" && s.Func != "":
		return cutText(s.Func, 60)
	case s.Op == "":
		return "span"
	}
	return cutText(strings.TrimSpace(head+" "+rest), 40)
}

// rowOp is the name of a row, with the number of a fold's members.
func rowOp(r *wfRow) string {
	switch {
	case r.request != nil:
		return endpointName(r.request)
	case r.Gap:
		return "no spans"
	case len(r.Spans) > 1:
		return strconv.Itoa(len(r.Spans)) + " × " + spanOp(r.Spans[0])
	}
	return spanOp(r.Spans[0])
}

// rowText is what was done, short.
func rowText(r *wfRow) string {
	switch {
	case r.request != nil:
		return ""
	case r.Gap:
		return "nothing was recorded here"
	}
	s := r.Spans[0]
	text := oneLine(s.Text)
	if s.Category == trace.DB {
		text = shortSQL(text)
	}
	if text == spanOp(s) {
		text = ""
	}
	return cutText(maskWords(text), maxShown)
}

// maskWords hides the secrets of the addresses within a text: "POST https://host/path?token=..." has one as its second
// word.
func maskWords(text string) string {
	if !strings.Contains(text, "?") && !strings.Contains(text, "://") || !strings.Contains(text, " ") {
		return masked("", text)
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if strings.Contains(w, "://") || strings.HasPrefix(w, "/") && strings.Contains(w, "?") {
			words[i] = maskURL(w)
		}
	}
	return strings.Join(words, " ")
}

// oneLine is a text with its white space squeezed. Only its beginning is looked at: the rest would be cut anyway.
func oneLine(text string) string {
	return strings.Join(strings.Fields(text[:min(len(text), 4000)]), " ")
}

// cutText is the beginning of a text, in characters.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	r := []rune(text[:min(len(text), n*4)])
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n]) + "…"
}

// rowAria is a row as a screen reader says it: "db.query 12.3 ms at +40 ms".
func (w *waterfall) rowAria(r *wfRow) string {
	var b strings.Builder
	switch {
	case r.request != nil:
		b.WriteString(endpointName(r.request))
	case r.Gap:
		b.WriteString("no spans")
	default:
		if len(r.Spans) > 1 {
			b.WriteString(strconv.Itoa(len(r.Spans)) + " times ")
		}
		b.WriteString(cutText(orWord(r.Spans[0].Op, "span"), 60))
	}
	b.WriteString(" " + took(r.took()) + " at +" + took(max(r.from()-w.whole.from, 0)))
	if r.failed() {
		b.WriteString(", failed")
	}
	if w.view.Critical && len(r.Critical) > 0 {
		b.WriteString(", on the critical path")
	}
	if r.Note != "" {
		b.WriteString(", " + r.Note)
	}
	return b.String()
}

func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}

// rowLabel stands beside the bar: what came back.
func (w *waterfall) rowLabel(r *wfRow) string {
	switch {
	case r.Gap || r.request != nil && r.url == "":
		return ""
	case r.request != nil:
		return statusText(r.request)
	}
	return joined(spanAnswer(r.Spans), poolText(r.Spans))
}

// spanAnswer is what the work gave: hits, a status, rows.
func spanAnswer(spans []trace.Span) string {
	s := spans[0]
	switch s.Category {
	case trace.Cache:
		return hitText(spans)
	case trace.DB:
		return rowsText(spans)
	case trace.HTTP:
		if code := attr(s.Attrs, "http.response.status_code", "http.status_code", "status_code"); len(spans) == 1 && code != "" {
			return cutText(code, 10)
		}
	}
	if s.Failed && len(spans) == 1 {
		return cutText(s.State, 40)
	}
	return ""
}

func hitText(spans []trace.Span) string {
	hits, known := 0, 0
	for _, s := range spans {
		switch strings.ToLower(attr(s.Attrs, "cache.hit")) {
		case "true", "1":
			hits++
			known++
		case "false", "0":
			known++
		}
	}
	switch {
	case known == 0:
		return ""
	case known == 1 && hits == 1:
		return "hit"
	case known == 1:
		return "miss"
	}
	return strconv.Itoa(hits) + " of " + strconv.Itoa(known) + " hit"
}

func rowsText(spans []trace.Span) string {
	sum, failed := int64(0), ""
	for _, s := range spans {
		if s.Rows < 0 {
			return ""
		}
		sum += s.Rows
		if s.Failed {
			failed = cutText(s.State, 40)
		}
	}
	if failed != "" {
		return failed
	}
	return plural(sum, "row")
}

// poolText is how long a connection was waited for, when that is worth a word.
func poolText(spans []trace.Span) string {
	var sum time.Duration
	for _, s := range spans {
		sum += s.Pool
	}
	if sum < time.Millisecond {
		return ""
	}
	return took(sum) + " for a connection"
}

// attr is the first of the attributes that is there.
func attr(attrs []trace.Attr, keys ...string) string {
	for _, key := range keys {
		for _, a := range attrs {
			if a.Key == key && a.Value != "" {
				return a.Value
			}
		}
	}
	return ""
}

// calledFrom is the code that asked: file and line, the end of a long path.
func calledFrom(s trace.Span) string {
	file := s.File
	if len(file) > 60 {
		file = "…" + strings.ToValidUTF8(file[len(file)-60:], "")
	}
	switch {
	case file != "" && s.Line > 0:
		return file + ":" + strconv.Itoa(s.Line)
	case file != "":
		return file
	}
	return ""
}

// endpointName is method and route; some clients write both as the name.
func endpointName(r *trace.Request) string {
	name := cutText(orWord(r.Name, "unnamed request"), 300)
	if r.Method == "" || strings.HasPrefix(name, r.Method+" ") {
		return name
	}
	return cutText(r.Method, 20) + " " + name
}

// routeName is the endpoint without its method, which the page draws apart.
func routeName(r *trace.Request) string {
	return strings.TrimPrefix(cutText(orWord(r.Name, "unnamed request"), 300), r.Method+" ")
}

// statusText is the answer: the status of HTTP, else the state.
func statusText(r *trace.Request) string {
	if r.Status > 0 {
		return strconv.Itoa(r.Status)
	}
	return cutText(strings.ReplaceAll(r.State, "_", " "), 40)
}

func statusTone(r *trace.Request) string {
	switch {
	case r.Failed || r.Status >= 500:
		return "bad"
	case r.Status >= 400:
		return "warn"
	}
	return ""
}

// requestCurl is a command that asks again, as far as the row knows; "" for what is no HTTP request. Where the program
// did not say its own address the machine itself is asked.
func requestCurl(r *trace.Request) string {
	if r.Method == "" || r.URL == "" {
		return ""
	}
	address := r.URL
	if !strings.Contains(address, "://") {
		address = origin(r.Attrs) + "/" + strings.TrimPrefix(address, "/")
	}
	out := envelope.Request{URL: address, Method: r.Method}
	for _, a := range r.Attrs {
		if name, ok := strings.CutPrefix(a.Key, "http.request.header."); ok {
			out.Headers = append(out.Headers, envelope.Pair{Key: strings.ReplaceAll(name, "_", "-"), Value: a.Value})
		}
	}
	return curl(&out)
}

// origin is scheme and host of an address that the attributes of OpenTelemetry or Sentry tell.
func origin(attrs []trace.Attr) string {
	if u, err := url.Parse(attr(attrs, "url.full", "http.url", "url")); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return u.Scheme + "://" + u.Host
	}
	host := attr(attrs, "server.address", "http.host")
	if host == "" {
		return "http://localhost"
	}
	if port := attr(attrs, "server.port"); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return orWord(attr(attrs, "url.scheme", "http.scheme"), "https") + "://" + host
}

// standing is the sentence below the totals.
func standing(s RequestStanding) string {
	if s.N == 0 {
		return ""
	}
	text := "Slower than " + figures(math.Floor(min(max(s.SlowerThan, 0), 100)), 0) + " % of " + plural(s.N, "request") + " here. The median one takes " + took(s.Median)
	if s.MedianQueries > 0 {
		text += " and " + queries(s.MedianQueries)
	}
	return text + "."
}

func queries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return short(int64(n)) + " queries"
}

// logTone is the shape beside a log line.
func logTone(level string) string {
	if tone := levelTone(level); tone != "" {
		return tone
	}
	return "idle"
}
