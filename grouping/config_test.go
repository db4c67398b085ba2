package grouping

import (
	"slices"
	"strings"
	"testing"
)

// rootLeaves are what each variant of a result hashes, joined.
func rootLeaves(r Result, name string) string {
	for i := range r.Variants {
		if r.Variants[i].Name == name && r.Variants[i].Contributes {
			return strings.Join(leaves(r.Variants[i].Root), "|")
		}
	}
	return ""
}

// TestConfigurations holds what the configuration of 2023 does otherwise, so that its groups are found again.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	old, now := Setup{Config: Newstyle2023}, Setup{Config: Newstyle2026}
	ev := thrown("python", "ValueError", "x", Frame{Module: "shop.pay", Function: "charge", ContextLine: "  pay()", InApp: yes()})
	if got := rootLeaves(old.Group(ev), "app"); got != "shop.pay|charge|pay()|ValueError" {
		t.Errorf("2023 has %s", got)
	}
	if got := rootLeaves(now.Group(ev), "app"); got != "ValueError|shop.pay|charge|pay()" {
		t.Errorf("2026 has %s", got)
	}
	if r := old.Group(ev); r.Config != Newstyle2023 || slices.Equal(r.Hashes(), now.Group(ev).Hashes()) {
		t.Errorf("configuration %s, hashes %v", r.Config, r.Hashes())
	}

	spawn := &Event{Platform: "python", Stacktrace: stackOf(Frame{Module: "m", ContextLine: "spawn_main(parent_pid=11, pipe_handle=32)"})}
	if got := rootLeaves(now.Group(spawn), "system"); got != "m|spawn_main(parent_pid=<int>, pipe_handle=<int>)" {
		t.Errorf("2026 has %s", got)
	}
	if got := rootLeaves(old.Group(spawn), "system"); got != "m|spawn_main(parent_pid=11, pipe_handle=32)" {
		t.Errorf("2023 has %s", got)
	}

	unknown := &Event{Message: "m", Fingerprint: []string{"{{ colour }}"}}
	if r := now.Group(unknown); r.Variants[0].Root.Values[0] != "<unrecognized-variable-colour>" {
		t.Errorf("2026 has %v", r.Variants[0].Root.Values)
	}
	if r := old.Group(unknown); r.Variants[0].Root.Values[0] != "{{ colour }}" {
		t.Errorf("2023 has %v", r.Variants[0].Root.Values)
	}
	if r := (Setup{}).Group(ev); r.Config != Current || len(Configs()) != 2 {
		t.Errorf("the current configuration is %s of %v", r.Config, Configs())
	}
	if _, ok := ParseConfig("newstyle:1999-01-01"); ok {
		t.Error("a configuration that nobody published is known")
	}
}

// TestPlaces holds how a frame that has only one place gets the other.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ abs, file, wantAbs, wantFile string }{
		{"", "app.py", "app.py", "app.py"},
		{"/srv/app.py", "app.py", "/srv/app.py", "app.py"},
		{"", "https://shop.example/static/app.js?v=3", "https://shop.example/static/app.js?v=3", "/static/app.js"},
		{"https://shop.example", "", "https://shop.example", "https://shop.example"},
		{"https://shop.example/", "", "https://shop.example/", "https://shop.example/"},
		{"file:///srv/app.js", "", "file:///srv/app.js", "/srv/app.js"},
		{"", "", "", ""},
	} {
		if abs, file := places(c.abs, c.file); abs != c.wantAbs || file != c.wantFile {
			t.Errorf("places(%q, %q) = %q, %q; want %q, %q", c.abs, c.file, abs, file, c.wantAbs, c.wantFile)
		}
	}
	ev := thrown("javascript", "TypeError", "x", Frame{Filename: "https://shop.example/app.js", Function: "pay", InApp: yes()})
	if got := rootLeaves(Group(ev), "app"); got != "TypeError|pay" {
		t.Errorf("a script that names only its address has %s", got)
	}
}

// TestMainException holds which exception gives an event its title.
func TestMainException(t *testing.T) {
	t.Parallel()
	react := []Exception{{Type: "TypeError", Value: "no", Mechanism: Mechanism{Source: "cause"}}, {Type: "Error", Value: reactRetry}}
	rx := []Exception{{Type: "IOException", Value: "gone"}, {Type: "UndeliverableException", Value: "x", Module: "io.reactivex.rxjava3.exceptions"}}
	for want, list := range map[string][]Exception{
		"TypeError: no":     react,
		"IOException: gone": rx,
		"B: 2":              {{Type: "A", Value: "1"}, {Type: "B", Value: "2"}},
		"TypeError: y":      {{Value: "TypeError: y"}},
		"time is: 12\n:30":  {{Type: "time is", Value: "12\n:30"}},
	} {
		if got := Group(&Event{Exceptions: list}).Title; got != strings.Split(want, "\n")[0] {
			t.Errorf("title %q, want %q", got, want)
		}
	}
}

