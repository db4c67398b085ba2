// Package benchmark has the two tasks by which switches are measured, for `kibitz bench switches`, the tests here and the module
// that has the other libraries.
package benchmark

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"kibitz/app/switches"
)

// The tasks: a share of 25 %, and a share of 25 % of those whose country is one of three and whose plan is pro.
const (
	Share = "share"
	Rules = "rules"
)

// People is how many are asked for, in turn.
const People = 1 << 12

// Config has a thousand switches, among them those of the tasks.
func Config() switches.Config {
	c := switches.Config{Environment: "production", Revision: 1}
	add := func(key, salt string, set []switches.Set, percent float64) {
		c.Switches = append(c.Switches, switches.Switch{Key: key, State: switches.Partial, Salt: salt, Sets: set, Everyone: switches.Rollout{Percent: percent}})
	}
	for i := range 998 {
		add("feature-"+strconv.Itoa(i), fmt.Sprintf("%016x", i), nil, 10)
	}
	add(Share, "5c0ffee5", nil, 25)
	add(Rules, "deadbeef", []switches.Set{{Rollout: switches.Rollout{Percent: 25}, When: switches.When{{
		{Attribute: "country", Op: switches.Is, Values: []string{"DE", "AT", "CH"}}, {Attribute: "plan", Op: switches.Is, Values: []string{"pro"}}}}}}, 0)
	return c
}

// Subjects are the people.
func Subjects() []switches.Subject {
	out := make([]switches.Subject, People)
	for i := range out {
		out[i] = switches.Subject{ID: "user-" + strconv.Itoa(i), Country: "DE"}
		out[i].Set("plan", "pro")
	}
	return out
}

// Prepare is a Holder with the tasks, and the people.
func Prepare() (*switches.Holder, []switches.Subject, error) {
	snap, problems := switches.Compile(Config(), time.Now())
	if len(problems) > 0 {
		return nil, nil, errors.New(problems[0].String())
	}
	h := switches.NewHolder("production")
	h.Publish(snap)
	return h, Subjects(), nil
}

// Task asks a switch for all people in turn, on all cores, and counts, as in service.
func Task(key string) func(*testing.B) {
	return func(b *testing.B) {
		h, subjects, err := Prepare()
		if err != nil {
			b.Fatal(err)
		}
		Spread(b, func(i int) { h.On(key, &subjects[i]) })
	}
}

// Floor is what no switch can do without: the hash of an id, mixed with a salt, and put among 100,000 buckets.
func Floor(b *testing.B) {
	subjects := Subjects()
	seed := xxhash.Sum64String("5c0ffee5")
	Spread(b, func(i int) { sink(switches.BucketOf(seed, subjects[i].ID)) })
}

//go:noinline
func sink(int) {}

// stretch is how many answers are timed together: short enough that hardly any stretch is interrupted, long enough that reading the
// clock does not count.
const (
	stretch  = 512
	maxTimes = 1 << 13 // of a goroutine; later ones take the place of the first
)

// Spread asks for one after the other on all cores at once, and reports as ns/op what one answer takes on its core: the median over
// stretches of 512. On a machine that does other things, too, the time of the whole run would tell how much of a core the run got.
func Spread(b *testing.B, ask func(i int)) {
	var mu sync.Mutex
	var start atomic.Int64
	var all []float64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		times := make([]float64, 0, maxTimes)
		for i, n := int(start.Add(1))*1000, 0; ; n++ {
			began := time.Now()
			done := run(p, &i, ask)
			took := float64(time.Since(began)) / stretch
			switch {
			case done < stretch && n > 0:
				mu.Lock()
				defer mu.Unlock()
				all = append(all, times...)
				return
			case done < stretch: // too few for a stretch
				return
			case n < maxTimes:
				times = append(times, took)
			default:
				times[n%maxTimes] = took
			}
		}
	})
	b.StopTimer()
	if len(all) > 0 {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], "ns/op")
	}
}

// run asks a stretch, and says how many that were.
func run(p *testing.PB, i *int, ask func(i int)) int {
	for done := range stretch {
		if !p.Next() {
			return done
		}
		*i++
		ask(*i & (People - 1))
	}
	return stretch
}
