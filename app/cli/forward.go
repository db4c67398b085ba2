package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"kibitz/app/forward"
	"kibitz/app/perf"
	"kibitz/app/switches"
	"kibitz/ingest"
)

const (
	forwardPause   = time.Second
	forwardTimeout = 20 * time.Second // of one message
	forwardEnd     = 3 * time.Second  // of what waits when the process stops
)

// forwarding puts a forwarder behind a sink when one is configured.
func (s *server) forwarding(sink ingest.Sink) (_ ingest.Sink, err error) {
	cfg := s.config.OTLP
	if cfg.Forward == "" {
		return sink, nil
	}
	// A receiver that points elsewhere is refused: the headers hold keys.
	client := &http.Client{Timeout: forwardTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if s.sender, err = perf.NewOTLPTo(cfg.Forward, cfg.Headers, client); err != nil {
		return nil, fmt.Errorf("otlp.forward is wrong: %w", err)
	}
	s.forward, err = forward.New(forward.Options{Send: s.sender.Send, Node: s.config.Node, Queue: cfg.Queue, Patience: time.Duration(cfg.Patience) * time.Second,
		Pause: forwardPause, Log: s.log, Dropped: s.countNotForwarded})
	return forward.Sink{Sink: sink, To: s.forward, On: s.features.gate(switches.OwnForward)}, err
}

// countNotForwarded counts under a category of its own: the requests themselves have been stored and counted.
func (s *server) countNotForwarded(project int64, reason string, n int64) {
	outcome := ingest.RateLimited
	switch reason {
	case forward.Refused, forward.Damaged:
		outcome = ingest.Invalid
	case forward.Looped:
		outcome = ingest.Filtered
	}
	s.outcomes.Count(project, "forward", outcome, reason, n)
}

// stopForwarding sends what waits, for a moment.
func (s *server) stopForwarding(ctx context.Context) {
	if s.forward == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, forwardEnd)
	defer cancel()
	s.forward.Close(ctx)
}
