package perf_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

// collector is a server that speaks OTLP, with answers of the test's choice.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	bodies  []string
	answers []int // statuses, the last for ever
	after   string
}

func newCollector(t *testing.T, answers ...int) *collector {
	t.Helper()
	c := &collector{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		z, err := gzip.NewReader(r.Body)
		if err != nil || r.URL.Path != "/sub/v1/traces" || r.Header.Get("Authorization") != "Bearer key1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
			return
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		c.bodies = append(c.bodies, string(text))
		status := c.answers[0]
		if len(c.answers) > 1 {
			c.answers = c.answers[1:]
		}
		w.Header().Set("Retry-After", c.after)
		w.WriteHeader(status)
		io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}`)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) sink(t *testing.T) *perf.OTLP {
	t.Helper()
	o, err := perf.NewOTLP(strings.Replace(c.URL, "://", "://key1@", 1)+"/sub/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sample() trace.Request {
	q := trace.Request{Span: 0x1234, Parent: 0x99, Name: "/x/:id", Source: "route", Op: "http.server", Method: "GET", URL: "/x/1?a=b", Status: 500,
		Failed: true, Start: time.Unix(1_700_000_000, 5).UTC(), Duration: time.Millisecond, Service: "shop", Release: "shop@1", Environment: "test",
		Host: "h1", Platform: "go", User: "id:7", Switches: []trace.Switch{{Key: "beta", Variant: "on"}}, Keep: true, Lost: 3, Weight: 1,
		Attrs: []trace.Attr{{Key: "a", Value: "b"}}}
	q.Trace, _ = trace.ParseID(id1)
	q.Spans = []trace.Span{
		{ID: 1, Parent: q.Span, Op: "db.query", Text: "select 1", System: "postgresql", Start: 1000, Duration: 2000, Category: trace.DB, Failed: true,
			State: "23505", Pool: 500, PID: 77, Rows: -1, File: "shop/store.go", Line: 12, Func: "store.Get"},
		{ID: 2, Parent: 1, Op: "http.client", Text: "GET https://x.example/y", Category: trace.HTTP, Rows: -1},
		{ID: 3, Parent: 1, Op: "cache.get", Text: "k", Category: trace.Cache, Rows: -1, Attrs: []trace.Attr{{Key: "cache.hit", Value: "true"}}},
		{ID: 4, Parent: 1, Op: "template.render", Text: "page", Category: trace.Template, Rows: -1},
	}
	return q
}

// TestOTLP holds the whole message, as the conventions write it.
func TestOTLP(t *testing.T) {
	t.Parallel()
	c := newCollector(t, 200)
	sink := c.sink(t)
	if err := sink.Send(context.Background(), []trace.Request{sample()}); err != nil {
		t.Fatal(err)
	}
	if sink.Rejected() != 2 {
		t.Errorf("%d rejected", sink.Rejected())
	}
	text := func(key, value string) string {
		return fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, key, value)
	}
	number := func(key, value string) string {
		return fmt.Sprintf(`{"key":%q,"value":{"intValue":%q}}`, key, value)
	}
	span := func(id, parent, name string, kind, start, end, status int, attrs ...string) string {
		return fmt.Sprintf(`{"traceId":%q,"spanId":%q,"parentSpanId":%q,"name":%q,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%s],"status":{"code":%d}}`,
			id1, id, parent, name, kind, start, end, strings.Join(attrs, ","), status)
	}
	const at = 1_700_000_000_000_000_005
	want := `{"resourceSpans":[{"resource":{"attributes":[` + strings.Join([]string{text("service.name", "shop"), text("service.version", "shop@1"),
		text("deployment.environment.name", "test"), text("host.name", "h1"), text("telemetry.sdk.language", "go"), text("telemetry.sdk.name", "kibitz-perf")}, ",") +
		`]},"scopeSpans":[{"scope":{"name":"kibitz/app/perf"},"spans":[` + strings.Join([]string{
		span("0000000000001234", "0000000000000099", "GET /x/:id", 2, at, at+1e6, 2, text("sentry.op", "http.server"), text("http.request.method", "GET"),
			text("http.route", "/x/:id"), text("url.path", "/x/1"), text("url.query", "a=b"), number("http.response.status_code", "500"), text("user.id", "7"),
			text("flag.evaluation.beta", "on"), `{"key":"kibitz.keep","value":{"boolValue":true}}`, number("kibitz.lost_spans", "3"), text("a", "b")),
		span("0000000000000001", "0000000000001234", "db.query", 3, at+1000, at+3000, 2, text("sentry.op", "db.query"), text("db.system.name", "postgresql"),
			text("db.query.text", "select 1"), text("db.response.status_code", "23505"), number("kibitz.pool_wait_ns", "500"), number("kibitz.backend_pid", "77"),
			text("code.file.path", "shop/store.go"), number("code.line.number", "12"), text("code.function.name", "store.Get")),
		span("0000000000000002", "0000000000000001", "GET https://x.example/y", 3, at, at, 1, text("sentry.op", "http.client"),
			text("http.request.method", "GET"), text("url.full", "https://x.example/y")),
		span("0000000000000003", "0000000000000001", "k", 3, at, at, 1, text("sentry.op", "cache.get"), text("cache.key", "k"), text("cache.hit", "true")),
		span("0000000000000004", "0000000000000001", "page", 1, at, at, 1, text("sentry.op", "template.render")),
	}, ",") + `]}]}]}` + "\n"
	if c.bodies[0] != want {
		t.Errorf("got\n%s\nwant\n%s", c.bodies[0], want)
	}
}

// TestOTLPRetries holds what is tried again, and that it ends.
func TestOTLPRetries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers []int
		tries   int
		fails   bool
	}{
		{"away for a moment", []int{503, 200}, 2, false},
		{"refused", []int{400}, 1, true},
		{"forbidden", []int{403}, 1, true},
		{"away", []int{502}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := newCollector(t, c.answers...)
			err := server.sink(t).Send(context.Background(), []trace.Request{sample()})
			if (err != nil) != c.fails || len(server.bodies) != c.tries {
				t.Errorf("%d tries, %v", len(server.bodies), err)
			}
			if err != nil && strings.Contains(err.Error(), "key1") {
				t.Errorf("the key is told: %v", err)
			}
		})
	}
}

// TestOTLPGivesUp holds that a server that asks for patience gets it only while there is time.
func TestOTLPGivesUp(t *testing.T) {
	t.Parallel()
	server := newCollector(t, 429)
	server.after = "3600"
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := server.sink(t).Send(ctx, []trace.Request{sample()}); err == nil || len(server.bodies) > 1 {
		t.Errorf("%d tries, %v", len(server.bodies), err)
	}
	for _, dsn := range []string{"", "x", "http://host/1", "ftp://k@host/1", "https://k@/1", "http://k@host:bad/1"} {
		if o, err := perf.NewOTLP(dsn, nil); err == nil {
			t.Errorf("%q is a DSN: %+v", dsn, o)
		}
	}
}

// TestOTLPChunks holds that a large batch goes in several messages, each request once.
func TestOTLPChunks(t *testing.T) {
	t.Parallel()
	server := newCollector(t, 200)
	big := sample()
	big.Spans = make([]trace.Span, 999)
	requests := make([]trace.Request, 12)
	for i := range requests {
		requests[i] = big
		requests[i].Span = trace.SpanID(i + 1)
	}
	if err := server.sink(t).Send(context.Background(), requests); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, body := range server.bodies {
		var m struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []struct{ SpanID, Name string }
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		spans := m.ResourceSpans[0].ScopeSpans[0].Spans
		if len(spans) > 5000 {
			t.Errorf("a message of %d spans", len(spans))
		}
		for _, s := range spans {
			if s.Name == "GET /x/:id" {
				seen[s.SpanID]++
			}
		}
	}
	if len(server.bodies) != 3 || len(seen) != 12 {
		t.Errorf("%d messages, %v", len(server.bodies), seen)
	}
}
