package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kibitz/app/switches"
)

// maxGroups is how many groups a query may become when its brackets are multiplied out.
const maxGroups = 100

// query reads a targeting of GO Feature Flag: its query language (name eq "x" and not (age lt 18)), or JSONLogic.
func query(c cursor) (switches.When, error) {
	if c.is(mapKind) {
		return logic(c.v, false)
	}
	text := strings.TrimSpace(c.str())
	if strings.HasPrefix(text, "{") {
		v, err := parseJSON([]byte(text), &budget{left: 10_000})
		if err != nil {
			return nil, err
		}
		return logic(v, false)
	}
	words, err := split(text)
	if err != nil {
		return nil, err
	}
	p := &parser{words: words}
	when, err := p.or(false)
	if err == nil && p.at < len(p.words) {
		err = fmt.Errorf("%q is left over", clip(p.words[p.at]))
	}
	return when, err
}

// either and both join conditions.
func either(list []switches.When) (switches.When, error) {
	out := slices.Concat(list...)
	if len(out) > maxGroups {
		return nil, fmt.Errorf("it becomes more than %d groups", maxGroups)
	}
	return out, nil
}

func both(list []switches.When) (switches.When, error) {
	out := switches.When{nil}
	for _, when := range list {
		if len(out)*len(when) > maxGroups {
			return nil, fmt.Errorf("it becomes more than %d groups", maxGroups)
		}
		var next switches.When
		for _, a := range out {
			for _, b := range when {
				next = append(next, slices.Concat(a, b))
			}
		}
		out = next
	}
	return out, nil
}

// join is and or or; turned round, each is the other.
func join(and, not bool, list []switches.When) (switches.When, error) {
	if and != not {
		return both(list)
	}
	return either(list)
}

// one is a rule, turned round where it stands under a not.
func one(r switches.Rule, not bool) switches.When {
	r.Not = r.Not != not
	return all(r)
}

// split reads words, texts in quotes with a mark before them, and brackets.
func split(text string) (words []string, err error) {
	for i := 0; i < len(text); {
		switch ch := text[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == ',':
			i++
		case strings.IndexByte("()[]", ch) >= 0:
			words, i = append(words, string(ch)), i+1
		case ch == '"' || ch == '\'':
			end := i + 1
			var b strings.Builder
			for ; end < len(text) && text[end] != ch; end++ {
				if text[end] == '\\' && end+1 < len(text) {
					end++
				}
				b.WriteByte(text[end])
			}
			if end >= len(text) {
				return nil, errors.New("a text does not end")
			}
			words, i = append(words, `"`+b.String()), end+1
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" \t\r\n,()[]\"'", rune(text[end])) {
				end++
			}
			words, i = append(words, text[i:end]), end
		}
	}
	return words, nil
}

// parser goes through the words.
type parser struct {
	words []string
	at    int
	depth int
}

