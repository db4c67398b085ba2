package switches_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kibitz/app/switches"
	"kibitz/app/switches/benchmark"
	"kibitz/app/switches/switchestest"
)

func holder(t testing.TB, list ...switches.Switch) *switches.Holder {
	t.Helper()
	h := switches.NewHolder("production")
	h.Publish(compile(t, list...))
	return h
}

func drain(h *switches.Holder) map[string]int64 {
	out := map[string]int64{}
	h.Drain(func(key, variant string, n int64) { out[key+"="+variant] += n })
	return out
}

func TestCounts(t *testing.T) {
	t.Parallel()
	h := holder(t, sw("a", switches.On), sw("b", switches.Off))
	for range 3 {
		h.On("a", nil)
		h.Variant("b", nil)
	}
	h.Publish(compile(t, sw("a", switches.Off)))
	h.On("a", nil)
	h.Snapshot().Eval("a", nil) // counts nothing
	if got := fmt.Sprint(drain(h)); got != "map[a=off:1 a=on:3 b=off:3]" {
		t.Error(got)
	}
	if got := drain(h); len(got) != 0 {
		t.Error(got)
	}
}

// TestCountsAll holds that no answer is lost or counted twice while snapshots come and go and somebody drains.
func TestCountsAll(t *testing.T) {
	t.Parallel()
	h := holder(t, sw("a", switches.On))
	on, off := compile(t, sw("a", switches.On)), compile(t, sw("0", switches.On), sw("a", switches.Off))
	var asked, counted atomic.Int64
	var people, flips sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		people.Go(func() {
			for range 20_000 {
				h.On("a", nil)
				asked.Add(1)
			}
		})
	}
	flips.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				h.Publish([]*switches.Snapshot{on, off}[i%2])
				h.Drain(func(_, _ string, n int64) { counted.Add(n) })
			}
		}
	})
	people.Wait()
	close(stop)
	flips.Wait()
	h.Drain(func(_, _ string, n int64) { counted.Add(n) })
	if asked.Load() != counted.Load() {
		t.Errorf("asked %d, counted %d", asked.Load(), counted.Load())
	}
}

func TestAsked(t *testing.T) {
	t.Parallel()
	h := holder(t)
	h.On("later", nil)
	h.Variant("never", nil)
	h.On("never", nil)
	for i := range 2000 {
		h.On(fmt.Sprint("many-", i), nil)
	}
	h.Publish(compile(t, sw("later", switches.Off)))
	list := h.Asked()
	if len(list) != 999 {
		t.Fatalf("%d are listed", len(list))
	}
	last := list[len(list)-1]
	if last.Key != "never" || last.Times != 2 || !strings.HasPrefix(last.Caller, "app/switches_test/holder_test.go:") {
		t.Errorf("%+v", last)
	}
}

// TestCallers holds that it is known who asked first, also for switches that exist, and across flips.
func TestCallers(t *testing.T) {
	t.Parallel()
	h := holder(t, sw("here", switches.On), sw("silent", switches.On))
	h.On("here", nil)
	first := h.Callers()["here"]
	h.Publish(compile(t, sw("here", switches.Off), sw("silent", switches.On)))
	h.Variant("here", nil)
	h.On("missing", nil)
	got := h.Callers()
	if len(got) != 2 || got["here"] != first || !strings.HasPrefix(first, "app/switches_test/holder_test.go:") || got["missing"] == "" {
		t.Errorf("%v, at first %q", got, first)
	}
}

// TestOneAnswer holds that a request has one answer, counted once, whatever is flipped meanwhile, also through parents.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	h := holder(t, sw("a", switches.On), sw("a:b", switches.Inherit))
	var told []string
	h.OnAnswer = func(_ context.Context, key, variant string) { told = append(told, key+"="+variant) }
	ctx := switches.With(t.Context(), h, switches.Subject{ID: "x"})
	if !switches.IsOn(ctx, "a") || switches.SubjectIn(ctx).ID != "x" {
		t.Error("on")
	}
	h.Publish(compile(t, sw("a", switches.Off), sw("a:b", switches.Inherit)))
	if !switches.IsOn(ctx, "a") || !switches.IsOn(ctx, "a:b") {
		t.Error("the request has its answer")
	}
	if switches.IsOn(switches.With(t.Context(), h, switches.Subject{}), "a") {
		t.Error("the next request has the new one")
	}
	if got := fmt.Sprint(told, drain(h)); got != "[a=on a:b=on a=off] map[a:b=on:1 a=off:1 a=on:1]" {
		t.Error(got)
	}
	if switches.IsOn(t.Context(), "a") || switches.Of(t.Context(), "a").Reason != switches.NotFound || switches.SubjectIn(t.Context()) != nil {
		t.Error("without a holder everything is off")
	}
}

