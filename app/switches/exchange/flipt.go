package exchange

import (
	"encoding/json"

	"kibitz/app/switches"
)

// readFlipt reads one document of Flipt's features.
func readFlipt(f *file, c cursor) {
	g := f.in(f.name())
	for _, s := range c.get("segments").objects() {
		d := &draft{}
		seg := switches.Segment{Key: s.get("key").str(), Description: s.get("description").str(), When: d.fliptWhen(s)}
		g.config.Segments = append(g.config.Segments, seg)
		if len(d.notes) > 0 {
			g.reports = append(g.reports, Report{g.config.Environment, "segment " + seg.Key, d.notes})
		}
	}
	space := c.get("namespace")
	if space.is(mapKind) {
		space = space.get("key")
	}
	for _, flag := range c.get("flags").objects() {
		d := newDraft(flag, flag.get("key").str())
		if d.Description = flag.get("description").str(); d.Description == "" {
			d.Description = flag.get("name").str()
		}
		if name := space.str(); name != "" && name != "default" {
			d.Tags = []string{"namespace " + name}
			d.note("namespace %s is carried as a tag; keys of namespaces must differ here", clip(name))
		}
		if flag.get("metadata").there() {
			d.note("metadata is not carried")
		}
		if flag.get("type").str() == "BOOLEAN_FLAG_TYPE" {
			d.fliptBoolean(flag)
		} else {
			d.fliptVariant(flag)
		}
		g.add(flag, d)
	}
}

// fliptBoolean: the rollouts decide whether or not the flag is enabled; enabled is what is answered without any.
func (d *draft) fliptBoolean(flag cursor) {
	enabled := flag.get("enabled").flag(false)
	if enabled {
		d.Everyone = full()
	}
	rollouts := flag.get("rollouts").objects()
	if len(rollouts) == 0 {
		if d.State = switches.Off; enabled {
			d.State = switches.On
		}
	}
	for i, r := range rollouts {
		if t := r.get("threshold"); t.there() {
			d.fliptThreshold(t, enabled)
			if i < len(rollouts)-1 {
				d.note("rollouts after the first threshold are asked before it here, for everyone they fit")
			}
			continue
		}
		s := r.get("segment")
		share := switches.Rollout{}
		if s.get("value").flag(false) {
			share = full()
		}
		d.set(r.get("description").str(), fliptSegments(s, "operator"), share)
	}
}

func (d *draft) fliptThreshold(t cursor, enabled bool) {
	p := t.get("percentage").share()
	switch value := t.get("value").flag(false); {
	case value && enabled:
		p = 100
	case !value && enabled:
		p = 100 - p
	case !value:
		p = 0
	}
	if d.Everyone = (switches.Rollout{Percent: milli(p)}); p > 0 && p < 100 {
		d.otherPeople("Flipt")
	}
}

// fliptSegments asks segments, of which any or all must match.
func fliptSegments(c cursor, operator string) switches.When {
	keys := c.get("keys").strs()
	if k := c.get("key"); k.there() {
		keys = append(keys, k.str())
	}
	if op := c.get(operator).str(); op != "AND_SEGMENT_OPERATOR" {
		return all(rule("segment", switches.Within, keys...))
	}
	var rules []switches.Rule
	for _, k := range keys {
		rules = append(rules, rule("segment", switches.Within, k))
	}
	return all(rules...)
}

func (d *draft) fliptVariant(flag cursor) {
	if !flag.get("enabled").flag(false) {
		d.State = switches.Off
	}
	fallback := ""
	for _, v := range flag.get("variants").objects() {
		name := v.get("key").str()
		d.addVariant(switches.Variant{Name: name, Value: d.fliptAttachment(name, v.get("attachment"))})
		if v.get("default").flag(false) {
			fallback = name
		}
	}
	for _, r := range flag.get("rules").objects() {
		var parts weights
		for _, p := range r.get("distributions").objects() {
			parts = append(parts, switches.Weight{Variant: p.get("variant").str(), Weight: p.get("rollout").share()})
		}
		if len(parts) > 1 {
			d.otherPeople("Flipt")
		}
		d.set("", fliptRule(r), d.rollout(parts, 100))
	}
	if fallback != "" {
		d.Everyone = d.rollout(weights{{Variant: fallback, Weight: 1}}, 0)
	}
}

