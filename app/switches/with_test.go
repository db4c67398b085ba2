package switches

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// TestWith: whatever one switch is changed to, With gives what Compile would, or says that it cannot.
func TestWith(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	keys := []string{"a", "b", "c", "a:x"}
	random := func(key string) Switch {
		s := Switch{Key: key, Salt: key, State: []State{Off, Partial, On}[r.IntN(3)], Killed: r.IntN(4) == 0, Everyone: Rollout{Percent: float64(r.IntN(101))}}
		if r.IntN(3) == 0 {
			s.Sets = []Set{{When: When{{{Attribute: "segment", Op: Within, Values: []string{"staff"}}}}, Rollout: Rollout{Percent: 100}}}
		}
		if r.IntN(6) == 0 {
			s.Requires = []Requirement{{Key: keys[r.IntN(3)]}}
		}
		if r.IntN(6) == 0 {
			s.Variants = []Variant{{Name: "off"}, {Name: "red"}}
		}
		if r.IntN(6) == 0 {
			s.Schedule = []Change{{At: now.Add(time.Hour), State: On}}
		}
		return s
	}
	c := Config{Environment: "production", Segments: []Segment{{Key: "staff", When: When{{{Attribute: "role", Op: Is, Values: []string{"staff"}}}}}}}
	for _, key := range keys {
		c.Switches = append(c.Switches, random(key))
	}
	done := 0
	for round := range 2000 {
		before, _ := Compile(c, now)
		i := r.IntN(len(keys))
		c.Switches = append([]Switch(nil), c.Switches...)
		c.Switches[i] = random(keys[i])
		c.Revision++
		want, _ := Compile(c, now)
		got, _, ok := before.With(c.Switches[i], c.Segments, c.Revision, now)
		if !ok {
			continue
		}
		done++
		if got.Revision() != want.Revision() || !reflect.DeepEqual(got.Keys(), want.Keys()) || got.slots != want.slots || (!want.next.IsZero() && (got.next.IsZero() || got.next.After(want.next))) {
			t.Fatalf("round %d: %+v, not %+v", round, got, want)
		}
		for n := range 20 {
			sub := &Subject{ID: fmt.Sprint(n), Role: []string{"staff", ""}[n%2]}
			for _, key := range keys {
				if a, b := got.Eval(key, sub), want.Eval(key, sub); !reflect.DeepEqual(a, b) {
					t.Fatalf("round %d: change of %+v: %+v, not %+v", round, c.Switches[i], a, b)
				}
			}
		}
	}
	if done < 200 {
		t.Errorf("only %d of 2,000 changes were made without compiling all", done)
	}
}
