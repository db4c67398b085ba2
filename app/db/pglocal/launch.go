package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// launch starts the postmaster on data that is there, waits until it answers, and checks that it keeps what it is
// given. Children of a postmaster that was killed may hold the old memory for a moment; until they are gone a
// new one refuses to start, and launch tries again.
func (s *Server) launch(ctx context.Context) error {
	socketDir, err := s.home.makeSocketDir(s.account)
	if err != nil {
		return err
	}
	if err := s.writeSettings(); err != nil {
		return err
	}
	for {
		if err := s.removeStale(socketDir); err != nil {
			return err
		}
		from := logSize(s.home.log())
		p, err := s.spawn(socketDir)
		if err != nil {
			return err
		}
		if err = s.ready(ctx, p); err == nil {
			s.process = p
			s.opts.Log.Info("PostgreSQL is up", "version", s.programs.major, "pid", p.pid, "dir", s.home.dir)
			return nil
		}
		p.stop(ended(ctx))
		tail := logTail(s.home.log(), from)
		if ctx.Err() != nil || !strings.Contains(tail, "is still in use") {
			return fmt.Errorf("cannot start PostgreSQL: %w; the end of %s:\n%s", err, s.home.log(), tail)
		}
		s.opts.Log.Warn("waiting for the children of the last PostgreSQL to end")
		if err := pause(ctx, time.Second/4); err != nil {
			return err
		}
	}
}

// ended is a context that has ended: a start that failed is stopped at once.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// spawn starts the postmaster. What must not be changed by the settings' files is on the command line. Its output
// goes straight into a file: a pipe would break with us.
func (s *Server) spawn(socketDir string) (*process, error) {
	trimLog(s.home.log())
	log, err := os.OpenFile(s.home.log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log of PostgreSQL: %w", err)
	}
	defer log.Close()
	data := s.home.data()
	// No context: the server lives longer than the call that starts it.
	cmd := s.account.command(context.Background(), s.home.dir, s.programs.path("postgres"), "-D", data,
		"-c", "listen_addresses=", "-c", "port="+port, "-c", "unix_socket_directories="+quoteList(socketDir), "-c", "unix_socket_permissions=0700")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start PostgreSQL: %w", err)
	}
	p := &process{pid: cmd.Process.Pid, data: data, socketDir: socketDir, done: make(chan struct{}), quit: make(chan struct{})}
	go func() {
		cmd.Wait() // the status is in the log
		close(p.done)
	}()
	go s.keepLogShort(p)
	return p, nil
}

// quoteList quotes one name in a setting that is a list of names.
func quoteList(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// errDied is the end of a postmaster that we wait for.
var errDied = errors.New("it ended before it answered")

// sayEvery is how often we say that we still wait: the recovery after a crash may take minutes.
const sayEvery = 5 * time.Second

// ready waits until the server answers queries, as long as it lives, and checks its durability.
func (s *Server) ready(ctx context.Context, p *process) error {
	said := time.Now()
	var conn *wire
	err := poll(ctx, func() (done bool, err error) {
		if p.dead() {
			return false, errDied
		}
		conn, err = dialWire(ctx, p.socketDir)
		if refused(err) {
			return false, err
		}
		if err != nil && time.Since(said) > sayEvery {
			said = time.Now()
			s.opts.Log.Info("waiting for PostgreSQL", "pid", p.pid, "err", err)
		}
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	defer conn.close()
	return Durability(conn.show)
}

// refused says whether waiting is of no use: the server answers, and neither says that it is just starting
// (cannot_connect_now) nor that it is full.
func refused(err error) bool {
	var answer *serverError
	return errors.As(err, &answer) && answer.code != "57P03" && answer.code != "53300"
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// logLimit is how large postgres.log may grow; what is older goes to postgres.log.1, once.
const logLimit = 16 << 20

// logLookEvery is how often the size of the log is looked at.
const logLookEvery = time.Minute

// keepLogShort trims the log while the server runs. PostgreSQL appends, so that it goes on at the new end.
func (s *Server) keepLogShort(p *process) {
	tick := time.NewTicker(logLookEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			trimLog(s.home.log())
		}
	}
}

// trimLog is best effort: a log that cannot be trimmed must not stop a database.
func trimLog(path string) {
	if logSize(path) <= logLimit {
		return
	}
	b, err := os.ReadFile(path)
	if err == nil && os.WriteFile(path+".1", b, 0o600) == nil {
		os.Truncate(path, 0)
	}
}

func logSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// tailSize is how much of the log an error quotes.
const tailSize = 2048

// logTail is what was logged since from, at most tailSize bytes of it.
func logTail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer f.Close()
	size := logSize(path)
	if from > size {
		from = 0
	}
	b, err := io.ReadAll(io.NewSectionReader(f, max(from, size-tailSize), tailSize))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return strings.TrimSpace(string(b))
}
