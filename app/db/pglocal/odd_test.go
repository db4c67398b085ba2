package pglocal

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), strings.Repeat("long, \"quoted\" and 'odd' ", 5))
	s := start(t, dir)
	query(t, s, "SELECT 1")
	socketDir := s.current().socketDir
	t.Cleanup(func() { os.Remove(socketDir) })
	if len(socketFile(socketDir)) > socketLimit || strings.HasPrefix(socketDir, dir) {
		t.Errorf("the socket is in %s", socketDir)
	}
	if info, err := os.Stat(socketDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of the socket is open: %v %v", info.Mode(), err)
	}
	a, err := Attach(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(t.Context())
	if a.DSN("a", "b") != s.DSN("a", "b") {
		t.Errorf("attached to %s, want %s", a.DSN("a", "b"), s.DSN("a", "b"))
	}
}

// A directory with odd letters whose socket fits, so that its name goes through the settings.
func TestOddPath(t *testing.T) {
	t.Parallel()
	s := start(t, filepath.Join(tempDir(t), `a, "b" 'c' %d`))
	if query(t, s, "SELECT 1"); s.current().socketDir != s.home.socket() {
		t.Errorf("the socket is in %s", s.current().socketDir)
	}
}

func TestForeignSocketDir(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a directory that belongs to another user")
	}
	dir := filepath.Join(t.TempDir(), "socket")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	wantError(t, checkPrivate(dir, nil), "belongs to the user with id 12345")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/tmp", link); err != nil {
		t.Fatal(err)
	}
	wantError(t, checkPrivate(link, nil), link)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs PostgreSQL as another user")
	}
	closed := filepath.Join(filepath.Dir(tempDir(t)), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: filepath.Join(closed, "kibitz", "postgres")})
	wantError(t, err, "cannot enter "+closed+":", "KIBITZ_DATA", "as the user")
}

// Root has put a backup back: the files are root's.
func TestRestoredByRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can own another user's files")
	}
	dir := tempDir(t)
	s := start(t, dir)
	stop(t, s)
	if out, err := exec.Command("chown", "-R", "0:0", s.home.data()).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	query(t, start(t, dir), "SELECT 1")
}

func TestNotDurable(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, dir)
	pid := s.PID()
	query(t, s, "ALTER SYSTEM SET fsync = off")
	stop(t, s)
	_, err := Start(t.Context(), Options{Dir: dir})
	wantError(t, err, "fsync = off", "postgresql.auto.conf")
	if isPostmaster(pid, s.home.data()) {
		t.Error("it was left running")
	}
	if err := os.Remove(filepath.Join(s.home.data(), "postgresql.auto.conf")); err != nil {
		t.Fatal(err)
	}
	stop(t, start(t, dir))
	if out, err := s.account.command(t.Context(), s.home.dir, s.programs.path("pg_checksums"), "--disable", "-D", s.home.data()).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	_, err = Start(t.Context(), Options{Dir: dir})
	wantError(t, err, "data_checksums = off", "pg_checksums --enable")
}

func TestDurability(t *testing.T) {
	t.Parallel()
	good := map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "data_checksums": "on"}
	show := func(change, value string) func(string) (string, error) {
		return func(name string) (string, error) {
			if name == change {
				if value == "" {
					return "", errors.New("no such setting")
				}
				return value, nil
			}
			return good[name], nil
		}
	}
	if err := Durability(show("", "")); err != nil {
		t.Error(err)
	}
	if err := Durability(show("synchronous_commit", "remote_apply")); err != nil {
		t.Error(err)
	}
	for name := range good {
		wantError(t, Durability(show(name, "off")), name+" = off")
		wantError(t, Durability(show(name, "")), name, "no such setting")
	}
	wantError(t, Durability(show("synchronous_commit", "local")), "synchronous_commit = local")
}

func TestBadSettingShowsLog(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, dir)
	stop(t, s)
	f, err := os.OpenFile(filepath.Join(s.home.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("shared_bufers = 1GB\n"); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{Dir: dir})
	wantError(t, err, "unrecognized configuration parameter", "shared_bufers", s.home.log())
	if l, err := acquire(s.home.lock()); err != nil {
		t.Error("the lock was kept:", err)
	} else {
		l.release()
	}
}

func TestReplica(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	query(t, s, "CREATE TABLE old AS SELECT 1 AS n")
	dir := tempDir(t)
	r, err := s.Replica(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop(context.Background())
	if query(t, r, "SELECT pg_is_in_recovery()::text") != "true" || query(t, r, "SELECT n FROM old") != "1" {
		t.Error("it is no replica")
	}
	query(t, s, "CREATE TABLE fresh AS SELECT 2 AS n")
	eventually(t, "the new table arrives", func() bool { n, err := tryQuery(r, "SELECT n FROM fresh"); return err == nil && n == "2" })
	stop(t, r)
	if r = start(t, dir); query(t, r, "SELECT pg_is_in_recovery()::text") != "true" {
		t.Error("started again it is no replica any more")
	}
	if _, err := s.Replica(t.Context(), dir); !errors.Is(err, ErrLocked) {
		t.Error("a replica over a running one:", err)
	}
}

// A terminal's Ctrl-C goes to the foreground process group; PostgreSQL must not be in it.
func TestOwnSession(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	pgid, err := syscall.Getpgid(s.PID())
	if err != nil || pgid != s.PID() {
		t.Errorf("process group %d of process %d: %v", pgid, s.PID(), err)
	}
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	if _, err := Start(ended(t.Context()), Options{Dir: dir}); err == nil {
		t.Fatal("no error")
	}
	query(t, start(t, dir), "SELECT 1")
}

func TestWireErrors(t *testing.T) {
	t.Parallel()
	s := start(t, tempDir(t))
	_, err := tryQuery(s, "SELECT 1/0")
	wantError(t, err, "division by zero", "22012")
	if got := query(t, s, "SELECT NULL"); got != "" {
		t.Errorf("NULL = %q", got)
	}
	if got := query(t, s, "SELECT 1 WHERE false"); got != "" {
		t.Errorf("no row = %q", got)
	}
	if !refused(&serverError{code: "28000"}) || refused(&serverError{code: "57P03"}) || refused(&net.OpError{}) || refused(nil) {
		t.Error("refused waits for what never comes, or not for what does")
	}
}
