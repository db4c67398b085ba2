package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

var wantHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Server":                       "",
	"X-Powered-By":                 "",
	"Access-Control-Allow-Origin":  "",
}

func TestEveryRouteHasTheHeaders(t *testing.T) {
	t.Parallel()
	for _, base := range []string{plainBase, secureBase} {
		w := newSite(t, base)
		p := w.signIn(t)
		for _, r := range routesOf(w.Server) {
			if r.Method != "GET" {
				continue
			}
			for _, who := range [][]with{nil, {cookies(p.cookie)}} {
				got := w.do(t, "GET", address(r), nil, who...)
				for key, want := range wantHeaders {
					if v := got.Header.Get(key); v != want {
						t.Errorf("%s: %s is %q, want %q", r.Path, key, v, want)
					}
				}
				if hsts := got.Header.Get("Strict-Transport-Security"); (hsts == "max-age=31536000") != (base == secureBase) {
					t.Errorf("%s: HSTS is %q for %s", r.Path, hsts, base)
				}
				if cache := got.Header.Get("Cache-Control"); cache != "no-store" && got.StatusCode == 200 && !strings.HasPrefix(r.Path, "/static/") {
					t.Errorf("%s: Cache-Control is %q", r.Path, cache)
				}
				if len(got.Header.Get("X-Request-Id")) != 16 {
					t.Errorf("%s: X-Request-Id is %q", r.Path, got.Header.Get("X-Request-Id"))
				}
			}
		}
	}
}

func TestCompressedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	for _, enc := range []string{"gzip", "br", "deflate", "zstd", "GZIP, gzip", "x"} {
		w.do(t, "POST", "/signin", url.Values{"email": {"x"}}, ours(), header("Content-Encoding", enc)).wantStatus(t, http.StatusUnsupportedMediaType)
	}
	w.do(t, "POST", "/theme", url.Values{"theme": {"dark"}}, ours(), header("Content-Encoding", "identity")).wantStatus(t, http.StatusSeeOther)
}

func TestForms(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	for name, tc := range map[string]struct {
		form   url.Values
		kind   string
		status int
	}{
		"json":         {url.Values{"theme": {"dark"}}, "application/json", 415},
		"multipart":    {url.Values{"theme": {"dark"}}, "multipart/form-data; boundary=x", 415},
		"no type":      {url.Values{"theme": {"dark"}}, "", 415},
		"with charset": {url.Values{"theme": {"dark"}}, "application/x-www-form-urlencoded; charset=utf-8", 303},
		"too large":    {url.Values{"theme": {strings.Repeat("x", maxForm)}}, "application/x-www-form-urlencoded", 413},
		"NUL":          {url.Values{"theme": {"da\x00rk"}}, "application/x-www-form-urlencoded", 400},
		"broken UTF-8": {url.Values{"theme": {"\xff"}}, "application/x-www-form-urlencoded", 400},
	} {
		if got := w.do(t, "POST", "/theme", tc.form, ours(), header("Content-Type", tc.kind)); got.StatusCode != tc.status {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, tc.status)
		}
	}
}

func TestPanicIsAnsweredAndReported(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"panic":       func() error { panic("secret detail") },
		"nil pointer": func() error { var p *int; return fmt.Errorf("secret detail %d", *p) },
	} {
		w := newSite(t, plainBase)
		w.ready = fail
		r := w.do(t, "GET", "/-/ready", nil).wantStatus(t, http.StatusInternalServerError)
		if strings.Contains(r.text, "secret") || strings.Contains(r.text, "nil pointer") || strings.Contains(r.text, "goroutine") {
			t.Errorf("%s: the page tells %s", name, r.text)
		}
		if !strings.Contains(r.text, r.Header.Get("X-Request-Id")) {
			t.Errorf("%s: the page does not name the request: %s", name, r.text)
		}
		if len(w.reported) != 1 {
			t.Fatalf("%s: reported %v", name, w.reported)
		}
		var p *panicked
		if !errors.As(w.reported[0], &p) || len(p.StackTrace()) < 3 {
			t.Errorf("%s: reported %v", name, w.reported[0])
		}
		if !strings.Contains(w.log.String(), `"status":500`) {
			t.Errorf("%s: no line of the request in %s", name, w.log)
		}
		w.ready = func() error { return nil }
		w.do(t, "GET", "/-/ready", nil).wantStatus(t, http.StatusOK)
	}
}

