package pglocal

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the ordinary OS user that PostgreSQL runs as when Kibitz is root, since PostgreSQL refuses root. A nil
// account is whoever we are.
type account struct {
	name     string
	uid, gid uint32
}

// accounts are the users to take, the best first. They have to exist: initdb looks its user up.
var accounts = []string{"postgres", "kibitz", "nobody", "daemon"}

// chooseAccount is nil unless we are root; then the ordinary owner of existing data, else the first of accounts.
func chooseAccount(data string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, checkOwner(data)
	}
	if info, err := os.Stat(data); err == nil {
		uid := info.Sys().(*syscall.Stat_t).Uid
		if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil && uid != 0 {
			return newAccount(u)
		}
	}
	for _, name := range accounts {
		if u, err := user.Lookup(name); err == nil && u.Uid != "0" {
			return newAccount(u)
		}
	}
	return nil, fmt.Errorf("cannot run PostgreSQL: it refuses to run as root, and there is none of the users %s; run Kibitz as an ordinary user, or `useradd --system postgres`", strings.Join(accounts, ", "))
}

func newAccount(u *user.User) (*account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot read the id of the user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot read the group of the user %s: %w", u.Username, err)
	}
	return &account{name: u.Username, uid: uint32(uid), gid: uint32(gid)}, nil
}

// checkOwner says in plain words what PostgreSQL would say of data that a root Kibitz made.
func checkOwner(data string) error {
	info, err := os.Stat(data)
	if err != nil {
		return nil // none yet, or home.major says it better
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Geteuid() {
		return fmt.Errorf("cannot use %s: it belongs to the user with id %d and we are %d; run Kibitz as the user that made it, or chown it", data, uid, os.Geteuid())
	}
	return nil
}

func (a *account) id() int {
	if a == nil {
		return os.Geteuid()
	}
	return int(a.uid)
}

// own gives a tree to the account.
func (a *account) own(root string) error {
	if a == nil {
		return nil
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
	if err != nil {
		return fmt.Errorf("cannot give %s to the user %s: %w", root, a.name, err)
	}
	return nil
}

// adopt is own for data that is there, such as a backup that root has put back: it looks at the directory itself
// only, since its contents may be many.
func (a *account) adopt(data string) error {
	info, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("cannot look at the data: %w", err)
	}
	if int(info.Sys().(*syscall.Stat_t).Uid) == a.id() {
		return nil
	}
	return a.own(data)
}

// command is a program of PostgreSQL, run as the account in dir, in a session of its own so that Ctrl-C and the
// end of the terminal do not reach it. The environment is fixed: PGDATA and the like must not lead it astray.
func (a *account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// canReach makes sure that the account can enter the directory and run the programs: the working directory of a
// child is entered as the child's user.
func (a *account) canReach(ctx context.Context, p programs, dir string) error {
	if a == nil {
		return nil
	}
	out, err := a.command(ctx, dir, p.path("postgres"), "--version").CombinedOutput()
	if err == nil {
		return nil
	}
	if at := a.blocked(dir); at != "" {
		return fmt.Errorf("PostgreSQL refuses to run as root, so it runs as the user %s, who cannot enter %s: set KIBITZ_DATA to a directory that this user can reach, such as /var/lib/kibitz, or `chmod o+x %s`, or run Kibitz as an ordinary user", a.name, at, at)
	}
	if at := a.blocked(p.dir); at != "" {
		return fmt.Errorf("PostgreSQL runs as the user %s, who cannot enter %s, where its programs are: `chmod o+x %s`, or install them elsewhere", a.name, at, at)
	}
	return fmt.Errorf("cannot run %s as the user %s: %w %s", p.path("postgres"), a.name, err, out)
}

// blocked is the first directory on the way to dir, itself included, that the account cannot enter by its mode; ""
// when there is none.
func (a *account) blocked(dir string) string {
	if a == nil || dir == "" {
		return ""
	}
	if parent := filepath.Dir(dir); parent != dir {
		if at := a.blocked(parent); at != "" {
			return at
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	st, bit := info.Sys().(*syscall.Stat_t), fs.FileMode(0o001)
	switch {
	case st.Uid == a.uid:
		bit = 0o100
	case st.Gid == a.gid:
		bit = 0o010
	}
	if info.Mode()&bit == 0 {
		return dir
	}
	return ""
}
