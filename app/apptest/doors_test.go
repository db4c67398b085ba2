package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/requests"
	"kibitz/ingest/sqltext"
)

// seen is what is known of a request whatever door it came by: everything but ids and times. Parameters of the endpoint are {},
// since each router writes them in its own way.
type seen struct {
	endpoint                  string
	status                    int
	db, cache, http, template int
}

var parameter = regexp.MustCompile(`:\w+|<[^>]+>|\{[^}]*\}`)

func seenOf(l requests.Line) seen {
	endpoint := parameter.ReplaceAllString(l.Endpoint, "{}")
	return seen{strings.TrimSuffix(endpoint, "/"), l.Status, l.DBN, l.CacheN, l.HTTPN, l.TemplateN}
}

// door is a way to tell of requests: a program that answers some of its own, with a loop of queries, a cached value, a call
// to itself and a failure, and reports them.
type door struct {
	name, need string // need is the program that runs it
	run        func(t *testing.T, to target) *exec.Cmd
	want       map[seen]int
	release    string
	user       string // of the request with the loop; "" where the client tells none
	// The loop: its statement, how often it runs, and the line that asks, "" where the client tells none.
	loop, caller string
	repeats      int
	datagrams    bool // nothing can be sent again
}

// target is where a program reports to.
type target struct{ dsn, endpoint, key, syslog string }

func (to target) env(more ...string) []string {
	return append(append(os.Environ(), "DSN="+to.dsn, "ENDPOINT="+to.endpoint, "KEY="+to.key), more...)
}

// lookup is the statement of the loop in the programs that write their SQL by hand.
const lookup = "SELECT name FROM line WHERE id = $1"

// shop is what the programs become. The rates are asked for twice: the quote asks for them too.
func shop() map[seen]int {
	return map[seen]int{{endpoint: "/orders/{}", status: 200, db: 7}: 1, {endpoint: "/rates", status: 200, cache: 1}: 2,
		{endpoint: "/quote", status: 200, http: 1}: 1, {endpoint: "/fail", status: 500}: 1}
}

func doors(t *testing.T) []door {
	// Django writes to its cache too, which the first of both does, has a template, and two lines more in the order.
	django := map[seen]int{{endpoint: "/orders/{}", status: 200, db: 9}: 1, {endpoint: "/rates", status: 200, cache: 2}: 1, {endpoint: "/rates", status: 200, cache: 1}: 1,
		{endpoint: "/quote", status: 200, http: 1}: 1, {endpoint: "/cart", status: 200, db: 1, template: 1}: 1, {endpoint: "/fail", status: 500}: 1}
	// Flask has a template in place of a cache: Jinja is told of twice, compiled and rendered.
	flask := shop()
	delete(flask, seen{endpoint: "/rates", status: 200, cache: 1})
	flask[seen{endpoint: "/rates", status: 200, template: 2}] = 2
	cart := func(endpoint string, db, cache int) map[seen]int {
		return map[seen]int{{endpoint: endpoint, status: 200, db: db, cache: cache, http: 1, template: 1}: 1, {endpoint: "(no route)", status: 404}: 1,
			{endpoint: endpoint[:strings.LastIndex(endpoint, "cart")] + "broken", status: 500}: 1}
	}
	express := cart("/shop/cart/{}", 6, 1)
	delete(express, seen{endpoint: "/shop/broken", status: 500})
	express[seen{endpoint: "/broken", status: 500}] = 1
	const user = "id:52107"
	return []door{
		{name: "django", need: "python3", run: python3("perf_django"), want: django, release: "shop@1", user: user, repeats: 8,
			loop: `SELECT "shop_line"."id", "shop_line"."order", "shop_line"."name" FROM "shop_line" WHERE "shop_line"."id" = %s LIMIT 21`, caller: fmt.Sprintf("main.py:%d __main__.", djangoLoop(t))},
		{name: "express", need: "node", run: node("sdk/perf_express"), want: shop(), release: "shop@1", user: user, loop: lookup, repeats: 6},
		{name: "express-static", need: "node", run: node("sdk/perf_express", "LIFECYCLE=static"), want: shop(), release: "shop@1", user: user, loop: lookup, repeats: 6},
		{name: "fiber", need: "go", run: built("perf_gofiber"), want: shop(), release: "shop@1", user: user, loop: lookup, repeats: 6},
		{name: "otel-go", need: "go", run: built("perf_otelgo"), want: shop(), release: "1", user: user, loop: lookup, repeats: 6, caller: "shop/order.go:42 shop.show"},
		{name: "otel-python", need: "python3", run: python3("perf_otelpython"), want: flask, release: "1", user: user, loop: lookup, repeats: 6},
		{name: "otel-python-protobuf", need: "python3", run: python3("perf_otelpython", "PROTOCOL=protobuf"), want: flask, release: "1", user: user, loop: lookup, repeats: 6},
		// Its program names the user on the span of the handler, which is the active one, and so not on the request.
		{name: "otel-node", need: "node", run: node("sdk/perf_otelnode"), want: shop(), release: "1", loop: lookup, repeats: 6},
		{name: "syslog-django", need: "python3", run: syslogProgram("django", "python"), want: cart("/cart/{}", 7, 2), release: "shop@4.18.0", loop: "SELECT %s + 1",
			repeats: 6, caller: "main.py:", datagrams: true},
		{name: "syslog-express", need: "node", run: syslogProgram("express", "node"), want: express, release: "shop@4.18.0", loop: "SELECT $1 + 1",
			repeats: 6, caller: "main.js:", datagrams: true},
		{name: "logger", need: "logger", run: logger, want: map[seen]int{{endpoint: "/orders/{}", status: 200, db: 7}: 1}, release: "shop@1", user: user, loop: lookup,
			repeats: 6, caller: "views.py:51 order", datagrams: true},
	}
}

