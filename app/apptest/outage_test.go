package apptest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/store"
)

// sender sends requests by one door, one after the other at a steady pace, as a program that waits for the answer does.
type sender struct {
	door, project string
	send          func(trace string) error
	phase         *atomic.Int32
	sent          [phases]atomic.Int64

	mu    sync.Mutex
	took  [phases][]time.Duration
	wrong []error
}

// The phases of an outage.
const (
	before = iota
	frozen // PostgreSQL is there and does not answer
	gone   // it was killed, and is started again
	phases
)

// pace is between two requests of a sender.
const pace = 4 * time.Millisecond

func (d *sender) run(stop <-chan struct{}) {
	for tick := time.NewTicker(pace); ; {
		select {
		case <-stop:
			tick.Stop()
			return
		case <-tick.C:
		}
		phase, began := d.phase.Load(), time.Now()
		err := d.send(newTrace())
		d.mu.Lock()
		d.took[phase] = append(d.took[phase], time.Since(began))
		if err != nil {
			d.wrong = append(d.wrong, err)
		}
		d.mu.Unlock()
		d.sent[phase].Add(1)
	}
}

func (d *sender) all() (n int64) {
	for i := range d.sent {
		n += d.sent[i].Load()
	}
	return n
}

// p99 is a figure of the machine on which the tests run, and nothing to hold them against.
func (d *sender) p99(phase int) time.Duration {
	took := slices.Sorted(slices.Values(d.took[phase]))
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

func newTrace() string { return fmt.Sprintf("%016x%016x", rand.Uint64()|1, rand.Uint64()) }

// post sends a body and wants 200.
func post(client *http.Client, address, key, contentType, body string) error {
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key="+key)
	req.Header.Set("Content-Type", contentType)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, answer)
	}
	return err
}

// envelopeSender sends a transaction with a query, as a Sentry SDK does.
func envelopeSender(s *server, key projectKey, project string, phase *atomic.Int32) *sender {
	client := &http.Client{Timeout: 30 * time.Second} // what answers no sooner has stalled
	return &sender{door: "envelope", project: project, phase: phase, send: func(trace string) error {
		now := float64(time.Now().UnixMicro()) / 1e6
		body := fmt.Sprintf(`{"event_id":"%[1]s"}
{"type":"transaction"}
{"type":"transaction","event_id":"%[1]s","transaction":"/outage","transaction_info":{"source":"route"},"start_timestamp":%[3]f,"timestamp":%[4]f,"request":{"method":"GET"},`+
			`"contexts":{"trace":{"trace_id":"%[1]s","span_id":"%[2]s","op":"http.server"}},"spans":[{"span_id":"aaaaaaaaaaaaaaaa","parent_span_id":"%[2]s","trace_id":"%[1]s","op":"db",`+
			`"description":"SELECT 1","start_timestamp":%[3]f,"timestamp":%[4]f}]}`+"\n", trace, trace[:16], now-0.01, now)
		return post(client, s.base+"/api/"+key.project+"/envelope/", key.public, "application/x-sentry-envelope", body)
	}}
}

// otlpSender sends a span, as an OpenTelemetry SDK does.
func otlpSender(s *server, key projectKey, project string, phase *atomic.Int32) *sender {
	client := &http.Client{Timeout: 30 * time.Second}
	return &sender{door: "otlp", project: project, phase: phase, send: func(trace string) error {
		now := time.Now().UnixNano()
		body := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + trace + `","spanId":"` + trace[:16] + `","name":"GET /outage","kind":2,"startTimeUnixNano":"` +
			strconv.FormatInt(now-1e7, 10) + `","endTimeUnixNano":"` + strconv.FormatInt(now, 10) + `"}]}]}]}`
		return post(client, s.base+"/v1/traces", key.public, "application/json", body)
	}}
}

