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
