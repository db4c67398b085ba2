package sqltext

import "strings"

// kind is what the lexer tells apart.
type kind uint8

const (
	end         kind = iota
	space            // blanks and control bytes
	comment          // -- to the end of the line, /* nested */
	word             // keyword or unquoted identifier
	quoted           // "identifier"
	str              // '...', E'...', B'...', X'...', N'...', U&'...', $tag$...$tag$
	number           // 1, 1.5e3, 0xff, 1_000
	placeholder      // $1, ?, :name, %s, %(name)s
	operator         // + - <= ->> ...
	mark             // ( ) [ ] , ; . :: and whatever else
)

// lexer cuts SQL into tokens, in one pass: each byte is looked at a bounded number of times. It follows
// https://www.postgresql.org/docs/current/sql-syntax-lexical.html, and never fails: what is cut off ends with the text.
type lexer struct {
	src string
	pos int
	// before is the last token that is no space or comment; a ? and a :name mean different things behind an operand.
	before     kind
	beforeText string
}

// token is a piece of the text as it stands there.
type token struct {
	kind kind
	text string
}

// next is the next token of any kind, end at the end.
func (l *lexer) next() token {
	if l.pos >= len(l.src) {
		return token{}
	}
	k, n := l.scan(l.src[l.pos:])
	t := token{k, l.src[l.pos : l.pos+n]}
	l.pos += n
	if k != space && k != comment {
		l.before, l.beforeText = k, t.text
	}
	return t
}

// significant is the next token that is no space or comment.
func (l *lexer) significant() token {
	for {
		if t := l.next(); t.kind != space && t.kind != comment {
			return t
		}
	}
}

// scan finds the kind and length of the token at the start of s, which is not empty.
func (l *lexer) scan(s string) (kind, int) {
	c := s[0]
	switch {
	case c <= ' ' || c == 0x7f:
		return space, span(s, isSpace)
	case isWordStart(c):
		return scanWord(s)
	case c == '\'':
		return str, quotedLen(s, '\'', false)
	case c == '"':
		return quoted, quotedLen(s, '"', false)
	case isDigit(c) || c == '.' && len(s) > 1 && isDigit(s[1]):
		return number, numberLen(s)
	case c == '$':
		return scanDollar(s)
	case strings.HasPrefix(s, "--"):
		return comment, lineLen(s)
	case strings.HasPrefix(s, "/*"):
		return comment, blockLen(s)
	}
	return l.scanMark(s)
}

// scanMark reads operators, punctuation, and the placeholders that begin like them.
func (l *lexer) scanMark(s string) (kind, int) {
	switch c := s[0]; {
	case c == ':':
		return scanColon(s)
	case c == '%' && percentLen(s) > 0:
		return placeholder, percentLen(s)
	case c == '?':
		return l.scanQuestion(s)
	case isOperator(c):
		return operator, operatorLen(s)
	}
	return mark, 1
}

// scanQuestion tells a placeholder from the operators ?, ?| and ?& of jsonb, which stand between two operands.
func (l *lexer) scanQuestion(s string) (kind, int) {
	name := l.before == word && !IsKeyword(l.beforeText) || l.before == quoted || l.beforeText == ")" || l.beforeText == "]"
	literal := l.before == str || l.before == number || l.before == placeholder
	if (name || literal) && len(s) > 1 && (s[1] == '|' || s[1] == '&') {
		return operator, 2
	}
	if name {
		rest := strings.TrimLeft(s[1:min(len(s), maxName)], " ")
		jsonb := strings.HasPrefix(rest, "?|") || strings.HasPrefix(rest, "?&")
		if rest != "" && strings.IndexByte("'$?", rest[0]) >= 0 && !jsonb {
			return operator, 1
		}
	}
	return placeholder, 1
}

// scanWord reads a word, or a string or identifier that begins with letters: E'...' or U&"...".
func scanWord(s string) (kind, int) {
	if len(s) > 1 && s[1] == '\'' && strings.IndexByte("eEbBxXnN", s[0]) >= 0 {
		return str, 1 + quotedLen(s[1:], '\'', s[0]|0x20 == 'e')
	}
	if len(s) > 2 && s[0]|0x20 == 'u' && s[1] == '&' && (s[2] == '\'' || s[2] == '"') {
		k := str
		if s[2] == '"' {
			k = quoted
		}
		return k, 2 + quotedLen(s[2:], s[2], false)
	}
	return word, span(s, isWordPart)
}

