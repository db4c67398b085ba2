package impact

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
)

// seedDay stores a day of sums by the hour for so many switches with two answers each, with so many people an hour.
func (k *desk) seedDay(switches, people int) {
	k.t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	to := time.Now().UTC().Truncate(time.Hour)
	var rolls []store.SwitchRollup
	for n := range switches {
		for v, variant := range []string{"on", "off"} {
			label := []model.Label{{ProjectID: k.project.ID, Kind: model.LabelSwitch, Value: fmt.Sprintf("switch%d=%s", n, variant)}}
			if err := k.Store.PutLabels(k.ctx, label); err != nil {
				k.t.Fatal(err)
			}
			for h := range 24 {
				t := store.NewSwitchTotal(store.SwitchRollup{Bucket: to.Add(-time.Duration(h) * time.Hour), Project: k.project.ID, Switch: label[0].ID, Exposed: int64(people)})
				for range people / 10 {
					t.AddRequest(&model.RequestRow{Duration: time.Duration(math.Exp(r.NormFloat64()/2+11)) * time.Microsecond, Weight: 1, UserHash: 1})
					t.People().Add(r.Uint64N(uint64(20*people))*2 + uint64(v))
				}
				roll, err := t.Rollup()
				if err != nil {
					k.t.Fatal(err)
				}
				rolls = append(rolls, roll)
			}
		}
	}
	if err := k.Store.AddSwitchSums(k.ctx, rolls); err != nil {
		k.t.Fatal(err)
	}
	k.exec(`INSERT INTO switch_hour SELECT * FROM switch_raw`)
	k.exec(`DELETE FROM switch_raw`)
	k.exec(`INSERT INTO rollup_state VALUES ('switch_minute', now()), ('switch_hour', now())`)
}

// BenchmarkRows is what the list of switches needs of requests of a day: 100 switches that 5,000 people an hour are asked for.
func BenchmarkRows(b *testing.B) {
	k := newDesk(b)
	k.seedDay(100, 2_500)
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if rows, err := k.Rows(k.ctx, "production", 24*time.Hour); err != nil || len(rows) != 100 {
				b.Fatal(len(rows), err)
			}
		}
	})
	b.Run("people of one switch", func(b *testing.B) {
		for b.Loop() {
			if e, err := k.People(k.ctx, "production", "switch7", 24*time.Hour); err != nil || !e.Known {
				b.Fatal(e, err)
			}
		}
	})
}
