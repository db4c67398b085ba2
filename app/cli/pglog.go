package cli

import (
	"context"
	"path/filepath"

	"kibitz/ingest/pglog"
	"kibitz/ingest/receiver/tail"
	"kibitz/ingest/sqltext"
)

// logOptions are how PostgreSQL's logs are read, by whichever door they come.
func (s *server) logOptions() pglog.Options {
	if s.forms == nil {
		s.forms = sqltext.NewNormalizer(formsMemory)
	}
	return pglog.Options{Format: pglog.Auto, Prefix: s.config.PGLog.Prefix, Normalizer: s.forms}
}

// startTail follows the logs of PostgreSQL that the settings name.
func (s *server) startTail(ctx context.Context) error {
	cfg := s.config.PGLog
	if len(cfg.Files) == 0 {
		return nil
	}
	project, err := s.Projects.Find(ctx, cfg.Project)
	if err != nil {
		return plain(err)
	}
	o := s.logOptions()
	o.Format = pglog.Format(cfg.Format)
	t, err := tail.Open(tail.Options{Globs: cfg.Files, Log: o, State: filepath.Join(s.config.Data, "pglog.json"), Source: "pglog " + s.config.Node,
		Project: project.ID, Accept: s.pipeline.AcceptPortion, Logger: s.log})
	if err != nil {
		return plain(err)
	}
	s.runUntilClose("logs of PostgreSQL", t.Run)
	return nil
}

// startFeed takes PostgreSQL's pieces of the syslog door.
func (s *server) startFeed() *tail.Feed {
	f := tail.NewFeed(s.logOptions(), s.pipeline.AcceptPortion, s.outcomes.Count, s.log)
	s.runUntilClose("PostgreSQL by syslog", f.Run)
	return f
}

// runUntilClose runs a loop that ends before the spool does, with what it has.
func (s *server) runUntilClose(name string, loop func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go s.guarded(name, func() {
		defer close(done)
		loop(ctx)
	})
	s.readers = append(s.readers, func() {
		cancel()
		<-done
	})
}
