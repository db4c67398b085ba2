package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/accounts"
	"kibitz/app/db"
	"kibitz/app/flags"
	"kibitz/app/model"
	"kibitz/app/perf"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/trace"
)

// doorSite is a server with doors of switches on a real listener.
type doorSite struct {
	*Server
	accounts *accounts.Accounts
	gate     *accounts.Gate
	holder   *switches.Holder
	db       *db.DB
	url      string

	mu       sync.Mutex
	config   switches.Config
	watchers map[chan int64]bool
	recorded []trace.Request
	recorder *perf.Recorder
}

func (d *doorSite) watch(string) (<-chan int64, func()) {
	ch := make(chan int64, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watchers[ch] = true
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, ch)
	}
}

// publish puts switches in force and wakes who listens.
func (d *doorSite) publish(revision int64, list ...switches.Switch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = switches.Config{Environment: "production", Revision: revision, Switches: list}
	s, _ := switches.Compile(d.config, time.Now())
	d.holder.Publish(s)
	for ch := range d.watchers {
		select {
		case ch <- revision:
		default:
		}
	}
}

func newDoorSite(t testing.TB, change ...func(*SwitchDoors)) *doorSite {
	t.Helper()
	data := openTraced(t)
	st, ids, log := store.New(data), model.NewIDs(1), slog.New(slog.DiscardHandler)
	d := &doorSite{accounts: accounts.New(st, ids, log), gate: accounts.NewGate(st, log), holder: switches.NewHolder("production"), db: data, watchers: map[chan int64]bool{}}
	d.recorder = perf.New(perf.Options{Interval: time.Hour, Sink: func(_ context.Context, list []trace.Request) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.recorded = append(d.recorded, list...)
		return nil
	}})
	t.Cleanup(func() { d.recorder.Close(context.Background()) })
	staging := switches.NewHolder("staging")
	o := &SwitchDoors{Environments: func() []string { return []string{"production", "staging"} }, Gate: d.gate, StreamKey: []byte("secret"), Origins: []string{"*"},
		Streams: 100, Watch: d.watch,
		Holder: func(env string) *switches.Holder {
			if env == "staging" {
				return staging
			}
			return d.holder
		},
		Config: func(env string) switches.Config {
			d.mu.Lock()
			defer d.mu.Unlock()
			if env == "staging" {
				return switches.Config{Environment: env}
			}
			return d.config
		}}
	for _, f := range change {
		f(o)
	}
	s, err := New(Options{Base: plainBase, Version: "test", Log: log, Accounts: d.accounts, Recorder: d.recorder, SwitchDoors: o, Flags: flags.New(st, ids, log)})
	if err != nil {
		t.Fatal(err)
	}
	d.Server = s
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.url = "http://" + ln.Addr().String()
	go s.Serve(ln)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	return d
}

// token makes a token of some scopes.
func (d *doorSite) token(t testing.TB, scopes ...string) string {
	t.Helper()
	text, err := d.accounts.AddSystemToken(context.Background(), "test", scopes, 0)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// send asks a door.
func (d *doorSite) send(t testing.TB, method, path, token, body string, change ...with) reply {
	t.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res, string(text)}
}

