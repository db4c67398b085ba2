package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches/exchange"
)

// filesOf is the two commands against a board in memory.
func filesOf(t *testing.T, out *bytes.Buffer) *switchFiles {
	t.Helper()
	b := rollout.New(rollout.Options{Node: "test", IDs: model.NewIDs(1), Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { b.Close(context.Background()) })
	return &switchFiles{out: out, ask: func(ctx context.Context, op string, r switchRequest, into any) error {
		r.By = rollout.By{Name: "test", Kind: "cli"}
		answer, err := answerSwitch(ctx, b, op, r)
		if err != nil {
			return plain(err)
		}
		raw, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, into)
	}}
}

func importText(t *testing.T, s *switchFiles, text, env string, dry, prune bool) string {
	t.Helper()
	file, err := exchange.Read([]byte(text), exchange.Auto, env)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s.out, s.dry, s.done, s.failed = &out, dry, 0, 0
	if err := s.importFile(t.Context(), file, prune); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
}

const filesFirst = `kibitz: 1
environments:
  - environment: production
    switches:
      - {key: feed, state: partial, everyone: {percent: 5}, sets: [{when: [[{attribute: segment, op: within, values: [staff]}]], rollout: {percent: 100}}]}
      - {key: old, state: "on", everyone: {percent: 0}}
    segments:
      - {key: staff, when: [[{attribute: role, op: is, values: [staff]}]]}
  - environment: qa
    switches:
      - {key: feed, state: on, everyone: {percent: 0}}
`

// TestSwitchFiles imports, imports again, changes, prunes, and exports what it imported.
func TestSwitchFiles(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := filesOf(t, &out)
	for _, c := range []struct {
		name, text string
		dry, prune bool
		want       []string
	}{
		{"dry", filesFirst, true, false, []string{"production: create segment staff", "production: create feed", "qa: create the environment", "3 switches read as kibitz; 4 changes would be made"}},
		{"first", filesFirst, false, false, []string{"production: create old", "4 changes made; 0 not carried exactly"}},
		{"again", filesFirst, false, true, []string{"3 switches read as kibitz; 0 changes made"}},
		{"changed", strings.Replace(filesFirst, "percent: 5", "percent: 50", 1), false, false, []string{"production: change feed\n    everyone.percent: 5 -> 50", "1 changes made"}},
		{"kill", strings.Replace(filesFirst, "key: old", "killed: true, key: old", 1), false, false, []string{"production: kill old", "2 changes made"}},
		{"no unkill", filesFirst, false, false, []string{"production: keep old\n    stays killed", "0 changes made"}},
		{"pruned", "kibitz: 1\nenvironments:\n  - {environment: production, switches: [{key: \"x\", state: \"on\"}]}", false, true,
			[]string{"production: create x", "production: remove feed", "production: remove old", "production: remove segment staff", "4 changes made"}},
	} {
		got := importText(t, s, c.text, "", c.dry, c.prune)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is missing in\n%s", c.name, w, got)
			}
		}
	}
	exported, err := s.export(t.Context(), "", exchange.YAML)
	if err != nil || !strings.Contains(string(exported), "environment: qa") {
		t.Fatal(err, string(exported))
	}
	fresh := filesOf(t, &out)
	importText(t, fresh, string(exported), "", false, false)
	again, err := fresh.export(t.Context(), "", exchange.YAML)
	if err != nil || string(again) != string(exported) {
		t.Errorf("%v: exported\n%s\nimported and exported again\n%s", err, exported, again)
	}
}

// TestSwitchFilesRefused holds that one bad switch does not keep the others out.
func TestSwitchFilesRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := filesOf(t, &out)
	text := "kibitz: 1\nenvironments:\n  - environment: production\n    switches:\n"
	for i := range 450 {
		text += fmt.Sprintf("      - {key: s%d, state: \"on\", everyone: {percent: 0}}\n", i)
	}
	text += "      - {key: bad, state: perhaps, everyone: {percent: 0}}\n      - {key: worse, state: partial, everyone: {percent: 200}}\n"
	file, err := exchange.Read([]byte(text), exchange.Auto, "")
	if err != nil {
		t.Fatal(err)
	}
	err = s.importFile(t.Context(), file, false)
	if err == nil || !strings.Contains(err.Error(), "2 of 452 changes failed") || strings.Count(out.String(), "failed:") != 2 {
		t.Errorf("%v\n%s", err, out.String())
	}
	if got := importText(t, s, text[:strings.Index(text, "      - {key: bad")], "", false, false); !strings.Contains(got, "450 switches read as kibitz; 0 changes made") {
		t.Error(got)
	}
}

// TestSwitchFilesOfOthers imports each of the fixtures twice; the second time changes nothing.
func TestSwitchFilesOfOthers(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../switches/exchange/testdata/*.[jy]*")
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		s := filesOf(t, &out)
		first := importText(t, s, string(text), "", false, false)
		second := importText(t, s, string(text), "", false, true)
		if !strings.Contains(first, "create ") || !strings.Contains(second, "; 0 changes made") {
			t.Errorf("%s: first\n%s\nsecond\n%s", name, first, second)
		}
	}
}
