package grouping

import "strings"

// glob is a compiled pattern. Most patterns are a plain text with stars at its ends, and are compared without
// interpretation.
type glob struct {
	kind    globKind
	text    string // the literal, or the whole pattern
	isPath  bool   // * stops at a slash and ** does not
	segment string // a part of the path that every match has; "" when there is none
}

type globKind uint8

const (
	globExact globKind = iota
	globPrefix
	globSuffix
	globContains
	globAny
)

func compileGlob(pattern string, isPath bool) glob {
	g := glob{kind: globAny, text: pattern, isPath: isPath}
	star := "*"
	if isPath {
		star, g.text = "**", lowerPath(pattern)
		g.segment = literalSegment(g.text)
	}
	head, tail := strings.HasPrefix(g.text, star), strings.HasSuffix(g.text, star) && len(g.text) > len(star)
	inner := g.text
	if head {
		inner = inner[len(star):]
	}
	if tail {
		inner = inner[:len(inner)-len(star)]
	}
	if strings.ContainsAny(inner, `*?\`) {
		return g
	}
	g.text, g.kind = inner, globExact
	switch {
	case head && tail:
		g.kind = globContains
	case head:
		g.kind = globSuffix
	case tail:
		g.kind = globPrefix
	}
	return g
}

// literalSegment is the first part between slashes that has no wildcard.
func literalSegment(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if p != "" && !strings.ContainsAny(p, `*?\`) && (i > 0 || len(parts) > 1) {
			return p
		}
	}
	return ""
}

func (g *glob) match(s string) bool {
	if g.matchOnce(s) {
		return true
	}
	return g.isPath && s != "" && s[0] != '/' && g.matchRooted(s)
}

func (g *glob) matchOnce(s string) bool {
	switch g.kind {
	case globExact:
		return s == g.text
	case globPrefix:
		return strings.HasPrefix(s, g.text)
	case globSuffix:
		return strings.HasSuffix(s, g.text)
	case globContains:
		return strings.Contains(s, g.text)
	}
	return matchGlob(g.text, s, g.isPath)
}

// matchRooted matches as if a slash stood before s, without making that string for the common kinds.
func (g *glob) matchRooted(s string) bool {
	if g.text == "" || g.text[0] != '/' && g.text[0] != '*' {
		return false
	}
	switch g.kind {
	case globExact:
		return s == g.text[1:]
	case globPrefix, globContains:
		return strings.HasPrefix(s, g.text[1:])
	case globSuffix:
		return s == g.text[1:]
	}
	return matchGlob(g.text, "/"+s, g.isPath)
}

// matchGlob matches a pattern with *, ** and ?; a backslash takes the next byte as it is. It goes back only to the
// last star of each kind: len(pattern)·len(s) steps at worst, times the length of one part of a path when both kinds
// are in a pattern.
func matchGlob(pattern, s string, isPath bool) bool {
	p, i := 0, 0
	one, oneAt, two, twoAt := -1, 0, -1, 0
	for i < len(s) || p < len(pattern) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*' && (!isPath || strings.HasPrefix(pattern[p:], "**")):
				for p < len(pattern) && pattern[p] == '*' {
					p++
				}
				two, twoAt, one = p, i, -1
				continue
			case c == '*':
				p++
				one, oneAt = p, i
				continue
			case c == '?' && i < len(s) && (!isPath || s[i] != '/'):
				p, i = p+1, i+1
				continue
			case c == '\\' && p+1 < len(pattern) && i < len(s) && pattern[p+1] == s[i]:
				p, i = p+2, i+1
				continue
			case i < len(s) && c == s[i] && c != '\\':
				p, i = p+1, i+1
				continue
			}
		}
		switch {
		case one >= 0 && oneAt < len(s) && s[oneAt] != '/':
			oneAt++
			p, i = one, oneAt
		case two >= 0 && twoAt < len(s):
			twoAt++
			p, i, one = two, twoAt, -1
		default:
			return false
		}
	}
	return true
}