func (p *parser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

func (p *parser) next() string {
	w := p.peek()
	p.at++
	return w
}

// series reads conditions that are joined by a word.
func (p *parser) series(word string, not bool, read func(bool) (switches.When, error)) (switches.When, error) {
	var list []switches.When
	for {
		when, err := read(not)
		if err != nil {
			return nil, err
		}
		if list = append(list, when); !strings.EqualFold(p.peek(), word) {
			break
		}
		p.at++
	}
	return join(word == "and", not, list)
}

func (p *parser) or(not bool) (switches.When, error)  { return p.series("or", not, p.and) }
func (p *parser) and(not bool) (switches.When, error) { return p.series("and", not, p.term) }

func (p *parser) term(not bool) (switches.When, error) {
	if p.depth++; p.depth > MaxNested {
		return nil, errors.New("it is nested too deep")
	}
	defer func() { p.depth-- }()
	switch w := p.next(); {
	case w == "":
		return nil, errors.New("it ends too early")
	case strings.EqualFold(w, "not"):
		return p.term(!not)
	case w == "(":
		when, err := p.or(not)
		if err == nil && p.next() != ")" {
			err = errors.New("a bracket is not closed")
		}
		return when, err
	default:
		return p.compare(goffAttribute(w), not)
	}
}

// queryOps are the comparisons of the query language.
func queryOps() map[string]switches.Rule {
	return map[string]switches.Rule{"eq": {Op: switches.Is}, "==": {Op: switches.Is}, "ne": {Op: switches.Is, Not: true}, "!=": {Op: switches.Is, Not: true}, "lt": {Op: switches.Less}, "<": {Op: switches.Less},
		"le": {Op: switches.AtMost}, "<=": {Op: switches.AtMost}, "gt": {Op: switches.More}, ">": {Op: switches.More}, "ge": {Op: switches.AtLeast}, ">=": {Op: switches.AtLeast},
		"co": {Op: switches.Contains}, "sw": {Op: switches.Prefix}, "ew": {Op: switches.Suffix}, "in": {Op: switches.Is}, "pr": {Op: switches.Present}}
}

func (p *parser) compare(attribute string, not bool) (switches.When, error) {
	op := strings.ToLower(p.next())
	r, ok := queryOps()[op]
	if !ok {
		return nil, fmt.Errorf("%q is no comparison", clip(op))
	}
	r.Attribute = attribute
	switch {
	case op == "pr":
	case p.peek() == "[":
		p.at++
		for p.peek() != "]" && p.peek() != "" {
			r.Values = append(r.Values, strings.TrimPrefix(p.next(), `"`))
		}
		if p.next() != "]" || len(r.Values) == 0 {
			return nil, errors.New("a list is empty or not closed")
		}
	default:
		w := p.next()
		if w == "" || w == ")" {
			return nil, errors.New("a comparison has no value")
		}
		r.Values = []string{strings.TrimPrefix(w, `"`)}
	}
	return one(r, not), nil
}

// logicOps are the comparisons of JSONLogic.
func logicOps() map[string]switches.Rule {
	return map[string]switches.Rule{"==": {Op: switches.Is}, "===": {Op: switches.Is}, "!=": {Op: switches.Is, Not: true}, "!==": {Op: switches.Is, Not: true}, "<": {Op: switches.Less}, "<=": {Op: switches.AtMost},
		">": {Op: switches.More}, ">=": {Op: switches.AtLeast}, "starts_with": {Op: switches.Prefix}, "ends_with": {Op: switches.Suffix}}
}

// logic reads JSONLogic: {"and": [{"==": [{"var": "country"}, "ch"]}, ...]}.
func logic(v *value, not bool) (switches.When, error) {
	if v.kind != mapKind || len(v.fields) != 1 {
		return nil, errors.New("expected one operation of JSONLogic")
	}
	op, arg := v.fields[0].key, v.fields[0].value
	args := []*value{arg}
	if arg.kind == listKind {
		args = arg.list
	}
	switch op {
	case "and", "or":
		return logicJoin(op == "and", args, not)
	case "!":
		if len(args) == 1 {
			return logic(args[0], !not)
		}
	case "in":
		if len(args) == 2 {
			return logicIn(args[0], args[1], not)
		}
	}
	r, ok := logicOps()[op]
	if !ok || len(args) != 2 {
		return nil, fmt.Errorf("operation %q is not known here", clip(op))
	}
	name, plain := variable(args[0]), args[1]
	if name == "" || plain.kind > textKind {
		return nil, fmt.Errorf("operation %q does not compare a variable with a value", clip(op))
	}
	r.Attribute, r.Values = name, []string{plain.text}
	return one(r, not), nil
}

func logicJoin(and bool, args []*value, not bool) (switches.When, error) {
	var list []switches.When
	for _, a := range args {
		when, err := logic(a, not)
		if err != nil {
			return nil, err
		}
		list = append(list, when)
	}
	if len(list) == 0 {
		return nil, errors.New("an operation joins nothing")
	}
	return join(and, not, list)
}

// logicIn is either a variable among values, or a text within a variable.
func logicIn(a, b *value, not bool) (switches.When, error) {
	if name := variable(a); name != "" && b.kind == listKind && len(b.list) > 0 {
		r := switches.Rule{Attribute: name, Op: switches.Is}
		for _, item := range b.list {
			if item.kind > textKind {
				return nil, errors.New("a list holds more than plain values")
			}
			r.Values = append(r.Values, item.text)
		}
		return one(r, not), nil
	}
	if name := variable(b); name != "" && a.kind == textKind {
		return one(rule(name, switches.Contains, a.text), not), nil
	}
	return nil, errors.New(`operation "in" does not ask a variable`)
}

// variable is the name in {"var": name}.
func variable(v *value) string {
	if v.kind != mapKind || len(v.fields) != 1 || v.fields[0].key != "var" {
		return ""
	}
	arg := v.fields[0].value
	if arg.kind == listKind && len(arg.list) > 0 {
		arg = arg.list[0]
	}
	if arg.kind != textKind {
		return ""
	}
	return goffAttribute(arg.text)
}
