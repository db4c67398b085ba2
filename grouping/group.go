package grouping

import "cmp"

// Group is that of the current configuration without rules of a project.
func Group(ev *Event) Result { return Setup{}.Group(ev) }

// Group is that of the current configuration with the rules of a project.
func (rules *Rules) Group(ev *Event) Result { return Setup{Rules: rules}.Group(ev) }

// Group finds out which issue an event belongs to, and why. It is pure and never panics: what is missing or
// malformed counts as absent, and an event with nothing to go by lands in the variant "fallback".
func (s Setup) Group(ev *Event) Result { return s.group(ev, false) }

// Explain is Group that also tells what the strategies would have found that did not decide. Its hashes are the same.
func (s Setup) Explain(ev *Event) Result { return s.group(ev, true) }

func (s Setup) group(ev *Event, explain bool) Result {
	if ev == nil {
		ev = &Event{}
	}
	g := newGrouper(splitTypes(ev), s, nil)
	g.explain = explain
	return g.result()
}

func (g *grouper) result() Result {
	ev := g.ev
	r := Result{Config: g.config, InApp: g.inApp()}
	g.title(&r)
	fp := g.fingerprint()
	if ev.Checksum != "" {
		r.Variants, r.Strategy = []Variant{checksumVariant(ev.Checksum)}, "checksum"
	} else {
		r.Variants, r.Strategy = g.variants(fp)
	}
	if fp.kind == fingerprintCustom && ev.Checksum == "" {
		r.Variants, r.Strategy = takePrecedence(fp, r.Variants), "fingerprint"
	}
	g.mainTitle(&r)
	if g.ruleTitle != "" {
		r.Title = g.ruleTitle
	}
	return r
}

// Hashes are those of the variants that contribute, in the order in which an issue is looked for.
func (r Result) Hashes() []string {
	var out []string
	for i := range r.Variants {
		if r.Variants[i].Contributes && r.Variants[i].Hash != "" {
			out = append(out, r.Variants[i].Hash)
		}
	}
	return out
}

// Deciding is the first variant that contributes: its hash is tried first. It is nil when none does.
func (r Result) Deciding() *Variant {
	for i := range r.Variants {
		if r.Variants[i].Contributes {
			return &r.Variants[i]
		}
	}
	return nil
}

// grouper is the work on one event.
type grouper struct {
	ev     *Event
	room   *Room // nil for memory of its own
	arena  *arena
	stacks []stack // one for each exception; without frames when it has none
	other  *stack  // the event's own or its main thread's, once somebody asked for it
	main   int     // the exception that gives the title; -1 when there is none
	config Config
	rules  *Rules // the project's, may be nil

	platform string // of frames that have none of their own

	ruleTitle string // given by the fingerprint rule that holds
	ruleWork  int    // what rules have cost so far; see maxRuleWork
	explain   bool   // go on when a strategy has decided

	// near is what crashFrame has found, for fingerprints that ask a thousand times.
	near struct {
		known bool
		frame *frame
	}
	// work counts frames made ready and looked at, rules tried and bytes put together. Tests hold it to a multiple of
	// the event: a clock says little on a busy machine.
	work int
}

func newGrouper(ev *Event, s Setup, room *Room) *grouper {
	g := &grouper{ev: ev, room: room, config: s.Config, rules: s.Rules, main: mainIndex(ev.Exceptions), platform: platformOf(ev.Platform)}
	if g.config == "" {
		g.config = Current
	}
	g.makeArena()
	g.stacks = make([]stack, len(ev.Exceptions))
	for i := range ev.Exceptions {
		g.stacks[i] = g.normalise(ev.Exceptions[i].Stack, &ev.Exceptions[i])
	}
	return g
}

// makeArena is that of the room, else one that has room for the exceptions.
func (g *grouper) makeArena() {
	if g.room != nil {
		g.arena = &g.room.arena
		return
	}
	frames := 0
	for i := range g.ev.Exceptions {
		if s := g.ev.Exceptions[i].Stack; s != nil {
			frames += len(s.Frames)
		}
	}
	g.arena = newArena(frames)
}

