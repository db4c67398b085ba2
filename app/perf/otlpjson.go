package perf

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kibitz/app/trace"
)

// The messages of OTLP in JSON (opentelemetry-proto, trace/v1): ids in hexadecimal, 64-bit numbers as text.
type (
	otlpMessage struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes otlpAttrs `json:"attributes"`
	}
	otlpScopeSpans struct {
		Scope otlpScope  `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpScope struct {
		Name string `json:"name"`
	}
	otlpSpan struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Parent     string     `json:"parentSpanId,omitempty"`
		State      string     `json:"traceState,omitempty"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      int64      `json:"startTimeUnixNano,string"`
		End        int64      `json:"endTimeUnixNano,string"`
		Attributes otlpAttrs  `json:"attributes,omitempty"`
		Status     otlpStatus `json:"status"`
	}
	otlpStatus struct {
		Code int `json:"code,omitempty"`
	}
	otlpAttr struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		Text   *string `json:"stringValue,omitempty"`
		Number *string `json:"intValue,omitempty"`
		Flag   bool    `json:"boolValue,omitempty"`
	}
	otlpAttrs []otlpAttr
)

// Kinds and states of spans.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	kindConsumer = 5
	statusOK     = 1
	statusError  = 2
)

func (a *otlpAttrs) text(key, value string) {
	if value != "" {
		*a = append(*a, otlpAttr{key, otlpValue{Text: &value}})
	}
}

func (a *otlpAttrs) number(key string, value int64) {
	text := strconv.FormatInt(value, 10)
	*a = append(*a, otlpAttr{key, otlpValue{Number: &text}})
}

func (a *otlpAttrs) others(list []trace.Attr) {
	for _, x := range list {
		a.text(x.Key, x.Value)
	}
}

// otlpSource is what requests of one program share.
type otlpSource struct{ service, release, environment, host, platform string }

func (s otlpSource) resource() (a otlpAttrs) {
	a.text("service.name", cmp.Or(s.service, "unknown_service"))
	a.text("service.version", s.release)
	a.text("deployment.environment.name", s.environment)
	a.text("host.name", s.host)
	a.text("telemetry.sdk.language", s.platform)
	a.text("telemetry.sdk.name", "kibitz-perf")
	return a
}

// otlpOf is the message for requests, with one resource for each program that they come from.
func otlpOf(requests []trace.Request) (m otlpMessage) {
	known := map[otlpSource]int{}
	for i := range requests {
		q := &requests[i]
		source := otlpSource{q.Service, q.Release, q.Environment, q.Host, q.Platform}
		at, ok := known[source]
		if !ok {
			at = len(m.ResourceSpans)
			known[source] = at
			m.ResourceSpans = append(m.ResourceSpans, otlpResourceSpans{otlpResource{source.resource()}, []otlpScopeSpans{{Scope: otlpScope{"kibitz/app/perf"}}}})
		}
		scope := &m.ResourceSpans[at].ScopeSpans[0]
		scope.Spans = appendOTLP(scope.Spans, q)
	}
	return m
}

// appendOTLP appends the spans of a request; spans that came without theirs stand alone.
func appendOTLP(spans []otlpSpan, q *trace.Request) []otlpSpan {
	first := len(spans)
	if !q.Partial {
		spans = append(spans, otlpRequest(q))
	}
	for k := range q.Spans {
		spans = append(spans, otlpPart(q, &q.Spans[k]))
	}
	if state := otlpWeight(q.Weight); state != "" {
		for i := first; i < len(spans); i++ {
			spans[i].State = state
		}
	}
	return spans
}

// otlpWeight is the tracestate of a request that stands for others, too: the 56-bit threshold below which the sampler threw
// away (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/). "" for one that stands for itself.
func otlpWeight(weight float64) string {
	const all = 1 << 56
	if !(weight > 1) || weight >= all {
		return ""
	}
	digits := strings.TrimRight(fmt.Sprintf("%014x", uint64(math.Round(all*(1-1/weight)))), "0")
	if len(digits) == 0 || len(digits) > 14 {
		return ""
	}
	return "ot=th:" + digits
}

func otlpRequest(q *trace.Request) otlpSpan {
	var a otlpAttrs
	a.text("sentry.op", q.Op)
	a.text("http.request.method", q.Method)
	if q.Source == "route" {
		a.text("http.route", q.Name)
	}
	path, query, _ := strings.Cut(q.URL, "?")
	a.text("url.path", path)
	a.text("url.query", query)
	if q.Status != 0 {
		a.number("http.response.status_code", int64(q.Status))
	}
	a.text("user.id", strings.TrimPrefix(q.User, "id:"))
	for _, s := range q.Switches {
		a.text("flag.evaluation."+s.Key, s.Variant)
	}
	if q.Keep {
		a = append(a, otlpAttr{"kibitz.keep", otlpValue{Flag: true}})
	}
	if q.Lost > 0 {
		a.number("kibitz.lost_spans", int64(q.Lost))
	}
	a.others(q.Attrs)
	name := q.Name
	if q.Method != "" {
		name = strings.TrimSpace(q.Method + " " + name)
	}
	s := otlpSpan{TraceID: q.Trace.String(), SpanID: q.Span.String(), Parent: parentText(q.Parent), Name: name, Kind: kindOf(q), Attributes: a}
	return s.timed(q.Start, q.Duration, q.Failed)
}

func parentText(id trace.SpanID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

func kindOf(q *trace.Request) int {
	switch prefix, _, _ := strings.Cut(q.Op, "."); prefix {
	case "http":
		return kindServer
	case "queue":
		return kindConsumer
	}
	return kindInternal
}

func (s otlpSpan) timed(start time.Time, took time.Duration, failed bool) otlpSpan {
	s.Start, s.Status.Code = start.UnixNano(), statusOK
	s.End = s.Start + int64(took)
	if failed {
		s.Status.Code = statusError
	}
	return s
}

func otlpPart(q *trace.Request, p *trace.Span) otlpSpan {
	var a otlpAttrs
	a.text("sentry.op", p.Op)
	name, kind := cmp.Or(p.Text, p.Op), kindInternal
	switch p.Category {
	case trace.DB, trace.Pool:
		name, kind = p.Op, kindClient
		describeQuery(&a, p)
	case trace.HTTP:
		kind = kindClient
		if method, address, ok := strings.Cut(p.Text, " "); ok {
			a.text("http.request.method", method)
			a.text("url.full", address)
		}
	case trace.Cache:
		kind = kindClient
		a.text("cache.key", p.Text)
	}
	if p.Line > 0 {
		a.text("code.file.path", p.File)
		a.number("code.line.number", int64(p.Line))
		a.text("code.function.name", p.Func)
	}
	a.others(p.Attrs)
	s := otlpSpan{TraceID: q.Trace.String(), SpanID: p.ID.String(), Parent: parentText(p.Parent), Name: name, Kind: kind, Attributes: a}
	return s.timed(q.Start.Add(p.Start), p.Duration, p.Failed)
}

// describeQuery has two attributes of our own for what the conventions have no name for: the wait for the connection, and
// the backend, by which a line of the server's log is found.
func describeQuery(a *otlpAttrs, p *trace.Span) {
	a.text("db.system.name", p.System)
	a.text("db.query.text", p.Text)
	if p.Failed {
		a.text("db.response.status_code", p.State)
	}
	if p.Rows >= 0 {
		a.number("db.response.returned_rows", p.Rows)
	}
	if p.Pool > 0 {
		a.number("kibitz.pool_wait_ns", int64(p.Pool))
	}
	if p.PID != 0 {
		a.number("kibitz.backend_pid", int64(p.PID))
	}
}
