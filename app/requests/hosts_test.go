package requests

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/hostmetrics"
	"kibitz/app/model"
	"kibitz/app/store"
)

// measured are values of which load is known, and CPU.
func measured(load float64) hostmetrics.Values {
	v := hostmetrics.Unmeasured()
	v[hostmetrics.Load1], v[hostmetrics.CPUUser], v[hostmetrics.CPUSystem], v[hostmetrics.CPUSteal] = load, 10, 5, 1
	return v
}

// hostRows are measurements: one every 15 s from a moment on, with loads 1, 2, 3 ...
func hostRows(from time.Time, n int) (rows []store.HostRow) {
	for i := range n {
		rows = append(rows, hostRow(from.Add(time.Duration(i)*MeasureEvery), measured(float64(i+1))))
	}
	return rows
}

// addHost stores them for a host.
func (k *desk) addHost(name string, from time.Time, n int) {
	k.t.Helper()
	if err := k.store.AddHostRows(k.ctx, name, hostRows(from, n)); err != nil {
		k.t.Fatal(err)
	}
}

// age moves what was received in a table back in time.
func (k *desk) age(table string, by time.Duration) {
	k.t.Helper()
	k.run(`UPDATE `+table+` SET received = received - $1::interval`, by)
}

func (k *desk) mergeAll() {
	k.t.Helper()
	if _, err := k.store.MergeRollups(k.ctx); err != nil {
		k.t.Fatal(err)
	}
}

// TestHostTiers: what was measured reaches the tiers of a minute and ten minutes exactly once, with its count, sum and
// maximum, however often steps are taken; and the page shows the same through each tier, merged or not.
func TestHostTiers(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	start := k.now.Add(-time.Hour).Truncate(time.Hour)
	const n = 80 // twenty minutes
	k.addHost("web-1", start, n)
	for range 3 {
		k.mergeAll() // received in this minute: nothing is due, unless a minute ends just now
	}
	k.sameLoads("web-1", start, n)
	k.age("host_fine", 2*time.Minute)
	k.run(`DELETE FROM rollup_state`)
	k.run(`DELETE FROM host_minute`)
	k.run(`DELETE FROM host_ten`)
	for range 3 {
		k.mergeAll()
	}
	load, all := hostmetrics.Load1+1, float64(n*(n+1)/2)
	k.expect(map[string]float64{"SELECT count(*) FROM host_minute": 20, "SELECT count(DISTINCT bucket) FROM host_minute": 20,
		fmt.Sprintf("SELECT sum(n[%d]) FROM host_minute", load): n, fmt.Sprintf("SELECT sum(sums[%d]) FROM host_minute", load): all,
		fmt.Sprintf("SELECT max(maxima[%d]) FROM host_minute", load): n, fmt.Sprintf("SELECT min(maxima[%d]) FROM host_minute", load): 4,
		fmt.Sprintf("SELECT sum(n[%d]) FROM host_minute", hostmetrics.SwapUsed+1): 0})
	k.sameLoads("web-1", start, n)
	k.age("host_minute", 20*time.Minute)
	k.run(`DELETE FROM rollup_state WHERE name = 'host_ten'`)
	k.run(`DELETE FROM host_ten`)
	for range 3 {
		k.mergeAll()
	}
	k.expect(map[string]float64{"SELECT count(*) FROM host_ten": 2, fmt.Sprintf("SELECT sum(n[%d]) FROM host_ten", load): n,
		fmt.Sprintf("SELECT sum(sums[%d]) FROM host_ten", load): all, fmt.Sprintf("SELECT min(maxima[%d]) FROM host_ten", load): n / 2})
	k.sameLoads("web-1", start, n)
}

