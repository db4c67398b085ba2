package exchange

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"kibitz/app/switches"
)

// unleash is an export of Unleash, or what its client API answers. An export has strategies and states apart, for each
// environment; the client API has them in the feature.
type unleash struct {
	file       *file
	root       cursor
	segments   map[string]string // by id: key here
	strategies map[[2]string][]cursor
	states     map[[2]string]cursor
	requires   map[string]cursor
}

func readUnleash(f *file, c cursor) {
	u := &unleash{file: f, root: c, segments: map[string]string{}, strategies: map[[2]string][]cursor{}, states: map[[2]string]cursor{}, requires: map[string]cursor{}}
	envs := u.environments()
	u.nameSegments()
	for _, env := range envs {
		g := f.in(env)
		u.readSegments(g)
		for _, feature := range c.get("features").objects() {
			d := newDraft(feature, feature.get("name").str())
			u.read(d, feature, env)
			g.add(feature, d)
		}
	}
}

// environments are those that the file speaks of.
func (u *unleash) environments() []string {
	found := map[string]bool{}
	for _, s := range u.root.get("featureStrategies").objects() {
		id := [2]string{s.get("featureName").str(), s.get("environment").str()}
		u.strategies[id] = append(u.strategies[id], s)
		found[id[1]] = true
	}
	for _, s := range u.root.get("featureEnvironments").objects() {
		id := [2]string{s.get("featureName").str(), s.get("environment").str()}
		u.states[id], found[id[1]] = s, true
	}
	for _, d := range u.root.get("dependencies").objects() {
		u.requires[d.get("feature").str()] = d.get("dependencies")
	}
	for _, list := range u.strategies {
		slices.SortStableFunc(list, func(a, b cursor) int { return int(a.get("sortOrder").num() - b.get("sortOrder").num()) })
	}
	if len(found) == 0 {
		return []string{u.file.name()}
	}
	return slices.Sorted(maps.Keys(found))
}

func (u *unleash) nameSegments() {
	for _, s := range u.root.get("segments").objects() {
		name := s.get("name").str()
		if name == "" {
			name = "unleash-" + s.get("id").str()
		}
		u.segments[s.get("id").str()] = name
	}
}

func (u *unleash) readSegments(g *gathered) {
	for _, s := range u.root.get("segments").objects() {
		d := &draft{}
		rules, ok := d.constraints(s.get("constraints"))
		seg := switches.Segment{Key: u.segments[s.get("id").str()], Description: s.get("description").str()}
		switch {
		case !ok:
			d.note("the segment matches nobody here: a constraint of it is unknown")
		case len(rules) == 0:
			seg.When = anyone()
		default:
			seg.When = all(rules...)
		}
		g.config.Segments = append(g.config.Segments, seg)
		if len(d.notes) > 0 {
			g.reports = append(g.reports, Report{g.config.Environment, "segment " + seg.Key, d.notes})
		}
	}
}

func (u *unleash) read(d *draft, feature cursor, env string) {
	name := feature.get("name").str()
	d.Description, d.Project = feature.get("description").str(), ""
	d.Hash, d.Salt = switches.HashUnleash, name
	id := [2]string{name, env}
	enabled, strategies, variants := feature.get("enabled").flag(false), u.strategies[id], feature.get("variants")
	if state, ok := u.states[id]; ok {
		enabled = state.get("enabled").flag(false)
		if state.get("variants").there() {
			variants = state.get("variants")
		}
	}
	if own := feature.get("strategies"); own.there() {
		strategies = own.objects()
	}
	if !enabled {
		d.State = switches.Off
	}
	if feature.get("impressionData").flag(false) {
		d.note("impression data is not sent for each answer; exposures are counted for every switch")
	}
	split := d.unleashVariants(variants)
	d.unleashRequires(u.requires[name], feature.get("dependencies"))
	u.addStrategies(d, strategies, split)
}

