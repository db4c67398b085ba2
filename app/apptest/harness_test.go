// Package apptest runs the whole program: real servers, real SDKs, a real browser. setup.sh installs what it needs.
package apptest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds bin/kibitz once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kibitz-bin-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "kibitz")
	out, err := exec.Command("go", "build", "-o", name, "kibitz/app").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return name, os.Chmod(dir, 0o755)
})

// server is a running Kibitz in a process of its own.
type server struct {
	t     *testing.T
	cmd   *exec.Cmd
	dir   string
	base  string
	setup string
	dsn   string
	log   *lockedBuffer
	ended chan error
	// settings are variables of the environment.
	settings []string
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

// needPrograms skips in the short run and fails, saying what to do, when a program is not there.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	if os.Getenv("KIBITZ_TEST_SHORT") != "" {
		t.Skip("KIBITZ_TEST_SHORT is set")
	}
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Fatalf("%s is not installed; run app/apptest/setup.sh", n)
		}
	}
}

// newServer starts Kibitz on a directory of its own. settings are variables (NAME=value) beside the usual ones.
func newServer(t *testing.T, settings ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "kibitz-app-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL may run as another user
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, dir: dir, base: "http://" + freeAddress(t), settings: settings}
	s.start()
	t.Cleanup(func() { s.kill() })
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (s *server) env() []string {
	env := []string{"KIBITZ_DATA=" + filepath.Join(s.dir, "data"), "KIBITZ_LISTEN=" + strings.TrimPrefix(s.base, "http://"), "KIBITZ_NODE=test"}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "KIBITZ_") {
			env = append(env, pair)
		}
	}
	return append(env, s.settings...)
}

// start runs `kibitz serve`, reads its lines and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	name, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.log, s.ended = exec.Command(name, "serve"), &lockedBuffer{}, make(chan error, 1)
	s.cmd.Env, s.cmd.Stderr = s.env(), s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for s.dsn = ""; lines.Scan(); {
		line := lines.Text()
		if v, ok := strings.CutPrefix(line, "setup: "); ok {
			s.setup = v
		}
		if v, ok := strings.CutPrefix(line, "dsn: "); ok {
			s.dsn = v
			break
		}
	}
	if s.dsn == "" {
		s.t.Fatalf("the server did not come up:\n%s", s.log)
	}
	cmd, ended := s.cmd, s.ended
	go func() {
		io.Copy(io.Discard, out)
		ended <- cmd.Wait()
		close(ended)
	}()
	s.until("the server is ready", func() bool { return s.status("/-/ready") == http.StatusOK })
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// stop ends the server as an operator would; it has ten seconds.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("the server ended with %v:\n%s", err, s.log)
		}
	case <-time.After(10 * time.Second):
		s.t.Errorf("the server did not end within ten seconds:\n%s", s.log)
	}
}

// until waits for a condition, a minute at most.
func (s *server) until(what string, ok func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain until %s; the server said:\n%s", what, s.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *server) status(path string) int {
	res, err := http.Get(s.base + path)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// command runs another command of Kibitz beside the server and answers what it printed.
func (s *server) command(args ...string) string {
	s.t.Helper()
	name, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = s.env()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("kibitz %s: %v\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String()
}

// after is what stands behind a word on a line of its own.
func after(text, word string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, word+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// api asks the API for JSON.
func (s *server) api(token, path string, into any) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s %v\n%s", path, res.Status, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, body)
	}
}

// cache is where setup.sh puts what it installs.
func cache(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KIBITZ_TEST_CACHE"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs(".cache")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	t.Fatal("no Chromium is installed; run app/apptest/setup.sh")
	return ""
}

// freeUDP is an address for datagrams that nobody has.
func freeUDP(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}
