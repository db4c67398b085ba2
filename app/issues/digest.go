// Package issues holds the use cases of the error half: digesting events, listing and reading issues,
// triage, and the projects that report.
package issues

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/grouping"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

// The window in which a sender's clock is believed; outside it the time of receipt is used.
const (
	maxLate  = 30 * 24 * time.Hour
	maxEarly = time.Minute
)

// maxBody bounds the inflated size of a spooled event. The receiver admits 1 MiB; the rest is room for limits
// that an operator raised.
const maxBody = 64 << 20

// Digester is the ingest.Sink of the error half: it groups events and stores them. Write is pure work on
// all cores followed by one transaction.
type Digester struct {
	store     *store.Store
	groupings *Groupings
	requests  RequestDigester
	hub       *Hub
	log       *slog.Logger
	bodies    *zstd.Decoder

	stored, duplicates atomic.Int64
}

// RequestDigester works out what records of requests and log lines add to the database, and what the error events beside them
// tell of switches. It is that of the performance half, which this one must not know.
type RequestDigester interface {
	// Findings of the digest are those events, one for one; it lacks the hashes of their issues.
	Prepare(ctx context.Context, records []*ingest.Record, seen []model.EventSeen) (store.RequestDigest, []model.FindingEvent, error)
	// Stored tells that what Prepare made last has been committed.
	Stored()
}

// NewDigester makes the sink; what it stores is told to hub after the commit.
func NewDigester(s *store.Store, groupings *Groupings, requests RequestDigester, hub *Hub, log *slog.Logger) (*Digester, error) {
	bodies, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, fmt.Errorf("cannot make the decoder of event bodies: %w", err)
	}
	return &Digester{store: s, groupings: groupings, requests: requests, hub: hub, log: log, bodies: bodies}, nil
}

// Events is how many error events were stored since the digester was made, and how many were known already.
func (d *Digester) Events() (stored, duplicates int64) { return d.stored.Load(), d.duplicates.Load() }

// Cursor implements ingest.Sink.
func (d *Digester) Cursor(ctx context.Context, node string) (ingest.Position, error) {
	seg, pos, _, err := d.store.SpoolCursor(ctx, node)
	return ingest.Position{Segment: seg, Offset: pos}, classify(err)
}

// maxRegroups is how often a batch is grouped again because rules changed meanwhile: each time somebody must have saved
// others within some tens of milliseconds. After it the drain pauses and tries again.
const maxRegroups = 5

// Write implements ingest.Sink. A batch that was grouped by rules which no longer count is grouped again, so that a
// change of rules has a sharp edge: once it is saved, no event is filed by the old ones.
func (d *Digester) Write(ctx context.Context, b ingest.Batch) (err error) {
	for range maxRegroups {
		if err = d.write(ctx, b); !errors.Is(err, store.ErrGroupingMoved) {
			return err
		}
		if err := d.groupings.Refresh(ctx); err != nil {
			return classify(err)
		}
	}
	return err
}

func (d *Digester) write(ctx context.Context, b ingest.Batch) error {
	digest, err := d.prepare(ctx, b)
	if err != nil {
		return err
	}
	out, err := d.store.SaveDigest(ctx, digest)
	if err != nil {
		return classify(err)
	}
	if d.requests != nil {
		d.requests.Stored()
	}
	d.stored.Add(int64(out.Stored))
	d.duplicates.Add(int64(out.Duplicates))
	d.hub.Publish(out)
	return nil
}

// Bury implements ingest.Sink.
func (d *Digester) Bury(ctx context.Context, b ingest.Batch, reason string) error {
	r := b.Records[0]
	d.log.Error("an event cannot be stored and becomes a dead letter", "project", r.Project, "id", r.ID, "reason", reason)
	return classify(d.store.Bury(ctx, move(b), store.DeadLetter{ID: r.ID, ProjectID: r.Project, Kind: int16(r.Kind),
		EventID: r.EventID, Received: r.Received, Reason: reason, Payload: r.Payload}))
}

// classify tells the drain's three kinds of failure apart.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrCursorMoved):
		return fmt.Errorf("%w: %w", ingest.ErrCursor, err)
	case store.IsDataError(err):
		return fmt.Errorf("%w: %w", ingest.ErrData, err)
	case store.IsSchemaError(err):
		return fmt.Errorf("%w: %w", ingest.ErrSchema, err)
	}
	return err
}

