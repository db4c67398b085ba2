package exchange

import (
	"strconv"
	"strings"

	"kibitz/app/switches"
)

// readLaunchDarkly reads flags as the SDKs get them, or as the REST API shows them, which has states by environment: one
// flag, a list of them, or an object that holds them.
func readLaunchDarkly(f *file, c cursor) {
	var flags []cursor
	switch {
	case c.is(listKind):
		flags = c.objects()
	case c.get("items").there():
		flags = c.get("items").objects()
	case c.get("flags").is(mapKind):
		for _, flag := range c.get("flags").fields() {
			flags = append(flags, flag.cursor)
		}
	default:
		flags = []cursor{c}
	}
	for _, flag := range flags {
		if !flag.object() {
			continue
		}
		if envs := flag.get("environments"); envs.there() {
			for _, env := range envs.fields() {
				f.in(env.key).launchDarkly(flag, env.cursor)
			}
			continue
		}
		f.in(f.name()).launchDarkly(flag, flag)
	}
	for _, g := range f.envs {
		g.nameRequired()
	}
}

// numbered marks a required variation that is known by its number until all flags are read.
const numbered = "\x00variation-"

// nameRequired puts names for the numbers of required variations.
func (g *gathered) nameRequired() {
	for i, s := range g.config.Switches {
		for k, r := range s.Requires {
			n, err := strconv.Atoi(strings.TrimPrefix(r.Variant, numbered))
			names := g.names[r.Key]
			if err != nil || n < 0 || n >= len(names) {
				g.config.Switches[i].Requires[k].Variant = ""
				g.lose(s.Key, "requires variation "+strconv.Itoa(n)+" of "+clip(r.Key)+", which is not in the file; here any that is on")
				continue
			}
			g.config.Switches[i].Requires[k].Variant = names[n]
		}
	}
}

// ldFlag is a flag in the making: variations are spoken of by their numbers.
type ldFlag struct {
	*draft
	names []string
}

// launchDarkly reads what is common of flag, and what is of an environment of env.
func (g *gathered) launchDarkly(flag, env cursor) {
	d := &ldFlag{draft: newDraft(flag, flag.get("key").str())}
	d.Description = flag.get("description").text()
	if d.Description == "" {
		d.Description = flag.get("name").text()
	}
	d.Tags = flag.get("tags").strs()
	d.vary(flag.get("variations"), env)
	if !env.get("on").flag(false) {
		d.State = switches.Off
	}
	for _, p := range env.get("prerequisites").objects() {
		d.Requires = append(d.Requires, switches.Requirement{Key: strings.ReplaceAll(p.get("key").str(), ":", "."), Variant: numbered + strconv.Itoa(int(p.get("variation").num()))})
	}
	for _, t := range append(env.get("targets").objects(), env.get("contextTargets").objects()...) {
		if values := t.get("values").strs(); len(values) > 0 {
			r := rule(d.contextual(t.get("contextKind").str(), "key"), switches.Is, values...)
			d.set("targets", all(r), d.answer(t))
		}
	}
	for _, r := range env.get("rules").objects() {
		when, ok := d.clauses(r.get("clauses"))
		if !ok {
			d.leaveOut(d.answer(r), "a rule is left out: a clause of it cannot be carried")
			continue
		}
		d.set(r.get("description").text(), when, d.answer(r))
	}
	d.Everyone = d.answer(env.get("fallthrough"))
	for _, name := range []string{"debugEventsUntilDate", "samplingRatio", "trackEventsFallthrough", "migration", "experiments"} {
		if at := env.get(name); at.there() && at.v.text != "false" {
			d.note("%s is not carried", name)
		}
	}
	g.names[d.Key] = d.names
	g.add(flag, d.draft)
}

