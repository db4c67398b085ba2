package otlp_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"kibitz/app/trace"
	"kibitz/ingest/otlp"
)

// one is a message of spans, in JSON.
func one(spans ...string) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`)
}

// with is a span with some members after those that it needs, which they may not repeat.
func with(more string) string {
	return `{"traceId":"0123456789abcdef0123456789abcdef","spanId":"00000000000000a1","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"` + more + `}`
}

func decoded(t *testing.T, body []byte) ([]trace.Request, otlp.Rejected) {
	t.Helper()
	list, r, err := otlp.DecodeTraces(body, otlp.JSON, limits)
	if err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	return list, r
}

func TestRejected(t *testing.T) {
	t.Parallel()
	for span, why := range map[string]string{
		`{}`: "trace id", `7`: "not an object", `{"traceId":"MDEyMzQ1Njc4OWFiY2RlZg==","spanId":"00000000000000a1"}`: "trace id",
		strings.Replace(with(""), "0123456789abcdef0123456789abcdef", strings.Repeat("0", 32), 1): "trace id",
		strings.Replace(with(""), "00000000000000a1", "a1", 1):                                    "span id",
		strings.Replace(with(""), "00000000000000a1", "0000000000000000", 1):                      "span id",
		with(`,"parentSpanId":"zz"`):                                                              "parent's id",
		strings.Replace(with(""), `"1700000000000000000"`, `0`, 1):                                "not a time",
		strings.Replace(with(""), `"1700000001000000000"`, `null`, 1):                             "not a time",
		strings.Replace(with(""), `"1700000001000000000"`, `"18446744073709551615"`, 1):           "not a time",
		strings.Replace(with(""), `"1700000000000000000"`, `-5`, 1):                               "not a time",
		strings.Replace(with(""), `"1700000001000000000"`, `"1600000000000000000"`, 1):            "ends before",
		strings.Replace(with(""), `"1700000001000000000"`, `"1800000000000000000"`, 1):            "span_duration",
		with(`,"name":"` + strings.Repeat("x", 5<<20) + `"`):                                      "otlp_item_size",
		with(`,"attributes":[` + strings.TrimSuffix(strings.Repeat("1,", 20_000), ",") + `]`):     "otlp_item_values",
	} {
		list, r := decoded(t, one(span, with(""))) // what is beside it is taken
		if len(list) != 1 || r.N != 1 || !strings.Contains(r.Text, why) {
			t.Errorf("%.80s: %d requests, %+v, want %q", span, len(list), r, why)
		}
	}
	if list, r := decoded(t, one(with(""), with(""))); len(list) != 1 || r.N != 1 || !strings.Contains(r.Text, "twice") {
		t.Errorf("the same twice: %d, %+v", len(list), r)
	}
	for _, encoding := range []otlp.Encoding{otlp.JSON, otlp.Protobuf} {
		body := one(with(""), `{}`, `{}`)
		if encoding == otlp.Protobuf {
			body = []byte("\x0a\x08\x12\x06\x12\x00\x12\x00\x12\x00")
		}
		_, r, err := otlp.DecodeTraces(body, encoding, otlp.Limits{Items: 1})
		if err != nil || r.N < 2 || encoding == otlp.JSON && !strings.Contains(r.Text, "ingest.otlp_items") {
			t.Errorf("%v: %v %+v", encoding, err, r)
		}
	}
}

// TestRoots holds which spans are requests.
func TestRoots(t *testing.T) {
	t.Parallel()
	for more, root := range map[string]bool{
		``: true, `,"parentSpanId":""`: true, `,"parentSpanId":"0000000000000000"`: true, `,"parentSpanId":null`: true,
		`,"parentSpanId":"00000000000000ff"`: false, `,"parentSpanId":"00000000000000ff","kind":2`: true, `,"parentSpanId":"00000000000000ff","kind":5`: true,
		`,"parentSpanId":"00000000000000ff","kind":3`: false, `,"parentSpanId":"00000000000000ff","flags":769`: true, `,"parentSpanId":"00000000000000ff","flags":257`: false,
		`,"parentSpanId":"00000000000000ff","kind":"SPAN_KIND_SERVER"`: true, `,"parentSpanId":"00000000000000ff","kind":99999`: false,
	} {
		list, _ := decoded(t, one(with(more)))
		if len(list) != 1 || list[0].Partial == root {
			t.Errorf("%s: a request is %v, want %v", more, !list[0].Partial, root)
		}
	}
}

// TestJSONForms holds what the JSON may look like: numbers as texts, unknown keys, the resource last, escaped texts.
func TestJSONForms(t *testing.T) {
	t.Parallel()
	body := ` { "new" : [ {"a":"}]\"" } , null ] , "resourceSpans" : [ { "scopeSpans" : [ { "spans" : [ {"traceId":"0123456789ABCDEF0123456789ABCDEF","spanId":"00000000000000A1",
		"startTimeUnixNano":1700000000000000000,"endTimeUnixNano":1.700000001e18,"name":"say \"hi\" \u00e9","status":{"code":"STATUS_CODE_ERROR"},"traceState":"x=y,ot=th:c;rv:1",
		"attributes":[{"key":"i","value":{"intValue":"-9223372036854775808"}},{"key":"d","value":{"doubleValue":"NaN"}},{"key":"b","value":{"boolValue":true}},
			{"key":"l","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":2},{}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":0.5}}]}}},
			{"key":"y","value":{"bytesValue":"AAE="}},{"key":"none","value":{}},{"key":"x"},{"value":{"intValue":1}},{"key":"w","value":{"intValue":"x"}}],
		"events":[{"name":"feature_flag.evaluation","attributes":[{"key":"feature_flag.key","value":{"stringValue":"tea"}},{"key":"feature_flag.result.variant","value":{"stringValue":"green"}}]}],
		"droppedAttributesCount":2} ] } ] , "resource" : { "attributes" : [ {"key":"service.name","value":{"stringValue":"shop"}} ] } } ] } ` + "\n"
	list, r := decoded(t, []byte(body))
	if len(list) != 1 || r.N != 0 {
		t.Fatalf("%+v %+v", list, r)
	}
	q := list[0]
	want := []trace.Attr{{Key: "i", Value: "-9223372036854775808"}, {Key: "d", Value: "NaN"}, {Key: "b", Value: "true"}, {Key: "l", Value: "a, 2, "}, {Key: "m", Value: "k=0.5"},
		{Key: "y", Value: "AAE="}, {Key: trace.LeftOut, Value: "2 attributes (limit span_attributes)"}}
	if q.Name != `say "hi" é` || q.Service != "shop" || q.Duration != time.Second || q.Weight != 4 || !q.Failed || q.State != "internal_error" ||
		!slices.Equal(q.Attrs, want) || !slices.Equal(q.Switches, []trace.Switch{{Key: "tea", Variant: "green"}}) {
		t.Errorf("%+v", q)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", "7", "{", `{"resourceSpans":[}`, `{"resourceSpans":[{]}`, `{"a":1}x`, `{"a" 1}`, `{"a":,}`, `{a:1}`, `{"a":"x`, `{"a":1,}`,
		`{"a":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`, string(one(`{"a":tru}`)), string(one(`{"a":1 2}`)), string(one(with(""))) + "{}"} {
		if _, _, err := otlp.DecodeTraces([]byte(body), otlp.JSON, limits); !errors.Is(err, otlp.ErrMalformed) {
			t.Errorf("%.60q: %v", body, err)
		}
		if _, _, err := otlp.DecodeLogs([]byte(strings.ReplaceAll(strings.ReplaceAll(body, "Spans", "Logs"), "spans", "logRecords")), otlp.JSON, limits); !errors.Is(err, otlp.ErrMalformed) {
			t.Errorf("logs, %.60q: %v", body, err)
		}
	}
	for _, body := range []string{"hello", "\x0a", "\x0a\x05\x12", "\x0a\x80", "\x0b\x0c", "\x00", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x0a\x04\x12\x02\x12\x7f"} {
		if _, _, err := otlp.DecodeTraces([]byte(body), otlp.Protobuf, limits); !errors.Is(err, otlp.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
		if _, _, err := otlp.DecodeLogs([]byte(body), otlp.Protobuf, limits); !errors.Is(err, otlp.ErrMalformed) {
			t.Errorf("logs, %q: %v", body, err)
		}
	}
}

func TestWeight(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]float64{"": 1, "ot=th:0": 1, "ot=th:8": 2, "ot=th:c;rv:ff": 4, "a=b, ot=rv:1;th:8": 2, "ot=p:3;r:5": 8, "ot=p:0": 1, "ot=p:62": 1e6,
		"ot=p:63": 1, "ot=th:ffffffffffffff": 1e6, "ot=th:fffffffffffffff": 1, "ot=th:": 1, "ot=th:xyz": 1, "ot=th:-8": 1, "notot=th:8": 1, "ot": 1, "ot=": 1,
		"ot=th:e6666666666668": 10} {
		if got := otlp.Weight(state); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%q weighs %v, want %v", state, got, want)
		}
	}
}

