package pglocal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// home is the directory of a cluster, absolute and without symbolic links: the postmaster's working directory is
// compared with it.
type home struct{ dir string }

func (h home) data() string   { return filepath.Join(h.dir, "data") }
func (h home) lock() string   { return filepath.Join(h.dir, "lock") }
func (h home) log() string    { return filepath.Join(h.dir, "postgres.log") }
func (h home) bin() string    { return filepath.Join(h.dir, "bin") }
func (h home) socket() string { return filepath.Join(h.dir, "socket") }

// openHome makes the directory. For root it can be passed through by everyone, since PostgreSQL is another user;
// what is in it is closed.
func openHome(dir string) (home, error) {
	if dir == "" {
		return home{}, errors.New("cannot keep PostgreSQL's data: no directory was given")
	}
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return home{}, fmt.Errorf("cannot make the directory of PostgreSQL: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return home{}, fmt.Errorf("cannot find the directory of PostgreSQL: %w", err)
	}
	return home{abs}, nil
}

// openTo lets the OS user of PostgreSQL pass through the directory.
func (h home) openTo(a *account) error {
	if a == nil {
		return nil
	}
	if err := os.Chmod(h.dir, 0o711); err != nil {
		return fmt.Errorf("cannot open %s to the user %s: %w", h.dir, a.name, err)
	}
	return nil
}

// major is the version of the data, 0 when there is none yet. A directory with files but without a version is
// somebody's data, damaged or not PostgreSQL's, and never replaced.
func (h home) major() (int, error) {
	b, err := os.ReadFile(filepath.Join(h.data(), "PG_VERSION"))
	if err == nil {
		major, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return 0, fmt.Errorf("cannot read PG_VERSION in %s: %w; restore it from a backup", h.data(), err)
		}
		return major, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("cannot read the version of the data: %w", err)
	}
	// os.Remove removes an empty directory and nothing else.
	if err := os.Remove(h.data()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s holds files but no PG_VERSION, so it is no data of PostgreSQL or it is damaged: restore it from a backup, or move it away to start anew", h.data())
	}
	return 0, nil
}

// socketLimit is the longest path of a unix socket: 107 bytes on Linux, 103 on macOS (sun_path less the final zero);
// the smaller one, so that a directory behaves alike everywhere.
const socketLimit = 103

// port is only the end of the socket's name; nothing listens on it.
const port = "5432"

func socketFile(dir string) string { return filepath.Join(dir, ".s.PGSQL."+port) }

// makeSocketDir makes the directory of the socket, closed to all but the user of PostgreSQL and root: who gets in
// there is trusted (see pg_hba.conf in initdb). When the name would be too long it is a short one beside other
// temporary files, named by a hash of the home.
func (h home) makeSocketDir(a *account) (string, error) {
	dir := h.socket()
	if len(socketFile(dir)) > socketLimit {
		dir = h.shortSocketDir(a)
	}
	if len(socketFile(dir)) > socketLimit {
		return "", fmt.Errorf("cannot make a socket: %s is longer than %d bytes; set TMPDIR to a shorter directory", socketFile(dir), socketLimit)
	}
	if err := os.Mkdir(dir, 0o700); err == nil {
		return dir, a.own(dir)
	} else if !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cannot make the directory of the socket: %w", err)
	}
	return dir, checkPrivate(dir, a)
}

func (h home) shortSocketDir(a *account) string {
	name := fmt.Sprintf("kibitz-%x", sha256.Sum256([]byte(h.dir)))[:len("kibitz-")+16]
	dir := filepath.Join(os.TempDir(), name)
	if len(socketFile(dir)) > socketLimit || a.blocked(filepath.Dir(dir)) != "" {
		return filepath.Join("/tmp", name)
	}
	return dir
}

// checkPrivate refuses a directory that someone else made before us, which in /tmp anyone can.
func checkPrivate(dir string, a *account) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot use the directory of the socket: %w", err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if !info.IsDir() || (uid != os.Geteuid() && uid != a.id()) {
		return fmt.Errorf("cannot use %s for the socket: it belongs to the user with id %d; remove it", dir, uid)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("cannot close the directory of the socket: %w", err)
	}
	return a.own(dir)
}
