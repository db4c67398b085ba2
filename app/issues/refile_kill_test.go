package issues

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

// moverEnv tells this binary to move events in the databases that it names, instead of running tests.
const moverEnv = "KIBITZ_TEST_MOVER"

// moveUntilKilled does the jobs of a database for ever.
func moveUntilKilled(config string) int {
	var c db.Config
	err := json.Unmarshal([]byte(config), &c)
	c.Log = slog.New(slog.DiscardHandler)
	ctx := db.With(context.Background(), db.Jobs)
	var d *db.DB
	if err == nil {
		d, err = db.Open(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s := store.New(d)
	NewRefiles(s, NewGroupings(s, c.Log), model.NewIDs(2), c.Log).Run(ctx)
	return 0
}

// TestSIGKILL kills a process in the middle of a job and starts another: it goes on, and nothing is lost or counted twice.
func TestSIGKILL(t *testing.T) {
	t.Parallel()
	config := dbtest.Config(t, false)
	d, err := db.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	m := newMover(t, d)
	m.faults("a", 0, 6000)
	m.faults("b", 0, 10)
	r := m.merge(m.issue("b"), m.issue("a"))
	child := m.startMover(config)
	m.until("some events have moved", `SELECT count(*) = 1 FROM refile WHERE done > 0`)
	m.must(child.Process.Kill())
	child.Wait() // it was killed
	if r = m.state(r); r.State != model.JobRunning || r.Done == 0 || r.Done == 6000 {
		t.Fatalf("killed at %+v", r)
	}
	child = m.startMover(config)
	m.until("all events have moved", `SELECT count(*) = 1 FROM refile WHERE state = 'done'`)
	m.must(child.Process.Kill())
	child.Wait() // it was killed
	if r = m.state(r); r.Done != 6000 {
		t.Errorf("done at %+v", r)
	}
	m.wantListed("b: 6010")
	m.sound()
}

func (m *mover) startMover(config db.Config) *exec.Cmd {
	m.t.Helper()
	config.Log = nil
	text, err := json.Marshal(config)
	m.must(err)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), moverEnv+"="+string(text)), os.Stderr
	m.must(cmd.Start())
	m.t.Cleanup(func() { cmd.Process.Kill() }) // as a rule it has ended
	return cmd
}

// BenchmarkMerge moves events of 13 KB from one issue to another, and back.
func BenchmarkMerge(b *testing.B) {
	m := newMover(b, dbtest.New(b))
	const events = 10_000
	r := rand.New(rand.NewPCG(1, 1))
	for range events / 500 {
		var records []ingest.Record
		for range 500 {
			rec := m.record(0, string(envelope.SampleEvent(r, 0, "", time.Now())))
			m.next++
			rec.EventID = [16]byte{9, byte(m.next >> 8), byte(m.next)}
			records = append(records, rec)
		}
		m.must(m.write(records...))
	}
	from := m.list("all")[0].Issue
	m.faults("b", 0, 1)
	into := m.issue("b")
	for b.Loop() {
		refile := m.merge(into, from)
		m.run()
		m.undo(refile)
	}
	b.ReportMetric(float64(2*events*b.N)/b.Elapsed().Seconds(), "events/s")
}
