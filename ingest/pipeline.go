package ingest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/ingest/envelope"
)

// PipelineOptions are what a pipeline connects.
type PipelineOptions struct {
	Spool    *Spool
	Outcomes *Outcomes
	IDs      *model.IDs
	Limits   Limits
	Log      *slog.Logger
}

// Pipeline takes items that a receiver authenticated: it checks and compresses events, reads requests and log lines, puts
// them into the spool, and counts everything else.
type Pipeline struct {
	spool    *Spool
	outcomes *Outcomes
	ids      *model.IDs
	limits   Limits
	log      *slog.Logger
	zstd     *zstd.Encoder
}

// Source is where items come from.
type Source struct {
	Project, KeyID int64
	Received       time.Time
	RemoteIP       string
}

// NewPipeline makes a pipeline.
func NewPipeline(o PipelineOptions) *Pipeline {
	// The only error is that of a wrong option. A window of 1 MiB suffices for an event, and bounds the memory
	// of each of the encoders.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err)
	}
	return &Pipeline{o.Spool, o.Outcomes, o.IDs, o.Limits, o.Log, enc}
}

// Healthy tells why no more events should be sent here, or nil.
func (p *Pipeline) Healthy() error {
	used, max := p.spool.Size()
	if float64(used) >= p.limits.HighWater*float64(max) {
		return fmt.Errorf("the spool holds %d MiB of at most %d (spool.max_size)", used>>20, max>>20)
	}
	return nil
}

// Accept takes the items of one envelope. It returns when everything of them that is kept is safe on disk, with the id of
// the first event. Items that nothing keeps are counted and dropped, which is no error: the sender could do nothing
// about it. The payloads are not kept.
func (p *Pipeline) Accept(ctx context.Context, from Source, env envelope.Envelope, items []envelope.Item) (string, error) {
	if n := countEvents(items); n > 1 {
		p.outcomes.Count(from.Project, "error", Invalid, "several_events", int64(n))
		return "", errs.New(errs.Invalid, "The envelope has %d events; one is allowed. Send an envelope for each.", n)
	}
	in := intake{Pipeline: p, from: from, env: env}
	for i := range items {
		in.take(&items[i])
	}
	if err := in.keep(ctx); err != nil {
		return "", err
	}
	if in.kept() == 0 {
		return plainID(env.EventID), in.refused
	}
	if len(in.events) > 0 {
		return hex.EncodeToString(in.events[0].EventID[:]), nil
	}
	return plainID(env.EventID), nil
}

func countEvents(items []envelope.Item) (n int) {
	for i := range items {
		if items[i].Type == "event" {
			n++
		}
	}
	return n
}

// record checks one event and makes its record; one that is refused is counted here.
func (p *Pipeline) record(from Source, envelopeID string, payload []byte) (r Record, err error) {
	if len(payload) > p.limits.EventSize {
		p.outcomes.Count(from.Project, "error", TooLarge, "event_size", 1)
		return r, errs.New(errs.TooLarge, "The event has %d bytes; ingest.event_size allows %d. Send fewer locals or breadcrumbs.", len(payload), p.limits.EventSize)
	}
	payload, head, err := p.check(envelope.Clean(payload))
	if err != nil {
		reason := envelope.Reason(err)
		if reason == "json_nodes" {
			p.outcomes.Count(from.Project, "error", TooLarge, reason, 1)
			return r, errs.New(errs.TooLarge, "The event cannot be taken: %v", err)
		}
		p.outcomes.Count(from.Project, "error", Invalid, reason, 1)
		return r, errs.New(errs.Invalid, "The event cannot be read: %v", err)
	}
	r = Record{ID: p.ids.Next(), Project: from.Project, KeyID: from.KeyID, Kind: KindEvent, Received: from.Received,
		EventID: eventID(head.EventID, envelopeID), RemoteIP: from.RemoteIP}
	r.Payload = p.zstd.EncodeAll(payload, make([]byte, 0, len(payload)/3))
	return r, nil
}

// check reads the head of an event. What is nested too deep is cut, and the rest is kept.
func (p *Pipeline) check(payload []byte) ([]byte, envelope.Head, error) {
	limits := envelope.Limits{Depth: p.limits.JSONDepth, Nodes: p.limits.JSONNodes}
	head, err := envelope.Check(payload, limits)
	if err == nil || envelope.Reason(err) != "json_depth" {
		return payload, head, err
	}
	shallow := envelope.Shallow(payload, p.limits.JSONDepth)
	if head, again := envelope.Check(shallow, limits); again == nil {
		return shallow, head, nil
	}
	return payload, head, err
}

// eventID is the first id that is one, else a new random one.
func eventID(candidates ...string) (id [16]byte) {
	for _, text := range candidates {
		if text = plainID(text); text != "" {
			if _, err := hex.Decode(id[:], []byte(text)); err == nil && id != [16]byte{} {
				return id
			}
		}
	}
	rand.Read(id[:])
	return id
}

// plainID is an id as 32 lower-case digits, or "" when it cannot be one.
func plainID(text string) string {
	text = strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(text) != 32 || strings.Trim(text, "0123456789abcdef") != "" {
		return ""
	}
	return text
}

// categories are the item types of https://develop.sentry.dev/sdk/data-model/envelope-items/ that are not taken
// yet, by the category that quotas and outcomes know them under.
var categories = map[string]string{
	"session": "session", "sessions": "session", "attachment": "attachment", "trace_metric": "trace_metric", "profile": "profile", "profile_chunk": "profile_chunk", "check_in": "monitor",
	"replay_event": "replay", "replay_recording": "replay", "replay_video": "replay", "user_report": "feedback", "feedback": "feedback",
	"statsd": "metric_bucket", "metric_meta": "metric_bucket", "metric_buckets": "metric_bucket", "raw_security": "security", "otel_span": "span",
}

func categoryOf(itemType string) (category, reason string) {
	if c, ok := categories[itemType]; ok {
		return c, "not_enabled"
	}
	return "default", "unsupported_item"
}

// Limits of a client report: SDKs list a handful of rows.
const (
	maxReportRows  = 100
	maxReportCount = 1 << 40
)

// clientReport counts what the SDK says it dropped itself.
func (p *Pipeline) clientReport(project int64, payload []byte) {
	type row struct {
		Reason   string `json:"reason"`
		Category string `json:"category"`
		Quantity int64  `json:"quantity"`
	}
	var report struct {
		Discarded []row `json:"discarded_events"`
		Filtered  []row `json:"filtered_events"`
		Limited   []row `json:"rate_limited_events"`
	}
	if len(payload) > 1<<20 || json.Unmarshal(payload, &report) != nil {
		p.outcomes.Count(project, "client_report", Invalid, "client_report", 1)
		return
	}
	rows := append(append(report.Discarded, report.Filtered...), report.Limited...)
	for _, r := range rows[:min(len(rows), maxReportRows)] {
		p.outcomes.Count(project, r.Category, ClientDropped, r.Reason, min(r.Quantity, maxReportCount))
	}
}
