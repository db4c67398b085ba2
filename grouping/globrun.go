package grouping

// globOp is one step of a glob's automaton: it takes a byte and goes on to next, or, as a fork, goes on to both next and
// alt without taking one. A step behind the last is the end of the pattern.
type globOp struct {
	set       *byteSet // nil: the byte b
	b         byte
	fork      bool
	next, alt uint16
}

// assembler makes a program of tokens, the steps in the order of the pattern.
type assembler struct {
	ops       []globOp
	any, part *byteSet // what ? and ** take, and what stars take
}

func assemble(tokens []globToken, o globOptions) []globOp {
	a := &assembler{any: &byteSet{}, part: &byteSet{}}
	if !o.newline {
		a.any.add('\n')
	}
	*a.part = *a.any
	if o.path {
		*a.part = byteSet{}
		a.part.add('/')
	}
	a.any.invert()
	a.part.invert()
	a.tokens(tokens)
	return a.ops
}

func (a *assembler) tokens(list []globToken) {
	for i, t := range list {
		switch t.kind {
		case tokenByte:
			a.take(globOp{b: t.b})
		case tokenAny:
			a.take(globOp{set: a.part})
		case tokenSet:
			a.take(globOp{set: t.set})
		case tokenStar:
			if i == 0 || list[i-1].kind != tokenStar {
				a.repeat(a.part)
			}
		case tokenAll:
			a.repeat(a.any)
		case tokenChoice:
			a.choice(t.choices)
		default:
			a.tree(t.kind)
		}
	}
}

func (a *assembler) here() uint16 { return uint16(len(a.ops)) }

func (a *assembler) take(op globOp) {
	op.next = a.here() + 1
	a.ops = append(a.ops, op)
}

func (a *assembler) repeat(set *byteSet) {
	at := a.here()
	a.ops = append(a.ops, globOp{fork: true, next: at + 1, alt: at + 2}, globOp{set: set, next: at})
}

// tree is **/ as nothing or anything up to a slash, with a slash before it within a pattern; /** ends with anything.
func (a *assembler) tree(kind tokenKind) {
	if kind != tokenTreeBefore {
		a.take(globOp{b: '/'})
	}
	if kind == tokenTreeAfter {
		a.repeat(a.any)
		return
	}
	fork := a.here()
	a.ops = append(a.ops, globOp{fork: true, next: fork + 1})
	a.repeat(a.any)
	a.take(globOp{b: '/'})
	a.ops[fork].alt = a.here()
}

func (a *assembler) choice(choices [][]globToken) {
	var ends []int // the forks that leave an alternative
	for i, tokens := range choices {
		fork := -1
		if i < len(choices)-1 {
			fork = len(a.ops)
			a.ops = append(a.ops, globOp{fork: true, next: a.here() + 1})
		}
		a.tokens(tokens)
		if fork >= 0 {
			ends = append(ends, len(a.ops))
			a.ops = append(a.ops, globOp{fork: true})
			a.ops[fork].alt = a.here()
		}
	}
	for _, at := range ends {
		a.ops[at].next, a.ops[at].alt = a.here(), a.here()
	}
}

// globRun is the steps that the text so far has led to. Each is held once, so that a byte of the text costs as many
// steps as the program has at most: a pattern can never be slower than its length times that of the text.
type globRun struct {
	ops       []globOp
	now, then []uint16
	mark      []uint32 // the round in which a step was reached
	round     uint32
	ended     bool
}

// run matches s, as if a slash stood before it when rooted.
func (g *glob) run(s string, rooted bool) bool {
	if g.table != nil {
		return g.table.run(s, rooted)
	}
	n := len(g.program)
	r := &globRun{ops: g.program, now: make([]uint16, 0, n), then: make([]uint16, 0, n), mark: make([]uint32, n)}
	r.start()
	if rooted {
		r.step('/')
	}
	for i := 0; i < len(s); i++ {
		if len(r.now) == 0 {
			return false
		}
		r.step(s[i])
	}
	return r.ended
}

func (r *globRun) start() {
	r.round = 1
	r.reach(0)
	r.now, r.then = r.then, r.now
}

func (r *globRun) step(b byte) {
	r.then, r.ended = r.then[:0], false
	r.round++
	for _, at := range r.now {
		if op := &r.ops[at]; op.takes(b) {
			r.reach(op.next)
		}
	}
	r.now, r.then = r.then, r.now
}

func (op *globOp) takes(b byte) bool {
	return op.set == nil && op.b == b || op.set != nil && op.set.has(b)
}

// reach adds a step, and the steps that a fork leads to.
func (r *globRun) reach(at uint16) {
	for int(at) < len(r.ops) && r.mark[at] != r.round {
		r.mark[at] = r.round
		op := &r.ops[at]
		if !op.fork {
			r.then = append(r.then, at)
			return
		}
		r.reach(op.alt)
		at = op.next
	}
	r.ended = r.ended || int(at) == len(r.ops)
}
