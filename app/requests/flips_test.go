package requests

import (
	"context"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/model"
	"kibitz/app/trace"
)

// TestFlipRegression holds that a switch with which an endpoint is surely slower is an issue, once a flip, by those without it at the same
// time or before, and that one which changes nothing is none.
func TestFlipRegression(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key  string
		send func(send func(at time.Duration, key, answer string, took time.Duration))
		want int
	}{
		"slower than those without": {"tea", func(send func(time.Duration, string, string, time.Duration)) {
			send(-5*time.Minute, "tea", "off", 100*time.Millisecond)
			send(-3*time.Minute, "tea", "on", 180*time.Millisecond)
			send(-3*time.Minute, "tea", "false", 100*time.Millisecond)
		}, 1},
		"slower than before": {"tea", func(send func(time.Duration, string, string, time.Duration)) {
			send(-10*time.Minute, "tea", "off", 100*time.Millisecond)
			send(-3*time.Minute, "tea", "on", 180*time.Millisecond)
		}, 1},
		"everybody is slower now": {"tea", func(send func(time.Duration, string, string, time.Duration)) {
			send(-10*time.Minute, "tea", "off", 100*time.Millisecond)
			send(-3*time.Minute, "tea", "on", 180*time.Millisecond)
			send(-3*time.Minute, "tea", "off", 180*time.Millisecond)
		}, 0},
		"another switch": {"cart", func(send func(time.Duration, string, string, time.Duration)) {
			send(-10*time.Minute, "tea", "off", 100*time.Millisecond)
			send(-3*time.Minute, "tea", "on", 180*time.Millisecond)
		}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, dbtest.New(t), 1000)
			flips := []model.Flip{{ID: 7, Env: "production", Key: test.key, At: k.now.Add(-4 * time.Minute), Action: "on"}}
			k.perf.flips = func(context.Context, time.Time, time.Time) ([]model.Flip, error) { return flips, nil }
			n := 0
			test.send(func(at time.Duration, key, answer string, took time.Duration) {
				var all []trace.Request
				for i := range 300 {
					q := k.page(n, "/a")
					q.Start, q.Duration, q.Switches = k.now.Add(at), took+time.Duration(i%50)*time.Millisecond, []trace.Switch{{Key: key, Variant: answer}}
					n++
					all = append(all, q)
				}
				k.take(all...)
			})
			for range 2 {
				k.perf.compared = time.Time{}
				k.take(k.page(n, "/other"))
				n++
				k.perf.slowed = map[flipped]bool{} // as another process, or after a restart
			}
			if list := k.open(t, "unresolved"); len(list) != test.want {
				t.Errorf("%d issues, not %d: %+v", len(list), test.want, list)
			}
		})
	}
}
