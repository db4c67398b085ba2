package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runGroup is `kibitz group` with arguments: what it prints, its complaints and its exit status.
func runGroup(args ...string) (out, complaints string, status int) {
	var o, e bytes.Buffer
	status = Run(append([]string{"group"}, args...), &o, &e)
	return o.String(), e.String(), status
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGroupCorpus groups every vector of the reference corpus, which is not part of this repository, and compares the
// hashes of all variants that contribute.
func TestGroupCorpus(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("KIBITZ_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	dir = filepath.Join(dir, "grouping")
	raw, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Skipf("no corpus: %v", err)
	}
	var expected map[string]struct {
		Hashes map[string]*string `json:"hashes"`
	}
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for name, want := range expected {
		hashes := map[string]string{}
		for variant, hash := range want.Hashes {
			if hash != nil {
				hashes[variant] = *hash
			}
		}
		out, complaints, status := runGroup(filepath.Join(dir, name+".json"))
		var line grouped
		if err := json.Unmarshal([]byte(out), &line); err != nil || status != 0 {
			t.Errorf("%s: status %d, %s%v", name, status, complaints, err)
		} else if !maps.Equal(line.Hashes, hashes) {
			t.Errorf("%s: have %v, want %v", name, line.Hashes, hashes)
		} else {
			passed++
		}
	}
	t.Logf("%d of %d vectors have the hashes that are expected", passed, len(expected))
}

// TestGroupRules holds that both kinds of rules in one file are taken, and that an error names the line of that file.
func TestGroupRules(t *testing.T) {
	t.Parallel()
	event := writeFile(t, "event.json", `{"exception":{"values":[{"type":"A","value":"x","stacktrace":{"frames":[
		{"module":"shop","function":"pay","in_app":true},{"module":"lib","function":"call","in_app":true}]}}]}}`)
	hashes := func(rules string) map[string]string {
		t.Helper()
		out, complaints, status := runGroup("--rules", writeFile(t, "rules", rules), event)
		var line grouped
		if err := json.Unmarshal([]byte(out), &line); err != nil || status != 0 {
			t.Fatalf("status %d: %s%v", status, complaints, err)
		}
		return line.Hashes
	}
	none, app, both := hashes("# nothing\n"), hashes("module:lib -app\n"), hashes("# both\nmodule:lib -app\nerror.type:A -> a\n")
	if maps.Equal(none, app) || len(app) != 2 {
		t.Errorf("the stack trace rule changes %v to %v", none, app)
	}
	if len(slices.Collect(maps.Keys(both))) != 1 || maps.Equal(both, app) {
		t.Errorf("both rules give %v", both)
	}
	bad := writeFile(t, "rules", "module:lib -app\nerror.type:A -> a\n\nmodul:lib -app\n")
	if _, complaints, status := runGroup("--rules", bad, event); status != 1 || !strings.Contains(complaints, "line 4") {
		t.Errorf("status %d: %s", status, complaints)
	}
	warned := writeFile(t, "rules", "module:lib -app\nmodule:[a -app\n")
	if _, complaints, status := runGroup("--rules", warned, event); status != 0 || !strings.Contains(complaints, "warning: stack trace rules, line 2") {
		t.Errorf("a glob that never matches: status %d: %s", status, complaints)
	}
	if hasArrow(`function:"a -> b" -app`) || hasArrow(`# a -> b`) || hasArrow("  # a -> b") || hasArrow(`module:a -app # a -> b`) ||
		!hasArrow(`message:"a" -> b`) || !hasArrow(`message:"#a" tags.n:#3 -> b # c`) {
		t.Error("an arrow in quotes or a comment is none")
	}
}

// TestGroupPrints holds the other options: the tree as text and as JSON, another configuration, and what is wrong.
func TestGroupPrints(t *testing.T) {
	t.Parallel()
	event := writeFile(t, "event.json", `{"message":"hello","fingerprint":["{{ default }}","{{ nothing }}"]}`)
	out, _, status := runGroup("--explain", event)
	if status != 0 || !strings.Contains(out, `message "hello"`) {
		t.Errorf("explained, status %d: %s", status, out)
	}
	var line, older grouped
	out, _, _ = runGroup("--json-tree", event)
	if err := json.Unmarshal([]byte(out), &line); err != nil || !strings.Contains(string(line.Tree), `"component":{"id":"message"`) {
		t.Errorf("%v: %s", err, out)
	}
	out, _, _ = runGroup("--config", "newstyle:2023-01-11", event)
	if err := json.Unmarshal([]byte(out), &older); err != nil || maps.Equal(older.Hashes, line.Hashes) || older.Config != "newstyle:2023-01-11" {
		t.Errorf("%v: %s", err, out)
	}
	for _, wrong := range [][]string{{"--config", "x", event}, {}, {"--no-such"}} {
		if _, _, status := runGroup(wrong...); status != 2 {
			t.Errorf("%q: status %d", wrong, status)
		}
	}
	deep := writeFile(t, "deep.json", `{"message":"kept","extra":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`)
	if out, complaints, status := runGroup(deep); status != 0 || !strings.Contains(out, `"title":"kept"`) {
		t.Errorf("status %d: %s%s", status, out, complaints)
	}
	if _, complaints, status := runGroup(writeFile(t, "open.json", strings.Repeat("[", 1000))); status != 1 || !strings.Contains(complaints, "not valid JSON") {
		t.Errorf("status %d: %s", status, complaints)
	}
	if _, complaints, status := runGroup(writeFile(t, "x", "[]"), event); status != 1 || !strings.Contains(complaints, "1 of 2") {
		t.Errorf("status %d: %s", status, complaints)
	}
}