// addStrategies turns strategies, any of which may say yes, into sets, the first of which decides.
func (u *unleash) addStrategies(d *draft, strategies []cursor, split weights) {
	if len(strategies) == 0 {
		d.Everyone = d.unleashRollout(100, split)
		return
	}
	var groups []string
	partial := false
	for i, s := range strategies {
		if s.get("disabled").flag(false) {
			continue
		}
		if partial {
			d.note("strategy %d is asked in Unleash also for those whom an earlier one left out by its percentage; here the first set that matches decides", i+1)
		}
		percent, group, rules, ok := u.strategy(d, s)
		if !ok {
			continue
		}
		if partial = partial || percent < 100; percent < 100 {
			groups = append(groups, group)
		}
		own := split
		if list := d.unleashVariants(s.get("variants")); len(list) > 0 {
			own = list
		}
		r := d.unleashRollout(percent, own)
		if len(rules) == 0 && i == len(strategies)-1 {
			d.Everyone = r
			continue
		}
		when := all(rules...)
		if len(rules) == 0 {
			when = anyone()
		}
		d.set(s.get("title").str(), when, r)
	}
	d.unleashGroups(groups)
}

// unleashGroups takes the group that shares are divided by.
func (d *draft) unleashGroups(groups []string) {
	for _, g := range groups {
		if g != groups[0] {
			d.note("strategies of the groups %q and %q are divided by the first of them: shares of the others go to other people", groups[0], g)
		}
	}
	if len(groups) > 0 && groups[0] != "" {
		d.Salt = groups[0]
	}
}

func (d *draft) unleashRollout(percent float64, split weights) switches.Rollout {
	if len(split) == 0 {
		return switches.Rollout{Percent: percent}
	}
	return switches.Rollout{Percent: percent, Split: split}
}

// strategy is one: its share, its group and its rules.
func (u *unleash) strategy(d *draft, s cursor) (percent float64, group string, rules []switches.Rule, ok bool) {
	if rules, ok = d.constraints(s.get("constraints")); !ok {
		d.note("a strategy is left out, so that fewer people have it: a constraint of it is unknown")
		return 0, "", nil, false
	}
	for _, id := range s.get("segments").strs() {
		name, known := u.segments[id]
		if !known {
			d.note("a strategy is left out: segment %s is not in the file", clip(id))
			return 0, "", nil, false
		}
		rules = append(rules, rule("segment", switches.Within, name))
	}
	p := s.get("parameters")
	name := s.get("name")
	if t := s.get("strategyName"); t.there() {
		name = t
	}
	percent, group = 100, p.get("groupId").str()
	switch name.str() {
	case "default":
	case "flexibleRollout":
		percent = p.get("rollout").share()
		d.stickiness(p.get("stickiness").str())
	case "gradualRolloutUserId":
		percent = p.get("percentage").share()
		rules = append(rules, rule("user", switches.Present))
	case "gradualRolloutSessionId":
		percent = p.get("percentage").share()
		d.stickiness("sessionId")
	case "gradualRolloutRandom":
		percent = p.get("percentage").share()
		d.stickiness("random")
	case "userWithId":
		rules = append(rules, rule("user", switches.Is, waffleList(p.get("userIds"))...))
	case "remoteAddress":
		rules = append(rules, rule("ip", switches.In, waffleList(p.get("IPs"))...))
	case "applicationHostname":
		rules = append(rules, rule("host", switches.Is, waffleList(p.get("hostNames"))...))
	default:
		d.note("strategy %s is not known here and is left out, so that fewer people have it", clip(name.str()))
		return 0, "", nil, false
	}
	return percent, group, rules, true
}

func (d *draft) stickiness(by string) {
	switch by {
	case "", "default", "userId":
		return
	case "random":
		d.note("a random share is divided by person here, so that everyone keeps the answer")
		return
	}
	attribute := unleashAttribute(by)
	if d.BucketBy != "" && d.BucketBy != attribute {
		d.note("strategies are divided by %s and by %s; here all by the first", d.BucketBy, attribute)
		return
	}
	d.BucketBy = attribute
}

// unleashAttribute is how a field of Unleash's context is called here.
func unleashAttribute(name string) string {
	if own, ok := map[string]string{"userId": "user", "sessionId": "anonymous", "remoteAddress": "ip", "currentTime": "time"}[name]; ok {
		return own
	}
	return name
}