// TestHundredThousand holds that a large message is read in a time that grows with its size alone: were it not, the test would
// not end.
func TestHundredThousand(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]func(i int) int{"deep": func(i int) int { return i - 1 }, "circle": func(i int) int { return 2 + (i-1)%99_999 }} {
		spans := []*tracepb.Span{pbSpan(1, 0, "GET /")}
		for i := 2; i <= 100_000; i++ {
			spans = append(spans, pbSpan(uint64(i), uint64(parent(i)), "x"))
		}
		body := marshal(t, pbMessage(spans...))
		list, r, err := otlp.DecodeTraces(body, otlp.Protobuf, limits)
		n := 0
		for i := range list {
			n += len(list[i].Spans)
		}
		if err != nil || r.N != 0 || n != 99_999 {
			t.Errorf("%s: %v %+v %d", name, err, r, n)
		}
	}
	_, r, err := otlp.DecodeTraces(one(strings.TrimSuffix(strings.Repeat("{},", 300_000), ",")), otlp.JSON, limits)
	if err != nil || r.N != 300_000 {
		t.Errorf("%v %+v", err, r)
	}
}

func pbSpan(id, parent uint64, name string) *tracepb.Span {
	s := &tracepb.Span{TraceId: []byte("0123456789abcdef"), SpanId: bytesOf(id), Name: name, StartTimeUnixNano: 1_700_000_000_000_000_000 + id, EndTimeUnixNano: 1_700_000_000_100_000_000}
	if parent != 0 {
		s.ParentSpanId = bytesOf(parent)
	}
	return s
}

