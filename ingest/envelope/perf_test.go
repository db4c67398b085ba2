package envelope

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kibitz/app/trace"
)

const (
	aTrace = `"trace_id":"0123456789abcdef0123456789abcdef"`
	aHead  = `"contexts":{"trace":{` + aTrace + `,"span_id":"00000000000000a1"`
)

// whole is a transaction with some fields changed: text stands after the context's first members and rest at the end.
func whole(context, rest string) string {
	return `{` + aHead + context + `}},"start_timestamp":1700000000,"timestamp":1700000001` + rest + `}`
}

func parsed(t *testing.T, payload string) (trace.Request, Rejected) {
	t.Helper()
	q, r, err := ParseTransaction([]byte(payload), DSC{}, Limits{})
	if err != nil {
		t.Fatalf("%v: %.300s", err, payload)
	}
	return q, r
}

func TestTransactionFields(t *testing.T) {
	t.Parallel()
	q, _ := parsed(t, whole(`,"parent_span_id":"00000000000000ff","op":"http.server","status":"not_found","data":{"http.route":"/x","flag.evaluation.tea":false}`,
		`,"transaction":"GET /cart/{id}","transaction_info":{"source":"route"},"release":" shop@1 ","environment":"test","server_name":"web-1","platform":"python",
		"user":{"username":"mara"},"tags":[["region","nz"],["http.status_code","404"]],"measurements":{"lcp":{"value":12.5,"unit":"millisecond"},"n":{"value":3,"unit":"none"}},
		"request":{"url":"https://shop.example/cart/7","method":"get","query_string":[["a","b"]],"headers":[["x-kibitz-keep","1"],["Cookie","secret"]]},
		"contexts2":1,"_dropped_spans":3`))
	want := trace.Request{Trace: q.Trace, Span: 0xa1, Parent: 0xff, Name: "/cart/{id}", Source: "route", Op: "http.server", Method: "GET", URL: "/cart/7?a=b", Status: 404,
		State: "not_found", Start: time.Unix(1700000000, 0).UTC(), Duration: time.Second, Release: "shop@1", Environment: "test", Host: "web-1", Platform: "python",
		User: "username:mara", Switches: []trace.Switch{{Key: "tea", Variant: "false"}}, Weight: 1, Keep: true, Lost: 3,
		Attrs: []trace.Attr{{Key: "region", Value: "nz"}, {Key: "measurement.lcp", Value: "12.5 millisecond"}, {Key: "measurement.n", Value: "3"}}}
	if got, _ := json.Marshal(q); string(got) != must(json.Marshal(want)) || q.Trace.String() != "0123456789abcdef0123456789abcdef" {
		t.Errorf("got %s\nwant %s", got, must(json.Marshal(want)))
	}
}