// TestGeneratedNames holds what is cut from the names of generated classes.
func TestGeneratedNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.Pay$$EnhancerBySpringCGLIB$$b1c28be8":                 "a.Pay$$EnhancerBySpringCGLIB$$<auto>",
		"a.Pay$$EnhancerBySpringCGLIB$$b1c28be8_4":               "a.Pay$$EnhancerBySpringCGLIB$$<auto>",
		"a.Pay$$FastClassBySpringCGLIB$$3f":                      "a.Pay$$FastClassBySpringCGLIB$$<auto>",
		"a.Pay$HibernateProxy$uw2x7":                             "a.Pay$HibernateProxy$<auto>",
		"a.Pay_$$_javassist_12":                                  "a.Pay_$$_javassist<auto>",
		"a.Pay_$$_javassist_seam_3":                              "a.Pay_$$_javassist<auto>",
		"sun.reflect.GeneratedMethodAccessor42":                  "sun.reflect.GeneratedMethodAccessor",
		"jdk.internal.reflect.GeneratedConstructorAccessor7":     "jdk.internal.reflect.GeneratedConstructorAccessor7",
		"shop.core$fn__1234.invoke":                              "shop.core$fn__<auto>.invoke",
		"a.Pay$$EnhancerBySpringCGLIB$$":                         "a.Pay$$EnhancerBySpringCGLIB$$",
		"a.Pay$Inner":                                            "a.Pay$Inner",
		"sun.reflect.GeneratedSerializationConstructorAccessor1": "sun.reflect.GeneratedSerializationConstructorAccessor<auto>",
	} {
		if got := cleanJavaModule(in); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
}

// TestBuiltIn holds the fingerprints of errors whose text does not tell their cause.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	const hydration = "Text content does not match server-rendered HTML."
	tags := map[string]string{"transaction": "/cart"}
	for _, c := range []struct {
		ev   Event
		want string
	}{
		{Event{Platform: "javascript", Exceptions: []Exception{{Type: "ChunkLoadError", Value: "Loading chunk 3"}}}, "chunkloaderror"},
		{Event{Platform: "javascript", Tags: tags, Exceptions: []Exception{{Type: "Error", Value: hydration}}}, "hydrationerror|/cart"},
		{Event{Platform: "javascript", Tags: tags, Message: "See https://reactjs.org/docs/error-decoder.html?invariant=423 for more"}, "hydrationerror|/cart"},
		{Event{Platform: "javascript", Exceptions: []Exception{{Type: "Error", Value: hydration}}}, ""},
		{Event{Platform: "python", Exceptions: []Exception{{Type: "ChunkLoadError"}}}, ""},
		{Event{Platform: "javascript", Fingerprint: []string{"mine"}, Exceptions: []Exception{{Type: "ChunkLoadError"}}}, ""},
	} {
		if got := rootLeaves(Group(&c.ev), "built_in_fingerprint"); got != c.want {
			t.Errorf("%+v has %q, want %q", c.ev, got, c.want)
		}
	}
}

// TestExplainOthers holds that an explanation names what did not decide, and changes no hash.
func TestExplainOthers(t *testing.T) {
	t.Parallel()
	ev := pythonEvent()
	ev.Message = "also a message"
	short, long := Setup{}.Group(ev), Setup{}.Explain(ev)
	if !slices.Equal(short.Hashes(), long.Hashes()) || len(long.Variants) != len(short.Variants)+1 {
		t.Fatalf("%d variants became %d", len(short.Variants), len(long.Variants))
	}
	if last := long.Variants[len(long.Variants)-1]; last.Contributes || last.Name != "default" || last.Hint != "the exception decides" {
		t.Errorf("the message is %+v", last)
	}
}

// TestBaseRules holds that every base rule can be read and may match.
func TestBaseRules(t *testing.T) {
	t.Parallel()
	for _, c := range Configs() {
		if _, found := CheckRules(baseText(c), ""); len(found) > 0 {
			t.Errorf("%s: %v", c, found)
		}
	}
}

// TestFirstLines holds what is kept of a message before its values are replaced.
func TestFirstLines(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one": "one", "one\ntwo": "one\ntwo", "one\n\n two \nthree": "one\n two ...", "one\n": "one...", "\r\none\rtwo": "one\ntwo...",
		"one\vtwo": "one\ntwo...", "one\u2028two\u2029three": "one\ntwo...", "  ": "...", "": "", "\n\n": "...",
	} {
		if got := firstLines(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
