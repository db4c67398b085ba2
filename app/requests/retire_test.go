package requests

import (
	"strings"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
)

// TestRetire holds that what is too old goes by the day, and then the oldest days until the budget holds; that sums which no
// coarser table has stay; and that no row is deleted by itself.
func TestRetire(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	const days = 6
	for n := range days {
		if err := k.store.MakeTimes(k.ctx, k.now.AddDate(0, 0, -n)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 40 {
		q := k.page(n, "/a")
		q.URL = "/a?" + strings.Repeat("0123456789abcdef", 40+n) // some 700 bytes that differ
		k.take(q)
	}
	for n := 1; n < days; n++ { // each day before has the same and 4,000 rows more
		k.run(`INSERT INTO request SELECT received - make_interval(days => $1), id, trace_id, span_id, start, project_id, user_hash, duration_us, db_us, cache_us,
			http_us, template_us, pool_us, other_us, endpoint_id, release_id, env_id, host_id, db_n, cache_n, http_n, template_n, weight, status, kept, failed, found, switches
			FROM request, generate_series(1, 100) WHERE received >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`, n)
	}
	before := k.deletes()
	k.requests.retention = Retention{Days: 4, MinuteDays: 30, HourDays: 400, Budget: 1 << 40}
	k.retire(t)
	if size, oldest, err := k.store.RequestBytes(k.ctx); err != nil || k.now.Sub(oldest) > 5*24*time.Hour {
		t.Fatalf("%d bytes since %s are left of 4 days: %v", size, oldest, err)
	}
	size, _, err := k.store.RequestBytes(k.ctx)
	if err != nil {
		t.Fatal(err)
	}
	k.requests.retention.Budget = size / 2
	k.retire(t)
	left, oldest, err := k.store.RequestBytes(k.ctx)
	if err != nil || left > size/2 {
		t.Errorf("%d bytes since %s are left of a budget of %d: %v", left, oldest, size/2, err)
	}
	k.requests.retention.Budget = 1
	k.retire(t)
	k.expect(map[string]float64{"SELECT count(*) FROM request WHERE received >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'": 40,
		"SELECT sum(n) FROM endpoint_raw": 40})
	if after := k.deletes(); after != before {
		t.Errorf("%v rows were deleted by themselves", after-before)
	}
}

func (k *desk) run(sql string, args ...any) {
	k.t.Helper()
	if _, err := k.db.Write(k.ctx, db.Key{Part: db.Ops}).Exec(k.ctx, sql, args...); err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) deletes() float64 {
	k.t.Helper()
	return k.number(`SELECT coalesce(sum(pg_stat_get_tuples_deleted(c.oid)), 0)::float8 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent IN ('request'::regclass, 'trace'::regclass, 'log_line'::regclass)`)
}

func (k *desk) retire(t *testing.T) {
	t.Helper()
	if err := k.requests.Retire(k.ctx, k.now); err != nil {
		t.Fatal(err)
	}
}