// fliptRule: a rule names its segments in one of three ways.
func fliptRule(r cursor) switches.When {
	s := r.get("segment")
	switch {
	case s.is(mapKind):
		return fliptSegments(s, "operator")
	case s.there():
		return all(rule("segment", switches.Within, s.str()))
	}
	keys := cursor{&value{kind: mapKind, fields: []field{{"keys", r.get("segments").v}, {"operator", r.get("operator").v}}}, r.path, r.wrong}
	return fliptSegments(keys, "operator")
}

func (d *draft) fliptAttachment(variant string, c cursor) json.RawMessage {
	switch {
	case !c.there():
		return nil
	case c.is(textKind):
		return d.payload(variant, c.v.text)
	}
	return c.raw()
}

// fliptOps are the comparisons, and whether they are turned round.
func fliptOps() map[string]switches.Rule {
	is := func(op switches.Op, not bool) switches.Rule { return switches.Rule{Op: op, Not: not} }
	return map[string]switches.Rule{"eq": is(switches.Is, false), "neq": is(switches.Is, true), "lt": is(switches.Less, false), "lte": is(switches.AtMost, false),
		"gt": is(switches.More, false), "gte": is(switches.AtLeast, false), "present": is(switches.Present, false), "notpresent": is(switches.Present, true),
		"prefix": is(switches.Prefix, false), "suffix": is(switches.Suffix, false), "contains": is(switches.Contains, false), "notcontains": is(switches.Contains, true),
		"isoneof": is(switches.Is, false), "isnotoneof": is(switches.Is, true), "true": is(switches.Is, false), "false": is(switches.Is, false),
		"empty": is(switches.Is, false), "notempty": is(switches.Is, true)}
}

func (d *draft) fliptWhen(s cursor) switches.When {
	var rules []switches.Rule
	any := s.get("match_type").str() == "ANY_MATCH_TYPE"
	for _, c := range s.get("constraints").objects() {
		r, ok := d.fliptConstraint(c)
		switch {
		case ok:
			rules = append(rules, r)
		case !any:
			d.note("the segment matches nobody here: a constraint of it is unknown")
			return nil
		}
	}
	if len(rules) == 0 {
		return anyone()
	}
	if !any {
		return all(rules...)
	}
	var when switches.When
	for _, r := range rules {
		when = append(when, []switches.Rule{r})
	}
	return when
}

func (d *draft) fliptConstraint(c cursor) (switches.Rule, bool) {
	op := c.get("operator").str()
	r, ok := fliptOps()[op]
	if !ok {
		d.note("operator %s of a constraint is not known here", clip(op))
		return r, false
	}
	kind := c.get("type").str()
	if r.Attribute = c.get("property").str(); kind == "ENTITY_ID_COMPARISON_TYPE" {
		r.Attribute = "user"
	}
	value := c.get("value").str()
	switch op {
	case "present", "notpresent":
		return r, true
	case "true", "false":
		r.Values = []string{op}
		return r, true
	case "empty", "notempty":
		r.Values = []string{""}
		d.note("an empty attribute is one that is there without text")
		return r, true
	case "isoneof", "isnotoneof":
		v, err := parse([]byte(value))
		if err != nil || v.kind != listKind {
			c.get("value").fail("expected a JSON list in text")
			return r, false
		}
		r.Values = cursor{v, c.path + ".value", c.wrong}.strs()
		return r, true
	}
	r.Values = []string{value}
	if kind == "DATETIME_COMPARISON_TYPE" {
		return d.fliptDate(r, op)
	}
	return r, true
}

func (d *draft) fliptDate(r switches.Rule, op string) (switches.Rule, bool) {
	dates := map[string]switches.Rule{"lt": {Op: switches.Before}, "gte": {Op: switches.After}, "gt": {Op: switches.After}, "lte": {Op: switches.Before}}
	as, ok := dates[op]
	if !ok {
		d.note("a date cannot be compared by %s here", op)
		return r, false
	}
	if op == "gt" || op == "lte" {
		d.note("the very moment of a date counts as after it here")
	}
	r.Op = as.Op
	return r, true
}
