package unleash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func is(attribute string, values ...string) switches.Rule {
	return switches.Rule{Attribute: attribute, Op: switches.Is, Values: values}
}

func all(s ...switches.Rule) switches.When { return switches.When{s} }

// line is a feature in short.
func line(f Feature) string {
	if !f.Enabled {
		return "off"
	}
	var parts []string
	for _, s := range f.Strategies {
		var cs []string
		for _, c := range s.Constraints {
			not := ""
			if c.Inverted {
				not = "!"
			}
			cs = append(cs, fmt.Sprintf("%s%s %s %s%s", not, c.Field, c.Operator, strings.Join(c.Values, ","), c.Value))
		}
		var vs []string
		for _, v := range s.Variants {
			vs = append(vs, fmt.Sprint(v.Name, "=", v.Weight))
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s%%/%s [%s] %s", s.Parameters["rollout"], s.Parameters["stickiness"], strings.Join(cs, " & "), strings.Join(vs, " "))))
	}
	for _, d := range f.Dependencies {
		parts = append(parts, "needs "+d.Feature+strings.Join(d.Variants, ","))
	}
	return strings.Join(parts, " | ")
}

// TestView holds what each kind of switch becomes, and what is said about it.
func TestView(t *testing.T) {
	t.Parallel()
	colours := []switches.Variant{{Name: "grey"}, {Name: "blue", Value: json.RawMessage(`{"a":1}`)}, {Name: "red"}}
	for name, c := range map[string]struct {
		s    switches.Switch
		want string
		says string
	}{
		"on":       {switches.Switch{State: switches.On}, "100%/default []", ""},
		"off":      {switches.Switch{State: switches.Off}, "off", ""},
		"killed":   {switches.Switch{State: switches.On, Killed: true}, "off", ""},
		"half":     {switches.Switch{State: switches.Partial, Everyone: switches.Rollout{Percent: 50}}, "50%/default []", "the people are not"},
		"the same": {switches.Switch{State: switches.Partial, Hash: switches.HashUnleash, BucketBy: "user", Everyone: switches.Rollout{Percent: 50}}, "50%/userId []", ""},
		"fraction": {switches.Switch{State: switches.Partial, Hash: switches.HashUnleash, Everyone: switches.Rollout{Percent: 12.7}}, "12%/default []", "rounded down"},
		"nobody":   {switches.Switch{State: switches.Partial}, "off", ""},
		"a set": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: switches.When{{is("plan", "pro"), is("role", "admin")}, {is("user", "7")}}, Rollout: switches.Rollout{Percent: 100}}}},
			"100%/default [plan IN pro & role IN admin] | 100%/default [userId IN 7]", ""},
		"sets exclude": {switches.Switch{State: switches.Partial, Hash: switches.HashUnleash, Sets: []switches.Set{{When: all(is("plan", "free")), Rollout: switches.Rollout{}},
			{When: all(is("country", "DE")), Rollout: switches.Rollout{Percent: 10}}}, Everyone: switches.Rollout{Percent: 20}},
			"10%/default [country IN DE & !plan IN free] | 20%/default [!plan IN free & !country IN DE]", ""},
		"not": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "plan", Op: switches.Is, Values: []string{"free"}, Not: true}),
			Rollout: switches.Rollout{Percent: 100}}}}, "100%/default [!plan IN free]", ""},
		"segment": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "segment", Op: switches.Within, Values: []string{"beta"}}),
			Rollout: switches.Rollout{Percent: 100}}}}, "100%/default [user.email STR_ENDS_WITH @kibitz.example] | 100%/default [userId IN 1,2]", ""},
		"after": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "time", Op: switches.After, Values: []string{"2026-04-01"}}),
			Rollout: switches.Rollout{Percent: 100}}}}, "100%/default [currentTime DATE_AFTER 2026-03-31T23:59:59.999Z]", ""},
		"other dates": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "joined", Op: switches.After, Values: []string{"2026-04-01"}}),
			Rollout: switches.Rollout{Percent: 100}}}}, "off", "no dates but the time of asking"},
		"a share rule": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "user", Op: switches.Share, Values: []string{"5"}}),
			Rollout: switches.Rollout{Percent: 100}}}}, "off", "no counterpart"},
		"networks": {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(switches.Rule{Attribute: "ip", Op: switches.In, Values: []string{"10.0.0.0/8"}}),
			Rollout: switches.Rollout{Percent: 100}}}}, "100%/default [remoteAddress IN_CIDR 10.0.0.0/8]", "specification 6"},
		"buckets": {switches.Switch{State: switches.Partial, Take: 5000, Everyone: switches.Rollout{Percent: 50}}, "off", "range of buckets"},
		"variants": {switches.Switch{State: switches.On, Variants: colours, OffVariant: "grey", Everyone: switches.Rollout{Split: []switches.Weight{{Variant: "blue", Weight: 1}, {Variant: "red", Weight: 3}}}},
			"100%/default [] blue=250 red=750", "variant disabled"},
		"one variant": {switches.Switch{State: switches.On, Variants: colours, OffVariant: "grey"}, "100%/default [] blue=1000", ""},
		"thirds": {switches.Switch{State: switches.On, Variants: colours, OffVariant: "grey", Everyone: switches.Rollout{Split: []switches.Weight{{Variant: "blue", Weight: 1}, {Variant: "red", Weight: 1}, {Variant: "grey", Weight: 1}}}},
			"100%/default [] blue=333 red=333 grey=334", "thousandths"},
		"overrides": {switches.Switch{State: switches.Partial, Overrides: []switches.Override{{Value: "7", Variant: "on"}, {Value: "8", Variant: "off"},
			{Value: "9", Variant: "on", Expires: noon.Add(-time.Second)}}, Everyone: switches.Rollout{Percent: 100}},
			"100%/default [userId IN 7] | 100%/default [!userId IN 8]", ""},
		"labs":     {switches.Switch{State: switches.Partial, Labs: &switches.Labs{In: []string{"1"}, Out: []string{"2"}}}, "100%/default [userId IN 1 & !userId IN 2]", ""},
		"schedule": {switches.Switch{State: switches.Off, Schedule: []switches.Change{{At: noon.Add(-time.Hour), State: switches.On}}}, "100%/default []", ""},
		"spaces":   {switches.Switch{State: switches.Partial, Sets: []switches.Set{{When: all(is("plan", " pro")), Rollout: switches.Rollout{Percent: 100}}}}, "off", "spaces"},
	} {
		c.s.Key = strings.ReplaceAll(name, " ", "-")
		features, notes := View(switches.Config{Environment: "production", Switches: []switches.Switch{c.s}, Segments: []switches.Segment{
			{Key: "beta", When: switches.When{{{Attribute: "user.email", Op: switches.Suffix, Values: []string{"@kibitz.example"}}}, {is("user", "1", "2")}}}}}, Query{}, noon)
		if got := line(features[0]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		said := ""
		for _, n := range notes {
			said += strings.Join(n.Texts, "; ")
		}
		if (c.says == "") != (said == "") && c.want != "100%/default [] blue=1000" || !strings.Contains(said, c.says) {
			t.Errorf("%s: says %q, want %q", name, said, c.says)
		}
		if c.want == "off" && c.says != "" && !strings.HasPrefix(features[0].Description, "Off for clients of Unleash: ") {
			t.Errorf("%s: %q", name, features[0].Description)
		}
	}
}

