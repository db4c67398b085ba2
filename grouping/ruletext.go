package grouping

import (
	"slices"
	"strings"
)

// Rules are what a project adds to the base rules. The zero value, and nil, add nothing.
type Rules struct {
	stack        *ruleSet
	fingerprints []fingerprintRule
}

// ParseRules reads a project's stack trace rules and fingerprint rules, one a line; # begins a comment.
//
//	family:native function:std::* -app
//	[ module:a.* ] | module:b.* | [ function:c ] -group
//	error.type:Timeout* -> timeout, {{ transaction }} title="Timeouts"
//
// The error is RuleErrors; what CheckRules only warns of is not among them.
func ParseRules(stack, fingerprints string) (*Rules, error) {
	rules, found := CheckRules(stack, fingerprints)
	if rules == nil {
		return nil, found.Errors()
	}
	return rules, nil
}

// CheckRules reads a project's rules and returns all that is wrong with them. The rules are nil when any finding is more
// than a warning.
func CheckRules(stack, fingerprints string) (*Rules, RuleErrors) {
	reader := &ruleReader{}
	kind := StackRules
	if len(fingerprints) > len(stack) {
		kind = FingerprintRules
	}
	if !reader.fits(kind, len(stack)+len(fingerprints)) {
		return nil, reader.found
	}
	rules := &Rules{}
	if list := reader.stackRules(stack); len(list) > 0 {
		rules.stack = newRuleSet(list)
	}
	rules.fingerprints = reader.fingerprintRules(fingerprints)
	if len(reader.found.Errors()) > 0 {
		return nil, reader.found
	}
	return rules, reader.found
}

// Errors are the findings that keep rules from being used.
func (list RuleErrors) Errors() RuleErrors { return list.only(false) }

// Warnings are the findings with which rules can be used all the same.
func (list RuleErrors) Warnings() RuleErrors { return list.only(true) }

func (list RuleErrors) only(warning bool) (out RuleErrors) {
	for _, e := range list {
		if e.Warning == warning {
			out = append(out, e)
		}
	}
	return out
}

// parseStackRules reads rules of our own.
func parseStackRules(text string) ([]rule, error) {
	reader := &ruleReader{}
	list := reader.stackRules(text)
	if found := reader.found.Errors(); len(found) > 0 {
		return nil, found
	}
	return list, nil
}

func (r *ruleReader) stackRules(text string) (out []rule) {
	r.each(StackRules, text, func(p *ruleLine) {
		if one := p.stackRule(); !p.wrong {
			out = append(out, one)
		}
	})
	return out
}

func (p *ruleLine) stackRule() (r rule) {
	p.blanks()
	start := p.at
	if p.take("[") {
		p.neighbour(&r, -1)
		if p.blanks(); !p.broken && !p.take("|") {
			p.stop(p.at, []string{"|"}, "a bar must stand between a caller and what it calls")
		}
	}
	p.matchers(&r)
	if p.blanks(); !p.broken && p.take("|") {
		if p.blanks(); !p.take("[") {
			p.stop(p.at, []string{"["}, "a callee stands in brackets")
		}
		p.neighbour(&r, 1)
	}
	p.actions(&r)
	slices.SortStableFunc(r.frame, func(a, b matcher) int { return a.glob.cost() - b.glob.cost() }) // the cheapest first
	r.text = strings.TrimSpace(p.text[start:p.at])
	return r
}

// neighbour reads the matcher of a caller or callee up to its closing bracket.
func (p *ruleLine) neighbour(r *rule, at int8) {
	if p.broken {
		return
	}
	if p.blanks(); !p.atMatcher() {
		p.stop(p.at, stackMatchers, "a matcher must stand in the brackets")
		return
	}
	p.matcher(r, at)
	if p.blanks(); !p.broken && !p.take("]") {
		p.stop(p.at, []string{"]"}, "the bracket is not closed after one matcher")
	}
}

func (p *ruleLine) matchers(r *rule) {
	if p.blanks(); !p.broken && !p.atMatcher() {
		p.stop(p.at, stackMatchers, "a rule needs a matcher before its actions")
	}
	for !p.broken && p.atMatcher() {
		p.matcher(r, 0)
		p.blanks()
	}
}

// atMatcher tells a matcher from an action: it has a name with a colon behind it.
func (p *ruleLine) atMatcher() bool {
	here := *p
	negated := here.take("!")
	name := here.word()
	return negated || name != "" && here.take(":")
}