func bytesOf(id uint64) []byte {
	b, _ := hex.DecodeString(fmt.Sprintf("%016x", id))
	return b
}

func pbMessage(spans ...*tracepb.Span) *tracepb.TracesData {
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{pbText("service.name", "shop"), pbText("host.name", "web-1")}},
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "shop"}, Spans: spans}}}}}
}

func pbText(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// anyValue is a random value of an attribute.
func anyValue(rng *rand.Rand, depth int) *commonpb.AnyValue {
	switch n := rng.IntN(8); {
	case n == 0:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: rng.IntN(2) == 0}}
	case n == 1:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: rng.Int64() - rng.Int64()}}
	case n == 2:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: float64(rng.IntN(1000)) / 8}}
	case n == 3 && depth > 0:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{anyValue(rng, depth-1), anyValue(rng, depth-1)}}}}
	case n == 4 && depth > 0:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{{Key: "k", Value: anyValue(rng, depth-1)}}}}}
	case n == 5:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{1, 2, byte(n)}}}
	case n == 6:
		return &commonpb.AnyValue{}
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: fmt.Sprintf("t\"%d\n\u00e9", rng.IntN(9))}}
}

var someKeys = []string{"http.request.method", "http.status_code", "http.route", "db.system", "db.statement", "url.full", "x", "y", "code.lineno", "error.type", "user.id", "service.version", "messaging.system"}