// sendLarge announces a body that is refused before it is read, and sends nothing of it.
func (d *doorSite) sendLarge(t testing.TB, path string, size int) (status int, text string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", path, size)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

var half = switches.Switch{Key: "half", State: switches.Partial, Salt: "s", Everyone: switches.Rollout{Percent: 50}}

// TestDoorStatuses holds the statuses and bodies of OFREP's single evaluation: no others than clients know.
func TestDoorStatuses(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(7, half, switches.Switch{Key: "shop:cart/new", State: switches.On}, switches.Switch{Key: "shop", State: switches.On},
		switches.Switch{Key: "broken", State: "sideways"})
	read, other := d.token(t, "switch:read"), d.token(t, "metrics:read")
	const one = "/ofrep/v1/evaluate/flags/"
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		says                            string
	}{
		{"on", "POST", one + "shop", read, `{"context":{}}`, 200, `"value":true`},
		{"escaped key", "POST", one + "shop%3Acart%2Fnew", read, ``, 200, `"key":"shop:cart/new"`},
		{"plain key", "POST", one + "shop:cart/new", read, ``, 200, `"value":true`},
		{"unknown", "POST", one + "nope", read, `{}`, 404, `"errorCode":"FLAG_NOT_FOUND"`},
		{"no key for a share", "POST", one + "half", read, `{}`, 400, `"errorCode":"TARGETING_KEY_MISSING"`},
		{"no key, none needed", "POST", one + "shop", read, `{}`, 200, `"reason":"STATIC"`},
		{"broken", "POST", one + "broken", read, `{}`, 400, `"errorCode":"PARSE_ERROR"`},
		{"no JSON", "POST", one + "half", read, `{`, 400, `"key":"half","errorCode":"PARSE_ERROR"`},
		{"context of 1 MB", "POST", one + "half", read, `{"context":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, 400, `limit context`},
		{"compressed", "POST", one + "half", read, `x`, 400, `Content-Encoding`},
		{"no token", "POST", one + "half", "", `{}`, 401, ""},
		{"foreign token", "POST", one + "half", "kbz_nonsense", `{}`, 401, ""},
		{"wrong scope", "POST", one + "half", other, `{}`, 401, ""},
		{"bulk without JSON", "POST", "/ofrep/v1/evaluate/flags", read, `[`, 400, `{"errorCode":"PARSE_ERROR"`},
		{"earlier draft", "GET", "/ofrep/v1/configuration", read, ``, 404, ""},
		{"environment", "POST", "/e/staging" + one + "shop", read, `{}`, 404, "FLAG_NOT_FOUND"},
		{"no environment", "POST", "/e/nowhere" + one + "shop", read, `{}`, 404, "no such environment"},
		{"Unleash's streams", "GET", "/api/client/streaming", read, ``, 404, ""},
		{"Unleash's deltas", "GET", "/api/client/delta", read, ``, 404, ""},
	} {
		var change []with
		if c.name == "compressed" {
			change = append(change, header("Content-Encoding", "gzip"))
		}
		r := d.send(t, c.method, c.path, c.token, c.body, change...)
		if r.StatusCode != c.status || !strings.Contains(r.text, c.says) || (c.says == "" && c.status < 404 && r.text != "") || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", c.name, r.StatusCode, r.text)
		}
		if r.text != "" && !json.Valid([]byte(r.text)) {
			t.Errorf("%s: no JSON: %s", c.name, r.text)
		}
	}
	if status, text := d.sendLarge(t, one+"half", 3<<20); status != 400 || !strings.Contains(text, "INVALID_CONTEXT") {
		t.Errorf("3 MB: %d %s", status, text)
	}
	if r := d.send(t, "POST", one+"shop", "", `{}`, header("X-API-Key", read)); r.StatusCode != 200 {
		t.Errorf("X-API-Key: %d", r.StatusCode)
	}
}

// TestDoorRevoked holds that a revoked token is refused without a question to the database for each.
func TestDoorRevoked(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(1, half)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go d.gate.Run(ctx)
	read := d.token(t, "switch:read")
	if r := d.send(t, "POST", "/ofrep/v1/evaluate/flags", read, ``); r.StatusCode != 200 {
		t.Fatalf("%d", r.StatusCode)
	}
	all, err := d.accounts.AllTokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.accounts.RevokeAnyToken(ctx, all[0].ID); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the token is refused", func() bool {
		return d.send(t, "POST", "/ofrep/v1/evaluate/flags", read, ``).StatusCode == 401
	})
}

func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// TestDoorBulk holds ETag and 304, the counts, and what a token that may only evaluate gets to see.
func TestDoorBulk(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t, func(o *SwitchDoors) { o.PublicTag = "public" })
	d.publish(7, switches.Switch{Key: "open", State: switches.On, Tags: []string{"public"}}, switches.Switch{Key: "secret", State: switches.On})
	read, page := d.token(t, "switch:read"), d.token(t, "switch:evaluate")
	const bulk, mara = "/ofrep/v1/evaluate/flags", `{"context":{"targetingKey":"mara"}}`
	first := d.send(t, "POST", bulk, read, mara)
	etag := first.Header.Get("ETag")
	if first.StatusCode != 200 || etag == "" || !strings.Contains(first.text, `"secret"`) || !strings.Contains(first.text, `"revision":7`) {
		t.Fatalf("%d %v %s", first.StatusCode, first.Header, first.text)
	}
	if r := d.send(t, "POST", bulk+`?flagConfigEtag="x"&flagConfigLastModified=1`, read, mara, header("If-None-Match", etag)); r.StatusCode != 304 || r.text != "" {
		t.Errorf("the same again: %d %s", r.StatusCode, r.text)
	}
	if r := d.send(t, "POST", bulk, read, `{"context":{"targetingKey":"tim"}}`, header("If-None-Match", etag)); r.StatusCode != 200 {
		t.Errorf("somebody else: %d", r.StatusCode)
	}
	r := d.send(t, "POST", bulk, page, mara)
	if r.StatusCode != 200 || strings.Contains(r.text, "secret") || !strings.Contains(r.text, `"open"`) || r.Header.Get("ETag") == etag {
		t.Errorf("a page sees %s", r.text)
	}
	if r := d.send(t, "POST", bulk+"/secret", page, mara); r.StatusCode != 404 {
		t.Errorf("a page sees one: %d %s", r.StatusCode, r.text)
	}
	if r := d.send(t, "GET", "/api/client/features", page, ""); r.StatusCode != 403 || r.text != "" {
		t.Errorf("a page sees rules: %d %s", r.StatusCode, r.text)
	}
	counts := map[string]int64{}
	d.holder.Drain(func(key, variant string, n int64) { counts[key+"="+variant] = n })
	if counts["open=on"] != 3 || counts["secret=on"] != 2 {
		t.Errorf("counted %v", counts)
	}
	d.publish(8, switches.Switch{Key: "open", State: switches.Off, Tags: []string{"public"}})
	if r := d.send(t, "POST", bulk, read, mara, header("If-None-Match", etag)); r.StatusCode != 200 || !strings.Contains(r.text, `"value":false`) {
		t.Errorf("after a flip: %d %s", r.StatusCode, r.text)
	}
}

// TestDoorOrigins holds what pages of other sites may do.
func TestDoorOrigins(t *testing.T) {
	t.Parallel()
	any, one := newDoorSite(t), newDoorSite(t, func(o *SwitchDoors) { o.Origins = []string{"https://shop.example"} })
	shop, foreign := header("Origin", "https://shop.example"), header("Origin", "https://evil.example")
	wants := header("Access-Control-Request-Headers", "authorization,content-type,if-none-match,unleash-appname")
	if r := any.send(t, "OPTIONS", "/ofrep/v1/evaluate/flags", "", "", foreign, wants); r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "unleash-appname") || r.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if r := one.send(t, "OPTIONS", "/api/frontend", "", "", foreign, wants); r.StatusCode != 403 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	r := one.send(t, "POST", "/ofrep/v1/evaluate/flags", one.token(t, "switch:evaluate"), "", shop)
	if r.StatusCode != 200 || r.Header.Get("Access-Control-Allow-Origin") != "https://shop.example" || r.Header.Get("Vary") != "Origin" ||
		!strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if r := any.send(t, "GET", "/switches.js", "", "", header("Accept-Encoding", "gzip")); r.StatusCode != 200 || r.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || len(r.text) > 1024 {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

// listener is an open stream.
type listener struct {
	res   *http.Response
	lines *bufio.Scanner
}

func (d *doorSite) listen(t testing.TB, path string, change ...with) *listener {
	t.Helper()
	req, err := http.NewRequest("GET", d.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &listener{res, bufio.NewScanner(res.Body)}
}

// until reads to a line that begins so, and answers what stands before it.
func (l *listener) until(t testing.TB, begin string) (before []string) {
	t.Helper()
	for l.lines.Scan() {
		if strings.HasPrefix(l.lines.Text(), begin) {
			return append(before, l.lines.Text())
		}
		before = append(before, l.lines.Text())
	}
	t.Fatalf("the stream ended without %q: %q", begin, before)
	return nil
}

// stream is the path that a bulk names.
func (d *doorSite) stream(t testing.TB, token string) string {
	t.Helper()
	var bulk struct {
		EventStreams []struct{ Endpoint struct{ RequestURI string } }
	}
	if err := json.Unmarshal([]byte(d.send(t, "POST", "/ofrep/v1/evaluate/flags", token, "").text), &bulk); err != nil {
		t.Fatal(err)
	}
	return bulk.EventStreams[0].Endpoint.RequestURI
}

// TestDoorStream holds that a page is told of a change, once, and after it comes back only when there was one.
func TestDoorStream(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t, func(o *SwitchDoors) { o.Streams = 2 })
	d.publish(7, half)
	path := d.stream(t, d.token(t, "switch:evaluate"))
	l := d.listen(t, path, header("Origin", "https://shop.example"))
	if l.res.StatusCode != 200 || l.res.Header.Get("Content-Type") != "text/event-stream" || l.res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%s %v", l.res.Status, l.res.Header)
	}
	l.until(t, ": listening")
	d.publish(8, half)
	lines := l.until(t, "data: ")
	if !strings.Contains(lines[len(lines)-1], `"type":"refetchEvaluation"`) || lines[len(lines)-2] != "event: message" || lines[len(lines)-3] != "id: 8" {
		t.Errorf("%q", lines)
	}
	// Who knows the state is told nothing; who missed a change is told at once.
	same := d.listen(t, path, header("Last-Event-ID", "8"))
	same.until(t, ": listening")
	if l := d.listen(t, path); l.res.StatusCode != 429 || l.res.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %s", l.res.Status)
	}
	d.publish(9, half)
	if lines := same.until(t, "data: "); strings.Join(lines, "\n") != "\nid: 9\nevent: message\n"+lines[len(lines)-1] {
		t.Errorf("who knew the state: %q", lines)
	}
	same.res.Body.Close()
	l.res.Body.Close()
	waitUntil(t, "a stream is free again", func() bool {
		d.publish(9, half)
		d.publish(10+time.Now().UnixMilli(), half) // a write finds that they are gone
		late := d.listen(t, path, header("Last-Event-ID", "8"))
		defer late.res.Body.Close()
		if late.res.StatusCode != 200 {
			return false
		}
		late.until(t, "data: ")
		return true
	})
	if l := d.listen(t, path+"x"); l.res.StatusCode != 401 {
		t.Errorf("a changed address: %s", l.res.Status)
	}
}

// TestDoorStreamEnds holds that a stream ends when the server stops.
func TestDoorStreamEnds(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(7, half)
	l := d.listen(t, d.stream(t, d.token(t, "switch:read")))
	l.until(t, ": listening")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for l.lines.Scan() {
	}
}

// TestDoorRecorded holds that one question stands for sixty-four.
func TestDoorRecorded(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(7, half)
	read := d.token(t, "switch:read")
	for range 2 * recordOneIn {
		d.send(t, "POST", "/ofrep/v1/evaluate/flags/half", read, `{"context":{"targetingKey":"1"}}`)
	}
	if err := d.recorder.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.recorded) != 2 || d.recorded[0].Weight != recordOneIn || d.recorded[0].Name != "/ofrep/v1/evaluate/flags/:key" || d.recorded[0].Status != 200 {
		t.Errorf("%+v", d.recorded)
	}
}

// TestDoorPanic holds that a panic is answered within what clients know.
func TestDoorPanic(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t, func(o *SwitchDoors) { o.Holder = func(string) *switches.Holder { panic("oh") } })
	if r := d.send(t, "POST", "/ofrep/v1/evaluate/flags/half", d.token(t, "switch:read"), `{}`); r.StatusCode != 500 || !strings.Contains(r.text, `"errorDetails"`) || strings.Contains(r.text, "oh") {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
}

// TestDoorsWithoutDatabase holds that switches are answered while the database is away.
func TestDoorsWithoutDatabase(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(7, half)
	read := d.token(t, "switch:read")
	d.send(t, "POST", "/ofrep/v1/evaluate/flags", read, "")
	d.db.Close()
	if r := d.send(t, "POST", "/ofrep/v1/evaluate/flags/half", read, `{"context":{"targetingKey":"1"}}`); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
}

// withPlan is a switch that is on for a plan.
func withPlan() switches.Switch {
	return switches.Switch{Key: "pro", State: switches.Partial, Sets: []switches.Set{{When: switches.When{{{Attribute: "plan", Op: switches.Is, Values: []string{"pro"}}}},
		Rollout: switches.Rollout{Percent: 100}}}}
}
