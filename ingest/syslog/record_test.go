package syslog

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/trace"
)

func record(t *testing.T, text string) (Record, bool, error) {
	t.Helper()
	m, err := Parse([]byte(text), now)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	return d.Record(&m)
}

const head = "<134>1 2026-11-25T01:00:00.164200Z web-3 shop 4711 - "

// TestRecord holds every field, and that both forms of a record give the same request.
func TestRecord(t *testing.T) {
	t.Parallel()
	const keys = `"key":"0123456789abcdef0123456789abcdef","trace":"0af7651916cd43dd8448eb211c80319c","span":"b7ad6b7169203331","parent":"00f067aa0ba902b7",` +
		`"route":"/cart/{id}/","ms":164.2,"db_ms":80.5,"db_n":3,"cache_ms":4,"cache_n":2,"http_ms":10,"http_n":1,"template_ms":20,"template_n":5,"pool_ms":1.5,"pool_n":1,` +
		`"status":503,"method":"GET","url":"/cart/7/?a=b","release":"shop@4.18.0","env":"production","user":"id:42","platform":"python","sample":0.25,"keep":true,"tenant":"acme"`
	want := trace.Request{Trace: trace.ID{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c}, Span: 0xb7ad6b7169203331, Parent: 0x00f067aa0ba902b7,
		Name: "/cart/{id}/", Source: "route", Op: "http.server", Method: "GET", URL: "/cart/7/?a=b", Status: 503, State: "unavailable", Failed: true,
		Start: at("2026-11-25T01:00:00Z"), Duration: 164200 * time.Microsecond, Service: "shop", Host: "web-3", Release: "shop@4.18.0", Environment: "production",
		Platform: "python", User: "id:42", Switches: []trace.Switch{{Key: "cart.sticky", Variant: "on"}, {Key: "colour", Variant: "blue"}},
		Attrs: []trace.Attr{{Key: "tenant", Value: "acme"}}, Weight: 4, Keep: true, Summed: true}
	want.Totals.Time = [...]time.Duration{48200 * time.Microsecond, 80500 * time.Microsecond, 4 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 1500 * time.Microsecond}
	want.Totals.N = [...]int{0, 3, 2, 1, 5, 1}
	var params strings.Builder
	for pair := range strings.SplitSeq(keys, `,"`) {
		name, value, _ := strings.Cut(strings.Trim(pair, `"`), `":`)
		fmt.Fprintf(&params, ` %s="%s"`, name, strings.Trim(value, `"`))
	}
	for _, text := range []string{
		head + "- {" + keys + `,"switches":{"cart.sticky":"on","colour":"blue"}}`,
		head + "- {" + keys + `,"switches":"cart.sticky=on, colour=blue"}`,
		head + "- @cee: {" + keys + `,"switches":{"cart.sticky":"on","colour":"blue"}}`,
		head + "[timeQuality tzKnown=\"1\"][perf@32473" + params.String() + ` switches="cart.sticky=on,colour=blue"] text beside it`,
		"<134>2026-11-25T01:00:00.164200Z web-3 shop[4711]: @cee:{" + keys + `,"switches":{"cart.sticky":"on","colour":"blue"}}`,
	} {
		got, ok, err := record(t, text)
		if !ok || err != nil || !reflect.DeepEqual(got.Request, want) || got.Key != "0123456789abcdef0123456789abcdef" {
			t.Errorf("%s\n%v %v\n%+v\nis not\n%+v", text, ok, err, got.Request, want)
		}
	}
}