func someAttributes(rng *rand.Rand) (list []*commonpb.KeyValue) {
	for range rng.IntN(6) {
		list = append(list, &commonpb.KeyValue{Key: someKeys[rng.IntN(len(someKeys))], Value: anyValue(rng, 2)})
	}
	return list
}

func someMessage(rng *rand.Rand) *tracepb.TracesData {
	m := pbMessage()
	m.ResourceSpans[0].Resource.Attributes = append(m.ResourceSpans[0].Resource.Attributes, someAttributes(rng)...)
	for range rng.IntN(6) {
		s := pbSpan(uint64(rng.IntN(8)), uint64(rng.IntN(8)), []string{"GET /a/7", "x", "", "jinja2.render"}[rng.IntN(4)])
		s.Kind, s.Flags, s.Attributes = tracepb.Span_SpanKind(rng.IntN(6)), uint32(rng.IntN(4))<<8, someAttributes(rng)
		s.TraceState = []string{"", "ot=th:8"}[rng.IntN(2)]
		s.Status = &tracepb.Status{Code: tracepb.Status_StatusCode(rng.IntN(3)), Message: "m"}
		s.Events = []*tracepb.Span_Event{{Name: "exception", Attributes: []*commonpb.KeyValue{pbText("exception.type", "E")}}}
		m.ResourceSpans[0].ScopeSpans[0].Spans = append(m.ResourceSpans[0].ScopeSpans[0].Spans, s)
	}
	return m
}

// jsonOf writes a value of the generated types as the JSON of OTLP, by the specification's rules and none of our code.
func jsonOf(v *commonpb.AnyValue) map[string]any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return map[string]any{"stringValue": v.StringValue}
	case *commonpb.AnyValue_BoolValue:
		return map[string]any{"boolValue": v.BoolValue}
	case *commonpb.AnyValue_IntValue:
		return map[string]any{"intValue": fmt.Sprint(v.IntValue)}
	case *commonpb.AnyValue_DoubleValue:
		return map[string]any{"doubleValue": v.DoubleValue}
	case *commonpb.AnyValue_BytesValue:
		return map[string]any{"bytesValue": v.BytesValue} // encoding/json writes base64
	case *commonpb.AnyValue_ArrayValue:
		list := []any{}
		for _, m := range v.ArrayValue.Values {
			list = append(list, jsonOf(m))
		}
		return map[string]any{"arrayValue": map[string]any{"values": list}}
	case *commonpb.AnyValue_KvlistValue:
		return map[string]any{"kvlistValue": map[string]any{"values": jsonPairs(v.KvlistValue.Values)}}
	}
	return map[string]any{}
}

func jsonPairs(list []*commonpb.KeyValue) []any {
	out := []any{}
	for _, a := range list {
		out = append(out, map[string]any{"key": a.Key, "value": jsonOf(a.Value)})
	}
	return out
}

