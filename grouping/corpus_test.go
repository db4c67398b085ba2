package grouping

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// conforming and parameterised are how many vectors of the corpus pass today. They only ever rise.
const (
	conforming    = 54
	parameterised = 466
)

// corpusFile is the path of a file of the reference corpus, which is not part of this repository: the test
// skips without it.
func corpusFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("KIBITZ_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	return filepath.Join(dir, name)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

type expectation struct {
	Hashes map[string]*string     `json:"hashes"`
	Leaves map[string][][2]string `json:"leaves"`
}

// TestCorpus groups the events of the corpus and compares the hashes that count, in their order.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := corpusFile(t, "grouping")
	var expected map[string]expectation
	readJSON(t, filepath.Join(dir, "expected.json"), &expected)
	passed := 0
	for _, name := range sortedKeys(expected) {
		var raw rawEvent
		readJSON(t, filepath.Join(dir, name+".json"), &raw)
		r := groupRaw(t, &raw)
		want := expected[name].order()
		if slices.Equal(r.Hashes(), want) {
			passed++
			continue
		}
		t.Logf("miss %s: have %v, want %v\nwant leaves %v\n%s", name, r.Hashes(), want, expected[name].Leaves, Explain(r))
	}
	t.Logf("grouping corpus: %d of %d", passed, len(expected))
	if passed < conforming {
		t.Errorf("%d vectors pass, and %d did before", passed, conforming)
	}
}

// order is the hashes that count, app before system.
func (e expectation) order() (out []string) {
	names := sortedKeys(e.Hashes)
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(a, b) })
	for _, name := range names {
		if h := e.Hashes[name]; h != nil {
			out = append(out, *h)
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func groupRaw(t *testing.T, raw *rawEvent) Result {
	t.Helper()
	rules, err := RulesFrom(raw.Grouping.Enhancements, raw.Rules)
	if err != nil {
		t.Fatal(err)
	}
	return rules.Group(raw.event())
}

// TestParameterizationCorpus runs each case bare, with a prefix, with a suffix and with both.
func TestParameterizationCorpus(t *testing.T) {
	t.Parallel()
	type table struct{ Category, Input, Expected string }
	var corpus struct {
		Cases      []table
		KnownWrong []table `json:"known_wrong"`
	}
	readJSON(t, corpusFile(t, "parameterization.json"), &corpus)
	passed, all := 0, 0
	run := func(c table, before, after string) {
		all++
		in, want := before+c.Input+after, before+c.Expected+after
		if got := Parameterize(in); got == want {
			passed++
		} else {
			t.Logf("miss %s: %q gives %q, want %q", c.Category, in, got, want)
		}
	}
	for _, c := range corpus.Cases {
		run(c, "", "")
		run(c, "prefix ", "")
		run(c, "", " suffix")
		run(c, "prefix ", " suffix")
	}
	for _, c := range corpus.KnownWrong {
		run(c, "", "")
	}
	t.Logf("parameterisation corpus: %d of %d", passed, all)
	if passed < parameterised {
		t.Errorf("%d cases pass, and %d did before", passed, parameterised)
	}
}
