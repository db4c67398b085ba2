package switches_test

import (
	"fmt"
	"math"
	"testing"

	"kibitz/app/switches"
)

// TestEven holds that buckets are filled evenly, whatever ids look like: chi-square over 1,000 cells.
func TestEven(t *testing.T) {
	t.Parallel()
	const cells, people = 1000, 1_000_000
	for _, form := range []string{"%d", "user-%d", "%08d@example.org", "6f9619ff-8b86-d011-b42d-%012x"} {
		var seen [cells]int
		for i := range people {
			seen[switches.Bucket("5c0ffee5", fmt.Sprintf(form, i))*cells/switches.Buckets]++
		}
		chi := 0.0
		for _, n := range seen {
			d := float64(n - people/cells)
			chi += d * d / (people / cells)
		}
		// 999 degrees of freedom: 999 ± 4.5 standard deviations of √1998.
		if chi < 798 || chi > 1200 {
			t.Errorf("%s: chi-square %.0f", form, chi)
		}
	}
}

// TestIndependent holds that no two of thirty switches at 10 % with alike salts take the same people more often than chance:
// 1.00 %, within what the best hashes reach.
func TestIndependent(t *testing.T) {
	t.Parallel()
	const switchesN, people = 30, 100_000
	var both [switchesN][switchesN]int
	salts := make([]string, switchesN)
	for i := range salts {
		salts[i] = fmt.Sprintf("feature-%d", i)
	}
	in := make([]int, 0, switchesN)
	for i := range people {
		in = in[:0]
		id := fmt.Sprintf("user-%d", i)
		for n, salt := range salts {
			if switches.Bucket(salt, id) < switches.Buckets/10 {
				in = append(in, n)
			}
		}
		for a := range in {
			for b := range a {
				both[in[a]][in[b]]++
			}
		}
	}
	low, high := people, 0
	for a := range both {
		for b := range a {
			low, high = min(low, both[a][b]), max(high, both[a][b])
		}
	}
	t.Logf("two of thirty overlap in %.2f to %.2f %%", float64(low)*100/people, float64(high)*100/people)
	if low < people*89/10_000 || high > people*110/10_000 {
		t.Errorf("overlaps are %d to %d of %d", low, high, people)
	}
}

