package grouping

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ophioCases is how many random rule sets are compared with the published engine. Most of the time goes into the regular
// expressions that the engine makes.
const ophioCases = 12000

type ophioFrame struct {
	Family   string `json:"family"`
	Function string `json:"function"`
	Module   string `json:"module"`
	Package  string `json:"package"`
	Path     string `json:"path"`
	InApp    *bool  `json:"in_app"`
}

type ophioCase struct {
	Rules     string            `json:"rules"`
	Exception map[string]string `json:"exception"`
	Frames    []ophioFrame      `json:"frames"`
}

type ophioAnswer struct {
	Error       string   `json:"error"`
	Category    []string `json:"category"`
	InApp       []bool   `json:"in_app"`
	Contributes []bool   `json:"contributes"`
	Stack       bool     `json:"stack"`
	Invert      bool     `json:"invert"`
}

// ophioPython is a Python that has the engine; the test skips without one.
func ophioPython(t *testing.T) string {
	t.Helper()
	if os.Getenv("KIBITZ_TEST_SHORT") != "" {
		t.Skip("KIBITZ_TEST_SHORT is set")
	}
	cache := os.Getenv("KIBITZ_TEST_CACHE")
	if cache == "" {
		cache = filepath.Join("..", "app", "apptest", ".cache")
	}
	for _, python := range []string{filepath.Join(cache, "venv", "bin", "python"), "python3"} {
		if exec.Command(python, "-c", "import sentry_ophio.enhancers").Run() == nil {
			return python
		}
	}
	t.Skip("sentry-ophio is not installed; run app/apptest/setup.sh")
	return ""
}

// dice makes rules and frames of so few letters that they meet often.
type dice struct{ *rand.Rand }

func (d dice) of(list ...string) string { return list[d.IntN(len(list))] }

func (d dice) several(most int, list ...string) string {
	var b strings.Builder
	for range d.IntN(most + 1) {
		b.WriteString(d.of(list...))
	}
	return b.String()
}

func (d dice) glob() string {
	switch d.IntN(4) {
	case 0:
		return d.of("a*", "*a", "*b*", "**/a/**", "**/b", "a/**", "/a/**", "a", "**", "a/**/b", "?b", "A*", "*", "a::*")
	case 1:
		return d.several(4, "a", "b", "/", "*", "?", ".", "ab")
	}
	return d.several(6, "a", "b", "/", "*", "**", "**/", "/**", "/**/", "?", "[ab]", "[!a]", "[^b/]", "[a-", "{", "}", ",", "{a,b}", "{a*,**/b}", "{,a}", `\`, `\\`,
		"[b-a]", "[]a]", "[A-b]", "é", "[é]", "A", "[", "]", "-", ".")
}

func (d dice) matcher() string {
	arg := ""
	name := d.of("family", "module", "stack.module", "function", "stack.function", "path", "stack.abs_path", "package", "stack.package", "category", "app",
		"type", "error.type", "value", "error.mechanism", "mechanism")
	switch name {
	case "family":
		arg = d.of("native", "javascript", "other", "all", "native,other", "moon", "native,moon", "")
	case "app":
		arg = d.of("yes", "no", "1", "0", "true", "false", "maybe")
	case "category":
		arg = d.of("x", "y", "*", "[", "z*")
	default:
		arg = d.glob()
	}
	if d.IntN(4) == 0 {
		arg = `"` + arg + `"`
	}
	return d.of("", "", "!") + name + ":" + arg
}

func (d dice) action() string {
	switch d.IntN(8) {
	case 0:
		return "category" + d.of("=", " = ") + d.of("x", "y", "z-1")
	case 1:
		return d.of("max-frames=", "min-frames=") + d.of("0", "1", "2", "3", "02")
	case 2:
		return "invert-stacktrace=" + d.of("1", "0", "yes", "no")
	}
	return d.of("", "", "^", "v") + d.of("+", "-") + d.of("app", "group")
}

func (d dice) rule() string {
	var words []string
	if d.IntN(6) == 0 {
		words = append(words, "[ "+d.matcher()+" ] |")
	}
	for range 1 + d.IntN(2) {
		words = append(words, d.matcher())
	}
	if d.IntN(6) == 0 {
		words = append(words, "| [ "+d.matcher()+" ]")
	}
	for range 1 + d.IntN(3) {
		words = append(words, d.action())
	}
	line := strings.Join(words, d.of(" ", "  ", "\t")) + d.of("", "", " # why", "#why")
	if d.IntN(25) == 0 { // a slip
		at := d.IntN(len(line))
		line = line[:at] + d.of("", `"`, " ", "]", "|", ":", "=", "!", "^") + line[at+1:]
	}
	return strings.ToValidUTF8(line, "")
}

func (d dice) text() string {
	return d.of("", d.several(3, "a", "b", "/", "ab", "/a/", "a/b"), d.several(5, "a", "b", "/", ".", "é", "A", "\n", "-"), "a::b")
}

