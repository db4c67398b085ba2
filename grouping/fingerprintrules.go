package grouping

import (
	"fmt"
	"strings"
)

// fingerprintRule gives events that satisfy all matchers a fingerprint.
type fingerprintRule struct {
	matchers []eventMatcher
	values   []string
	title    string
}

type eventMatcher struct {
	name   string
	negate bool
	glob   glob
}

func parseFingerprintRules(text string) ([]fingerprintRule, error) {
	var out []fingerprintRule
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		r, err := parseFingerprintRule(line)
		if err != nil {
			return nil, fmt.Errorf("cannot read fingerprint rule in line %d: %w", n+1, err)
		}
		if out = append(out, r); len(out) > maxRules {
			return nil, fmt.Errorf("cannot read more than %d fingerprint rules", maxRules)
		}
	}
	return out, nil
}

func parseFingerprintRule(line string) (r fingerprintRule, err error) {
	left, right, ok := strings.Cut(line, "->")
	if !ok {
		return r, fmt.Errorf("%q has no ->", line)
	}
	words, err := splitRule(left)
	if err != nil {
		return r, err
	}
	for _, w := range words {
		name, arg, ok := strings.Cut(strings.TrimPrefix(w, "!"), ":")
		if !ok || !isEventField(name) {
			return r, fmt.Errorf("there is no matcher %q", w)
		}
		isPath := strings.HasSuffix(name, "path") || strings.HasSuffix(name, "package")
		r.matchers = append(r.matchers, eventMatcher{name, w[0] == '!', compileGlob(unquote(arg), isPath)})
	}
	if before, title, ok := strings.Cut(right, "title="); ok {
		right, r.title = before, unquote(strings.TrimSpace(title))
	}
	for _, v := range strings.Split(right, ",") {
		if v = unquote(strings.TrimSpace(v)); v != "" {
			r.values = append(r.values, v)
		}
	}
	if len(r.matchers) == 0 || len(r.values) == 0 {
		return r, fmt.Errorf("%q needs a matcher and a value", line)
	}
	return r, nil
}

func isEventField(name string) bool {
	switch name {
	case "type", "error.type", "value", "error.value", "message", "logger", "level", "release", "sdk", "family", "transaction",
		"function", "stack.function", "module", "stack.module", "path", "stack.abs_path", "package", "stack.package", "app":
		return true
	}
	return strings.HasPrefix(name, "tags.")
}

// serverFingerprint is that of the first rule that holds.
func (g *grouper) serverFingerprint() (fingerprint, bool) {
	if g.rules == nil {
		return fingerprint{}, false
	}
	for i := range g.rules.fingerprints {
		if r := &g.rules.fingerprints[i]; r.holds(g) {
			g.ruleTitle = r.title
			return g.fill(classify(r.values, "server")), true
		}
	}
	return fingerprint{}, false
}

// holds tells whether the event satisfies all matchers. Those about frames must hold for one and the same frame.
func (r *fingerprintRule) holds(g *grouper) bool {
	var onFrames []eventMatcher
	for _, m := range r.matchers {
		if m.onFrame() {
			onFrames = append(onFrames, m)
		} else if m.match(g) == m.negate {
			return false
		}
	}
	if len(onFrames) == 0 {
		return true
	}
	for i := range g.stacks {
		for n := range g.stacks[i].frames {
			if framesHold(onFrames, &g.stacks[i].frames[n]) {
				return true
			}
		}
	}
	return false
}

func framesHold(list []eventMatcher, f *frame) bool {
	for i := range list {
		if list[i].glob.match(list[i].frameText(f)) == list[i].negate {
			return false
		}
	}
	return true
}

func (m *eventMatcher) onFrame() bool {
	switch strings.TrimPrefix(m.name, "stack.") {
	case "function", "module", "abs_path", "path", "package", "app":
		return true
	}
	return false
}

func (m *eventMatcher) frameText(f *frame) string {
	switch strings.TrimPrefix(m.name, "stack.") {
	case "function":
		return f.function
	case "module":
		return f.src.Module
	case "package":
		return f.pkg
	case "app":
		if f.inApp {
			return "1"
		}
		return "0"
	}
	return f.path
}

func (m *eventMatcher) match(g *grouper) bool {
	if key, ok := strings.CutPrefix(m.name, "tags."); ok {
		return m.glob.match(g.ev.Tags[key])
	}
	switch m.name {
	case "message":
		return m.glob.match(g.ev.Formatted) || m.glob.match(g.ev.Message) || m.anyException(g, func(e *Exception) string { return e.Value })
	case "type", "error.type":
		return m.anyException(g, func(e *Exception) string { return e.Type })
	case "value", "error.value":
		return m.anyException(g, func(e *Exception) string { return e.Value })
	}
	return m.glob.match(m.eventText(g.ev))
}

func (m *eventMatcher) anyException(g *grouper, text func(*Exception) string) bool {
	for i := range g.ev.Exceptions {
		if m.glob.match(text(&g.ev.Exceptions[i])) {
			return true
		}
	}
	return false
}

func (m *eventMatcher) eventText(ev *Event) string {
	switch m.name {
	case "logger":
		return ev.Logger
	case "level":
		return ev.Level
	case "release":
		return ev.Release
	case "sdk":
		return ev.SDK
	case "transaction":
		return ev.Transaction
	}
	return [families]string{"other", "native", "javascript"}[familyOf(ev.Platform)]
}