func must(b []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestTransactionTimes holds every form of a time, and what becomes of those that cannot be.
func TestTransactionTimes(t *testing.T) {
	t.Parallel()
	for times, want := range map[string]time.Duration{
		`1700000000.25,1700000000.75`: 500 * time.Millisecond, `"2026-11-25T01:00:00Z","2026-11-25T01:00:01.5Z"`: 1500 * time.Millisecond,
		`"2026-11-25T01:00:00+01:00","2026-11-25T00:00:01Z"`: time.Second, `"2026-11-25T01:00:00.000000","2026-11-25T01:00:01.000000"`: time.Second,
		`"1700000000","1700000001"`: time.Second, `1700000000.5,1700000000`: 0, `1700000000,1700000000`: 0,
	} {
		from, to, _ := strings.Cut(times, ",")
		q, _ := parsed(t, `{`+aHead+`}},"start_timestamp":`+from+`,"timestamp":`+to+`}`)
		if q.Duration != want {
			t.Errorf("%s: %v, want %v", times, q.Duration, want)
		}
	}
	for times, reason := range map[string]string{`1700000002,1700000000`: "timestamp", `0,1`: "timestamp", `-5,1`: "timestamp", `1,NaN`: "timestamp", `1e300,1e301`: "timestamp",
		`"x","y"`: "timestamp", `null,1`: "timestamp", `{},[]`: "timestamp", `1e999999999,1`: "timestamp", `1,1700000000`: "span_duration", `true,false`: "timestamp"} {
		from, to, _ := strings.Cut(times, ",")
		_, _, err := ParseTransaction([]byte(`{`+aHead+`}},"start_timestamp":`+from+`,"timestamp":`+to+`}`), DSC{}, Limits{})
		if Reason(err) != reason {
			t.Errorf("%s: %v is %q, want %q", times, err, Reason(err), reason)
		}
	}
}

func TestTransactionRefused(t *testing.T) {
	t.Parallel()
	for payload, reason := range map[string]string{
		"": "json", "[]": "json_not_object", "{}": "trace_id", `{"contexts":[]}`: "trace_id", `{"contexts":{"trace":7}}`: "trace_id",
		`{"contexts":{"trace":{"trace_id":"00000000000000000000000000000000","span_id":"00000000000000a1"}}}`: "trace_id",
		`{"contexts":{"trace":{` + aTrace + `,"span_id":"0000000000000000"}}}`:                                "span_id",
		`{"contexts":{"trace":{` + aTrace + `,"span_id":17}}}`:                                                "span_id",
		`{` + aHead + `}}}`: "timestamp", strings.Repeat("[", 1000): "json", `{"a":[` + strings.Repeat("1,", 100_000) + `1]}`: "json_nodes",
	} {
		if _, _, err := ParseTransaction([]byte(payload), DSC{}, Limits{}); err == nil || Reason(err) != reason {
			t.Errorf("%.100s: %v is %q, want %q", payload, err, Reason(err), reason)
		}
	}
}

// TestTransactionHostile holds that what is wrong within costs its own part and nothing else.
func TestTransactionHostile(t *testing.T) {
	t.Parallel()
	span := `{"span_id":"00000000000000a2","start_timestamp":1700000000,"timestamp":1700000001,"op":"db","description":"` + strings.Repeat("x", 1<<20) + `"}`
	q, r := parsed(t, whole(`,"op":["a"],"data":"x","status":{}`, `,"spans":[null,7,{},{"start_timestamp":1700000005,"timestamp":1},`+span+`,{"span_id":"zz","parent_span_id":7,"data":[],"tags":3,"start_timestamp":1,"timestamp":2}],
		"tags":"x","user":[],"request":7,"measurements":[["a",1]],"contexts":1,"release":{},"transaction":null`))
	if len(q.Spans) != 2 || r.N != 4 || r.Text != "A span is not an object." || len(q.Spans[0].Text) != trace.MaxText || q.Spans[0].Attrs[0].Key != trace.LeftOut {
		t.Errorf("%d spans, %+v, %d bytes, %v", len(q.Spans), r, len(q.Spans[0].Text), q.Spans[0].Attrs)
	}
	if s := q.Spans[1]; s.ID != 0 || s.Parent != 0 || s.Start > -1699999998*time.Second {
		t.Errorf("%+v", s)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"start_timestamp":1700000000,"timestamp":1700000001},`, MaxSpans+5), ",")
	if q, _ := parsed(t, whole("", `,"_meta":{"spans":{"":{"len":20000}}},"spans":[`+many+`]`)); len(q.Spans) != MaxSpans || q.Lost != 20_000-MaxSpans {
		t.Errorf("%d spans, %d lost", len(q.Spans), q.Lost)
	}
	deep := `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`
	if q, _ := parsed(t, whole(`,"data":`+deep, `,"extra":`+deep)); len(q.Attrs) != 1 || len(q.Attrs[0].Value) > trace.MaxAttr {
		t.Errorf("%+v", q.Attrs)
	}
}

func TestWeight(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]float64{
		`{"trace":{"sample_rate":"0.25"}}`: 4, `{"trace":{"sample_rate":0.5}}`: 2, `{"trace":{"sample_rate":"1.0"}}`: 1, `{}`: 1, `{"trace":null}`: 1,
		`{"trace":{"sample_rate":"0"}}`: 1, `{"trace":{"sample_rate":-1}}`: 1, `{"trace":{"sample_rate":7}}`: 1, `{"trace":{"sample_rate":"1e-12"}}`: 1e6,
		`{"trace":{"sample_rate":"NaN"}}`: 1, `{"trace":{"sample_rate":true}}`: 1, `{"trace":{"sample_rate":"1e-400"}}`: 1, `{"trace":{"sample_rate":{}}}`: 1,
	} {
		env, _, err := Parse([]byte(header), Limits{})
		if got := env.DSC.Weight(); err != nil || got != want {
			t.Errorf("%s weighs %v, want %v (%v)", header, got, want, err)
		}
	}
}

// v2 is a span of the second version.
func v2(id, parent string, more string) string {
	return fmt.Sprintf(`{%s,"span_id":"00000000000000%s","parent_span_id":%s,"name":"x","start_timestamp":1700000000,"end_timestamp":1700000001%s}`, aTrace, id, parent, more)
}

func TestSpanItems(t *testing.T) {
	t.Parallel()
	attr := `,"attributes":{"sentry.op":{"type":"string","value":"db"},"n":{"type":"integer","value":9007199254740993},"d":{"value":0.5},"b":{"value":true},"l":{"value":["a",1]},"o":{"value":{"k":1}},"no":{},"db.system":7}`
	for name, c := range map[string]struct {
		payload string
		want    string // requests as their spans' number, P for partial
		n       int
	}{
		"a container":    {`{"items":[` + v2("a2", `"00000000000000a1"`, `,"is_segment":false`+attr) + `,` + v2("a1", "null", `,"is_segment":true`) + `]}`, "1", 0},
		"no request":     {`{"version":2,"items":[` + v2("a2", `"00000000000000a1"`, `,"is_segment":false`) + `]}`, "P1", 0},
		"a draft":        {`{"items":[` + v2("a1", `"00000000000000ff"`, `,"is_remote":true,"kind":"server"`) + `,` + v2("a2", `"00000000000000a1"`, `,"is_remote":false,"kind":"client"`) + `]}`, "1", 0},
		"no parent":      {`{"items":[` + v2("a1", "null", "") + `]}`, "0", 0},
		"first version":  {`{` + aTrace + `,"span_id":"00000000000000a1","op":"http.server","start_timestamp":1700000000,"timestamp":1700000001,"is_segment":true}`, "0", 0},
		"web vital":      {`{` + aTrace + `,"span_id":"00000000000000a1","segment_id":"00000000000000b1","op":"ui.interaction.click","start_timestamp":1700000000,"timestamp":1700000001,"exclusive_time":5}`, "P1", 0},
		"empty":          {`{"items":[]}`, "", 0},
		"not a list":     {`{"items":7}`, "", 0},
		"the same twice": {`{"items":[` + v2("a1", "null", "") + `,` + v2("a1", "null", "") + `]}`, "0", 1},
		"what cannot be": {`{"items":[null,{},` + v2("00", "null", "") + `,` + v2("a1", "null", `,"start_timestamp":5`) + `]}`, "0", 3}, // of two keys the first counts
	} {
		list, r, err := ParseSpans([]byte(c.payload), DSC{SampleRate: 0.5, Platform: "node"}, Limits{})
		var got []string
		for i := range list {
			text := fmt.Sprint(len(list[i].Spans))
			if list[i].Partial {
				text = "P" + text
			} else if list[i].Weight != 2 {
				t.Errorf("%s: it weighs %v", name, list[i].Weight)
			}
			if list[i].Platform != "node" {
				t.Errorf("%s: it is of %q", name, list[i].Platform)
			}
			got = append(got, text)
		}
		if err != nil || strings.Join(got, " ") != c.want || r.N != c.n {
			t.Errorf("%s: %v %q %+v, want %q and %d", name, err, got, r, c.want, c.n)
		}
	}
	list, _, err := ParseSpans([]byte(`{"items":[`+v2("a2", `"00000000000000a1"`, attr)+`]}`), DSC{}, Limits{})
	want := []trace.Attr{{Key: "n", Value: "9007199254740993"}, {Key: "d", Value: "0.5"}, {Key: "b", Value: "true"}, {Key: "l", Value: "a, 1"}, {Key: "o", Value: `{"k":1}`}}
	if err != nil || !slices.Equal(list[0].Spans[0].Attrs, want) || list[0].Spans[0].Category != trace.DB {
		t.Errorf("%v %+v", err, list)
	}
	if _, r, err := ParseSpans([]byte(`{"items":[`+strings.Repeat(`1,`, MaxSpans+6)+`1]}`), DSC{}, Limits{}); err != nil || r.N != MaxSpans+7 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestLogItems(t *testing.T) {
	t.Parallel()
	lines, r, err := ParseLogs([]byte(`{"items":[{"timestamp":1700000000.5,`+aTrace+`,"level":"warn","body":"low","attributes":{"sentry.trace.parent_span_id":{"value":"00000000000000a1"},
		"server.address":{"value":"web-1"},"sentry.release":{"value":"shop@1"},"logger.name":{"value":"shop"},"user.id":{"value":"7"},"sentry.message.template":{"value":"low"},"n":{"value":1}}},
		{"timestamp":1700000000,"severity_number":21,"body":"`+strings.Repeat("x", 1<<19)+`"},{"body":"x"},{"timestamp":1},7]}`), Limits{})
	if err != nil || len(lines) != 2 || r.N != 3 {
		t.Fatalf("%v %d %+v", err, len(lines), r)
	}
	l := lines[0]
	if l.Level != "warn" || l.Body != "low" || l.Span != 0xa1 || l.Host != "web-1" || l.Release != "shop@1" || l.Logger != "shop" || l.At.UnixMilli() != 1700000000500 ||
		!slices.Equal(l.Attrs, []trace.Attr{{Key: "logger.name", Value: "shop"}, {Key: "n", Value: "1"}, {Key: "user", Value: "id:7"}}) {
		t.Errorf("%+v", l)
	}
	if lines[1].Level != "fatal" || len(lines[1].Body) != trace.MaxText {
		t.Errorf("%s, %d bytes", lines[1].Level, len(lines[1].Body))
	}
}

// seeds adds what SDKs sent.
func seeds(f *testing.F, kind string) {
	files, err := filepath.Glob("testdata/sdk/*.envelope")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, items, err := Parse(body, Limits{})
		if err != nil {
			f.Fatal(err)
		}
		for _, item := range items {
			if item.Type == kind {
				f.Add(item.Payload)
			}
		}
	}
	f.Add([]byte(whole(`,"data":{"a":NaN}`, `,"spans":[{"start_timestamp":1e308,"timestamp":-1}]`)))
	f.Add([]byte(`{"items":[` + v2("a1", `"00000000000000a1"`, "") + `]}`))
}

// sound holds what is true of every request, whatever it was made of.
func sound(t *testing.T, q *trace.Request) {
	t.Helper()
	if !(q.Weight >= 1 && q.Weight <= 1e6) || q.Duration < 0 || len(q.Attrs) > trace.MaxAttrs+1 || len(q.Switches) > trace.MaxSwitches || q.Lost < 0 ||
		q.Trace == (trace.ID{}) || !q.Partial && q.Span == 0 || q.Start.IsZero() {
		t.Fatalf("%+v", q)
	}
	for _, text := range []string{q.Name, q.Source, q.Op, q.Method, q.URL, q.State, q.Service, q.Release, q.Environment, q.Host, q.Platform, q.User} {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") || len(text) > trace.MaxURL {
			t.Fatalf("%q", text)
		}
	}
	for i := range q.Spans {
		s := &q.Spans[i]
		if s.Duration < 0 || !utf8.ValidString(s.Text) || len(s.Text) > trace.MaxText || len(s.Attrs) > trace.MaxAttrs+1 || s.Category >= trace.Categories || s.Rows < -1 {
			t.Fatalf("%+v", s)
		}
	}
	back, err := trace.Decode(trace.Append(nil, []trace.Request{*q}))
	if err != nil || len(back) != 1 {
		t.Fatalf("it cannot be stored: %v", err)
	}
	trace.Sum(q)
}

func FuzzParseTransaction(f *testing.F) {
	seeds(f, "transaction")
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, r, err := ParseTransaction(b, DSC{SampleRate: math.NaN()}, Limits{}); err == nil {
			sound(t, &q)
			if r.N < 0 || (r.N > 0) != (r.Text != "") {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func FuzzParseSpans(f *testing.F) {
	seeds(f, "span")
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _, err := ParseSpans(b, DSC{}, Limits{})
		for i := range list {
			sound(t, &list[i])
		}
		if err != nil && Reason(err) == "invalid" {
			t.Fatalf("%v has no reason", err)
		}
	})
}

func FuzzParseLogs(f *testing.F) {
	seeds(f, "log")
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, _, _ := ParseLogs(b, Limits{})
		for _, l := range lines {
			if l.At.IsZero() || l.Body == "" || len(l.Body) > trace.MaxText || !utf8.ValidString(l.Body) || l.Level == "" {
				t.Fatalf("%+v", l)
			}
		}
		if back, err := trace.DecodeLogs(trace.AppendLogs(nil, lines)); err != nil || len(back) != len(lines) {
			t.Fatalf("they cannot be stored: %v", err)
		}
	})
}

// BenchmarkParseTransaction stands beside encoding/json into maps.
func BenchmarkParseTransaction(b *testing.B) {
	for _, name := range []string{"django_orders", "express_spans2"} {
		body, err := os.ReadFile("testdata/sdk/" + name + ".envelope")
		if err != nil {
			b.Fatal(err)
		}
		env, items, err := Parse(body, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		payload, spans := items[0].Payload, 0
		run := func() {
			if items[0].Type == "span" {
				list, _, _ := ParseSpans(payload, env.DSC, Limits{})
				spans += len(list[0].Spans)
				return
			}
			q, _, _ := ParseTransaction(payload, env.DSC, Limits{})
			spans += len(q.Spans)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			spans = 0
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(spans)/b.Elapsed().Seconds(), "spans/s")
		})
		b.Run("peer=encoding-json/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				var v map[string]any
				if err := json.Unmarshal(payload, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
