package pglocal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperDir makes a copy of this test program start the cluster in that directory and wait to be killed.
const helperDir = "KIBITZ_TEST_PGLOCAL_DIR"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(helperDir); ok {
		helper(dir)
	}
	os.Exit(m.Run())
}

// helper says "up PID" when the cluster is up, and stays.
func helper(dir string) {
	s, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("up", s.PID())
	select {}
}

// startHelper answers the helper process and the postmaster that it started.
func startHelper(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscanf(line, "up %d", &pid); err != nil {
		t.Fatalf("the helper said %q", line)
	}
	return cmd, pid
}

// tempDir can be reached by the OS user of PostgreSQL, which t.TempDir cannot.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pglocal-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "postgres")
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
}

func query(t *testing.T, s *Server, sql string) string {
	t.Helper()
	value, err := tryQuery(s, sql)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func tryQuery(s *Server, sql string) (string, error) {
	w, err := dialWire(context.Background(), s.current().socketDir)
	if err != nil {
		return "", err
	}
	defer w.close()
	return w.query(sql)
}

// eventually waits for a condition; the time is only there to end a test that would hang.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if poll(ctx, func() (bool, error) { return cond(), nil }) != nil {
		t.Fatal("never happened: " + what)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error lacks %q: %v", p, err)
		}
	}
}

func TestStartStop(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, dir)
	if s.Attached() {
		t.Error("a server that we started is not attached")
	}
	if got := query(t, s, "SELECT current_user"); got != Superuser {
		t.Errorf("current_user = %q", got)
	}
	query(t, s, "CREATE TABLE kept AS SELECT 42 AS n")
	for name, want := range map[string]string{"listen_addresses": "", "server_encoding": "UTF8", "data_checksums": "on", "jit": "off",
		"max_connections": "100", "unix_socket_permissions": "0700", "TimeZone": "UTC", "cluster_name": "kibitz"} {
		if got := query(t, s, "SHOW "+name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := query(t, s, "SELECT lower('É') || ('a' < 'B')::text"); got != "éfalse" {
		t.Errorf("the locale is not C.UTF-8: %q", got)
	}
	for _, path := range []string{s.home.socket(), s.home.data()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s is open to others: %v %v", path, info.Mode(), err)
		}
	}
	stop(t, s)
	if err := s.Stop(context.Background()); err != nil {
		t.Error("a second Stop:", err)
	}
	if err := s.Restart(context.Background()); err == nil {
		t.Error("Restart after Stop must fail: the lock is gone")
	}
	s = start(t, dir)
	if got := query(t, s, "SELECT n FROM kept"); got != "42" {
		t.Errorf("after a restart kept.n = %q", got)
	}
}

func TestDSN(t *testing.T) {
	t.Parallel()
	s := &Server{process: &process{socketDir: "/a b/socket"}}
	if got, want := s.DSN("kibitz_ops", "ki bitz"), "postgres:///ki%20bitz?host=%2Fa+b%2Fsocket&port=5432&sslmode=disable&user=kibitz_ops"; got != want {
		t.Errorf("DSN = %q, want %q", got, want)
	}
}

func TestLockAndAttach(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, dir)
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("a second Start: %v", err)
	}
	wantError(t, err, fmt.Sprint(os.Getpid()), s.Dir())
	a, err := Attach(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !a.Attached() || a.DSN("x", "y") != s.DSN("x", "y") || a.PID() != s.PID() {
		t.Errorf("attached %v to %q, want %q", a.Attached(), a.DSN("x", "y"), s.DSN("x", "y"))
	}
	if err := a.Restart(t.Context()); err == nil {
		t.Error("an attached server must not be restarted")
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-a.Done()
	if got := query(t, s, "SELECT 1"); got != "1" {
		t.Error("Stop of the attached server stopped the real one")
	}
}

func TestAttachToNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := tempDir(t)
	_, err := Attach(ctx, Options{Dir: dir})
	wantError(t, err, dir, "is Kibitz running?")
}

