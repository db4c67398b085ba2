package requests

import (
	"context"
	"log/slog"
	"time"

	"kibitz/app/db"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest/sqltext"
)

// statementsEvery is how often pg_stat_statements is read. What is evicted in between is lost, and counted.
const statementsEvery = time.Minute

// StatementSink takes what statements did since the last snapshot, and what is not known of them.
type StatementSink func(ctx context.Context, deltas []model.StatementDelta, gaps []model.StatementGap)

// Statements watches pg_stat_statements of every server, by differences between snapshots: the counters are never reset, so
// whoever else reads them is not disturbed.
type Statements struct {
	store     *store.Store
	log       *slog.Logger
	sinks     []StatementSink
	last      map[string]model.StatementSnapshot // by server; its rows by key are in rows
	rows      map[string]map[statementID]model.StatementCounters
	texts     map[string]map[int64]statementText
	Recent    *RecentStatements
	normalize *sqltext.Normalizer
}

// statementID is a row of pg_stat_statements within its server.
type statementID struct {
	user, query int64
	top         bool
}

type statementText struct {
	sql         string
	fingerprint int64
}

// NewStatements makes the watcher; sinks hear of every difference, after Recent has.
func NewStatements(s *store.Store, log *slog.Logger, sinks ...StatementSink) *Statements {
	recent := NewRecentStatements()
	return &Statements{store: s, log: log, sinks: append([]StatementSink{recent.Add}, sinks...), last: map[string]model.StatementSnapshot{},
		rows: map[string]map[statementID]model.StatementCounters{}, texts: map[string]map[int64]statementText{}, Recent: recent,
		normalize: sqltext.NewNormalizer(1 << 20)}
}

// Hear adds a sink, before Run.
func (s *Statements) Hear(sink StatementSink) { s.sinks = append(s.sinks, sink) }

