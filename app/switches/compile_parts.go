package switches

import (
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// compileShares reads what all shares of the switch have in common.
func (k *compiler) compileShares(c *compiled, sw Switch) {
	c.unleash = sw.Hash == HashUnleash
	c.by, c.byName = fieldOf(sw.BucketBy), sw.BucketBy
	if sw.BucketBy == "" {
		c.by = fieldUser
	}
	if c.by == fieldConstant || len(sw.BucketBy) > MaxAttrName {
		k.fail("bucket_by", "%q is no attribute that subjects differ in", cut(sw.BucketBy))
	}
	c.skip, c.take = sw.Skip, sw.Take
	if sw.Take == 0 {
		c.take = Buckets - sw.Skip
	}
	if sw.Skip < 0 || sw.Take < 0 || sw.Skip >= Buckets || c.skip+c.take > Buckets {
		k.fail("skip", "skip %d and take %d leave the %d buckets there are", sw.Skip, sw.Take, Buckets)
		c.skip, c.take = 0, Buckets
	}
	c.holdFrom = Buckets
	if r := sw.Ramp; r != nil && r.ramping() {
		if !(r.Holdout >= 0 && r.Holdout <= 50) {
			k.fail("ramp", "a holdout is 0 to 50 %%; %v is not", r.Holdout)
			return
		}
		c.holdFrom -= k.percent(r.Holdout, "ramp")
	}
}

// ramping says that the last step is not reached, or is not everyone.
func (r *Ramp) ramping() bool {
	n := len(r.Steps)
	return n > 0 && (r.At < n-1 || r.Steps[n-1].Percent < 100)
}

func (k *compiler) compileSet(c *compiled, s Set, cond string) set {
	out := set{when: k.compileWhen(s.When, cond, c.salt), rollout: k.compileRollout(c, s.Rollout, cond)}
	out.rollout.plain = TargetingMatch
	out.rollout.settle(c, Buckets)
	return out
}

// settle works out the buckets: the first limit of the switch's stretch, less those from holdFrom on.
func (r *rollout) settle(c *compiled, holdFrom int) {
	stretch := func(n int) int { return c.skip + (n*c.take+Buckets-1)/Buckets }
	r.fixed = r.limit == 0 || r.limit == Buckets && c.take == Buckets && holdFrom == Buckets
	r.from, r.heldTo = c.skip, stretch(r.limit)
	r.width = uint(stretch(min(r.limit, holdFrom)) - r.from)
	r.special = len(r.split) > 0 || holdFrom < r.limit
}

func (k *compiler) compileRollout(c *compiled, r Rollout, cond string) rollout {
	out := rollout{cond: cond, limit: k.percent(r.Percent, cond)}
	if len(r.Split) > MaxVariants {
		k.fail(cond, "%s", over("parts of a split", len(r.Split), MaxVariants, "there is one for a variant"))
		return out
	}
	var sum float64
	for _, w := range r.Split {
		sum += w.Weight
		out = k.addWeight(c, out, w)
	}
	if len(r.Split) > 0 && !(sum > 0 && sum <= math.MaxUint32) {
		k.fail(cond, "the weights of a split have to add up to more than nothing")
	}
	return out
}

// addWeight adds a part to a split.
func (k *compiler) addWeight(c *compiled, r rollout, w Weight) rollout {
	i := k.variant(c, w.Variant, r.cond)
	switch {
	case !(w.Weight >= 0 && w.Weight <= 1e9):
		k.fail(r.cond, "the weight %v of variant %q is none: it is 0 to 1,000,000,000", w.Weight, cut(w.Variant))
	case c.unleash && w.Weight != math.Trunc(w.Weight):
		k.fail(r.cond, "Unleash's clients know whole weights only; %v is none", w.Weight)
	case w.Weight > 0:
		r.split = append(r.split, weighed{i, w.Weight, xxhash.Sum64String(c.salt + splitSalt + w.Variant)})
		r.total += uint32(w.Weight)
	}
	return r
}

func (k *compiler) compileOverrides(c *compiled, sw Switch) {
	if len(sw.Overrides) > MaxOverrides {
		k.fail("overrides", "%s", over("overrides", len(sw.Overrides), MaxOverrides, "a set with a segment holds as many as you like"))
		return
	}
	for i, o := range sw.Overrides {
		at := fmt.Sprintf("override %d", i+1)
		by := fieldOf(o.Attribute)
		if o.Attribute == "" {
			by = fieldUser
		}
		if o.Value == "" || by == fieldConstant || len(o.Attribute) > MaxAttrName {
			k.fail(at, "it names nobody: it needs an attribute that subjects differ in, and its value")
			continue
		}
		k.wake(o.Expires)
		c.override(by, o.Attribute, o.Value, k.variant(c, o.Variant, at))
	}
}

// override adds one; the first of several for one subject counts.
func (c *compiled) override(by field, name, value string, variant uint8) {
	for _, o := range c.overrides {
		if o.by == by && (by != fieldOther || o.name == name) {
			if _, known := o.variant[value]; !known {
				o.variant[value] = variant
			}
			return
		}
	}
	c.overrides = append(c.overrides, overrides{by, name, map[string]uint8{value: variant}})
}

func (k *compiler) compileLabs(c *compiled, sw Switch) {
	l := sw.Labs
	if l == nil {
		return
	}
	if l.Per != "" && l.Per != "forum" {
		k.fail("labs", "people opt in for themselves (per empty) or for their forum (per forum); %q is neither", cut(l.Per))
	}
	if n := max(len(l.In), len(l.Out)); n > MaxLabs {
		k.fail("labs", "%s", over("opted in or out", n, MaxLabs, "set a cap"))
		return
	}
	c.labs = &labs{forum: l.Per == "forum", in: setOf(l.In), out: setOf(l.Out)}
}

func setOf(list []string) map[string]struct{} {
	out := make(map[string]struct{}, len(list))
	for _, s := range list {
		out[s] = struct{}{}
	}
	return out
}

// compileSegments compiles all segments, each after those that it is made of.
func (k *compiler) compileSegments(list []Segment) {
	for i, g := range list {
		if i == MaxSegments {
			k.begin(g.Key, "segment ")
			k.fail("key", "%s", over("segments", len(list), MaxSegments, "remove those that no switch uses"))
			break
		}
		if _, double := k.sources[g.Key]; double {
			k.begin(g.Key, "segment ")
			k.warn("key", "another segment has it; the first one counts")
			continue
		}
		k.sources[g.Key] = g
	}
	for _, g := range list {
		k.segment(g.Key)
	}
}
