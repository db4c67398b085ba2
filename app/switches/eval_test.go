package switches_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// compile wants no problem.
func compile(t testing.TB, list ...switches.Switch) *switches.Snapshot {
	t.Helper()
	s, problems := switches.Compile(switches.Config{Environment: "production", Revision: 7, Switches: list}, noon)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return s
}

// same holds that an answer and its explanation agree, and gives the answer.
func same(t testing.TB, s *switches.Snapshot, key string, sub *switches.Subject) switches.Answer {
	t.Helper()
	a, e := s.Eval(key, sub), s.Explain(key, sub)
	if !reflect.DeepEqual(a, e.Answer) {
		t.Errorf("Eval says %+v, Explain %+v", a, e.Answer)
	}
	if len(e.Steps) == 0 {
		t.Errorf("%s: no step is explained", key)
	}
	return a
}

func sw(key string, state switches.State) switches.Switch {
	return switches.Switch{Key: key, State: state, Salt: "salt of " + key}
}

func with(s switches.Switch, change func(*switches.Switch)) switches.Switch {
	change(&s)
	return s
}

func ruleOf(attribute string, op switches.Op, values ...string) switches.Rule {
	return switches.Rule{Attribute: attribute, Op: op, Values: values}
}

func whole(rules ...switches.Rule) switches.Set {
	return switches.Set{When: switches.When{rules}, Rollout: switches.Rollout{Percent: 100}}
}

