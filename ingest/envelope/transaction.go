package envelope

import (
	"math"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// transaction reads one transaction; it lives as long as the JSON.
type transaction struct {
	attributes
	request  trace.Request
	rejected Rejected
}

// ParseTransaction reads the payload of a transaction
// (https://develop.sentry.dev/sdk/data-model/event-payloads/transaction/). Spans whose times cannot be are left out and
// counted as rejected; without ids or times of its own the transaction is refused, with an *Error.
func ParseTransaction(payload []byte, dsc DSC, lim Limits) (trace.Request, Rejected, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := itemObject(p, payload, lim)
	if err != nil {
		return trace.Request{}, Rejected{}, err
	}
	var t transaction
	if err := t.read(v, dsc); err != nil {
		return trace.Request{}, Rejected{}, err
	}
	return t.request, t.rejected, nil
}

func (t *transaction) read(v *fastjson.Value, dsc DSC) error {
	context := v.Get("contexts", "trace")
	id, span, err := ids(context, "trace_id", "span_id")
	if err != nil {
		return err
	}
	start, took, err := times(v, "start_timestamp", "timestamp")
	if err != nil {
		return err
	}
	t.facts.Reset(&t.texts)
	t.describe(v, context)
	t.request = t.facts.Request()
	q := &t.request
	q.Trace, q.Span, q.Start, q.Duration, q.Weight = id, span, start, took, dsc.Weight()
	q.Parent, _ = trace.ParseSpanID(bare(context.Get("parent_span_id")))
	if q.Platform == "" {
		q.Platform = dsc.Platform
	}
	t.lost(v)
	t.spans(v.GetArray("spans"))
	return nil
}

// describe gathers everything that the event says of the request. What the trace context says comes first, so that tags
// cannot take the room of attributes.
func (t *transaction) describe(v, context *fastjson.Value) {
	f := &t.facts
	f.Kind = trace.KindServer
	f.Op, f.State = t.text(context.Get("op"), trace.MaxOp), t.text(context.Get("status"), trace.MaxOp)
	visit(v.Get("tags"), func(key string, v *fastjson.Value) {
		if key == "http.status_code" { // older SDKs tell it nowhere else
			t.set(key, v)
		}
	})
	visit(v.Get("contexts", "response"), func(key string, v *fastjson.Value) {
		if key == "status_code" {
			t.set("http.response.status_code", v)
		}
	})
	t.http(v.Get("request"))
	t.sets(context.Get("data"))
	f.Name, f.Source = t.text(v.Get("transaction"), trace.MaxName), t.text(v.Get("transaction_info", "source"), trace.MaxOp)
	f.Platform = orElse(t.text(v.Get("platform"), trace.MaxOp), f.Platform)
	f.Release = orElse(strings.TrimSpace(t.text(v.Get("release"), trace.MaxName)), f.Release)
	f.Environment = orElse(strings.TrimSpace(t.text(v.Get("environment"), trace.MaxName)), f.Environment)
	f.Host = orElse(t.text(v.Get("server_name"), trace.MaxName), f.Host)
	if f.Name != "" && f.Source != "url" {
		f.Route = "" // the name of a transaction may be set by hand, and then it is meant
	}
	t.user(v.Get("user"))
	t.around(v)
}

// around are switches, tags and measurements.
func (t *transaction) around(v *fastjson.Value) {
	for _, flag := range list(v.Get("contexts", "flags")) {
		if isObject(flag) {
			t.facts.Switch(str(flag.Get("flag"), trace.MaxAttrKey), str(flag.Get("result"), trace.MaxAttrKey))
		}
	}
	visit(v.Get("tags"), func(key string, v *fastjson.Value) {
		if key != "http.status_code" {
			t.facts.Attr(key, str(v, trace.MaxAttr))
		}
	})
	visit(v.Get("measurements"), func(key string, v *fastjson.Value) {
		if value := str(v.Get("value"), trace.MaxOp); value != "" {
			t.facts.Attr("measurement."+key, strings.TrimSpace(value+" "+unit(v)))
		}
	})
}

func unit(v *fastjson.Value) string {
	if u := str(v.Get("unit"), 32); u != "none" {
		return u
	}
	return ""
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (t *transaction) http(q *fastjson.Value) {
	if !isObject(q) {
		return
	}
	for _, key := range []string{"url", "method"} {
		if text := str(q.Get(key), trace.MaxURL); text != "" {
			t.facts.Text(key, text)
		}
	}
	if query := joined(q.Get("query_string"), "&"); query != "" {
		t.facts.Text("url.query", query)
	}
	visit(q.Get("headers"), func(key string, v *fastjson.Value) {
		if strings.EqualFold(key, "X-Kibitz-Keep") {
			t.facts.Text("kibitz.keep", str(v, trace.MaxOp))
		}
	})
}

func (t *transaction) user(u *fastjson.Value) {
	if !isObject(u) {
		return
	}
	f := &t.facts
	f.UserID, f.UserMail = orElse(str(u.Get("id"), 128), f.UserID), orElse(str(u.Get("email"), 254), f.UserMail)
	f.UserName, f.UserIP = orElse(str(u.Get("username"), 128), f.UserName), orElse(str(u.Get("ip_address"), 64), f.UserIP)
}

// lost is what the SDK says it left out: sentry-python tells it in a note about the list that it cut.
func (t *transaction) lost(v *fastjson.Value) {
	n := integer(v.Get("_dropped_spans"))
	if all := integer(v.Get("_meta", "spans", "", "len")); all > len(v.GetArray("spans")) {
		n = max(n, all-len(v.GetArray("spans")))
	}
	t.request.Lost = max(n, 0)
}

func (t *transaction) spans(all []*fastjson.Value) {
	if over := len(all) - MaxSpans; over > 0 {
		t.request.Lost = min(t.request.Lost+over, math.MaxInt32)
		all = all[:MaxSpans]
	}
	if len(all) > 0 {
		t.request.Spans = make([]trace.Span, 0, len(all))
	}
	for _, v := range all {
		if !isObject(v) {
			t.rejected.add(&Error{"span", "A span is not an object."})
			continue
		}
		start, took, err := times(v, "start_timestamp", "timestamp")
		if err != nil {
			t.rejected.add(err)
			continue
		}
		s := t.span(v)
		s.Start, s.Duration = start.Sub(t.request.Start), took
		t.request.Spans = append(t.request.Spans, s)
	}
}

// span reads a span of the first version but for its times. Its switches are the request's.
func (t *transaction) span(v *fastjson.Value) trace.Span {
	f := &t.facts
	f.Reset(&t.texts)
	t.oldSpan(v)
	s := f.Span()
	s.ID, _ = trace.ParseSpanID(bare(v.Get("span_id")))
	s.Parent, _ = trace.ParseSpanID(bare(v.Get("parent_span_id")))
	t.request.AddSwitches(f.Switches)
	t.request.Keep = t.request.Keep || f.Keep
	return s
}

// oldSpan gathers what a span of the first version says.
func (t *transaction) oldSpan(v *fastjson.Value) {
	f := &t.facts
	f.Op, f.State = t.text(v.Get("op"), trace.MaxOp), t.text(v.Get("status"), trace.MaxOp)
	f.Named(bare(v.Get("description")))
	t.sets(v.Get("data"))
	visit(v.Get("tags"), func(key string, v *fastjson.Value) {
		if key != "status" {
			t.set(key, v)
		}
	})
}
