package switches_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

// subjectFrom is a subject of a context in JSON.
func subjectFrom(t *testing.T, text string) *switches.Subject {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	s, err := switches.SubjectOf(m)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// TestRules asks each comparison of a context; each line is also asked turned round.
func TestRules(t *testing.T) {
	t.Parallel()
	cases := []struct {
		context string
		op      switches.Op
		fold    bool
		name    string
		values  []string
		want    bool
	}{
		{`{"targetingKey":"u1"}`, switches.Is, false, "user", []string{"u2", "u1"}, true},
		{`{"targetingKey":"U1"}`, switches.Is, false, "user", []string{"u1"}, false},
		{`{"targetingKey":"U1"}`, switches.Is, true, "user", []string{"u1"}, true},
		{`{"targetingKey":"ÄB"}`, switches.Is, true, "user", []string{"äb"}, true},
		{`{"targetingKey":"7"}`, switches.Is, false, "user", []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, true},
		{`{"n":7}`, switches.Is, false, "n", []string{"7"}, true},
		{`{"n":1e21}`, switches.Is, false, "n", []string{"1e+21"}, true},
		{`{"b":true}`, switches.Is, false, "b", []string{"true"}, true},
		{`{"list":["a","b"]}`, switches.Is, false, "list", []string{"b"}, true},
		{`{"list":["a","b"]}`, switches.Is, false, "list", []string{"c"}, false},
		{`{"o":{"p":"x"}}`, switches.Is, false, "o.p", []string{"x"}, true},
		{`{}`, switches.Is, false, "o.p", []string{"x"}, false},
		{`{"host":"web-12.example"}`, switches.Prefix, false, "host", []string{"api-", "web-"}, true},
		{`{"email":"a@kibitz.example"}`, switches.Suffix, false, "email", []string{"@kibitz.example"}, true},
		{`{"email":"a@KIBITZ.example"}`, switches.Suffix, true, "email", []string{"@Kibitz.Example"}, true},
		{`{"email":"a@kibitz.example"}`, switches.Contains, false, "email", []string{"bitz"}, true},
		{`{"email":"a@kibitz.example"}`, switches.Matches, false, "email", []string{"^z", "^[a-c]@"}, true},
		{`{"email":"A@kibitz.example"}`, switches.Matches, true, "email", []string{"^a@"}, true},
		{`{"n":7}`, switches.Less, false, "n", []string{"7"}, false},
		{`{"n":7}`, switches.AtMost, false, "n", []string{"7"}, true},
		{`{"n":7}`, switches.More, false, "n", []string{"6.5"}, true},
		{`{"n":"7"}`, switches.AtLeast, false, "n", []string{"7"}, true},
		{`{"n":"seven"}`, switches.AtLeast, false, "n", []string{"7"}, false},
		{`{"n":true}`, switches.AtLeast, false, "n", []string{"0"}, false},
		{`{"ip":"10.1.2.3"}`, switches.In, false, "ip", []string{"192.168.0.0/16", "10.0.0.0/8"}, true},
		{`{"ip":"11.0.0.0"}`, switches.In, false, "ip", []string{"10.0.0.0/8"}, false},
		{`{"ip":"10.255.255.255"}`, switches.In, false, "ip", []string{"10.0.0.0/8", "10.2.0.0/16", "12.0.0.1"}, true},
		{`{"ip":"::ffff:10.1.2.3"}`, switches.In, false, "ip", []string{"10.0.0.0/8"}, true},
		{`{"ip":"10.1.2.3"}`, switches.In, false, "ip", []string{"::ffff:10.0.0.0/104"}, true},
		{`{"ip":"2001:db8::7"}`, switches.In, false, "ip", []string{"2001:db8::/32"}, true},
		{`{"ip":"2001:db9::7"}`, switches.In, false, "ip", []string{"2001:db8::/32", "0.0.0.0/0"}, false},
		{`{"ip":"10.1.2.3"}`, switches.Is, false, "ip", []string{"10.1.2.3"}, true},
		{`{"ip":"unknown"}`, switches.In, false, "ip", []string{"0.0.0.0/0"}, false},
		{`{"proxy":"10.1.2.3"}`, switches.In, false, "proxy", []string{"10.0.0.0/8"}, true},
		{`{"proxy":"x"}`, switches.In, false, "proxy", []string{"10.0.0.0/8"}, false},
		{`{"born":"2001-02-03"}`, switches.Before, false, "born", []string{"2001-02-04"}, true},
		{`{"born":"2001-02-03"}`, switches.After, false, "born", []string{"2001-02-03"}, true},
		{`{"born":"2001-02-03T23:00:00-05:00"}`, switches.Before, false, "born", []string{"2001-02-04"}, false},
		{`{"born":981158400}`, switches.After, false, "born", []string{"2001-02-03"}, true},
		{`{"born":981158399999}`, switches.After, false, "born", []string{"2001-02-03"}, false},
		{`{"born":"soon"}`, switches.After, false, "born", []string{"2001-02-03"}, false},
		{`{"release":"shop@2.1.0-rc.1"}`, switches.Older, false, "release", []string{"2.1.0"}, true},
		{`{"release":"2.1.0+build7"}`, switches.Same, false, "release", []string{"v2.1"}, true},
		{`{"release":"2.10.0"}`, switches.Newer, false, "release", []string{"2.9.9"}, true},
		{`{"release":"main-4711"}`, switches.Newer, false, "release", []string{"0.0.1"}, false},
		{`{"x":""}`, switches.Present, false, "x", nil, true},
		{`{}`, switches.Present, false, "x", nil, false},
		{`{}`, switches.Present, false, "time", nil, true},
		{`{}`, switches.Is, false, "environment", []string{"staging", "production"}, true},
		{`{}`, switches.Is, false, "environment", []string{"staging"}, false},
		{`{"x":"y"}`, switches.Share, false, "x", []string{"100"}, true},
		{`{"x":"y"}`, switches.Share, false, "x", []string{"0"}, false},
		{`{"country":"DE"}`, switches.Within, false, "segment", []string{"none", "europe"}, true},
		{`{"country":"US"}`, switches.Within, false, "segment", []string{"none", "europe"}, false},
	}
	for _, c := range cases {
		for _, not := range []bool{false, true} {
			r := switches.Rule{Attribute: c.name, Op: c.op, Values: c.values, FoldCase: c.fold, Not: not}
			s, problems := switches.Compile(switches.Config{Environment: "production", Segments: []switches.Segment{
				{Key: "europe", When: switches.When{{ruleOf("segment", switches.Within, "german")}, {ruleOf("country", switches.Is, "FR")}}},
				{Key: "german", When: switches.When{{ruleOf("country", switches.Is, "DE", "AT")}}}, {Key: "none"}},
				Switches: []switches.Switch{with(sw("x", switches.Partial), func(s *switches.Switch) { s.Sets = []switches.Set{whole(r)} })}}, noon)
			if len(problems) > 0 {
				t.Errorf("%v: %v", r, problems)
			}
			if a := same(t, s, "x", subjectFrom(t, c.context)); a.On != (c.want != not) {
				t.Errorf("%s, %s: %+v", c.context, r, a)
			}
		}
	}
}

// TestAndOr holds that a group wants all its rules, and one group is enough.
func TestAndOr(t *testing.T) {
	t.Parallel()
	s := compile(t, with(sw("x", switches.Partial), func(s *switches.Switch) {
		s.Sets = []switches.Set{
			{When: switches.When{{ruleOf("role", switches.Is, "staff"), ruleOf("country", switches.Is, "DE")}, {ruleOf("user", switches.Is, "root")}}, Rollout: switches.Rollout{Percent: 100}},
			{When: switches.When{{ruleOf("country", switches.Is, "DE")}}, Rollout: switches.Rollout{Percent: 0}},
		}
		s.Everyone.Percent = 100
	}))
	for _, c := range []struct {
		id, role, country string
		on                bool
		condition         string
	}{{"x", "staff", "DE", true, "set 1"}, {"x", "staff", "FR", true, "everyone"}, {"root", "", "", true, "set 1"}, {"x", "", "DE", false, "set 2"}} {
		if a := same(t, s, "x", &switches.Subject{ID: c.id, Role: c.role, Country: c.country}); a.On != c.on || a.Condition != c.condition {
			t.Errorf("%+v: %+v", c, a)
		}
	}
}

// TestVersions is the example of semver.org, and pairs that are easily got wrong.
func TestVersions(t *testing.T) {
	t.Parallel()
	list := []string{"0.9.9", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2"}
	for i, value := range list {
		mk := func(key string, op switches.Op) switches.Switch {
			return with(sw(key, switches.Partial), func(s *switches.Switch) { s.Sets = []switches.Set{whole(ruleOf("release", op, value))} })
		}
		s := compile(t, mk("older", switches.Older), mk("same", switches.Same), mk("newer", switches.Newer))
		for j, release := range list {
			sub := &switches.Subject{Release: release + "+build.7"}
			if s.Eval("older", sub).On != (j < i) || s.Eval("same", sub).On != (j == i) || s.Eval("newer", sub).On != (j > i) {
				t.Errorf("%s against %s", release, value)
			}
		}
	}
}

// TestSet holds the types that code hands over.
func TestSet(t *testing.T) {
	t.Parallel()
	var s switches.Subject
	for name, v := range map[string]any{"int": 7, "int64": int64(7), "uint64": uint64(7), "float32": float32(7), "number": json.Number("7")} {
		s.Set(name, v)
	}
	s.Set("moment", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s.Set("address", netip.MustParseAddr("10.0.0.1"))
	s.Set("country", "DE")
	s.Set("left out", struct{}{})
	s.Set("nothing", nil)
	if s.Country != "DE" || len(s.Attrs) != 7 {
		t.Fatalf("%+v", s)
	}
	for _, a := range s.Attrs {
		switch {
		case a.Name == "moment" && a.Value == "2026-01-02T03:04:05Z" && a.Kind == switches.Moment:
		case a.Name == "address" && a.Value == "10.0.0.1":
		case a.Value == "7" && a.Num == 7 && a.Kind == switches.Number:
		default:
			t.Errorf("%+v", a)
		}
	}
}

// TestRefused holds what is wrong with a switch is said, at its place, and that it answers off.
func TestRefused(t *testing.T) {
	t.Parallel()
	rule := func(r switches.Rule) func(*switches.Switch) {
		return func(s *switches.Switch) { s.Sets = []switches.Set{whole(r)}; s.Everyone.Percent = 100 }
	}
	long := make([]byte, 2000)
	for i := range long {
		long[i] = 'x'
	}
	cases := []struct {
		field, text string
		change      func(*switches.Switch)
	}{
		{"state", "no state", func(s *switches.Switch) { s.State = "maybe" }},
		{"state", "needs a parent", func(s *switches.Switch) { s.State = switches.Inherit }},
		{"everyone", "no percentage", func(s *switches.Switch) { s.Everyone.Percent = 101 }},
		{"everyone", "no variant", func(s *switches.Switch) { s.Everyone.Split = []switches.Weight{{Variant: "blue", Weight: 1}} }},
		{"everyone", "more than nothing", func(s *switches.Switch) { s.Everyone.Split = []switches.Weight{{Variant: "on"}} }},
		{"hash", "no way to divide", func(s *switches.Switch) { s.Hash = "md5" }},
		{"skip", "buckets there are", func(s *switches.Switch) { s.Skip, s.Take = 60_000, 50_000 }},
		{"variants", "name has", func(s *switches.Switch) { s.Variants = []switches.Variant{{}} }},
		{`variant "a"`, "no JSON", func(s *switches.Switch) { s.Variants = []switches.Variant{{Name: "a", Value: json.RawMessage("{")}} }},
		{`variant "a"`, "twice", func(s *switches.Switch) { s.Variants = []switches.Variant{{Name: "a"}, {Name: "a"}} }},
		{"off_variant", "no variant", func(s *switches.Switch) { s.OffVariant = "x" }},
		{"on_variant", "the same variant", func(s *switches.Switch) { s.OnVariant = "off" }},
		{"override 1", "names nobody", func(s *switches.Switch) { s.Overrides = []switches.Override{{Variant: "on"}} }},
		{"labs", "neither", func(s *switches.Switch) { s.Labs = &switches.Labs{Per: "moon"} }},
		{"set 1, group 1, rule 1", "no comparison", rule(ruleOf("x", "~", "1"))},
		{"set 1, group 1, rule 1", "no value", rule(ruleOf("x", switches.Is))},
		{"set 1, group 1, rule 1", "regular expression", rule(ruleOf("x", switches.Matches, "("))},
		{"set 1, group 1, rule 1", "too large", rule(ruleOf("x", switches.Matches, "(a{1,100}){1,10}"))},
		{"set 1, group 1, rule 1", "bytes in a regular expression", rule(ruleOf("x", switches.Matches, string(long[:400])))},
		{"set 1, group 1, rule 1", "bytes in a value", rule(ruleOf("x", switches.Is, string(long)))},
		{"set 1, group 1, rule 1", "no number", rule(ruleOf("x", switches.Less, "few"))},
		{"set 1, group 1, rule 1", "no moment", rule(ruleOf("x", switches.Before, "soon"))},
		{"set 1, group 1, rule 1", "no address", rule(ruleOf("ip", switches.In, "10.0.0.0/33"))},
		{"set 1, group 1, rule 1", "no version", rule(ruleOf("release", switches.Newer, "new"))},
		{"set 1, group 1, rule 1", "belong together", rule(ruleOf("country", switches.Within, "x"))},
		{"set 1, group 1, rule 1", "one value", rule(ruleOf("x", switches.Share, "1", "2"))},
		{"set 1, group 1, rule 1", "before or after", rule(ruleOf("time", switches.Is, "noon"))},
		{"set 1, group 1", "no rule", func(s *switches.Switch) { s.Sets = []switches.Set{whole()} }},
	}
	for _, c := range cases {
		s := with(sw("x", switches.Partial), c.change)
		found := switches.Check(s)
		if len(found) == 0 || found[0].Field != c.field || !contains(found[0].Text, c.text) || found[0].Warning {
			t.Errorf("%s, %s: %v", c.field, c.text, found)
		}
		snap, problems := switches.Compile(switches.Config{Switches: []switches.Switch{s}}, noon)
		if a := same(t, snap, "x", &switches.Subject{ID: "u"}); a.On || a.Reason != switches.Errored || len(problems) == 0 {
			t.Errorf("%s, %s: %+v, %v", c.field, c.text, a, problems)
		}
	}
}

// TestCheckOnly is what only an editor looks at: the switch answers all the same.
func TestCheckOnly(t *testing.T) {
	t.Parallel()
	bad := -1.0
	for field, change := range map[string]func(*switches.Switch){
		"remove_by":    func(s *switches.Switch) { s.RemoveBy = "soon" },
		"tags":         func(s *switches.Switch) { s.Tags = []string{""} },
		"guard":        func(s *switches.Switch) { s.Guard = &switches.Guard{Mode: "angry"} },
		"change 1":     func(s *switches.Switch) { s.Schedule = []switches.Change{{At: noon.AddDate(9, 0, 0), Percent: &bad}} },
		"ramp":         func(s *switches.Switch) { s.Ramp = &switches.Ramp{} },
		"ramp, step 2": func(s *switches.Switch) { s.Ramp = &switches.Ramp{Steps: []switches.Step{{Percent: 5}, {Percent: 4}}} },
		"ramp, quiet 1": func(s *switches.Switch) {
			s.Ramp = &switches.Ramp{Steps: []switches.Step{{Percent: 5}}, Quiet: []switches.QuietBit{{From: "25:00", To: "07:00"}}}
		},
		"requires 1":  func(s *switches.Switch) { s.Requires = []switches.Requirement{{}} },
		"description": func(s *switches.Switch) { s.Description = string(make([]byte, 20_000)) },
	} {
		s := with(sw("x", switches.On), change)
		if found := switches.Check(s); len(found) != 1 || found[0].Field != field {
			t.Errorf("%s: %v", field, found)
		}
	}
}

// TestSegments holds that what is wrong with a segment breaks whoever uses it, also where the rule is turned round.
func TestSegments(t *testing.T) {
	t.Parallel()
	within := func(key string, not bool) switches.When {
		return switches.When{{{Attribute: "segment", Op: switches.Within, Values: []string{key}, Not: not}}}
	}
	c := switches.Config{Segments: []switches.Segment{{Key: "a", When: within("b", false)}, {Key: "b", When: within("c", true)}, {Key: "c", When: within("a", false)},
		{Key: "fine", When: switches.When{{ruleOf("role", switches.Is, "staff")}}}}}
	for _, key := range []string{"a", "b", "c", "missing", "fine"} {
		c.Switches = append(c.Switches, with(sw("not-"+key, switches.Partial), func(s *switches.Switch) {
			s.Sets = []switches.Set{{When: within(key, true), Rollout: switches.Rollout{Percent: 100}}}
		}))
	}
	s, problems := switches.Compile(c, noon)
	for _, key := range []string{"not-a", "not-b", "not-c", "not-missing"} {
		if a := same(t, s, key, nil); a.On || a.Reason != switches.Errored {
			t.Errorf("%s: %+v", key, a)
		}
	}
	if !s.Eval("not-fine", nil).On || s.Eval("not-fine", &switches.Subject{Role: "staff"}).On {
		t.Error("not within staff")
	}
	if len(problems) < 7 || !contains(problems[0].Text, "a → b → c → a") {
		t.Errorf("%v", problems)
	}
	found := switches.CheckSegment(switches.Config{Segments: c.Segments[1:]}, c.Segments[0])
	if len(found) == 0 || found[0].Field != "segment when, group 1, rule 1" {
		t.Errorf("%v", found)
	}
}

func contains(s, part string) bool { return strings.Contains(s, part) }
