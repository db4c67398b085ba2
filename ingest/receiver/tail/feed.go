package tail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

// maxSenders bounds the senders whose messages are put together at a time (limit pglog_senders). Messages of further ones are
// dropped and counted.
const maxSenders = 1000

// forgetSender is how long one is remembered that sends nothing.
const forgetSender = time.Minute

// Feed puts together the pieces of PostgreSQL's log that come by syslog, and hands portions on every second. Nothing repeats
// datagrams: a kill loses those of the last one or two seconds.
type Feed struct {
	log    pglog.Options
	accept func(context.Context, ingest.Source, pglog.Portion) error
	count  func(project int64, category string, outcome ingest.Outcome, reason string, n int64)
	logger *slog.Logger

	mu      sync.Mutex
	senders map[sender]*sending
}

type sender struct {
	project, key int64
	ip           string
}

type sending struct {
	c    *pglog.Collector
	last time.Time
	seen pglog.Stats
}

// sick tells whether most of a sender's messages since the last time fit no entry: its log_line_prefix is another one than was
// found from the first, and has to be found again.
func sick(s *sending) bool {
	now := s.c.Stats()
	lines, unclaimed := now.Lines-s.seen.Lines, now.Unclaimed-s.seen.Unclaimed
	s.seen = now
	return unclaimed >= sickLines && unclaimed*2 >= lines
}

// NewFeed makes one; Run hands on what it takes. log.Normalizer is needed.
func NewFeed(log pglog.Options, accept func(context.Context, ingest.Source, pglog.Portion) error,
	count func(project int64, category string, outcome ingest.Outcome, reason string, n int64), logger *slog.Logger) *Feed {
	log.Format = pglog.Syslog
	return &Feed{log: log, accept: accept, count: count, logger: logger, senders: map[sender]*sending{}}
}

// Take takes a message of syslog as it came. It never waits for the disk. Nothing of line is kept by reference.
func (f *Feed) Take(from ingest.Source, line []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := sender{from.Project, from.KeyID, from.RemoteIP}
	s := f.senders[key]
	if s == nil {
		if len(f.senders) >= maxSenders {
			f.count(from.Project, "log_item", ingest.RateLimited, "pglog_senders", 1)
			return
		}
		c, err := pglog.NewCollector(f.log)
		if err != nil { // of a wrong prefix, which config has refused
			f.count(from.Project, "log_item", ingest.Invalid, "pglog_prefix", 1)
			return
		}
		s = &sending{c: c}
		f.senders[key] = s
	}
	s.last = from.Received
	s.c.Push(line, from.Received)
}

// Run hands on what is whole, every second until ctx ends, and then everything.
func (f *Feed) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			f.flush(ctx, now.UTC(), false)
		}
	}
	f.flush(context.WithoutCancel(ctx), time.Now().UTC(), true)
}

// portion is one to be handed on.
type portion struct {
	from ingest.Source
	pglog.Portion
}

// flush hands on what has been silent for a second; at the end, everything.
func (f *Feed) flush(ctx context.Context, now time.Time, end bool) {
	for _, p := range f.portions(now, end) {
		if err := f.accept(ctx, p.from, p.Portion); err != nil {
			f.logger.Warn("cannot keep a piece of a log that came by syslog; it is counted as dropped", "err", err)
		}
	}
}

func (f *Feed) portions(now time.Time, end bool) (out []portion) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, s := range f.senders {
		idle := now.Sub(s.last)
		if end {
			s.c.Close()
		} else {
			s.c.Flush(now)
		}
		if p := s.c.Take(idle >= 2*flushEvery); !p.Empty() {
			out = append(out, portion{ingest.Source{Project: key.project, KeyID: key.key, RemoteIP: key.ip, Received: now.Truncate(time.Millisecond)}, p})
		}
		if idle >= forgetSender || sick(s) {
			delete(f.senders, key)
		}
	}
	return out
}
