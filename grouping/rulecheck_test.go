package grouping

import (
	"fmt"
	"strings"
	"testing"
)

func TestRuleErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stack, fingerprint, want string }{
		{"functoin:x -app", "", `stack trace rules, line 1, column 1: there is no matcher "functoin", perhaps "function" is meant; allowed: family, stack.module`},
		{"# ok\n\n  !modul:é  colour:x -app", "", "line 3, column 4: there is no matcher \"modul\", perhaps \"module\" is meant"},
		{"function:é colour:x -app", "", "line 1, column 12: there is no matcher \"colour\"; allowed: family"},
		{"function:x -ap", "", `line 1, column 13: there is no flag "ap", perhaps "app" is meant; allowed: app, group`},
		{"function:x +prefix", "", "line 1, column 13: prefix belonged to a configuration that is gone, and does nothing"},
		{"function:x ^app", "", `line 1, column 12: "^app" is not an action; allowed: +app, -app`},
		{"function:x ^v-app", "", `line 1, column 12: "^v-app" is not an action`},
		{"function:x max-frame=1", "", `line 1, column 12: there is no setting "max-frame", perhaps "max-frames" is meant; allowed: category, max-frames`},
		{"function:x max-frames=many", "", `line 1, column 23: max-frames cannot be "many"; allowed: a whole number, 0 for no limit`},
		{"function:x min-frames=-1", "", `line 1, column 23: min-frames cannot be "-1"`},
		{"function:x invert-stacktrace=maybe", "", `line 1, column 30: invert-stacktrace cannot be "maybe"; allowed: yes, no`},
		{"function:x max-frames=", "", "line 1, column 23: max-frames needs a value"},
		{"function:x category=a:b", "", "line 1, column 22: there is no action"},
		{"function:x", "", "line 1, column 11: a rule needs an action after its matchers; allowed: +app"},
		{"function:x # -app", "", "line 1, column 12: a rule needs an action after its matchers"},
		{"+app", "", "line 1, column 1: a rule needs a matcher before its actions; allowed: family"},
		{"function:x -app module:y", "", `line 1, column 17: "module:y" is a matcher, and matchers stand before actions`},
		{"function:x module -app", "", `line 1, column 18: the matcher "module" needs a colon and a value; allowed: :`},
		{"!x -app", "", "line 1, column 3: a matcher is a name, a colon and a value"},
		{"function:x gruop", "", "line 1, column 12: there is no action \"gruop\""},
		{`function:"x -app`, "", "line 1, column 10: the quote is not closed"},
		{"[ function:x | module:y -app", "", "line 1, column 14: the bracket is not closed after one matcher; allowed: ]"},
		{"[ function:x ] module:y -app", "", "line 1, column 16: a bar must stand between a caller and what it calls; allowed: |"},
		{"[ -app ] | module:y -app", "", "line 1, column 3: a matcher must stand in the brackets"},
		{"module:y | function:x -app", "", "line 1, column 12: a callee stands in brackets; allowed: ["},
		{"module:y | [ function:x -app", "", "line 1, column 25: the bracket is not closed"},
		{"app:maybe +app", "", `line 1, column 5: "maybe" says neither whether a frame is the program's own nor that it is not: the matcher never holds; allowed: yes, no`},
		{"family:natve,other +app", "", `line 1, column 8: there is no family "natve", perhaps "native" is meant; allowed: native, javascript, other, all`},
		{"module:[a -app", "", `line 1, column 8: the glob "[a" never matches: [ is not closed`},
		{"error.type:{a -app", "", `line 1, column 12: the glob "{a" never matches: { is not closed`},
		{"module:{a,{b}} -app", "", "{ stands within {"},
		{"module:[b-a] -app", "", "the range b-a in [ ] is empty"},
		{"module:{" + strings.Repeat("a,", 300) + "} -app", "", "line 1, column 8: glob_alternatives: more than 256 alternatives in one glob; divide them"},
		{"module:" + strings.Repeat("a", maxRuleLine) + " -app", "", "line 1: rule_line: the rule has 4108 bytes, and 4096 are allowed; divide it"},
		{strings.Repeat("module:x -app\n", 10_000), "", "line 2001: project_rules: this is one rule more than the 2000 of a project; put several into one with {a,b}, or split the project"},
		{strings.Repeat("module:x -app\n", 2000), "type:x -> y", "fingerprint rules, line 1: project_rules"},
		{strings.Repeat("# comment\n", 30_000), "", "stack trace rules: rule_text: the rules have 300000 bytes, and 262144 are allowed"},
		{"type:x -> y", "", "line 1, column 8: an arrow gives a fingerprint: this rule belongs among the fingerprint rules; allowed: +app"},
		{"", "module:x ^-group", "line 1, column 10: ^-group is an action on frames: this rule belongs among the stack trace rules; allowed: error.type"},
		{"", "type:x", "fingerprint rules, line 1, column 7: an arrow must stand between the matchers and the fingerprint; allowed: ->"},
		{"", "-> x", "line 1, column 1: a rule needs a matcher before its arrow; allowed: error.type, type"},
		{"", "type:x ->", "line 1, column 10: a rule needs a value of the fingerprint after its arrow"},
		{"", "type:x -> , ,", "a rule needs a value"},
		{"", "mesage:x -> y", `line 1, column 1: there is no matcher "mesage", perhaps "message" is meant`},
		{"", "tags.:x -> y", `there is no matcher "tags."`},
		{"", "type -> y", `line 1, column 1: "type" is not a matcher: a name, a colon and a value, error.type:Timeout*`},
		{"", `type:"x -> y`, "line 1, column 6: the quote is not closed"},
		{"", `type:x -> "y`, "line 1, column 11: the quote is not closed"},
		{"", "type:x -> {{ y", "line 1, column 11: the variable is not closed with }}"},
		{"", "type:x -> y title=z", `line 1, column 13: a title stands in quotes; allowed: title="..."`},
		{"", `type:x -> y titel="z"`, `line 1, column 13: there is no attribute "titel", perhaps "title" is meant; allowed: title`},
		{"", "type:x -> y # why", `line 1, column 13: "#" becomes a value of the fingerprint: a comment on fingerprint rules needs a line of its own`},
		{"", "type:x -> {{ functoin }}", `line 1, column 11: there is no variable "functoin", perhaps "function" is meant: it stands in fingerprints as <unrecognized-variable-functoin>; allowed: default`},
		{"", "path:[ app:2 -> x", `column 12: "2" says neither`},
	} {
		if _, found := CheckRules(c.stack, c.fingerprint); !strings.Contains(found.Error(), c.want) {
			t.Errorf("%.80q %.80q\nsays %.300s\nwant %s", c.stack, c.fingerprint, found.Error(), c.want)
		}
	}
}

