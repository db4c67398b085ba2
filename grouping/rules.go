package grouping

import (
	"slices"
	"strconv"
	"strings"
)

// ruleSet is compiled stack trace rules, indexed by what a frame must have for a rule to match.
type ruleSet struct {
	rules []rule
	index [families]ruleIndex
}

// ruleIndex finds the rules that may match a frame: by the first byte of its module or function, by a part of
// its path or package, and those that must always be looked at.
type ruleIndex struct {
	module, function [256][]uint16
	path, pkg        map[string][]uint16
	always           []uint16
}

// rule changes frames that satisfy all matchers; caller and callee are about the frames before and after.
type rule struct {
	text                  string
	frame, caller, callee []matcher
	actions               []action
}

type field uint8

const (
	fieldFamily field = iota
	fieldModule
	fieldFunction
	fieldPath
	fieldPackage
	fieldCategory
	fieldApp
	fieldType
	fieldValue
	fieldMechanism
)

type matcher struct {
	field    field
	negate   bool
	app      bool
	families [families]bool
	glob     glob
}

type actionKind uint8

const (
	actionApp actionKind = iota
	actionGroup
	actionCategory
	actionMaxFrames
	actionMinFrames
	actionInvert
)

// action is what a rule does: to the frame itself, to all after it (reach 1) or to all before it (reach -1).
type action struct {
	kind  actionKind
	reach int8
	on    bool
	n     int
	text  string
}

func (a *action) classifies() bool { return a.kind == actionApp || a.kind == actionCategory }

// candidate is a rule that may match a frame. Its order is that in which rules are applied.
type candidate uint32

func (c candidate) rule() int  { return int(c >> 16) }
func (c candidate) frame() int { return int(c & 0xffff) }

// maxRuleFrames is how many frames rules look at; those farthest from the crash are left out.
const maxRuleFrames = 1 << 12

// applyRules runs the base rules and the project's: first what classifies frames, then what decides on
// their contribution.
func (g *grouper) applyRules(s *stack, exc *Exception) {
	sets := [2]*ruleSet{baseRules(), nil}
	if g.rules != nil {
		sets[1] = g.rules.stack
	}
	var rooms [2][256]candidate
	var found [2][]candidate
	for i, set := range sets {
		if set != nil {
			found[i] = set.candidates(s, rooms[i][:0])
			g.work += len(found[i])
		}
	}
	for i, set := range sets {
		set.apply(s, exc, found[i], true)
	}
	for i, set := range sets {
		set.apply(s, exc, found[i], false)
	}
}

