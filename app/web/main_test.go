package web

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/accounts"
	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/perf"
	"kibitz/app/requests"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/trace"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// site is a whole server over a clean database, without a listener.
type site struct {
	*Server
	db    *db.DB
	log   *lockedBuffer
	ready func() error
	// sample reads pg_stat_statements once more.
	sample func()

	recorder *perf.Recorder
	// switches are asked for those who sign in, and for our own features.
	switches *switches.Holder

	mu       sync.Mutex
	reported []error
	recorded []trace.Request
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	plainBase  = "http://kibitz.example:8000"
	secureBase = "https://kibitz.example"

	testEmail    = "mara@example.org"
	testPassword = "correct horse battery"
)

func newSite(t testing.TB, base string, trusted ...string) *site {
	t.Helper()
	d := openTraced(t)
	st, ids, out := store.New(d), model.NewIDs(1), &lockedBuffer{}
	log := slog.New(slog.NewJSONHandler(out, nil))
	w := &site{db: d, log: out, ready: func() error { return nil }}
	w.recorder = perf.New(perf.Options{Sink: w.takeRequests, Interval: time.Hour, Skip: []string{"kibitz/app/db"}})
	t.Cleanup(func() { w.recorder.Close(context.Background()) })
	groupings := issues.NewGroupings(st, log)
	statements := requests.NewStatements(st, log)
	health := requests.NewHealth(requests.HealthOptions{Store: st, Statements: statements.Recent, Log: log})
	w.sample = func() { statements.Sample(context.Background()) }
	refiles := issues.NewRefiles(st, groupings, ids, log)
	w.switches = switches.NewHolder("production")
	s, err := New(Options{Recorder: w.recorder, Switches: w.switches,
		Feature: func(ctx context.Context, key string) bool { return switches.IsOnOr(ctx, key, true) },
		Base:    base, TrustedProxies: trusted, Version: "test", Log: log, Accounts: accounts.New(st, ids, log),
		Groupings: groupings, Rehearsals: issues.NewRehearsals(st, groupings, refiles, ids, log), Refiles: refiles,
		Issues: issues.New(st, groupings, ids), Projects: issues.NewProjects(st, log), Hub: issues.NewHub(),
		Requests:   requests.New(st, ids, log, requests.Retention{Days: 14, MinuteDays: 30, HourDays: 400, Budget: 1 << 40}),
		Statements: statements.Recent, Health: health, Explainer: requests.NewExplainer(st),
		Metrics:   func(context.Context) []byte { return []byte("a_total 1\n") },
		TestEvent: func(context.Context, model.ProjectKey, model.Account) error { return nil },
		Ready:     func(context.Context) error { return w.ready() },
		Report: func(_ context.Context, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reported = append(w.reported, err)
		},
		Queries: func(ctx context.Context) (context.Context, func() (int, time.Duration)) {
			ctx, counter := db.WithCounter(ctx)
			return ctx, func() (int, time.Duration) { return counter.N(), counter.Time() }
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.Server = s
	return w
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	text string
}

// with changes a request before it is sent.
type with func(*http.Request)

func header(key, value string) with { return func(r *http.Request) { r.Header.Set(key, value) } }

func cookies(all ...*http.Cookie) with {
	return func(r *http.Request) {
		for _, c := range all {
			r.AddCookie(c)
		}
	}
}

// ours is what a browser says of a request from a page of ours.
func ours() with { return header("Sec-Fetch-Site", "same-origin") }

func (w *site) do(t testing.TB, method, path string, form url.Values, change ...with) reply {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	_, req.Host, _ = strings.Cut(w.base, "://")
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, f := range change {
		f(req)
	}
	res, err := w.app.Test(req, -1)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{res, string(body)}
}

// person is somebody signed in.
type person struct {
	cookie  *http.Cookie
	csrf    string
	account model.Account
}

// signIn makes the owner and signs in through the form.
func (w *site) signIn(t testing.TB) person {
	t.Helper()
	if err := w.accounts.Bootstrap(context.Background(), testEmail, testPassword); err != nil {
		t.Fatal(err)
	}
	r := w.do(t, "POST", "/signin", url.Values{"email": {testEmail}, "password": {testPassword}}, ours())
	if r.StatusCode != http.StatusSeeOther || len(r.Cookies()) != 1 {
		t.Fatalf("cannot sign in: %d %v %s", r.StatusCode, r.Cookies(), r.text)
	}
	s, err := w.accounts.Session(context.Background(), r.Cookies()[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return person{r.Cookies()[0], s.CSRF, s.Account}
}

func (w *site) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	ctx := context.Background()
	if _, err := w.db.Write(ctx, db.Key{Part: db.Users}).Exec(ctx, sql, args...); err != nil {
		t.Fatal(err)
	}
}

// wantStatus fails with the body, since an error page says what was wrong.
func (r reply) wantStatus(t testing.TB, status int) reply {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d: %.300s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.text)
	}
	return r
}
