// Package pglocal runs the PostgreSQL that belongs to one Kibitz: it finds or fetches the programs, makes the data
// directory, starts and stops the server, and takes over one that outlived a killed Kibitz. Versions 15 to 18.
//
// Everything lies under one directory: data (the cluster), socket (0700), lock, postgres.log, and bin when the
// programs were fetched. The server listens on its unix socket only.
package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Superuser is the role that owns the cluster.
const Superuser = "kibitz"

// ErrLocked is wrapped by Start's error while another Kibitz holds the directory.
var ErrLocked = errors.New("another Kibitz is using this directory")

// Options say where the cluster lives.
type Options struct {
	Dir      string       // everything of the cluster is in here; made when absent
	Search   []string     // directories with the programs of PostgreSQL, looked at before the usual places
	Log      *slog.Logger // may be nil
	Progress io.Writer    // gets a line before anything slow, such as a download; may be nil
}

// Server is a running PostgreSQL.
type Server struct {
	opts     Options
	home     home
	programs programs
	account  *account // the OS user that PostgreSQL runs as; nil means our own
	lock     *lock
	attached bool

	mu      sync.Mutex
	process *process
	stopped bool
}

// Start brings the cluster in opts.Dir up and waits until it answers. A server that an earlier Kibitz left running
// is taken over. It fails with ErrLocked while another Kibitz holds the directory.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if s.lock, err = acquire(s.home.lock()); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.lock.release()
		return nil, err
	}
	return s, nil
}

// start is Start under the lock.
func (s *Server) start(ctx context.Context) error {
	if err := s.home.openTo(s.account); err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil || s.process != nil {
		return err
	}
	if err := s.makeReady(ctx); err != nil {
		return err
	}
	return s.launch(ctx)
}

// makeReady finds programs that fit the data, and makes the data when there is none.
func (s *Server) makeReady(ctx context.Context) error {
	major, err := s.home.major()
	if err != nil {
		return err
	}
	if s.programs, err = newFinder(s.opts, s.home, s.account).find(ctx, major); err != nil {
		return fmt.Errorf("cannot use %s: %w", s.home.data(), err)
	}
	if err := s.account.canReach(ctx, s.programs, s.home.dir); err != nil {
		return err
	}
	if major != 0 {
		return s.account.adopt(s.home.data())
	}
	return s.initdb(ctx)
}

// prepare does what Start and Attach share: directories and names, nothing that runs.
func prepare(opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	h, err := openHome(opts.Dir)
	if err != nil {
		return nil, err
	}
	a, err := chooseAccount(h.data())
	if err != nil {
		return nil, err
	}
	return &Server{opts: opts, home: h, account: a}, nil
}

// attachWait is how long Attach waits for a server that another Kibitz is just bringing up.
const attachWait = 30 * time.Second

// Attach connects to the cluster that another Kibitz runs, for commands beside a running server. It takes no lock,
// and Stop of what it answers leaves PostgreSQL alone.
func Attach(ctx context.Context, opts Options) (*Server, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	s.attached = true
	ctx, cancel := context.WithTimeout(ctx, attachWait)
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		if err := s.takeOver(ctx); err != nil || s.process != nil {
			return true, err
		}
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot attach to the PostgreSQL in %s: is Kibitz running? %w", s.home.dir, err)
	}
	return s, nil
}

// Attached says whether another Kibitz runs the server.
func (s *Server) Attached() bool { return s.attached }

// Dir is the directory that everything is in.
func (s *Server) Dir() string { return s.home.dir }

// PID is the process of the postmaster, of the last one when it has died.
func (s *Server) PID() int { return s.current().pid }

// DSN is the address of a database for a role, for libpq and pgx.
func (s *Server) DSN(role, database string) string {
	q := url.Values{"host": {s.current().socketDir}, "port": {port}, "user": {role}, "sslmode": {"disable"}}
	return "postgres:///" + url.PathEscape(database) + "?" + q.Encode()
}

// Done is closed when the server dies or is stopped; after Restart there is a new one.
func (s *Server) Done() <-chan struct{} { return s.current().done }

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// Stop shuts the server down and lets the directory go: disconnecting clients and writing a checkpoint, or, when ctx
// ends before that is done, at once, which the next start recovers from. An attached server is only let go.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	if s.attached {
		s.process.abandon()
		return nil
	}
	defer s.lock.release()
	return s.process.stop(ctx)
}

// Restart starts the server again, after stopping it when it still runs. The addresses stay.
func (s *Server) Restart(ctx context.Context) error {
	if s.attached {
		return fmt.Errorf("cannot restart a PostgreSQL that another Kibitz runs")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("cannot restart a PostgreSQL that was stopped")
	}
	if err := s.process.stop(ctx); err != nil {
		s.opts.Log.Warn("PostgreSQL did not stop cleanly", "err", err)
	}
	dead := s.process
	if err := s.again(ctx); err != nil {
		s.process = dead // so that Done stays closed
		return err
	}
	return nil
}

func (s *Server) again(ctx context.Context) error {
	if err := s.makeReady(ctx); err != nil {
		return err
	}
	return s.launch(ctx)
}

// pollEvery is how often a condition is looked at while we wait for it.
const pollEvery = 20 * time.Millisecond

// poll asks until done answers true or an error, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
