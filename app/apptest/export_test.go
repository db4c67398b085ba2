package apptest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"kibitz/app/trace"
	"kibitz/ingest/otlp"
)

// collector is a receiver of OpenTelemetry's traces that is away at first.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	away bool
	got  map[string]trace.Request // by name; nothing may come twice
	keys map[string]bool          // what messages were sent with
}

func newCollector(t *testing.T) *collector {
	c := &collector{away: true, got: map[string]trace.Request{}, keys: map[string]bool{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		list, _, err := otlp.DecodeTraces(body, otlp.JSON, otlp.Limits{Items: 100_000})
		if err != nil {
			t.Errorf("%v: %.200s", err, body)
		}
		c.keys[r.Header.Get("X-Key")] = true
		for _, q := range list {
			if _, twice := c.got[q.Name]; twice && strings.HasPrefix(q.Name, "/forward-") {
				t.Errorf("%s came twice", q.Name)
			}
			c.got[q.Name] = q
		}
		io.WriteString(w, "{}")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) has(names ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if _, ok := c.got[name]; !ok {
			return false
		}
	}
	return true
}

// metrics reads /metrics as Prometheus does: values by name and labels as they are written.
func (s *server) metrics(token string) map[string]float64 {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.base+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %v\n%s", res.Status, err, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(bytes.NewReader(body)); err != nil {
		s.t.Fatalf("%v\n%s", err, body)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		var v float64
		at := strings.LastIndexByte(line, ' ')
		if _, err := fmt.Sscan(line[at+1:], &v); err == nil && line[0] != '#' {
			out[line[:at]] = v
		}
	}
	return out
}

// TestExport holds that nobody is locked in: requests from three doors are sent on, also those that came while the receiver was
// away, and are counted in /metrics.
func TestExport(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	c, udp := newCollector(t), freeUDP(t)
	s := newServer(t, "KIBITZ_OTLP_FORWARD="+c.URL, "KIBITZ_OTLP_FORWARD_HEADERS=X-Key=a%20key", "KIBITZ_SYSLOG=udp://"+udp, "KIBITZ_PERF_ENABLED=false")
	token := after(s.command("token", "add", "--scopes", "metrics:read"), "token:")
	key := s.newProject("export-shop")
	start := time.Now()
	if status, answer := s.traces(key.public, fmt.Sprintf(strings.Replace(partial, "GET /whole", "/forward-otlp", 1), start.UnixNano(), start.Add(30*time.Millisecond).UnixNano())); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	sendTransaction(t, s, key.public, key.project, start)
	sendSyslog(t, udp, key.public, start)
	const labels = `{project="export-shop",service="shop",method="",endpoint="/forward-otlp"`
	s.until("all three are counted", func() bool {
		m, n := s.metrics(token), 0.0
		for name, v := range m {
			if strings.HasPrefix(name, `kibitz_requests_total{project="export-shop"`) {
				n += v
			}
		}
		return n == 1+4+1 // the transaction stands for four
	})
	c.mu.Lock()
	if c.away = false; len(c.got) != 0 {
		t.Errorf("%v arrived too early", c.got)
	}
	c.mu.Unlock()
	s.until("all three are sent on", func() bool { return c.has("/forward-otlp", "/forward-sentry", "/forward-syslog") })
	m := s.metrics(token)
	for name, want := range map[string]float64{"kibitz_request_duration_seconds_count" + labels + "}": 1, "kibitz_request_duration_seconds_bucket" + labels + `,le="0.025"}`: 0,
		"kibitz_request_duration_seconds_bucket" + labels + `,le="0.05"}`: 1, `kibitz_forward_dropped_total{reason="forward_refused"}`: 0,
		`kibitz_items_total{project="export-shop",category="transaction",outcome="stored",reason=""}`: 3, `kibitz_items_total{project="export-shop",category="span",outcome="invalid",reason="invalid_span"}`: 1} {
		if got, ok := m[name]; !ok || got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	s.until("nothing lags", func() bool { return s.metrics(token)["kibitz_drain_lag_bytes"] == 0 })
	if !(m["kibitz_spool_bytes"] > 0 && m["go_goroutines"] > 0 && m[`kibitz_pool_acquires_total{partition="ops",pool="ingest"}`] > 0 && m["kibitz_forward_sent_total"] >= 3) {
		t.Errorf("%v", m)
	}
	if status := s.status("/metrics"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	s.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.got["/forward-sentry"]; q.Weight != 4 || q.Status != 503 || !c.keys["a key"] || len(c.keys) != 1 {
		t.Errorf("got %+v, with %v", q, c.keys)
	}
}

// sendTransaction sends one of an SDK that samples a quarter.
func sendTransaction(t *testing.T, s *server, key, project string, at time.Time) {
	t.Helper()
	const id, span = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
	head := fmt.Sprintf(`{"event_id":"%s","trace":{"trace_id":"%s","public_key":"%s","sample_rate":"0.25"}}`, id, id, key)
	item := fmt.Sprintf(`{"type":"transaction","event_id":"%s","transaction":"/forward-sentry","transaction_info":{"source":"route"},"start_timestamp":%f,"timestamp":%f,
		"contexts":{"trace":{"trace_id":"%s","span_id":"%s","op":"http.server","status":"unavailable"},"response":{"status_code":503}},"spans":[]}`,
		id, float64(at.UnixMicro())/1e6, float64(at.UnixMicro())/1e6+0.2, id, span)
	item = strings.ReplaceAll(item, "\n", "")
	body := head + "\n{\"type\":\"transaction\"}\n" + item + "\n"
	res, err := http.Post(s.base+"/api/"+project+"/envelope/?sentry_key="+key, "application/x-sentry-envelope", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
}

// sendSyslog sends the record of a request as a line.
func sendSyslog(t *testing.T, udp, key string, at time.Time) {
	t.Helper()
	conn, err := net.Dial("udp", udp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, `<134>1 %s web-1 shop 7 - - @cee: {"route":"/forward-syslog","ms":12.5,"method":"GET","status":200,"db_ms":5,"db_n":3,"key":"%s"}`, at.UTC().Format(time.RFC3339Nano), key)
}
