package sockets

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest"
)

// sink is what stands behind a door in tests. hold blocks it while it is locked.
type sink struct {
	hold sync.Mutex

	mu       sync.Mutex
	requests []trace.Request
	lines    []trace.LogLine
	postgres []string
	sources  []ingest.Source
	counts   map[string]int64
}

func (s *sink) takeRequests(_ context.Context, from ingest.Source, list []trace.Request) error {
	s.hold.Lock()
	defer s.hold.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.sources = append(s.requests, list...), append(s.sources, from)
	return nil
}

func (s *sink) takeLogs(_ context.Context, from ingest.Source, list []trace.LogLine) error {
	s.hold.Lock()
	defer s.hold.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines, s.sources = append(s.lines, list...), append(s.sources, from)
	return nil
}

func (s *sink) takePostgres(_ ingest.Source, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.postgres = append(s.postgres, string(line))
}

func (s *sink) count(project int64, category string, outcome ingest.Outcome, reason string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[fmt.Sprintf("%d %s %s %s", project, category, outcome, reason)] += n
}

func (s *sink) counted(key string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[key]
}

// got is everything that arrived or was counted.
func (s *sink) got() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = int64(len(s.requests) + len(s.lines) + len(s.postgres))
	for _, c := range s.counts {
		n += c
	}
	return n
}

func (s *sink) bodies() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		list = append(list, l.Body)
	}
	return list
}

const goodKey = "0123456789abcdef0123456789abcdef"

// newDoor opens a door whose project is 7, and gives it with its sink.
func newDoor(t *testing.T, change func(*Options), addresses ...string) (*Door, *sink) {
	t.Helper()
	s := &sink{counts: map[string]int64{}}
	o := Options{SocketMode: 0o666, Limits: DefaultLimits(), Project: 7, Requests: s.takeRequests, Logs: s.takeLogs, Postgres: s.takePostgres, Count: s.count,
		Log: slog.New(slog.DiscardHandler), Key: func(_ context.Context, key string) (int64, int64, bool) {
			if key == goodKey {
				return 9, 90, true
			}
			return 0, 0, false
		}}
	for _, text := range addresses {
		a, err := ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Listen = append(o.Listen, a)
	}
	if change != nil {
		change(&o)
	}
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDoor(d) })
	return d, s
}

// closeDoor closes a door once.
func closeDoor(d *Door) {
	if !d.stopping() {
		d.Close(context.Background())
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s in time", what)
		}
	}
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

const message = "<134>1 2026-11-25T01:27:50Z web-3 shop 4711 - - "

// TestTransports sends the same through every socket and in every framing.
func TestTransports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, client := certificates(t)
	d, s := newDoor(t, func(o *Options) { o.TLS = server }, "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0", "unix://"+dir+"/d", "unixstream://"+dir+"/s")
	at := d.Addresses()
	send(t, dial(t, "udp", at[0]), message+"udp")
	send(t, dial(t, "unixgram", at[3]), message+"unix")
	send(t, dial(t, "tcp", at[1]), message+"lf\n"+message+"nul\x00"+message+"crlf\r\n")
	counted := dial(t, "tcp", at[1])
	for _, body := range []string{"counted\nof two lines", "again"} {
		send(t, counted, fmt.Sprintf("%d %s", len(message+body), message+body))
	}
	send(t, dial(t, "unix", at[4]), message+"stream\n")
	secured, err := tls.Dial("tcp", at[2], client)
	if err != nil {
		t.Fatal(err)
	}
	defer secured.Close()
	send(t, secured, fmt.Sprintf("%d %s", len(message+"tls"), message+"tls"))
	waitFor(t, "messages", func() bool { return s.got() == 9 })
	all := "\x01" + strings.Join(s.bodies(), "\x01") + "\x01"
	for _, want := range []string{"udp", "unix", "lf", "nul", "crlf", "counted\nof two lines", "again", "stream", "tls"} {
		if !strings.Contains(all, "\x01"+want+"\x01") {
			t.Errorf("%q is not in %q", want, all)
		}
	}
	if l := s.lines[0]; l.Host != "web-3" || l.Logger != "shop" || l.Level != "info" {
		t.Errorf("got %+v", l)
	}
}

