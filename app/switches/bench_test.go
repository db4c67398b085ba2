package switches_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"kibitz/app/switches"
)

// benchConfig is a thousand switches, among them the two tasks.
func benchConfig() switches.Config {
	c := switches.Config{Environment: "production", Revision: 1}
	for i := range 1000 {
		c.Switches = append(c.Switches, switches.Switch{Key: "feature-" + strconv.Itoa(i), State: switches.Partial, Salt: fmt.Sprintf("%016x", i), Everyone: switches.Rollout{Percent: 10}})
	}
	return append2(c, switches.Switch{Key: "share", State: switches.Partial, Salt: "5c0ffee5", Everyone: switches.Rollout{Percent: 25}},
		switches.Switch{Key: "rules", State: switches.Partial, Salt: "deadbeef", Sets: []switches.Set{{Rollout: switches.Rollout{Percent: 25}, When: switches.When{{
			{Attribute: "country", Op: switches.Is, Values: []string{"DE", "AT", "CH"}},
			{Attribute: "plan", Op: switches.Is, Values: []string{"pro"}}}}}}})
}

func append2(c switches.Config, s ...switches.Switch) switches.Config {
	c.Switches = append(c.Switches, s...)
	return c
}

func benchSubjects() []switches.Subject {
	out := make([]switches.Subject, 1<<12)
	for i := range out {
		out[i] = switches.Subject{ID: "user-" + strconv.Itoa(i), Country: "DE"}
		out[i].Set("plan", "pro")
	}
	return out
}

func benchOn(b *testing.B, key string) {
	snap, problems := switches.Compile(benchConfig(), time.Now())
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	h := switches.NewHolder("production")
	h.Publish(snap)
	subjects := benchSubjects()
	var start atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		i := int(start.Add(1)) * 1000
		for p.Next() {
			i++
			h.On(key, &subjects[i&(1<<12-1)])
		}
	})
}

// BenchmarkShare is a switch with a percentage, counted, on all cores.
func BenchmarkShare(b *testing.B) { benchOn(b, "share") }

// BenchmarkRules is a switch with two attributes and a percentage, counted, on all cores.
func BenchmarkRules(b *testing.B) { benchOn(b, "rules") }
