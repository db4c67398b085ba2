package db_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
)

// TestPools holds that connections in use are counted by partition and use, and those who found none free, with how long they waited.
func TestPools(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := db.With(t.Context(), db.Jobs) // two connections
	before := jobs(d)
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	for range 2 {
		go func() {
			done <- d.Tx(ctx, ops(), func(pgx.Tx) error {
				held <- struct{}{}
				<-release
				return nil
			})
		}()
	}
	<-held
	<-held
	if s := jobs(d); s[db.Ops].Used != 2 || s[db.Posts].Used != 0 {
		t.Errorf("%+v", s)
	}
	// One more finds none free. Only a third connection would let it begin before the two end; it ends after them.
	late, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := d.Write(ctx, ops()).Exec(late, "SELECT 1"); err == nil {
		t.Error("there were more connections than two")
	}
	go func() { _, err := d.Write(ctx, ops()).Exec(ctx, "SELECT 1"); done <- err }()
	close(release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	after := jobs(d)
	// The first two made their connections, and waited for that.
	if after[db.Ops].Empty < before[db.Ops].Empty+2 || after[db.Ops].Waited <= before[db.Ops].Waited || after[db.Posts] != before[db.Posts] {
		t.Errorf("%+v, then %+v", before, after)
	}
}

// jobs are the pools of jobs by partition.
func jobs(d *db.DB) map[db.Partition]db.PoolStat {
	out := map[db.Partition]db.PoolStat{}
	for _, p := range d.Pools() {
		if p.Name == "jobs" {
			out[p.Part] = p
		}
	}
	return out
}

// TestMonths makes partitions by the month, of which none has the same length, and retires them.
func TestMonths(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	from := time.Date(2027, 12, 31, 23, 0, 0, 0, time.UTC)
	for range 2 {
		if err := d.MakeDays(t.Context(), db.Ops, "host_ten", db.ByMonth, from, 4); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"2027-12-01", "2028-01-31 23:59:59", "2028-02-29 12:00", "2028-03-31 23:59:59.999"} {
		if _, err := d.Write(t.Context(), ops()).Exec(t.Context(), `INSERT INTO host_ten VALUES ($1::text::timestamptz, now(), 1, '{}', '{}', '{}')`, at); err != nil {
			t.Fatal(err)
		}
	}
	var spare int
	if err := d.Owner(t.Context(), db.Ops, func(c *pgx.Conn) error {
		return c.QueryRow(t.Context(), `SELECT count(*) FROM host_ten_default`).Scan(&spare)
	}); err != nil || spare != 0 {
		t.Errorf("%d in the default partition: %v", spare, err)
	}
	dropped, err := d.DropDays(t.Context(), db.Ops, "host_ten", db.ByMonth, time.Date(2028, 2, 29, 23, 59, 0, 0, time.UTC))
	slices.Sort(dropped)
	if err != nil || !slices.Equal(dropped, []string{"host_ten_202712", "host_ten_202801"}) {
		t.Errorf("dropped %q: %v", dropped, err)
	}
	if got := db.ByMonth.Before(time.Date(2028, 3, 31, 5, 0, 0, 0, time.UTC), 1); !got.Equal(time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the month before March begins at %s", got)
	}
}

// TestReplicasSwitched holds that reads of pages go to a replica only while they may.
func TestReplicasSwitched(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Config(t, false)
	part := cfg.Parts[db.Ops]
	part.Replicas = []string{part.Primary}
	cfg.Parts[db.Ops] = part
	on := false
	cfg.UseReplicas = func() bool { return on }
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	replica := func() (reads int64) {
		var n int
		if err := d.Read(t.Context(), ops()).QueryRow(t.Context(), "SELECT 1").Scan(&n); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Pools() {
			if p.Name == "replica 1" {
				reads += p.Acquires
			}
		}
		return reads
	}
	if replica() != 0 {
		t.Error("a replica was read from, though they may not be")
	}
	if on = true; replica() != 1 {
		t.Error("no replica was read from")
	}
}