// TestLogger sends with util-linux's logger in each of its forms.
func TestLogger(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("logger"); err != nil {
		t.Skip("logger is not here")
	}
	dir := t.TempDir()
	d, s := newDoor(t, nil, "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "unix://"+dir+"/d", "unixstream://"+dir+"/s")
	at := d.Addresses()
	port := func(i int) string { _, p, _ := net.SplitHostPort(at[i]); return p }
	record := []string{"--rfc5424", "--sd-id", "perf@32473", "--sd-param", `route="/cart/"`, "--sd-param", `ms="164.2"`}
	forms := [][]string{{"--udp", "--rfc3164"}, {"--udp", "--rfc5424"}, {"--tcp"}, {"--tcp", "--octet-count"}}
	for _, f := range append(forms, append([]string{"--udp"}, record...)) {
		p := port(0)
		if f[0] == "--tcp" {
			p = port(1)
		}
		run(t, append([]string{"--server", "127.0.0.1", "--port", p, "-t", "shop", "--id=4711", "-p", "local0.warn"}, append(f, "no région")...)...)
	}
	run(t, "--socket", at[2], "-t", "shop", "--id=4711", "-p", "local0.warn", "no région")
	run(t, "--socket", at[3], "-t", "shop", "--id=4711", "-p", "local0.warn", "no région")
	waitFor(t, "messages", func() bool { return s.got() == 7 })
	for i, l := range s.lines {
		if l.Body != "no région" || l.Logger != "shop" || l.Level != "warn" || time.Since(l.At).Abs() > time.Hour {
			t.Errorf("line %d is %+v", i, l)
		}
	}
	if len(s.lines) != 6 || len(s.requests) != 1 || s.requests[0].Name != "/cart/" || s.requests[0].Duration != 164200*time.Microsecond {
		t.Errorf("%d lines, requests %+v", len(s.lines), s.requests)
	}
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("logger", args...).CombinedOutput(); err != nil {
		t.Fatalf("logger %q: %v %s", args, err, out)
	}
}

// TestProjects holds whose a message is: the door's project, or that of its key.
func TestProjects(t *testing.T) {
	t.Parallel()
	d, s := newDoor(t, nil, "udp://127.0.0.1:0")
	c := dial(t, "udp", d.Addresses()[0])
	for _, text := range []string{`<14>{"route":"/a","ms":1,"key":"` + goodKey + `"}`, `<14>{"route":"/b","ms":1}`, `<14>{"route":"/c","ms":1,"key":"` + strings.Repeat("0", 32) + `"}`,
		`<14>{"route":"/d","ms":"much"}`, `<14>1 - - - - - [perf@1 key="x"] line`, "<134>Nov 25 01:00:00 postgres[12]: [3-1] LOG:  duration: 3 ms"} {
		send(t, c, text)
	}
	waitFor(t, "messages", func() bool { return s.got() == 6 })
	owners := map[int64]bool{}
	for _, from := range s.sources {
		owners[from.Project] = from.RemoteIP == "127.0.0.1" && (from.KeyID == 90) == (from.Project == 9)
	}
	if len(s.requests) != 2 || !owners[9] || !owners[7] || len(s.postgres) != 1 || !strings.HasPrefix(s.postgres[0], "<134>Nov 25") {
		t.Errorf("sources %+v, requests %+v, postgres %+v", s.sources, s.requests, s.postgres)
	}
	for _, key := range []string{"0 transaction invalid unknown_key", "7 transaction invalid syslog_record.udp", "0 log_item invalid auth_malformed"} {
		if s.counted(key) != 1 {
			t.Errorf("%s is not counted: %v", key, s.counts)
		}
	}
}

// TestBlocked holds that a sender never waits for what stands behind the door, and that everything sent is accepted or counted.
func TestBlocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, s := newDoor(t, func(o *Options) { o.Limits.Buffer, o.Limits.Rate = 64<<10, 1<<30 }, "unix://"+dir+"/d", "tcp://127.0.0.1:0", "udp://127.0.0.1:0")
	s.hold.Lock()
	const each = 5000
	datagrams, stream, udp := dial(t, "unixgram", d.Addresses()[0]), dial(t, "tcp", d.Addresses()[1]), dial(t, "udp", d.Addresses()[2])
	for i := range each { // a write that waited for the sink would never end
		send(t, datagrams, message+"datagram")
		send(t, stream, message+"stream\n")
		if i%50 == 0 {
			send(t, udp, message+"udp")
		}
	}
	full := func() int64 {
		return s.counted("7 log_item rate_limited syslog_full.unix") + s.counted("7 log_item rate_limited syslog_full.tcp") + s.counted("7 log_item rate_limited syslog_full.udp")
	}
	waitFor(t, "drop", func() bool { return full() > each/2 })
	s.hold.Unlock()
	const sent = 2*each + each/50
	waitFor(t, "accounting", func() bool { return s.got() == sent })
	if n := full(); n == 0 || n == sent || n+int64(len(s.bodies())) != sent {
		t.Errorf("%d of %d dropped, %d accepted: %v", n, sent, len(s.bodies()), s.counts)
	}
}