func move(b ingest.Batch) store.SpoolMove {
	return store.SpoolMove{Node: b.Node, FromSeg: b.From.Segment, FromPos: b.From.Offset, ToSeg: b.To.Segment, ToPos: b.To.Offset}
}

// prepare parses and groups the events of a batch on all cores, and has its requests worked out.
func (d *Digester) prepare(ctx context.Context, b ingest.Batch) (store.Digest, error) {
	out := store.Digest{Move: move(b), Versions: map[int64]int64{}}
	var events, requests []*ingest.Record
	for i := range b.Records {
		r := &b.Records[i]
		switch r.Kind {
		case ingest.KindEvent:
			events = append(events, r)
			out.Versions[r.Project] = 0
		case ingest.KindRequests, ingest.KindLogs, ingest.KindPortion:
			requests = append(requests, r)
			out.Versions[r.Project] = 0 // what is found in them is grouped, too
		case ingest.KindOutcomes:
			counts, err := outcomes(r.Payload)
			if err != nil {
				return out, err
			}
			out.Outcomes = append(out.Outcomes, counts...)
		default:
			return out, fmt.Errorf("record %d is of unknown kind %d: %w", r.ID, r.Kind, ingest.ErrData)
		}
	}
	setups := d.groupings.digestSetups(out.Versions)
	if err := d.group(events, setups, &out); err != nil {
		return out, err
	}
	return out, d.prepareRequests(ctx, requests, setups, &out)
}

