package requests

import (
	"context"
	"slices"
	"strings"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/trace"
)

const (
	// flipOver is how long after a flip, and before it, requests are compared.
	flipOver = 2 * time.Hour
	// maxSlowed bounds what is remembered of flips that were found slower; their events are known again by their ids anyway.
	maxSlowed = 10_000
)

// flipped is a flip at an endpoint.
type flipped struct {
	endpoint int32
	flip     int64
}

// sides are an endpoint's requests around a flip: with the switch on after it, off after it, and off before it.
type sides struct{ on, off, before *store.SwitchTotal }

// flipped compares, for each switch that was flipped lately, the requests of each endpoint that asked it: those that got it with those
// that did not, in the same time; or, where all get it, with those before the flip. What became slower is filed as a release's is.
func (d *Digester) flipped(ctx context.Context, b *batch, now time.Time) error {
	if d.flips == nil {
		return nil
	}
	flips, err := d.flips(ctx, now.Add(-flipOver), now)
	if err != nil {
		return err
	}
	flips = newestFlips(flips)
	if len(flips) == 0 {
		return nil
	}
	from := flips[0].At
	for _, f := range flips {
		if f.At.Before(from) {
			from = f.At
		}
	}
	rows, err := d.store.FlippedSums(ctx, keysOf(flips), from.Add(-flipOver).Truncate(time.Minute), now)
	if err != nil {
		return err
	}
	var found []aroundFlip
	for _, f := range flips {
		byEndpoint, err := around(f, rows)
		if err != nil {
			return err
		}
		for id, s := range byEndpoint {
			if s.other(d.thresholds(id)) != nil && !d.slowed[flipped{id, f.ID}] {
				found = append(found, aroundFlip{f, id, s})
			}
		}
	}
	return d.compareFlips(ctx, b, found, now)
}

// aroundFlip is the requests of an endpoint around a flip.
type aroundFlip struct {
	flip     model.Flip
	endpoint int32
	*sides
}

// newestFlips leaves the last flip of each switch and environment.
func newestFlips(flips []model.Flip) (out []model.Flip) {
	seen := map[[2]string]bool{}
	for i := len(flips) - 1; i >= 0; i-- {
		if at := [2]string{flips[i].Env, flips[i].Key}; !seen[at] {
			seen[at] = true
			out = append(out, flips[i])
		}
	}
	return out
}

func keysOf(flips []model.Flip) (keys []string) {
	for _, f := range flips {
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (d *Digester) compareFlips(ctx context.Context, b *batch, list []aroundFlip, now time.Time) error {
	if len(list) == 0 {
		return nil
	}
	var ids []int32
	for _, a := range list {
		ids = append(ids, a.endpoint)
	}
	endpoints, err := d.store.Endpoints(ctx, 0, compact(ids))
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := d.compareSides(b, a.flip, endpoints[a.endpoint], a.sides, now); err != nil {
			return err
		}
	}
	return nil
}

// around puts the requests around a flip on their sides, by endpoint. The minute of the flip belongs to neither.
func around(f model.Flip, rows []store.NamedSwitchSum) (map[int32]*sides, error) {
	out := map[int32]*sides{}
	minute := f.At.Truncate(time.Minute)
	for i := range rows {
		r := &rows[i]
		key, variant, _ := strings.Cut(r.Label, "=")
		if key != f.Key || !sameEnv(r.EnvName, f.Env) || r.Bucket.Equal(minute) {
			continue
		}
		s := out[r.Endpoint]
		if s == nil {
			empty := store.SwitchRollup{Endpoint: r.Endpoint, Project: r.Project}
			s = &sides{store.NewSwitchTotal(empty), store.NewSwitchTotal(empty), store.NewSwitchTotal(empty)}
			out[r.Endpoint] = s
		}
		if to := s.side(offAnswer(variant), r.Bucket.Before(minute)); to != nil {
			if err := to.Add(&r.SwitchRollup); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (s *sides) side(off, before bool) *store.SwitchTotal {
	switch {
	case off && before:
		return s.before
	case off:
		return s.off
	case before:
		return nil // with the switch on before the flip: it was on already
	}
	return s.on
}

// other is what those with the switch are compared with; nil when there are too few of either.
func (s *sides) other(th detect.Thresholds) *store.SwitchTotal {
	least := int64(th.RegressionRequests)
	switch {
	case s.on.Seen < least:
		return nil
	case s.off.Seen >= least:
		return s.off
	case s.before.Seen >= least:
		return s.before
	}
	return nil
}

func (d *Digester) compareSides(b *batch, f model.Flip, e model.Endpoint, s *sides, now time.Time) error {
	it := &item{Request: trace.Request{Name: e.Name, Method: e.Method, Start: now}, project: e.ProjectID, received: now, row: model.RequestRow{Endpoint: e.ID}}
	th := d.thresholds(e.ID)
	found, _ := detect.Compare(spread(s.other(th)), spread(s.on), detect.Change{Endpoint: detect.Endpoint(&it.Request), By: "switch " + f.Key, To: f.Key + " on"}, th)
	if found == nil {
		return nil
	}
	if len(d.slowed) >= maxSlowed {
		clear(d.slowed)
	}
	d.slowed[flipped{e.ID, f.ID}] = true
	return d.fileRegression(b, it, found, f.ID)
}

func spread(t *store.SwitchTotal) detect.Distribution {
	return detect.Distribution{N: int(t.Seen), Quantile: func(q float64) time.Duration { return time.Duration(t.DurationsOf().Quantile(q)) * time.Microsecond }}
}

// sameEnv tells whether a program is in an environment by the name it gives; one that says nothing is in production.
func sameEnv(name, env string) bool { return name == env || (name == "" && env == "production") }

// offAnswer tells whether an answer is one of those that stand for off.
func offAnswer(variant string) bool {
	return slices.Contains([]string{"", "off", "false", "control", "disabled", "0", "no", "none"}, strings.ToLower(variant))
}
