package receiver

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// badInput is one hostile or broken request: what it answers, what is kept, and the outcome that it is counted as. An
// outcome of "" means that it becomes a record, which is counted where it is stored.
type badInput struct {
	name    string
	req     *http.Request
	status  int
	kept    int
	outcome string
}

// badInputs follow the numbers of the catalogue of bad input. Spans (35) have tests of their own in otlp_test.go; those of products that do not exist yet (files of
// attachments 42 and 43) are accepted and counted; what happens after the spool (16, 30 to 34) is tested in issues.
func badInputs(t *testing.T) []badInput {
	event := `{"message":"hello"}`
	trace := func(n int) string {
		return `{"exception":{"values":[{"type":"E","stacktrace":{"frames":[` + strings.TrimSuffix(strings.Repeat(`{"function":"f"},`, n), ",") + `]}}]}}`
	}
	item := func(kind, payload string) string {
		return fmt.Sprintf("{\"type\":%q,\"length\":%d}\n%s\n", kind, len(payload), payload)
	}
	withID := func(id string) *http.Request {
		return toEnvelope(`{"event_id":` + id + "}\n" + item("event", event))
	}
	return []badInput{
		{"1 empty body", toEnvelope(""), 400, 0, "default/invalid/envelope_header"},
		{"1 empty store body", toStore(""), 400, 0, "error/invalid/empty"},
		{"2 no items", toEnvelope("{}"), 200, 0, ""},
		{"3 not JSON", toEnvelope("hello\n"), 400, 0, "default/invalid/envelope_header"},
		{"3 array", toEnvelope("[]\n"), 400, 0, "default/invalid/envelope_header"},
		{"3 endless line", toEnvelope(strings.Repeat("a", 1<<20)), 400, 0, "default/invalid/envelope_header"},
		{"4 truncated", toEnvelope("{}\n{\"type\":\"event\",\"length\":99}\n{}"), 400, 0, "default/invalid/envelope_truncated"},
		{"5 negative length", toEnvelope("{}\n{\"type\":\"event\",\"length\":-1}\n{}"), 400, 0, "default/invalid/envelope_length"},
		{"5 float length", toEnvelope("{}\n{\"type\":\"event\",\"length\":1.5}\n{}"), 400, 0, "default/invalid/envelope_length"},
		{"5 text length", toEnvelope("{}\n{\"type\":\"event\",\"length\":\"x\"}\n{}"), 400, 0, "default/invalid/envelope_length"},
		{"5 huge length", toEnvelope("{}\n{\"type\":\"event\",\"length\":9223372036854775808}\n{}"), 400, 0, "default/invalid/envelope_length"},
		{"5 exponent", toEnvelope("{}\n{\"type\":\"event\",\"length\":1e9}\n{}"), 400, 0, "default/invalid/envelope_length"},
		{"6 length too short", toEnvelope("{}\n{\"type\":\"event\",\"length\":3}\n" + event + "\n"), 400, 0, "default/invalid/envelope_length"},
		{"7 newlines without length", toEnvelope("{}\n{\"type\":\"event\"}\n{\n\"message\":\"x\"}\n"), 400, 0, "default/invalid/envelope_header"},
		{"8 CRLF in headers", toEnvelope("{}\r\n{\"type\":\"event\"}\r\n" + event + "\r\n\n\n"), 200, 1, ""},
		{"8 no final newline", toEnvelope("{}\n{\"type\":\"event\"}\n" + event), 200, 1, ""},
		{"9 unknown type", toEnvelope("{}\n" + item("hologram", "x")), 200, 0, "default/filtered/unsupported_item=1"},
		{"10 two events", toEnvelope("{}\n" + item("event", event) + item("event", event)), 400, 0, "error/invalid/several_events=2"},
		{"11 many items", toEnvelope("{}\n" + strings.Repeat(item("session", "{}"), 10_000)), 413, 0, "default/too_large/envelope_items=1"},
		{"12 foreign DSN", toEnvelope(`{"dsn":"https://` + otherKey + "@k.example/8\"}\n" + item("event", event)), 400, 0, "default/invalid/dsn_mismatch=1"},
		{"13 unknown key", post("/api/7/store/?sentry_key="+strings.Repeat("1", 32), []byte(event)), 403, 0, "default/invalid/unknown_key=1"},
		{"13 disabled key", post("/api/7/store/?sentry_key="+offKey, []byte(event)), 403, 0, "default/invalid/disabled_key=1"},
		{"13 no key", post("/api/7/store/", []byte(event)), 403, 0, "default/invalid/auth_missing=1"},
		{"13 foreign key", post("/api/7/store/?sentry_key="+otherKey, []byte(event)), 403, 0, "default/invalid/project_mismatch=1"},
		{"14 two keys", post("/api/7/store/?sentry_key="+otherKey, []byte(event), "X-Sentry-Auth", auth), 400, 0, "default/invalid/auth_ambiguous=1"},
		{"15 dashed id", withID(`"0123456789AB-cdef-0123-456789abcdef"`), 200, 1, ""},
		{"15 short id", withID(`"0123456789abcdef0123456789abcde"`), 400, 0, "default/invalid/event_id=1"},
		{"15 number", withID(`12`), 400, 0, "default/invalid/event_id=1"},
		{"15 nil id", withID(`"00000000000000000000000000000000"`), 200, 1, ""},
		{"18 nested gzip", toEnvelope(string(packed(t, "gzip", packed(t, "gzip", []byte(one(event))))), "Content-Encoding", "gzip, gzip"), 415, 0, "default/invalid/content_encoding=1"},
		{"18 unknown coding", toEnvelope(one(event), "Content-Encoding", "lzma"), 415, 0, "default/invalid/content_encoding=1"},
		{"18 zstd window of 2 GiB", toEnvelope("\x28\xb5\x2f\xfd\x00\xa8\x00\x00", "Content-Encoding", "zstd"), 400, 0, "default/invalid/compression=1"},
		{"19 plain as gzip", toEnvelope(one(event), "Content-Encoding", "gzip"), 400, 0, "default/invalid/compression=1"},
		{"19 truncated gzip", toEnvelope(string(packed(t, "gzip", []byte(one(event)))[:20]), "Content-Encoding", "gzip"), 400, 0, "default/invalid/compression=1"},
		{"20 gzip with garbage", toEnvelope(string(packed(t, "gzip", []byte(one(event))))+"garbage", "Content-Encoding", "gzip"), 400, 0, "default/invalid/compression=1"},
		{"21 nesting", toStore(strings.Repeat("[", 1<<20)), 400, 0, "error/invalid/json_depth=1"},
		{"21 nesting in one place", toStore(`{"message":"x","extra":{"n":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`), 200, 1, ""},
		{"22 many values", toStore(`{"extra":[` + strings.Repeat("{},", 340_000) + `{}]}`), 413, 0, "error/too_large/"},
		{"22 many values below the size", toStore(`{"extra":[` + strings.Repeat("1,", 200_000) + `1]}`), 413, 0, "error/too_large/json_nodes=1"},
		{"23 many keys", toStore(`{"extra":{` + strings.Repeat(`"k":1,`, 90_000) + `"z":1}}`), 200, 1, ""},
		{"24 duplicate keys", toStore(`{"message":"a","message":"b","Message":"c"}`), 200, 1, ""},
		{"25 literal NaN", toStore(`{"message":"x","extra":{"n":NaN}}`), 200, 1, ""},
		{"25 long number", toStore(`{"message":"x","extra":{"n":` + strings.Repeat("9", 900_000) + `}}`), 200, 1, ""},
		{"26 escaped NUL", toStore(`{"message":"a\u0000b"}`), 200, 1, ""},
		{"27 lone surrogate", toStore(`{"message":"a\ud800b"}`), 200, 1, ""},
		{"28 invalid UTF-8 and BOM", toStore("\xef\xbb\xbf{\"message\":\"a\xff\xc0\xaf\"}"), 200, 1, ""},
		{"29 control characters", toStore(`{"message":"\u001b[31mred\u202e","logger":"a\r\nb"}`), 200, 1, ""},
		{"33 odd times", toStore(`{"message":"x","timestamp":1e18}`), 200, 1, ""},
		{"35 transaction", toEnvelope("{}\n" + item("transaction", `{"timestamp":1}`)), 400, 0, "transaction/invalid/trace_id=1"},
		{"35 span", toEnvelope("{}\n" + item("span", `{"items":[{}]}`)), 200, 0, "span/invalid/invalid_span=1"},
		{"35 log line", toEnvelope("{}\n" + item("log", `[]`)), 400, 0, "log_item/invalid/json_not_object=1"},
		{"36 many frames", toStore(trace(10_000)), 200, 1, ""},
		{"37 exceptions of every shape", toStore(`{"exception":{"values":[null,"x",3,{"type":null,"stacktrace":[]}]}}`), 200, 1, ""},
		{"38 hostile file names", toStore(`{"exception":[{"type":"<script>","stacktrace":{"frames":[{"filename":"../../etc/passwd","abs_path":"javascript:alert(1)"}]}}]}`), 200, 1, ""},
		{"39 tags", toStore(`{"message":"x","tags":[["a",true],["` + strings.Repeat("k", 500_000) + `","v"],null,7]}`), 200, 1, ""},
		{"40 fingerprints", toStore(`{"message":"x","fingerprint":[` + strings.Repeat(`"{{ default }}",`, 1000) + `"z"]}`), 200, 1, ""},
		{"41 odd addresses", toStore(`{"message":"x","user":{"ip_address":"fe80::1%eth0"}}`), 200, 1, ""},
		{"42 attachment", toEnvelope("{}\n{\"type\":\"attachment\",\"length\":1,\"filename\":\"../../a\\u0000.svg\"}\nx\n"), 200, 0, "attachment/filtered/not_enabled=1"},
		{"44 pixel", httptest.NewRequest(http.MethodGet, "/api/7/store/?sentry_key="+goodKey+"&sentry_data="+strings.Repeat("a", 2000), nil), 405, 0, ""},
		{"45 PUT", httptest.NewRequest(http.MethodPut, "/api/7/envelope/", strings.NewReader("x")), 405, 0, ""},
		{"45 HEAD", httptest.NewRequest(http.MethodHead, "/api/7/envelope/", nil), 405, 0, ""},
		{"46 form type", toStore(event, "Content-Type", "application/x-www-form-urlencoded"), 200, 1, ""},
		{"46 plain type", toStore(event, "Content-Type", "text/plain;charset=UTF-8"), 200, 1, ""},
		{"47 csp-report", post("/api/7/security/?sentry_key="+goodKey, []byte(`{"csp-report":{}}`), "Content-Type", "application/csp-report"), 200, 0, "security/filtered/not_enabled=1"},
		{"47 reports array", post("/api/7/security/?sentry_key="+goodKey, []byte(`[]`), "Content-Type", "application/reports+json"), 200, 0, "security/filtered/not_enabled=1"},
		{"47 wrong type", post("/api/7/security/?sentry_key="+goodKey, []byte(`{}`), "Content-Type", "text/html"), 415, 0, "security/invalid/content_type=1"},
		{"47 too long", post("/api/7/security/?sentry_key="+goodKey, bytes.Repeat([]byte("a"), 65<<10), "Content-Type", "application/csp-report"), 413, 0, "default/too_large/inflated_size=1"},
		{"48 long data URI", post("/api/7/security/?sentry_key="+goodKey, []byte(`{"csp-report":{"blocked-uri":"data:`+strings.Repeat("a", 60_000)+`"}}`), "Content-Type", "application/csp-report"), 200, 0, "security/filtered/not_enabled=1"},
	}
}