// group parses and groups events on all cores.
func (d *Digester) group(events []*ingest.Record, setups map[int64]GroupingSetup, out *store.Digest) error {
	out.Events = make([]store.NewEvent, len(events))
	workers := runtime.GOMAXPROCS(0)
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(events); i += workers {
				if err := d.digest(events[i], setups[events[i].Project], &out.Events[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// prepareRequests works out the requests of a batch and groups what was found in them.
func (d *Digester) prepareRequests(ctx context.Context, records []*ingest.Record, setups map[int64]GroupingSetup, out *store.Digest) (err error) {
	if d.requests == nil || len(records)+len(out.Events) == 0 {
		return nil
	}
	var found []model.FindingEvent
	if out.Requests, found, err = d.requests.Prepare(ctx, records, seenOf(out.Events)); err != nil {
		return classify(err)
	}
	for i, f := range found {
		r := ingest.Record{ID: f.ID, Project: f.Project, Kind: ingest.KindEvent, Received: f.Received, EventID: f.EventID, Payload: f.Body}
		event := store.NewEvent{}
		if err := d.digest(&r, setups[f.Project], &event); err != nil {
			return err
		}
		event.Finding = true
		out.Events = append(out.Events, event)
		out.Requests.Findings[i].Hash = event.Hashes[0]
	}
	return nil
}

// seenOf are events as the sums of switches see them: those of a trace, or that name switches.
func seenOf(events []store.NewEvent) (seen []model.EventSeen) {
	for i := range events {
		e := &events[i]
		if e.Trace == (trace.ID{}) && len(e.Switches) == 0 {
			continue
		}
		level := model.Level(e.Level)
		seen = append(seen, model.EventSeen{Project: e.ProjectID, At: e.Received, Trace: e.Trace, Env: e.Env, UserHash: e.UserHash,
			Fault: level == model.Errors || level == model.Fatal, Switches: e.Switches})
	}
	return seen
}

func outcomes(payload []byte) ([]model.OutcomeCount, error) {
	var in []ingest.OutcomeCount
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("cannot read outcomes: %w: %w", ingest.ErrData, err)
	}
	out := make([]model.OutcomeCount, len(in))
	for i, o := range in {
		out[i] = model.OutcomeCount{ProjectID: o.Project, Hour: o.Hour, Category: o.Category, Outcome: string(o.Outcome), Reason: o.Reason, N: o.N}
	}
	return out, nil
}

func (d *Digester) digest(r *ingest.Record, setup GroupingSetup, out *store.NewEvent) error {
	ev, err := d.parse(r)
	if err != nil {
		return err
	}
	g := setup.Primary.Group(GroupingEvent(ev))
	id, _ := trace.ParseID(ev.TraceID)
	*out = store.NewEvent{Trace: id,
		ID: r.ID, ProjectID: r.Project, EventID: r.EventID, Received: r.Received, Timestamp: believe(ev.Timestamp, r.Received),
		Level: levelOf(ev), Platform: ev.Platform, Title: g.Title, Release: ev.Release, Env: ev.Environment, Body: r.Payload,
		Hashes: rawHashes(g), Config: string(g.Config), Type: g.Type, Value: g.Value, Culprit: g.Culprit,
		UserHash: userHash(ev.User, r.RemoteIP), Tags: tagsOf(ev), Switches: switchesOf(ev),
	}
	if setup.Secondary != nil {
		out.Secondary = func() [][16]byte { return d.secondary(r, *setup.Secondary) }
	}
	return nil
}

func (d *Digester) parse(r *ingest.Record) (*envelope.Event, error) {
	body, err := d.bodies.DecodeAll(r.Payload, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot inflate event %d: %w: %w", r.ID, ingest.ErrData, err)
	}
	ev, err := envelope.ParseEvent(body, envelope.Digest)
	if err != nil {
		return nil, fmt.Errorf("cannot parse event %d: %w: %w", r.ID, ingest.ErrData, err)
	}
	return ev, nil
}

// secondary groups an event by an older configuration. It is parsed again, since that is needed once a group and not
// once an event: to keep every parsed event of a batch until its commit would cost more.
func (d *Digester) secondary(r *ingest.Record, setup grouping.Setup) [][16]byte {
	ev, err := d.parse(r)
	if err != nil {
		return nil // it was parsed a moment ago
	}
	return rawHashes(setup.Group(GroupingEvent(ev)))
}

// tagsOf are the tags that an event is counted under: its own, and the answers of switches that it names.
func tagsOf(ev *envelope.Event) []store.Tag {
	var tags []store.Tag
	for _, p := range ev.TagPairs() {
		if p.Value != "" {
			tags = append(tags, store.Tag{Key: p.Key, Value: p.Value})
		}
	}
	for _, s := range switchesOf(ev) {
		tags = append(tags, store.Tag{Key: store.FlagTag(s.Key), Value: s.Variant})
	}
	return tags
}

// maxFlags bounds the switches of one event that are counted, the newest of them.
const maxFlags = 50

// switchesOf are the answers of switches that an event names, each switch once with its last answer.
func switchesOf(ev *envelope.Event) (list []trace.Switch) {
	seen := map[string]bool{}
	for i := len(ev.Flags) - 1; i >= 0 && len(list) < maxFlags; i-- {
		f := ev.Flags[i]
		if f.Name == "" || f.Result == "" || len(f.Result) > maxFlagValue || seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		list = append(list, trace.Switch{Key: f.Name, Variant: f.Result})
	}
	slices.Reverse(list)
	return list
}

// maxFlagValue is how long an answer may be to be one, and not a payload.
const maxFlagValue = 100

// believe is the sender's time when it is plausible, else the time of receipt.
func believe(sent, received time.Time) time.Time {
	if sent.IsZero() || sent.After(received.Add(maxEarly)) || sent.Before(received.Add(-maxLate)) {
		return received
	}
	return sent.UTC()
}

func levelOf(ev *envelope.Event) string {
	switch l := model.Level(ev.Level); l {
	case model.Fatal, model.Errors, model.Warning, model.Info, model.Debug:
		return ev.Level
	}
	switch ev.Level {
	case "warn":
		return string(model.Warning)
	case "critical":
		return string(model.Fatal)
	case "log":
		return string(model.Info)
	}
	return string(model.Errors)
}

func rawHashes(r grouping.Result) [][16]byte { return appendHashes(nil, r) }

// appendHashes appends the hashes of the variants that contribute, in the order in which an issue is looked for.
func appendHashes(out [][16]byte, r grouping.Result) [][16]byte {
	for i := range r.Variants {
		v := &r.Variants[i]
		if h, err := parseHash(v.Hash); v.Contributes && err == nil {
			out = append(out, h)
		}
	}
	return out
}

// userHash is what tells users apart, 64 bits of FNV-1a; 0 when nobody is known.
func userHash(u *envelope.User, remote string) int64 {
	ident := u.Ident()
	if ident == "ip:{{auto}}" {
		ident = "ip:" + remote
	}
	return model.UserHash(ident)
}
