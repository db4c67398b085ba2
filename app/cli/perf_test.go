package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/config"
	"kibitz/app/model"
	"kibitz/app/perf"
	"kibitz/app/switches"
	"kibitz/app/switches/switchestest"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// TestRecorder holds that our own requests reach the spool under our own project, and that their way there is no request.
func TestRecorder(t *testing.T) {
	t.Parallel()
	self, spool, outcomes := newSelf(t)
	cfg, err := config.Load("", nil, []string{"KIBITZ_NODE=here"})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Program: &Program{config: cfg, log: self.log}, pipeline: self.pipeline, outcomes: outcomes}
	rec := s.newRecorder(7, 8)
	ctx, q := rec.Start(context.Background(), perf.Info{Name: "/issues", Source: "route", Method: "GET"})
	_, read := queryCounter(rec)(ctx)
	perf.Begin(ctx, trace.DB, "db.query", "select 1").End()
	if n, spent := read(); n != 1 || spent <= 0 {
		t.Errorf("the log would say %d queries in %s", n, spent)
	}
	q.Finish()
	if err := rec.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	records := spooled(t, spool)
	if len(records) != 1 || records[0].Project != 7 || records[0].KeyID != 8 || records[0].Kind != ingest.KindRequests {
		t.Fatalf("%+v", records)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := records[0].Unpack(d)
	requests := u.Requests
	if err != nil || len(requests) != 1 {
		t.Fatal(requests, err)
	}
	if r := requests[0]; r.Name != "/issues" || r.Service != "kibitz" || r.Release != "kibitz@dev" || r.Host != "here" || len(r.Spans) != 1 || r.Weight != 1 {
		t.Errorf("%+v", r)
	}
	if n := rec.Stats(); n.Finished != 1 || n.Delivered != 1 {
		t.Errorf("%+v", n)
	}
	self.close()
}

// TestRecorderRefused holds that requests that the spool does not take are counted once.
func TestRecorderRefused(t *testing.T) {
	t.Parallel()
	self, spool, outcomes := newSelf(t)
	cfg, err := config.Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Program: &Program{config: cfg, log: self.log}, pipeline: self.pipeline, outcomes: outcomes}
	rec := s.newRecorder(7, 8)
	self.close()
	spool.Close()
	for range 3 {
		_, q := rec.Start(context.Background(), perf.Info{})
		q.Finish()
	}
	rec.Close(context.Background())
	if rec.Dropped() != 3 {
		t.Errorf("%+v", rec.Stats())
	}
	if got := fmt.Sprint(outcomes.Pending()); len(outcomes.Pending()) != 1 || outcomes.Pending()[0].N != 3 || outcomes.Pending()[0].Category != "transaction" {
		t.Errorf("outcomes %s", got)
	}
}

// TestRecorderCrowd holds that requests which come by the thousand are each in a stored one's weight, or counted as refused, and
// that stored and folded ones are as many.
func TestRecorderCrowd(t *testing.T) {
	t.Parallel()
	const n = 3000
	for _, refused := range []bool{false, true} {
		self, spool, outcomes := newSelf(t)
		cfg, err := config.Load("", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &server{Program: &Program{config: cfg, log: self.log}, pipeline: self.pipeline, outcomes: outcomes}
		rec := s.newRecorder(7, 8)
		self.close()
		if refused {
			spool.Close()
		}
		for range n {
			_, q := rec.Start(context.Background(), perf.Info{Name: "/api/:project/envelope", Source: "route", Method: "POST"})
			q.SetStatus(200)
			q.Finish()
		}
		rec.Close(context.Background())
		rows, weight := int64(0), 0.0
		if !refused {
			rows, weight = stored(t, spool)
		}
		counts := map[string]int64{}
		for _, o := range outcomes.Pending() {
			counts[string(o.Outcome)+"/"+o.Reason] += o.N
		}
		if refused && (len(counts) != 1 || counts["rate_limited/spool_unavailable"] != n) {
			t.Errorf("refused: %v", counts)
		}
		if !refused && (weight != n || rows < selfBusy || len(counts) != 1 || counts["filtered/folded"] != n-rows || rows > n/2) {
			t.Errorf("%d rows stand for %v requests; counted %v", rows, weight, counts)
		}
	}
}

// stored is how many requests are in the spool, and for how many they stand.
func stored(t *testing.T, spool *ingest.Spool) (rows int64, weight float64) {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range spooled(t, spool) {
		u, err := r.Unpack(d)
		if err != nil {
			t.Fatal(err)
		}
		rows += int64(len(u.Requests))
		for i := range u.Requests {
			weight += u.Requests[i].Weight
		}
	}
	return rows, weight
}

// TestRecorderYields holds that a spool above its high water takes none of our own requests, and that they are counted.
func TestRecorderYields(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	spool, err := ingest.OpenSpool(ingest.SpoolOptions{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	cfg, err := config.Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := model.NewIDs(1)
	outcomes, limits := ingest.NewOutcomes(spool, ids, log), ingest.DefaultLimits()
	limits.HighWater = 0 // nothing is little enough
	s := &server{Program: &Program{config: cfg, log: log}, outcomes: outcomes,
		pipeline: ingest.NewPipeline(ingest.PipelineOptions{Spool: spool, Outcomes: outcomes, IDs: ids, Limits: limits, Log: log})}
	rec := s.newRecorder(7, 8)
	_, q := rec.Start(context.Background(), perf.Info{})
	q.Finish()
	rec.Close(context.Background())
	pending := outcomes.Pending()
	if len(spooled(t, spool)) != 0 || len(pending) != 1 || pending[0].Reason != "spool_high_water" || pending[0].N != 1 {
		t.Errorf("outcomes %+v", pending)
	}
}

// TestRecorderSwitchedOff holds that the switch takes no requests, without a restart, and that they are counted.
func TestRecorderSwitchedOff(t *testing.T) {
	t.Parallel()
	self, spool, outcomes := newSelf(t)
	cfg, err := config.Load("", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Program: &Program{config: cfg, log: self.log, features: newFeatures("here")}, pipeline: self.pipeline, outcomes: outcomes}
	h := switches.NewHolder("production")
	s.features.use(h)
	switchestest.Force(t, h, switches.OwnRecorder, "off")
	rec := s.newRecorder(7, 8)
	_, q := rec.Start(context.Background(), perf.Info{})
	q.Finish()
	rec.Close(context.Background())
	pending := outcomes.Pending()
	if len(spooled(t, spool)) != 0 || len(pending) != 1 || pending[0].Reason != "switched_off" || pending[0].N != 1 || rec.Dropped() != 0 {
		t.Errorf("outcomes %+v", pending)
	}
	self.close()
}

// TestRecorderOff holds that the setting turns all of it off.
func TestRecorderOff(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load("", nil, []string{"KIBITZ_PERF_ENABLED=no"})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Program: &Program{config: cfg}}
	if s.newRecorder(1, 1) != nil {
		t.Error("there is a recorder")
	}
	ctx, read := queryCounter(nil)(context.Background())
	if n, _ := read(); n != 0 || ctx == context.Background() {
		t.Error("nobody counts queries")
	}
	if _, err := config.Load("", nil, []string{"KIBITZ_PERF_ENABLED=maybe"}); err == nil {
		t.Error("maybe is an answer")
	}
}
