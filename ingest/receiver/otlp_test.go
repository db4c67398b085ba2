package receiver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kibitz/ingest"
)

// fixture is what an SDK sent.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const bearer = "Bearer " + goodKey

// TestOTLPAuth holds every way to say whose a message is, at every address.
func TestOTLPAuth(t *testing.T) {
	t.Parallel()
	body := fixture(t, "otlp/testdata/go_traces.pb")
	for name, req := range map[string]*http.Request{
		"bearer":       post("/v1/traces", body, "Authorization", bearer),
		"slash":        post("/v1/traces/", body, "Authorization", bearer),
		"sentry":       post("/v1/traces", body, "X-Sentry-Auth", auth),
		"query":        post("/v1/traces?sentry_key="+goodKey, body),
		"sentry path":  post("/api/7/integration/otlp/v1/traces", body, "X-Sentry-Auth", auth),
		"with a slash": post("/api/7/integration/otlp/v1/traces/", body, "Authorization", bearer),
	} {
		req.Header.Set("Content-Type", "application/x-protobuf")
		d := newDoor(t)
		status, answer, header := d.send(req)
		if status != 200 || answer != "" || header.Get("Content-Type") != "application/x-protobuf" || d.spooled() != 1 || d.counted() != "" {
			t.Errorf("%s: %d %q %v, counted %s", name, status, answer, header, d.counted())
		}
		if header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: no CORS header", name)
		}
	}
	for name, req := range map[string]*http.Request{
		"none": post("/v1/traces", body), "off": post("/v1/traces", body, "Authorization", "Bearer "+offKey),
		"another's": post("/api/7/integration/otlp/v1/traces", body, "Authorization", "Bearer "+otherKey),
	} {
		req.Header.Set("Content-Type", "application/json")
		d := newDoor(t)
		if status, answer, _ := d.send(req); status != 403 || statusOf(t, answer) != 7 || d.spooled() != 0 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// statusOf is the code of a google.rpc.Status in JSON.
func statusOf(t *testing.T, body string) int {
	t.Helper()
	var s struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil || s.Message == "" {
		t.Errorf("%q is no status: %v", body, err)
	}
	return s.Code
}

// TestOTLPMessages holds status, answer, and what is kept and counted.
func TestOTLPMessages(t *testing.T) {
	t.Parallel()
	span := `{"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","name":"x","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000000000001}`
	of := func(spans string) string { return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + spans + `]}]}]}` }
	for name, c := range map[string]struct {
		path, kind, body string
		status           int
		answer           string // in full, unless it begins with a star
		kept             int
		counted          string
	}{
		"empty protobuf": {"/v1/traces", "application/x-protobuf", "", 200, "", 0, ""},
		"empty JSON":     {"/v1/logs", "application/json; charset=utf-8", "{}", 200, "{}", 0, ""},
		"one span":       {"/v1/traces", "application/json", of(span), 200, "{}", 1, ""},
		"one of two": {"/v1/traces", "application/json", of(span + `,{"name":"y"}`), 200,
			`{"partialSuccess":{"errorMessage":"a span was left out: its trace id is not 16 bytes that are not all 0","rejectedSpans":"1"}}`, 1, "span/invalid/invalid_span=1"},
		"no line": {"/v1/logs", "application/json", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`, 200,
			`{"partialSuccess":{"errorMessage":"a record was left out: it has no time","rejectedLogRecords":"1"}}`, 0, "log_item/invalid/invalid_log_item=1"},
		"one of two in protobuf": {"/v1/traces", "application/x-protobuf", "\x0a\x04\x12\x02\x12\x00", 200, "*\x0a", 0, "span/invalid/invalid_span=1"},
		"no JSON":                {"/v1/traces", "application/json", "{", 400, "*", 0, "span/invalid/otlp=1"},
		"an array":               {"/v1/traces", "application/json", "[]", 400, "*", 0, "span/invalid/otlp=1"},
		"no protobuf":            {"/v1/logs", "application/x-protobuf", "hello", 400, "*\x08\x03\x12", 0, "log_item/invalid/otlp=1"},
		"unknown type":           {"/v1/traces", "text/plain", "{}", 415, "*", 0, "span/invalid/content_type=1"},
		"unknown type of Sentry": {"/api/7/integration/otlp/v1/logs/", "", "{}", 415, "*", 0, "log_item/invalid/content_type=1"},
	} {
		d := newDoor(t)
		status, answer, header := d.send(post(c.path, []byte(c.body), "Authorization", bearer, "Content-Type", c.kind))
		prefix, partly := strings.CutPrefix(c.answer, "*")
		if status != c.status || !partly && answer != c.answer || !strings.HasPrefix(answer, prefix) || d.spooled() != c.kept || d.counted() != c.counted {
			t.Errorf("%s: %d %q, %d kept, counted %q", name, status, answer, d.spooled(), d.counted())
		}
		if kind, _, _ := strings.Cut(c.kind, ";"); (kind == "application/json" || kind == "application/x-protobuf") && header.Get("Content-Type") != kind {
			t.Errorf("%s: answered as %s", name, header.Get("Content-Type"))
		}
	}
}

// TestOTLPLimits holds the sizes before and after decompression, and that a body too large says so.
func TestOTLPLimits(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	bomb := packed(t, "gzip", make([]byte, 65<<20))
	status, answer, header := d.send(post("/v1/traces", bomb, "Authorization", bearer, "Content-Type", "application/json", "Content-Encoding", "gzip"))
	if status != 413 || statusOf(t, answer) != 3 || !strings.Contains(answer, "ingest.otlp_size") || header.Get("Retry-After") != "" {
		t.Errorf("%d %s", status, answer)
	}
	if d.counted() != "default/too_large/inflated_size=1" {
		t.Errorf("counted %s", d.counted())
	}
	r := New(Options{Limits: ingest.DefaultLimits()})
	for path, want := range map[string]int{"/v1/traces": 20 << 20, "/v1/logs/?a=b": 20 << 20, "/api/7/integration/otlp/v1/traces/": 20 << 20,
		"/api/7/integration/otlp/v1/metrics": smallBody, "/v1/metrics": smallBody, "/api/7/v1/traces": smallBody} {
		if got, _ := r.wireLimit(path); got != want {
			t.Errorf("%s may have %d bytes, want %d", path, got, want)
		}
	}
}

// TestOTLPUnavailable holds that exporters are told to come again, in the encoding that they speak.
func TestOTLPUnavailable(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	if err := d.spool.Close(); err != nil {
		t.Fatal(err)
	}
	status, answer, header := d.send(post("/v1/traces", fixture(t, "otlp/testdata/node_traces.json"), "Authorization", bearer, "Content-Type", "application/json"))
	if status != 503 || statusOf(t, answer) != 14 || header.Get("Retry-After") == "" || !strings.Contains(d.counted(), "transaction/rate_limited/spool_unavailable=5") {
		t.Errorf("%d %s %v, counted %s", status, answer, header, d.counted())
	}
	status, answer, header = d.send(post("/v1/traces", fixture(t, "otlp/testdata/go_traces.pb"), "Authorization", bearer, "Content-Type", "application/x-protobuf"))
	if status != 503 || !strings.HasPrefix(answer, "\x08\x0e\x12") || header.Get("Retry-After") == "" {
		t.Errorf("%d %q %v", status, answer, header)
	}
}

// TestOTLPMethods holds preflights of browsers and other methods.
func TestOTLPMethods(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	status, _, h := d.send(httptest.NewRequest(http.MethodOptions, "/v1/traces", nil))
	if status != 204 || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "authorization") {
		t.Errorf("%d %v", status, h)
	}
	status, answer, h := d.send(httptest.NewRequest(http.MethodGet, "/api/7/integration/otlp/v1/logs", nil))
	if status != 405 || h.Get("Allow") != "POST, OPTIONS" || statusOf(t, answer) != 3 {
		t.Errorf("%d %s %v", status, answer, h)
	}
}

// TestEnvelopesFromSDKs sends what SDKs sent through the whole door: each becomes a record, and nothing of it is refused.
func TestEnvelopesFromSDKs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../envelope/testdata/sdk/*.envelope")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	slices.Sort(files)
	for _, name := range files {
		d := newDoor(t)
		status, answer, _ := d.send(toEnvelope(string(fixture(t, strings.TrimPrefix(name, "../")))))
		if status != 200 || d.spooled() != 1 || d.counted() != "" {
			t.Errorf("%s: %d %s, %d kept, counted %s", name, status, answer, d.spooled(), d.counted())
		}
	}
}