// TestBadInput holds status, what is kept and what is counted for each.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, c := range badInputs(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			status, body, header := d.send(c.req)
			if status != c.status {
				t.Errorf("status %d, want %d: %s", status, c.status, body)
			}
			if kept := d.spooled(); kept != c.kept {
				t.Errorf("%d records are kept, want %d", kept, c.kept)
			}
			if counted := d.counted(); c.outcome != "" && !strings.Contains(counted, c.outcome) || c.outcome == "" && counted != "" {
				t.Errorf("counted %q, want %q", counted, c.outcome)
			}
			if status >= 400 && c.req.Method == http.MethodPost && header.Get("X-Sentry-Error") == "" {
				t.Error("the refusal gives the SDK no reason")
			}
		})
	}
}

// TestNoOracle holds that strangers cannot tell which keys and projects exist.
func TestNoOracle(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	_, want, _ := d.send(post("/api/7/store/", []byte("{}")))
	for _, path := range []string{"/api/7/store/?sentry_key=" + offKey, "/api/7/store/?sentry_key=" + otherKey, "/api/9/store/?sentry_key=" + goodKey,
		"/api/x/store/?sentry_key=" + goodKey, "/api/7/envelope/?sentry_key=zz"} {
		if _, got, _ := d.send(post(path, []byte("{}"))); got != want {
			t.Errorf("%s answers %s, another %s", path, got, want)
		}
	}
}

