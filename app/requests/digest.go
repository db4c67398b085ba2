// Package requests holds the use cases of the performance half: taking requests in, listing them, one request's waterfall,
// endpoints, statements, and the health of databases.
package requests

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/prometheus"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/sqltext"
)

// maxUnpacked bounds the inflated size of a spooled record: 500 requests of 1,000 spans and long statements.
const maxUnpacked = 256 << 20

// statementCache is how many bytes of statements and their normal forms are remembered.
const statementCache = 16 << 20

// The window in which a sender's clock is believed; outside it the time of receipt is used.
const (
	maxLate  = 2 * 24 * time.Hour
	maxEarly = time.Minute
)

// Digester works out what a batch of requests adds to the database: rows, sums, and the spans that are worth keeping. It
// remembers names and each endpoint's usual durations, so there is one for the one drain of a process.
type Digester struct {
	store     *store.Store
	ids       *model.IDs
	log       *slog.Logger
	names     *names
	keeper    *keeper
	keepSpans func() bool // nil always
	findings  *findings
	calls     callKeeper
	settings  settings
	compared  time.Time         // when releases were compared last
	regressed map[[2]int32]bool // endpoints and releases that were found slower
	normalize *sqltext.Normalizer
	in        *zstd.Decoder
	out       *zstd.Encoder
	counts    *prometheus.Requests
	ends      *prometheus.Items
	prepared  *batch // by the last call of Prepare; nil when it was of nothing
}

// DigesterOptions are what a digester connects.
type DigesterOptions struct {
	Store *store.Store
	IDs   *model.IDs
	Log   *slog.Logger
	// KeepOneIn is which share of unremarkable requests keep their spans.
	KeepOneIn int
	// KeepSpans says whether spans are kept at all; nil always. It is asked for each request.
	KeepSpans func() bool
	// Counts and Ends are told of what has been stored; nil for nobody.
	Counts *prometheus.Requests
	Ends   *prometheus.Items
}

// NewDigester makes a digester.
func NewDigester(o DigesterOptions) (*Digester, error) {
	in, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, fmt.Errorf("cannot make the decoder of requests: %w", err)
	}
	out, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("cannot make the encoder of spans: %w", err)
	}
	return &Digester{store: o.Store, ids: o.IDs, log: o.Log, names: newNames(o.Store), keeper: newKeeper(max(o.KeepOneIn, 1)), keepSpans: o.KeepSpans, findings: newFindings(), regressed: map[[2]int32]bool{},
		normalize: sqltext.NewNormalizer(statementCache), in: in, out: out, counts: o.Counts, ends: o.Ends}, nil
}

// item is one request on its way through a batch.
type item struct {
	trace.Request
	project  int64
	received time.Time
	remote   string
	row      model.RequestRow
	calls    []call
	found    []detect.Finding
	endpoint *model.Endpoint
}

// Prepare works out what records of requests and log lines add. linked are traces that error events of the same batch name.
// It changes nothing but names; to repeat it is harmless.
func (d *Digester) Prepare(ctx context.Context, records []*ingest.Record, linked map[trace.ID]bool) (out store.RequestDigest, events []model.FindingEvent, err error) {
	if d.prepared = nil; len(records) == 0 {
		return out, nil, nil
	}
	b := &batch{linked: linked, outcomes: map[model.OutcomeCount]int64{}, firsts: map[int64]time.Time{}}
	if err := d.unpack(records, b); err != nil {
		return out, nil, err
	}
	if err := d.leaveTaken(ctx, b); err != nil {
		return out, nil, err
	}
	if err := d.settle(ctx, b); err != nil {
		return out, nil, err
	}
	if err := d.analyse(b); err != nil {
		return out, nil, err
	}
	if err := d.name(ctx, b); err != nil {
		return out, nil, err
	}
	if err := d.detect(ctx, b); err != nil {
		return out, nil, err
	}
	if err := d.regressions(ctx, b, time.Now().UTC()); err != nil {
		d.log.Warn("cannot compare releases; trying again", "err", err)
	}
	d.prepared = b
	return d.conclude(b)
}