func python3(name string, env ...string) func(*testing.T, target) *exec.Cmd {
	return func(t *testing.T, to target) *exec.Cmd {
		cmd := exec.Command(filepath.Join(cache(t), name, "bin", "python"), filepath.Join("sdk", name, "main.py"))
		cmd.Env = to.env(env...)
		return cmd
	}
}

func node(dir string, env ...string) func(*testing.T, target) *exec.Cmd {
	return func(_ *testing.T, to target) *exec.Cmd {
		cmd := in(dir, exec.Command("node", "main.js"))
		cmd.Env = to.env(env...)
		return cmd
	}
}

// built runs a program that setup.sh has built.
func built(name string) func(*testing.T, target) *exec.Cmd {
	return func(t *testing.T, to target) *exec.Cmd {
		cmd := exec.Command(filepath.Join(cache(t), name))
		cmd.Env = to.env()
		return cmd
	}
}

// syslogProgram runs the program of a client of docs/syslog.md.
func syslogProgram(name, language string) func(*testing.T, target) *exec.Cmd {
	return func(t *testing.T, to target) *exec.Cmd {
		program, file := "node", "main.js"
		if language == "python" {
			program, file = filepath.Join(cache(t), "venv", "bin", "python"), "main.py"
		}
		cmd := in(filepath.Join("sdk", "syslog", name), exec.Command(program, file, to.syslog, "1"))
		cmd.Env = to.env()
		return cmd
	}
}

// logger sends a record by the program of that name.
func logger(_ *testing.T, to target) *exec.Cmd {
	var queries []string
	for range 6 {
		queries = append(queries, `{"sql":"`+lookup+`","ms":2,"caller":"views.py:51 order"}`)
	}
	record := `@cee: {"route":"/orders/{number}","ms":40,"method":"GET","status":200,"db_ms":14,"db_n":7,"release":"shop@1","env":"test","user":"id:52107","key":"` + to.key +
		`","queries":[{"sql":"SELECT id FROM line WHERE order_number = $1","ms":2},` + strings.Join(queries, ",") + `]}`
	host, port, _ := net.SplitHostPort(to.syslog)
	return exec.Command("logger", "--udp", "--server", host, "--port", port, "--rfc5424", "--size", "8KiB", "-t", "shop", record)
}

