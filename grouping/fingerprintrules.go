package grouping

import (
	"cmp"
	"strings"
)

// fingerprintRule gives events that satisfy all matchers a fingerprint.
type fingerprintRule struct {
	event, exceptions, messages, frames []eventMatcher // by what they look at
	values                              []string
	title                               string
	builtIn                             bool // stands behind the client's own fingerprint
	cost                                int  // steps for a byte of the event's texts
}

// eventSubject is an event as fingerprint rules see it.
type eventSubject struct {
	*grouper
	stacks []stack // of exceptions, of the event itself and of threads; nil until a rule asks for frames
	size   int     // the bytes of all texts but those of frames, and of these once they are there
}

func newEventSubject(g *grouper) *eventSubject {
	v := &eventSubject{grouper: g, size: len(g.ev.Message) + len(g.ev.Formatted)}
	for i := range g.ev.Exceptions {
		v.size += g.ev.Exceptions[i].size()
	}
	return v
}

// frames are all stacks. Clients put stacks where they like.
func (v *eventSubject) frames() []stack {
	if v.stacks != nil {
		return v.stacks
	}
	v.stacks = append(v.stacks, v.grouper.stacks...)
	v.stacks = append(v.stacks, v.normalise(v.ev.Stacktrace, nil))
	for i := range v.ev.Threads {
		v.stacks = append(v.stacks, v.normalise(v.ev.Threads[i].Stack, nil))
	}
	for i := range v.stacks {
		for n := range v.stacks[i].frames {
			v.size += v.stacks[i].frames[n].size()
		}
	}
	return v.stacks
}

type eventMatcher struct {
	field    eventField
	tag      string
	negate   bool
	never    bool
	app      bool
	families [families]bool
	globs    []glob // one must match
}

type eventField uint8

const (
	eventFamily eventField = iota
	eventLogger
	eventLevel
	eventRelease
	eventSDK
	eventTransaction
	eventTag
	eventType // from here on, of an exception
	eventValue
	eventMessage // a message or an exception's value
	eventModule  // from here on, of a frame
	eventFunction
	eventPath
	eventFilename
	eventPackage
	eventApp
)

// add puts a matcher beside those that must hold for the same thing.
func (r *fingerprintRule) add(m eventMatcher) {
	r.cost++ // case, and paths, are made the same for each matcher
	for i := range m.globs {
		r.cost += m.globs[i].cost()
	}
	switch {
	case m.field >= eventModule:
		r.frames = append(r.frames, m)
	case m.field == eventMessage:
		r.messages = append(r.messages, m)
	case m.field >= eventType:
		r.exceptions = append(r.exceptions, m)
	default:
		r.event = append(r.event, m)
	}
}

// count is how many matchers there are.
func (r *fingerprintRule) count() int {
	return len(r.event) + len(r.exceptions) + len(r.messages) + len(r.frames)
}

// serverFingerprint is that of the first rule that holds. Built-in rules come after all others, and never take the
// place of a fingerprint that the client made up wholly.
func (g *grouper) serverFingerprint() (fingerprint, bool) {
	if g.rules == nil {
		return fingerprint{}, false
	}
	v := newEventSubject(g)
	if r := v.firstRule(false); r != nil {
		return g.ruleFingerprint(r, "server"), true
	}
	if classify(g.ev.Fingerprint, "client").kind == fingerprintCustom {
		return fingerprint{}, false
	}
	if r := v.firstRule(true); r != nil {
		return g.ruleFingerprint(r, "built-in"), true
	}
	return fingerprint{}, false
}

func (v *eventSubject) firstRule(builtIn bool) *fingerprintRule {
	for i := range v.rules.fingerprints {
		if r := &v.rules.fingerprints[i]; r.builtIn == builtIn && r.holds(v) {
			return r
		}
	}
	return nil
}

func (g *grouper) ruleFingerprint(r *fingerprintRule, source string) fingerprint {
	g.ruleTitle = g.fillTitle(r.title)
	return g.fill(classify(r.values, source))
}

// fillTitle puts the event's values in the place of a title's variables. People read it, so that a message is not
// parameterised in it.
func (g *grouper) fillTitle(title string) string {
	var b strings.Builder
	for _, part := range splitVariables(title) {
		switch name, ok := variable(part); {
		case !ok || name == "default":
			b.WriteString(part)
		case name == "message":
			b.WriteString(orNo(firstLine(g.text()), "message"))
		case name == "value" || name == "error.value":
			b.WriteString(orNo(firstLine(g.mainException().Value), "value"))
		default:
			b.WriteString(firstLine(g.variable(name)))
		}
	}
	return firstLine(b.String())
}

