package rollout

import (
	"context"
	"regexp"
	"slices"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

var envForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// AddEnvironment makes an environment; one that there is already is no error.
func (b *Board) AddEnvironment(ctx context.Context, env string, by By) (Published, error) {
	if !envForm.MatchString(env) {
		return Published{}, errs.New(errs.Unprocessable, "An environment's name is a small letter and up to 39 more, digits or dashes.")
	}
	return b.publish(ctx, env, "", by, "", func() ([]change, error) {
		if b.views[env] != nil {
			return nil, nil
		}
		if len(b.views) >= MaxEnvironments {
			return nil, errs.New(errs.Unprocessable, "There are %d environments already, which is the limit.", MaxEnvironments)
		}
		return []change{{id: peers.ID{Kind: peers.Environment, Env: env, Key: env}, action: "environment", body: struct{}{}}}, nil
	})
}

func (b *Board) environments() []string {
	out := make([]string, 0, len(b.views))
	for env := range b.views {
		out = append(out, env)
	}
	slices.SortFunc(out, compareEnvs)
	return out
}

// Copy gives an environment the switches of another, all of them when keys is empty, and the segments that are not there yet. What
// is there is overwritten; kills stay as they are.
func (b *Board) Copy(ctx context.Context, from, to string, keys []string, by By, why string) (Published, error) {
	first := ""
	if len(keys) == 1 {
		first = keys[0]
	}
	return b.publish(ctx, to, first, by, why, func() ([]change, error) { return b.planCopy(from, to, keys) })
}

func (b *Board) planCopy(from, to string, keys []string) (out []change, err error) {
	src, err := b.known(from)
	if err != nil {
		return nil, err
	}
	dst, err := b.known(to)
	if err != nil {
		return nil, err
	}
	if from == to {
		return nil, errs.New(errs.Unprocessable, "%s cannot be copied to itself.", from)
	}
	if len(keys) == 0 {
		keys = src.keys
	}
	for _, s := range src.segmentList() {
		if _, ok := dst.segments[s.Key]; !ok {
			out = append(out, change{id: peers.ID{Kind: peers.Segment, Env: to, Key: s.Key}, action: "segment", body: s})
		}
	}
	for _, key := range keys {
		if src.switches[key] == nil {
			return nil, errs.New(errs.NotFound, "There is no switch %q in %s.", clip(key), from)
		}
		changes, err := b.set1(dst, src.switches[key].saved, "copy")
		if err != nil {
			return nil, err
		}
		out = append(out, changes...)
	}
	if n := len(dst.keys) + len(out); n > MaxSwitches {
		return nil, errs.New(errs.Unprocessable, "%s would have %d switches; the limit is %d.", to, n, MaxSwitches)
	}
	return out, nil
}

// Opt notes that a person or forum opts in to what a switch's labs offer, out of it, or (nil) has no opinion. errs.Unprocessable when
// nothing is offered, errs.Conflict when as many are in as may be.
func (b *Board) Opt(ctx context.Context, env, key, id string, in *bool) (Published, error) {
	by := By{Name: id, Kind: "person"}
	return b.publish(ctx, env, key, by, "", func() ([]change, error) {
		v, now, err := b.existing(env, key)
		if err != nil {
			return nil, err
		}
		c, err := planOpt(v, now.saved, id, in)
		if c == nil || err != nil {
			return nil, err
		}
		return []change{*c}, nil
	})
}

// maxWho is the length of an id of a person or forum in bytes.
const maxWho = 200

func planOpt(v *view, s switches.Switch, id string, in *bool) (*change, error) {
	if s.Labs == nil {
		return nil, errs.New(errs.Unprocessable, "%s is not offered in the labs.", s.Key)
	}
	if id == "" || len(id) > maxWho {
		return nil, errs.New(errs.Unprocessable, "Whoever opts in needs an id of 1 to %d bytes.", maxWho)
	}
	was, had := v.opts[s.Key][id]
	if (in == nil && !had) || (in != nil && had && was == *in) {
		return nil, nil
	}
	if in != nil && *in && s.Labs.Cap > 0 && v.optedIn(s.Key) >= s.Labs.Cap {
		return nil, errs.New(errs.Conflict, "%d have opted in to %s, which is as many as may for now.", s.Labs.Cap, s.Key)
	}
	c := &change{id: peers.ID{Kind: peers.Opt, Env: v.env, Key: s.Key + "\n" + id}, action: "opt", deleted: in == nil, quiet: true}
	c.body = optBody{s.Key, id, in != nil && *in}
	return c, nil
}

func (v *view) optedIn(key string) (n int) {
	for _, in := range v.opts[key] {
		if in {
			n++
		}
	}
	return n
}

// Opted are the opinions of a person or forum in an environment, by switch.
func (b *Board) Opted(env, id string) map[string]bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := map[string]bool{}
	if v := b.views[env]; v != nil {
		for key, opts := range v.opts {
			if in, ok := opts[id]; ok {
				out[key] = in
			}
		}
	}
	return out
}