// TestRequestDoors holds that unmodified SDKs of Sentry and OpenTelemetry, and clients by syslog, tell of the same request alike: the
// same endpoints, statuses, categories with their counts and statements, and times that sum to the duration. What is sent again
// counts once.
func TestRequestDoors(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	udp := freeUDP(t)
	s := newServer(t, "KIBITZ_SYSLOG=udp://"+udp)
	for _, d := range doors(t) {
		t.Run(d.name, func(t *testing.T) {
			needPrograms(t, d.need)
			sub := *s
			sub.t = t
			d.check(t, &sub, udp)
		})
	}
	t.Run("partial", func(t *testing.T) {
		sub := *s
		sub.t = t
		checkPartial(t, &sub)
	})
	s.stop()
}

func (d door) check(t *testing.T, s *server, udp string) {
	key := s.newProject("door-" + d.name)
	tap := newTap(t, s.base)
	to := target{key.dsn(tap.URL), tap.URL, key.public, udp}
	if out, err := d.run(t, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n := 0
	for _, c := range d.want {
		n += c
	}
	list := s.requests("door-"+d.name, n)
	d.checkRequests(t, s, list)
	if d.datagrams {
		return
	}
	tap.resend(t)
	s.mark(key.public)
	if again := s.requests("door-"+d.name, n+1); len(again) != n+1 {
		t.Errorf("sent again, %d requests have become %d", n, len(again)-1)
	}
}

func (d door) checkRequests(t *testing.T, s *server, list []requests.Line) {
	t.Helper()
	got := map[seen]int{}
	for _, l := range list {
		got[seenOf(l)]++
		d.checkLine(t, l)
		if l.DBN >= 6 {
			d.checkLoop(t, s, l)
		}
	}
	if !maps.Equal(got, d.want) {
		t.Errorf("got  %v\nwant %v", got, d.want)
	}
	if d.user == "" {
		return
	}
	theirs := jsonLines[requests.Line](t, s.command("requests", "list", "--project", "door-"+d.name, "--json", "user:"+d.user))
	if len(theirs) != 1 || theirs[0].DBN < 6 {
		t.Errorf("requests of %s: %+v", d.user, theirs)
	}
}

func (d door) checkLine(t *testing.T, l requests.Line) {
	t.Helper()
	sum := l.DBMS + l.CacheMS + l.HTTPMS + l.TemplateMS + l.PoolMS + l.OtherMS
	if l.DurationMS <= 0 || math.Abs(sum-l.DurationMS) > 0.01 {
		t.Errorf("categories of %s sum to %v of %v ms", l.Endpoint, sum, l.DurationMS)
	}
	if l.Method != "GET" || l.Failed != (l.Status >= 500) || l.Release != d.release || l.Env != "test" || l.Weight != 1 || time.Since(l.Start).Abs() > time.Hour {
		t.Errorf("got %+v", l)
	}
}

// checkLoop holds that the spans of a request are kept, with the statement of its loop.
func (d door) checkLoop(t *testing.T, s *server, l requests.Line) {
	t.Helper()
	_, want := sqltext.Normalize(d.loop)
	n, spans := 0, s.spans(l.TraceID)
	for _, span := range spans {
		if _, print := sqltext.Normalize(span.Text); span.RequestID != l.SpanID || span.Category != "db" || print != want {
			continue
		}
		n++
		if span.DurationMS <= 0 || !strings.HasPrefix(span.Caller, d.caller) {
			t.Errorf("got %+v", span)
		}
	}
	if n != d.repeats {
		t.Errorf("the statement of the loop is there %d times, not %d: %+v", n, d.repeats, spans)
	}
}

// partial is two spans, one of which no id names.
const partial = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[
	{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /whole","kind":2,"startTimeUnixNano":"%[1]d","endTimeUnixNano":"%[2]d"},
	{"traceId":"none","spanId":"eee19b7ec3c1b175","name":"GET /broken","kind":2,"startTimeUnixNano":"%[1]d","endTimeUnixNano":"%[2]d"}]}]}]}`

// checkPartial holds that of a message of which a part can be taken that part is, and that the sender is told of the rest.
func checkPartial(t *testing.T, s *server) {
	key := s.newProject("door-partial")
	start := time.Now().UnixNano()
	status, answer := s.traces(key.public, fmt.Sprintf(partial, start, start+int64(time.Millisecond)))
	var told struct {
		PartialSuccess struct {
			RejectedSpans json.Number
			ErrorMessage  string
		}
	}
	if err := json.Unmarshal([]byte(answer), &told); err != nil || status != 200 || told.PartialSuccess.RejectedSpans != "1" || told.PartialSuccess.ErrorMessage == "" {
		t.Errorf("%d %s", status, answer)
	}
	if list := s.requests("door-partial", 1); len(list) != 1 || list[0].Endpoint != "GET /whole" && list[0].Endpoint != "/whole" {
		t.Errorf("got %+v", list)
	}
	if status, answer := s.traces(key.public, "{"); status != 400 {
		t.Errorf("half a message: %d %s", status, answer)
	}
	if status, answer := s.traces("00000000000000000000000000000000", "{}"); status != 401 && status != 403 {
		t.Errorf("an unknown key: %d %s", status, answer)
	}
}

// traces sends a message of OpenTelemetry in JSON.
func (s *server) traces(key, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.base+"/v1/traces", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// mark sends a request of one span: when it is there, so is everything that was sent before.
func (s *server) mark(key string) {
	s.t.Helper()
	now := time.Now().UnixNano()
	body := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + fmt.Sprintf("%032x", now) + `","spanId":"` + fmt.Sprintf("%016x", now) +
		`","name":"GET /mark","kind":2,"startTimeUnixNano":"` + strconv.FormatInt(now, 10) + `","endTimeUnixNano":"` + strconv.FormatInt(now+1, 10) + `"}]}]}]}`
	if status, answer := s.traces(key, body); status != http.StatusOK {
		s.t.Fatalf("%d %s", status, answer)
	}
}

