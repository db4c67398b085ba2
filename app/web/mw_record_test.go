package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/perf/perfpgx"
	"kibitz/app/trace"
)

// openTraced is a clean database whose queries are recorded in the request of their context.
func openTraced(t testing.TB) *db.DB {
	t.Helper()
	cfg := dbtest.Config(t, false)
	cfg.Tracer = perfpgx.New(perfpgx.Options{})
	d, err := db.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (w *site) takeRequests(_ context.Context, requests []trace.Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range requests {
		q.Spans = slices.Clone(q.Spans)
		w.recorded = append(w.recorded, q)
	}
	return nil
}

// last is the request that was recorded last.
func (w *site) last(t testing.TB) trace.Request {
	t.Helper()
	if err := w.recorder.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recorded) == 0 {
		t.Fatal("no request was recorded")
	}
	return w.recorded[len(w.recorded)-1]
}

// TestRecord holds what is recorded of a page: its route, who asked, its queries with the code that asked for them, and
// its template. Each page counts in the log what it has spans for.
func TestRecord(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	me := w.signIn(t)
	r := w.do(t, "GET", "/projects?secret=1", nil, cookies(me.cookie), header("X-Kibitz-Keep", "1"))
	got := w.last(t)
	if got.Name != "/projects" || got.Source != "route" || got.Method != "GET" || got.Status != 200 || got.URL != "/projects" || !got.Keep ||
		got.User != fmt.Sprint("id:", me.account.ID) {
		t.Errorf("%+v", got)
	}
	templates, queries := 0, 0
	for _, s := range got.Spans {
		switch s.Category {
		case trace.Template:
			templates++
		case trace.DB:
			queries++
			if !strings.HasPrefix(s.File, "kibitz/app/store/") || s.Line == 0 || s.PID == 0 {
				t.Errorf("%s %q was asked for by %s:%d %s", s.Op, s.Text, s.File, s.Line, s.Func)
			}
		}
	}
	if templates != 1 || queries == 0 {
		t.Errorf("%d templates, %d queries: %+v", templates, queries, got.Spans)
	}
	if timing := r.Header.Get("Server-Timing"); !strings.Contains(timing, fmt.Sprintf(`;desc="%d"`, queries)) {
		t.Errorf("Server-Timing %q of %d queries", timing, queries)
	}
}

// TestRecordStrangers holds what strangers get to see and may ask for, and that no token is kept.
func TestRecordStrangers(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	for _, c := range []struct {
		path, name, url string
		status          int
	}{
		{"/setup/topsecret", "/setup/:token", "", 404},
		{"/issues?q=x", "(no session)", "/issues", 303},
		{"/nothing/here", "(no session)", "/nothing/here", 303},
		{"/-/live", "/-/live", "/-/live", 200},
		{"/static/nothing.css", "/static/:name", "/static/nothing.css", 404},
	} {
		r := w.do(t, "GET", c.path, nil, header("X-Kibitz-Keep", "1"))
		got := w.last(t)
		if got.Name != c.name || got.URL != c.url || got.Status != r.StatusCode || r.StatusCode != c.status || got.Keep || got.User != "" || r.Header.Get("Server-Timing") != "" {
			t.Errorf("%s: answered %d %v, recorded %+v", c.path, r.StatusCode, r.Header, got)
		}
		if strings.Contains(fmt.Sprint(got), "topsecret") {
			t.Errorf("a token is kept: %+v", got)
		}
	}
}

// TestRecordPanic holds that a panic is answered and recorded as the failure that it is.
func TestRecordPanic(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	w.app.Get("/broken", func(*fiber.Ctx) error { panic("oh") }) // behind the gate
	me := w.signIn(t)
	if r := w.do(t, "GET", "/broken", nil, cookies(me.cookie)); r.StatusCode != 500 {
		t.Errorf("answered %d", r.StatusCode)
	}
	if got := w.last(t); !got.Failed || got.Status != 500 || got.State != "internal_error" {
		t.Errorf("%+v", got)
	}
}

// BenchmarkPage is a page without a network, recorded and not: what the recorder, its middleware and its tracer take of
// the process's own time. The sink does nothing. PostgreSQL works beside it.
func BenchmarkPage(b *testing.B) {
	for name, on := range map[string]bool{"recorded": true, "not": false} {
		b.Run(name, func(b *testing.B) {
			w := newSite(b, plainBase)
			me := w.signIn(b)
			if !on {
				w.app = fiber.New(fiber.Config{Immutable: true, ErrorHandler: w.answerError})
				w.routes(Options{})
			}
			var ctx fasthttp.RequestCtx
			ctx.Request.SetRequestURI(plainBase + "/projects")
			ctx.Request.Header.Set("Cookie", me.cookie.Name+"="+me.cookie.Value)
			handler := w.app.Handler()
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				ctx.ResetUserValues()
				if handler(&ctx); ctx.Response.StatusCode() != 200 {
					b.Fatalf("answered %d", ctx.Response.StatusCode())
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has had of the cores.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
