package pglocal

import (
	"context"
	"fmt"
	"os"
)

// Replica makes a streaming replica of the server in dir, with pg_basebackup, and starts it as a server of its own,
// for reads. Starting it again later is Start with the same directory.
func (s *Server) Replica(ctx context.Context, dir string) (*Server, error) {
	r, err := prepare(Options{Dir: dir, Search: s.opts.Search, Log: s.opts.Log, Progress: s.opts.Progress})
	if err != nil {
		return nil, err
	}
	if r.lock, err = acquire(r.home.lock()); err != nil {
		return nil, err
	}
	if err = r.copyOf(ctx, s); err == nil {
		err = r.launch(ctx)
	}
	if err != nil {
		r.lock.release()
		return nil, fmt.Errorf("cannot make a replica: %w", err)
	}
	return r, nil
}

// copyOf fills an empty home with a copy of a running server.
func (s *Server) copyOf(ctx context.Context, primary *Server) error {
	if err := s.home.openTo(s.account); err != nil {
		return err
	}
	if major, err := s.home.major(); err != nil || major != 0 {
		return fmt.Errorf("%s is not empty: %v", s.home.data(), err)
	}
	major, err := primary.home.major()
	if err != nil {
		return err
	}
	if s.programs, err = newFinder(s.opts, primary.home, s.account).find(ctx, major); err != nil {
		return err
	}
	if _, err := os.Stat(s.programs.path("pg_basebackup")); err != nil {
		return fmt.Errorf("there is no pg_basebackup in %s: install PostgreSQL %d as a package", s.programs.dir, major)
	}
	if err := s.account.canReach(ctx, s.programs, s.home.dir); err != nil {
		return err
	}
	s.removeHalfMade()
	tmp, err := s.makeNewData()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	// -R writes standby.signal and the address of the primary.
	out, err := s.account.command(ctx, s.home.dir, s.programs.path("pg_basebackup"), "-D", tmp, "-R", "-X", "stream", "--checkpoint=fast",
		"-h", primary.current().socketDir, "-p", port, "-U", Superuser).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	if err := os.Rename(tmp, s.home.data()); err != nil {
		return err
	}
	return syncDir(s.home.dir)
}
