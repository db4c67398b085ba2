package requests

import (
	"fmt"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// statementBucket is the width of the buckets of statements.
const statementBucket = 10 * time.Minute

type endpointSum struct {
	store.EndpointRollup
	durations, queries *sketch.Sketch
}

type endpointSumKey struct {
	endpoint, release int32
	bucket            int64
}

type statementSum struct {
	store.StatementRollup
	durations *sketch.Sketch
}

type statementSumKey struct {
	project                              int64
	statement, endpoint, release, caller int32
	bucket                               int64
	source                               model.StatementSource
}

// sums are what a batch adds up.
type sums struct {
	endpoints  map[endpointSumKey]*endpointSum
	statements map[statementSumKey]*statementSum
}

// conclude decides what is kept, adds everything up, and gives what is to be stored.
func (d *Digester) conclude(b *batch) (out store.RequestDigest, events []model.FindingEvent, err error) {
	s := &sums{map[endpointSumKey]*endpointSum{}, map[statementSumKey]*statementSum{}}
	for _, it := range b.items {
		s.add(it)
		s.addCalls(d.names, it)
		if row, ok := d.keep(b, it); ok {
			out.Traces = append(out.Traces, row)
			out.Calls = append(out.Calls, d.callsOf(it)...)
		}
		if err := d.findings.file(d, b, it); err != nil {
			return out, nil, err
		}
		out.Rows = append(out.Rows, it.row)
	}
	for i := range b.serverLogs {
		if err := d.addServerLog(b, &b.serverLogs[i], s, &out); err != nil {
			return out, nil, fmt.Errorf("%w: %w", ingest.ErrData, err)
		}
	}
	out.Traces = append(out.Traces, b.late...)
	out.Sources = b.sources
	out.Pending, out.Logs, out.Firsts = b.pending, b.logs, b.firsts
	out.Endpoints, out.Statements = s.endpointRows(), s.statementRows()
	out.Findings = b.seen
	for o, n := range b.outcomes {
		o.N = n
		out.Outcomes = append(out.Outcomes, o)
	}
	return out, b.events, nil
}

// keep decides about a request's spans and counts what becomes of them.
func (d *Digester) keep(b *batch, it *item) (row store.TraceRow, kept bool) {
	n := int64(len(it.Spans))
	b.count(it.project, it.received, "transaction", string(ingest.Stored), "", 1)
	b.count(it.project, it.received, "span", string(ingest.ClientDropped), "span_limit", int64(it.Lost))
	why, _, full := d.keeper.decide(it, b.linked[it.Trace])
	if d.keepSpans != nil && !d.keepSpans() {
		why, full = model.NotKept, false
	}
	it.row.Kept = why
	switch {
	case full:
		b.count(it.project, it.received, "span", string(ingest.Filtered), "kept_per_minute", n)
	case why == model.NotKept:
		b.count(it.project, it.received, "span", string(ingest.Filtered), "counted_not_kept", n)
	default:
		b.count(it.project, it.received, "span", string(ingest.Stored), "", n)
		return d.traceRow(it, it.row.ID), true
	}
	return row, false
}

func (s *sums) add(it *item) {
	r := &it.row
	bucket := r.Start.Truncate(time.Minute)
	key := endpointSumKey{r.Endpoint, r.Release, bucket.Unix()}
	sum := s.endpoints[key]
	if sum == nil {
		sum = &endpointSum{store.EndpointRollup{Bucket: bucket, Project: r.ProjectID, Endpoint: r.Endpoint, Release: r.Release}, sketch.New(), sketch.New()}
		s.endpoints[key] = sum
	}
	sum.Seen++
	sum.N += r.Weight
	if r.Failed {
		sum.Failed += r.Weight
	}
	sum.Duration += micros(r.Duration) * r.Weight
	for c, t := range r.Totals.Time {
		sum.Time[c] += micros(t) * r.Weight
	}
	sum.Queries += float64(r.Totals.N[trace.DB]) * r.Weight
	sum.durations.Add(micros(r.Duration), r.Weight)
	sum.queries.Add(float64(r.Totals.N[trace.DB]), r.Weight)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (s *sums) addCalls(names *names, it *item) {
	bucket := it.row.Start.Truncate(statementBucket)
	for i := range it.calls {
		c := &it.calls[i]
		key := statementSumKey{it.project, names.statements[statementKey{it.project, c.print}], it.row.Endpoint, it.row.Release,
			names.labels[labelKey{it.project, model.LabelCaller, cut(c.caller, maxName)}], bucket.Unix(), model.FromSpans}
		sum := s.statements[key]
		if sum == nil {
			sum = &statementSum{store.StatementRollup{Bucket: bucket, Project: it.project, Statement: key.statement, Endpoint: key.endpoint, Release: key.release,
				Caller: key.caller, Source: model.FromSpans}, sketch.New()}
			s.statements[key] = sum
		}
		sum.add(c, it.Weight)
	}
}

func (s *statementSum) add(c *call, weight float64) {
	s.N += weight
	if c.failed {
		s.Failed += weight
	}
	s.Total += micros(c.took) * weight
	s.Max = max(s.Max, c.took.Microseconds())
	if c.rows >= 0 {
		s.Rows += float64(c.rows) * weight
		s.RowsKnown += weight
	}
	s.durations.Add(micros(c.took), weight)
}

func (s *sums) endpointRows() []store.EndpointRollup {
	rows := make([]store.EndpointRollup, 0, len(s.endpoints))
	for _, sum := range s.endpoints {
		sum.Durations, sum.PerQuery = sum.durations.Encode(), sum.queries.Encode()
		rows = append(rows, sum.EndpointRollup)
	}
	return rows
}

func (s *sums) statementRows() []store.StatementRollup {
	rows := make([]store.StatementRollup, 0, len(s.statements))
	for _, sum := range s.statements {
		sum.Durations = sum.durations.Encode()
		rows = append(rows, sum.StatementRollup)
	}
	return rows
}