// unleashOps are the operators that one comparison carries.
func unleashOps() map[string]switches.Op {
	return map[string]switches.Op{"IN": switches.Is, "NOT_IN": switches.Is, "STR_CONTAINS": switches.Contains, "STR_STARTS_WITH": switches.Prefix, "STR_ENDS_WITH": switches.Suffix,
		"NUM_GT": switches.More, "NUM_GTE": switches.AtLeast, "NUM_LT": switches.Less, "NUM_LTE": switches.AtMost, "NUM_EQ": switches.Is,
		"DATE_AFTER": switches.After, "DATE_BEFORE": switches.Before, "SEMVER_EQ": switches.Same, "SEMVER_GT": switches.Newer, "SEMVER_LT": switches.Older,
		"REGEX": switches.Matches, "CIDR": switches.In}
}

// constraints are joined by and. One that cannot be carried answers false: without it more people would match.
func (d *draft) constraints(c cursor) (rules []switches.Rule, ok bool) {
	for _, at := range c.objects() {
		name := at.get("operator").str()
		op, known := unleashOps()[name]
		if !known {
			d.note("operator %s of a constraint is not known here", clip(name))
			return nil, false
		}
		values := at.get("values").strs()
		if v := at.get("value"); v.there() && len(values) == 0 {
			values = []string{v.str()}
		}
		r := rule(unleashAttribute(at.get("contextName").str()), op, values...)
		r.Not = at.get("inverted").flag(false) != (name == "NOT_IN")
		r.FoldCase = at.get("caseInsensitive").flag(false)
		if len(values) == 0 {
			// Nothing is among no values: what is not asked for is true, the rest is false for all.
			if r.Not {
				continue
			}
			r = switches.Rule{Attribute: r.Attribute, Op: switches.Is, Values: []string{""}}
		}
		if name == "NUM_EQ" {
			d.note("number %s is compared as text", clip(strings.Join(values, ", ")))
		}
		if name == "DATE_AFTER" {
			d.note("a date after is here at or after")
		}
		rules = append(rules, r)
	}
	return rules, true
}

// unleashVariants adds variants and answers how they are divided.
func (d *draft) unleashVariants(c cursor) (split weights) {
	for _, v := range c.objects() {
		name := v.get("name").str()
		split = append(split, switches.Weight{Variant: name, Weight: v.get("weight").num()})
		d.addVariant(switches.Variant{Name: name, Value: d.unleashPayload(name, v.get("payload"))})
		if s := v.get("stickiness").str(); s != "" && s != "default" && unleashAttribute(s) != d.BucketBy && !(s == "userId" && d.BucketBy == "") {
			d.note("variants are divided by %s in Unleash, here by what the share is divided by", clip(s))
		}
		for _, o := range v.get("overrides").objects() {
			for _, value := range o.get("values").strs() {
				d.Overrides = append(d.Overrides, switches.Override{Attribute: unleashAttribute(o.get("contextName").str()), Value: value, Variant: name})
			}
			d.note("an override of variant %s also turns the switch on for those it names; in Unleash only where it is on anyhow", name)
		}
	}
	return split
}

func (d *draft) addVariant(v switches.Variant) {
	for _, known := range d.Variants {
		if known.Name == v.Name {
			if string(known.Value) != string(v.Value) {
				d.note("variant %s has another payload in another strategy; the first is kept", v.Name)
			}
			return
		}
	}
	d.Variants = append(d.Variants, v)
}

func (d *draft) unleashPayload(variant string, c cursor) json.RawMessage {
	if !c.there() {
		return nil
	}
	text := c.get("value").str()
	switch c.get("type").str() {
	case "json", "number":
		return d.payload(variant, text)
	}
	return appendText(nil, text)
}

func (d *draft) unleashRequires(lists ...cursor) {
	for _, list := range lists {
		for _, at := range list.objects() {
			key := strings.ReplaceAll(at.get("feature").str(), ":", ".")
			if !at.get("enabled").flag(true) {
				d.leaveOut(switches.Rollout{}, "requires that %s is off, which cannot be said here: the condition is left out", clip(key))
				continue
			}
			variants := at.get("variants").strs()
			if len(variants) > 1 {
				d.leaveOut(switches.Rollout{}, "requires one of several variants of %s; here any that is on", clip(key))
				variants = nil
			}
			r := switches.Requirement{Key: key}
			if len(variants) == 1 {
				r.Variant = variants[0]
			}
			d.Requires = append(d.Requires, r)
		}
	}
}
