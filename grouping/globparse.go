package grouping

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxAlternatives bounds {a,b,c} in one glob: each is a branch that the automaton follows at every byte.
const maxAlternatives = 256

type tokenKind uint8

const (
	tokenByte       tokenKind = iota
	tokenAny                  // ?
	tokenStar                 // *
	tokenSet                  // [a-z]
	tokenTreeBefore           // **/ at the beginning: nothing, or any parts of a path
	tokenTreeWithin           // /**/
	tokenTreeAfter            // /** at the end
	tokenAll                  // ** alone
	tokenChoice               // {a,b}
)

type globToken struct {
	kind    tokenKind
	b       byte
	set     *byteSet
	choices [][]globToken
}

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// fold adds the other case of every letter.
func (s *byteSet) fold() {
	for c := byte('a'); c <= 'z'; c++ {
		if s.has(c) || s.has(c-32) {
			s.add(c)
			s.add(c - 32)
		}
	}
}

// globParser reads a pattern from left to right. Inside braces, tokens is the alternative that is read.
type globParser struct {
	pattern string
	at      int
	fold    bool
	tokens  []globToken
	outer   []globToken   // the tokens before the open brace
	closed  [][]globToken // the alternatives before this one
	inside  bool
	count   int // alternatives in the whole pattern
}

// parse fills tokens; it returns what is wrong with the pattern, "" when nothing is.
func (p *globParser) parse() (problem string) {
	for p.at < len(p.pattern) && problem == "" {
		c := p.pattern[p.at]
		p.at++
		switch c {
		case '?':
			p.push(globToken{kind: tokenAny})
		case '*':
			p.star()
		case '[':
			problem = p.class()
		case '{', ',', '}':
			problem = p.brace(c)
		case '\\':
			problem = p.escape()
		default:
			p.literal(c)
		}
	}
	if problem == "" && p.inside {
		problem = "{ is not closed"
	}
	if len(p.tokens) == 1 && p.tokens[0].kind == tokenTreeBefore {
		p.tokens[0].kind = tokenAll
	}
	return problem
}

func (p *globParser) push(t globToken) { p.tokens = append(p.tokens, t) }

func (p *globParser) literal(c byte) {
	if p.fold && c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	p.push(globToken{kind: tokenByte, b: c})
}

func (p *globParser) escape() string {
	if p.at == len(p.pattern) {
		return `a \ at the end escapes nothing`
	}
	p.literal(p.pattern[p.at])
	p.at++
	return ""
}

// brace opens, divides and closes alternatives. An empty one is left out, and a } without its { stands for nothing:
// so it is in globset.
func (p *globParser) brace(c byte) string {
	switch {
	case c == '{' && p.inside:
		return "{ stands within {"
	case c == '{':
		p.outer, p.tokens, p.inside = p.tokens, nil, true
		return ""
	case c == ',' && !p.inside:
		p.literal(',')
		return ""
	case !p.inside:
		p.push(globToken{kind: tokenChoice})
		return ""
	}
	if len(p.tokens) > 0 {
		p.closed = append(p.closed, p.tokens)
	}
	p.tokens = nil
	if p.count++; p.count > maxAlternatives {
		return fmt.Sprintf("%s: more than %d alternatives in one glob; divide them among several rules", LimitAlternatives, maxAlternatives)
	}
	if c == '}' {
		choices := p.closed
		p.tokens, p.outer, p.closed, p.inside = p.outer, nil, nil, false
		p.push(globToken{kind: tokenChoice, choices: choices})
	}
	return ""
}

// star reads * and **. Two stars cross slashes only where they are a whole part of a path.
func (p *globParser) star() {
	before := byte(0)
	if p.at > 1 {
		before = p.pattern[p.at-2]
	}
	if p.peek() != '*' {
		p.push(globToken{kind: tokenStar})
		return
	}
	p.at++
	next, end := p.peek(), p.at == len(p.pattern)
	starts := len(p.tokens) == 0
	part := before == '/' || p.inside && (before == ',' || before == '{')
	ends := end || p.inside && (next == ',' || next == '}')
	switch {
	case starts && (end || next == '/'):
		p.at = min(p.at+1, len(p.pattern))
		p.push(globToken{kind: tokenTreeBefore})
	case starts, !part, !ends && next != '/':
		p.push(globToken{kind: tokenStar})
	default:
		if !ends {
			p.at++
		}
		p.tree(ends)
	}
}

func (p *globParser) peek() byte {
	if p.at < len(p.pattern) {
		return p.pattern[p.at]
	}
	return 0
}

// tree puts ** in the place of the slash before it. Of several in a row one is enough.
func (p *globParser) tree(ends bool) {
	last := len(p.tokens) - 1
	switch k := p.tokens[last].kind; {
	case k == tokenTreeBefore || k == tokenTreeAfter:
	case ends:
		p.tokens[last] = globToken{kind: tokenTreeAfter}
	default:
		p.tokens[last] = globToken{kind: tokenTreeWithin}
	}
}

// class reads [abc], [a-z] and [!a]. A character beyond ASCII counts as each of its bytes.
func (p *globParser) class() string {
	rest := p.pattern[p.at:]
	negate := rest != "" && (rest[0] == '!' || rest[0] == '^')
	if negate {
		rest = rest[1:]
	}
	end := -1
	if rest != "" {
		end = strings.IndexByte(rest[1:], ']') // a ] at the beginning is a member
	}
	if end < 0 {
		return "[ is not closed"
	}
	members := rest[:end+1]
	set := &byteSet{}
	if problem := addMembers(set, members); problem != "" {
		return problem
	}
	if p.fold {
		set.fold()
	}
	if negate {
		set.invert()
	}
	p.at = len(p.pattern) - len(rest) + len(members) + 1
	p.push(globToken{kind: tokenSet, set: set})
	return ""
}

// addMembers adds what stands between the brackets. A range that goes on, as in a-c-e, takes its last end.
func addMembers(set *byteSet, members string) string {
	var ranges [][2]string
	inRange := false
	for i := 0; i < len(members); {
		_, n := utf8.DecodeRuneInString(members[i:])
		c := members[i : i+n]
		i += n
		switch last := len(ranges) - 1; {
		case inRange:
			if ranges[last][1], inRange = c, false; c < ranges[last][0] {
				return emptyRange(ranges[last])
			}
		case c == "-" && last >= 0:
			inRange = true
		default:
			ranges = append(ranges, [2]string{c, c})
		}
	}
	if inRange {
		set.add('-')
	}
	return addRanges(set, ranges)
}

// addRanges adds ranges of characters. The bytes of one beyond ASCII are members each, and the range is between those
// that stand at the hyphen.
func addRanges(set *byteSet, ranges [][2]string) string {
	for _, r := range ranges {
		for _, end := range r {
			for i := range len(end) {
				set.add(end[i])
			}
		}
		if r[0] == r[1] {
			continue
		}
		low, high := r[0][len(r[0])-1], r[1][0]
		if low > high {
			return emptyRange(r)
		}
		for b := int(low); b <= int(high); b++ {
			set.add(byte(b))
		}
	}
	return ""
}

func emptyRange(r [2]string) string {
	return fmt.Sprintf("the range %s-%s in [ ] is empty", r[0], r[1])
}
