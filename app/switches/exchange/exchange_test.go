package exchange

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

var update = flag.Bool("update", false, "write golden files")

// golden is what was read, as our own file, and the reports.
func golden(t *testing.T, f File) string {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\n", f.Format)
	if err := Write(&out, YAML, f.Environments); err != nil {
		t.Fatal(err)
	}
	for _, r := range f.Reports {
		for _, n := range r.Notes {
			fmt.Fprintf(&out, "# %s %s: %s\n", r.Environment, r.Key, n)
		}
	}
	return out.String()
}

// TestGolden reads one file of each format, all of which were written for this test.
func TestGolden(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(data, Auto, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := golden(t, f)
		file := strings.TrimSuffix(name, filepath.Ext(name)) + ".golden"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v): got\n%s", name, err, got)
		}
	}
}

// TestAnswers asks imported switches as a person would.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, env, key string
		about          map[string]any
		want           string
	}{
		{"gargoyle.json", "production", "new_feed", map[string]any{"targetingKey": "1", "username": "bob"}, "on"},
		{"gargoyle.json", "production", "no_bots", map[string]any{"ip": "10.1.2.3", "host": "web1"}, "off"},
		{"gargoyle.json", "production", "no_bots", map[string]any{"ip": "10.1.2.4"}, "on"},
		{"gargoyle.json", "production", "dead", nil, "off"},
		{"gargoyle.json", "production", "live", nil, "on"},
		{"waffle.json", "production", "beta", map[string]any{"targetingKey": "7"}, "on"},
		{"waffle.json", "production", "beta", map[string]any{"language": "fr"}, "on"},
		{"waffle.json", "production", "all.in", nil, "on"},
		{"waffle.json", "production", "upload", nil, "off"},
		{"unleash-export.json", "development", "checkout", map[string]any{"targetingKey": "ann"}, "off"},
		{"unleash-client.json", "production", "nets", map[string]any{"ip": "10.9.9.9", "appVersion": "3.0.0"}, "on"},
		{"unleash-client.json", "production", "nets", map[string]any{"ip": "11.9.9.9", "appVersion": "2.0.0"}, "on"},
		{"unleash-client.json", "production", "nets", map[string]any{"ip": "11.9.9.9", "appVersion": "3.0.0"}, "off"},
		{"unleash-client.json", "production", "strange", nil, "off"},
		{"flipt.yaml", "production", "banner", map[string]any{"targetingKey": "bob"}, "on"},
		{"flipt.yaml", "production", "theme", map[string]any{"targetingKey": "nobody"}, "light"},
		{"goff.yaml", "production", "new-admin", map[string]any{"targetingKey": "1", "company": "x", "country": "ch", "age": 20, "beta": "yes"}, "on"},
		{"goff.yaml", "production", "texts", map[string]any{"targetingKey": "1"}, "a"},
		{"goff.yaml", "production", "off", map[string]any{"targetingKey": "1"}, "off"},
		{"launchdarkly.json", "production", "colour", map[string]any{"targetingKey": "1"}, "variation-1"},
		{"launchdarkly-rest.json", "production", "form", map[string]any{"targetingKey": "7"}, "variation-2"},
		{"launchdarkly-rest.json", "production", "form", map[string]any{"targetingKey": "8"}, "Old form"},
		{"launchdarkly-rest.json", "test", "form", map[string]any{"targetingKey": "8"}, "variation-2"},
	} {
		data, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(data, Auto, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range f.Environments {
			if config.Environment != c.env {
				continue
			}
			s, _ := switches.Compile(config, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			sub, err := switches.SubjectOf(c.about)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Eval(c.key, &sub); got.Variant != c.want {
				t.Errorf("%s %s %v: %s (%s), want %s", c.file, c.key, c.about, got.Variant, got.Condition, c.want)
			}
		}
	}
}

// TestShut holds that what is left out never turns a switch on for more people.
func TestShut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want switches.State
	}{
		"launchdarkly off":  {`{"key": "a", "on": true, "variations": [true, false], "offVariation": 1, "fallthrough": {"variation": 0}, "rules": [{"clauses": [{"attribute": "x", "op": "cron", "values": ["y"]}], "variation": 1}]}`, switches.Off},
		"launchdarkly on":   {`{"key": "a", "on": true, "variations": [true, false], "offVariation": 1, "fallthrough": {"variation": 1}, "rules": [{"clauses": [{"attribute": "x", "op": "cron", "values": ["y"]}], "variation": 0}]}`, switches.Partial},
		"goff off":          {`a: {variations: {y: true, n: false}, targeting: [{query: x near 1, variation: n}], defaultRule: {variation: y}}`, switches.Off},
		"goff on":           {`a: {variations: {y: true, n: false}, targeting: [{query: x near 1, variation: y}], defaultRule: {variation: n}}`, switches.Partial},
		"gargoyle exclude":  {`[{"model": "gargoyle.switch", "pk": "a", "fields": {"status": 2, "value": {"gargoyle.builtins.IPAddressConditionSet": {"internal_ip": [["e", "1"]], "ip_address": [["i", "10.0.0.1"]]}}}}]`, switches.Off},
		"unleash parent":    {`{"features": [{"name": "a", "enabled": true, "dependencies": [{"feature": "b", "enabled": false}]}]}`, switches.Off},
		"unleash one of":    {`{"features": [{"name": "a", "enabled": true, "dependencies": [{"feature": "b", "variants": ["x", "y"]}]}, {"name": "b", "enabled": true}]}`, switches.Off},
		"unleash strategy":  {`{"features": [{"name": "a", "enabled": true, "strategies": [{"name": "moon"}]}]}`, switches.Partial},
		"gargoyle ordinary": {`[{"model": "gargoyle.switch", "pk": "a", "fields": {"status": 2, "value": {"x": {"y": [["i", "1"]]}}}}]`, switches.Partial},
	} {
		f, err := Read([]byte(c.text), Auto, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := f.Environments[0].Switches[0].State; got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, f.Reports)
		}
	}
}

