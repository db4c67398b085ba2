package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"kibitz/app/model"
	"kibitz/ingest"
)

// newSelf is a self-reporter over a spool of its own, and that spool's end.
func newSelf(t *testing.T) (*selfReporter, *ingest.Spool, *ingest.Outcomes) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	spool, err := ingest.OpenSpool(ingest.SpoolOptions{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	ids := model.NewIDs(1)
	outcomes := ingest.NewOutcomes(spool, ids, log)
	pipeline := ingest.NewPipeline(ingest.PipelineOptions{Spool: spool, Outcomes: outcomes, IDs: ids, Limits: ingest.DefaultLimits(), Log: log})
	self, err := newSelfReporter(pipeline, outcomes, 1, 1, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	return self, spool, outcomes
}

func spooled(t *testing.T, s *ingest.Spool) []ingest.Record {
	t.Helper()
	var all []ingest.Record
	at := ingest.Position{}
	for {
		records, to, err := s.Read(at)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 && to == at {
			return all
		}
		all, at = append(all, records...), to
	}
}

func TestSelfReport(t *testing.T) {
	t.Parallel()
	self, spool, _ := newSelf(t)
	self.report(t.Context(), errors.New("the watcher looked away"))
	self.close()
	if got := spooled(t, spool); len(got) != 1 || got[0].Project != 1 || got[0].Kind != ingest.KindEvent {
		t.Errorf("got %+v", got)
	}
}

// TestSelfReportGuard holds that faults of the way into the database never report themselves by the same way, that a flood
// is cut at the budget and counted, and that a closed reporter takes nothing.
func TestSelfReportGuard(t *testing.T) {
	t.Parallel()
	self, spool, outcomes := newSelf(t)
	for _, err := range []error{ingest.ErrData, ingest.ErrSchema, ingest.ErrCursor, errSelf, nil} {
		self.report(t.Context(), err)
	}
	const flood = 500
	for i := range flood {
		self.report(t.Context(), fmt.Errorf("fault %d", i))
	}
	self.close()
	self.report(t.Context(), errors.New("too late"))
	kept := int64(len(spooled(t, spool)))
	var dropped int64
	for _, o := range outcomes.Pending() {
		if o.Outcome != ingest.RateLimited {
			t.Errorf("an outcome is %+v", o)
		}
		dropped += o.N
	}
	// The minute may turn in the middle of the flood, which gives a second budget.
	if kept == 0 || kept > 2*selfBudget || kept+dropped != flood+1 {
		t.Errorf("kept %d, dropped %d of %d", kept, dropped, flood+1)
	}
}