// TestClose holds that what was sent before a stop is handed on, that the socket's file is gone, and that a door opens again
// where one was killed.
func TestClose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	stale, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := ParseAddress("unix://" + path)
	if _, err := Open(Options{Listen: []Address{a}, Limits: DefaultLimits(), Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "another program listens") {
		t.Errorf("got %v", err)
	}
	stale.Close() // leaves the file, as a kill does
	d, s := newDoor(t, nil, "unix://"+path, "tcp://127.0.0.1:0")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	idle, c := dial(t, "tcp", d.Addresses()[1]), dial(t, "unixgram", path)
	send(t, idle, "<14>with")
	waitFor(t, "connection", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.conns) == 1 })
	for range 5 {
		send(t, c, message+"before the stop")
	}
	send(t, idle, "out an end")
	if err := d.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.bodies()); n != 5 {
		t.Errorf("%d of 5 messages", n)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket's file is still there: %v", err)
	}
	newDoor(t, nil, "unix://"+path)
}

// TestGarbage holds that nothing a sender does ends a door, and that each of it is counted.
func TestGarbage(t *testing.T) {
	t.Parallel()
	server, client := certificates(t)
	d, s := newDoor(t, func(o *Options) { o.TLS, o.Limits.MessageSize = server, 1000 }, "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0")
	at := d.Addresses()
	long := strings.Repeat("x", 1001)
	udp := dial(t, "udp", at[0])
	for _, text := range []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "<14>" + long, ""} {
		send(t, udp, text)
	}
	for _, text := range []string{"<14>" + long + "\n" + message + "good\n", "9999999999 <14>x", "12 <14>cut", "1001 " + long + "5 <14>a", "\x80\x81\x82\n"} {
		c := dial(t, "tcp", at[1])
		send(t, c, text)
		c.Close()
	}
	plain := dial(t, "tcp", at[2])
	send(t, plain, "<14>not TLS at all, but long enough to be looked at\n")
	other := client.Clone()
	other.Certificates = nil
	if c, err := tls.Dial("tcp", at[2], other); err == nil { // TLS 1.3: the server refuses after the client is done
		c.Close()
	}
	want := map[string]int64{"7 log_item invalid syslog_format.udp": 2, "7 log_item too_large syslog_message_size.udp": 1, "7 log_item too_large syslog_message_size.tcp": 2,
		"7 log_item invalid syslog_framing.tcp": 1, "7 log_item invalid syslog_format.tcp": 1, "7 connection invalid syslog_tls.tls": 2}
	waitFor(t, "outcomes", func() bool {
		for key, n := range want {
			if s.counted(key) != n {
				return false
			}
		}
		return len(s.bodies()) == 3
	})
	if bodies := s.bodies(); !bytes.Contains([]byte(strings.Join(bodies, " ")), []byte("good")) {
		t.Errorf("got %q", bodies)
	}
}

// TestLimits holds the allowance of a sender, the cap of connections, silence and the networks.
func TestLimits(t *testing.T) {
	t.Parallel()
	d, s := newDoor(t, func(o *Options) { o.Limits.Rate, o.Limits.Connections, o.Limits.Idle = 10, 2, 50*time.Millisecond }, "udp://127.0.0.1:0", "tcp://127.0.0.1:0")
	d.rate.mu.Lock()
	d.rate.now = func() time.Time { return time.Unix(1, 0) }
	d.rate.mu.Unlock()
	c := dial(t, "udp", d.Addresses()[0])
	for range 25 {
		send(t, c, message+"x")
	}
	waitFor(t, "messages", func() bool { return s.got() == 25 })
	if n := s.counted("7 log_item rate_limited syslog_rate.udp"); n != 15 {
		t.Errorf("%d of 25 above a rate of 10", n)
	}
	for range 3 {
		dial(t, "tcp", d.Addresses()[1])
	}
	waitFor(t, "refusal", func() bool { return s.counted("7 connection rate_limited syslog_connections.tcp") >= 1 })
	waitFor(t, "end of silent connections", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.conns) == 0 })
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"udp://127.0.0.1:5514": "", "unix:///run/kibitz/log": "", "tcp://[::1]:5514": "", "tcp://localhost:1": "", "tls://0.0.0.0:6514": "syslog_allow",
		"udp://:5514": "syslog_allow", "tcp://10.0.0.1:5514": "syslog_allow", "http://a": "begins with", "udp://127.0.0.1": "HOST:PORT", "unix://log": "whole path", "::": "no address", "": "begins with"} {
		a, err := ParseAddress(text)
		if err == nil {
			err = a.guarded(nil)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
	allow := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for ip, want := range map[string]bool{"10.1.2.3": true, "127.0.0.1": true, "::1": true, "192.0.2.1": false, "2001:db8::1": false} {
		if allowed(allow, netip.MustParseAddr(ip)) != want {
			t.Errorf("%s must be allowed: %v", ip, want)
		}
	}
}
