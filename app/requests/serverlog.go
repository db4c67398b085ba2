package requests

import (
	"context"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

// maxLogAge is how old a server's log may be, so that one of last month can still be sent. Sums are kept by their own time.
const maxLogAge = 31 * 24 * time.Hour

// serverLog is a piece of a server's log on its way through a batch.
type serverLog struct {
	pglog.Portion
	project  int64
	received time.Time
}

// leaveTaken leaves out pieces of logs that have been taken before: those that were read again after a kill. Pieces of one
// source come through one spool, and so in their order.
func (d *Digester) leaveTaken(ctx context.Context, b *batch) error {
	var names []string
	for i := range b.serverLogs {
		if b.serverLogs[i].Seq > 0 {
			names = append(names, b.serverLogs[i].Source)
		}
	}
	if len(names) == 0 {
		return nil
	}
	taken, err := d.store.LogSources(ctx, names)
	if err != nil {
		return err
	}
	b.sources = map[string]int64{}
	kept := b.serverLogs[:0]
	for _, l := range b.serverLogs {
		if l.Seq > 0 {
			if l.Seq <= taken[l.Source] {
				continue
			}
			taken[l.Source], b.sources[l.Source] = l.Seq, l.Seq
		}
		kept = append(kept, l)
	}
	b.serverLogs = kept
	return nil
}

// askServerLogs asks for the ids of their statements.
func (d *Digester) askServerLogs(b *batch) {
	for i := range b.serverLogs {
		for _, t := range b.serverLogs[i].Texts {
			d.names.wantStatement(statementKey{b.serverLogs[i].project, t.Fingerprint}, t.SQL, t.Sample)
		}
	}
}

// logTime is a moment of a server's log: that of receipt when it lies ahead; ok is false when it is too old to be kept.
func logTime(at, received time.Time) (time.Time, bool) {
	if at.After(received.Add(maxEarly)) {
		return received, true
	}
	return at, !at.Before(received.Add(-maxLogAge))
}

// addServerLog adds a piece to what is to be stored.
func (d *Digester) addServerLog(b *batch, l *serverLog, s *sums, out *store.RequestDigest) error {
	for i := range l.Sums {
		if err := s.addLogged(d.names, b, l, &l.Sums[i]); err != nil {
			return err
		}
	}
	for i := range l.Calls {
		if at, ok := logTime(l.Calls[i].At, l.received); ok {
			out.Calls = append(out.Calls, d.serverCall(l, &l.Calls[i], at))
		}
	}
	for i := range l.Lines {
		d.addServerLine(b, l, &l.Lines[i])
	}
	for _, lost := range l.Lost {
		b.count(l.project, l.received, "log_item", lossOutcome(lost.Reason), lost.Reason, lost.N)
	}
	return nil
}

// lossOutcome tells what could not be read from what was too much.
func lossOutcome(reason string) string {
	if reason == "pglog_malformed" || reason == "pglog_unclaimed" {
		return string(ingest.Invalid)
	}
	return string(ingest.Filtered)
}

func (s *sums) addLogged(names *names, b *batch, l *serverLog, in *pglog.Sum) error {
	bucket, ok := logTime(in.Bucket, l.received)
	if !ok {
		b.count(l.project, l.received, "statement", string(ingest.Filtered), "too_old", in.Calls)
		return nil
	}
	b.count(l.project, l.received, "statement", string(ingest.Stored), "", in.Calls)
	bucket = bucket.Truncate(statementBucket)
	key := statementSumKey{project: l.project, statement: names.statements[statementKey{l.project, in.Fingerprint}], bucket: bucket.Unix(), source: model.FromLog}
	sum := s.statements[key]
	if sum == nil {
		sum = &statementSum{store.StatementRollup{Bucket: bucket, Project: l.project, Statement: key.statement, Source: model.FromLog}, sketch.New()}
		s.statements[key] = sum
	}
	sum.N, sum.Failed, sum.Total, sum.Max = sum.N+float64(in.Calls), sum.Failed+float64(in.Errors), sum.Total+in.Total, max(sum.Max, in.Max)
	if len(in.Durations) == 0 {
		return nil
	}
	return sum.durations.MergeEncoded(in.Durations)
}

// callKinds are the kinds of calls as they are stored.
var callKinds = map[pglog.Kind]model.CallKind{pglog.TempFile: model.CallTempFile, pglog.Waiting: model.CallWaiting, pglog.Acquired: model.CallAcquired}

func (d *Digester) serverCall(l *serverLog, c *pglog.Call, at time.Time) model.StatementCall {
	kind, ok := callKinds[c.Kind]
	if !ok {
		kind = model.CallExecuted
	}
	return model.StatementCall{Project: l.project, Statement: d.names.statements[statementKey{l.project, c.Fingerprint}], Source: model.FromLog, Kind: kind, At: at,
		Duration: max(c.Duration, 0), PID: c.PID, Params: trace.Valid(c.Params), Plan: trace.Valid(c.Plan), Note: trace.Valid(c.Note)}
}

// serverLogger is what the lines of servers' logs are written by.
const serverLogger = "postgres"

func (d *Digester) addServerLine(b *batch, l *serverLog, in *pglog.Line) {
	at, ok := logTime(in.At, l.received)
	if !ok {
		b.count(l.project, l.received, "log_item", string(ingest.Filtered), "too_old", 1)
		return
	}
	line := trace.LogLine{At: at, Level: trace.LevelOf(in.Severity, 0), Logger: serverLogger, Body: trace.Valid(in.Message)}
	for _, f := range in.Fields {
		line.Attrs = append(line.Attrs, trace.Attr{Key: f.Key, Value: trace.Valid(f.Value)})
	}
	b.logs = append(b.logs, store.LogRow{ID: d.ids.Next(), Project: l.project, Line: line})
	b.count(l.project, l.received, "log_item", string(ingest.Stored), "", 1)
}
