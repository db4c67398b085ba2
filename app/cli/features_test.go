package cli

import (
	"context"
	"testing"
	"time"

	"kibitz/app/perf"
	"kibitz/app/switches"
	"kibitz/app/trace"
)

// TestOwnFeatures holds that features are on until their switches say otherwise, for this process or for whoever asks; and that the
// record of a request tells what it was answered.
func TestOwnFeatures(t *testing.T) {
	t.Parallel()
	f := newFeatures("node-1")
	spans := f.gate(switches.OwnSpans)
	if !spans() || !f.ask(t.Context(), switches.OwnLive) || !(*features)(nil).on(switches.OwnLive) {
		t.Error("on, as long as there are no switches")
	}
	own := switches.Own()
	for i := range own {
		own[i].Overrides = []switches.Override{{Attribute: "host", Value: "node-1", Variant: "off"}}
	}
	snap, problems := switches.Compile(switches.Config{Switches: own}, time.Now())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h := switches.NewHolder("production")
	f.use(h)
	if !spans() {
		t.Error("on, where the switch does not exist")
	}
	h.Publish(snap)
	var got []trace.Request
	rec := perf.New(perf.Options{Sink: func(_ context.Context, list []trace.Request) error { got = append(got, list...); return nil }})
	ctx, q := rec.Start(t.Context(), perf.Info{Name: "/issues"})
	ctx = switches.With(ctx, h, switches.Subject{ID: "mara"})
	if spans() || f.ask(t.Context(), switches.OwnLive) || !f.ask(ctx, switches.OwnLive) {
		t.Error("off for this process, on for others")
	}
	q.Finish()
	if err := rec.Close(t.Context()); err != nil || len(got) != 1 || len(got[0].Switches) != 1 || got[0].Switches[0] != (trace.Switch{Key: switches.OwnLive, Variant: "on"}) {
		t.Errorf("%+v, %v", got, err)
	}
}
