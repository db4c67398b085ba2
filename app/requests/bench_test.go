package requests

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/trace"
)

// seedMinutes stores a day of sums by the minute for so many endpoints, as the job that merges them leaves them.
func (k *desk) seedMinutes(b *testing.B, endpoints int) (ids []int32) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	to := k.now.Truncate(time.Minute)
	for e := range endpoints {
		q := k.page(e, fmt.Sprintf("/endpoint/%d", e))
		k.take(q)
	}
	for e := range endpoints {
		id := int32(k.number("SELECT id::float8 FROM endpoint WHERE name = $1", fmt.Sprintf("/endpoint/%d", e)))
		ids = append(ids, id)
		durations := make([][]byte, 60)
		for i := range durations {
			s := sketch.New()
			for range 60 {
				s.Add(math.Exp(r.NormFloat64()/2+11), 1)
			}
			durations[i] = s.Encode()
		}
		k.run(`INSERT INTO endpoint_minute SELECT at + interval '90 seconds', at, $1, $2, 1, 60, 60, 1, 6e6, 2e6, 1e5, 1e6, 1e6, 0, 300, ($3::bytea[])[1 + n % 60], ($3::bytea[])[1]
			FROM generate_series(0, 1439) AS n, LATERAL (SELECT $4::timestamptz - make_interval(mins => n) AS at) AS a`, k.project.ID, id, durations, to)
	}
	k.run(`INSERT INTO rollup_state VALUES ('endpoint_minute', now()) ON CONFLICT (name) DO UPDATE SET until = now()`)
	if _, err := k.store.MergeRollups(k.ctx); err != nil {
		b.Fatal(err)
	}
	k.run(`ANALYZE endpoint_minute, endpoint_hour`)
	return ids
}

// BenchmarkDay is the sums behind the page of one endpoint over 24 hours by the minute, which should take less than 50 ms
// with everything else on it, and those of the list of sixty endpoints.
func BenchmarkDay(b *testing.B) {
	k := newDesk(b, dbtest.New(b), 1)
	ids := k.seedMinutes(b, 60)
	p := model.Period{From: k.now.Add(-24 * time.Hour), To: k.now}
	b.Run("one endpoint by the minute", func(b *testing.B) {
		for b.Loop() {
			s, err := k.requests.Series(k.ctx, []int64{k.project.ID}, ids[:1], BucketsOf(p))
			if err != nil || s.Total.Seen < 1000 {
				b.Fatal(s, err)
			}
		}
	})
	b.Run("sixty endpoints", func(b *testing.B) {
		for b.Loop() {
			list, err := k.requests.EndpointSums(k.ctx, []int64{k.project.ID}, p)
			if err != nil || len(list) < 60 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("only reading the rows of one endpoint", func(b *testing.B) { // the physical limit
		for b.Loop() {
			if k.number("SELECT sum(length(durations))::float8 FROM endpoint_minute WHERE project_id = $1 AND endpoint_id = $2", k.project.ID, ids[0]) == 0 {
				b.Fatal("no rows")
			}
		}
	})
}

// BenchmarkDigest is the way of requests with six spans from the spool to the commit, in batches as the drain takes them
// under load. Beside it stands what only copying the rows costs.
func BenchmarkDigest(b *testing.B) {
	k := newDesk(b, dbtest.New(b), 100)
	const batch = 5000
	n := 0
	make := func() []trace.Request {
		list := make([]trace.Request, batch)
		for i := range list {
			n++
			q := k.page(n, fmt.Sprintf("/endpoint/%d", n%20))
			for s := range 5 {
				q.Spans = append(q.Spans, trace.Span{ID: trace.SpanID(n*10 + s), Parent: q.Span, Op: "db.query", Text: fmt.Sprintf("SELECT %d FROM t WHERE a = $1", s),
					Category: trace.DB, Start: time.Duration(s+7) * time.Millisecond, Duration: 500 * time.Microsecond, Rows: 1})
			}
			list[i] = q
		}
		return list
	}
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			list := make()
			b.StartTimer()
			k.take(list...)
		}
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "requests/s")
	})
	b.Run("without the database", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			bt := &batch1{}
			bt.fill(k, make())
			b.StartTimer()
			bt.run(b, k)
		}
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "requests/s")
	})
}

// BenchmarkSwitches is what counting by the answers of switches adds to the work on a batch: requests with none, one and ten of them.
func BenchmarkSwitches(b *testing.B) {
	k := newDesk(b, dbtest.New(b), 1_000_000)
	const batch = 5000
	n := 0
	for _, switches := range []int{0, 1, 10} {
		b.Run(fmt.Sprint(switches, " a request"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				list := make([]trace.Request, batch)
				for i := range list {
					n++
					q := k.page(n, fmt.Sprintf("/endpoint/%d", n%20))
					q.User, q.Switches = fmt.Sprintf("id:%d", rand.IntN(20_000)), nil
					for s := range switches {
						q.Switches = append(q.Switches, trace.Switch{Key: fmt.Sprintf("switch%d", s), Variant: []string{"on", "off"}[rand.IntN(2)]})
					}
					list[i] = q
				}
				bt := &batch1{}
				bt.fill(k, list)
				b.StartTimer()
				bt.run(b, k)
				k.perf.exposures.learn(bt.b.exposed)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// batch1 is a batch that is worked out and not stored.
type batch1 struct{ b *batch }

func (t *batch1) fill(k *desk, list []trace.Request) {
	t.b = &batch{outcomes: map[model.OutcomeCount]int64{}, firsts: map[int64]time.Time{}}
	for i := range list {
		t.b.take(&item{Request: list[i], project: k.project.ID, received: k.now})
	}
}

func (t *batch1) run(b *testing.B, k *desk) {
	for _, step := range []func() error{func() error { return k.perf.analyse(t.b) }, func() error { return k.perf.name(k.ctx, t.b) },
		func() error { return k.perf.detect(k.ctx, t.b) }, func() error { _, _, err := k.perf.conclude(t.b); return err }} {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
}
