package tail

import (
	"context"
	"fmt"
	"testing"
	"time"

	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// TestFeed: pieces that come by syslog are put together by sender; what is beyond the limit of senders is counted.
func TestFeed(t *testing.T) {
	t.Parallel()
	s, dropped := newSink(), int64(0)
	accept := func(ctx context.Context, from ingest.Source, p pglog.Portion) error {
		p.Seq = s.seq + 1 // none of them can come again
		return s.accept(ctx, from, p)
	}
	f := NewFeed(pglog.Options{Normalizer: sqltext.NewNormalizer(1 << 20)}, accept, func(_ int64, _ string, _ ingest.Outcome, reason string, n int64) {
		if reason == "pglog_senders" {
			dropped += n
		}
	}, quiet())
	now := time.Now().UTC()
	from := ingest.Source{Project: 7, RemoteIP: "10.0.0.1", Received: now}
	line := func(pid, seq, chunk int, text string) []byte {
		return fmt.Appendf(nil, "<134>Nov 25 10:00:00 postgres[%d]: [%d-%d] %s", pid, seq, chunk, text)
	}
	head := "2026-11-25 10:00:00.000 UTC [%d] LOG:  duration: 2.000 ms  statement: SELECT a"
	f.Take(from, line(7, 3, 1, fmt.Sprintf(head, 7)))
	f.Take(from, line(8, 1, 1, fmt.Sprintf(head, 8)))
	other := from
	other.RemoteIP = "10.0.0.2"
	f.Take(other, line(7, 3, 1, fmt.Sprintf(head, 7)))
	f.Take(from, line(7, 3, 2, "\tFROM t"))
	f.flush(t.Context(), now.Add(time.Millisecond), false)
	if s.total() != 0 {
		t.Errorf("%v were taken before they were whole", s.calls)
	}
	f.flush(t.Context(), now.Add(3*time.Second), false)
	if s.calls["select a from t"] != 1 || s.calls["select a"] != 2 || len(s.lost) > 0 {
		t.Errorf("%v, lost %v", s.calls, s.lost)
	}
	for i := range maxSenders + 5 {
		from.RemoteIP = fmt.Sprint(i)
		f.Take(from, line(7, 3, 1, fmt.Sprintf(head, 7)))
	}
	if dropped != 7 {
		t.Errorf("%d are counted as dropped", dropped)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.Run(ctx) // its end hands on what waits
	if got := s.total(); got != 3+maxSenders-2 {
		t.Errorf("%d calls", got)
	}
	f.flush(t.Context(), now.Add(2*forgetSender), false)
	if len(f.senders) != 0 {
		t.Errorf("%d silent senders are remembered", len(f.senders))
	}
}
