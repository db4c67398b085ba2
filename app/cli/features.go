package cli

import (
	"context"
	"sync/atomic"

	"kibitz/app/perf"
	"kibitz/app/switches"
)

// features are Kibitz's own switches as this process asks them (see switches.Own). Until use is told where the switches are, and
// where one does not exist, a feature is on.
type features struct {
	self   switches.Subject // this process
	holder atomic.Pointer[switches.Holder]
}

func newFeatures(node string) *features {
	return &features{self: switches.Subject{ID: node, Host: node, Release: Version}}
}

// use begins to ask a Holder. What requests are answered is written to their records; the Holder must not be in use before.
func (f *features) use(h *switches.Holder) {
	h.OnAnswer = func(ctx context.Context, key, variant string) { perf.Asked(ctx, key, variant) }
	f.holder.Store(h)
}

// on says whether a feature of this process is on.
func (f *features) on(key string) bool {
	if f == nil { // a command that has no features, or a test
		return true
	}
	h := f.holder.Load()
	return h == nil || h.OnOr(key, &f.self, true)
}

// gate is on, for those who know nothing of switches.
func (f *features) gate(key string) func() bool { return func() bool { return f.on(key) } }

// ask says whether a feature is on for whoever a context belongs to; for this process where it belongs to nobody.
func (f *features) ask(ctx context.Context, key string) bool {
	if switches.SubjectIn(ctx) == nil {
		return f.on(key)
	}
	return switches.IsOnOr(ctx, key, true)
}