// scanDollar reads $1, $tag$...$tag$, or a lone dollar.
func scanDollar(s string) (kind, int) {
	if n := span(s[1:], isDigit); n > 0 {
		return placeholder, 1 + n
	}
	n := 1
	if n < len(s) && isWordStart(s[n]) {
		n += span(s[n:], isTagPart)
	}
	if n >= len(s) || s[n] != '$' {
		return mark, 1
	}
	tag := s[:n+1]
	if at := strings.Index(s[len(tag):], tag); at >= 0 {
		return str, at + 2*len(tag)
	}
	return str, len(s)
}

// scanColon reads a cast, an assignment, a named placeholder or a lone colon.
func scanColon(s string) (kind, int) {
	switch {
	case len(s) > 1 && (s[1] == ':' || s[1] == '='):
		return mark, 2
	case len(s) > 1 && isWordStart(s[1]) && s[1] < 0x80:
		return placeholder, 1 + span(s[1:], isTagPart)
	}
	return mark, 1
}

// percentLen is the length of %s, %b, %t (psycopg) or %(name)s at the start of s, 0 when there is none.
func percentLen(s string) int {
	n := 1
	if len(s) > 1 && s[1] == '(' {
		closing := strings.IndexByte(s[:min(len(s), maxName)], ')')
		if closing < 0 {
			return 0
		}
		n = closing + 1
	}
	if n >= len(s) || s[n] != 's' && s[n] != 'b' && s[n] != 't' || n+1 < len(s) && isWordPart(s[n+1]) {
		return 0
	}
	return n + 1
}

// maxName bounds how far the end of a %(name)s is looked for.
const maxName = 128

// quotedLen is the length of what is quoted at the start of s; a doubled quote does not end it, nor one behind a
// backslash where those escape.
func quotedLen(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escapes:
			i++
		case s[i] != quote:
		case i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(s)
}

// numberLen reads digits with one fraction and one exponent, and everything that sticks to them (0xff, 1_000).
func numberLen(s string) int {
	n := span(s, isWordPart)
	if n < len(s) && s[n] == '.' && (n+1 >= len(s) || s[n+1] != '.') {
		n++
		n += span(s[n:], isWordPart)
	}
	if last := s[n-1]; (last == 'e' || last == 'E') && n+1 < len(s) && (s[n] == '-' || s[n] == '+') && isDigit(s[n+1]) {
		n++
		n += span(s[n:], isDigit)
	}
	return n
}

func lineLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

// blockLen is the length of a comment with comments in it.
func blockLen(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch {
		case s[i] == '/' && s[i+1] == '*':
			depth++
			i++
		case s[i] == '*' && s[i+1] == '/':
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(s)
}

// operatorLen reads as long an operator as PostgreSQL does: it ends before a comment, and one of several bytes ends in
// + or - only when it holds one of ~ ! @ # % ^ & | `, so that =-1 is two tokens.
func operatorLen(s string) int {
	n, special := 0, false
	for n < len(s) && isOperator(s[n]) && (n == 0 || !begins(s[n:])) {
		special = special || strings.IndexByte("~!@#%^&|`", s[n]) >= 0
		n++
	}
	for !special && n > 1 && (s[n-1] == '+' || s[n-1] == '-') {
		n--
	}
	return n
}

// begins tells what ends an operator: a comment, or a placeholder of psycopg.
func begins(s string) bool {
	return strings.HasPrefix(s, "--") || strings.HasPrefix(s, "/*") || s[0] == '%' && percentLen(s) > 0
}

// span counts the bytes at the start of s that are in a class.
func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isSpace(c byte) bool     { return c <= ' ' || c == 0x7f }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isWordStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }
func isWordPart(c byte) bool  { return isWordStart(c) || isDigit(c) || c == '$' }
func isTagPart(c byte) bool   { return isWordStart(c) || isDigit(c) }
func isOperator(c byte) bool  { return strings.IndexByte("+-*/<>=~!@#%^&|`", c) >= 0 }
