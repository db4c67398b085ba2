package perffiber_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"kibitz/app/perf"
	"kibitz/app/perf/perffiber"
	"kibitz/app/trace"
)

// site is a fiber application with our middleware, and what it recorded.
type site struct {
	*fiber.App
	rec *perf.Recorder
	mu  sync.Mutex
	got []trace.Request
}

func newSite(t testing.TB, o perffiber.Options) *site {
	t.Helper()
	s := &site{App: fiber.New(fiber.Config{DisableStartupMessage: true})}
	s.rec = perf.New(perf.Options{Interval: time.Hour, Sink: func(_ context.Context, requests []trace.Request) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, q := range requests {
			q.Spans = slices.Clone(q.Spans)
			s.got = append(s.got, q)
		}
		return nil
	}})
	t.Cleanup(func() { s.rec.Close(context.Background()) })
	s.Use(recover.New(), perffiber.New(s.rec, o))
	s.Get("/ok/:id", func(c *fiber.Ctx) error {
		perf.Begin(c.UserContext(), trace.DB, "db.query", "select 1").End()
		perf.SetAttr(c.UserContext(), "id", strings.Clone(c.Params("id")))
		return c.SendString("hello")
	})
	s.Post("/ok/:id", func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusCreated) })
	s.Get("/error", func(*fiber.Ctx) error { return errors.New("broken") })
	s.Get("/gone", func(*fiber.Ctx) error { return fiber.ErrNotFound })
	s.Get("/panic", func(*fiber.Ctx) error { panic("oh") })
	s.Group("/group", func(c *fiber.Ctx) error { return c.Next() }).Delete("/:a/x", func(c *fiber.Ctx) error { return c.SendStatus(204) })
	s.Get("/stream", func(c *fiber.Ctx) error {
		ctx := c.UserContext() // c is gone by then
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			perf.Begin(ctx, trace.DB, "db.query", "select 'later'").End()
			w.WriteString("data: x\n\n")
		})
		return nil
	})
	return s
}

func (s *site) ask(t testing.TB, method, path string, pairs ...string) (*http.Response, trace.Request) {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = "12345"
	}
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	res, err := s.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	io.Copy(io.Discard, res.Body)
	s.rec.Flush(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		return res, trace.Request{}
	}
	return res, s.got[len(s.got)-1]
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	s := newSite(t, perffiber.Options{})
	for _, c := range []struct {
		method, path string
		name         string
		status       int
		state        string
		failed       bool
	}{
		{"GET", "/ok/7?q=1", "/ok/:id", 200, "ok", false},
		{"POST", "/ok/7", "/ok/:id", 201, "ok", false},
		{"DELETE", "/group/3/x", "/group/:a/x", 204, "ok", false},
		{"GET", "/error", "/error", 500, "internal_error", true},
		{"GET", "/gone", "/gone", 404, "not_found", false},
		{"GET", "/nowhere/at/all", "(none)", 404, "not_found", false},
		{"PATCH", "/ok/7", "(none)", 405, "invalid_argument", false},
		{"GET", "/panic", "/panic", 500, "internal_error", true},
		{"GET", "/stream", "/stream", 200, "ok", false},
	} {
		res, got := s.ask(t, c.method, c.path)
		if res.StatusCode != c.status || got.Status != c.status || got.Name != c.name || got.State != c.state || got.Failed != c.failed ||
			got.Method != c.method || got.URL != c.path || got.Op != "http.server" {
			t.Errorf("%s %s was answered %d and recorded as %+v", c.method, c.path, res.StatusCode, got)
		}
	}
	if n := s.rec.Stats(); n.Finished != 9 || n.Dropped != 0 || n.LateSpans != 1 { // what the stream did came late
		t.Errorf("%+v", n)
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	s := newSite(t, perffiber.Options{User: func(*fiber.Ctx) string { return "id:1" }, ServerTiming: func(c *fiber.Ctx) bool { return c.Get("X-Staff") == "1" }})
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	res, got := s.ask(t, "GET", "/ok/7", "traceparent", "00-"+id+"-"+span+"-01", "X-Staff", "1", "X-Kibitz-Keep", "1")
	if got.Trace.String() != id || got.Parent.String() != span || !got.Keep || got.User != "id:1" || len(got.Spans) != 1 || got.Spans[0].Parent != got.Span {
		t.Errorf("%+v", got)
	}
	if timing := res.Header.Get("Server-Timing"); !strings.HasPrefix(timing, "db;dur=") {
		t.Errorf("Server-Timing: %q", timing)
	}
	res, got = s.ask(t, "POST", "/ok/7", "sentry-trace", id+"-"+span)
	if got.Trace.String() != id || got.Keep || res.Header.Get("Server-Timing") != "" {
		t.Errorf("%+v, headers %v", got, res.Header)
	}
	if len(got.Attrs) < 2 || got.Attrs[0].Value != "5" || got.Attrs[1].Value != "7" { // "Created" is fiber's text for 201
		t.Errorf("sizes %v", got.Attrs)
	}
}

func TestKeepAndSkip(t *testing.T) {
	t.Parallel()
	s := newSite(t, perffiber.Options{Keep: perffiber.Secret("s3cret"), Skip: func(c *fiber.Ctx) bool { return c.Path() == "/gone" },
		URL: func(*fiber.Ctx) string { return "" }, Route: func(c *fiber.Ctx) string { return "mine" }})
	if s.ask(t, "GET", "/gone"); s.rec.Stats().Finished != 0 {
		t.Error("a request that is to be left out was recorded")
	}
	for value, want := range map[string]bool{"1": false, "s3cret": true, "": false, "s3crets": false} {
		if _, got := s.ask(t, "GET", "/ok/1", "X-Kibitz-Keep", value); got.Keep != want || got.URL != "" || got.Name != "mine" {
			t.Errorf("%q: %+v", value, got)
		}
	}
	if perffiber.Secret("")(nil, "") {
		t.Error("no secret is a secret")
	}
}

// TestBuffers sends many requests through connections whose buffers fiber uses again, and looks at what each left.
func TestBuffers(t *testing.T) {
	t.Parallel()
	s := newSite(t, perffiber.Options{User: func(c *fiber.Ctx) string { return c.Query("u") }})
	const requests = 300
	for n := range requests {
		path := "/ok/" + strings.Repeat(string(rune('a'+n%26)), n%40+1)
		req := httptest.NewRequest([]string{"GET", "DELETE", "PUT", "OPTIONS"}[n%4], path+"?u="+path, nil)
		if _, err := s.Test(req, -1); err != nil {
			t.Fatal(err)
		}
	}
	s.rec.Close(context.Background())
	if len(s.got) != requests {
		t.Fatalf("%d of %d", len(s.got), requests)
	}
	for _, q := range s.got {
		path, _, _ := strings.Cut(q.URL, "?")
		if !slices.Contains([]string{"GET", "DELETE", "PUT", "OPTIONS"}, q.Method) || q.URL != path+"?u="+path || q.User != path || (q.Status == 200 && (len(q.Attrs) == 0 || "/ok/"+q.Attrs[0].Value != path)) {
			t.Errorf("%+v", q)
		}
	}
}

// TestNilRecorder holds that an application runs without.
func TestNilRecorder(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	app.Use(perffiber.New(nil, perffiber.Options{}))
	app.Get("/", func(c *fiber.Ctx) error {
		if perf.FromContext(c.UserContext()) != nil {
			t.Error("there is a request")
		}
		return c.SendString("x")
	})
	res, err := app.Test(httptest.NewRequest("GET", "/", nil), -1)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	}
}