// TestFlood is case 49: a page that sends reports without end is told to wait, and the project's errors go on.
func TestFlood(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	report := func() (int, http.Header) {
		status, _, h := d.send(post("/api/7/security/?sentry_key="+goodKey, []byte(`{"csp-report":{}}`), "Content-Type", "application/csp-report"))
		return status, h
	}
	limited := 0
	for range 2*securityPerMinute + 2 { // the minute may turn once
		status, h := report()
		if status == http.StatusTooManyRequests && h.Get("Retry-After") != "" {
			limited++
		} else if status != http.StatusOK {
			t.Fatalf("a report answers %d", status)
		}
	}
	if limited == 0 || !strings.Contains(d.counted(), fmt.Sprintf("security/rate_limited/security_per_minute=%d", limited)) {
		t.Errorf("%d were told to wait, counted %s", limited, d.counted())
	}
	if status, body, _ := d.send(toStore(`{"message":"x"}`)); status != 200 {
		t.Errorf("an error answers %d %s", status, body)
	}
}

func TestFloodByProject(t *testing.T) {
	t.Parallel()
	var f flood
	now := time.Unix(6_000_000, 0)
	for range securityPerMinute {
		if !f.admit(1, now) {
			t.Fatal("refused too early")
		}
	}
	if f.admit(1, now) || !f.admit(2, now) || !f.admit(1, now.Add(time.Minute)) {
		t.Error("a project's limit is not its own, or does not end")
	}
}