func TestTakeOverAfterKill(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cmd, pid := startHelper(t, dir)
	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Fatalf("beside the helper: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	s := start(t, dir)
	if s.PID() != pid {
		t.Fatalf("started process %d, want to take over %d", s.PID(), pid)
	}
	query(t, s, "CREATE TABLE kept AS SELECT 42 AS n")
	// The one that was taken over dies as badly as its parent did.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == pid || query(t, s, "SELECT n FROM kept") != "42" {
		t.Error("Restart lost the table")
	}
	select {
	case <-s.Done():
		t.Error("Done is closed after Restart")
	default:
	}
	stop(t, s)
	if isPostmaster(s.PID(), s.home.data()) {
		t.Error("PostgreSQL still runs")
	}
}

func TestStopTakenOver(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cmd, pid := startHelper(t, dir)
	cmd.Process.Kill()
	cmd.Wait()
	s := start(t, dir)
	stop(t, s)
	if isPostmaster(pid, s.home.data()) {
		t.Error("PostgreSQL still runs")
	}
	if _, err := os.Stat(filepath.Join(s.home.data(), "postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it was not a clean shutdown:", err)
	}
}

// A client in a transaction must not hold a stop up, and an impatient stop must still stop and say what it did.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	err := s.Stop(ended(t.Context()))
	<-s.Done()
	wantError(t, err, "recovers")
}

func TestRestartRunning(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	pid, dsn := s.PID(), s.DSN("a", "b")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == pid || s.DSN("a", "b") != dsn {
		t.Error("the process must be new and the address old")
	}
}

// Children of a killed postmaster hold the shared memory until they notice.
func TestRestartWithBusyOrphan(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	w, err := dialWire(t.Context(), s.current().socketDir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	go w.query("SELECT count(*) FROM generate_series(1, 30000000)")
	eventually(t, "the query runs", func() bool {
		n, err := tryQuery(s, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM gen%'")
		return err == nil && n == "1"
	})
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, s, "SELECT 1")
}

func TestStalePID(t *testing.T) {
	t.Parallel()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	s := start(t, dir)
	stop(t, s)
	// A dead process, a living one that is no PostgreSQL (us), and a file that was cut off.
	for _, pid := range []string{fmt.Sprint(dead.Process.Pid), fmt.Sprint(os.Getpid()), ""} {
		text := ""
		if pid != "" {
			text = pid + "\n" + s.home.data() + "\n1700000000\n5432\n" + s.home.socket() + "\n\n  1 1\nready   \n"
		}
		for _, path := range []string{filepath.Join(s.home.data(), "postmaster.pid"), socketFile(s.home.socket()) + ".lock"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, dir)
		query(t, s, "SELECT 1")
		stop(t, s)
	}
}

func TestWrongMajor(t *testing.T) {
	t.Parallel()
	for major, want := range map[string]string{"14": "pg_upgrade", "99": "pg_upgrade", "x": "PG_VERSION"} {
		dir := tempDir(t)
		file := filepath.Join(dir, "data", "PG_VERSION")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(major+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), Options{Dir: dir})
		wantError(t, err, want, filepath.Join(dir, "data"))
		if major != "x" {
			wantError(t, err, "made by PostgreSQL "+major, " in /")
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != major+"\n" {
			t.Errorf("the data was touched: %q %v", b, err)
		}
	}
}

func TestHalfInitdb(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	half := filepath.Join(dir, newData+"123")
	if err := os.MkdirAll(filepath.Join(half, "base", "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil { // empty, as an administrator may have made it
		t.Fatal(err)
	}
	s := start(t, dir)
	query(t, s, "SELECT 1")
	if left, _ := filepath.Glob(filepath.Join(dir, newData+"*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// The real thing: Kibitz is killed while initdb works.
func TestKilledInitdb(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "initdb has begun", func() bool {
		begun, _ := filepath.Glob(filepath.Join(dir, newData+"*", "PG_VERSION"))
		return len(begun) > 0
	})
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Skip("initdb was faster than us")
	}
	query(t, start(t, dir), "SELECT 1")
}

func TestUnknownFiles(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file := filepath.Join(dir, "data", "thesis.tex")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	wantError(t, err, "no PG_VERSION", filepath.Join(dir, "data"))
	if _, err := os.Stat(file); err != nil {
		t.Error("it was removed:", err)
	}
}
