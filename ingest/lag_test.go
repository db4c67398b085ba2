package ingest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kibitz/app/model"
	"kibitz/app/prometheus"
)

// TestDrainLag holds that what waits is seen while the database is away, over several files, and that nothing waits after.
func TestDrainLag(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1000, 1<<20)
	appendAll(t, s, 1, 21)
	var away atomic.Bool
	away.Store(true)
	f := &fakeSink{fail: func(Batch) error {
		if away.Load() {
			return errors.New("away")
		}
		return nil
	}}
	d := NewDrain(DrainOptions{Node: "n", Spool: s, Sink: f, Log: quiet()})
	now := rec(1).Received.Add(time.Minute)
	if bytes, age := d.Lag(now); bytes < 20*100 || age != 0 {
		t.Errorf("before the start: %d bytes, %s", bytes, age)
	}
	d.Start()
	defer d.Stop()
	wait := func(what string, ok func(bytes int64, age time.Duration) bool) {
		t.Helper()
		limit := time.Now().Add(30 * time.Second)
		for {
			bytes, age := d.Lag(now)
			if ok(bytes, age) {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%s: %d bytes, %s", what, bytes, age)
			}
			time.Sleep(time.Millisecond)
		}
	}
	wait("away", func(bytes int64, age time.Duration) bool { return bytes >= 20*100 && age == time.Minute })
	away.Store(false)
	wait("back", func(bytes int64, age time.Duration) bool { return bytes == 0 && age == 0 })
	appendAll(t, s, 21, 22)
	wait("one more", func(bytes int64, age time.Duration) bool { return bytes == 0 && f.done() == 21 })
}

// TestEnds holds that what ends is summed up under clean names, for as long as the process lives, whatever has been flushed.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20, 1<<22)
	o := NewOutcomes(s, model.NewIDs(1), quiet())
	o.Count(7, "span", RateLimited, "evil \"} 1\n", 2)
	o.flush()
	o.Count(7, "span", RateLimited, "evil \"} 1\n", 3)
	text := &prometheus.Text{}
	o.Ends().Write(text, prometheus.ProjectLabel)
	want := `kibitz_items_total{project="7",category="span",outcome="rate_limited",reason="evil____1_"} 5`
	if !strings.Contains(string(text.Bytes()), want) {
		t.Errorf("%s is not in\n%s", want, text.Bytes())
	}
}