func TestCheckRules(t *testing.T) {
	t.Parallel()
	rules, found := CheckRules("modul:x -app\nmodule:[ -app\nmodule:x -app", "typ:x -> y\ntype:x -> z")
	if rules != nil || len(found) != 3 || len(found.Errors()) != 2 {
		t.Errorf("%v and %v", rules, found)
	}
	if _, err := ParseRules("modul:x -app\nmodule:[ -app", ""); err == nil || strings.Contains(err.Error(), "line 2") {
		t.Errorf("the error is %v", err)
	}
	if rules, found := CheckRules("module:[ -app", ""); rules == nil || len(found) != 1 || !found[0].Warning {
		t.Errorf("a warning gives %v and %v", rules, found)
	}
	if rules, found := CheckRules("", "\n# nothing\n"); rules == nil || found != nil {
		t.Errorf("nothing gives %v and %v", rules, found)
	}
	if rules, found := CheckRules("\ufeffmodule:x -app\r\n", "\ufefftype:x -> z\r\n"); rules == nil || found != nil {
		t.Errorf("files of a Windows editor give %v and %v", rules, found)
	}
	if n := CountRules("\ufeff# x\n\nmodule:a -app\r\n"); n != 1 {
		t.Errorf("%d rules are counted", n)
	}
	for _, limit := range []string{LimitRules, LimitText, LimitLine, LimitAlternatives} {
		text := map[string]string{LimitRules: strings.Repeat("app:1 -app\n", 2001), LimitText: strings.Repeat("\n", maxRuleText+1),
			LimitLine: strings.Repeat("x", maxRuleLine+1), LimitAlternatives: "type:{" + strings.Repeat("a,", 256) + "} -app"}[limit]
		if _, found := CheckRules(text, ""); len(found) != 1 || found[0].Limit != limit || found[0].Warning {
			t.Errorf("%s: %v", limit, found)
		}
	}
}

