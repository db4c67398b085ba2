package unleash

import (
	"slices"

	"kibitz/app/switches"
)

// maxStrategies bounds what one switch may become: sets that exclude one another multiply.
const maxStrategies = 100

// literal is a rule that must hold, or must not.
type literal struct {
	rule switches.Rule // its Not is always false
	not  bool
}

// term is literals that must all hold; none always does.
type term []literal

// formula is terms of which one must hold; none never does.
type formula []term

// always holds.
func always() formula { return formula{nil} }

// writer turns conditions into formulas.
type writer struct {
	segments map[string]switches.When
	depth    int
}

// maxNesting is how deep segments may stand in one another.
const maxNesting = 8

// when is a condition; ok is false when it becomes too large or goes round in a circle.
func (w *writer) when(c switches.When) (f formula, ok bool) {
	for _, group := range c {
		part := always()
		for _, r := range group {
			one, ok := w.rule(r)
			if !ok {
				return nil, false
			}
			if part, ok = and(part, one); !ok {
				return nil, false
			}
		}
		if f = append(f, part...); len(f) > maxStrategies {
			return nil, false
		}
	}
	return f, true
}

// rule is one rule: its values apart where a constraint takes one only, and segments written out.
func (w *writer) rule(r switches.Rule) (f formula, ok bool) {
	not := r.Not
	r.Not = false
	switch {
	case r.Op == switches.Within || r.Attribute == "segment":
		f, ok = w.within(r.Values)
	case oneValue(r) && len(r.Values) > 1:
		for _, v := range r.Values {
			r.Values = []string{v}
			f = append(f, term{{rule: r}})
		}
		ok = true
	default:
		f, ok = formula{{{rule: r}}}, true
	}
	if not && ok {
		return negate(f)
	}
	return f, ok
}

func (w *writer) within(keys []string) (f formula, ok bool) {
	if w.depth++; w.depth > maxNesting {
		return nil, false
	}
	defer func() { w.depth-- }()
	for _, key := range keys {
		one, ok := w.when(w.segments[key])
		if !ok {
			return nil, false
		}
		if f = append(f, one...); len(f) > maxStrategies {
			return nil, false
		}
	}
	return f, true
}

// oneValue tells whether a rule's constraint compares with one value only.
func oneValue(r switches.Rule) bool {
	switch r.Op {
	case switches.Prefix, switches.Suffix, switches.Contains, switches.In, switches.Present:
		return false
	case switches.Is:
		return r.FoldCase
	}
	return true
}

// and holds where both do.
func and(a, b formula) (out formula, ok bool) {
	for _, x := range a {
		for _, y := range b {
			t, possible := x.with(y)
			if !possible {
				continue
			}
			if out = append(out, t); len(out) > maxStrategies {
				return nil, false
			}
		}
	}
	return out, true
}

// with is both terms' literals, once each; possible is false when they contradict one another.
func (t term) with(other term) (out term, possible bool) {
	out = slices.Clone(t)
	for _, l := range other {
		known := false
		for _, m := range out {
			if same(l.rule, m.rule) {
				if l.not != m.not {
					return nil, false
				}
				known = true
			}
		}
		if !known {
			out = append(out, l)
		}
	}
	return out, true
}

func same(a, b switches.Rule) bool {
	return a.Attribute == b.Attribute && a.Op == b.Op && a.FoldCase == b.FoldCase && slices.Equal(a.Values, b.Values)
}

// negate holds where f does not.
func negate(f formula) (out formula, ok bool) {
	out = always()
	for _, t := range f {
		var none formula
		for _, l := range t {
			none = append(none, term{{l.rule, !l.not}})
		}
		if out, ok = and(out, none); !ok {
			return nil, false
		}
	}
	return out, true
}
