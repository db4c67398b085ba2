package rollout

import (
	"context"
	"time"

	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

const (
	unknownEvery = 5 * time.Second
	// maxUnknown is how many switches may be made because somebody asked for them, in an environment.
	maxUnknown = 500
	// askedTag marks them.
	askedTag = "asked"
)

// unknowns makes switches that code asks for and that are not there, and hands counts on.
func (b *Board) unknowns(ctx context.Context) {
	for tick := time.NewTicker(unknownEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			b.flush()
			return
		case <-tick.C:
		}
		for _, env := range b.Environments() {
			b.makeAsked(ctx, env)
		}
		b.flush()
	}
}

// makeAsked makes what was asked for, off, and says by whom. One that was removed stays so.
func (b *Board) makeAsked(ctx context.Context, env string) {
	if !b.opts.AutoCreate || b.Health().Source == FromNothing {
		return // what the others have would be made again
	}
	by := By{Name: "first question", Kind: "kibitz"}
	for _, a := range b.Holder(env).Asked() {
		s := switches.Switch{Key: a.Key, State: switches.Off, Description: "Asked for first by " + a.Caller + ".", Tags: []string{askedTag}}
		b.make(ctx, env, s, by, "code asks for it, and it was not there")
	}
}

// make makes a switch where there is none and never was.
func (b *Board) make(ctx context.Context, env string, s switches.Switch, by By, why string) {
	if _, was := b.set.Get(peers.ID{Kind: peers.Switch, Env: env, Key: s.Key}); was || checkSwitch(s) != nil || b.asked(env) >= maxUnknown {
		return
	}
	if _, err := b.Save(ctx, Edit{Env: env, Switch: s, By: by, Why: why}); err != nil {
		b.log.Warn("cannot make a switch", "env", env, "key", s.Key, "err", err)
	}
}

func (b *Board) asked(env string) (n int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, i := range b.views[env].switches {
		if len(i.saved.Tags) == 1 && i.saved.Tags[0] == askedTag {
			n++
		}
	}
	return n
}

// flush hands on how often each switch answered what.
func (b *Board) flush() {
	for _, env := range b.Environments() {
		var counts []Count
		b.Holder(env).Drain(func(key, variant string, n int64) { counts = append(counts, Count{key, variant, n}) })
		if b.opts.Flush != nil && len(counts) > 0 {
			b.opts.Flush(env, counts)
		}
	}
}