// fullConfig is a configuration in which every field is said.
func fullConfig() switches.Config {
	half := 50.0
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	return switches.Config{Environment: "production", Revision: 0, Switches: []switches.Switch{
		{Key: "a", State: switches.On}, {
			Key: "a:b", Description: "yes: \"quoted\"\nand # more\n", Owner: "on", Project: "shop", Tags: []string{"1.0", "null", "true"}, RemoveBy: "2030-01-01", Default: "off", State: switches.Partial,
			Killed: true, Salt: "0x1f", BucketBy: "company", Skip: 5, Take: 60_000,
			Variants: []switches.Variant{{Name: "off", Value: json.RawMessage(`null`)}, {Name: "x", Value: json.RawMessage(`{"z":1,"a":[1.50,1e400,-0,12345678901234567890,true,null,"yes"],"<":"<<"," s ":"\u2028\u0000"}`)},
				{Name: "no", Value: json.RawMessage(`"2001-01-01"`)}, {Name: "y"}},
			OffVariant: "off", OnVariant: "x", Requires: []switches.Requirement{{Key: "a", Variant: "on"}},
			Overrides: []switches.Override{{Attribute: "forum", Value: "7", Variant: "x", Expires: at, Why: "test"}},
			Sets: []switches.Set{{Name: "s", When: switches.When{{{Attribute: "age", Op: switches.AtLeast, Values: []string{"018"}, Not: true, FoldCase: true}}, {{Attribute: "segment", Op: switches.Within, Values: []string{"g"}}}},
				Rollout: switches.Rollout{Percent: 0.001, Split: []switches.Weight{{Variant: "x", Weight: 1}, {Variant: "no", Weight: 2.5}}}}},
			Everyone: switches.Rollout{Percent: 12.345}, Schedule: []switches.Change{{At: at, State: switches.On}, {At: at, Percent: &half}},
			Ramp:  &switches.Ramp{Steps: []switches.Step{{Percent: 1, Wait: switches.Duration(time.Hour), Subjects: 100}, {Percent: 100}}, At: -1, Since: at, Paused: true, Holdout: 2, Quiet: []switches.QuietBit{{Days: []int{0, 6}, From: "22:00", To: "06:00"}}},
			Guard: &switches.Guard{Mode: switches.GuardShadow, Hold: 10, Kill: 100, Latency: true, Queries: true, PausedUntil: at},
			Labs:  &switches.Labs{Title: "Try", Text: "it", Per: "forum", Cap: 5, Feedback: "a@example.org"}}},
		Segments: []switches.Segment{{Key: "g", Description: "G", When: switches.When{{{Attribute: "ip", Op: switches.In, Values: []string{"10.0.0.0/8"}}}}}}}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	want := []switches.Config{fullConfig(), {Environment: "test", Switches: []switches.Switch{{Key: "a", State: switches.Off}}}}
	for _, as := range []Written{YAML, JSON} {
		var first, second bytes.Buffer
		if err := Write(&first, as, want); err != nil {
			t.Fatal(err)
		}
		f, err := Read(first.Bytes(), Auto, "")
		if err != nil {
			t.Fatalf("%v\n%s", err, first.String())
		}
		if !reflect.DeepEqual(f.Environments, want) {
			a, _ := json.Marshal(f.Environments)
			b, _ := json.Marshal(want)
			t.Errorf("%s: read\n%s\nwrote\n%s", as, a, b)
		}
		if err := Write(&second, as, f.Environments); err != nil || first.String() != second.String() {
			t.Errorf("%s: written again it differs: %v", as, err)
		}
	}
	f, err := Read([]byte("kibitz: 1\nenvironments:\n- {environment: a, switches: []}\n- {environment: b}\n"), Kibitz, "b")
	if err != nil || len(f.Environments) != 1 || f.Environments[0].Environment != "b" {
		t.Error(f, err)
	}
	if _, err := Read([]byte("kibitz: 1\nenvironments:\n- {environment: a}\n"), Kibitz, "b"); err == nil || !strings.Contains(err.Error(), "the file has a") {
		t.Error("another environment was taken:", err)
	}
}

