package grouping

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func fingerprintEvent() *Event {
	return &Event{Platform: "python", Level: "error", Logger: "shop.pay", Transaction: "/pay", Release: "shop@1.2", SDK: "sentry.python.flask",
		Message: "user %s is gone", Formatted: "User ann is gone", Tags: map[string]string{"shard": "eu-1", "a:b": "c"},
		Exceptions: []Exception{
			{Type: "KeyError", Value: "no key\nhere", Stack: stackOf(
				Frame{AbsPath: "/venv/lib/site-packages/flask/app.py", Filename: "flask/app.py", Module: "flask.app", Function: "run", InApp: no()},
				Frame{AbsPath: "/srv/Shop/pay.py", Filename: "shop/pay.py", Module: "shop.pay", Function: "total", Package: "/lib/shop.so", InApp: yes()})},
			{Type: "PayError", Value: "row 5"}},
		Threads: []Thread{{Stack: stackOf(Frame{Module: "worker", Function: "wait"})}}}
}

func TestFingerprintMatchers(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{
		"type:KeyError": true, "error.type:keyerror": false, "error.type:*Error": true, "type:Other": false, "!type:KeyError": true, "!type:*Error": false,
		"error.value:NO*HERE": true, `value:"no key*"`: true, "value:row": false,
		"type:KeyError value:row*": false, "type:PayError value:row*": true, // of one exception
		"message:*ANN*": true, "message:row*": true, "message:*%s*": false, "message:nobody": false,
		"logger:shop.*": true, "logger:SHOP.*": false, "level:ERROR": true, "!level:error": false, "release:shop@*": true, "transaction:/p*": true,
		"tags.shard:eu-?": true, "tags.shard:us*": false, "tags.none:*": false, "!tags.none:*": true, `"tags.a:b":c`: true,
		"sdk:sentry.python": true, "sdk:sentry.python.flask": true, "sdk:sentry.java,Sentry.Python": true, "sdk:python": false, "sdk:sentry.*": true,
		"family:other": true, "family:native,other": true, "family:native": false, "family:all": true, "!family:javascript": true,
		"module:flask.*": true, "stack.module:worker": true, "function:total": true, "function:TOTAL": false, "path:**/shop/*.py": true,
		"path:SHOP/pay.py": true, "stack.abs_path:/srv/**": true, "path:/srv/*": false, "stack.filename:shop/*": true, "stack.filename:/srv/**": false,
		"package:**/shop.so": true, "app:yes": true, "app:yes module:flask.*": false, "app:no module:flask.*": true, "app:maybe": false,
		"module:shop.* function:run": false, "module:shop.* function:total type:PayError level:error": true, "!module:shop.* function:total": false,
		"value:[": false,
	} {
		rules, err := ParseRules("", rule+" -> hit")
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if got := rules.Group(fingerprintEvent()).Strategy == "fingerprint"; got != want {
			t.Errorf("%s: %v, want %v", rule, got, want)
		}
	}
	rules, _ := ParseRules("", "!module:x -> hit\n!type:x -> hit\n!message:x -> hit")
	if r := rules.Group(&Event{Security: &Security{Kind: "csp", EffectiveDirective: "img-src"}}); r.Strategy == "fingerprint" {
		t.Error("a rule about frames, exceptions or messages holds without any")
	}
}

func TestFingerprintValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ right, values, title string }{
		{"a, b", "ab", "PayError: row 5"},
		{"a b,c", "abc", ""},
		{`"a, b" c`, "a, bc", ""},
		{`"say \"hi\" \\ now"`, `say "hi" \ now`, ""},
		{"{{ transaction }}", "/pay", ""},
		{"{{transaction}},{{ level }}", "/payerror", ""},
		{"foo-{{ transaction }}-bar", "foo-/pay-bar", ""},
		{`"foo {{ transaction }} bar"`, "foo /pay bar", ""},
		{`"{{ level }}" {x} #no`, "error{x}#no", ""},
		{"{{ tags.shard }} {{ tags.none }}", "eu-1<no-value-for-tag-none>", ""},
		{"{{ moon }}", "<unrecognized-variable-moon>", ""},
		{"row {{ error.type }}", "rowPayError", ""},
		{`x title="one"`, "x", "one"},
		{`x title="{{ error.type }} on {{ tags.shard }}: {{ value }} {{ message }} {{ default }}"`, "x", "PayError on eu-1: row 5 User ann is gone {{ default }}"},
		{`title="a {{ transaction }}" x`, "x", "a /pay"},
	} {
		rules, err := ParseRules("", "type:nobody -> no\nlevel:error -> "+c.right+"\nlevel:error -> late")
		if err != nil {
			t.Fatalf("%s: %v", c.right, err)
		}
		r := rules.Group(fingerprintEvent())
		if want := []string{hashBytes([]byte(c.values))}; !slices.Equal(r.Hashes(), want) {
			t.Errorf("%s gives %v, want %q", c.right, leaves(r.Variants[0].Root), c.values)
		}
		if c.title != "" && r.Title != c.title {
			t.Errorf("%s: title %q, want %q", c.right, r.Title, c.title)
		}
	}
}

func TestHybridRule(t *testing.T) {
	t.Parallel()
	plain := Group(&Event{Message: "hi"}).Hashes()
	for right, want := range map[string]string{"{{ default }} x": "hix", "{{default}}-x": "hi-x", `x-{{ default }}`: "x-hi", `"{{ default }}"`: "hi"} {
		rules, err := ParseRules("", "message:hi -> "+right)
		if err != nil {
			t.Fatal(err)
		}
		if got := rules.Group(&Event{Message: "hi"}).Hashes(); !slices.Equal(got, []string{hashBytes([]byte(want))}) || (want == "hi") != slices.Equal(got, plain) {
			t.Errorf("%s gives %v", right, got)
		}
	}
}

func TestRulesFrom(t *testing.T) {
	t.Parallel()
	var list []FingerprintRule
	text := `[{"matchers": [["!type", "x"], ["tags.a:b", "c"]], "fingerprint": ["{{ level }}", "b-{{ level }}"], "attributes": {"title": "T {{ level }}"}, "text": "as written"},
		{"matchers": [["level", "*"]], "fingerprint": ["built"], "attributes": null, "is_builtin": true}]`
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	rules, err := RulesFrom("module:x -app", list)
	if err != nil {
		t.Fatal(err)
	}
	if r := rules.Group(fingerprintEvent()); !slices.Equal(r.Hashes(), []string{hashBytes([]byte("errorb-error"))}) || r.Title != "T error" {
		t.Errorf("%v %q", r.Hashes(), r.Title)
	}
	ev := fingerprintEvent()
	ev.Tags = nil
	for _, c := range []struct {
		client []string
		want   string
	}{{nil, "built"}, {[]string{"{{ default }}", "x"}, "built"}, {[]string{"mine"}, "mine"}} {
		ev.Fingerprint = c.client
		if r := rules.Group(ev); !slices.Equal(r.Hashes(), []string{hashBytes([]byte(c.want))}) {
			t.Errorf("client %v: %s", c.client, Explain(r))
		}
	}
	for _, bad := range []FingerprintRule{{}, {Matchers: [][]string{{"type", "x"}}}, {Matchers: [][]string{{"type"}}, Fingerprint: []string{"x"}},
		{Matchers: [][]string{{"typo", "x"}}, Fingerprint: []string{"x"}}, {Matchers: [][]string{{"type", strings.Repeat("x", maxRuleLine)}}, Fingerprint: []string{"x"}},
		{Matchers: [][]string{{"type", "x"}}, Fingerprint: []string{strings.Repeat("x", maxRuleText)}}} {
		if _, err := RulesFrom("", []FingerprintRule{bad}); err == nil {
			t.Errorf("%.100v is taken for a rule", bad)
		}
	}
	if _, err := RulesFrom("", make([]FingerprintRule, 10_000)); err == nil || !strings.Contains(err.Error(), LimitRules) {
		t.Errorf("10,000 rules: %v", err)
	}
	if rules, err := RulesFrom("", nil); rules == nil || err != nil {
		t.Errorf("nothing gives %v, %v", rules, err)
	}
}
