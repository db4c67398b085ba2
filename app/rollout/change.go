package rollout

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// Limits of what a board holds.
const (
	// MaxSwitches is how many an environment may have.
	MaxSwitches = switches.MaxSwitches
	// MaxEnvironments is how many environments there may be.
	MaxEnvironments = 20
)

// Edit is a switch as somebody wants it. Base is the version that they started from; zero makes a new one.
type Edit struct {
	Env    string
	Switch switches.Switch
	Base   peers.Version
	By     By
	Why    string
}

// Save makes a switch, or changes all of it but whether it is killed. *Conflict when Base is not how it stands; errs.Unprocessable
// when something in it is wrong.
func (b *Board) Save(ctx context.Context, e Edit) (Published, error) {
	if e.Switch.State == "" {
		e.Switch.State = switches.Off
	}
	if err := checkSwitch(e.Switch); err != nil {
		return Published{}, err
	}
	return b.publish(ctx, e.Env, e.Switch.Key, e.By, e.Why, func() ([]change, error) { return b.planSave(e) })
}

func checkSwitch(s switches.Switch) error {
	problems := switches.Check(s)
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, 0, len(problems))
	for _, p := range problems {
		texts = append(texts, p.Text)
	}
	return errs.New(errs.Unprocessable, "%s", strings.Join(texts, " "))
}

func (b *Board) planSave(e Edit) ([]change, error) {
	v, err := b.known(e.Env)
	if err != nil {
		return nil, err
	}
	now := v.switches[e.Switch.Key]
	if (now == nil) != e.Base.IsZero() || (now != nil && now.record.Version != e.Base) {
		if now == nil {
			return nil, errs.New(errs.NotFound, "%s was removed in the meantime.", e.Switch.Key)
		}
		return nil, &Conflict{b.entry(v, e.Switch.Key)}
	}
	if now == nil {
		return b.planCreate(v, e.Switch)
	}
	s := e.Switch
	s.Killed = false
	if s.Salt == "" {
		s.Salt = now.saved.Salt
	}
	return b.set1(v, s, "edit")
}

// planCreate makes a switch. One of that name that was removed may have been killed; the new one is not, unless it says so.
func (b *Board) planCreate(v *view, s switches.Switch) ([]change, error) {
	if len(v.keys) >= MaxSwitches {
		return nil, errs.New(errs.Unprocessable, "There are %d switches in %s already, which is the limit. Remove those that nobody asks for any more.", MaxSwitches, v.env)
	}
	killed := s.Killed
	s.Killed = false
	if s.Salt == "" {
		s.Salt = newSalt()
	}
	changes, err := b.set1(v, s, "create")
	if _, was := v.kills[s.Key]; was != killed {
		changes = append(changes, killChange(v.env, s.Key, was, killed))
	}
	return changes, err
}

// newSalt is 64 random bits.
func newSalt() string {
	var salt [8]byte
	rand.Read(salt[:]) // never fails (crypto/rand)
	return hex.EncodeToString(salt[:])
}

// set1 sets a switch, unless it stands so already.
func (b *Board) set1(v *view, s switches.Switch, action string) ([]change, error) {
	c := change{id: peers.ID{Kind: peers.Switch, Env: v.env, Key: s.Key}, action: action, body: s}
	if now := v.switches[s.Key]; now != nil {
		c.before = now.record.Body
		if text, err := json.Marshal(s); err == nil && bytes.Equal(text, now.record.Body) {
			return nil, nil
		}
	}
	return []change{c}, nil
}

func (b *Board) known(env string) (*view, error) {
	if v := b.views[env]; v != nil {
		return v, nil
	}
	return nil, errs.New(errs.NotFound, "There is no environment %q. There are %s.", clip(env), strings.Join(b.environments(), ", "))
}

// existing is a switch that there is.
func (b *Board) existing(env, key string) (*view, *item, error) {
	v, err := b.known(env)
	if err != nil {
		return nil, nil, err
	}
	if v.switches[key] == nil {
		return nil, nil, errs.New(errs.NotFound, "There is no switch %q in %s.", clip(key), env)
	}
	return v, v.switches[key], nil
}

// Flip is a change of one click; nil leaves as it is.
type Flip struct {
	State   *switches.State `json:"state,omitempty"`
	Percent *float64        `json:"percent,omitempty"` // of everyone
}

// Flip sets a switch's state, its share of everyone, or both, whatever else it has become meanwhile. A ramp is paused by a person's
// flip, so that it does not take it back.
func (b *Board) Flip(ctx context.Context, env, key string, f Flip, by By, why string) (Published, error) {
	return b.flip(ctx, env, key, f, by, why, 0)
}

