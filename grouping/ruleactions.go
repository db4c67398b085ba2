package grouping

import (
	"strconv"
	"strings"
)

func (p *ruleLine) actions(r *rule) {
	for n := 0; !p.broken; n++ {
		p.blanks()
		if rest := p.rest(); rest == "" || rest[0] == '#' {
			if n == 0 {
				p.stop(p.at, allActions, "a rule needs an action after its matchers")
			}
			return
		}
		if strings.IndexByte("^v+-", p.text[p.at]) >= 0 {
			p.flag(r)
		} else {
			p.setting(r)
		}
	}
}

var (
	flagNames    = []string{"app", "group"}
	settingNames = []string{"category", "max-frames", "min-frames", "invert-stacktrace"}
	allActions   = []string{"+app", "-app", "+group", "-group", "^-group", "v-group", "category=", "max-frames=", "min-frames=", "invert-stacktrace="}
)

// flag reads an action like -app or ^+group.
func (p *ruleLine) flag(r *rule) {
	start := p.at
	if p.take("->") {
		p.stop(start, allActions, "an arrow gives a fingerprint: this rule belongs among the %s", FingerprintRules)
		return
	}
	later := p.take("^")
	earlier := !later && p.take("v")
	on := int8(-1)
	switch {
	case p.take("+"):
		on = 1
	case !p.take("-"):
		p.stop(start, allActions, "%q is not an action", p.excerpt(start))
		return
	}
	nameAt := p.at
	var e *effect
	switch name := p.word(); name {
	case "app":
		e = &r.app
	case "group":
		e = &r.group
	case "prefix", "sentinel":
		p.warn(nameAt, flagNames, "%s belonged to a configuration that is gone, and does nothing", name)
		return
	default:
		p.stop(nameAt, flagNames, "%s", unknown("flag", name, flagNames))
		return
	}
	e.add(on, later, earlier)
}

func (e *effect) add(on int8, later, earlier bool) {
	switch {
	case later:
		e.later = on
	case earlier:
		e.earlier = on
	default:
		e.self = on
	}
}

// setting reads an action like max-frames=3.
func (p *ruleLine) setting(r *rule) {
	start := p.at
	name := p.word()
	if p.blanks(); name == "" || !p.take("=") {
		p.noAction(start, name)
		return
	}
	p.blanks()
	valueAt := p.at
	value := p.word()
	if value == "" && name == "category" && p.rest() == "" {
		p.warn(valueAt, nil, "a category without a name is none")
	} else if value == "" {
		p.stop(valueAt, nil, "%s needs a value of letters, digits, hyphens, dots and underscores", name)
		return
	}
	p.set(r, name, value, start, valueAt)
}

// noAction says what is wrong with a word that is no action.
func (p *ruleLine) noAction(at int, name string) {
	rest := p.text[at+len(name):]
	_, isMatcher := stackField(name)
	switch {
	case strings.HasPrefix(rest, ":") && isMatcher, strings.HasPrefix(p.text[at:], "!"):
		p.stop(at, allActions, "%q is a matcher, and matchers stand before actions", p.excerpt(at))
	case isMatcher:
		p.stop(at+len(name), []string{":"}, "the matcher %q needs a colon and a value", name)
	default:
		p.stop(at, allActions, "%s", unknown("action", p.excerpt(at), append(allActions, settingNames...)))
	}
}

func (p *ruleLine) set(r *rule, name, value string, nameAt, valueAt int) {
	l, ok := &r.limits, true
	var allowed []string
	switch name {
	case "category":
		r.setsCategory, r.category = true, value
	case "max-frames":
		l.setsMax, allowed = true, []string{"a whole number, 0 for no limit"}
		l.maxFrames, ok = parseCount(value)
	case "min-frames":
		l.setsMin, allowed = true, []string{"a whole number, 0 for no limit"}
		l.minFrames, ok = parseCount(value)
	case "invert-stacktrace":
		l.setsInvert, allowed = true, boolWords
		l.invert, ok = parseBool(value)
	default:
		p.fail(nameAt, settingNames, "%s", unknown("setting", name, settingNames))
	}
	if !ok {
		p.fail(valueAt, allowed, "%s cannot be %q", name, value)
	}
}

// parseCount reads a number; one beyond what a stack can have counts as the largest.
func parseCount(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return int(min(n, 1<<30)), err == nil
}

var boolWords = []string{"yes", "no", "true", "false", "1", "0"}

func parseBool(s string) (on, ok bool) {
	switch s {
	case "1", "yes", "true":
		return true, true
	case "0", "no", "false":
		return false, true
	}
	return false, false
}
