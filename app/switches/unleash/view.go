package unleash

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/switches"
)

// View shows the switches of an environment that a query asks for. Schedules and ramps are as they stand at now. Notes tell of
// those that are not carried exactly.
func View(c switches.Config, q Query, now time.Time) (features []Feature, notes []Note) {
	v := &view{byKey: make(map[string]*switches.Switch, len(c.Switches)), segments: make(map[string]switches.When, len(c.Segments)),
		alone: map[string]bool{}, broken: map[string]string{}}
	list := make([]switches.Switch, len(c.Switches))
	for i := range c.Switches {
		list[i] = switches.Settle(c.Switches[i], now)
		v.byKey[list[i].Key] = &list[i]
	}
	for _, s := range c.Segments {
		v.segments[s.Key] = s.When
	}
	_, problems := switches.Compile(c, now)
	for _, p := range problems {
		if !p.Warning && v.broken[p.Key] == "" {
			v.broken[p.Key] = p.Field + ": " + p.Text
		}
	}
	for i := range list {
		if s := &list[i]; q.Wants(s) {
			f, n := v.feature(s)
			features = append(features, f)
			if len(n.Texts) > 0 {
				notes = append(notes, n)
			}
		}
	}
	return append(features, v.stones()...), notes
}

type view struct {
	byKey    map[string]*switches.Switch
	segments map[string]switches.When
	broken   map[string]string // why a switch answers off here, too
	alone    map[string]bool   // keys whose own conditions others depend on
}

// aloneSuffix names the feature of a switch's own conditions without those that it depends on. Clients look one level deep
// only, so whoever depends on a switch that depends on others is told all of them, each for itself.
const aloneSuffix = "#own"

// stones are the features that others step on.
func (v *view) stones() (features []Feature) {
	for key := range v.alone {
		s := v.byKey[key]
		f := Feature{Name: key + aloneSuffix, Type: "operational", Project: projectOf(s), Variants: []Variant{},
			Description: "What " + key + " asks itself, without those that it depends on; for the switches that depend on it."}
		var n Note
		f.Strategies, f.Enabled = v.strategies(s, &n)
		features = append(features, f)
	}
	slices.SortFunc(features, func(a, b Feature) int { return strings.Compare(a.Name, b.Name) })
	return features
}

// feature is one switch.
func (v *view) feature(s *switches.Switch) (Feature, Note) {
	n := Note{Key: s.Key, Served: true}
	f := Feature{Name: s.Key, Type: "release", Description: s.Description, Project: projectOf(s), Variants: []Variant{}}
	f.Strategies, f.Enabled = v.strategies(s, &n)
	if f.Enabled {
		var why string
		if f.Dependencies, why = v.dependencies(s); why != "" {
			f.Enabled = n.refuse("%s", why)
		}
	}
	if !n.Served {
		f.Strategies, f.Dependencies = []Strategy{}, nil
		f.Description = strings.TrimSpace("Off for clients of Unleash: " + n.Texts[0] + ". " + f.Description)
	}
	return f, n
}

// refuse notes why a switch is not served; it is always false.
func (n *Note) refuse(format string, args ...any) bool {
	n.Served = false
	n.Texts = append([]string{fmt.Sprintf(format, args...)}, n.Texts...)
	return false
}

func (n *Note) say(text string) {
	if !slices.Contains(n.Texts, text) {
		n.Texts = append(n.Texts, text)
	}
}

// dependencies are all switches that must be on for this one, near and far.
func (v *view) dependencies(s *switches.Switch) (list []Dependency, why string) {
	seen := map[string]bool{s.Key: true}
	var walk func(s *switches.Switch) string
	walk = func(s *switches.Switch) string {
		for _, r := range requirements(s) {
			if seen[r.Key] {
				if r.Key == list0(list, r.Key) && r.Variant == "" {
					continue
				}
				return "it depends on " + r.Key + " twice or on itself"
			}
			other := v.byKey[r.Key]
			if other == nil {
				return "it depends on " + r.Key + ", which does not exist"
			}
			seen[r.Key] = true
			list = append(list, v.dependency(other, r))
			if why := walk(other); why != "" {
				return why
			}
		}
		return ""
	}
	return list, walk(s)
}

// list0 is key when the list has it already, by either of its names.
func list0(list []Dependency, key string) string {
	for _, d := range list {
		if strings.TrimSuffix(d.Feature, aloneSuffix) == key {
			return key
		}
	}
	return ""
}

// dependency names another switch, or what that one asks itself when it depends on others.
func (v *view) dependency(other *switches.Switch, r switches.Requirement) Dependency {
	d := Dependency{Feature: other.Key, Enabled: true}
	if len(requirements(other)) > 0 {
		v.alone[other.Key] = true
		d.Feature += aloneSuffix
	}
	if r.Variant != "" {
		d.Variants = []string{r.Variant}
	}
	return d
}