// stackMatchers are the names of matchers. The first of two with the same meaning is the one that Sentry's
// documentation uses.
var stackMatchers = []string{"family", "stack.module", "module", "stack.function", "function", "stack.abs_path", "path", "stack.package", "package",
	"category", "app", "error.type", "type", "error.value", "value", "error.mechanism", "mechanism"}

func stackField(name string) (f field, ok bool) {
	switch name {
	case "family":
		return fieldFamily, true
	case "module", "stack.module":
		return fieldModule, true
	case "function", "stack.function":
		return fieldFunction, true
	case "path", "stack.abs_path":
		return fieldPath, true
	case "package", "stack.package":
		return fieldPackage, true
	case "category":
		return fieldCategory, true
	case "app":
		return fieldApp, true
	case "type", "error.type":
		return fieldType, true
	case "value", "error.value":
		return fieldValue, true
	case "mechanism", "error.mechanism":
		return fieldMechanism, true
	}
	return 0, false
}

func (p *ruleLine) matcher(r *rule, at int8) {
	m := matcher{at: at, negate: p.take("!")}
	nameAt := p.at
	name := p.word()
	if !p.take(":") {
		p.stop(p.at, nil, "a matcher is a name, a colon and a value: function:main")
		return
	}
	argAt := p.at
	arg := p.argument(at != 0)
	known := false
	if m.field, known = stackField(name); !known {
		p.fail(nameAt, stackMatchers, "%s", unknown("matcher", name, stackMatchers))
		return
	}
	p.value(&m, arg, argAt)
	if m.field.ofException() {
		r.exc, r.once = append(r.exc, m), r.once+m.glob.cost()
	} else {
		r.frame, r.cost = append(r.frame, m), r.cost+m.glob.cost()
	}
}

// argument is a matcher's value: up to a blank, or between quotes, in which nothing is escaped but a backslash.
func (p *ruleLine) argument(bracketed bool) string {
	start := p.at
	if p.take(`"`) {
		text, rest, ok := strings.Cut(p.rest(), `"`)
		if !ok {
			p.stop(start, nil, "the quote is not closed")
		}
		p.at = len(p.text) - len(rest)
		return strings.ReplaceAll(text, `\\`, `\`)
	}
	arg := p.toBlank()
	if end := *p; bracketed {
		if end.blanks(); !strings.HasPrefix(end.rest(), "]") {
			arg = cutBracket(arg)
			p.at = start + len(arg)
		}
	}
	return strings.ReplaceAll(arg, `\\`, `\`)
}

// cutBracket cuts a value before the bracket that closes it when no blank stands between: module:a.*]
func cutBracket(arg string) string {
	if i := strings.Index(arg, "]|"); i >= 0 {
		return arg[:i]
	}
	return strings.TrimSuffix(arg, "]")
}

func (p *ruleLine) value(m *matcher, arg string, at int) {
	switch m.field {
	case fieldFamily:
		m.families = p.families(arg, at)
	case fieldApp:
		var ok bool
		if m.app, ok = parseBool(arg); !ok {
			m.never = true
			p.warn(at, boolWords, "%q says neither whether a frame is the program's own nor that it is not: the matcher never holds", arg)
		}
	default:
		m.glob = p.glob(arg, at, globOptions{path: m.field == fieldPath || m.field == fieldPackage})
	}
}

// glob compiles a pattern. One that cannot be read never matches, as in Sentry, where nobody is told of it.
func (p *ruleLine) glob(pattern string, at int, o globOptions) glob {
	g, problem := compileGlob(pattern, o)
	switch {
	case strings.HasPrefix(problem, LimitAlternatives):
		p.report(RuleError{Column: p.column(at), Limit: LimitAlternatives, Problem: problem})
	case problem != "":
		p.warn(at, nil, "the glob %q never matches: %s; a backslash before it takes a character as it is", pattern, problem)
	}
	return g
}

var familyNames = []string{"native", "javascript", "other", "all"}

func (p *ruleLine) families(list string, at int) (out [families]bool) {
	for _, name := range strings.Split(list, ",") {
		switch name {
		case "native":
			out[familyNative] = true
		case "javascript":
			out[familyJavaScript] = true
		case "other":
			out[familyOther] = true
		case "all":
			out = [families]bool{true, true, true}
		default:
			p.warn(at, familyNames, "%s", unknown("family", name, familyNames))
		}
	}
	return out
}
