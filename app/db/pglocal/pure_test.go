package pglocal

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakePrograms makes a directory with programs that say they are a version, and do nothing.
func fakePrograms(t *testing.T, dir, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func nothing(string) (string, error) { return "", exec.ErrNotFound }

func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	told := fakePrograms(t, filepath.Join(root, "told", "bin"), "15.1")
	for _, v := range []string{"14", "16", "17", "19"} {
		fakePrograms(t, filepath.Join(root, "lib", v, "bin"), v+".2")
	}
	inPath := fakePrograms(t, filepath.Join(root, "path"), "18beta1")
	link := filepath.Join(root, "link")
	if err := os.Symlink(filepath.Join(inPath, "postgres"), link); err != nil {
		t.Fatal(err)
	}
	f := finder{places: []string{filepath.Join(root, "lib", "*", "bin")}, look: nothing}
	withPath := f
	withPath.look = func(string) (string, error) { return link, nil }
	withTold := withPath
	withTold.first = []string{filepath.Join(root, "absent"), told}
	for _, c := range []struct {
		name  string
		f     finder
		major int
		want  string
		err   string
	}{
		{"newest supported", f, 0, "lib/17/bin", ""},
		{"in PATH", withPath, 0, "path", ""},
		{"told wins", withTold, 0, "told/bin", ""},
		{"data wins over told", withTold, 16, "lib/16/bin", ""},
		{"data of told", withTold, 15, "told/bin", ""},
		{"not installed", f, 15, "", "install PostgreSQL 15"},
		{"too old though installed", f, 14, "", "Kibitz runs on 15 to 18"},
	} {
		p, err := c.f.find(t.Context(), c.major)
		if c.err != "" {
			wantError(t, err, c.err, "17 in "+filepath.Join(root, "lib/17/bin"), "pg_upgrade")
			continue
		}
		if err != nil || p.dir != filepath.Join(root, c.want) {
			t.Errorf("%s: %v %v, want %s", c.name, p, err, c.want)
		}
	}
}

func TestNothingInstalled(t *testing.T) {
	t.Parallel()
	f := finder{look: nothing, fetch: func(context.Context) (programs, error) { return programs{}, errors.New("no network") }}
	_, err := f.find(t.Context(), 0)
	wantError(t, err, "no network", "apt install postgresql", "dnf install postgresql-server", "brew install postgresql@17", "KIBITZ_POSTGRES_BIN", "found: none")
	f.fetch = func(context.Context) (programs, error) { return programs{"fetched", 18}, nil }
	if p, err := f.find(t.Context(), 0); err != nil || p.dir != "fetched" {
		t.Errorf("%v %v", p, err)
	}
}

// repository serves one archive the way Maven does: a jar with a .txz in it.
func repository(t *testing.T, version string) *httptest.Server {
	t.Helper()
	root := t.TempDir()
	fakePrograms(t, filepath.Join(root, "bin"), version)
	txz, err := exec.Command("tar", "-C", root, "-cJf", "-", "bin").Output()
	if err != nil {
		t.Skip("tar cannot write xz here:", err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(txz); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		w.Write(jar.Bytes())
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFetch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "bin")
	var said strings.Builder
	p, err := fetch(t.Context(), dir, nil, &said, repository(t, "18.3").URL)
	if err != nil {
		t.Fatal(err)
	}
	if p.major != 18 || !strings.HasPrefix(p.dir, dir) || !strings.Contains(said.String(), "fetching PostgreSQL 18") {
		t.Errorf("%+v %q", p, said.String())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "fetch-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	f := finder{places: []string{filepath.Join(dir, "*", "bin")}, look: nothing}
	if again, err := f.find(t.Context(), 0); err != nil || again != p {
		t.Errorf("not found again: %v %v", again, err)
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	dir := filepath.Join(t.TempDir(), "bin")
	_, err := fetch(t.Context(), dir, nil, io.Discard, s.URL)
	wantError(t, err, "cannot fetch PostgreSQL 18", s.URL, "no version found")
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestParseMajor(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18beta1\n":                        18,
		"postgres (PostgreSQL) 17":                               17,
		"postgres (PostgreSQL) ":                                 0,
		"postgres 9":                                             0,
		"":                                                       0,
	} {
		if got := parseMajor(s); got != want {
			t.Errorf("parseMajor(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	inner := filepath.Join(dir, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	for _, c := range []struct {
		mode os.FileMode
		a    *account
		want string
	}{
		{0o700, &account{uid: uid + 1, gid: gid + 1}, dir},
		{0o711, &account{uid: uid + 1, gid: gid + 1}, ""},
		{0o710, &account{uid: uid + 1, gid: gid}, ""},
		{0o701, &account{uid: uid + 1, gid: gid}, dir},
		{0o700, &account{uid: uid, gid: gid + 1}, ""},
		{0o700, nil, ""},
	} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		if got := c.a.blocked(inner); got != c.want {
			t.Errorf("%v %+v: blocked = %q, want %q", c.mode, c.a, got, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64]string{256 << 20: "64MB", 2 << 30: "256MB", 64 << 30: "512MB"} {
		if got := settings(memory, "linux", false); !strings.Contains(got, "\nshared_buffers = "+want+"\n") || strings.Contains(got, "fsync_writethrough") {
			t.Errorf("with %d bytes of memory:\n%s", memory, got)
		}
	}
	if !strings.Contains(settings(2<<30, "darwin", false), "fsync_writethrough") {
		t.Error("macOS needs a real sync")
	}
	if got := meminfoTotal("MemFree: 1 kB\nMemTotal:       16384000 kB\n"); got != 16384000 {
		t.Errorf("MemTotal = %d", got)
	}
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if got := logTail(path, 0); !strings.Contains(got, "no log") {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(path, []byte("old\n"+strings.Repeat("x", 2*tailSize)+"end\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := logTail(path, 4); !strings.HasSuffix(got, "xend") || len(got) != tailSize-1 {
		t.Errorf("%d bytes", len(got))
	}
	if got := logTail(path, logSize(path)-4); got != "end" {
		t.Errorf("%q", got)
	}
	if got := logTail(path, 1<<40); !strings.HasSuffix(got, "end") { // it was trimmed since
		t.Errorf("%q", got)
	}
}

func TestTrimLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	for size, left := range map[int64]int64{logLimit: logLimit, logLimit + 1: 0} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if trimLog(path); logSize(path) != left {
			t.Errorf("%d bytes became %d, want %d", size, logSize(path), left)
		}
	}
	if got := logSize(path + ".1"); got != logLimit+1 {
		t.Errorf("the old log has %d bytes", got)
	}
}

func TestLocales(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(locales(15)); got != "[[--locale=C.UTF-8] [--locale=C]]" {
		t.Error(got)
	}
	if got := locales(17); len(got) != 3 || got[0][1] != "--locale-provider=builtin" {
		t.Error(got)
	}
}

// FuzzWire feeds the client whatever a server might send: it must end, without a panic.
func FuzzWire(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
	f.Add([]byte("E\x00\x00\x00\x10SFATAL\x00C57P03\x00\x00"))
	f.Add([]byte("D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x01xZ\x00\x00\x00\x05I"))
	f.Add([]byte("D\x00\x00\x00\x0a\x00\x01\xff\xff\xff\xffZ\x00\x00\x00\x05I"))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		client.Close()
		server.Close()
		w := &wire{client, bufio.NewReader(bytes.NewReader(b))}
		if value, err := w.untilReady(); err == nil && len(value) > len(b) {
			t.Errorf("%d bytes out of %d", len(value), len(b))
		}
	})
}
