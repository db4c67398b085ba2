package apptest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/receiver/sockets"
)

// syslogDoor is a syslog door that keeps what comes.
type syslogDoor struct {
	*sockets.Door
	mu       sync.Mutex
	requests []trace.Request
	lines    []trace.LogLine
	counts   map[string]int64
}

func newSyslogDoor(t *testing.T, addresses ...string) *syslogDoor {
	t.Helper()
	d := &syslogDoor{counts: map[string]int64{}}
	o := sockets.Options{SocketMode: 0o666, Limits: sockets.DefaultLimits(), Project: 1, Log: slog.New(slog.DiscardHandler),
		Requests: func(_ context.Context, _ ingest.Source, list []trace.Request) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.requests = append(d.requests, list...)
			return nil
		},
		Logs: func(_ context.Context, _ ingest.Source, list []trace.LogLine) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.lines = append(d.lines, list...)
			return nil
		},
		Count: func(_ int64, _ string, _ ingest.Outcome, reason string, n int64) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.counts[reason] += n
		}}
	for _, text := range addresses {
		a, err := sockets.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Listen = append(o.Listen, a)
	}
	var err error
	if d.Door, err = sockets.Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// got waits for n requests and log lines.
func (d *syslogDoor) got(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		have, counts := len(d.requests)+len(d.lines), fmt.Sprint(d.counts)
		d.mu.Unlock()
		if have == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d came; outcomes %s", have, n, counts)
		}
	}
}

// syslogClient is a client of docs/syslog.md and how its program is run.
type syslogClient struct {
	name, file, route, platform, query, caller string
	program                                    func(t *testing.T, address string, n int) *exec.Cmd
}

func syslogClients() []syslogClient {
	return []syslogClient{
		{"django", "django/kibitz_syslog.py", "/cart/<int:id>/", "python", "SELECT %s + 1", "main.py cart", func(t *testing.T, address string, n int) *exec.Cmd {
			return in("sdk/syslog/django", exec.Command(filepath.Join(cache(t), "venv", "bin", "python"), "main.py", address, fmt.Sprint(n)))
		}},
		{"express", "express/kibitz-syslog.js", "/shop/cart/:id", "node", "SELECT $1 + 1", "main.js cart", func(_ *testing.T, address string, n int) *exec.Cmd {
			return in("sdk/syslog/express", exec.Command("node", "main.js", address, fmt.Sprint(n)))
		}},
	}
}

// TestSyslogClients runs the clients of docs/syslog.md for real: what a request spent where, its loop of queries with their line of
// code, its failures.
func TestSyslogClients(t *testing.T) {
	t.Parallel()
	needPrograms(t, "python3", "node")
	docs, err := os.ReadFile(filepath.Join(root, "docs", "syslog.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range syslogClients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("sdk", "syslog", c.file))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(docs), string(text)) {
				t.Errorf("docs/syslog.md does not hold %s as it is", c.file)
			}
			d := newSyslogDoor(t, "udp://127.0.0.1:0")
			out, err := c.program(t, d.Addresses()[0], 3).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "dropped 0") {
				t.Fatalf("%v\n%s", err, out)
			}
			d.got(t, 5)
			c.check(t, d.requests)
		})
	}
}

func (c syslogClient) check(t *testing.T, requests []trace.Request) {
	t.Helper()
	seen := map[string]int{}
	for _, q := range requests {
		seen[fmt.Sprint(q.Name, q.Status)]++
		if q.Name == c.route {
			c.checkCart(t, q)
		}
		if q.Status == 500 && !q.Failed {
			t.Errorf("a failure is none: %+v", q)
		}
	}
	if seen[c.route+"200"] != 3 || seen["(no route)404"] != 1 || len(seen) != 3 {
		t.Errorf("got %v", seen)
	}
}

func (c syslogClient) checkCart(t *testing.T, q trace.Request) {
	t.Helper()
	if q.Method != "GET" || q.URL[strings.LastIndexByte(q.URL, '7'):] != "7/?a=b" && !strings.HasSuffix(q.URL, "7?a=b") || q.Release != "shop@4.18.0" || q.Environment != "test" ||
		q.Service != "shop" || q.Platform != c.platform || q.Trace.String() != "0af7651916cd43dd8448eb211c80319c" || q.Parent.String() != "b7ad6b7169203331" ||
		time.Since(q.Start).Abs() > time.Hour || q.Duration <= 0 {
		t.Errorf("got %+v", q)
	}
	if q.Totals.N[trace.DB] < 6 || q.Totals.N[trace.Cache] < 1 || q.Totals.N[trace.HTTP] != 1 || q.Totals.Time[trace.HTTP] <= 0 || q.Totals.N[trace.Template] != 1 || q.Totals.Time[trace.DB] <= 0 || q.Totals.Time[trace.Template] <= 0 || q.Lost != 0 {
		t.Errorf("totals %+v", q.Totals)
	}
	loop := 0
	for _, s := range q.Spans {
		if s.Text == c.query && s.Line > 0 && s.File+" "+s.Func == c.caller {
			loop++
		}
	}
	if loop != 6 {
		t.Errorf("%d queries of the loop in %+v", loop, q.Spans)
	}
}

