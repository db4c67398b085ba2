package switches_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"kibitz/app/switches"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const vectorsFile = "testdata/vectors.json"

// vectors is what other languages check themselves by.
type vectors struct {
	Buckets []bucketVector  `json:"buckets"`
	Unleash []unleashVector `json:"unleash"`
	Draws   []drawVector    `json:"draws"`
	Config  switches.Config `json:"config"`
	Answers []answerVector  `json:"answers"`
}

type bucketVector struct {
	Salt   string `json:"salt"`
	ID     string `json:"id"`
	Bucket int    `json:"bucket"`
}

// unleashVector is the smallest whole percentage at which an id of a group is in.
type unleashVector struct {
	Group   string `json:"group"`
	ID      string `json:"id"`
	Percent int    `json:"percent"`
}

type drawVector struct {
	Salt    string            `json:"salt"`
	ID      string            `json:"id"`
	Split   []switches.Weight `json:"split"`
	Variant string            `json:"variant"`
}

type answerVector struct {
	Key     string          `json:"key"`
	Context map[string]any  `json:"context"`
	Answer  json.RawMessage `json:"answer"`
}

func vectorIDs() []string {
	out := []string{"", "a", "0", "user-1", "user-2", "anna@example.org", "ünïcödé", "日本語", "🙂", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 33), strings.Repeat("long ", 60)}
	for i := range 30 {
		out = append(out, fmt.Sprintf("%d", 1000+i), fmt.Sprintf("6f9619ff-8b86-d011-b42d-%012x", i*7919))
	}
	return out
}

func vectorConfig() switches.Config {
	split := []switches.Weight{{Variant: "red", Weight: 50}, {Variant: "green", Weight: 30}, {Variant: "blue", Weight: 20}}
	colours := []switches.Variant{{Name: "grey"}, {Name: "red"}, {Name: "green", Value: json.RawMessage(`{"hex":"0f0"}`)}, {Name: "blue", Value: json.RawMessage(`3`)}}
	return switches.Config{Environment: "production", Revision: 1,
		Segments: []switches.Segment{{Key: "europe", When: switches.When{{ruleOf("country", switches.Is, "DE", "FR")}, {ruleOf("ip", switches.In, "2001:db8::/32")}}}},
		Switches: []switches.Switch{
			with(sw("share", switches.Partial), func(s *switches.Switch) { s.Everyone.Percent = 12.345 }),
			with(sw("colours", switches.Partial), func(s *switches.Switch) {
				s.Variants, s.OffVariant, s.Everyone = colours, "grey", switches.Rollout{Percent: 80, Split: split}
			}),
			with(sw("colours:child", switches.Inherit), func(s *switches.Switch) { s.Variants = colours[1:3] }),
			with(sw("staff", switches.Partial), func(s *switches.Switch) {
				s.Sets = []switches.Set{{When: switches.When{{ruleOf("role", switches.Is, "staff")}}, Rollout: switches.Rollout{Percent: 100}},
					{When: switches.When{{ruleOf("segment", switches.Within, "europe"), ruleOf("release", switches.Newer, "2.0.0")}}, Rollout: switches.Rollout{Percent: 50}}}
				s.Overrides = []switches.Override{{Value: "user-1", Variant: "off"}}
			}),
			with(sw("disjoint", switches.Partial), func(s *switches.Switch) {
				s.Salt, s.Skip, s.Take, s.Everyone.Percent = "salt of share", 50_000, 50_000, 50
			}),
			with(sw("browser", switches.Partial), func(s *switches.Switch) { s.BucketBy, s.Everyone.Percent = "anonymous", 50 }),
			with(sw("needs", switches.On), func(s *switches.Switch) { s.Requires = []switches.Requirement{{Key: "colours", Variant: "red"}} }),
			with(sw("unleash", switches.Partial), func(s *switches.Switch) { s.Hash, s.Everyone.Percent = switches.HashUnleash, 40 }),
			with(sw("killed", switches.On), func(s *switches.Switch) { s.Killed = true }),
		}}
}

