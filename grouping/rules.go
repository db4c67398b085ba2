package grouping

// rule changes the frames that satisfy all its matchers, when the exception does, too.
type rule struct {
	text   string
	frame  []matcher
	exc    []matcher // looked at once a stack
	app    effect
	group  effect
	limits stackLimits
	cost   int // steps of the frame matchers for a byte of a frame's texts
	once   int // steps of the exception matchers for a byte of the exception's texts

	setsCategory bool
	category     string
	needs        categorySet // without which it cannot match
}

// effect is what the last flag action of each reach does: +1 sets, -1 clears, 0 is no such action. Only the last one
// counts, because a rule does all its actions for one frame after the other.
type effect struct {
	self    int8 // to the matched frame
	later   int8 // to all frames after it, toward the crash (^)
	earlier int8 // to all frames before it (v)
}

// stackLimits are variables of the whole stack that a rule sets.
type stackLimits struct {
	setsMax, setsMin, setsInvert bool
	maxFrames, minFrames         int
	invert                       bool
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

func (f field) ofException() bool { return f >= fieldType }

type matcher struct {
	field    field
	at       int8 // which frame: 0 this one, -1 its caller, 1 its callee
	negate   bool
	never    bool // its argument cannot be understood
	app      bool
	families [families]bool
	glob     glob
}

// maxRuleFrames is how many frames rules look at; those farthest from the crash are left out.
const maxRuleFrames = 1 << 12

// maxRuleWork is how many steps of globs an event may take, about half a second. Real rules on real events take a
// thousandth. Beyond it, rules with globs that are not plain literals and stars do not match: without the limit, an
// event of 1 MiB under the largest rules would take 20 minutes.
const maxRuleWork = 1 << 28

// affords counts work, and tells whether it may be done.
func (g *grouper) affords(cost, size int) bool {
	g.ruleWork = min(g.ruleWork+cost*size, maxRuleWork+1)
	return g.ruleWork <= maxRuleWork
}

// applyRules runs the base rules and the project's: first what classifies frames, then what decides on
// their contribution.
func (g *grouper) applyRules(s *stack, exc *Exception) {
	sets := [2]*ruleSet{baseRules(g.config), nil}
	if g.rules != nil {
		sets[1] = g.rules.stack
	}
	var rooms [2][256]candidate
	var work [2]ruleRun
	for i, set := range sets {
		if set != nil && len(s.frames) > 0 {
			work[i] = set.prepare(s, exc, rooms[i][:0])
			work[i].g = g
			g.work += len(work[i].found) + len(work[i].always)*min(len(s.frames), maxRuleFrames)
		}
	}
	for _, classify := range [...]bool{true, false} {
		for i := range work {
			work[i].apply(classify)
		}
	}
}

// ruleRun is the work of a rule set on one stack.
type ruleRun struct {
	g      *grouper
	set    *ruleSet
	s      *stack
	exc    *Exception
	from   int         // the first frame that rules look at
	size   int         // the bytes of all frames
	found  []candidate // by rule, then by frame
	always []uint16    // rules that are tried on every frame
}

// apply runs rules one after another: all frames that a rule matches are found before it changes any.
func (w *ruleRun) apply(classify bool) {
	var room [32]uint16 // of matched frames, counted from from
	found, always := w.found, w.always
	for len(found) > 0 || len(always) > 0 {
		if len(found) == 0 || len(always) > 0 && int(always[0]) < found[0].rule() {
			if r := &w.set.rules[always[0]]; w.concerns(r, classify) {
				w.act(r, classify, w.matchEvery(r, room[:0]))
			}
			always = always[1:]
			continue
		}
		n := 1
		for n < len(found) && found[n].rule() == found[0].rule() {
			n++
		}
		if r := &w.set.rules[found[0].rule()]; w.concerns(r, classify) {
			w.act(r, classify, w.matchFound(r, found[:n], room[:0]))
		}
		found = found[n:]
	}
}

// concerns tells whether a rule may match at all, and has something to do in this pass.
func (w *ruleRun) concerns(r *rule, classify bool) bool {
	return r.acts(classify) && w.s.categories.hold(r.needs) && w.passes(r)
}

// acts tells whether a rule has something to do in the pass that classifies frames, or in the one after it.
func (r *rule) acts(classify bool) bool {
	if classify {
		return r.setsCategory || r.app != effect{}
	}
	return r.group != effect{} || r.limits != stackLimits{}
}

// passes tells whether the stack's exception satisfies a rule.
func (w *ruleRun) passes(r *rule) bool {
	return len(r.exc) == 0 || (r.once == 0 || w.g.affords(r.once, w.exc.size())) && r.matchesException(w.exc)
}

// sizeAround is the bytes of a frame and its neighbours.
func (w *ruleRun) sizeAround(i int) (n int) {
	for k := max(0, i-1); k < min(i+2, len(w.s.frames)); k++ {
		n += w.s.frames[k].size()
	}
	return n
}

func (w *ruleRun) matchEvery(r *rule, matched []uint16) []uint16 {
	if r.cost > 0 && !w.g.affords(r.cost, w.size) {
		return matched
	}
	for i := w.from; i < len(w.s.frames); i++ {
		if r.matches(w.s.frames, i) {
			matched = append(matched, uint16(i-w.from))
		}
	}
	return matched
}

func (w *ruleRun) matchFound(r *rule, found []candidate, matched []uint16) []uint16 {
	for _, c := range found {
		i := w.from + c.frame()
		if (r.cost == 0 || w.g.affords(r.cost, w.sizeAround(i))) && r.matches(w.s.frames, i) {
			matched = append(matched, uint16(c.frame()))
		}
	}
	return matched
}

func (w *ruleRun) act(r *rule, classify bool, matched []uint16) {
	switch {
	case len(matched) == 0:
	case classify:
		w.spread(r, r.app, classify, matched)
		if r.setsCategory {
			w.s.categories |= categoryBit(r.category)
			for _, i := range matched {
				w.s.frames[w.from+int(i)].category = r.category
			}
		}
	default:
		w.spread(r, r.group, classify, matched)
		w.s.take(r.limits)
	}
}

// spread does an effect for all matched frames. The engine acts for one matched frame after the other, so of all
// actions that reach a frame those of later matches come last: one pass finds them, however many frames match.
func (w *ruleRun) spread(r *rule, e effect, classify bool, matched []uint16) {
	frames := w.s.frames
	if e.later == 0 && e.earlier == 0 {
		for _, i := range matched {
			frames[w.from+int(i)].take(e.self, classify, r)
		}
		return
	}
	first, last := w.from+int(matched[0]), w.from+int(matched[len(matched)-1])
	for i := range frames {
		is := len(matched) > 0 && i == w.from+int(matched[0])
		if is {
			matched = matched[1:]
		}
		frames[i].take(e.on(is, i > first, i < last), classify, r)
	}
}

// on is what reaches a frame that is matched itself, has a match before it, or one after it.
func (e effect) on(matched, before, after bool) int8 {
	switch {
	case after && e.earlier != 0:
		return e.earlier
	case matched && e.self != 0:
		return e.self
	case before:
		return e.later
	}
	return 0
}

// take sets a flag of a frame. A frame keeps the hint of the first rule that brought it into its state.
func (f *frame) take(to int8, classify bool, r *rule) {
	switch {
	case to == 0:
	case classify:
		f.inApp = to > 0
	case f.group != to:
		f.group, f.hint = to, r.text
	}
}

func (s *stack) take(l stackLimits) {
	if l.setsMax {
		s.maxFrames = l.maxFrames
	}
	if l.setsMin {
		s.minFrames = l.minFrames
	}
	if l.setsInvert {
		s.invert = l.invert
	}
}

// matches tells whether a frame satisfies the matchers. One about a caller or callee that does not exist never holds,
// negated or not.
func (r *rule) matches(frames []frame, i int) bool {
	for k := range r.frame {
		m := &r.frame[k]
		at := i + int(m.at)
		if at < 0 || at >= len(frames) || m.match(&frames[at]) == m.negate {
			return false
		}
	}
	return true
}

func (r *rule) matchesException(exc *Exception) bool {
	for k := range r.exc {
		m := &r.exc[k]
		if m.glob.match(orText(exc.text(m.field), "<unknown>")) == m.negate {
			return false
		}
	}
	return true
}

func (e *Exception) text(f field) string {
	switch {
	case e == nil:
		return ""
	case f == fieldType:
		return e.Type
	case f == fieldValue:
		return e.Value
	}
	return e.Mechanism.Type
}

// size is the bytes that matchers may look at.
func (e *Exception) size() int {
	if e == nil {
		return 0
	}
	return len(e.Type) + len(e.Value) + len(e.Mechanism.Type)
}

func (f *frame) size() int {
	return len(f.src.Module) + len(f.function) + len(f.path) + len(f.filename) + len(f.pkg) + len(f.category)
}

func (m *matcher) match(f *frame) bool {
	switch m.field {
	case fieldFamily:
		return m.families[f.family]
	case fieldApp:
		return f.inApp == m.app && !m.never
	case fieldModule:
		return m.matchText(f.src.Module)
	case fieldFunction:
		return m.glob.match(orText(f.function, "<unknown>"))
	case fieldPath:
		return m.matchText(f.path)
	case fieldPackage:
		return m.matchText(f.pkg)
	}
	return m.matchText(f.category)
}

// matchText is false for what a frame does not have.
func (m *matcher) matchText(s string) bool { return s != "" && m.glob.match(s) }