// requirements are a switch's parent and what it requires.
func requirements(s *switches.Switch) (list []switches.Requirement) {
	if i := strings.LastIndexByte(s.Key, ':'); i >= 0 {
		list = append(list, switches.Requirement{Key: s.Key[:i]})
	}
	return append(list, s.Requires...)
}

// clause is a condition and what those get who fulfil it and none before.
type clause struct {
	when    formula
	rollout switches.Rollout
	variant string // for everyone in it, whatever the split; "" by the split
}

// full tells that all whom a clause is about are on.
func (c clause) full() bool { return c.rollout.Percent >= 100 }

// strategies are a switch's conditions as strategies, of which one must be fulfilled.
func (v *view) strategies(s *switches.Switch, n *Note) (list []Strategy, enabled bool) {
	list = []Strategy{}
	if s.Killed {
		return list, false
	}
	if why := v.broken[s.Key]; why != "" {
		return list, n.refuse("it is broken, and off for everybody (%s)", why)
	}
	clauses, ok := v.clauses(s, n)
	if !ok {
		return list, false
	}
	v.remarks(s, clauses, n)
	for i, c := range clauses {
		when := c.when
		for _, before := range clauses[:i] {
			if before.full() && len(s.Variants) == 0 {
				continue // those it takes are on already
			}
			none, ok := negate(before.when)
			if ok {
				when, ok = and(when, none)
			}
			if !ok {
				return []Strategy{}, n.refuse("its conditions become more than %d strategies (limit strategies)", maxStrategies)
			}
		}
		if c.rollout.Percent <= 0 {
			continue
		}
		for _, t := range when {
			st, ok := v.strategy(s, c, t, n)
			if !ok {
				return []Strategy{}, false
			}
			list = append(list, st)
		}
		if len(list) > maxStrategies {
			return []Strategy{}, n.refuse("its conditions become more than %d strategies (limit strategies)", maxStrategies)
		}
	}
	return list, len(list) > 0
}

// clauses are a switch's overrides, sets and everyone else, in the order in which they decide.
func (v *view) clauses(s *switches.Switch, n *Note) (list []clause, ok bool) {
	w := &writer{segments: v.segments}
	add := func(c switches.When, r switches.Rollout, variant string) bool {
		f, ok := w.when(c)
		if !ok {
			return n.refuse("its conditions become more than %d strategies (limit strategies)", maxStrategies)
		}
		list = append(list, clause{f, r, variant})
		return true
	}
	for _, o := range s.Overrides {
		if !add(overrideWhen(o), share(isOn(s, o.Variant)), o.Variant) {
			return nil, false
		}
	}
	if s.State == switches.Off {
		return list, true
	}
	if !v.labs(s, add) {
		return nil, false
	}
	switch {
	case s.State == switches.On:
		return append(list, clause{always(), switches.Rollout{Percent: 100, Split: s.Everyone.Split}, ""}), true
	case s.State == switches.Inherit && len(s.Variants) > 0:
		return nil, n.refuse("it inherits its parent's variant")
	case s.State == switches.Inherit:
		return append(list, clause{always(), share(true), ""}), true
	}
	for _, set := range s.Sets {
		if !add(set.When, set.Rollout, "") {
			return nil, false
		}
	}
	return append(list, clause{always(), s.Everyone, ""}), true
}

// labs are those who opted out, then those who opted in.
func (v *view) labs(s *switches.Switch, add func(switches.When, switches.Rollout, string) bool) bool {
	if s.Labs == nil {
		return true
	}
	attribute := "user"
	if s.Labs.Per == "forum" {
		attribute = "forum"
	}
	of := func(ids []string) switches.When {
		return switches.When{{{Attribute: attribute, Op: switches.Is, Values: ids}}}
	}
	return (len(s.Labs.Out) == 0 || add(of(s.Labs.Out), share(false), "")) && (len(s.Labs.In) == 0 || add(of(s.Labs.In), share(true), ""))
}

func overrideWhen(o switches.Override) switches.When {
	attribute := o.Attribute
	if attribute == "" {
		attribute = "user"
	}
	group := []switches.Rule{{Attribute: attribute, Op: switches.Is, Values: []string{o.Value}}}
	if !o.Expires.IsZero() {
		group = append(group, switches.Rule{Attribute: "time", Op: switches.Before, Values: []string{o.Expires.UTC().Format(time.RFC3339)}})
	}
	return switches.When{group}
}

// share is everybody or nobody.
func share(all bool) switches.Rollout {
	if all {
		return switches.Rollout{Percent: 100}
	}
	return switches.Rollout{}
}

// isOn tells whether a variant is one of being on.
func isOn(s *switches.Switch, variant string) bool {
	if s.OffVariant == "" {
		return variant != "off"
	}
	return variant != s.OffVariant
}

