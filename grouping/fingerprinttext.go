package grouping

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// FingerprintRule is a fingerprint rule as data. Its JSON is that of Sentry's stored rules.
type FingerprintRule struct {
	Matchers    [][]string        `json:"matchers"` // name and pattern; a name with ! before it is negated
	Fingerprint []string          `json:"fingerprint"`
	Attributes  map[string]string `json:"attributes"` // title
	Text        string            `json:"text"`       // the rule as written; nothing is decided by it
	IsBuiltin   bool              `json:"is_builtin"` // stands behind the client's own fingerprint
}

// RulesFrom is ParseRules with the fingerprint rules as data. In its errors, the line is the number of a rule.
func RulesFrom(enhancements string, list []FingerprintRule) (*Rules, error) {
	size := len(enhancements)
	for i := range list {
		size += list[i].size()
	}
	reader := &ruleReader{}
	if !reader.fits(StackRules, size) {
		return nil, reader.found
	}
	rules := &Rules{}
	if stack := reader.stackRules(enhancements); len(stack) > 0 {
		rules.stack = newRuleSet(stack)
	}
	for i := 0; i < len(list) && reader.admit(FingerprintRules, i+1); i++ {
		rules.fingerprints = append(rules.fingerprints, reader.fingerprintRule(i+1, &list[i]))
	}
	if found := reader.found.Errors(); len(found) > 0 {
		return nil, found
	}
	return rules, nil
}

func (r *FingerprintRule) size() (n int) {
	for _, m := range r.Matchers {
		for _, s := range m {
			n += len(s)
		}
	}
	for _, v := range r.Fingerprint {
		n += len(v)
	}
	return n + len(r.Attributes["title"])
}

func (r *ruleReader) fingerprintRule(number int, from *FingerprintRule) fingerprintRule {
	out := fingerprintRule{title: from.Attributes["title"], builtIn: from.IsBuiltin}
	for _, pair := range from.Matchers {
		p := &ruleLine{reader: r, kind: FingerprintRules, number: number, text: strings.Join(pair, ":")}
		if len(pair) != 2 {
			p.stop(0, nil, "a matcher is a name and a pattern")
		} else if p.fits(len(p.text)) {
			name, negate := strings.CutPrefix(pair[0], "!")
			p.addMatcher(&out, name, pair[1], negate, 0, len(pair[0])+1)
		}
	}
	for _, v := range from.Fingerprint {
		out.values = append(out.values, splitVariables(v)...)
	}
	if p := (&ruleLine{reader: r, kind: FingerprintRules, number: number}); out.count() == 0 || len(out.values) == 0 {
		p.report(RuleError{Problem: "a rule needs a matcher and a value"})
	}
	return out
}

func (r *ruleReader) fingerprintRules(text string) (out []fingerprintRule) {
	r.each(FingerprintRules, text, func(p *ruleLine) {
		if one := p.fingerprintRule(); !p.wrong {
			out = append(out, one)
		}
	})
	return out
}

func (p *ruleLine) fingerprintRule() (r fingerprintRule) {
	for p.blanks(); !p.broken && !p.take("->"); p.blanks() {
		if p.rest() == "" {
			p.stop(p.at, []string{"->"}, "an arrow must stand between the matchers and the fingerprint")
			break
		}
		p.eventMatcher(&r)
	}
	if !p.broken && r.count() == 0 && !p.wrong {
		p.fail(p.at-len("->"), eventMatchers, "a rule needs a matcher before its arrow")
	}
	for p.separators(); !p.broken && p.rest() != ""; p.separators() {
		p.fingerprintValue(&r)
	}
	if !p.broken && len(r.values) == 0 {
		p.fail(p.at, nil, "a rule needs a value of the fingerprint after its arrow")
	}
	return r
}

// separators skips what stands between values.
func (p *ruleLine) separators() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.rest(), func(c rune) bool { return c == ',' || unicode.IsSpace(c) }))
}