func vectorContexts() []map[string]any {
	out := []map[string]any{{}, {"targetingKey": "b7", "anonymous": true}, {"targetingKey": "user-1", "role": "staff"}, {"targetingKey": "user-2", "role": "staff"},
		{"targetingKey": "u", "ip": "2001:db8::1", "release": "shop@2.0.1"}}
	for i := range 25 {
		out = append(out, map[string]any{"targetingKey": fmt.Sprintf("u%d", i), "country": []string{"DE", "FR", "US"}[i%3], "release": []string{"2.1.0-rc.1", "2.0.0", "1.9.9"}[i/3%3]})
	}
	return out
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Config: vectorConfig()}
	for i, id := range vectorIDs() {
		for _, salt := range []string{"", "5c0ffee5", "neu-ö", "search:ranking"} {
			v.Buckets = append(v.Buckets, bucketVector{salt, id, switches.Bucket(salt, id)})
		}
		s := compile(t, with(sw("x", switches.Partial), func(s *switches.Switch) {
			s.Everyone = switches.Rollout{Percent: 100, Split: []switches.Weight{{Variant: "a", Weight: 1}, {Variant: "b", Weight: 2.5}, {Variant: "c", Weight: 0.5}, {Variant: "never"}}}
			s.Variants = []switches.Variant{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "never"}}
			s.Salt = fmt.Sprint("s", i)
		}))
		if id != "" {
			v.Draws = append(v.Draws, drawVector{fmt.Sprint("s", i), id, []switches.Weight{{Variant: "a", Weight: 1}, {Variant: "b", Weight: 2.5}, {Variant: "c", Weight: 0.5}, {Variant: "never"}},
				s.Eval("x", &switches.Subject{ID: id}).Variant})
			v.Unleash = append(v.Unleash, unleashVector{"group", id, unleashPercent(t, "group", id)})
		}
	}
	s, _ := switches.Compile(v.Config, noon)
	for _, c := range vectorContexts() {
		sub, err := switches.SubjectOf(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range s.Keys() {
			text, err := json.Marshal(same(t, s, key, &sub))
			if err != nil {
				t.Fatal(err)
			}
			v.Answers = append(v.Answers, answerVector{key, c, text})
		}
	}
	return v
}

// unleashPercent is the smallest percentage at which an id is in.
func unleashPercent(t *testing.T, group, id string) int {
	s := compile(t, with(sw("x", switches.Partial), func(s *switches.Switch) { s.Hash, s.Salt, s.Everyone.Percent = switches.HashUnleash, group, 1 }))
	return (s.Eval("x", &switches.Subject{ID: id}).Bucket + 1) / 1000
}

// TestVectors holds that no answer ever changes: other languages, and people who are in, rely on it.
func TestVectors(t *testing.T) {
	t.Parallel()
	now := makeVectors(t)
	if *update {
		text, err := json.MarshalIndent(now, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var published bytes.Buffer
	if err := json.Compact(&published, text); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, published.Bytes()) {
		t.Error("answers have changed: if that is meant, everyone who is in may drop out")
	}
}

// TestUnleashHash holds values that Unleash's own clients test themselves by.
func TestUnleashHash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		group, id string
		percent   int
	}{{"gr1", "123", 73}, {"groupX", "999", 25}} {
		if got := unleashPercent(t, c.group, c.id); got != c.percent {
			t.Errorf("%s:%s is in from %d %%, want %d", c.group, c.id, got, c.percent)
		}
	}
}

// TestOtherLanguages runs the examples of docs/switches.md over the vectors.
func TestOtherLanguages(t *testing.T) {
	t.Parallel()
	for program, file := range map[string]string{"python3": "testdata/bucket.py", "node": "testdata/bucket.js"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(program); err != nil {
				t.Skip(program + " is not here")
			}
			if out, err := exec.CommandContext(t.Context(), program, file).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
