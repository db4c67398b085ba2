package grouping

import "strings"

// glob is a compiled pattern. Its syntax is that of Rust's globset, which Sentry's rules are written for: * ? [a-z]
// [!a] {a,b} and ** as a whole part of a path. It works on bytes. Most patterns are a few literals with stars between
// them and are compared without interpretation; the others run as an automaton that reads each byte once.
type glob struct {
	shape    globShape
	isPath   bool // * and ? stop at a slash; a text without a leading slash is tried with one, too
	newline  bool // wildcards match a line end
	text     string
	literals []string   // of shapeLiterals: begins with the first, ends with the last, holds the others in this order
	program  []globOp   // nil for shapeExact
	table    *globTable // of the program; nil when it would be too large
	lead     string     // what every match begins with; "" in paths
	segment  string     // a part of the path that every match has; "" when there is none
	must     string     // of shapeProgram: a text that every match holds; looking for it costs a tenth of a run
}

type globShape uint8

const (
	shapeNever    globShape = iota // an invalid pattern
	shapeExact                     // text
	shapeLiterals                  // literals with stars between them
	shapeBelow                     // text/**
	shapeNamed                     // **/text
	shapeInside                    // **/text/**
	shapeProgram                   // anything else
)

// globOptions are how a pattern is read.
type globOptions struct {
	path    bool // a path: backslashes are slashes, and case does not matter
	fold    bool // case does not matter; the text that is matched must be in lower case
	newline bool // wildcards match a line end
}