func (p *ruleLine) eventMatcher(r *fingerprintRule) {
	negate := p.take("!")
	nameAt := p.at
	var name string
	if strings.HasPrefix(p.rest(), `"`) {
		name = p.quoted()
	} else {
		name = p.word()
	}
	if !p.broken && isAction(p.excerpt(nameAt)) {
		p.stop(nameAt, eventMatchers, "%s is an action on frames: this rule belongs among the %s", p.excerpt(nameAt), StackRules)
	}
	if !p.broken && (name == "" || !p.take(":")) {
		p.stop(nameAt, eventMatchers, "%q is not a matcher: a name, a colon and a value, error.type:Timeout*", p.excerpt(nameAt))
	}
	if p.broken {
		return
	}
	argAt := p.at
	var arg string
	if strings.HasPrefix(p.rest(), `"`) {
		arg = p.quoted()
	} else {
		arg = p.bare()
	}
	p.addMatcher(r, name, arg, negate, nameAt, argAt)
}

// isAction tells whether a word is one of the commoner actions of stack trace rules.
func isAction(word string) bool {
	return slices.Contains(flagNames, strings.TrimLeft(word, "^v+-")) && strings.ContainsAny(word, "+-")
}

// quoted is a text in quotes, in which \" is a quote and \\ a backslash; other escapes are left to globs.
func (p *ruleLine) quoted() string {
	start := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return b.String()
		case c == '\\' && p.at+1 < len(p.text) && (p.text[p.at+1] == '"' || p.text[p.at+1] == '\\'):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	p.stop(start, nil, "the quote is not closed")
	return ""
}

// bare is a value up to a blank, or up to the arrow when there is no other.
func (p *ruleLine) bare() string {
	start := p.at
	arg := p.toBlank()
	if i := strings.LastIndex(arg, "->"); i >= 0 && !strings.Contains(p.rest(), "->") {
		arg = arg[:i]
		p.at = start + i
	}
	return arg
}

// eventMatchers are the names of matchers, the documented one before its short form.
var eventMatchers = []string{"error.type", "type", "error.value", "value", "message", "logger", "level", "release", "sdk", "transaction", "tags.NAME",
	"family", "app", "stack.abs_path", "path", "stack.filename", "filename", "stack.module", "module", "stack.function", "function", "stack.package", "package"}

func eventFieldOf(name string) (f eventField, tag string, ok bool) {
	if tag, ok = strings.CutPrefix(name, "tags."); ok {
		return eventTag, tag, tag != ""
	}
	fields := map[string]eventField{"type": eventType, "error.type": eventType, "value": eventValue, "error.value": eventValue,
		"message": eventMessage, "logger": eventLogger, "level": eventLevel, "release": eventRelease, "sdk": eventSDK,
		"transaction": eventTransaction, "family": eventFamily, "app": eventApp, "path": eventPath, "stack.abs_path": eventPath,
		"filename": eventFilename, "stack.filename": eventFilename, "module": eventModule, "stack.module": eventModule,
		"function": eventFunction, "stack.function": eventFunction, "package": eventPackage, "stack.package": eventPackage}
	f, ok = fields[name]
	return f, "", ok
}

func (p *ruleLine) addMatcher(r *fingerprintRule, name, arg string, negate bool, nameAt, argAt int) {
	m := eventMatcher{negate: negate}
	var ok bool
	if m.field, m.tag, ok = eventFieldOf(name); !ok {
		p.fail(nameAt, eventMatchers, "%s", unknown("matcher", name, eventMatchers))
		return
	}
	switch m.field {
	case eventFamily:
		m.families = p.families(arg, argAt)
	case eventApp:
		if m.app, ok = parseBool(arg); !ok {
			m.never = true
			p.warn(argAt, boolWords, "%q says neither whether a frame is the program's own nor that it is not: the matcher never holds", arg)
		}
	case eventSDK:
		for _, one := range strings.Split(arg, ",") {
			m.globs = append(m.globs, p.eventGlob(m.field, one, argAt))
		}
	default:
		m.globs = []glob{p.eventGlob(m.field, arg, argAt)}
	}
	r.add(m)
}