func (b *Board) flip(ctx context.Context, env, key string, f Flip, by By, why string, undoes int64) (Published, error) {
	return b.publish(ctx, env, key, by, why, func() ([]change, error) {
		v, now, err := b.existing(env, key)
		if err != nil {
			return nil, err
		}
		// What its schedule has done already is written down first: else it would win over this hand.
		s := switches.Settle(now.saved, b.opts.Now())
		f.apply(&s)
		if err := checkSwitch(s); err != nil {
			return nil, err
		}
		changes, err := b.set1(v, s, "flip")
		for i := range changes {
			changes[i].undoes = undoes
		}
		return changes, err
	})
}

func (f Flip) apply(s *switches.Switch) {
	if f.State != nil {
		s.State = *f.State
	}
	if f.Percent != nil {
		s.Everyone.Percent = *f.Percent
	}
	if s.Ramp != nil && !s.Ramp.Paused {
		ramp := *s.Ramp
		ramp.Paused = true
		s.Ramp = &ramp
	}
}

// Kill sets or lifts the bit above everything. It is a register of its own: no edit undoes it.
func (b *Board) Kill(ctx context.Context, env, key string, killed bool, by By, why string) (Published, error) {
	return b.kill(ctx, env, key, killed, by, why, 0)
}

func (b *Board) kill(ctx context.Context, env, key string, killed bool, by By, why string, undoes int64) (Published, error) {
	return b.publish(ctx, env, key, by, why, func() ([]change, error) {
		v, _, err := b.existing(env, key)
		if err != nil {
			return nil, err
		}
		_, was := v.kills[key]
		if was == killed {
			return nil, nil
		}
		c := killChange(env, key, was, killed)
		c.undoes = undoes
		return []change{c}, nil
	})
}

func killChange(env, key string, was, killed bool) change {
	before, _ := json.Marshal(killBody{was}) // a struct of a boolean
	action := "unkill"
	if killed {
		action = "kill"
	}
	return change{id: peers.ID{Kind: peers.Kill, Env: env, Key: key}, action: action, body: killBody{killed}, before: before}
}

// Delete removes a switch; its history stays. base is the version that was read; zero removes it however it stands.
func (b *Board) Delete(ctx context.Context, env, key string, base peers.Version, by By, why string) (Published, error) {
	return b.publish(ctx, env, key, by, why, func() ([]change, error) {
		v, now, err := b.existing(env, key)
		if err != nil {
			return nil, err
		}
		if !base.IsZero() && now.record.Version != base {
			return nil, &Conflict{b.entry(v, key)}
		}
		return []change{{id: now.record.ID, action: "delete", deleted: true, before: now.record.Body}}, nil
	})
}

// SaveSegment makes or changes a named condition.
func (b *Board) SaveSegment(ctx context.Context, env string, s switches.Segment, by By, why string) (Published, error) {
	if strings.TrimSpace(s.Key) == "" {
		return Published{}, errs.New(errs.Unprocessable, "A segment needs a key.")
	}
	return b.publish(ctx, env, "", by, why, func() ([]change, error) {
		v, err := b.known(env)
		if err != nil {
			return nil, err
		}
		c := change{id: peers.ID{Kind: peers.Segment, Env: env, Key: s.Key}, action: "segment", body: s}
		c.before = b.bodyOf(c.id)
		if text, err := json.Marshal(s); err == nil && bytes.Equal(text, c.before) && v != nil {
			return nil, nil
		}
		return []change{c}, nil
	})
}

// bodyOf is what a register holds; nil for nothing.
func (b *Board) bodyOf(id peers.ID) json.RawMessage {
	if r, ok := b.set.Get(id); ok && !r.Deleted {
		return r.Body
	}
	return nil
}

// DeleteSegment removes a named condition; errs.NotFound when there is none, errs.Conflict when a switch asks for it.
func (b *Board) DeleteSegment(ctx context.Context, env, key string, by By, why string) (Published, error) {
	return b.publish(ctx, env, "", by, why, func() ([]change, error) {
		v, err := b.known(env)
		if err != nil {
			return nil, err
		}
		if _, ok := v.segments[key]; !ok {
			return nil, errs.New(errs.NotFound, "There is no segment %q in %s.", clip(key), env)
		}
		if users := v.usersOf(key); len(users) > 0 {
			return nil, errs.New(errs.Conflict, "Segment %s is asked for by %s. Change these first.", key, strings.Join(users, ", "))
		}
		id := peers.ID{Kind: peers.Segment, Env: env, Key: key}
		return []change{{id: id, action: "segment", deleted: true, before: b.bodyOf(id)}}, nil
	})
}

// usersOf are the switches that ask for a segment.
func (v *view) usersOf(segment string) (keys []string) {
	for _, key := range v.keys {
		if asksFor(v.switches[key].saved.Sets, segment) {
			keys = append(keys, key)
		}
	}
	return keys
}

func asksFor(sets []switches.Set, segment string) bool {
	for _, set := range sets {
		for _, rules := range set.When {
			for _, r := range rules {
				if r.Op != switches.Within {
					continue
				}
				for _, value := range r.Values {
					if value == segment {
						return true
					}
				}
			}
		}
	}
	return false
}