// TestQueries holds that a list of queries becomes spans, and the totals that were left out.
func TestQueries(t *testing.T) {
	t.Parallel()
	const text = head + `- {"route":"/a","ms":100,"span":"b7ad6b7169203331","queries":[{"sql":"SELECT 1","ms":5,"at":3.5,"caller":"shop/views.py:52 cart","rows":7,"system":"postgresql"},{"sql":"SELECT 2","ms":6}]%s}`
	r, ok, err := record(t, fmt.Sprintf(text, ""))
	q := r.Request
	if !ok || err != nil || len(q.Spans) != 2 || q.Totals.Time[trace.DB] != 11*time.Millisecond || q.Totals.N[trace.DB] != 2 || q.Totals.Time[trace.Other] != 89*time.Millisecond || q.Lost != 0 {
		t.Fatalf("%v %v %+v", ok, err, q)
	}
	want := trace.Span{ID: q.Spans[0].ID, Parent: 0xb7ad6b7169203331, Op: "db.query", Text: "SELECT 1", System: "postgresql", Start: 3500 * time.Microsecond, Duration: 5 * time.Millisecond,
		Category: trace.DB, Rows: 7, File: "shop/views.py", Line: 52, Func: "cart"}
	if !reflect.DeepEqual(q.Spans[0], want) || q.Spans[1].Rows != -1 || q.Spans[0].ID == q.Spans[1].ID {
		t.Errorf("got %+v", q.Spans)
	}
	again, _, _ := record(t, fmt.Sprintf(text, ""))
	if again.Request.Spans[1].ID != q.Spans[1].ID {
		t.Error("the same record gives other spans")
	}
	r, _, err = record(t, fmt.Sprintf(text, `,"db_n":50,"db_ms":60`))
	if q := r.Request; err != nil || q.Lost != 48 || q.Totals.N[trace.DB] != 50 || q.Totals.Time[trace.DB] != 60*time.Millisecond {
		t.Errorf("%v %+v", err, q)
	}
	many := strings.Repeat(`{"sql":"x","ms":1},`, maxQueries+10)
	r, _, err = record(t, `<13>{"route":"/a","ms":1000,"queries":[`+strings.TrimSuffix(many, ",")+`]}`)
	if q := r.Request; err != nil || len(q.Spans) != maxQueries || q.Lost != 10 || q.Totals.N[trace.DB] != maxQueries+10 {
		t.Errorf("%v %d %d", err, len(q.Spans), q.Lost)
	}
}

// TestNoRecord holds what stays a line of a log, and what is refused.
func TestNoRecord(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<13>hello", `<13>{"msg":"a \"route\" and its \"ms\""}`, `<13>{"route":"/a"}`, `<13>1 - - - - - [perf@1 trace="x"] a`, `<13>1 - - - - - [perf@x route="/" ms="1"] a`} {
		if _, ok, err := record(t, text); ok || err != nil {
			t.Errorf("%s: %v %v", text, ok, err)
		}
	}
	for field, want := range map[string]string{`"ms":-1`: "ms", `"ms":"NaN"`: "ms", `"ms":1e300`: "record_ms", `"ms":1,"status":"x"`: "status", `"ms":1,"db_n":1e99`: "db_n", `"ms":1,"trace":"abc"`: "trace",
		`"ms":1,"span":"zz"`: "span", `"ms":1,"sample":0`: "sample", `"ms":1,"sample":2`: "sample", `"ms":1,"start":1e18`: "start", `"ms":1,"queries":[{"sql":"a","ms":"b"}]`: "queries.ms",
		`"ms":1,"queries":[1]`: "queries", `"ms":1,"cut`: "no JSON"} {
		_, ok, err := record(t, `<13>{"route":"/a",`+field+"}")
		if !ok || !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v", field, ok, err)
		}
	}
	if _, ok, err := record(t, `<13>1 - - - - - [perf@1 route="/a"]`); !ok || !errors.Is(err, ErrRecord) {
		t.Errorf("without ms: %v %v", ok, err)
	}
}