// remarks are what is lost though the switch is served.
func (v *view) remarks(s *switches.Switch, clauses []clause, n *Note) {
	for _, c := range clauses {
		if c.rollout.Percent > 0 && c.rollout.Percent < 100 {
			if _, exact := whole(c.rollout.Percent); !exact {
				n.say(fmt.Sprintf("%s %% is rounded down to whole percent", strconv.FormatFloat(c.rollout.Percent, 'f', -1, 64)))
			}
			if s.Hash != switches.HashUnleash {
				n.say("clients of Unleash divide by a hash of their own: the share is the same, the people are not; set its hash to unleash to agree")
			}
		}
	}
	if len(s.Variants) > 0 && s.OffVariant != "" {
		n.say("who is off gets the variant disabled, without the payload of " + s.OffVariant)
	}
	if s.Ramp != nil && s.Ramp.Holdout > 0 {
		n.say("the ramp's holdout is not kept out")
	}
}

// strategy is one term of a clause.
func (v *view) strategy(s *switches.Switch, c clause, t term, n *Note) (Strategy, bool) {
	st := Strategy{Name: "flexibleRollout", Constraints: []Constraint{}}
	for _, l := range t {
		one, why := constrain(l)
		if why != "" {
			return st, n.refuse("%s (%s %s)", why, l.rule.Attribute, l.rule.Op)
		}
		if young[one.Operator] {
			n.say("its comparison " + one.Operator + " is known to clients of specification 6 and later; older ones find it off")
		}
		st.Constraints = append(st.Constraints, one)
	}
	if s.Take > 0 && c.rollout.Percent < 100 {
		return st, n.refuse("it takes a range of buckets only (skip and take)")
	}
	rollout, _ := whole(c.rollout.Percent)
	stickiness := "default"
	if s.BucketBy != "" {
		stickiness = fieldOf(s.BucketBy)
	}
	if rollout == "100" {
		stickiness = "default" // a field that is absent would count as not taken
	}
	st.Parameters = map[string]string{"rollout": rollout, "stickiness": stickiness, "groupId": groupOf(s)}
	st.Variants = variants(s, c, n)
	return st, true
}

func groupOf(s *switches.Switch) string {
	if s.Salt == "" {
		return s.Key
	}
	return s.Salt
}

// variants are how those are divided whom a strategy takes; nil for a switch that is just on or off.
func variants(s *switches.Switch, c clause, n *Note) []Variant {
	if len(s.Variants) == 0 {
		return nil
	}
	stickiness := "default"
	if s.BucketBy != "" {
		stickiness = fieldOf(s.BucketBy)
	}
	split := c.rollout.Split
	if c.variant != "" || len(split) == 0 {
		split = []switches.Weight{{Variant: onVariant(s, c.variant), Weight: 1}}
	}
	weights := weightsOf(s, split, n)
	list := make([]Variant, 0, len(split))
	for i, w := range split {
		list = append(list, Variant{Name: w.Variant, Weight: weights[i], WeightType: "variable", Stickiness: stickiness, Payload: payload(s, w.Variant)})
	}
	return list
}

// onVariant is the variant of who is on where no split says otherwise.
func onVariant(s *switches.Switch, wanted string) string {
	if wanted != "" {
		return wanted
	}
	if s.OnVariant != "" {
		return s.OnVariant
	}
	for _, v := range s.Variants {
		if isOn(s, v.Name) {
			return v.Name
		}
	}
	return "on"
}

// weightsOf are weights as they stand where we divide as Unleash's clients do, and of 1,000 elsewhere.
func weightsOf(s *switches.Switch, split []switches.Weight, n *Note) []int {
	if s.Hash != switches.HashUnleash {
		return thousandths(split, n)
	}
	out := make([]int, len(split))
	for i, w := range split {
		out[i] = int(w.Weight)
	}
	return out
}

// thousandths are weights that add up to 1,000; what rounding leaves goes to the last that has any.
func thousandths(split []switches.Weight, n *Note) []int {
	sum := 0.0
	for _, w := range split {
		sum += max(w.Weight, 0)
	}
	out, left, last := make([]int, len(split)), 1000, 0
	if sum <= 0 {
		return out
	}
	for i, w := range split {
		exact := max(w.Weight, 0) / sum * 1000
		out[i] = int(math.Floor(exact + 1e-9))
		if math.Abs(float64(out[i])-exact) > 1e-6 {
			n.say("the weights of its variants are rounded to thousandths")
		}
		if left -= out[i]; w.Weight > 0 {
			last = i
		}
	}
	out[last] += left
	return out
}

// payload is a variant's value; one that is only its own name has none.
func payload(s *switches.Switch, name string) *Payload {
	for _, v := range s.Variants {
		if v.Name == name {
			return payloadOf(name, v.Value)
		}
	}
	return nil
}
