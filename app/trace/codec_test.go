package trace

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample is a request with every field set.
func sample() Request {
	return Request{Trace: ID{1, 2, 15: 9}, Span: 7, Parent: 1 << 63, Name: "/cart/{}/", Source: "route", Op: "http.server", Method: "GET",
		URL: "/cart/7/?a=b", Status: 500, State: "internal_error", Failed: true, Start: time.Unix(1795000000, 123456789).UTC(), Duration: 164 * time.Millisecond,
		Service: "shop", Release: "shop@4.18.0", Environment: "production", Host: "web-3", Platform: "python", User: "id:42",
		Switches: []Switch{{"cart.sticky", "on"}, {"cart.colour", "blue"}}, Attrs: []Attr{{"k", "v"}, {"", ""}}, Weight: 1.25, Keep: true, Lost: 3,
		Spans: []Span{{ID: 8, Parent: 7, Op: "db.query", Text: "SELECT 1", System: "postgresql", Start: -time.Millisecond, Duration: 5 * time.Millisecond,
			Category: DB, Failed: true, State: "40001", Pool: time.Microsecond, PID: 4711, Rows: -1, File: "shop/views.py", Line: 52, Func: "cart", Attrs: []Attr{{"a", "b"}}},
			{ID: 9, Parent: 8, Op: "function", Rows: 3}}}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	summed := Request{Name: "a", Summed: true, Start: time.Unix(0, 0).UTC(), Weight: 1}
	for c := range summed.Totals.Time {
		summed.Totals.Time[c], summed.Totals.N[c] = time.Duration(c)*time.Second, c
	}
	in := []Request{sample(), summed, {Partial: true, Start: time.Unix(5, 0).UTC()}, sample()}
	b := Append([]byte("xy"), in)
	out, err := Decode(b[2:])
	if err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("%v\n%+v\nis not\n%+v", err, out, in)
	}
	for n := range b[2:] {
		if _, err := Decode(b[2 : 2+n]); err == nil {
			t.Errorf("the first %d bytes of %d were taken for the whole", n, len(b)-2)
		}
	}
}

func TestCodecLogs(t *testing.T) {
	t.Parallel()
	in := []LogLine{{At: time.Unix(9, 8).UTC(), Level: "warn", Logger: "shop.tax", Body: "no region", Trace: ID{3}, Span: 4, Service: "shop",
		Release: "1", Environment: "e", Host: "h", Attrs: []Attr{{"a", "b"}}}, {At: time.Unix(0, 0).UTC()}}
	out, err := DecodeLogs(AppendLogs(nil, in))
	if err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("%v\n%+v\nis not\n%+v", err, out, in)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"0af7651916cd43dd8448eb211c80319c": true, "0AF76519-16cd-43dd-8448-eb211c80319c": true, "": false,
		"00000000000000000000000000000000": false, "0af7651916cd43dd8448eb211c80319": false, "0af7651916cd43dd8448eb211c80319g": false} {
		id, got := ParseID(text)
		if got != ok || ok && id.String() != strings.ToLower(strings.ReplaceAll(text, "-", "")) {
			t.Errorf("%q: %v %v", text, id, got)
		}
	}
	if id, ok := ParseSpanID("00f067aa0ba902b7"); !ok || id.String() != "00f067aa0ba902b7" {
		t.Error(id, ok)
	}
	for _, text := range []string{"0000000000000000", "0f067aa0ba902b7", "+0f067aa0ba902b7", ""} {
		if _, ok := ParseSpanID(text); ok {
			t.Errorf("%q is taken for a span id", text)
		}
	}
}

func TestCategoryOf(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]Category{"db": DB, "db.sql.query": DB, "db.redis": Cache, "cache.get": Cache, "http.client": HTTP, "http.server": Other,
		"template.render": Template, "view.render": Other, "view.response.render": Template, "view.process": Other, "function": Other, "middleware.django": Other, "": Other, "grpc.client": HTTP} {
		if got := CategoryOf(op, ""); got != want {
			t.Errorf("%q is %v, not %v", op, got, want)
		}
	}
	if got := CategoryOf("db.query", "redis"); got != Cache {
		t.Errorf("a query to redis is %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, []Request{sample()}))
	f.Add(AppendLogs(nil, []LogLine{{Body: "a"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if requests, err := Decode(b); err == nil {
			again, err := Decode(Append(nil, requests))
			if err != nil || len(again) != len(requests) {
				t.Fatal(err)
			}
		}
		_, _ = DecodeLogs(b)
	})
}

// six is a request with six spans, as the figures of the documents count it.
func six() []Request {
	q := sample()
	for len(q.Spans) < 6 {
		q.Spans = append(q.Spans, q.Spans[0])
	}
	return []Request{q}
}

func BenchmarkCodec(b *testing.B) {
	many := make([]Request, 0, 100)
	for range 100 {
		many = append(many, six()...)
	}
	buf := Append(nil, many)
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			buf = Append(buf[:0], many)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/request")
		b.ReportMetric(float64(len(buf))/100, "B/request")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(buf); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/request")
	})
	b.Run("json", func(b *testing.B) { // the peer
		for b.Loop() {
			text, err := json.Marshal(many)
			if err != nil {
				b.Fatal(err)
			}
			var back []Request
			if err := json.Unmarshal(text, &back); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/request")
	})
}