// Run samples until ctx ends.
func (s *Statements) Run(ctx context.Context) {
	tick := time.NewTicker(statementsEvery)
	defer tick.Stop()
	for {
		s.Sample(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sample takes one snapshot of each server and hands on the differences. A server that cannot be asked is a gap, and no error
// of the others. It is not to be called twice at once.
func (s *Statements) Sample(ctx context.Context) {
	seen := map[string]bool{}
	for _, node := range s.store.Nodes() {
		server, err := s.store.ServerIdentity(ctx, node)
		if err != nil || seen[server] {
			s.unreachable(ctx, node, err)
			continue
		}
		seen[server] = true
		s.sample(ctx, node, server)
	}
	for server := range s.last {
		if !seen[server] { // restarted or gone: it has another identity from now on
			s.forget(server)
		}
	}
}

func (s *Statements) unreachable(ctx context.Context, node db.Node, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Warn("cannot read statements", "server", node.String(), "err", err)
	s.hand(ctx, nil, []model.StatementGap{{Server: node.String(), From: time.Now().Add(-statementsEvery), To: time.Now(), Reason: "unreachable"}})
}

func (s *Statements) forget(server string) {
	delete(s.last, server)
	delete(s.rows, server)
	delete(s.texts, server)
	s.Recent.forget(server)
}

func (s *Statements) sample(ctx context.Context, node db.Node, server string) {
	snap, err := s.store.Statements(ctx, node)
	if err != nil {
		s.unreachable(ctx, node, err)
		return
	}
	s.Recent.state(server, node, snap)
	if snap.Missing != "" {
		s.last[server] = snap // so that it is not taken for a server that has gone
		return
	}
	before, known := s.last[server]
	deltas, gaps := statementDeltas(server, before, s.rows[server], snap)
	s.last[server], s.rows[server] = model.StatementSnapshot{At: snap.At, Reset: snap.Reset, Evictions: snap.Evictions}, keyed(snap.Rows)
	if !known || before.Missing != "" {
		return // the first one says nothing of when
	}
	if err := s.nameAll(ctx, node, server, deltas); err != nil {
		s.log.Warn("cannot read the texts of statements", "server", node.String(), "err", err)
	}
	s.hand(ctx, deltas, gaps)
}

func (s *Statements) hand(ctx context.Context, deltas []model.StatementDelta, gaps []model.StatementGap) {
	for _, sink := range s.sinks {
		sink(ctx, deltas, gaps)
	}
}

func keyed(rows []model.StatementCounters) map[statementID]model.StatementCounters {
	out := make(map[statementID]model.StatementCounters, len(rows))
	for _, r := range rows {
		out[idOf(r)] = r
	}
	return out
}

func idOf(r model.StatementCounters) statementID { return statementID{r.User, r.QueryID, r.Toplevel} }

// statementDeltas is what happened between two snapshots of one server. A row that is new, or that counts less than before, was
// evicted and came back, or was reset: all that it counts is new. One that was evicted and has by now more calls than before
// looks like one that stayed; only PostgreSQL 17 and later tell them apart (stats_since), so that before it some calls are
// not seen. An eviction is a gap, whoever was hit.
func statementDeltas(server string, before model.StatementSnapshot, rows map[statementID]model.StatementCounters, now model.StatementSnapshot) (deltas []model.StatementDelta, gaps []model.StatementGap) {
	if !now.Reset.Equal(before.Reset) {
		gaps = append(gaps, model.StatementGap{Server: server, From: before.At, To: now.Reset, Reason: "reset"})
		rows = nil
	} else if n := now.Evictions - before.Evictions; n > 0 {
		gaps = append(gaps, model.StatementGap{Server: server, From: before.At, To: now.At, Reason: "evicted", Times: n})
	}
	for _, r := range now.Rows {
		d := r.StatementDelta
		was, there := rows[idOf(r)]
		if there && r.Calls >= was.Calls && r.Since.Equal(was.Since) {
			d = minus(d, was.StatementDelta)
		}
		if d.Calls <= 0 {
			continue
		}
		d.Server, d.Partition, d.From, d.To = server, partitionOf(r.Role), before.At, now.At
		deltas = append(deltas, d)
	}
	return deltas, gaps
}

// minus takes earlier sums away. A sum never falls below zero: some are rounded by the server.
func minus(a, b model.StatementDelta) model.StatementDelta {
	a.Calls, a.Rows, a.Total = a.Calls-b.Calls, max(a.Rows-b.Rows, 0), max(a.Total-b.Total, 0)
	a.StatementIO = a.StatementIO.Minus(b.StatementIO)
	return a
}

// partitionOf tells whose statement it is by the role that ran it; "" for everybody else's.
func partitionOf(role string) string {
	for _, p := range db.Partitions {
		if role == db.Role(p) {
			return string(p)
		}
	}
	return ""
}

// maxTexts bounds how many texts of one server are remembered; pg_stat_statements holds 5,000 by default.
const maxTexts = 20_000

// nameAll gives differences their texts and fingerprints; texts are asked for only when a statement is seen first.
func (s *Statements) nameAll(ctx context.Context, node db.Node, server string, deltas []model.StatementDelta) error {
	known := s.texts[server]
	if known == nil || len(known) > maxTexts {
		known = map[int64]statementText{}
		s.texts[server] = known
	}
	var missing []int64
	for _, d := range deltas {
		if _, ok := known[d.QueryID]; !ok {
			missing = append(missing, d.QueryID)
		}
	}
	if len(missing) > 0 {
		texts, err := s.store.StatementTexts(ctx, node, missing)
		if err != nil {
			return err
		}
		for id, sql := range texts {
			known[id] = statementText{sql, int64(s.normalize.Normalize(sql).Fingerprint)}
		}
	}
	for i := range deltas {
		text := known[deltas[i].QueryID]
		deltas[i].SQL, deltas[i].Fingerprint = text.sql, text.fingerprint
	}
	return nil
}