// TestBracketsWithoutBlanks reads neighbours as people write them.
func TestBracketsWithoutBlanks(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"[module:flask.*]|module:shop.* category=x", "module:shop.* [", "[ module:flask.* ] | module:shop.* category=x", "[module:flask.*] | module:shop.* category=x # y"} {
		rules, _ := CheckRules(text, "")
		if rules == nil {
			if !strings.HasSuffix(text, "[") {
				t.Errorf("%q is no rule", text)
			}
			continue
		}
		r := &rules.stack.rules[0]
		frames := []frame{{src: &Frame{Module: "flask.app"}}, {src: &Frame{Module: "shop.basket"}}}
		if !r.matches(frames, 1) || r.matches(frames, 0) {
			t.Errorf("%q does not match", text)
		}
	}
	rules, _ := CheckRules("module:x | [module:a.*] -app", "")
	if r := &rules.stack.rules[0]; r.frame[1].glob.literals[0] != "a." || r.frame[1].glob.literals[1] != "" {
		t.Errorf("the callee is %+v", r.frame[1])
	}
}

// TestRuleCost runs as many rules as a project may have on stacks as deep as rules look at, with texts and patterns that
// are slow for a matcher that goes back. A quadratic step anywhere takes minutes.
// The globs of value, long and wide cost more than an event may, and are given up.
func TestRuleCost(t *testing.T) {
	t.Parallel()
	ev := &Event{Platform: "python", Exceptions: []Exception{{Type: "E", Value: "b" + strings.Repeat("a", 100_000)}}}
	frames := make([]Frame, 10_000)
	for i := range frames {
		frames[i] = Frame{Module: "a.b.c", Function: "abaaaaaaaaaaaaaaaaaa", AbsPath: "/a/a/a/a/a/a/a/a/a/a/" + fmt.Sprint(i)}
	}
	ev.Exceptions[0].Stack = stackOf(frames...)
	for name, rule := range map[string]string{"reach": "module:a* ^-group v+group -app", "every": "!module:x -app ^+app", "path": "path:**/a/**/a/**/b/* -app", "stars": "function:a*a*a*a*a?b -app",
		"value": "error.value:{a*,*a}*{a*,*a}*b -app", "long": "error.value:" + strings.Repeat("?*", 50) + "b -app",
		"wide": "function:" + strings.Repeat("?*", 400) + "b -app"} {
		count := min(maxRules-1, maxRuleText/(len(rule)+1))
		rules, err := ParseRules(strings.Repeat(rule+"\n", count), "message:*a*a*b stack.function:*a*a*b -> x\n")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := rules.Group(ev); len(r.Hashes()) == 0 {
			t.Errorf("%s: no hash", name)
		}
	}
}

// FuzzRules reads any text as rules of both kinds, and groups by what is read.
func FuzzRules(f *testing.F) {
	f.Add("family:native function:std::* -app\n[ module:a ] | !path:**/x/{a,b}* | [ category:y ] ^-group v+app category=z max-frames=2", `!type:E* stack.path:"*\"" -> a-{{ level }}, {{default}} title="{{ type }}"`, "a/b.c")
	f.Add(`error.value:"*[!a" invert-stacktrace=1#`, `"tags.a:b":x app:no->{{`, "\n")
	f.Fuzz(func(t *testing.T, stack, fingerprint, text string) {
		if len(stack)+len(fingerprint)+len(text) > 20_000 {
			return
		}
		rules, found := CheckRules(stack, fingerprint)
		if (rules == nil) != (len(found.Errors()) > 0) {
			t.Fatalf("%v with %v", rules, found)
		}
		lines := strings.Split(stack, "\n")
		if more := strings.Split(fingerprint, "\n"); len(more) > len(lines) {
			lines = more
		}
		for _, e := range found {
			if e.Problem == "" || e.Line < 0 || e.Line > len(lines) || e.Column < 0 || e.Column > len(stack)+len(fingerprint)+1 {
				t.Fatalf("%+v", e)
			}
		}
		fr := Frame{AbsPath: text, Module: text, Function: text, Package: text}
		ev := &Event{Level: text, Message: text, Exceptions: []Exception{{Type: text, Value: text, Stack: stackOf(fr, Frame{}, fr)}}}
		if r := rules.Group(ev); len(r.Hashes()) == 0 {
			t.Errorf("no hash:\n%s", Explain(r))
		}
	})
}