// share is a switch at a percentage.
func share(percent float64, split ...switches.Weight) switches.Switch {
	return with(sw("x", switches.Partial), func(s *switches.Switch) {
		s.Everyone = switches.Rollout{Percent: percent, Split: split}
		s.Variants = []switches.Variant{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	})
}

// TestMonotone holds that whoever is in stays in while the share grows, with the same variant; and that shares are what they say.
func TestMonotone(t *testing.T) {
	t.Parallel()
	people := ids(20_000)
	got := map[string]string{}
	for _, percent := range []float64{0, 0.001, 0.5, 1, 5, 12.345, 33.333, 50, 99.999, 100} {
		s := compile(t, share(percent, switches.Weight{Variant: "a", Weight: 1}, switches.Weight{Variant: "b", Weight: 2}))
		in := 0
		for _, id := range people {
			a := s.Eval("x", &switches.Subject{ID: id})
			if before, was := got[id]; was && before != a.Variant {
				t.Fatalf("%s had %s and has %s at %v %%", id, before, a.Variant, percent)
			}
			if a.On {
				got[id] = a.Variant
				in++
			}
		}
		want := percent / 100 * float64(len(people))
		if math.Abs(float64(in)-want) > 4.5*math.Sqrt(want*(1-percent/100))+1 {
			t.Errorf("at %v %%: %d of %d", percent, in, len(people))
		}
	}
}

// TestWeights holds that weights are what they say, and that one that moves takes hardly anybody along who need not change.
func TestWeights(t *testing.T) {
	t.Parallel()
	people := ids(20_000)
	draw := func(a, b, c float64) []string {
		s := compile(t, share(100, switches.Weight{Variant: "c", Weight: c}, switches.Weight{Variant: "a", Weight: a}, switches.Weight{Variant: "b", Weight: b}))
		out := make([]string, len(people))
		for i, id := range people {
			out[i] = s.Eval("x", &switches.Subject{ID: id}).Variant
		}
		return out
	}
	count := func(list []string, name string) (n int) {
		for _, v := range list {
			if v == name {
				n++
			}
		}
		return n
	}
	before := draw(10, 30, 60)
	for name, want := range map[string]int{"a": 2000, "b": 6000, "c": 12000} {
		if n := count(before, name); n < want*94/100 || n > want*106/100 {
			t.Errorf("%s: %d, want about %d", name, n, want)
		}
	}
	for _, c := range []struct {
		weights [3]float64
		least   int // how many have to change
		most    int
	}{{[3]float64{20, 30, 50}, 2000, 2600}, {[3]float64{25, 30, 60}, 2200, 2750}, {[3]float64{0, 30, 60}, 1950, 2100}, {[3]float64{1, 3, 6}, 0, 0}} {
		after, changed := draw(c.weights[0], c.weights[1], c.weights[2]), 0
		for i := range after {
			if after[i] != before[i] {
				changed++
			}
		}
		t.Logf("%v: %d changed", c.weights, changed)
		if changed > c.most || changed < c.least*9/10 {
			t.Errorf("from 10, 30, 60 to %v: %d changed, want %d to %d", c.weights, changed, c.least, c.most)
		}
	}
}

// TestSalts: one salt takes the same people; skip and take keep two of one salt apart.
func TestSalts(t *testing.T) {
	t.Parallel()
	mk := func(key string, percent float64, skip, take int) switches.Switch {
		return with(sw(key, switches.Partial), func(s *switches.Switch) { s.Salt, s.Skip, s.Take, s.Everyone.Percent = "shared", skip, take, percent })
	}
	s := compile(t, mk("one", 20, 0, 0), mk("same", 20, 0, 0), mk("left", 100, 0, 30_000), mk("right", 50, 30_000, 70_000))
	n := map[string]int{}
	for _, id := range ids(10_000) {
		sub := &switches.Subject{ID: id}
		if s.Eval("one", sub).On != s.Eval("same", sub).On {
			t.Fatal("one salt takes the same people")
		}
		left, right := same(t, s, "left", sub), same(t, s, "right", sub)
		if left.On && right.On {
			t.Fatal("disjoint switches took the same person")
		}
		for key, on := range map[string]bool{"left": left.On, "right": right.On} {
			if on {
				n[key]++
			}
		}
	}
	if n["left"] < 2800 || n["left"] > 3200 || n["right"] < 3300 || n["right"] > 3700 {
		t.Errorf("want about 3000 and 3500: %v", n)
	}
}

// TestHoldout holds that those held out get nothing while the ramp goes on, and everything after it; nobody drops out before.
func TestHoldout(t *testing.T) {
	t.Parallel()
	at := func(step int, percent float64) *switches.Snapshot {
		return compile(t, with(sw("x", switches.Partial), func(s *switches.Switch) {
			s.Everyone.Percent = percent
			s.Ramp = &switches.Ramp{At: step, Holdout: 10, Steps: []switches.Step{{Percent: 5}, {Percent: 95}, {Percent: 100}}}
		}))
	}
	first, second, last := at(0, 5), at(1, 95), at(2, 100)
	held, in := 0, 0
	for _, id := range ids(10_000) {
		sub := &switches.Subject{ID: id}
		a, b := same(t, first, "x", sub), same(t, second, "x", sub)
		if a.On && !b.On || !last.Eval("x", sub).On {
			t.Fatalf("%s dropped out", id)
		}
		if b.Condition == "holdout" {
			held++
		}
		if b.On {
			in++
		}
	}
	if held < 420 || held > 580 || in < 8850 || in > 9150 {
		t.Errorf("held out %d, want about 500; in %d, want about 9000", held, in)
	}
}