// TestHostSix: the same for the tier of six hours, with measurements that ended before the last six hours began.
func TestHostSix(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	start := k.now.Truncate(6 * time.Hour).Add(-time.Hour)
	const n = 80
	k.addHost("web-1", start, n)
	for _, step := range [][2]string{{"host_fine", "host_minute"}, {"host_minute", "host_ten"}, {"host_ten", "host_six"}} {
		k.run(`UPDATE ` + step[0] + ` SET received = bucket + interval '30 minutes'`)
		k.run(`DELETE FROM rollup_state WHERE name = $1`, step[1])
		k.run(`DELETE FROM ` + step[1])
		k.mergeAll()
	}
	load := hostmetrics.Load1 + 1
	k.expect(map[string]float64{"SELECT count(*) FROM host_six": 1, fmt.Sprintf("SELECT sum(n[%d]) FROM host_six", load): n, fmt.Sprintf("SELECT sum(sums[%d]) FROM host_six", load): n * (n + 1) / 2,
		fmt.Sprintf("SELECT max(maxima[%d]) FROM host_six", load): n})
	rows, err := k.store.HostRows(k.ctx, store.HostQuery{Hosts: []int32{1}, From: start.Truncate(6 * time.Hour), To: k.now, Tier: 6 * time.Hour})
	if err != nil || len(rows) != 1 || rows[0].Sums[hostmetrics.Load1] != n*(n+1)/2 {
		t.Errorf("%d rows: %v", len(rows), err)
	}
}

// sameLoads reads a host's loads through each tier.
func (k *desk) sameLoads(name string, from time.Time, n int) {
	k.t.Helper()
	hosts, err := k.store.Hosts(k.ctx, from.Add(-time.Hour))
	if err != nil || len(hosts) != 1 || hosts[0].Name != name {
		k.t.Fatalf("%v: %v", hosts, err)
	}
	for _, tier := range hostTiers {
		rows, err := k.store.HostRows(k.ctx, store.HostQuery{Hosts: []int32{hosts[0].ID}, From: from.Truncate(tier.width), To: from.Add(time.Hour), Tier: tier.width})
		if err != nil {
			k.t.Fatal(err)
		}
		count, sum, largest := 0, 0.0, float32(0)
		for _, r := range rows {
			count, sum, largest = count+int(r.N[hostmetrics.Load1]), sum+r.Sums[hostmetrics.Load1], max(largest, r.Maxima[hostmetrics.Load1])
		}
		if count != n || sum != float64(n*(n+1)/2) || largest != float32(n) {
			k.t.Errorf("the tier of %s has %d measurements, %g together, at most %g", tier.width, count, sum, largest)
		}
	}
}

// TestHostRetention holds that each tier is kept for its time and then goes by whole partitions, and that what the next tier
// does not have yet stays.
func TestHostRetention(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	tables := map[string]struct {
		kept  time.Duration
		width time.Duration // of a partition
	}{"host_fine": {24 * time.Hour, 24 * time.Hour}, "host_minute": {14 * 24 * time.Hour, 24 * time.Hour}, "host_ten": {365 * 24 * time.Hour, 31 * 24 * time.Hour}, "host_six": {365 * 24 * time.Hour, 31 * 24 * time.Hour}}
	for _, back := range []int{0, 1, 2, 3, 13, 16, 300, 400} {
		if err := k.store.MakeTimes(k.ctx, k.now.AddDate(0, 0, -back)); err != nil {
			t.Fatal(err)
		}
		for table := range tables {
			k.run(`INSERT INTO `+table+` VALUES ($1, $1, 1, '{1}', '{1}', '{1}')`, k.now.AddDate(0, 0, -back))
		}
	}
	k.retire(t)
	k.expect(map[string]float64{"SELECT count(*) FROM host_fine": 8, "SELECT count(*) FROM host_minute": 8, "SELECT count(*) FROM host_ten": 8}) // nothing was merged yet
	k.run(`INSERT INTO rollup_state VALUES ('host_minute', now()), ('host_ten', now()), ('host_six', now()) ON CONFLICT (name) DO UPDATE SET until = now()`)
	k.retire(t)
	for table, c := range tables {
		old := k.number(`SELECT count(*) FROM `+table+` WHERE received < $1`, k.now.Add(-c.kept-c.width))
		recent := k.number(`SELECT count(*) FROM `+table+` WHERE received >= $1`, k.now.Add(-c.kept))
		want := map[string]float64{"host_fine": 2, "host_minute": 5, "host_ten": 7, "host_six": 7}[table]
		if old != 0 || recent != want {
			t.Errorf("%s has %v rows that are too old, and %v of %v that are not", table, old, recent, want)
		}
	}
	k.expect(map[string]float64{"SELECT count(*) FROM host_ten_default": 0, "SELECT count(*) FROM host_fine_default": 0})
}

