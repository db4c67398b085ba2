package otlp

import (
	"math"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// The JSON of OTLP (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) has ids in hexadecimal, enums as
// numbers, and numbers of 64 bits as text; numbers are taken either way. Unknown keys are passed over.

func (d *decoder) jsonTraces(body []byte) error {
	return d.jsonMessage(body, "resourceSpans", "scopeSpans", "spans", d.jsonSpan)
}

func (d *decoder) jsonLogs(body []byte) error {
	return d.jsonMessage(body, "resourceLogs", "scopeLogs", "logRecords", d.jsonRecord)
}

// jsonReader reads a message of one of the two shapes.
type jsonReader struct {
	*decoder
	scanner
	parser        fastjson.Parser
	scopes, items string // keys
	item          func(v *fastjson.Value)
}

func (d *decoder) jsonMessage(body []byte, resources, scopes, items string, item func(v *fastjson.Value)) error {
	r := jsonReader{decoder: d, scanner: scanner{b: body}, scopes: scopes, items: items, item: item}
	if r.peek() != '{' {
		return errJSON
	}
	r.object(func(key string) {
		if key == resources {
			r.array(r.resource)
		} else {
			r.value()
		}
	})
	return r.end()
}

// resource reads ResourceSpans or ResourceLogs. When the resource comes last, what is its is read again.
func (r *jsonReader) resource() {
	r.origin.Reset(&r.texts)
	known, early := false, []int(nil)
	r.object(func(key string) {
		switch {
		case key == "resource":
			raw, _ := r.value()
			r.attributes(raw)
			known = true
		case key == r.scopes && known:
			r.array(r.scopeOf)
		case key == r.scopes:
			r.peek()
			early = append(early, r.i)
			r.value()
		default:
			r.value()
		}
	})
	after := r.i
	for _, at := range early {
		if r.err == nil {
			r.i = at
			r.array(r.scopeOf)
		}
	}
	if r.err == nil {
		r.i = after
	}
}

// parse reads one value; what is no JSON is damage to the whole message.
func (r *jsonReader) parse(raw []byte) *fastjson.Value {
	v, err := r.parser.ParseBytes(raw)
	if err != nil {
		r.fail(errJSON)
		return nil
	}
	return v
}

// attributes are those of the resource.
func (r *jsonReader) attributes(raw []byte) {
	if v := r.parse(raw); r.err == nil {
		jsonAttributes(v.GetArray("attributes"), &r.origin)
	}
}

// scopeOf reads ScopeSpans or ScopeLogs; like a resource, a scope has no fixed place, but only log lines tell it.
func (r *jsonReader) scopeOf() {
	r.scope = ""
	r.object(func(key string) {
		switch key {
		case "scope":
			raw, _ := r.value()
			if v := r.parse(raw); r.err == nil {
				r.scope = r.texts.Clip(alias(v.GetStringBytes("name")), trace.MaxName)
			}
		case r.items:
			r.array(r.one)
		default:
			r.value()
		}
	})
}

// one reads a span or a record.
func (r *jsonReader) one() {
	raw, values := r.value()
	switch {
	case r.err != nil || r.full():
	case len(raw) > maxItemSize:
		r.rejected.add("a span or record has %d bytes; %d are allowed (limit otlp_item_size)", len(raw), maxItemSize)
	case values > maxItemValues:
		r.rejected.add("a span or record has %d values; %d are allowed (limit otlp_item_values)", values, maxItemValues)
	default:
		if v := r.parse(raw); r.err == nil {
			r.facts.Reset(&r.texts)
			r.item(v)
		}
	}
}

func (d *decoder) jsonSpan(v *fastjson.Value) {
	if v.Type() != fastjson.TypeObject {
		d.rejected.add("a span is not an object")
		return
	}
	s := span{state: alias(v.GetStringBytes("traceState")), name: alias(v.GetStringBytes("name")), flags: whole(v.Get("flags")), kind: kindOf(v.Get("kind")),
		start: whole(v.Get("startTimeUnixNano")), end: whole(v.Get("endTimeUnixNano")), lost: whole(v.Get("droppedAttributesCount")),
		code: codeOf(v.Get("status", "code"))}
	s.trace = traceID(v.Get("traceId"))
	s.id, _ = spanID(v.Get("spanId"))
	var ok bool
	if s.parent, ok = spanID(v.Get("parentSpanId")); !ok {
		s.wrong = "its parent's id is not 16 hexadecimal digits"
	}
	jsonAttributes(v.GetArray("attributes"), &d.facts)
	for _, e := range v.GetArray("events") {
		for _, a := range e.GetArray("attributes") {
			d.facts.Event(alias(a.GetStringBytes("key")), jsonText(a.Get("value"), maxNesting))
		}
		d.facts.EndEvent()
	}
	d.take(&s)
}

func (d *decoder) jsonRecord(v *fastjson.Value) {
	if v.Type() != fastjson.TypeObject {
		d.rejected.add("a record is not an object")
		return
	}
	r := record{at: whole(v.Get("timeUnixNano")), observed: whole(v.Get("observedTimeUnixNano")), number: int64(min(whole(v.Get("severityNumber")), 99)),
		level: alias(v.GetStringBytes("severityText")), body: d.texts.Clip(jsonText(v.Get("body"), maxNesting), trace.MaxText),
		lost: whole(v.Get("droppedAttributesCount")), trace: traceID(v.Get("traceId"))}
	r.span, _ = spanID(v.Get("spanId"))
	jsonAttributes(v.GetArray("attributes"), &d.facts)
	d.takeRecord(&r)
}

func jsonAttributes(list []*fastjson.Value, f *trace.Facts) {
	for _, a := range list {
		key, v := alias(a.GetStringBytes("key")), a.Get("value")
		switch {
		case v == nil || key == "":
		case v.Exists("stringValue"):
			f.Text(key, alias(v.GetStringBytes("stringValue")))
		case v.Exists("intValue"):
			if n, ok := signed(v.Get("intValue")); ok {
				f.Int(key, n)
			}
		case v.Exists("doubleValue"):
			f.Float(key, double(v.Get("doubleValue")))
		case v.Exists("boolValue"):
			f.Bool(key, v.GetBool("boolValue"))
		case v.Exists("arrayValue"), v.Exists("kvlistValue"), v.Exists("bytesValue"):
			f.Text(key, jsonText(v, maxNesting))
		}
	}
}

// jsonText is an AnyValue as people read it, as protoText is.
func jsonText(v *fastjson.Value, depth int) string {
	switch {
	case v == nil:
		return ""
	case depth == 0:
		return "..."
	case v.Exists("arrayValue"):
		return jsonMembers(v.GetArray("arrayValue", "values"), depth, false)
	case v.Exists("kvlistValue"):
		return jsonMembers(v.GetArray("kvlistValue", "values"), depth, true)
	case v.Exists("doubleValue"):
		return strconv.FormatFloat(double(v.Get("doubleValue")), 'g', -1, 64)
	}
	for _, key := range []string{"stringValue", "intValue", "boolValue", "bytesValue"} {
		if is := v.Get(key); is != nil {
			return plain(is)
		}
	}
	return ""
}

func jsonMembers(list []*fastjson.Value, depth int, named bool) string {
	var out strings.Builder
	for i, v := range list {
		if out.Len() > trace.MaxText {
			break
		}
		if i > 0 {
			out.WriteString(", ")
		}
		if named {
			out.Write(v.GetStringBytes("key"))
			out.WriteByte('=')
			v = v.Get("value")
		}
		out.WriteString(jsonText(v, depth-1))
	}
	return out.String()
}

// plain is a text as it is, and a number or a truth as it is written; it shares the memory of the JSON.
func plain(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		return alias(b)
	case fastjson.TypeNumber, fastjson.TypeTrue, fastjson.TypeFalse:
		return v.String()
	}
	return ""
}