func (set *ruleSet) candidates(s *stack, out []candidate) []candidate {
	from := max(0, len(s.frames)-maxRuleFrames)
	for i := from; i < len(s.frames); i++ {
		f := &s.frames[i]
		at := candidate(i - from)
		add := func(rules []uint16) {
			for _, r := range rules {
				out = append(out, candidate(r)<<16|at)
			}
		}
		index := &set.index[f.family]
		add(index.always)
		if m := f.src.Module; m != "" {
			add(index.module[m[0]])
		}
		if fn := f.function; fn != "" {
			add(index.function[fn[0]])
		}
		eachSegment(f.path, index.path, add)
		eachSegment(f.pkg, index.pkg, add)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func eachSegment(path string, index map[string][]uint16, add func([]uint16)) {
	if path == "" || len(index) == 0 {
		return
	}
	for rest := path; rest != ""; {
		i := strings.IndexByte(rest, '/')
		segment := rest
		if i >= 0 {
			segment, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		if rules := index[segment]; rules != nil {
			add(rules)
		}
	}
}

// apply runs rules one after another: all frames that a rule matches are found before it changes any.
func (set *ruleSet) apply(s *stack, exc *Exception, found []candidate, classify bool) {
	from := max(0, len(s.frames)-maxRuleFrames)
	for len(found) > 0 {
		r := &set.rules[found[0].rule()]
		n := 1
		for n < len(found) && found[n].rule() == found[0].rule() {
			n++
		}
		if r.has(classify) {
			r.run(s, exc, found[:n], from, classify)
		}
		found = found[n:]
	}
}

func (r *rule) has(classify bool) bool {
	for i := range r.actions {
		if r.actions[i].classifies() == classify {
			return true
		}
	}
	return false
}

func (r *rule) run(s *stack, exc *Exception, found []candidate, from int, classify bool) {
	matched := found[:0:0]
	if len(found) <= 32 {
		var room [32]candidate
		matched = room[:0]
	}
	for _, c := range found {
		if r.matches(s, exc, from+c.frame()) {
			matched = append(matched, c)
		}
	}
	for i := range r.actions {
		a := &r.actions[i]
		if a.classifies() == classify {
			r.act(s, a, matched, from)
		}
	}
}

// act does one action for all matched frames. A range covers what the frame nearest its end covers, so one
// pass is enough however many frames match.
func (r *rule) act(s *stack, a *action, matched []candidate, from int) {
	if len(matched) == 0 {
		return
	}
	first, last := from+matched[0].frame(), from+matched[len(matched)-1].frame()
	switch {
	case a.kind == actionMaxFrames:
		s.maxFrames = a.n
	case a.kind == actionMinFrames:
		s.minFrames = a.n
	case a.kind == actionInvert:
		s.invert = a.on
	case a.reach > 0:
		for i := first + 1; i < len(s.frames); i++ {
			s.frames[i].take(a, r)
		}
	case a.reach < 0:
		for i := 0; i < last; i++ {
			s.frames[i].take(a, r)
		}
	default:
		for _, c := range matched {
			s.frames[from+c.frame()].take(a, r)
		}
	}
}

func (f *frame) take(a *action, r *rule) {
	switch a.kind {
	case actionApp:
		f.inApp = a.on
	case actionCategory:
		f.category = a.text
	case actionGroup:
		f.group, f.hint = -1, r.text
		if a.on {
			f.group = 1
		}
	}
}

func (r *rule) matches(s *stack, exc *Exception, i int) bool {
	if !matchAll(r.frame, &s.frames[i], exc) {
		return false
	}
	if len(r.caller) > 0 && (i == 0 || !matchAll(r.caller, &s.frames[i-1], exc)) {
		return false
	}
	return len(r.callee) == 0 || i+1 < len(s.frames) && matchAll(r.callee, &s.frames[i+1], exc)
}

func matchAll(list []matcher, f *frame, exc *Exception) bool {
	for i := range list {
		if list[i].match(f, exc) == list[i].negate {
			return false
		}
	}
	return true
}

func (m *matcher) match(f *frame, exc *Exception) bool {
	switch m.field {
	case fieldFamily:
		return m.families[f.family]
	case fieldApp:
		return f.inApp == m.app
	case fieldModule:
		return m.matchText(f.src.Module)
	case fieldFunction:
		return m.glob.match(orText(f.function, "<unknown>"))
	case fieldPath:
		return m.matchText(f.path)
	case fieldPackage:
		return m.matchText(f.pkg)
	case fieldCategory:
		return m.matchText(f.category)
	}
	if exc == nil {
		return m.glob.match("<unknown>")
	}
	switch m.field {
	case fieldType:
		return m.glob.match(orText(exc.Type, "<unknown>"))
	case fieldValue:
		return m.glob.match(orText(exc.Value, "<unknown>"))
	}
	return m.glob.match(orText(exc.Mechanism.Type, "<unknown>"))
}

// matchText is false for what a frame does not have.
func (m *matcher) matchText(s string) bool { return s != "" && m.glob.match(s) }

// newRuleSet indexes rules.
func newRuleSet(rules []rule) *ruleSet {
	set := &ruleSet{rules: rules}
	for fam := range set.index {
		set.index[fam].path, set.index[fam].pkg = map[string][]uint16{}, map[string][]uint16{}
	}
	for n := range rules {
		for fam := range set.index {
			if rules[n].concerns(family(fam)) {
				set.index[fam].add(&rules[n], uint16(n))
			}
		}
	}
	return set
}

func (r *rule) concerns(fam family) bool {
	for i := range r.frame {
		if m := &r.frame[i]; m.field == fieldFamily && m.families[fam] == m.negate {
			return false
		}
	}
	return true
}

func (x *ruleIndex) add(r *rule, n uint16) {
	for i := range r.frame {
		m := &r.frame[i]
		literal := m.glob.kind <= globPrefix && m.glob.text != ""
		switch {
		case m.negate:
		case m.field == fieldModule && literal:
			x.module[m.glob.text[0]] = append(x.module[m.glob.text[0]], n)
			return
		case m.field == fieldFunction && literal && m.glob.text[0] != '<':
			x.function[m.glob.text[0]] = append(x.function[m.glob.text[0]], n)
			return
		case m.field == fieldPath && m.glob.segment != "":
			x.path[m.glob.segment] = append(x.path[m.glob.segment], n)
			return
		case m.field == fieldPackage && m.glob.segment != "":
			x.pkg[m.glob.segment] = append(x.pkg[m.glob.segment], n)
			return
		}
	}
	x.always = append(x.always, n)
}

func parseBool(s string) (on, ok bool) {
	switch s {
	case "1", "yes", "true":
		return true, true
	case "0", "no", "false":
		return false, true
	}
	return false, false
}

func parseCount(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}
