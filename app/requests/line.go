package requests

import (
	"strconv"
	"strings"
	"time"

	"kibitz/app/trace"
)

// Line is a request as scripts read it: in JSON, CSV and on the command line. Its fields are a contract. Times are
// milliseconds; those of the six categories sum to DurationMS.
type Line struct {
	TraceID    string            `json:"trace_id"`
	SpanID     string            `json:"span_id"`
	Service    string            `json:"service"`
	Endpoint   string            `json:"endpoint"`
	Method     string            `json:"method"`
	Status     int               `json:"status"`
	Failed     bool              `json:"failed"`
	Start      time.Time         `json:"start"`
	DurationMS float64           `json:"duration_ms"`
	DBMS       float64           `json:"db_ms"`
	DBN        int               `json:"db_n"`
	CacheMS    float64           `json:"cache_ms"`
	CacheN     int               `json:"cache_n"`
	HTTPMS     float64           `json:"http_ms"`
	HTTPN      int               `json:"http_n"`
	TemplateMS float64           `json:"template_ms"`
	TemplateN  int               `json:"template_n"`
	PoolMS     float64           `json:"pool_ms"`
	OtherMS    float64           `json:"other_ms"`
	Release    string            `json:"release"`
	Env        string            `json:"environment"`
	Host       string            `json:"host"`
	Switches   map[string]string `json:"switches"`
	Weight     float64           `json:"weight"`
	Kept       bool              `json:"kept"`
}

// LineOf is a stored request as a line.
func LineOf(l *Listed) Line {
	q, t, n := &l.Request, &l.Row.Totals.Time, &l.Row.Totals.N
	line := Line{TraceID: q.Trace.String(), SpanID: q.Span.String(), Service: q.Service, Endpoint: q.Name, Method: q.Method, Status: l.Row.Status,
		Failed: l.Row.Failed, Start: l.Row.Start.UTC(), DurationMS: millis(l.Row.Duration), DBMS: millis(t[trace.DB]), DBN: n[trace.DB],
		CacheMS: millis(t[trace.Cache]), CacheN: n[trace.Cache], HTTPMS: millis(t[trace.HTTP]), HTTPN: n[trace.HTTP], TemplateMS: millis(t[trace.Template]),
		TemplateN: n[trace.Template], PoolMS: millis(t[trace.Pool]), OtherMS: millis(t[trace.Other]), Release: q.Release, Env: q.Environment, Host: q.Host,
		Switches: map[string]string{}, Weight: l.Row.Weight, Kept: l.Row.Kept != 0}
	for _, s := range q.Switches {
		line.Switches[s.Key] = s.Variant
	}
	return line
}

// millis is a time in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// CSVHeader names the columns of CSV.
func CSVHeader() []string {
	return strings.Fields(`trace_id span_id service endpoint method status failed start duration_ms db_ms db_n cache_ms cache_n http_ms http_n
		template_ms template_n pool_ms other_ms release environment host switches weight kept`)
}

// CSV is the line's values, in the order of CSVHeader.
func (l *Line) CSV() []string {
	var switches []string
	for key, variant := range l.Switches {
		switches = append(switches, key+"="+variant)
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return []string{l.TraceID, l.SpanID, Formula(l.Service), Formula(l.Endpoint), Formula(l.Method), strconv.Itoa(l.Status), strconv.FormatBool(l.Failed),
		l.Start.Format(time.RFC3339Nano), number(l.DurationMS), number(l.DBMS), strconv.Itoa(l.DBN), number(l.CacheMS), strconv.Itoa(l.CacheN), number(l.HTTPMS),
		strconv.Itoa(l.HTTPN), number(l.TemplateMS), strconv.Itoa(l.TemplateN), number(l.PoolMS), number(l.OtherMS), Formula(l.Release), Formula(l.Env),
		Formula(l.Host), Formula(strings.Join(switches, " ")), number(l.Weight), strconv.FormatBool(l.Kept)}
}

// Formula keeps text from outside from being a formula in a spreadsheet (OWASP, CSV injection).
func Formula(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// SpanLine is a span as scripts read it. Start is since the request's.
type SpanLine struct {
	SpanID     string            `json:"span_id"`
	ParentID   string            `json:"parent_span_id"`
	RequestID  string            `json:"request_span_id"`
	Op         string            `json:"op"`
	Category   string            `json:"category"`
	Text       string            `json:"text"`
	System     string            `json:"system,omitempty"`
	StartMS    float64           `json:"start_ms"`
	DurationMS float64           `json:"duration_ms"`
	PoolMS     float64           `json:"pool_ms,omitempty"`
	Failed     bool              `json:"failed"`
	State      string            `json:"state,omitempty"`
	PID        int32             `json:"pid,omitempty"`
	Rows       *int64            `json:"rows,omitempty"`
	Caller     string            `json:"caller,omitempty"`
	Attrs      map[string]string `json:"attrs,omitempty"`
}

// SpanLines are a request and its spans as lines, the request first.
func SpanLines(q *trace.Request) []SpanLine {
	lines := []SpanLine{{SpanID: q.Span.String(), ParentID: idText(q.Parent), RequestID: q.Span.String(), Op: q.Op, Category: trace.Other.String(),
		Text: strings.TrimSpace(q.Method + " " + q.Name), DurationMS: millis(q.Duration), Failed: q.Failed, State: q.State, Attrs: attrMap(q.Attrs)}}
	for i := range q.Spans {
		s := &q.Spans[i]
		line := SpanLine{SpanID: s.ID.String(), ParentID: idText(s.Parent), RequestID: q.Span.String(), Op: s.Op, Category: s.Category.String(), Text: s.Text,
			System: s.System, StartMS: millis(s.Start), DurationMS: millis(s.Duration), PoolMS: millis(s.Pool), Failed: s.Failed, State: s.State, PID: s.PID,
			Caller: callerOf(s), Attrs: attrMap(s.Attrs)}
		if s.Rows >= 0 {
			line.Rows = &s.Rows
		}
		lines = append(lines, line)
	}
	return lines
}

func idText(id trace.SpanID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

func attrMap(list []trace.Attr) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Key] = a.Value
	}
	return m
}