// TestDependencies holds that chains become one level, and circles are off.
func TestDependencies(t *testing.T) {
	t.Parallel()
	features, notes := View(switches.Config{Switches: []switches.Switch{
		{Key: "a", State: switches.On}, {Key: "a:b", State: switches.On}, {Key: "a:b:c", State: switches.Inherit},
		{Key: "d", State: switches.On, Requires: []switches.Requirement{{Key: "a", Variant: "on"}}},
		{Key: "x", State: switches.On, Requires: []switches.Requirement{{Key: "y"}}}, {Key: "y", State: switches.On, Requires: []switches.Requirement{{Key: "x"}}},
		{Key: "lost", State: switches.On, Requires: []switches.Requirement{{Key: "nowhere"}}},
	}}, Query{}, noon)
	got := map[string]string{}
	for _, f := range features {
		got[f.Name] = line(f)
	}
	for name, want := range map[string]string{"a": "100%/default []", "a:b": "100%/default [] | needs a", "a:b:c": "100%/default [] | needs a:b#own | needs a",
		"a:b#own": "100%/default []", "x": "off", "y": "off", "lost": "off"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if len(notes) < 3 {
		t.Errorf("%+v", notes)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	s := switches.Switch{Key: "shop.cart", Project: "shop", Tags: []string{"team-a"}}
	for want, list := range map[bool][]Query{
		true:  {{}, {NamePrefix: "shop."}, {Project: []string{"shop"}}, {Project: []string{"*"}}, {Tag: []string{"simple:team-a"}}, {Tag: []string{"x", "team-a"}}},
		false: {{NamePrefix: "cart"}, {Project: []string{"default"}}, {Tag: []string{"team-b"}}},
	} {
		for _, q := range list {
			if q.Wants(&s) != want {
				t.Errorf("%+v: %v", q, !want)
			}
		}
	}
}

// TestTooLarge holds that conditions that multiply end at the limit.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := switches.Switch{Key: "large", State: switches.Partial, Everyone: switches.Rollout{Percent: 100}}
	for i := range 20 {
		s.Sets = append(s.Sets, switches.Set{When: all(is(fmt.Sprint("a", i), "1"), is(fmt.Sprint("b", i), "1")), Rollout: switches.Rollout{Percent: 50}})
	}
	features, notes := View(switches.Config{Switches: []switches.Switch{s}}, Query{}, noon)
	if features[0].Enabled || len(notes) != 1 || notes[0].Served || !strings.Contains(notes[0].Texts[0], "limit strategies") {
		t.Errorf("%+v", notes)
	}
}

func TestToggle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		toggle Toggle
		want   string
	}{
		{ToggleOf("a", "on", json.RawMessage("true"), true), `{"name":"a","enabled":true,"impressionData":false,"variant":{"name":"disabled","enabled":false,"feature_enabled":true}}`},
		{ToggleOf("b", "x", json.RawMessage(`"text"`), false), `{"name":"b","enabled":true,"impressionData":false,"variant":{"name":"x","enabled":true,"payload":{"type":"string","value":"text"},"feature_enabled":true}}`},
		{ToggleOf("c", "x", json.RawMessage(`-1.5`), false), `{"name":"c","enabled":true,"impressionData":false,"variant":{"name":"x","enabled":true,"payload":{"type":"number","value":"-1.5"},"feature_enabled":true}}`},
		{ToggleOf("d", "x", json.RawMessage(`{"a":"b"}`), false), `{"name":"d","enabled":true,"impressionData":false,"variant":{"name":"x","enabled":true,"payload":{"type":"json","value":"{\"a\":\"b\"}"},"feature_enabled":true}}`},
	} {
		if got := string(AppendToggle(nil, c.toggle)); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// FuzzFormula holds that a condition turned into strategies means what it meant, and its negation the opposite.
func FuzzFormula(f *testing.F) {
	f.Add([]byte{1, 2, 3, 255, 7, 9, 254, 4})
	f.Fuzz(func(t *testing.T, shape []byte) {
		if len(shape) > 12 {
			return
		}
		var when switches.When
		group := []switches.Rule{}
		for _, b := range shape {
			if b >= 250 {
				when, group = append(when, group), []switches.Rule{}
				continue
			}
			group = append(group, switches.Rule{Attribute: string('a' + rune(b%4)), Op: switches.Less, Values: []string{"1", "2"}[:1+b/4%2], Not: b/8%2 == 1})
		}
		when = append(when, group)
		w := &writer{}
		formula, ok := w.when(when)
		if !ok {
			return
		}
		none, ok := negate(formula)
		if !ok {
			return
		}
		for bits := range 1 << 8 {
			truth := func(r switches.Rule) bool { // of a < 1 and a < 2, apart, though both may be asked
				return slices.ContainsFunc(r.Values, func(v string) bool { return bits>>(int(r.Attribute[0]-'a')*2+int(v[0]-'1'))&1 == 1 })
			}
			want := slices.ContainsFunc(when, func(g []switches.Rule) bool {
				return !slices.ContainsFunc(g, func(r switches.Rule) bool { return truth(r) == r.Not })
			})
			if holds(formula, truth) != want || holds(none, truth) == want {
				t.Fatalf("%+v became %+v, not %+v", when, formula, none)
			}
		}
	})
}

func holds(f formula, truth func(switches.Rule) bool) bool {
	return slices.ContainsFunc(f, func(t term) bool {
		return !slices.ContainsFunc(t, func(l literal) bool { return truth(l.rule) == l.not })
	})
}