// TestOrder holds the order in which things decide.
func TestOrder(t *testing.T) {
	t.Parallel()
	everything := with(sw("p:everything", switches.Partial), func(s *switches.Switch) {
		s.Overrides = []switches.Override{{Value: "tester", Variant: "on"}, {Value: "banned", Variant: "off"}, {Attribute: "plan", Value: "trial", Variant: "off"}}
		s.Requires = []switches.Requirement{{Key: "needed"}}
		s.Labs = &switches.Labs{In: []string{"curious", "banned"}, Out: []string{"shy"}}
		s.Sets = []switches.Set{whole(ruleOf("role", switches.Is, "staff"))}
	})
	p, needed := sw("p", switches.On), sw("needed", switches.On)
	killed := func(s switches.Switch) switches.Switch { s.Killed = true; return s }
	off := func(s switches.Switch) switches.Switch { s.State = switches.Off; return s }
	on := func(s switches.Switch) switches.Switch { s.State = switches.On; return s }
	cases := []struct {
		name      string
		switches  []switches.Switch
		id        string
		role      string
		on        bool
		condition string
		reason    switches.Reason
	}{
		{"nothing speaks for them", []switches.Switch{p, needed, everything}, "x", "", false, "everyone", switches.Default},
		{"a set", []switches.Switch{p, needed, everything}, "x", "staff", true, "set 1", switches.TargetingMatch},
		{"an override", []switches.Switch{p, needed, everything}, "tester", "", true, "override", switches.TargetingMatch},
		{"an override against labs and a set", []switches.Switch{p, needed, everything}, "banned", "staff", false, "override", switches.TargetingMatch},
		{"opted in", []switches.Switch{p, needed, everything}, "curious", "", true, "labs", switches.TargetingMatch},
		{"opted out, against a set", []switches.Switch{p, needed, everything}, "shy", "staff", false, "labs", switches.TargetingMatch},
		{"opted out, though it is on", []switches.Switch{p, needed, on(everything)}, "shy", "", false, "labs", switches.TargetingMatch},
		{"on", []switches.Switch{p, needed, on(everything)}, "x", "", true, "on", switches.Static},
		{"off", []switches.Switch{p, needed, off(everything)}, "x", "staff", false, "off", switches.Disabled},
		{"off, opted in", []switches.Switch{p, needed, off(everything)}, "curious", "", false, "off", switches.Disabled},
		{"off, with an override", []switches.Switch{p, needed, off(everything)}, "tester", "", true, "override", switches.TargetingMatch},
		{"a required switch is off", []switches.Switch{p, off(needed), everything}, "tester", "", false, "requires needed", switches.Default},
		{"a required switch is killed", []switches.Switch{p, killed(needed), everything}, "tester", "", false, "requires needed", switches.Default},
		{"the parent is off", []switches.Switch{off(p), needed, everything}, "tester", "", false, "parent p", switches.Default},
		{"the parent is killed", []switches.Switch{killed(p), needed, everything}, "tester", "", false, "parent p", switches.Default},
		{"killed", []switches.Switch{p, needed, killed(everything)}, "tester", "staff", false, "kill", switches.Disabled},
		{"killed, though the parent is off", []switches.Switch{off(p), needed, killed(everything)}, "tester", "staff", false, "kill", switches.Disabled},
	}
	for _, c := range cases {
		a := same(t, compile(t, c.switches...), "p:everything", &switches.Subject{ID: c.id, Role: c.role})
		if a.On != c.on || a.Condition != c.condition || a.Reason != c.reason {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestInherit(t *testing.T) {
	t.Parallel()
	colours := []switches.Variant{{Name: "red"}, {Name: "blue", Value: json.RawMessage(`{"hex":"00f"}`)}}
	parent := with(sw("a", switches.Partial), func(s *switches.Switch) {
		s.Variants = colours
		s.Everyone = switches.Rollout{Percent: 50, Split: []switches.Weight{{Variant: "blue", Weight: 1}}}
	})
	child := with(sw("a:b", switches.Inherit), func(s *switches.Switch) { s.Variants = []switches.Variant{{Name: "green"}, {Name: "blue"}} })
	s := compile(t, parent, child, sw("a:b:c", switches.Inherit))
	seen := map[string]int{}
	for _, id := range ids(200) {
		sub := &switches.Subject{ID: id}
		up, mid, low := same(t, s, "a", sub), same(t, s, "a:b", sub), same(t, s, "a:b:c", sub)
		if up.On != mid.On || up.On != low.On || up.On && (mid.Variant != "blue" || low.Variant != "on") {
			t.Fatalf("%+v, %+v, %+v", up, mid, low)
		}
		if up.On && (mid.Condition != "parent a" || low.Condition != "parent a:b" || mid.Reason != switches.Split) {
			t.Fatalf("%+v, %+v", mid, low)
		}
		seen[mid.Variant]++
	}
	if seen["blue"] < 60 || seen["off"] < 60 {
		t.Errorf("of 200: %v", seen)
	}
}

func TestMissingParent(t *testing.T) {
	t.Parallel()
	s, problems := switches.Compile(switches.Config{Switches: []switches.Switch{sw("no:child", switches.On), sw("no:heir", switches.Inherit)}}, noon)
	if a := s.Eval("no:child", nil); !a.On {
		t.Errorf("without its parent it counts by itself: %+v", a)
	}
	if a := s.Eval("no:heir", nil); a.On || a.Reason != switches.Errored {
		t.Errorf("there is nothing to inherit: %+v", a)
	}
	if len(problems) != 3 || !problems[0].Warning || !strings.Contains(problems[0].Text, `parent "no"`) {
		t.Errorf("problems: %v", problems)
	}
}

func TestCircles(t *testing.T) {
	t.Parallel()
	requires := func(key string, keys ...string) switches.Switch {
		s := sw(key, switches.On)
		for _, k := range keys {
			s.Requires = append(s.Requires, switches.Requirement{Key: k})
		}
		return s
	}
	c := switches.Config{Switches: []switches.Switch{requires("a", "b"), requires("b", "c", "sound"), requires("c", "a:child"), requires("a:child"), requires("sound"),
		requires("victim", "a"), requires("selfish", "selfish")}}
	s, problems := switches.Compile(c, noon)
	for _, key := range []string{"a", "b", "c", "a:child", "selfish"} {
		if a := same(t, s, key, nil); a.On || a.Reason != switches.Errored || a.Condition != "broken" {
			t.Errorf("%s is on a circle: %+v", key, a)
		}
	}
	if a := same(t, s, "victim", nil); a.On || a.Condition != "requires a" {
		t.Errorf("%+v", a)
	}
	if !s.Eval("sound", nil).On {
		t.Error("sound is on no circle")
	}
	if len(problems) != 5 || !strings.Contains(problems[0].Text+problems[1].Text, " → ") {
		t.Errorf("%v", problems)
	}
	found := switches.CheckIn(switches.Config{Switches: c.Switches[1:4]}, c.Switches[0])
	if len(found) == 0 || !strings.Contains(found[0].Text, "a → b → c → a:child → a") {
		t.Errorf("an editor is told: %v", found)
	}
	if found := switches.Check(requires("x", "x")); len(found) != 1 || !strings.Contains(found[0].Text, "x → x") {
		t.Errorf("%v", found)
	}
	if found := switches.Check(requires("x", "x:y")); len(found) != 1 || !strings.Contains(found[0].Text, "x → x:y → x") {
		t.Errorf("%v", found)
	}
}

// TestWork holds that requirements that fan out cannot make an answer slow.
func TestWork(t *testing.T) {
	t.Parallel()
	var list []switches.Switch
	for layer := range 12 {
		for n := range 4 {
			s := sw(string(rune('a'+layer))+string(rune('0'+n)), switches.On)
			for m := range 4 * min(layer, 1) {
				s.Requires = append(s.Requires, switches.Requirement{Key: string(rune('a'+layer-1)) + string(rune('0'+m))})
			}
			list = append(list, s)
		}
	}
	s, problems := switches.Compile(switches.Config{Switches: list}, noon)
	if !s.Eval("d0", nil).On || s.Eval("l0", nil).On || len(problems) == 0 || !strings.Contains(problems[0].Text, "at most 1000") {
		t.Errorf("%v", problems)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	a := same(t, compile(t), "nothing", nil)
	if a.On || a.Reason != switches.NotFound || a.Variant != "" || a.Bucket != -1 {
		t.Errorf("%+v", a)
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	s := compile(t,
		sw("bool", switches.On),
		with(sw("names", switches.On), func(s *switches.Switch) { s.Variants = []switches.Variant{{Name: "red"}} }),
		with(sw("own", switches.Off), func(s *switches.Switch) {
			s.Variants = []switches.Variant{{Name: "new", Value: json.RawMessage(`{"n":2}`)}, {Name: "old", Value: json.RawMessage(`{"n":1}`)}}
			s.OffVariant = "old"
		}))
	for key, want := range map[string][2]string{"bool": {"on", "true"}, "names": {"red", `"red"`}, "own": {"old", `{"n":1}`}} {
		if a := same(t, s, key, nil); a.Variant != want[0] || string(a.Value) != want[1] || a.On != (key != "own") {
			t.Errorf("%s: %+v %s", key, a, a.Value)
		}
	}
}

func TestMissingID(t *testing.T) {
	t.Parallel()
	half := func(s *switches.Switch) { s.Everyone.Percent = 50 }
	s := compile(t, with(sw("half", switches.Partial), half),
		with(sw("all", switches.Partial), func(s *switches.Switch) { s.Everyone.Percent = 100 }),
		with(sw("split", switches.Partial), func(s *switches.Switch) {
			s.Everyone = switches.Rollout{Percent: 100, Split: []switches.Weight{{Variant: "on", Weight: 1}}}
		}),
		with(sw("plan", switches.Partial), func(s *switches.Switch) { half(s); s.BucketBy = "plan" }))
	for _, sub := range []*switches.Subject{nil, {}} {
		if a := same(t, s, "half", sub); a.On || a.Missing != "user" || a.Reason != switches.Default {
			t.Errorf("%+v", a)
		}
		if a := same(t, s, "all", sub); !a.On || a.Missing != "" || a.Reason != switches.Static {
			t.Errorf("%+v", a)
		}
		if a := same(t, s, "split", sub); !a.On || a.Missing != "user" {
			t.Errorf("%+v", a)
		}
	}
	if a := same(t, s, "plan", &switches.Subject{ID: "x"}); a.On || a.Missing != "plan" {
		t.Errorf("%+v", a)
	}
}

// TestCarryOver: who divides by anonymous keeps a browser's answer when its person signs in.
func TestCarryOver(t *testing.T) {
	t.Parallel()
	share := func(key, by string) switches.Switch {
		return with(sw(key, switches.Partial), func(s *switches.Switch) { s.BucketBy, s.Everyone.Percent = by, 50 })
	}
	s := compile(t, share("kept", "anonymous"), with(share("person", ""), func(s *switches.Switch) { s.Salt = "salt of kept" }))
	moved := 0
	for _, id := range ids(500) {
		visitor := switches.Subject{Anonymous: "cookie-" + id}
		person := switches.Subject{Anonymous: "cookie-" + id, ID: id}
		if s.Eval("kept", &visitor).On != s.Eval("kept", &person).On {
			t.Fatalf("%s changed when signing in", id)
		}
		if s.Eval("kept", &visitor).On != s.Eval("person", &visitor).On {
			t.Fatalf("%s: without an id both divide by the browser", id)
		}
		if s.Eval("kept", &switches.Subject{ID: id}).On != s.Eval("person", &person).On {
			t.Fatalf("%s: without a cookie both divide by the person", id)
		}
		if s.Eval("person", &visitor).On != s.Eval("person", &person).On {
			moved++
		}
	}
	if moved < 150 || moved > 350 {
		t.Errorf("%d of 500 change where the person is divided; about half is right", moved)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	p := 30.0
	c := switches.Config{Switches: []switches.Switch{
		with(sw("window", switches.Partial), func(s *switches.Switch) {
			s.Sets = []switches.Set{whole(ruleOf("time", switches.After, at(1).Format(time.RFC3339)), ruleOf("time", switches.Before, at(4).Format(time.RFC3339)))}
		}),
		with(sw("expires", switches.Off), func(s *switches.Switch) {
			s.Overrides = []switches.Override{{Value: "x", Variant: "on", Expires: at(2)}}
		}),
		with(sw("scheduled", switches.Off), func(s *switches.Switch) {
			s.Schedule = []switches.Change{{At: at(5), State: switches.On}, {At: at(3), State: switches.Partial, Percent: &p}}
		})}}
	want := []struct {
		hour                       int
		window, expires, scheduled bool
		next                       time.Time
	}{{0, false, true, false, at(1)}, {1, true, true, false, at(2)}, {2, true, false, false, at(3)}, {3, true, false, true, at(4)}, {4, false, false, true, at(5)},
		{5, false, false, true, time.Time{}}}
	sub := &switches.Subject{ID: "x"}
	for ; switches.Bucket("salt of scheduled", sub.ID) >= 30_000; sub.ID += "x" {
		c.Switches[1].Overrides[0].Value += "x"
	}
	for _, w := range want {
		s, problems := switches.Compile(c, at(w.hour))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if s.Eval("window", sub).On != w.window || s.Eval("expires", sub).On != w.expires || s.Eval("scheduled", sub).On != w.scheduled || !s.Next().Equal(w.next) {
			t.Errorf("at hour %d: %v %v %v, next %v", w.hour, s.Eval("window", sub), s.Eval("expires", sub), s.Eval("scheduled", sub), s.Next())
		}
	}
	settled := switches.Settle(c.Switches[2], at(4))
	if settled.State != switches.Partial || settled.Everyone.Percent != 30 || len(settled.Schedule) != 1 || len(c.Switches[2].Schedule) != 2 {
		t.Errorf("%+v", settled)
	}
}

func TestExplainsShare(t *testing.T) {
	t.Parallel()
	s := compile(t, with(sw("x", switches.Partial), func(s *switches.Switch) {
		s.Sets = []switches.Set{whole(ruleOf("role", switches.Is, "staff"), ruleOf("country", switches.Is, "DE"))}
		s.Everyone.Percent = 25
	}))
	e := s.Explain("x", &switches.Subject{ID: "u1", Role: "staff", Country: "FR"})
	lands := strings.TrimSuffix(strings.TrimRight(json.Number(rune3(e.Bucket)).String(), "0"), ".")
	if len(e.Steps) != 2 || e.Steps[0].Matched || e.Steps[0].What != "set 1: role is staff and country is DE" || e.Steps[0].Why != `country is "FR"` ||
		!strings.HasPrefix(e.Steps[1].Why, "lands on "+lands) || !strings.Contains(e.Steps[1].Why, "needs under 25 %") {
		t.Errorf("%+v", e)
	}
}

func rune3(bucket int) string {
	b, err := json.Marshal(float64(bucket) / 1000)
	if err != nil {
		return ""
	}
	return string(b)
}

func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "user-" + string(rune('a'+i%26)) + strings.Repeat("z", i/26%7) + json.Number(rune3(i)).String()
	}
	return out
}

func TestSubjectOf(t *testing.T) {
	t.Parallel()
	var raw map[string]any
	text := `{"targetingKey":"u1","user":"ignored","ip":"::ffff:10.1.2.3","role":"staff","nested":{"deep":{"n":2.5}},"groups":["a","b"],"beta":true,"none":null,"forum":7}`
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	s, err := switches.SubjectOf(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := switches.Subject{ID: "u1", IP: netip.MustParseAddr("10.1.2.3"), Role: "staff", Forum: "7", Attrs: []switches.Attr{
		{Name: "beta", Value: "true", Kind: switches.Bool}, {Name: "groups", Value: "a"}, {Name: "groups", Value: "b"},
		{Name: "nested.deep.n", Value: "2.5", Num: 2.5, Kind: switches.Number}}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v", s)
	}
	if s, err := switches.SubjectOf(map[string]any{"targetingKey": "b1", "anonymous": true}); err != nil || s.ID != "" || s.Anonymous != "b1" {
		t.Errorf("%+v %v", s, err)
	}
	deep := map[string]any{}
	for at, i := deep, 0; i < 10; i++ {
		next := map[string]any{}
		at["x"], at = next, next
		at["v"] = "leaf"
	}
	many := map[string]any{}
	for _, id := range ids(300) {
		many[id] = id
	}
	for name, bad := range map[string]map[string]any{"deep": deep, "many": many, "key": {"targetingKey": []any{"x"}}, "long": {"a": strings.Repeat("x", 2000)},
		"bool": {"targetingKey": true}, "objects": {"a": []any{map[string]any{}}}} {
		if _, err := switches.SubjectOf(bad); err == nil || !strings.Contains(err.Error(), "context cannot be used") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
