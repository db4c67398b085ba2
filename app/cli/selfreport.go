package cli

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/getsentry/sentry-go"

	"kibitz/app/model"
	"kibitz/grouping"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

// Limits of self-reporting.
const (
	// selfBudget is how many of our own exceptions are taken in a minute; a fault in every request must not
	// fill the spool with itself. The rest is counted as rate_limited, reason self_budget.
	selfBudget = 60
	// selfQueue bounds those that wait to be spooled.
	selfQueue = 64
)

// selfReporter takes Kibitz's own exceptions to the project "kibitz" with sentry-go, through a transport that
// stays inside the process.
//
// A fault of the pipeline must not report itself through the pipeline: while an own event is being taken in,
// nothing else is reported, and what fails in there is only logged and counted.
type selfReporter struct {
	client   *sentry.Client
	pipeline *ingest.Pipeline
	outcomes *ingest.Outcomes
	project  int64
	key      int64
	log      *slog.Logger
	queue    chan []byte
	done     chan struct{}
	minute   atomic.Int64 // the running minute
	used     atomic.Int64 // own events in it
	closed   atomic.Bool
}

func newSelfReporter(p *ingest.Pipeline, o *ingest.Outcomes, project, key int64, node string, log *slog.Logger) (*selfReporter, error) {
	r := &selfReporter{pipeline: p, outcomes: o, project: project, key: key, log: log, queue: make(chan []byte, selfQueue), done: make(chan struct{})}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn:       "http://" + fmt.Sprintf("%032x", 1) + "@kibitz.invalid/1", // never dialled: the transport is ours
		Transport: (*selfTransport)(r), Release: "kibitz@" + Version, ServerName: node, AttachStacktrace: true, Environment: "production",
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make the self-reporting client: %w", err)
	}
	r.client = client
	go r.run()
	return r, nil
}

// report sends an error of ours. Errors of the way into the database are not reported: they would come back by
// the same way.
func (r *selfReporter) report(ctx context.Context, err error) {
	if err == nil || isIngest(err) {
		return
	}
	// All errors come by this one stack, so that what tells them apart is their text without its numbers and ids.
	scope := sentry.NewScope()
	scope.SetFingerprint([]string{"{{ default }}", grouping.Parameterize(err.Error())})
	flagsContext(ctx, scope)
	r.client.CaptureException(err, nil, scope)
}

func isIngest(err error) bool {
	return errors.Is(err, ingest.ErrData) || errors.Is(err, ingest.ErrSchema) || errors.Is(err, ingest.ErrCursor) || errors.Is(err, errSelf)
}

// errSelf marks failures of taking an own event in.
var errSelf = errors.New("self-report failed")

// admit says whether the running minute's budget has room.
func (r *selfReporter) admit(now time.Time) bool {
	if m := now.Unix() / 60; r.minute.Swap(m) != m {
		r.used.Store(0)
	}
	return r.used.Add(1) <= selfBudget
}

func (r *selfReporter) run() {
	defer close(r.done)
	for payload := range r.queue {
		if err := r.take(context.Background(), payload); err != nil {
			r.log.Error("cannot keep an exception of our own", "err", err)
		}
	}
}

// take hands one event to the pipeline.
func (r *selfReporter) take(ctx context.Context, payload []byte) error {
	_, err := r.pipeline.Accept(ctx, ingest.Source{Project: r.project, KeyID: r.key, Received: time.Now()},
		envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: payload}})
	if err != nil {
		return fmt.Errorf("%w: %w", errSelf, err)
	}
	return nil
}

// close waits for what is queued.
func (r *selfReporter) close() {
	if r.closed.Swap(true) {
		return
	}
	close(r.queue)
	<-r.done
}

// selfTransport is the sentry-go transport of a selfReporter.
type selfTransport selfReporter

// Configure implements sentry.Transport.
func (t *selfTransport) Configure(sentry.ClientOptions) {}

// SendEvent implements sentry.Transport: it never blocks and never sends to itself.
func (t *selfTransport) SendEvent(e *sentry.Event) {
	r := (*selfReporter)(t)
	payload, err := json.Marshal(e)
	if err != nil {
		r.log.Error("cannot encode an exception of our own", "err", err)
		return
	}
	if r.closed.Load() || !r.admit(time.Now()) {
		r.outcomes.Count(r.project, "error", ingest.RateLimited, "self_budget", 1)
		return
	}
	select {
	case r.queue <- payload:
	default:
		r.outcomes.Count(r.project, "error", ingest.RateLimited, "self_queue", 1)
	}
}

// Flush implements sentry.Transport.
func (t *selfTransport) Flush(time.Duration) bool { return true }

// FlushWithContext implements sentry.Transport.
func (t *selfTransport) FlushWithContext(context.Context) bool { return true }

// Close implements sentry.Transport.
func (t *selfTransport) Close() {}

// testEvent puts a test event of somebody into a project.
func (r *selfReporter) testEvent(ctx context.Context, key model.ProjectKey, by model.Account) error {
	raw, err := hex.DecodeString(key.Public)
	if err != nil || len(raw) != 16 {
		return fmt.Errorf("cannot read the key of project %d", key.ProjectID)
	}
	payload, err := json.Marshal(map[string]any{
		"platform": "other", "level": "info", "logger": "kibitz.test",
		"logentry":  map[string]any{"message": "Hello, board: this is a test event from %s", "formatted": "Hello, board: this is a test event from " + by.Email},
		"timestamp": float64(time.Now().UnixMilli()) / 1000, "tags": map[string]string{"source": "welcome page"},
		"user": map[string]string{"email": by.Email, "id": fmt.Sprint(by.ID)}, "sdk": map[string]string{"name": "kibitz", "version": Version},
	})
	if err != nil {
		return fmt.Errorf("cannot make a test event: %w", err)
	}
	_, err = r.pipeline.Accept(ctx, ingest.Source{Project: key.ProjectID, KeyID: key.ID, Received: time.Now()}, envelope.Envelope{},
		[]envelope.Item{{Type: "event", Payload: payload}})
	return err
}
