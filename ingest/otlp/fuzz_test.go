package otlp_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"kibitz/app/trace"
	"kibitz/ingest/otlp"
)

func addFiles(f *testing.F, names ...string) {
	for _, name := range names {
		body, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
}

// sound holds what is true of all that is taken, whatever it was made of.
func sound(t *testing.T, list []trace.Request, r otlp.Rejected) {
	t.Helper()
	if r.N < 0 || (r.N > 0) != (r.Text != "") {
		t.Fatalf("%+v", r)
	}
	for i := range list {
		q := &list[i]
		if !(q.Weight >= 1 && q.Weight <= 1e6) || q.Duration < 0 || len(q.Attrs) > trace.MaxAttrs+1 || q.Trace == (trace.ID{}) || !q.Partial && q.Span == 0 {
			t.Fatalf("%+v", q)
		}
		for j := range q.Spans {
			if s := &q.Spans[j]; s.Duration < 0 || !utf8.ValidString(s.Text) || len(s.Text) > trace.MaxText || strings.Contains(s.Text, "\x00") || s.Rows < -1 {
				t.Fatalf("%+v", s)
			}
		}
		trace.Sum(q)
	}
	if back, err := trace.Decode(trace.Append(nil, list)); err != nil || len(back) != len(list) {
		t.Fatalf("they cannot be stored: %v", err)
	}
}

// FuzzProtobuf also holds that no message is refused which OpenTelemetry's own types can read, but for what they take and
// nobody writes: groups.
func FuzzProtobuf(f *testing.F) {
	addFiles(f, "go_traces.pb", "python_traces.pb", "python_logs.pb")
	f.Add([]byte("\x0a\x04\x12\x02\x12\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, r, err := otlp.DecodeTraces(body, otlp.Protobuf, limits)
		sound(t, list, r)
		var m tracepb.TracesData
		if theirs := proto.Unmarshal(body, &m); theirs == nil && err != nil {
			// Unknown groups, and fields of a wrong type that hold no message, are the differences.
			if again, merr := proto.Marshal(&m); merr == nil && len(m.ProtoReflect().GetUnknown()) == 0 {
				if _, _, err := otlp.DecodeTraces(again, otlp.Protobuf, limits); err != nil && !hasGroup(body) {
					t.Fatalf("refused: %v", err)
				}
			}
		}
		lines, lr, _ := otlp.DecodeLogs(body, otlp.Protobuf, limits)
		if len(lines) > 0 && lines[0].At.IsZero() || lr.N < 0 {
			t.Fatalf("%+v", lines[0])
		}
	})
}

// hasGroup tells whether a byte could begin or end a group.
func hasGroup(b []byte) bool {
	for _, c := range b {
		if c&7 == 3 || c&7 == 4 {
			return true
		}
	}
	return false
}

func FuzzJSON(f *testing.F) {
	addFiles(f, "node_traces.json", "python_traces.json", "python_logs.json")
	f.Add(one(with(`,"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"intValue":"1"}}]}}}]`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, r, err := otlp.DecodeTraces(body, otlp.JSON, limits)
		sound(t, list, r)
		if err != nil && (len(list) > 0 || r.N > 0) {
			t.Fatal("a message that is refused is taken in part")
		}
		lines, _, _ := otlp.DecodeLogs(body, otlp.JSON, limits)
		if back, err := trace.DecodeLogs(trace.AppendLogs(nil, lines)); err != nil || len(back) != len(lines) {
			t.Fatalf("they cannot be stored: %v", err)
		}
	})
}

// typical is a message of n requests with six spans each, as a shop sends it.
func typical(n int) *tracepb.TracesData {
	rng := rand.New(rand.NewPCG(1, 2))
	m := pbMessage()
	spans := &m.ResourceSpans[0].ScopeSpans[0].Spans
	for range n {
		id := rng.Uint64() | 1
		traceID := append(bytesOf(rng.Uint64()), bytesOf(id)...)
		add := func(id, parent uint64, name string, kind tracepb.Span_SpanKind) *tracepb.Span {
			s := pbSpan(id, parent, name)
			s.StartTimeUnixNano, s.TraceId, s.Kind = 1_700_000_000_000_000_000, traceID, kind
			*spans = append(*spans, s)
			return s
		}
		root := add(id, 0, "GET /orders/:number", tracepb.Span_SPAN_KIND_SERVER)
		root.Attributes = append(root.Attributes, pbText("http.request.method", "GET"), pbText("http.route", "/orders/:number"), pbText("url.path", fmt.Sprint("/orders/", id%100_000)),
			pbText("server.address", "shop.example"), pbText("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Chrome/151.0"), pbText("client.address", "203.0.113.7"))
		for j := range uint64(6) {
			s := add(id+j+1, id, "SELECT line", tracepb.Span_SPAN_KIND_CLIENT)
			s.Attributes = append(s.Attributes, pbText("db.system.name", "postgresql"), pbText("db.query.text", "SELECT id, name, price FROM line WHERE order_number = $1 AND state = $2"),
				pbText("db.namespace", "shop"), pbText("server.address", "db-1"), pbText("code.function.name", "shop.show"))
		}
	}
	return m
}

// BenchmarkDecode stands beside OpenTelemetry's own types, which only unmarshal: ours also makes requests of the spans.
func BenchmarkDecode(b *testing.B) {
	m := typical(100)
	raw, text := marshal(b, m), jsonMessage(b, m)
	report := func(b *testing.B) { b.ReportMetric(700*float64(b.N)/b.Elapsed().Seconds(), "spans/s") }
	for name, c := range map[string]struct {
		body     []byte
		encoding otlp.Encoding
	}{"protobuf": {raw, otlp.Protobuf}, "json": {text, otlp.JSON}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if list, _, err := otlp.DecodeTraces(c.body, c.encoding, limits); err != nil || len(list) != 100 {
					b.Fatal(len(list), err)
				}
			}
			report(b)
		})
	}
	b.Run("peer=proto.Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			var m tracepb.TracesData
			if err := proto.Unmarshal(raw, &m); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
}
