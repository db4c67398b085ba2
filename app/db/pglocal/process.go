package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a postmaster, our child or one that an earlier Kibitz left.
type process struct {
	pid       int
	data      string
	socketDir string
	done      chan struct{} // closed when it is gone
	quit      chan struct{} // closed when we look after it no more
	quitOnce  sync.Once
}

// watchEvery is how often we look whether a postmaster that is not our child still lives.
const watchEvery = 500 * time.Millisecond

// watch closes done when a postmaster that is not our child is gone.
func (p *process) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	defer close(p.done)
	for isPostmaster(p.pid, p.data) {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
	}
}

func (p *process) abandon() { p.quitOnce.Do(func() { close(p.quit) }) }

func (p *process) dead() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// quitWait is how long an immediate shutdown may take: the postmaster itself kills its children after 5 s.
const quitWait = 10 * time.Second

// stop asks for a fast shutdown, and for an immediate one when ctx ends first.
func (p *process) stop(ctx context.Context) error {
	err := p.signal(ctx, syscall.SIGINT)
	if err == nil {
		return nil
	}
	quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitWait)
	defer cancel()
	if p.signal(quit, syscall.SIGQUIT) != nil {
		return fmt.Errorf("cannot stop PostgreSQL (process %d): it answers no signal", p.pid)
	}
	return fmt.Errorf("PostgreSQL was stopped at once, and recovers when it starts again: %w", err)
}

// signal sends a signal and waits for the end.
func (p *process) signal(ctx context.Context, sig syscall.Signal) error {
	if p.dead() {
		return nil
	}
	// A process that is no longer a postmaster of ours must not get a signal meant for one.
	if isPostmaster(p.pid, p.data) {
		if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot signal PostgreSQL: %w", err)
		}
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pidFile is what we need of postmaster.pid (PostgreSQL's miscadmin.h): the lines are pid, data directory, start time,
// port, socket directory, address, shared memory, status.
type pidFile struct {
	pid       int
	socketDir string // "" until the server listens
}

func readPIDFile(data string) (pidFile, error) {
	b, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return pidFile{}, nil // it is just being written
	}
	f := pidFile{pid: pid}
	if len(lines) > 5 {
		f.socketDir = strings.TrimSpace(lines[4])
	}
	return f, nil
}

// isPostmaster says whether the process lives and works in this data directory; pids are used again, after a
// reboot or in a new container even at once. A postmaster's working directory is its data directory; where there is
// no /proc its command line has to name it.
func isPostmaster(pid int, data string) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err == nil {
		return cwd == data
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		return false // a zombie, another user's process, or gone by now
	}
	out, err := exec.Command("ps", "-o", "stat=", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(out), "Z") && strings.Contains(string(out), " -D "+data+" ")
}

// takeOver sets s.process when a postmaster already runs on the data, and waits until it answers.
func (s *Server) takeOver(ctx context.Context) error {
	data := s.home.data()
	file, err := readPIDFile(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the pid of PostgreSQL: %w", err)
	}
	if !isPostmaster(file.pid, data) {
		return nil
	}
	p := &process{pid: file.pid, data: data, socketDir: file.socketDir, done: make(chan struct{}), quit: make(chan struct{})}
	go p.watch()
	err = poll(ctx, func() (bool, error) {
		if file, err := readPIDFile(data); err == nil && file.pid == p.pid {
			p.socketDir = file.socketDir
		}
		return p.socketDir != "" || p.dead(), nil
	})
	if err == nil {
		err = s.ready(ctx, p)
	}
	if err != nil {
		p.abandon()
	}
	if p.dead() && ctx.Err() == nil {
		return nil // it was on its way out; start anew
	}
	if err != nil {
		return fmt.Errorf("cannot take over the running PostgreSQL (process %d): %w", p.pid, err)
	}
	s.opts.Log.Info("PostgreSQL was running already", "pid", p.pid, "dir", s.home.dir)
	s.process = p
	return nil
}

// removeStale removes the lock files of a postmaster that is gone, in the data and beside the socket. PostgreSQL does
// that itself only when nothing has the pid: it cannot tell another program that was given it, nor a zombie, of which
// a container without an init has many. Whether children of the old server are left it finds out by the shared
// memory.
func (s *Server) removeStale(socketDir string) error {
	data := s.home.data()
	file, err := readPIDFile(data)
	if err == nil && isPostmaster(file.pid, data) {
		return nil // PostgreSQL will refuse, and say why
	}
	for _, path := range []string{filepath.Join(data, "postmaster.pid"), socketFile(socketDir) + ".lock"} {
		err := os.Remove(path)
		if err == nil {
			s.opts.Log.Warn("removed the lock file of a PostgreSQL that is gone", "file", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove a stale lock file: %w", err)
		}
	}
	return nil
}