// TestSyslogClientBlocked holds that the Django client does not wait for a reader that does not read, and counts.
func TestSyslogClientBlocked(t *testing.T) {
	t.Parallel()
	needPrograms(t, "python3")
	path := filepath.Join(t.TempDir(), "log")
	deaf, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := in("sdk/syslog/django", exec.CommandContext(ctx, filepath.Join(cache(t), "venv", "bin", "python"), "main.py", path, "400"))
	out, err := cmd.CombinedOutput()
	if _, n, ok := strings.Cut(string(out), "dropped "); err != nil || !ok || strings.TrimSpace(n) == "0" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestSyslogServe holds that a record is found among the requests of the whole program, by its door's project or by its key, and that
// the door opens again after a kill.
func TestSyslogServe(t *testing.T) {
	t.Parallel()
	needPrograms(t, "logger")
	path := filepath.Join(t.TempDir(), "log")
	s := newServer(t, "KIBITZ_SYSLOG=unix://"+path)
	dsn := after(s.command("project", "add", "shop"), "dsn:")
	key := dsn[len("http://"):strings.IndexByte(dsn, '@')]
	send := func(text string) {
		if out, err := exec.Command("logger", "--socket", path, "-t", "shop", text).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	found := func(project, endpoint string) {
		for end := time.Now().Add(60 * time.Second); !strings.Contains(s.command("requests", "list", "--project", project, "--since", "1h", "--json"), endpoint); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no request of %s in %s:\n%s", endpoint, project, s.log)
			}
		}
	}
	send(`{"route":"/by-door","ms":3}`)
	found("default", "/by-door")
	s.kill()
	s.start()
	send(`{"route":"/by-key","ms":3,"key":"` + key + `"}`)
	found("shop", "/by-key")
	s.stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file is left after a clean stop: %v", err)
	}
}

// rsyslogConf forwards a socket's messages in every way that rsyslog is used: both forms over UDP, both framings over TCP, and into a
// Unix socket.
const rsyslogConf = `module(load="imuxsock" SysSock.Use="off")
module(load="omuxsock")
input(type="imuxsock" Socket="%[1]s/in")
$OMUxSockSocket %[1]s/door
action(type="omfwd" target="127.0.0.1" port="%[2]s" protocol="udp")
action(type="omfwd" target="127.0.0.1" port="%[2]s" protocol="udp" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="%[3]s" protocol="tcp" template="RSYSLOG_ForwardFormat")
action(type="omfwd" target="127.0.0.1" port="%[3]s" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
*.* :omuxsock:
`

// TestRsyslog holds that the same message through each of rsyslog's ways is the same line, and that a record arrives through it.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("rsyslogd"); err != nil {
		t.Skip("rsyslogd is not installed; as root, app/apptest/setup.sh does it")
	}
	needPrograms(t, "logger")
	dir := t.TempDir()
	d := newSyslogDoor(t, "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "unix://"+dir+"/door")
	port := func(i int) string { return strings.TrimPrefix(d.Addresses()[i], "127.0.0.1:") }
	conf := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rsyslogConf, dir, port(0), port(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "in")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("rsyslogd did not come up")
		}
	}
	for _, text := range []string{"no région", `@cee: {"route":"/cart/","ms":12.5,"db_n":3}`} {
		cmd := exec.Command("logger", "--socket", filepath.Join(dir, "in"), "-t", "shop", "--id=4711", "-p", "local0.warn", text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	d.got(t, 10)
	for _, l := range d.lines {
		if l.Body != "no région" || l.Logger != "shop" || l.Level != "warn" || time.Since(l.At).Abs() > time.Hour {
			t.Errorf("got %+v", l)
		}
	}
	if len(d.requests) != 5 || d.requests[4].Name != "/cart/" || d.requests[4].Duration != 12500*time.Microsecond {
		t.Errorf("got %+v", d.requests)
	}
}
