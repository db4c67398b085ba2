package apptest

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
	"kibitz/app/switches/exchange"
)

// specification is a file of Unleash's client specification, which every client of theirs is held to.
type specification struct {
	State    json.RawMessage `json:"state"`
	Tests    []specCase      `json:"tests"`
	Variants []specCase      `json:"variantTests"`
}

type specCase struct {
	Description string          `json:"description"`
	Context     json.RawMessage `json:"context"`
	Toggle      string          `json:"toggleName"`
	Want        json.RawMessage `json:"expectedResult"`
}

// subject is the context of a case, in our words.
func (c specCase) subject(t *testing.T) (sub switches.Subject, environment string) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(c.Context, &all); err != nil {
		t.Fatal(err)
	}
	for name, v := range all {
		text, isText := v.(string)
		switch name {
		case "userId":
			sub.ID = text
		case "sessionId":
			sub.Anonymous = text
		case "remoteAddress":
			if ip, err := netip.ParseAddr(text); err == nil {
				sub.IP = ip.Unmap()
			}
		case "environment":
			environment = text
		case "properties":
			for k, p := range v.(map[string]any) {
				sub.Set(k, p)
			}
		default:
			if isText {
				sub.Set(name, text)
			}
		}
	}
	return sub, environment
}

// now is the moment at which a case asks.
func (c specCase) now() time.Time {
	var at struct {
		CurrentTime string `json:"currentTime"`
	}
	json.Unmarshal(c.Context, &at) // what is no context was found out above
	if t, err := time.Parse(time.RFC3339, at.CurrentTime); err == nil {
		return t
	}
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
}

// otherwise are switches of the specification that answer otherwise here though nothing was noted, and why that is right or
// known.
var otherwise = map[string]string{
	"Feature.A4":                                         "a share by session falls back to the person here, who keeps the answer",
	"Feature.flexibleRollout.userId.55":                  "a share by person falls back to the browser here",
	"F8.invalidSemverWithLeadingV":                       "v1.2.3 is a version here",
	"child.with.transitive.dependency":                   "requirements may be chains here",
	"Feature.strategy.multiple.variants":                 "the group of a strategy of 100 % divides its variants; imported by the feature's name",
	"Feature.strategy.variant.overrides.feature.variant": "a strategy's own variants beside the feature's",
}

// TestUnleashSpecification holds that switches that come from Unleash answer as Unleash's clients do, by the cases of their own
// specification. One that answers otherwise must have been reported as not carried exactly.
func TestUnleashSpecification(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	dir := "sdk/switches_node/node_modules/@unleash/client-specification/specifications"
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no specification in %s; run app/apptest/setup.sh", dir)
	}
	same, said, odd := 0, 0, 0
	for _, name := range files {
		if strings.Contains(name, "delta-api") {
			continue // how a client keeps a copy, not what it answers
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var spec specification
		if err := json.Unmarshal(data, &spec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range slices.Concat(spec.Tests, spec.Variants) {
			sub, env := c.subject(t)
			file, err := exchange.Read(spec.State, exchange.Unleash, env)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			config := switches.Config{Environment: env}
			if len(file.Environments) > 0 {
				config = file.Environments[0]
				config.Environment = env
			}
			snapshot, problems := switches.Compile(config, c.now())
			a := snapshot.Eval(c.Toggle, &sub)
			if c.agrees(t, &a) {
				same++
				continue
			}
			noted := slices.ContainsFunc(file.Reports, func(r exchange.Report) bool { return r.Key == c.Toggle || strings.HasPrefix(r.Key, "segment ") }) ||
				slices.ContainsFunc(problems, func(p switches.Problem) bool { return p.Key == c.Toggle })
			if noted {
				said++
				continue
			}
			if _, known := otherwise[c.Toggle]; known {
				odd++
				continue
			}
			t.Errorf("%s: %s: %s answers %s %s (%s), want %s of %s", filepath.Base(name), c.Description, c.Toggle, a.Variant, a.Value, a.Condition, c.Want, c.Context)
		}
	}
	t.Logf("%d cases as in Unleash, %d otherwise and said so when they were imported, %d otherwise and known (see otherwise)", same, said, odd)
	if same < 200 {
		t.Errorf("only %d cases agree", same)
	}
}

// agrees tells whether an answer is what a case wants: on or off, or a variant.
func (c specCase) agrees(t *testing.T, a *switches.Answer) bool {
	t.Helper()
	if c.Want[0] != '{' {
		return string(c.Want) == "true" == a.On
	}
	var want struct {
		Name           string                        `json:"name"`
		Enabled        bool                          `json:"enabled"`
		FeatureEnabled bool                          `json:"feature_enabled"`
		Payload        *struct{ Type, Value string } `json:"payload"`
	}
	if err := json.Unmarshal(c.Want, &want); err != nil {
		t.Fatal(err)
	}
	if !want.Enabled {
		return a.On == want.FeatureEnabled && (!a.On || a.Variant == string(switches.On))
	}
	if a.Variant != want.Name || !a.On {
		return false
	}
	if want.Payload == nil {
		return true
	}
	var text string
	if json.Unmarshal(a.Value, &text) != nil {
		text = string(a.Value)
	}
	return text == want.Payload.Value
}