// whole is a number from 0 on, written as a number or as text; what is none is 0.
func whole(v *fastjson.Value) uint64 {
	if v == nil {
		return 0
	}
	if n, err := v.Uint64(); err == nil {
		return n
	}
	text := plain(v)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	// Some write large numbers with an exponent.
	if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f < math.MaxInt64 {
		return uint64(f)
	}
	return 0
}

func signed(v *fastjson.Value) (int64, bool) {
	if n, err := v.Int64(); err == nil {
		return n, true
	}
	n, err := strconv.ParseInt(plain(v), 10, 64)
	return n, err == nil
}

// double is a number, or NaN, Infinity or -Infinity as text.
func double(v *fastjson.Value) float64 {
	f, err := strconv.ParseFloat(plain(v), 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// Enums are numbers by the specification, but some write their names.
func kindOf(v *fastjson.Value) uint64 {
	if name, ok := strings.CutPrefix(nameOf(v), "SPAN_KIND_"); ok {
		return kinds[name]
	}
	return whole(v)
}

var kinds = map[string]uint64{"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}

func codeOf(v *fastjson.Value) uint64 {
	if nameOf(v) == "STATUS_CODE_ERROR" {
		return codeError
	}
	return whole(v)
}

func nameOf(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	return plain(v)
}

func traceID(v *fastjson.Value) (id trace.ID) {
	id, _ = trace.ParseID(nameOf(v))
	return id
}

// spanID reads a span's id; none, in whatever way it is written, is 0.
func spanID(v *fastjson.Value) (trace.SpanID, bool) {
	text := nameOf(v)
	if strings.Trim(text, "0") == "" && len(text) <= 16 {
		return 0, true
	}
	return trace.ParseSpanID(text)
}