// vary reads the variations. Off is the off variation; null answers by the default of the code there.
func (d *ldFlag) vary(c, env cursor) {
	var list []switches.Variant
	for i, v := range c.list() {
		name := "variation-" + strconv.Itoa(i+1)
		if v.is(mapKind) && v.get("value").v != nil {
			if own := v.get("name").text(); own != "" {
				name = own
			}
			v = v.get("value")
		}
		list = append(list, switches.Variant{Name: name, Value: v.raw()})
	}
	off := ""
	if at := env.get("offVariation"); !at.there() {
		d.note("has no off variation: the code answered by its own default, here it gets false")
	} else if i := int(at.num()); i >= 0 && i < len(list) {
		off = list[i].Name
	} else {
		at.fail("there is no variation %d", i)
	}
	own := d.variations(list, off)
	for _, v := range list {
		d.names = append(d.names, own[v.Name])
	}
}

// variation is the name of a number.
func (d *ldFlag) variation(c cursor) string {
	i := int(c.num())
	if i < 0 || i >= len(d.names) {
		c.fail("there is no variation %d", i)
		return ""
	}
	return d.names[i]
}

// answer is what a target, rule or fallthrough gives.
func (d *ldFlag) answer(c cursor) switches.Rollout {
	if v := c.get("variation"); v.there() {
		return d.rollout(weights{{Variant: d.variation(v), Weight: 1}}, 0)
	}
	r := c.get("rollout")
	if !r.there() {
		return switches.Rollout{}
	}
	d.otherPeople("LaunchDarkly")
	if r.get("kind").text() == "experiment" {
		d.note("an experiment is carried as a split; its untracked parts count, too")
	}
	by := d.contextual(r.get("contextKind").text(), r.get("bucketBy").text())
	if by != "user" && d.BucketBy == "" {
		d.BucketBy = by
	} else if by != "user" && d.BucketBy != by {
		d.note("shares are divided by %s and by %s; here all by the first", d.BucketBy, by)
	}
	var parts weights
	for _, p := range r.get("variations").objects() {
		parts = append(parts, switches.Weight{Variant: d.variation(p.get("variation")), Weight: p.get("weight").num()})
	}
	return d.rollout(parts, 0)
}

// contextual is how an attribute of a kind of context is called here.
func (d *ldFlag) contextual(kind, attribute string) string {
	attribute = strings.ReplaceAll(strings.TrimPrefix(attribute, "/"), "/", ".")
	if attribute == "" {
		attribute = "key"
	}
	if kind == "" || kind == "user" {
		if attribute == "key" {
			return "user"
		}
		return attribute
	}
	d.note("context %s is asked as attribute %s.%s, which your code has to hand over", clip(kind), clip(kind), clip(attribute))
	return kind + "." + attribute
}

func ldOps() map[string]switches.Op {
	return map[string]switches.Op{"in": switches.Is, "startsWith": switches.Prefix, "endsWith": switches.Suffix, "matches": switches.Matches, "contains": switches.Contains,
		"lessThan": switches.Less, "lessThanOrEqual": switches.AtMost, "greaterThan": switches.More, "greaterThanOrEqual": switches.AtLeast, "before": switches.Before, "after": switches.After,
		"segmentMatch": switches.Within, "semVerEqual": switches.Same, "semVerLessThan": switches.Older, "semVerGreaterThan": switches.Newer}
}

// clauses are joined by and. A clause about an attribute that is absent never matches, also where it is negated.
func (d *ldFlag) clauses(c cursor) (switches.When, bool) {
	var rules []switches.Rule
	for _, at := range c.objects() {
		op, ok := ldOps()[at.get("op").str()]
		if !ok {
			d.note("operator %s is not known here", clip(at.get("op").str()))
			return nil, false
		}
		r := rule("segment", op, at.get("values").strs()...)
		if r.Not = at.get("negate").flag(false); op == switches.Within {
			d.note("segment %s has to be made here by hand", clip(strings.Join(r.Values, ", ")))
			rules = append(rules, r)
			continue
		}
		r.Attribute = d.contextual(at.get("contextKind").text(), at.get("attribute").str())
		if op == switches.After {
			d.note("a date after is here at or after")
		}
		if rules = append(rules, r); r.Not {
			rules = append(rules, rule(r.Attribute, switches.Present))
		}
	}
	if len(rules) == 0 {
		return nil, false
	}
	return all(rules...), true
}
