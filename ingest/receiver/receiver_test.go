package receiver

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/zstd"

	"kibitz/app/model"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// Keys of the tests: one that may send to project 7, one that is switched off, one of project 8.
const (
	goodKey  = "0123456789abcdef0123456789abcdef"
	offKey   = "ffffffffffffffffffffffffffffffff"
	otherKey = "88888888888888888888888888888888"
)

type fixedKeys struct{}

func (fixedKeys) Lookup(_ context.Context, public string) (KeyInfo, bool) {
	k, ok := map[string]KeyInfo{goodKey: {7, 1, true}, offKey: {7, 2, false}, otherKey: {8, 3, true}}[public]
	return k, ok
}

// door is a receiver over a spool of its own.
type door struct {
	t        *testing.T
	app      *fiber.App
	spool    *ingest.Spool
	outcomes *ingest.Outcomes
	receiver *Receiver
}

func newDoor(t *testing.T) *door {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	spool, err := ingest.OpenSpool(ingest.SpoolOptions{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	ids, lim := model.NewIDs(1), ingest.DefaultLimits()
	outcomes := ingest.NewOutcomes(spool, ids, log)
	pipeline := ingest.NewPipeline(ingest.PipelineOptions{Spool: spool, Outcomes: outcomes, IDs: ids, Limits: lim, Log: log})
	r := New(Options{Keys: fixedKeys{}, Pipeline: pipeline, Outcomes: outcomes, Limits: lim, Log: log,
		PGLog: pglog.Options{Normalizer: sqltext.NewNormalizer(1 << 20)}})
	app := fiber.New(fiber.Config{Immutable: true, BodyLimit: 64 << 20, ReadBufferSize: 16 << 10})
	r.Mount(app)
	return &door{t, app, spool, outcomes, r}
}

// spooled is how many records are on disk.
func (d *door) spooled() (n int) {
	at := ingest.Position{}
	for {
		records, to, err := d.spool.Read(at)
		if err != nil {
			d.t.Fatal(err)
		}
		if n += len(records); len(records) == 0 && to == at {
			return n
		}
		at = to
	}
}

// counted are the outcomes as "category/outcome/reason".
func (d *door) counted() string {
	var out []string
	for _, o := range d.outcomes.Pending() {
		out = append(out, fmt.Sprintf("%s/%s/%s=%d", o.Category, o.Outcome, o.Reason, o.N))
	}
	return strings.Join(out, " ")
}

func (d *door) send(req *http.Request) (int, string, http.Header) {
	d.t.Helper()
	res, err := d.app.Test(req, -1)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

func post(path string, body []byte, headers ...string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

const auth = "Sentry sentry_version=7, sentry_key=" + goodKey

func toEnvelope(body string, headers ...string) *http.Request {
	return post("/api/7/envelope/", []byte(body), append([]string{"X-Sentry-Auth", auth}, headers...)...)
}

func toStore(body string, headers ...string) *http.Request {
	return post("/api/7/store/", []byte(body), append([]string{"X-Sentry-Auth", auth}, headers...)...)
}

// one is an envelope with one event.
func one(event string) string {
	return fmt.Sprintf("{}\n{\"type\":\"event\",\"length\":%d}\n%s\n", len(event), event)
}

func TestAuth(t *testing.T) {
	t.Parallel()
	event := one(`{"message":"hello"}`)
	dsn := `{"dsn":"https://` + goodKey + `@kibitz.example/7"}` + strings.TrimPrefix(event, "{}")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(goodKey+":"))
	for name, req := range map[string]*http.Request{
		"header":          toEnvelope(event),
		"odd header":      post("/api/7/envelope", []byte(event), "X-Sentry-Auth", "sentry  Sentry_Key = "+strings.ToUpper(goodKey)+" , foo=bar"),
		"authorization":   post("/api/7/envelope/", []byte(event), "Authorization", auth),
		"dsn as header":   post("/api/7/envelope/", []byte(event), "Authorization", "DSN https://"+goodKey+"@kibitz.example/7"),
		"bearer":          post("/api/7/envelope/", []byte(event), "Authorization", "Bearer "+goodKey),
		"basic":           post("/api/7/envelope/", []byte(event), "Authorization", basic),
		"query":           post("/api/7/envelope/?sentry_version=7&sentry_key="+goodKey, []byte(event)),
		"envelope header": post("/api/7/envelope/", []byte(dsn)),
		"old store":       post("/api/store/", []byte(`{"message":"hello"}`), "X-Sentry-Auth", auth),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			status, body, header := d.send(req)
			var answer struct{ ID string }
			if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || len(answer.ID) != 32 || d.spooled() != 1 {
				t.Errorf("%d %s %v", status, body, err)
			}
			if header.Get("Access-Control-Allow-Origin") != "*" {
				t.Error("no CORS header")
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	status, _, h := d.send(httptest.NewRequest(http.MethodOptions, "/api/7/envelope/", nil))
	if status != 204 || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-sentry-auth") || h.Get("Access-Control-Max-Age") != "3600" || h.Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("%d %v", status, h)
	}
}

// packed compresses b in a coding.
func packed(t *testing.T, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w, err = gzip.NewWriterLevel(&out, gzip.BestCompression)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, err = flate.NewWriter(&out, flate.BestCompression)
	case "br":
		w = brotli.NewWriter(&out)
	default:
		w, err = zstd.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	for coding, header := range map[string]string{"gzip": "gzip", "deflate": "deflate", "raw": "deflate", "br": "br", "zstd": "zstd"} {
		t.Run(coding, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			for range 3 { // decoders are used again
				req := toEnvelope(string(packed(t, coding, []byte(one(`{"message":"hello"}`)))), "Content-Encoding", header)
				if status, body, _ := d.send(req); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
			if n := d.spooled(); n != 3 {
				t.Errorf("%d are spooled", n)
			}
		})
	}
}

// TestBombs holds that what inflates without end is cut at the limit, in bounded memory.
func TestBombs(t *testing.T) {
	bomb := make([]byte, 128<<20)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		small := packed(t, coding, bomb)
		d := newDoor(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, body, _ := d.send(toStore(string(small), "Content-Encoding", coding))
		runtime.ReadMemStats(&after)
		if status != 413 || !strings.Contains(d.counted(), "too_large/inflated_size=1") {
			t.Errorf("%s: %d %s, counted %s", coding, status, body, d.counted())
		}
		// The limit of an event is 1 MiB: buffers double up to 2 MiB, decoders take up to 8 MiB of window.
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: a bomb of %d bytes took %d MiB", coding, len(small), grown>>20)
		}
	}
}