// holds tells whether the event satisfies all matchers. Those about an exception must hold for one and the same of the
// chain, those about frames for one and the same frame, negated ones too.
func (r *fingerprintRule) holds(v *eventSubject) bool {
	for i := range r.event {
		if m := &r.event[i]; m.matchEvent(v.ev) == m.negate {
			return false
		}
	}
	if len(r.frames) > 0 {
		v.frames()
	}
	return (len(r.event) == r.count() || v.affords(r.cost, v.size)) && (len(r.exceptions) == 0 || r.anyException(v.ev)) &&
		(len(r.messages) == 0 || r.anyMessage(v.ev)) && (len(r.frames) == 0 || r.anyFrame(v.stacks))
}

func (r *fingerprintRule) anyException(ev *Event) bool {
	for i := range ev.Exceptions {
		if allExceptions(r.exceptions, &ev.Exceptions[i]) {
			return true
		}
	}
	return false
}

func allExceptions(list []eventMatcher, e *Exception) bool {
	for i := range list {
		text := e.Type
		if list[i].field == eventValue {
			text = e.Value
		}
		if list[i].matchText(text) == list[i].negate {
			return false
		}
	}
	return true
}

// anyMessage looks at messages and at what exceptions say: people cannot tell which of the two they see.
func (r *fingerprintRule) anyMessage(ev *Event) bool {
	if text := cmp.Or(ev.Formatted, ev.Message); text != "" && allText(r.messages, text) {
		return true
	}
	for i := range ev.Exceptions {
		if allText(r.messages, ev.Exceptions[i].Value) {
			return true
		}
	}
	return false
}

func allText(list []eventMatcher, text string) bool {
	for i := range list {
		if list[i].matchText(text) == list[i].negate {
			return false
		}
	}
	return true
}

func (r *fingerprintRule) anyFrame(stacks []stack) bool {
	for i := range stacks {
		if r.inStack(&stacks[i]) {
			return true
		}
	}
	return false
}

func (r *fingerprintRule) inStack(s *stack) bool {
	for i := range s.frames {
		if allFrames(r.frames, &s.frames[i]) {
			return true
		}
	}
	return false
}

func allFrames(list []eventMatcher, f *frame) bool {
	for i := range list {
		if list[i].matchFrame(f) == list[i].negate {
			return false
		}
	}
	return true
}

func (m *eventMatcher) matchFrame(f *frame) bool {
	switch m.field {
	case eventApp:
		return f.inApp == m.app && !m.never
	case eventModule:
		return m.matchText(orText(f.src.Module, "<unknown>"))
	case eventFunction:
		return m.matchText(orText(f.function, "<unknown>"))
	case eventPackage:
		return m.matchText(f.pkg)
	case eventFilename:
		return m.matchText(lowerPath(f.filename))
	}
	// Clients do not agree which of the two holds the path.
	return m.matchText(orText(f.path, "<unknown>")) || f.filename != "" && m.matchText(lowerPath(f.filename))
}

func (m *eventMatcher) matchEvent(ev *Event) bool {
	switch m.field {
	case eventFamily:
		return m.families[familyOf(ev.Platform)]
	case eventTag:
		return m.matchText(ev.Tags[m.tag])
	case eventLogger:
		return m.matchText(ev.Logger)
	case eventLevel:
		return m.matchText(levelOf(ev.Level))
	case eventRelease:
		return m.matchText(ev.Release)
	case eventTransaction:
		return m.matchText(ev.Transaction)
	}
	return m.matchSDK(ev.SDK)
}

// matchSDK matches a name like sentry.javascript.react, or what it begins with: a rule for sentry.javascript holds for
// all that build on it.
func (m *eventMatcher) matchSDK(name string) bool {
	for name != "" {
		if m.matchText(name) {
			return true
		}
		name = name[:max(0, strings.LastIndexByte(name, '.'))]
	}
	return false
}

// folds tells whether case does not matter.
func (f eventField) folds() bool {
	return f == eventValue || f == eventMessage || f == eventLevel || f == eventSDK
}

// matchText is false for what an event does not have.
func (m *eventMatcher) matchText(s string) bool {
	if s == "" {
		return false
	}
	if m.field.folds() {
		s = strings.ToLower(s)
	}
	for i := range m.globs {
		if m.globs[i].match(s) {
			return true
		}
	}
	return false
}