// syslogSender writes datagrams into a Unix socket, which blocks a writer whose reader does not read.
func syslogSender(t *testing.T, path string, phase *atomic.Int32) *sender {
	c, err := net.Dial("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &sender{door: "syslog", project: "default", phase: phase, send: func(trace string) error {
		if err := c.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
			return err
		}
		_, err := c.Write([]byte(`<134>shop: {"route":"/outage","ms":10,"status":200,"db_ms":4,"db_n":2,"trace":"` + trace + `"}`))
		return err
	}}
}

// outage is how long each phase is: three seconds, or what KIBITZ_TEST_OUTAGE says, 60s for the promise.
func outage(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("KIBITZ_TEST_OUTAGE")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOutage freezes PostgreSQL under load, kills it, and lets Kibitz start it again. Meanwhile every sender is answered, and afterwards
// what is stored and what was counted as dropped is what was sent. Syslog is held to 150 messages a second, so that some are dropped.
func TestOutage(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	length, path := outage(t), filepath.Join(t.TempDir(), "log")
	s := newServer(t, "KIBITZ_SYSLOG=unix://"+path, "KIBITZ_SYSLOG_RATE=150")
	var phase atomic.Int32
	senders := []*sender{envelopeSender(s, s.newProject("by-envelope"), "by-envelope", &phase), otlpSender(s, s.newProject("by-otlp"), "by-otlp", &phase), syslogSender(t, path, &phase)}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, d := range senders {
		wg.Go(func() { d.run(stop) })
	}
	lasts := func(p int32) {
		t.Helper()
		s.within(time.Minute+4*length, "phase "+strconv.Itoa(int(p))+" has passed", func() bool {
			return !slices.ContainsFunc(senders, func(d *sender) bool { return d.sent[p].Load() < int64(length/pace)*3/4 })
		})
	}
	lasts(before)
	pids := s.postgres()
	signal(t, pids, syscall.SIGSTOP)
	phase.Store(frozen)
	lasts(frozen)
	signal(t, pids, syscall.SIGKILL)
	phase.Store(gone)
	lasts(gone)
	close(stop)
	wg.Wait()
	s.checkOutage(senders)
	s.stop()
}

// within is until with a time of its own.
func (s *server) within(most time.Duration, what string, ok func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain until %s; the server said:\n%s", what, s.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postgres are the processes of the server's PostgreSQL, its postmaster first.
func (s *server) postgres() []int {
	s.t.Helper()
	return s.postgresAt(filepath.Join(s.dir, "data", "postgres"))
}

// postgresAt are those of the PostgreSQL in a directory.
func (s *server) postgresAt(dir string) []int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(line)
	if err != nil {
		s.t.Fatal(err)
	}
	pids := []int{postmaster}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may hold anything
		if f := strings.Fields(rest); len(f) > 1 && f[1] == line {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func signal(t *testing.T, pids []int, sig syscall.Signal) {
	t.Helper()
	for i, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && (i == 0 || err != syscall.ESRCH) {
			t.Fatalf("cannot send %v to process %d: %v", sig, pid, err)
		}
	}
}

// checkOutage holds that nobody was turned away or kept waiting, and that everything that was sent is accounted for.
func (s *server) checkOutage(senders []*sender) {
	s.t.Helper()
	outcomes := s.outcomes()
	for _, d := range senders {
		if len(d.wrong) > 0 {
			s.t.Errorf("%s: %d of %d were not taken, the first: %v", d.door, len(d.wrong), d.all(), d.wrong[0])
		}
		var stored, dropped int64
		s.within(3*time.Minute, "everything sent by "+d.door+" is accounted for", func() bool {
			stored, dropped = outcomes(d.project)
			return stored+dropped >= d.all()
		})
		if stored+dropped != d.all() || dropped > 0 != (d.door == "syslog") {
			s.t.Errorf("%s: %d stored and %d dropped of %d sent", d.door, stored, dropped, d.all())
		}
		if list := s.checkOnce(d.project, int(stored), nil); len(list) != int(stored) {
			s.t.Errorf("%s: %d requests are listed, and %d were stored", d.door, len(list), stored)
		}
		s.t.Logf("%-8s %d sent, %d stored, %d dropped; p99 before %v, frozen %v, gone %v", d.door, d.all(), stored, dropped, d.p99(before), d.p99(frozen), d.p99(gone))
	}
}

// checkOnce waits until each of the traces has a request in a project, and holds that none has two.
func (s *server) checkOnce(project string, n int, traces []string) []requests.Line {
	s.t.Helper()
	var list []requests.Line
	seen := map[string]int{}
	s.until("everything acknowledged by "+project+" is there", func() bool {
		list = s.requests(project, n)
		clear(seen)
		for _, l := range list {
			seen[l.TraceID]++
		}
		return !slices.ContainsFunc(traces, func(trace string) bool { return seen[trace] == 0 })
	})
	if len(list) != len(seen) {
		s.t.Errorf("%s: %d requests of %d traces", project, len(list), len(seen))
	}
	return list
}

// outcomes opens the server's database beside it and answers what reads how many requests of a project were stored and how many
// messages were not.
func (s *server) outcomes() func(project string) (stored, dropped int64) {
	s.t.Helper()
	pg, err := pglocal.Attach(s.t.Context(), pglocal.Options{Dir: filepath.Join(s.dir, "data", "postgres")})
	if err != nil {
		s.t.Fatal(err)
	}
	parts := map[db.Partition]db.PartConfig{}
	for _, p := range db.Partitions {
		parts[p] = db.PartConfig{Primary: pg.DSN(db.Role(p), "kibitz")}
	}
	opened, err := db.Open(s.t.Context(), db.Config{Parts: parts, Pools: map[db.Use]int{db.Web: 2, db.Ingest: 1, db.Jobs: 1}, WebWait: 30 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(opened.Close)
	st := store.New(opened)
	return func(slug string) (stored, dropped int64) {
		projects, err := st.Projects(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		at := slices.IndexFunc(projects, func(p model.Project) bool { return p.Slug == slug })
		list, err := st.Outcomes(s.t.Context(), projects[at].ID, time.Now().Add(-2*time.Hour))
		if err != nil {
			s.t.Fatal(err)
		}
		return sums(list)
	}
}

// sums are how many requests were stored, and how many messages were counted in place of one.
func sums(list []model.OutcomeCount) (stored, dropped int64) {
	for _, o := range list {
		switch {
		case o.Category == "transaction" && o.Outcome == "stored":
			stored += o.N
		case o.Category == "transaction" || o.Category == "log_item":
			dropped += o.N
		}
	}
	return stored, dropped
}

// TestKillRequests kills Kibitz itself under a load of requests by two doors: every acknowledged one is stored exactly once.
func TestKillRequests(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	var phase atomic.Int32
	senders := []*sender{envelopeSender(s, s.newProject("by-envelope"), "by-envelope", &phase), otlpSender(s, s.newProject("by-otlp"), "by-otlp", &phase)}
	acked := make([][]string, len(senders))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i, d := range senders {
		send := d.send
		d.send = func(trace string) error { // by its own goroutine alone
			err := send(trace)
			if err == nil {
				acked[i] = append(acked[i], trace)
			}
			return err
		}
		wg.Go(func() { d.run(stop) })
	}
	sent := func(p int, n int64) {
		s.until("requests were sent", func() bool { return senders[0].sent[p].Load() >= n && senders[1].sent[p].Load() >= n })
	}
	sent(before, 300)
	s.kill()
	s.start()
	phase.Store(gone)
	sent(gone, 300)
	close(stop)
	wg.Wait()
	for i, d := range senders {
		s.checkOnce(d.project, len(acked[i]), acked[i])
		t.Logf("%s: %d sent, %d acknowledged", d.door, d.all(), len(acked[i]))
	}
	s.stop()
}