// TestBounds holds that a record's times sum to its duration, and that its texts are bounded.
func TestBounds(t *testing.T) {
	t.Parallel()
	r, _, err := record(t, `<13>{"route":"`+strings.Repeat("é", 900)+`","ms":10,"db_ms":30,"http_ms":10}`)
	if err != nil || r.Request.Totals.Time[trace.DB] != 7500*time.Microsecond || len(r.Request.Name) > trace.MaxName || !strings.HasSuffix(r.Request.Name, "é") {
		t.Errorf("%v %+v", err, r.Request)
	}
	checkRecord(t, &r)
	var many strings.Builder
	for i := range trace.MaxAttrs + 5 {
		fmt.Fprintf(&many, `,"a%d":"b"`, i)
	}
	r, _, err = record(t, `<13>{"route":"/","ms":1`+many.String()+`}`)
	if n := len(r.Request.Attrs); err != nil || n != trace.MaxAttrs+1 || r.Request.Attrs[n-1].Value != "5 fields (limit span_attributes)" {
		t.Errorf("%v %+v", err, r.Request.Attrs)
	}
}

// checkRecord holds what is true of every record.
func checkRecord(t *testing.T, r *Record) {
	t.Helper()
	q := &r.Request
	var sum time.Duration
	for c, d := range q.Totals.Time {
		if sum += d; d < 0 || q.Totals.N[c] < 0 {
			t.Fatalf("category %d has %v, %d", c, d, q.Totals.N[c])
		}
	}
	if sum != q.Duration || q.Weight < 1 || math.IsInf(q.Weight, 0) || q.Lost < 0 || q.Span == 0 || q.Trace == (trace.ID{}) || len(q.Spans) > maxQueries || len(q.Name) > trace.MaxName {
		t.Fatalf("%v of %v: %+v", sum, q.Duration, q)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(`<131>1 2026-11-25T01:00:00Z web-3 shop 4711 ID1 [perf@32473 trace="0af7651916cd43dd8448eb211c80319c" span="b7ad6b7169203331" release="r" env="e" key="secret"] no region`), now)
	if err != nil {
		t.Fatal(err)
	}
	got, key := Line(&m)
	want := trace.LogLine{At: at("2026-11-25T01:00:00Z"), Level: "error", Logger: "shop", Service: "shop", Host: "web-3", Body: "no region", Release: "r", Environment: "e",
		Trace: got.Trace, Span: 0xb7ad6b7169203331, Attrs: []trace.Attr{{Key: "syslog.facility", Value: "local0"}, {Key: "process.pid", Value: "4711"}, {Key: "syslog.msgid", Value: "ID1"},
			{Key: "perf@32473.trace", Value: "0af7651916cd43dd8448eb211c80319c"}, {Key: "perf@32473.span", Value: "b7ad6b7169203331"}, {Key: "perf@32473.release", Value: "r"}, {Key: "perf@32473.env", Value: "e"}}}
	if !reflect.DeepEqual(got, want) || key != "secret" || got.Trace.String() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("%q\n%+v\nis not\n%+v", key, got, want)
	}
}

func TestLineBounds(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte("<13>1 - h a - - [x@1"+strings.Repeat(` a="b"`, trace.MaxAttrs+3)+"] "+strings.Repeat("x", trace.MaxText+7)), now)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := Line(&m)
	n := len(l.Attrs)
	if len(l.Body) != trace.MaxText || n != trace.MaxAttrs+1 || l.Attrs[n-1].Value != "the end of 16391 bytes (limit span_text), 4 fields (limit span_attributes)" {
		t.Errorf("%d bytes, attributes %+v", len(l.Body), l.Attrs[max(0, n-1):])
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, text := range map[string]string{"json": head + `- {"route":"/cart/{id}/","ms":164.2,"db_ms":80.5,"db_n":3,"status":200,"method":"GET","trace":"0af7651916cd43dd8448eb211c80319c","span":"b7ad6b7169203331"}`,
		"sd": head + `[perf@32473 route="/cart/{id}/" ms="164.2" db_ms="80.5" db_n="3" status="200" method="GET" trace="0af7651916cd43dd8448eb211c80319c" span="b7ad6b7169203331"] -`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var d Decoder
			for b.Loop() {
				m, err := Parse([]byte(text), now)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := d.Record(&m); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