func (d dice) ophioCase() ophioCase {
	c := ophioCase{Frames: []ophioFrame{}, Exception: map[string]string{"ty": d.text(), "value": d.text(), "mechanism": d.text()}}
	var rules []string
	for range 1 + d.IntN(4) {
		rules = append(rules, d.rule())
	}
	c.Rules = strings.Join(rules, d.of("\n", "\r\n", "\n\n# no rule\n  "))
	for range d.IntN(7) {
		f := ophioFrame{Family: d.of("native", "javascript", "other"), Function: d.text(), Module: d.text(), Package: lowerPath(d.text()), Path: lowerPath(d.text())}
		if f.Function == "" {
			f.Function = "<unknown>"
		}
		if d.IntN(3) > 0 {
			is := d.IntN(2) == 0
			f.InApp = &is
		}
		c.Frames = append(c.Frames, f)
	}
	return c
}

// ours answers a case as the engine does, without base rules.
func (c ophioCase) ours() (ophioAnswer, RuleErrors) {
	rules, found := CheckRules(c.Rules, "")
	if rules == nil {
		return ophioAnswer{Error: found.Error()}, found
	}
	s := stack{frames: make([]frame, len(c.Frames))}
	for i, f := range c.Frames {
		fam := map[string]family{"native": familyNative, "javascript": familyJavaScript, "other": familyOther}[f.Family]
		s.frames[i] = frame{src: &Frame{Module: f.Module}, family: fam, function: f.Function, path: f.Path, pkg: f.Package, inApp: f.InApp != nil && *f.InApp}
		if f.Function == "<unknown>" {
			s.frames[i].function = ""
		}
	}
	exc := &Exception{Type: c.Exception["ty"], Value: c.Exception["value"], Mechanism: Mechanism{Type: c.Exception["mechanism"]}}
	if rules.stack != nil && len(s.frames) > 0 {
		w := rules.stack.prepare(&s, exc, nil)
		w.g = &grouper{}
		w.apply(true)
		w.apply(false)
	}
	return s.answer(), found
}

func (s *stack) answer() ophioAnswer {
	a := ophioAnswer{Invert: s.invert}
	parts := make([]*Component, len(s.frames))
	for i, f := range s.frames {
		a.Category, a.InApp = append(a.Category, f.category), append(a.InApp, f.inApp)
		parts[i] = &Component{Contributes: f.group >= 0}
	}
	a.Stack = (&grouper{arena: newArena(0)}).stackComponent(s, slices.Clone(parts), "").Contributes
	for _, p := range parts {
		a.Contributes = append(a.Contributes, p.Contributes)
	}
	return a
}

func (a ophioAnswer) equal(b ophioAnswer) bool {
	return slices.Equal(a.Category, b.Category) && slices.Equal(a.InApp, b.InApp) && slices.Equal(a.Contributes, b.Contributes) && a.Stack == b.Stack && a.Invert == b.Invert
}

// TestOphio compares random rules on random frames with the engine that Sentry uses. What the engine refuses we may take
// in two cases: an invalid glob about an exception, of which we warn, and a bracket without a blank before it.
func TestOphio(t *testing.T) {
	t.Parallel()
	python := ophioPython(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	cases := make([]ophioCase, ophioCases)
	for i := range cases {
		cases[i] = d.ophioCase()
	}
	answers := askOphio(t, python, cases)
	refused, applied, failed := 0, 0, 0
	for i, c := range cases {
		want := answers[i]
		got, found := c.ours()
		switch {
		case strings.Contains(found.Error(), "a category without a name"):
			continue // matches category:* there, and is none here
		case want.Error != "":
			refused++
			if got.Error == "" && len(found) == 0 && !strings.Contains(c.Rules, "]") {
				t.Errorf("%q is refused (%s), and we take it", c.Rules, want.Error)
			}
			continue
		case got.Error != "" || !got.equal(want):
			t.Errorf("rules %q\nframes %+v\nexception %v\nhave %+v\nwant %+v", c.Rules, c.Frames, c.Exception, got, want)
			if failed++; failed == 5 {
				t.Fatal("and more")
			}
		}
		if slices.Contains(want.Contributes, false) || slices.ContainsFunc(want.Category, func(c string) bool { return c != "" }) {
			applied++
		}
	}
	t.Logf("%d rule sets, of which the engine refuses %d and %d change frames visibly", len(cases), refused, applied)
	if applied < len(cases)/10 || refused > len(cases)/2 {
		t.Errorf("the cases show too little")
	}
}

func askOphio(t *testing.T, python string, cases []ophioCase) []ophioAnswer {
	t.Helper()
	var in, errs bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, c := range cases {
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, filepath.Join("testdata", "ophio.py"))
	cmd.Stdin, cmd.Stderr = &in, &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	answers := make([]ophioAnswer, 0, len(cases))
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var a ophioAnswer
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(answers), len(cases))
	}
	return answers
}