// TestPlan holds what is done, and that nothing is done twice.
func TestPlan(t *testing.T) {
	t.Parallel()
	was := fullConfig()
	was.Switches = append(was.Switches, switches.Switch{Key: "gone", State: switches.On}, switches.Switch{Key: "live", State: switches.On, Salt: "s"})
	was.Segments = append(was.Segments, switches.Segment{Key: "old"})
	now := fullConfig()
	now.Switches[1].Killed, now.Switches[1].Everyone.Percent = false, 50
	now.Switches[1].Variants[3].Value = json.RawMessage(`{"z":2}`)
	now.Switches = append(now.Switches, switches.Switch{Key: "live", State: switches.On, Killed: true}, switches.Switch{Key: "new", State: switches.Off})
	now.Segments[0].Description = ""
	var got []string
	for _, s := range Plan(was, now, true) {
		got = append(got, string(s.Action)+" "+s.What()+" "+strings.Join(s.Lines, "; "))
	}
	want := []string{
		`change segment g description: gone, was "G"`,
		`change a:b variants[3].value: new: {"z":2}; everyone.percent: 12.345 -> 50`,
		`keep a:b stays killed, since a file never lets go what was killed: kibitz switch set a:b unkill`,
		`kill live `, `create new `, `remove gone `, `remove segment old `,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("step %d: got\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if steps := Plan(fullConfig(), fullConfig(), true); len(steps) > 0 {
		t.Error(steps)
	}
}

func TestManySwitches(t *testing.T) {
	t.Parallel()
	c := switches.Config{Environment: "production"}
	for i := range 10_000 {
		c.Switches = append(c.Switches, switches.Switch{Key: fmt.Sprintf("switch-%05d", i), State: switches.Partial, Everyone: switches.Rollout{Percent: 1.5}})
	}
	var out bytes.Buffer
	if err := Write(&out, YAML, []switches.Config{c}); err != nil {
		t.Fatal(err)
	}
	f, err := Read(out.Bytes(), Auto, "")
	if err != nil || len(f.Reports) > 0 || !reflect.DeepEqual(f.Environments[0].Switches, c.Switches) {
		t.Error(err, f.Reports)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for name, c := range map[string]struct{ text, format, want string }{
		"empty":         {"", "auto", "it is empty"},
		"nothing known": {"a: 1", "auto", "cannot tell the format"},
		"no format":     {"kibitz: 1", "xml", `format "xml"`},
		"bomb":          {bomb, "goff", "values"},
		"itself":        {"a: &a [*a]", "goff", "nested deeper"},
		"deep json":     {`{"features":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "unleash", "nested deeper"},
		"deep yaml":     {"flags: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "flipt", "nested deeper"},
		"cut":           {`{"features": [`, "unleash", "line 1"},
		"twice":         {"kibitz: 1\nkibitz: 1\n", "auto", "line 2"},
		"type":          {"kibitz: 1\nenvironments:\n  - environment: e\n    switches:\n      - key: a\n        state: 7\n        everyone: {percent: no}\n", "auto", "line 5, environments[0].switches[0]: a: "},
		"unknown field": {"kibitz: 1\nenvironments:\n  - environment: e\n    switches:\n      - {key: a, stat: on}\n", "auto", `unknown field "stat"`},
		"unknown part":  {"kibitz: 1\nswitches: []\n", "auto", "line 2, switches: there is no such field"},
		"version":       {"kibitz: 2\n", "auto", "version 2"},
		"second":        {"kibitz: 1\nenvironments:\n  - environment: e\n    switches: [{key: a}, {key: a}]\n", "auto", "a second switch"},
		"documents":     {"kibitz: 1\n---\nkibitz: 1\n", "auto", "more than one document"},
		"merge":         {"a: &a {b: 1}\nc: {<<: *a}\n", "goff", "line 2"},
		"infinite":      {"a: {variations: {x: .inf}}", "goff", "no number that JSON knows"},
		"wrong json":    {`{"features": [{"name": "a", "enabled": "maybe", "strategies": 5}]}`, "auto", "line 1, features[0].enabled: expected true or false, found text"},
		"percent":       {`{"features": [{"name": "a", "enabled": true, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "140"}}]}]}`, "auto", "140 is no percentage"},
		"variation":     {"a: {variations: {x: 1}, defaultRule: {variation: y}}", "auto", `there is no variation "y"`},
		"status":        {`[{"model": "gargoyle.switch", "pk": "a", "fields": {"status": 9}}]`, "auto", "9 is no status"},
		"value":         {`[{"model": "gargoyle.switch", "pk": "a", "fields": {"status": 2, "value": "{"}}]`, "auto", "it holds no JSON"},
		"binary":        {"a: !!binary aGk=", "goff", "not supported"},
	} {
		_, err := Read([]byte(c.text), Format(c.format), "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if _, err := Read(make([]byte, MaxBytes+1), Auto, ""); err == nil {
		t.Error("too many bytes were read")
	}
}

// TestJSONText holds what YAML would not read in JSON.
func TestJSONText(t *testing.T) {
	t.Parallel()
	f, err := Read([]byte("\ufeff{\"features\":\t[{\"name\": \"\\ud83d\\ude00\\/\", \"enabled\": true}]}"), Auto, "")
	if err != nil || f.Environments[0].Switches[0].Key != "😀/" {
		t.Error(f, err)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`a eq "x"`:                                  `[[{"attribute":"a","op":"is","values":["x"]}]]`,
		`a eq "x" or b gt 3 and c pr`:               `[[{"attribute":"a","op":"is","values":["x"]}],[{"attribute":"b","op":"\u003e","values":["3"]},{"attribute":"c","op":"present"}]]`,
		`not (a sw "x" or b in ["1", 2])`:           `[[{"attribute":"a","op":"prefix","values":["x"],"not":true},{"attribute":"b","op":"is","values":["1","2"],"not":true}]]`,
		`(a ne "1" or b ne "2") and key co "x"`:     `[[{"attribute":"a","op":"is","values":["1"],"not":true},{"attribute":"user","op":"contains","values":["x"]}],[{"attribute":"b","op":"is","values":["2"],"not":true},{"attribute":"user","op":"contains","values":["x"]}]]`,
		`{"!": {"or": [{"<": [{"var": "a"}, 5]}]}}`: `[[{"attribute":"a","op":"\u003c","values":["5"],"not":true}]]`,
		`{"in": ["x", {"var": ["a.b"]}]}`:           `[[{"attribute":"a.b","op":"contains","values":["x"]}]]`,
	} {
		v := &value{kind: textKind, text: text}
		when, err := query(cursor{v, "", &wrongs{}})
		got, _ := json.Marshal(when)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	wide := strings.TrimSuffix(strings.Repeat(`(a eq "1" or b eq "2") and `, 12), " and ")
	for _, text := range []string{"", "a", `a eq`, `a eq "x`, `(a pr`, `a pr b`, `a in []`, `a like "x"`, `{"cat": [1]}`, `{"and": []}`, `{"==": [1, 2]}`, wide, strings.Repeat("(", 1000)} {
		if when, err := query(cursor{&value{kind: textKind, text: text}, "", &wrongs{}}); err == nil {
			t.Errorf("%s was read as %v", text, when)
		}
	}
}

// FuzzRead holds that nothing breaks it, and that what was read can be written and read again to the same.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("testdata/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // a directory
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range append(Formats(), "") {
			file, err := Read(data, format, "")
			if err != nil {
				continue
			}
			for _, as := range []Written{YAML, JSON} {
				var out bytes.Buffer
				if err := Write(&out, as, file.Environments); err != nil {
					t.Fatal(err)
				}
				again, err := Read(out.Bytes(), Kibitz, "")
				if err != nil {
					if !strings.Contains(err.Error(), "has no ") {
						t.Fatalf("%v\n%s", err, out.String())
					}
					continue // an empty key, which only other formats may have
				}
				a, _ := json.Marshal(file.Environments)
				b, _ := json.Marshal(again.Environments)
				if len(file.Environments) > 0 && !bytes.Equal(a, b) {
					t.Errorf("%s as %s:\n%s\n%s", format, as, a, b)
				}
			}
		}
	})
}