// projectKey is the public key of a project, and the project's number.
type projectKey struct{ public, project string }

// dsn is what an SDK is given to report to a server.
func (k projectKey) dsn(base string) string {
	return strings.Replace(base, "://", "://"+k.public+"@", 1) + "/" + k.project
}

// newProject makes a project and waits until the server, which looks for new keys every two seconds, knows its key.
func (s *server) newProject(slug string) projectKey {
	s.t.Helper()
	public, rest, _ := strings.Cut(strings.TrimPrefix(after(s.command("project", "add", slug), "dsn:"), "http://"), "@")
	s.until("the key of "+slug+" is known", func() bool {
		status, _ := s.traces(public, "{}")
		return status == http.StatusOK
	})
	return projectKey{public, rest[strings.LastIndexByte(rest, '/')+1:]}
}

// requests waits for n requests of a project and answers them in the order in which they began.
func (s *server) requests(project string, n int) (list []requests.Line) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d requests are there", n), func() bool {
		list = jsonLines[requests.Line](s.t, s.command("requests", "list", "--project", project, "--since", "1h", "--json"))
		return len(list) >= n
	})
	slices.SortFunc(list, func(a, b requests.Line) int { return a.Start.Compare(b.Start) })
	return list
}

func (s *server) spans(trace string) []requests.SpanLine {
	s.t.Helper()
	return jsonLines[requests.SpanLine](s.t, s.command("requests", "show", trace, "--json"))
}

func jsonLines[T any](t *testing.T, text string) (list []T) {
	t.Helper()
	for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
		var v T
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		list = append(list, v)
	}
	return list
}

// tap stands between an SDK and Kibitz and keeps what was sent, to send it again.
type tap struct {
	*httptest.Server
	base string
	mu   sync.Mutex
	sent []*http.Request
	body [][]byte
}

func newTap(t *testing.T, base string) *tap {
	p := &tap{base: base}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.sent, p.body = append(p.sent, r), append(p.body, body)
	p.mu.Unlock()
	res, err := p.send(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	io.Copy(w, res.Body)
}

func (p *tap) send(r *http.Request, body []byte) (*http.Response, error) {
	req, err := http.NewRequest(r.Method, p.base+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	return http.DefaultClient.Do(req)
}

// resend sends everything again, as a client does that has not heard the answer.
func (p *tap) resend(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.sent {
		res, err := p.send(r, p.body[i])
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s, sent again: %s", r.URL.Path, res.Status)
		}
	}
	if len(p.sent) == 0 {
		t.Error("nothing was sent")
	}
}
