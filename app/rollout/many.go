package rollout

import (
	"context"

	"kibitz/app/errs"
	"kibitz/app/switches"
)

// MaxMany is how many switches SaveMany takes at once.
const MaxMany = 500

// SaveMany makes switches, or makes them what is given whatever they were: all under one revision, which is told to peers and
// compiled once. Those that something is wrong with are left out; refused says why, by key. Kills stay as they are, as with Save.
func (b *Board) SaveMany(ctx context.Context, env string, list []switches.Switch, by By, why string) (p Published, refused map[string]string, err error) {
	if len(list) > MaxMany {
		return p, nil, errs.New(errs.TooLarge, "%d switches at once; %d are allowed. Send them in parts.", len(list), MaxMany)
	}
	refused = map[string]string{}
	var good []switches.Switch
	for _, s := range list {
		if err := checkSwitch(s); err != nil {
			refused[s.Key] = errs.Message(err)
			continue
		}
		good = append(good, s)
	}
	p, err = b.publish(ctx, env, "", by, why, func() ([]change, error) { return b.planMany(env, good) })
	return p, refused, err
}

func (b *Board) planMany(env string, list []switches.Switch) (all []change, err error) {
	v, err := b.known(env)
	if err != nil {
		return nil, err
	}
	room, seen := MaxSwitches-len(v.keys), map[string]bool{}
	for _, s := range list {
		if seen[s.Key] {
			return nil, errs.New(errs.Unprocessable, "%s is there twice.", clip(s.Key))
		}
		seen[s.Key] = true
		e := Edit{Env: env, Switch: s}
		if now := v.switches[s.Key]; now != nil {
			e.Base = now.record.Version
		} else if room--; room < 0 {
			return nil, errs.New(errs.Unprocessable, "There would be more than %d switches in %s, which is the limit. Remove those that nobody asks for any more.", MaxSwitches, env)
		}
		changes, err := b.planSave(e)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}