// frames is memory for n frames.
func (g *grouper) frames(n int) []frame {
	if g.room != nil {
		return g.room.take(n)
	}
	return make([]frame, n)
}

func (g *grouper) inApp() [][]bool {
	if len(g.stacks) == 0 {
		return nil
	}
	out := make([][]bool, len(g.stacks))
	for i, s := range g.stacks {
		if g.ev.Exceptions[i].Stack == nil {
			continue
		}
		out[i] = make([]bool, len(s.frames))
		for n := range s.frames {
			out[i][n] = s.frames[n].inApp
		}
	}
	return out
}

// variants tries the strategies in order; the first that finds something decides.
func (g *grouper) variants(fp fingerprint) ([]Variant, string) {
	var passed []Variant // looked at, and found to say nothing
	for n, s := range strategies {
		p := s.run(g)
		if p.app == nil && p.system == nil {
			continue
		}
		vs := p.variants(s, fp)
		if vs[0].Contributes {
			return append(vs, g.others(n, s.name, passed)...), s.name
		}
		passed = append(passed, vs...)
	}
	return append(fallback(), passed...), "fallback"
}

// others are the variants of the strategies that did not decide, when somebody wants to know.
func (g *grouper) others(decided int, name string, passed []Variant) []Variant {
	if !g.explain {
		return nil
	}
	for _, s := range strategies[decided+1:] {
		p := s.run(g)
		if p.app == nil && p.system == nil {
			continue
		}
		for _, v := range p.variants(s, fingerprint{}) {
			v.Contributes, v.Hash, v.Hint = false, "", "the "+name+" decides"
			passed = append(passed, v)
		}
	}
	return passed
}

func fallback() []Variant {
	return []Variant{{Name: "fallback", Contributes: true, Hint: "nothing in the event says what it is about", Hash: hashBytes(nil), Strategy: "fallback"}}
}

// pair is what a strategy found, looked at in two ways. A strategy without stack traces fills app only.
type pair struct{ app, system *Component }

func (p pair) variants(s strategy, fp fingerprint) []Variant {
	if p.system == nil || p.app == nil {
		p = pair{app: cmp.Or(p.app, p.system)}
		return []Variant{p.app.variant(s.single, s.name, "", fp)}
	}
	appHint, systemHint := "", ""
	appStack, systemStack := p.app.stackContributes(), p.system.stackContributes()
	if systemStack && !appStack {
		p.app.Contributes, appHint = false, "no stack trace counts here, while one does in system"
	}
	if appStack && !systemStack {
		p.system.Contributes, systemHint = false, "no stack trace counts here, while one does in app"
	}
	app, system := p.app.variant("app", s.name, appHint, fp), p.system.variant("system", s.name, systemHint, fp)
	if system.Contributes && system.Hash == app.Hash {
		system = Variant{Name: "system", Hint: "the hash is the same as that of app", Strategy: s.name, Root: p.system}
	}
	if !app.Contributes && system.Contributes {
		return []Variant{system, app}
	}
	return []Variant{app, system}
}

func (c *Component) variant(name, strategy, hint string, fp fingerprint) Variant {
	v := Variant{Name: name, Contributes: c.Contributes, Hint: hint, Strategy: strategy, Root: c}
	switch {
	case !c.Contributes:
	case fp.kind == fingerprintHybrid:
		v.Hash, v.Hint, v.Fingerprint = fp.splice(c), fp.source+" fingerprint: "+quoted(fp.values), fp.values
	default:
		v.Hash = c.hash()
	}
	return v
}

// checksumVariant takes a checksum of 32 hex digits as the hash itself, and hashes any other.
func checksumVariant(sum string) Variant {
	v := Variant{Name: "checksum", Contributes: true, Strategy: "checksum", Hash: sum}
	if !isMD5(sum) {
		v.Name, v.Hash, v.Hint = "hashed_checksum", hashBytes([]byte(sum)), "the checksum is hashed, for it is not 32 hex digits"
	}
	return v
}

func isMD5(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