// The endpoints that SDKs send to stand before the log, so that only recoverPanic is around them.
func TestPanicInIngestIsAnswered(t *testing.T) {
	t.Parallel()
	s := &Server{log: slog.New(slog.DiscardHandler)}
	s.app = fiber.New(fiber.Config{ErrorHandler: s.answerError})
	s.app.Use(s.requestID, s.recoverPanic)
	s.app.Post("/api/1/envelope/", func(*fiber.Ctx) error { panic("secret detail") })
	r := (&site{Server: s}).do(t, "POST", "/api/1/envelope/", nil, func(r *http.Request) { r.Host = "x" }).wantStatus(t, 500)
	if strings.Contains(r.text, "secret") || !strings.Contains(r.text, `"detail"`) {
		t.Errorf("the answer is %s", r.text)
	}
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	p := w.signIn(t)
	w.db.Close()
	for _, accept := range []string{"text/html", "application/json"} {
		r := w.do(t, "GET", "/issues", nil, cookies(p.cookie), header("Accept", accept)).wantStatus(t, http.StatusServiceUnavailable)
		if r.Header.Get("Retry-After") == "" || strings.Contains(r.text, "pool") {
			t.Errorf("%v %s", r.Header, r.text)
		}
	}
	w.do(t, "GET", "/-/live", nil).wantStatus(t, http.StatusOK)
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	link, err := w.accounts.SetupLink(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, "GET", "/setup/"+link, nil).wantStatus(t, http.StatusOK)
	p := w.signIn(t)
	w.do(t, "GET", "/issues?secret=query-text", nil, cookies(p.cookie))
	w.do(t, "GET", "/nothing/path-text", nil, cookies(p.cookie)).wantStatus(t, http.StatusNotFound)
	w.do(t, "GET", "/nothing/path-text", nil)
	log := w.log.String()
	for _, secret := range []string{link, p.cookie.Value, p.csrf, testPassword, "query-text", "path-text"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q stands in the log:\n%s", secret, log)
		}
	}
	for _, part := range []string{`"route":"/setup/:token"`, `"route":"/issues"`, `"route":"(none)"`, `"route":"(no session)"`, `"queries":`,
		fmt.Sprintf(`"account":%d`, p.account.ID)} {
		if !strings.Contains(log, part) {
			t.Errorf("%s does not stand in the log:\n%s", part, log)
		}
	}
}

// What fasthttp refuses itself passes no middleware; its answer must be as quiet as the others.
func TestRefusedBytes(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for name, tc := range map[string]struct{ raw, status string }{
		"large header": {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", "431"},
		"no request":   {"<script>alert(1)</script>\r\n\r\n", "400"},
		"bad length":   {"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: <b>\r\n\r\n", "400"},
		"two lengths":  {"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		"strange verb": {"<b> / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		"healthy":      {"GET /-/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, tc.raw); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // a reset after the answer is no failure
		conn.Close()
		text := string(answer)
		if !strings.HasPrefix(text, "HTTP/1.1 "+tc.status) {
			t.Errorf("%s: %.200s", name, text)
		}
		for _, inside := range []string{"<script>alert", "<b>", "fasthttp", "error when", "buffer"} {
			if strings.Contains(strings.ReplaceAll(text, "header_buffer", ""), inside) {
				t.Errorf("%s: the answer holds %q: %s", name, inside, text)
			}
		}
	}
}