// eventGlob compiles a pattern of a fingerprint rule. Unlike in stack trace rules, its wildcards match line ends: what
// an exception says often has several lines.
func (p *ruleLine) eventGlob(f eventField, pattern string, at int) glob {
	if f.folds() {
		pattern = strings.ToLower(pattern)
	}
	return p.glob(pattern, at, globOptions{path: f == eventPath || f == eventFilename || f == eventPackage, fold: f.folds(), newline: true})
}

// fingerprintValue reads one value, or title="...".
func (p *ruleLine) fingerprintValue(r *fingerprintRule) {
	start := p.at
	switch {
	case strings.HasPrefix(p.rest(), `"`):
		p.addValue(r, p.quoted(), start)
	case strings.HasPrefix(p.rest(), "{{"):
		end := strings.Index(p.rest(), "}}")
		if end < 0 {
			p.stop(start, nil, "the variable is not closed with }}")
			return
		}
		p.at += end + len("}}")
		p.addValue(r, p.text[start:p.at], start)
	default:
		p.bareValue(r)
	}
}

func (p *ruleLine) bareValue(r *fingerprintRule) {
	start := p.at
	if name := p.word(); name != "" && p.take("=") && strings.HasPrefix(p.rest(), `"`) {
		if r.title = p.quoted(); name != "title" {
			p.fail(start, []string{"title"}, "%s", unknown("attribute", name, []string{"title"}))
		}
		p.checkVariables(r.title, start)
		return
	}
	p.at = start
	end := strings.IndexFunc(p.rest(), func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
	if end < 0 {
		end = len(p.rest())
	}
	if i := strings.Index(p.rest()[:end], "{{"); i > 0 {
		end = i
	}
	text := p.rest()[:end]
	if p.at += end; strings.HasPrefix(text, "title=") {
		p.fail(start, []string{`title="..."`}, "a title stands in quotes")
	}
	if strings.HasPrefix(text, "#") {
		p.warn(start, nil, "%q becomes a value of the fingerprint: a comment on fingerprint rules needs a line of its own", text)
	}
	p.addValue(r, text, start)
}

func (p *ruleLine) addValue(r *fingerprintRule, text string, at int) {
	p.checkVariables(text, at)
	r.values = append(r.values, splitVariables(text)...)
}

// checkVariables warns of variables that no event can fill in.
func (p *ruleLine) checkVariables(text string, at int) {
	for _, part := range splitVariables(text) {
		name, ok := variable(part)
		if ok && !isVariable(name) {
			p.warn(at, variableNames, "%s: it stands in fingerprints as %s", unknown("variable", name, variableNames), fmt.Sprintf("<unrecognized-variable-%s>", name))
		}
	}
}

var variableNames = []string{"default", "transaction", "message", "type", "error.type", "value", "error.value", "function", "stack.function", "path",
	"stack.abs_path", "stack.filename", "module", "stack.module", "package", "stack.package", "level", "logger", "tags.NAME"}

func isVariable(name string) bool {
	return slices.Contains(variableNames, name) || strings.HasPrefix(name, "tags.")
}

// splitVariables cuts a value at its variables: foo-{{ level }} is two values. A hash is made of values with nothing
// between them, and so it does not change.
func splitVariables(text string) (out []string) {
	for text != "" {
		start := strings.Index(text, "{{")
		length := -1
		if start >= 0 {
			length = strings.Index(text[start:], "}}")
		}
		if length < 0 {
			return append(out, text)
		}
		if start > 0 {
			out = append(out, text[:start])
		}
		length += len("}}")
		out = append(out, text[start:start+length])
		text = text[start+length:]
	}
	return out
}