// compileGlob compiles a pattern. An invalid one never matches, and the problem says why.
func compileGlob(pattern string, o globOptions) (g glob, problem string) {
	if o.path {
		pattern, o.fold = strings.ReplaceAll(pattern, `\`, "/"), true
	}
	p := globParser{pattern: pattern, fold: o.fold}
	if problem = p.parse(); problem != "" {
		return glob{}, problem
	}
	g = glob{shape: shapeProgram, isPath: o.path, newline: o.newline}
	if !g.reduce(p.tokens) {
		g.literals = nil
	}
	if !o.path {
		g.lead = leadingLiteral(p.tokens)
	}
	if o.path {
		g.segment = literalSegment(p.tokens)
	}
	if g.shape != shapeExact {
		g.program = assemble(p.tokens, o)
		if g.shape == shapeProgram {
			g.table, g.must = tabulate(g.program), longestLiteral(p.tokens)
		}
	}
	return g, ""
}

// reduce finds the shape of tokens that need no automaton.
func (g *glob) reduce(tokens []globToken) bool {
	if g.isPath {
		return g.reducePath(tokens)
	}
	var literal []byte
	for _, t := range tokens {
		switch t.kind {
		case tokenByte:
			literal = append(literal, t.b)
		case tokenStar, tokenAll:
			g.literals, literal = append(g.literals, string(literal)), nil
		default:
			return false
		}
	}
	g.shape, g.text = shapeExact, string(literal)
	if g.literals != nil {
		g.shape, g.literals, g.text = shapeLiterals, append(g.literals, string(literal)), ""
	}
	return true
}

func (g *glob) reducePath(tokens []globToken) bool {
	n := len(tokens)
	above, below := n > 0 && tokens[0].kind == tokenTreeBefore, n > 0 && tokens[n-1].kind == tokenTreeAfter
	if above {
		tokens = tokens[1:]
	}
	if below {
		tokens = tokens[:len(tokens)-1]
	}
	text := make([]byte, 0, len(tokens))
	for _, t := range tokens {
		if t.kind != tokenByte {
			return false
		}
		text = append(text, t.b)
	}
	if above && (len(text) == 0 || text[0] == '/') {
		return false
	}
	g.text = string(text)
	switch {
	case above && below:
		g.shape, g.text = shapeInside, "/"+g.text+"/"
	case above:
		g.shape = shapeNamed
	case below:
		g.shape, g.text = shapeBelow, g.text+"/"
	default:
		g.shape = shapeExact
	}
	return true
}

// literalSegment is the first part between slashes that has no wildcard.
func literalSegment(tokens []globToken) string {
	var part []byte
	whole := true
	for _, t := range tokens {
		isSlash := t.kind == tokenByte && t.b == '/' || t.kind == tokenTreeBefore || t.kind == tokenTreeWithin || t.kind == tokenTreeAfter
		switch {
		case isSlash && whole && len(part) > 0:
			return string(part)
		case isSlash:
			part, whole = nil, true
		case t.kind == tokenByte:
			part = append(part, t.b)
		default:
			whole = false
		}
	}
	if whole {
		return string(part)
	}
	return ""
}

// leadingLiteral is the plain characters before the first wildcard.
func leadingLiteral(tokens []globToken) string {
	var out []byte
	for _, t := range tokens {
		if t.kind != tokenByte {
			break
		}
		out = append(out, t.b)
	}
	return string(out)
}

// longestLiteral is the longest run of plain characters.
func longestLiteral(tokens []globToken) string {
	var longest, part []byte
	for _, t := range tokens {
		if t.kind != tokenByte {
			part = nil
			continue
		}
		if part = append(part, t.b); len(part) > len(longest) {
			longest = part
		}
	}
	return string(longest)
}

// cost is how many steps a byte of the text takes; comparing literals is as good as none.
func (g *glob) cost() int {
	switch {
	case g.shape != shapeProgram:
		return 0
	case g.table != nil:
		return 1
	}
	return len(g.program)
}

func (g *glob) match(s string) bool {
	if g.must != "" && !g.holds(s) {
		return false
	}
	if g.isPath && (s == "" || s[0] != '/') {
		return g.matchPath(s) || g.matchRooted(s)
	}
	if g.isPath {
		return g.matchPath(s)
	}
	switch g.shape {
	case shapeExact:
		return s == g.text
	case shapeLiterals:
		return matchLiterals(g.literals, s) && (g.plain(s) || g.run(s, false))
	case shapeProgram:
		return g.run(s, false)
	}
	return false
}

// holds tells whether the literal part of a pattern is in s; in a path without a leading slash one counts before it.
func (g *glob) holds(s string) bool {
	return strings.Contains(s, g.must) || g.isPath && g.must[0] == '/' && strings.HasPrefix(s, g.must[1:])
}

// plain tells a text in which a star may stand for anything.
func (g *glob) plain(s string) bool { return g.newline || strings.IndexByte(s, '\n') < 0 }

func matchLiterals(literals []string, s string) bool {
	first, last := literals[0], literals[len(literals)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, l := range literals[1 : len(literals)-1] {
		i := strings.Index(s, l)
		if i < 0 {
			return false
		}
		s = s[i+len(l):]
	}
	return true
}

func (g *glob) matchPath(s string) bool {
	ok := false
	switch g.shape {
	case shapeExact:
		return s == g.text
	case shapeBelow:
		ok = strings.HasPrefix(s, g.text)
	case shapeNamed:
		rest, found := strings.CutSuffix(s, g.text)
		ok = found && (rest == "" || rest[len(rest)-1] == '/')
	case shapeInside:
		ok = strings.HasPrefix(s, g.text[1:]) || strings.Contains(s, g.text)
	case shapeProgram:
		return g.run(s, false)
	}
	return ok && (g.plain(s) || g.run(s, false))
}

// matchRooted matches as if a slash stood before s, without making that string. Where ** may stand for nothing at the
// beginning, s alone has matched already.
func (g *glob) matchRooted(s string) bool {
	switch g.shape {
	case shapeExact:
		return len(g.text) == len(s)+1 && g.text[0] == '/' && s == g.text[1:]
	case shapeBelow:
		return g.text[0] == '/' && strings.HasPrefix(s, g.text[1:]) && (g.plain(s) || g.run(s, true))
	case shapeProgram:
		return g.run(s, true)
	}
	return false
}