func TestForce(t *testing.T) {
	t.Parallel()
	h := holder(t, with(sw("a", switches.On), func(s *switches.Switch) { s.Killed = true }), sw("a:b", switches.On))
	t.Run("forced", func(t *testing.T) {
		switchestest.Force(t, h, "a", "on")
		switchestest.Force(t, h, "new", "blue")
		h.Publish(compile(t, sw("a", switches.Off), sw("a:b", switches.On))) // stays forced
		if a := h.Variant("new", nil); !h.On("a", nil) || a.Variant != "blue" || string(a.Value) != `"blue"` || !a.On {
			t.Errorf("%+v", a)
		}
	})
	if h.On("a", nil) || h.Variant("new", nil).Reason != switches.NotFound {
		t.Error("undone")
	}
	ctx := switchestest.Context(t, map[string]string{"x": "on", "y": "off"})
	if !switches.IsOn(ctx, "x") || switches.IsOn(ctx, "y") || switches.IsOn(ctx, "z") {
		t.Error("a context of its own")
	}
}

// TestNoAllocations holds that answers with a share, and with two attributes and a share, allocate nothing, counted.
func TestNoAllocations(t *testing.T) {
	snap, _ := switches.Compile(benchmark.Config(), noon)
	h := switches.NewHolder("production")
	h.Publish(snap)
	subjects := benchmark.Subjects()
	for _, key := range []string{"share", "rules"} {
		i := 0
		if n := testing.AllocsPerRun(1000, func() { i++; h.On(key, &subjects[i]) }); n > 0 {
			t.Errorf("%s: %v allocations", key, n)
		}
	}
	ctx := switches.With(t.Context(), h, subjects[0])
	switches.IsOn(ctx, "share")
	if n := testing.AllocsPerRun(1000, func() { switches.IsOn(ctx, "share") }); n > 0 {
		t.Errorf("asked again: %v allocations", n)
	}
}

// TestTenThousand holds that ten thousand switches compile, and answer.
func TestTenThousand(t *testing.T) {
	t.Parallel()
	c := manySwitches(10_000)
	s, problems := switches.Compile(c, noon)
	if len(problems) > 0 || len(s.Keys()) != 10_000 {
		t.Fatalf("%d switches, %v", len(s.Keys()), problems)
	}
	over, problems := switches.Compile(manySwitches(switches.MaxSwitches+5), noon)
	if len(over.Keys()) != switches.MaxSwitches || len(problems) != 1 || problems[0].Warning {
		t.Errorf("%d switches, %v", len(over.Keys()), problems)
	}
}

func manySwitches(n int) switches.Config {
	c := switches.Config{Environment: "production", Segments: []switches.Segment{{Key: "g", When: switches.When{{ruleOf("role", switches.Is, "staff")}}}}}
	rules := benchmark.Config().Switches[999]
	for i := range n {
		s := rules
		s.Key = fmt.Sprintf("group-%d", i)
		if i%10 > 0 {
			s.Key = fmt.Sprintf("group-%d:switch-%d", i-i%10, i)
			s.Sets = append(s.Sets, whole(ruleOf("segment", switches.Within, "g")))
		}
		c.Switches = append(c.Switches, s)
	}
	return c
}

// BenchmarkCompile is ten thousand switches with conditions, most with parents and segments.
func BenchmarkCompile(b *testing.B) {
	c := manySwitches(10_000)
	b.ReportAllocs()
	for b.Loop() {
		switches.Compile(c, time.Now())
	}
}