// TestHostsView reads the page's numbers: means and peaks by bucket, gaps as gaps, two hosts apart.
func TestHostsView(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	now := k.now.Truncate(time.Minute).Add(30 * time.Second)
	empty, err := k.requests.Hosts(k.ctx, mustPeriod(t, "1h", now), "", now)
	if err != nil || len(empty.Hosts) != 0 || empty.Host != "" {
		t.Fatalf("%+v: %v", empty, err)
	}
	k.addHost("web-2", now.Add(-30*time.Minute).Truncate(time.Minute), 8)
	k.addHost("db-1", now.Add(-10*time.Minute).Truncate(time.Minute), 4)
	v, err := k.requests.Hosts(k.ctx, mustPeriod(t, "1h", now), "web-2", now)
	if err != nil || v.Tier != time.Minute || v.Buckets.Step != time.Minute || len(v.Hosts) != 2 || v.Hosts[0].Name != "db-1" {
		t.Fatalf("%+v: %v", v, err)
	}
	got := ""
	for i, mean := range v.Series.Means[hostmetrics.Load1] {
		if !math.IsNaN(mean) {
			got += fmt.Sprintf("%g/%g ", mean, v.Series.Peaks[hostmetrics.Load1][i])
		}
	}
	if got != "2.5/4 6.5/8 " {
		t.Errorf("loads are %s", got)
	}
	if h := v.Hosts[1]; h.CPU != 16 || h.Load != 8 || !math.IsNaN(h.Memory) || filled(h.Spark) != 2 || filled(v.Hosts[0].Spark) != 1 {
		t.Errorf("%+v", h)
	}
	if filled(v.Series.Means[hostmetrics.SwapUsed]) != 0 {
		t.Error("what was not measured is shown")
	}
	if _, err := k.requests.Hosts(k.ctx, mustPeriod(t, "1h", now), "nobody", now); errs.Of(err) != errs.NotFound {
		t.Errorf("a host that is not there: %v", err)
	}
}