func jsonMessage(t testing.TB, m *tracepb.TracesData) []byte {
	t.Helper()
	spans := []any{}
	for _, s := range m.ResourceSpans[0].ScopeSpans[0].Spans {
		events := []any{}
		for _, e := range s.Events {
			events = append(events, map[string]any{"name": e.Name, "attributes": jsonPairs(e.Attributes)})
		}
		spans = append(spans, map[string]any{"traceId": hex.EncodeToString(s.TraceId), "spanId": hex.EncodeToString(s.SpanId), "parentSpanId": hex.EncodeToString(s.ParentSpanId),
			"name": s.Name, "kind": s.Kind, "flags": s.Flags, "traceState": s.TraceState, "startTimeUnixNano": fmt.Sprint(s.StartTimeUnixNano),
			"endTimeUnixNano": fmt.Sprint(s.EndTimeUnixNano), "attributes": jsonPairs(s.Attributes), "events": events, "status": map[string]any{"code": s.Status.GetCode()}})
	}
	b, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{"resource": map[string]any{"attributes": jsonPairs(m.ResourceSpans[0].Resource.Attributes)},
		"scopeSpans": []any{map[string]any{"spans": spans}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestProtobufIsJSON holds that the same message becomes the same requests in both encodings. The protobuf is written by
// OpenTelemetry's own types.
func TestProtobufIsJSON(t *testing.T) {
	t.Parallel()
	taken := 0
	for seed := range uint64(3_000) {
		m := someMessage(rand.New(rand.NewPCG(seed, 5)))
		a, ar, err := otlp.DecodeTraces(marshal(t, m), otlp.Protobuf, limits)
		if err != nil {
			t.Fatal(err)
		}
		b, br := decoded(t, jsonMessage(t, m))
		if !reflect.DeepEqual(a, b) || ar != br {
			t.Fatalf("seed %d: protobuf %+v %+v\nJSON %+v %+v\nof %s", seed, a, ar, b, br, jsonMessage(t, m))
		}
		taken += len(a)
	}
	if taken < 3_000 {
		t.Errorf("only %d requests were compared", taken)
	}
}

// TestLogRecords holds the fields of a record in protobuf.
func TestLogRecords(t *testing.T) {
	t.Parallel()
	body := marshal(t, &logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{pbText("service.name", "shop")}},
		ScopeLogs: []*logspb.ScopeLogs{{Scope: &commonpb.InstrumentationScope{Name: "shop.cart"}, LogRecords: []*logspb.LogRecord{
			{ObservedTimeUnixNano: 1_700_000_000_000_000_000, SeverityNumber: 17, Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "low\x00"}},
				TraceId: []byte("0123456789abcdef"), SpanId: bytesOf(7), Attributes: []*commonpb.KeyValue{pbText("a", "b")}},
			{}, {TimeUnixNano: 5}}}}}}})
	lines, r, err := otlp.DecodeLogs(body, otlp.Protobuf, limits)
	if err != nil || len(lines) != 1 || r.N != 2 {
		t.Fatalf("%v %+v %+v", err, lines, r)
	}
	if l := lines[0]; l.Level != "error" || l.Body != "low\uFFFD" || l.Logger != "shop.cart" || l.Service != "shop" || l.Span != 7 || l.At.Unix() != 1_700_000_000 ||
		!slices.Equal(l.Attrs, []trace.Attr{{Key: "a", Value: "b"}}) {
		t.Errorf("%+v", l)
	}
}

// TestNothingIsShared holds that requests stay as they are when the message's bytes are used again.
func TestNothingIsShared(t *testing.T) {
	t.Parallel()
	for name, encoding := range map[string]otlp.Encoding{"go_traces.pb": otlp.Protobuf, "node_traces.json": otlp.JSON, "python_logs.pb": otlp.Protobuf, "python_logs.json": otlp.JSON} {
		body, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		requests, _, _ := otlp.DecodeTraces(body, encoding, limits)
		lines, _, _ := otlp.DecodeLogs(body, encoding, limits)
		before, after := trace.AppendLogs(trace.Append(nil, requests), lines), []byte(nil)
		for i := range body {
			body[i] = '#'
		}
		if after = trace.AppendLogs(trace.Append(nil, requests), lines); string(before) != string(after) {
			t.Errorf("%s: a request changed with the message's bytes", name)
		}
	}
}

func TestEncodingOf(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"application/json": "application/json", "Application/JSON; charset=utf-8": "application/json", "application/x-protobuf": "application/x-protobuf",
		"application/protobuf": "application/x-protobuf", "application/json;": "application/json", "": "", "text/plain": "", ";;": "", "application/grpc": ""} {
		e, ok := otlp.EncodingOf(kind)
		if ok != (want != "") || ok && e.ContentType() != want {
			t.Errorf("%q is %s %v", kind, e.ContentType(), ok)
		}
	}
}
