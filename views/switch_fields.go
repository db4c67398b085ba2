package views

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"kibitz/app/switches"
)

// fieldList collects the fields of a form; those without text are left out.
type fieldList struct{ out []field }

func (l *fieldList) add(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			l.out = append(l.out, field{pairs[i], pairs[i+1]})
		}
	}
}

// row begins the i-th row of a list and gives the names of its fields.
func (l *fieldList) row(list string, i int) func(string) string {
	l.out = append(l.out, field{list, strconv.Itoa(i)})
	return func(f string) string { return name(list, i, f) }
}

func checked(on bool) string {
	if on {
		return "1"
	}
	return ""
}

// fields are the whole form, for a page that carries it along.
func (f SwitchForm) fields() []field {
	l := &fieldList{}
	l.add("key", f.Key, "description", f.Description, "owner", f.Owner, "project", f.Project, "tags", f.Tags, "remove_by", f.RemoveBy, "default", f.Default,
		"state", f.State, "salt", f.Salt, "bucket_by", f.BucketBy, "hash", f.Hash, "skip", f.Skip, "take", f.Take, "off_variant", f.OffVariant, "on_variant", f.OnVariant, "why", f.Why)
	for i, v := range f.Variants {
		n := l.row("v", i)
		l.add(n("name"), v.Name, n("value"), v.Value)
	}
	for i, r := range f.Requires {
		n := l.row("q", i)
		l.add(n("key"), r.Key, n("variant"), r.Variant)
	}
	for i, o := range f.Overrides {
		n := l.row("o", i)
		l.add(n("attribute"), o.Attribute, n("value"), o.Value, n("variant"), o.Variant, n("expires"), o.Expires, n("why"), o.Why)
	}
	for i, s := range f.Sets {
		n := l.row("s", i)
		l.add(n("name"), s.Name)
		l.rules(n("r"), s.Rules)
		l.share(n(""), s.Share)
	}
	l.share("e.", f.Everyone)
	for i, c := range f.Schedule {
		n := l.row("c", i)
		l.add(n("at"), c.At, n("state"), c.State, n("percent"), c.Percent)
	}
	l.ramp(f.Ramp)
	l.add("labs.on", checked(f.Labs.On), "labs.title", f.Labs.Title, "labs.text", f.Labs.Text, "labs.per", f.Labs.Per, "labs.cap", f.Labs.Cap, "labs.feedback", f.Labs.Feedback)
	return l.out
}

func (l *fieldList) rules(list string, rules []RuleForm) {
	for i, r := range rules {
		n := l.row(list, i)
		l.add(n("join"), r.Join, n("attribute"), r.Attribute, n("name"), r.Name, n("op"), r.Op, n("values"), r.Values, n("fold"), checked(r.Fold))
	}
}

func (l *fieldList) share(prefix string, s ShareForm) {
	l.add(prefix+"percent", s.Percent)
	for i, w := range s.Weights {
		l.add(prefix+"w"+strconv.Itoa(i), w)
	}
}

func (l *fieldList) ramp(r RampForm) {
	l.add("ramp.on", checked(r.On), "ramp.steps", checked(r.Steps), "ramp.at", r.At, "ramp.since", r.Since, "ramp.holdout", r.Holdout)
	for i, s := range r.Plan {
		n := l.row("t", i)
		l.add(n("percent"), s.Percent, n("wait"), s.Wait, n("subjects"), s.Subjects)
	}
	for i, q := range r.Quiet {
		n := l.row("u", i)
		l.add(n("from"), q.From, n("to"), q.To)
		for _, d := range q.Days {
			l.add(n("day"), d)
		}
	}
}

// MergeSwitch puts what changed between base and mine on top of theirs, part by part as a switch has them in JSON; both are the
// parts that the two changed differently, in which mine is taken.
func MergeSwitch(base, mine, theirs switches.Switch) (merged switches.Switch, both []string) {
	was, my, now := parts(base), parts(mine), parts(theirs)
	names := maps.Clone(was)
	maps.Copy(names, my)
	maps.Copy(names, now)
	for _, part := range slices.Sorted(maps.Keys(names)) {
		if string(my[part]) == string(was[part]) {
			continue
		}
		if string(now[part]) != string(was[part]) && string(now[part]) != string(my[part]) {
			both = append(both, part)
		}
		if now[part] = my[part]; my[part] == nil {
			delete(now, part)
		}
	}
	text, err := json.Marshal(now)
	if err != nil || json.Unmarshal(text, &merged) != nil {
		return mine, both // both were JSON a moment ago
	}
	return merged, both
}

func parts(s switches.Switch) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return map[string]json.RawMessage{}
	}
	return out
}

// baseText is what a form carries of the switch that it was made of.
func baseText(s switches.Switch) string {
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(text)
}

// ReadBase is the switch that a form was made of; ok is false when the form does not say.
func ReadBase(text string) (s switches.Switch, ok bool) {
	return s, text != "" && json.Unmarshal([]byte(text), &s) == nil
}

// wrong are the fields that could not be read.
func (f SwitchForm) wrong() []string { return slices.Sorted(maps.Keys(f.Errors)) }
