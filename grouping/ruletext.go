package grouping

import (
	"fmt"
	"strings"
)

// Rules are what a project adds to the base rules. The zero value, and nil, add nothing.
type Rules struct {
	stack        *ruleSet
	fingerprints []fingerprintRule
}

// Limits of a project's rules.
const (
	maxRules    = 2000
	maxRuleText = 256 << 10 // bytes
)

// ParseRules reads a project's stack trace rules and fingerprint rules, one a line; # begins a comment.
//
//	family:native function:std::* -app
//	[module:a.*] | module:b.* | [function:c] -group
//	error.type:Timeout* -> timeout, {{ transaction }}
//
// The error names the line and what is wrong with it.
func ParseRules(stack, fingerprints string) (*Rules, error) {
	if len(stack)+len(fingerprints) > maxRuleText {
		return nil, fmt.Errorf("cannot read rules of more than %d bytes: split the project", maxRuleText)
	}
	list, err := parseStackRules(stack)
	if err != nil {
		return nil, err
	}
	r := &Rules{}
	if len(list) > 0 {
		r.stack = newRuleSet(list)
	}
	r.fingerprints, err = parseFingerprintRules(fingerprints)
	return r, err
}

func parseStackRules(text string) ([]rule, error) {
	var out []rule
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		r, err := parseRule(line)
		if err != nil {
			return nil, fmt.Errorf("cannot read rule in line %d: %w", n+1, err)
		}
		if out = append(out, r); len(out) > maxRules {
			return nil, fmt.Errorf("cannot read more than %d rules", maxRules)
		}
	}
	return out, nil
}

func parseRule(line string) (rule, error) {
	r := rule{text: line}
	words, err := splitRule(line)
	if err != nil {
		return r, err
	}
	where, bar := &r.frame, false
	for _, w := range words {
		switch {
		case w == "[" && len(r.frame) == 0 && !bar:
			where = &r.caller
		case w == "[":
			where = &r.callee
		case w == "]":
			where = &r.frame
		case w == "|":
			bar = true
		default:
			err = r.word(w, where)
		}
		if err != nil {
			return r, err
		}
	}
	if len(r.frame) == 0 || len(r.actions) == 0 {
		return r, fmt.Errorf("%q needs a matcher and an action", line)
	}
	return r, nil
}

// splitRule cuts a line into words; brackets around a matcher of the neighbour and bars are words of their own.
func splitRule(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if c := line[0]; c == '[' || c == ']' || c == '|' {
			words, line = append(words, line[:1]), line[1:]
			continue
		}
		end := wordLength(line)
		if end < 0 {
			return nil, fmt.Errorf("a quote is not closed in %q", line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return words, nil
}

// wordLength is the length of the word that a line begins with; quotes hold blanks together. A closing bracket ends
// a word when nothing but a bar or white space follows it.
func wordLength(line string) int {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case isSpaceByte(c):
			return i
		case c == ']' && strings.HasPrefix(strings.TrimSpace(line[i+1:]), "|"):
			return i
		}
	}
	if quoted {
		return -1
	}
	return len(line)
}

// word is a matcher or an action.
func (r *rule) word(w string, where *[]matcher) error {
	if name, arg, ok := strings.Cut(strings.TrimPrefix(w, "!"), ":"); ok && !strings.ContainsAny(name, "+-=^\"") {
		m, err := parseMatcher(name, unquote(arg))
		m.negate = w[0] == '!'
		*where = append(*where, m)
		return err
	}
	a, err := parseAction(w)
	r.actions = append(r.actions, a)
	return err
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
	}
	return strings.ReplaceAll(s, `\\`, `\`)
}

func parseMatcher(name, arg string) (m matcher, err error) {
	switch name {
	case "family":
		return m, m.parseFamilies(arg)
	case "app":
		on, ok := parseBool(arg)
		if !ok {
			return m, fmt.Errorf("app:%s is neither yes nor no", arg)
		}
		return matcher{field: fieldApp, app: on}, nil
	case "module", "stack.module":
		m.field = fieldModule
	case "function", "stack.function":
		m.field = fieldFunction
	case "path", "stack.abs_path":
		m.field = fieldPath
	case "package", "stack.package":
		m.field = fieldPackage
	case "category":
		m.field = fieldCategory
	case "type", "error.type":
		m.field = fieldType
	case "value", "error.value":
		m.field = fieldValue
	case "mechanism", "error.mechanism":
		m.field = fieldMechanism
	default:
		return m, fmt.Errorf("there is no matcher %q", name)
	}
	m.glob = compileGlob(arg, m.field == fieldPath || m.field == fieldPackage)
	return m, nil
}

func (m *matcher) parseFamilies(list string) error {
	for _, name := range strings.Split(list, ",") {
		switch strings.TrimSpace(name) {
		case "native":
			m.families[familyNative] = true
		case "javascript":
			m.families[familyJavaScript] = true
		case "other":
			m.families[familyOther] = true
		case "all":
			m.families = [families]bool{true, true, true}
		default:
			return fmt.Errorf("there is no family %q", name)
		}
	}
	return nil
}

func parseAction(w string) (action, error) {
	if name, arg, ok := strings.Cut(w, "="); ok {
		return parseSetting(strings.TrimSpace(name), unquote(strings.TrimSpace(arg)))
	}
	var a action
	rest := w
	switch {
	case strings.HasPrefix(w, "^"):
		a.reach, rest = 1, w[1:]
	case strings.HasPrefix(w, "v+"), strings.HasPrefix(w, "v-"):
		a.reach, rest = -1, w[1:]
	}
	a.on = strings.HasPrefix(rest, "+")
	switch strings.TrimLeft(rest, "+-") {
	case "app":
	case "group":
		a.kind = actionGroup
	default:
		return a, fmt.Errorf("%q is neither a matcher nor an action", w)
	}
	if len(rest) > 0 && rest[0] != '+' && rest[0] != '-' {
		return a, fmt.Errorf("%q needs + or -", w)
	}
	return a, nil
}

func parseSetting(name, arg string) (a action, err error) {
	ok := true
	switch name {
	case "category":
		a.kind, a.text = actionCategory, arg
	case "max-frames":
		a.kind = actionMaxFrames
		a.n, ok = parseCount(arg)
	case "min-frames":
		a.kind = actionMinFrames
		a.n, ok = parseCount(arg)
	case "invert-stacktrace":
		a.kind = actionInvert
		a.on, ok = parseBool(arg)
	default:
		return a, fmt.Errorf("there is no setting %q", name)
	}
	if !ok {
		err = fmt.Errorf("%s=%s has no such value", name, arg)
	}
	return a, err
}