// Stored tells that what Prepare made last has been committed: only then is it counted, since a batch that fails is prepared
// again.
func (d *Digester) Stored() {
	b := d.prepared
	if b == nil || d.counts == nil {
		return
	}
	for _, it := range b.items {
		e := it.endpoint
		d.counts.Add(prometheus.Endpoint{Project: it.project, Service: e.Service, Method: e.Method, Name: e.Name},
			prometheus.Request{Status: it.Status, Failed: it.Failed, Duration: it.Duration, Weight: it.Weight})
	}
	for o, n := range b.outcomes {
		d.ends.Add(prometheus.Item{Project: o.ProjectID, Category: o.Category, Outcome: o.Outcome, Reason: o.Reason}, n)
	}
	d.prepared = nil
}

// batch is what a call of Prepare works on.
type batch struct {
	items []*item // whole requests
	loose []*item // spans without their request
	logs  []store.LogRow
	// serverLogs are pieces of PostgreSQL's logs, and sources up to which of them those will have been taken.
	serverLogs []serverLog
	sources    map[string]int64
	linked     map[trace.ID]bool
	outcomes   map[model.OutcomeCount]int64
	firsts     map[int64]time.Time
	pending    []store.TraceRow
	late       []store.TraceRow
	events     []model.FindingEvent
	seen       []store.FindingSeen // of events, one for one
}

// count adds to an outcome of the hour.
func (b *batch) count(project int64, at time.Time, category, outcome, reason string, n int64) {
	if n > 0 {
		b.outcomes[model.OutcomeCount{ProjectID: project, Hour: at.Truncate(time.Hour), Category: category, Outcome: outcome, Reason: reason}] += n
	}
}

// unpack reads the records on all cores.
func (d *Digester) unpack(records []*ingest.Record, b *batch) error {
	all := make([]ingest.Unpacked, len(records))
	err := eachOn(len(records), func(i int) (err error) {
		all[i], err = records[i].Unpack(d.in)
		return err
	})
	if err != nil {
		return err
	}
	for i, u := range all {
		r := records[i]
		for k := range u.Requests {
			b.take(&item{Request: u.Requests[k], project: r.Project, received: r.Received, remote: r.RemoteIP})
		}
		for k := range u.Lines {
			b.logs = append(b.logs, store.LogRow{ID: d.ids.Next(), Project: r.Project, Line: cleanLine(u.Lines[k], r.Received)})
		}
		b.count(r.Project, r.Received, "log_item", "stored", "", int64(len(u.Lines)))
		if r.Kind == ingest.KindPortion {
			b.serverLogs = append(b.serverLogs, serverLog{u.Portion, r.Project, r.Received})
		}
		if first, ok := b.firsts[r.Project]; !ok || r.Received.Before(first) {
			b.firsts[r.Project] = r.Received
		}
	}
	return nil
}

func (b *batch) take(it *item) {
	if it.Partial {
		b.loose = append(b.loose, it)
		return
	}
	it.Start = believe(it.Start, it.Duration, it.received)
	if !(it.Weight >= 1) || math.IsInf(it.Weight, 0) {
		it.Weight = 1
	}
	it.Duration = max(it.Duration, 0)
	b.items = append(b.items, it)
}

// believe is the start of a request by the sender's clock, unless that is far off.
func believe(start time.Time, took time.Duration, received time.Time) time.Time {
	if start.Before(received.Add(-maxLate)) || start.After(received.Add(maxEarly)) {
		return received.Add(-min(max(took, 0), time.Hour))
	}
	return start
}

func cleanLine(l trace.LogLine, received time.Time) trace.LogLine {
	l.At = believe(l.At, 0, received)
	return l
}

// eachOnLeast is how many calls a further core is worth: what takes less is no reason to have pages wait for all of them.
const eachOnLeast = 64

// eachOn calls fn for 0 to n-1, on all cores when there is much to do.
func eachOn(n int, fn func(i int) error) error {
	workers := min(runtime.GOMAXPROCS(0), 1+n/eachOnLeast)
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				if err := fn(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