func filled(list []float64) (n int) {
	for _, v := range list {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

func mustPeriod(t *testing.T, name string, now time.Time) model.Period {
	t.Helper()
	p, err := model.ParsePeriod(name, "", "", now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHostBuckets: which tier serves which period.
func TestHostBuckets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 10, 7, 3, 0, time.UTC)
	for _, c := range []struct{ ago, length, tier, step time.Duration }{
		{0, 20 * time.Minute, 15 * time.Second, 15 * time.Second}, {0, time.Hour, time.Minute, time.Minute}, {0, 6 * time.Hour, time.Minute, 5 * time.Minute},
		{0, 24 * time.Hour, time.Minute, 15 * time.Minute}, {0, 7 * 24 * time.Hour, 10 * time.Minute, 2 * time.Hour}, {0, 390 * 24 * time.Hour, 6 * time.Hour, 4 * 24 * time.Hour}, {0, 30 * 24 * time.Hour, 6 * time.Hour, 6 * time.Hour},
		{48 * time.Hour, 20 * time.Minute, time.Minute, time.Minute}, {480 * time.Hour, 20 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		{480 * time.Hour, 24 * time.Hour, 10 * time.Minute, 30 * time.Minute},
	} {
		p := model.Period{From: now.Add(-c.ago - c.length), To: now.Add(-c.ago)}
		tier, b := hostBuckets(p, now)
		if tier.width != c.tier || b.Step != c.step || b.Step%tier.width != 0 || b.From.After(p.From) || b.To().Before(p.To) {
			t.Errorf("%s, %s ago: the tier of %s in steps of %s, want %s and %s", c.length, c.ago, tier.width, b.Step, c.tier, c.step)
		}
	}
}

// TestHostMeter measures a made-up machine: rates between two readings are stored; what cannot be read is said once; and
// measurements wait while the database is away, up to a limit.
func TestHostMeter(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	k := newDesk(t, d, 1)
	files := fstest.MapFS{"proc/stat": {Data: []byte("cpu 100 0 100 800 0 0 0 0\n")}, "proc/loadavg": {Data: []byte("not numbers at all\n")}}
	var out bytes.Buffer
	var lost int64
	m := NewHostMeter(k.store, "web-1", hostmetrics.Source{Root: files}, func(n int64) { lost += n }, slog.New(slog.NewTextHandler(&out, nil)))
	at := k.now.Truncate(time.Minute).Add(-2 * time.Minute)
	m.last = m.read(at)
	files["proc/stat"] = &fstest.MapFile{Data: []byte("cpu 160 0 120 920 0 0 0 0\n")}
	m.measure(k.ctx, at.Add(14*time.Second))
	k.expect(map[string]float64{"SELECT sums[1]::float8 FROM host_fine": 30, "SELECT sums[2]::float8 FROM host_fine": 10, "SELECT n[8]::float8 FROM host_fine": 0,
		fmt.Sprintf("SELECT n[%d]::float8 FROM host_fine", hostmetrics.PoolUsed+1): 1})
	if n := strings.Count(out.String(), "proc/loadavg"); n != 1 {
		t.Errorf("what cannot be read is said %d times", n)
	}
	d.Close()
	for i := range maxWaiting + 5 {
		m.measure(k.ctx, at.Add(time.Duration(i)*MeasureEvery))
	}
	if len(m.waiting) != maxWaiting || lost != 5 {
		t.Errorf("%d wait, %d are lost", len(m.waiting), lost)
	}
}

// TestUntilMeasure: a second before each bucket ends, whenever it is asked.
func TestUntilMeasure(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	for ms := 0; ms < 30_000; ms += 250 {
		now := start.Add(time.Duration(ms) * time.Millisecond)
		wait := untilMeasure(now)
		if next := now.Add(wait); wait <= 0 || wait > MeasureEvery || !next.Add(measureBefore).Truncate(MeasureEvery).Equal(next.Add(measureBefore)) {
			t.Errorf("at %s it waits %s", now, wait)
		}
	}
}

// BenchmarkHostsYear reads the page of a host with a year of measurements, and beside it what PostgreSQL alone takes to read
// as many rows; and tells the bytes of a row.
func BenchmarkHostsYear(b *testing.B) {
	k := newDesk(b, dbtest.New(b), 1)
	full := hostmetrics.Values{}
	for i := range full {
		full[i] = 1e9 + float64(i)/3
	}
	row := hostRow(k.now, full)
	if err := k.store.AddHostRows(k.ctx, "web-1", []store.HostRow{row}); err != nil {
		b.Fatal(err)
	}
	for month := range 13 {
		if err := k.store.MakeTimes(k.ctx, k.now.AddDate(0, -month, 0)); err != nil {
			b.Fatal(err)
		}
	}
	k.run(`INSERT INTO host_ten SELECT at, at, host_id, n, sums, maxima FROM host_fine, generate_series(now() - interval '364 days', now(), '10 minutes') AS at`)
	k.mergeAll()
	k.run(`ANALYZE host_ten, host_six`)
	p := model.Period{From: k.now.AddDate(0, 0, -364), To: k.now}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			if v, err := k.requests.Hosts(k.ctx, p, "", k.now); err != nil || filled(v.Series.Means[0]) < 50 {
				b.Fatal(err)
			}
		}
	})
	b.Run("PostgreSQL alone", func(b *testing.B) {
		for b.Loop() {
			k.number(`SELECT sum(sums[38]) FROM host_ten`)
		}
		b.ReportMetric(k.number(`SELECT sum(pg_total_relation_size(i.inhrelid))::float8 / (SELECT count(*) FROM host_ten)
			FROM pg_inherits i WHERE i.inhparent = 'host_ten'::regclass`), "B/row")
	})
	b.Run("page of a month", func(b *testing.B) {
		p := model.Period{From: k.now.AddDate(0, 0, -30), To: k.now}
		for b.Loop() {
			if _, err := k.requests.Hosts(k.ctx, p, "", k.now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestHostRepeated: measurements are stored again when nobody knows whether they were stored, beside those that are new, by
// several at once even; each counts once.
func TestHostRepeated(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	start := k.now.Add(-time.Hour).Truncate(time.Minute)
	k.addHost("web-1", start, 3)
	k.addHost("web-2", start, 2)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := k.store.AddHostRows(k.ctx, "web-1", hostRows(start, 5)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	k.expect(map[string]float64{"SELECT count(*) FROM host_fine": 7, "SELECT count(*) FROM host_fine WHERE host_id = (SELECT id FROM host WHERE name = 'web-1')": 5})
}
