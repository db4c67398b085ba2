// Package sqlscan cuts a statement into tokens, as PostgreSQL's scanner does with standard_conforming_strings on
// (src/backend/parser/scan.l). It is pure and never fails: what is not closed ends with the text, and says so.
package sqlscan

import (
	"strings"
	"unicode/utf8"
)

// Kind is the sort of a token.
type Kind uint8

// The kinds. Name is a quoted name; Word a keyword or plain name, in lower case.
const (
	Word Kind = iota
	Name
	String
	Number
	Param
	Symbol
	// Escaped is a name or text with Unicode escapes (U&"..."): what it says is not read here.
	Escaped
	// Open is a text, name or comment that is not closed.
	Open
)

// Token is one of them. Text is a word in lower case, a name without its quotes, a text without, or the symbols as they stand.
type Token struct {
	Kind Kind
	Text string
}

// Is tells whether the token is a keyword.
func (t Token) Is(word string) bool { return t.Kind == Word && t.Text == word }

// Tokens cuts a statement up, without comments. It answers at most max tokens.
func Tokens(sql string, max int) []Token {
	s := scanner{sql, 0}
	var out []Token
	for len(out) < max {
		t, ok := s.next()
		if !ok {
			break
		}
		out = append(out, t)
	}
	return out
}

type scanner struct {
	text string
	at   int
}

func (s *scanner) peek(n int) byte {
	if s.at+n < len(s.text) {
		return s.text[s.at+n]
	}
	return 0
}

// next is the next token; ok is false at the end.
func (s *scanner) next() (t Token, ok bool) {
	if open := s.skip(); open {
		return Token{Open, "/*"}, true
	}
	if s.at >= len(s.text) {
		return t, false
	}
	c := s.text[s.at]
	switch {
	case c == '\'':
		return s.quoted(String, false), true
	case c == '"':
		return s.quoted(Name, false), true
	case c == '$':
		return s.dollar(), true
	case digit(c) || c == '.' && digit(s.peek(1)):
		return s.number(), true
	case letter(c):
		return s.word(), true
	}
	s.at++
	return Token{Symbol, string(c)}, true
}

// skip passes space and comments; block comments nest. open is a comment that is not closed.
func (s *scanner) skip() (open bool) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case space(c):
			s.at++
		case c == '-' && s.peek(1) == '-':
			end := strings.IndexAny(s.text[s.at:], "\n\r")
			if end < 0 {
				end = len(s.text) - s.at
			}
			s.at += end
		case c == '/' && s.peek(1) == '*':
			if !s.comment() {
				return true
			}
		default:
			return false
		}
	}
	return false
}

func (s *scanner) comment() (closed bool) {
	depth := 0
	for s.at < len(s.text) {
		switch {
		case s.text[s.at] == '/' && s.peek(1) == '*':
			depth, s.at = depth+1, s.at+2
		case s.text[s.at] == '*' && s.peek(1) == '/':
			depth, s.at = depth-1, s.at+2
			if depth == 0 {
				return true
			}
		default:
			s.at++
		}
	}
	return false
}

// quoted reads a text or name; a doubled quote is one, and with escapes a backslash takes the next character along.
func (s *scanner) quoted(kind Kind, escapes bool) Token {
	quote := s.text[s.at]
	var b strings.Builder
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case escapes && c == '\\':
			s.at++
		case c == quote && s.peek(1) == quote:
			b.WriteByte(c)
			s.at++
		case c == quote:
			s.at++
			return Token{kind, b.String()}
		default:
			b.WriteByte(c)
		}
	}
	s.at = len(s.text)
	return Token{Open, string(quote)}
}

// dollar reads $1, $tag$ ... $tag$, or a lone $.
func (s *scanner) dollar() Token {
	if digit(s.peek(1)) {
		end := s.at + 1
		for end < len(s.text) && digit(s.text[end]) {
			end++
		}
		t := Token{Param, s.text[s.at:end]}
		s.at = end
		return t
	}
	end := s.at + 1
	for end < len(s.text) && s.text[end] != '$' && (letter(s.text[end]) || end > s.at+1 && digit(s.text[end])) {
		end++
	}
	if end >= len(s.text) || s.text[end] != '$' {
		s.at++
		return Token{Symbol, "$"}
	}
	tag := s.text[s.at : end+1]
	body := s.text[end+1:]
	n := strings.Index(body, tag)
	if n < 0 {
		s.at = len(s.text)
		return Token{Open, tag}
	}
	s.at = end + 1 + n + len(tag)
	return Token{String, body[:n]}
}

func (s *scanner) number() Token {
	end := s.at
	for end < len(s.text) && (digit(s.text[end]) || letter(s.text[end]) || s.text[end] == '.') {
		end++
	}
	t := Token{Number, s.text[s.at:end]}
	s.at = end
	return t
}

// word reads a keyword or name, or a text with a letter before it: E'...', B'...', X'...', N'...', U&'...'.
func (s *scanner) word() Token {
	switch c := s.text[s.at] | 0x20; {
	case s.peek(1) == '\'' && (c == 'e' || c == 'b' || c == 'x' || c == 'n'):
		s.at++
		return s.quoted(String, c == 'e')
	case c == 'u' && s.peek(1) == '&' && (s.peek(2) == '\'' || s.peek(2) == '"'):
		s.at += 2
		if t := s.quoted(Escaped, false); t.Kind == Open {
			return t
		}
		return Token{Escaped, "U&"}
	}
	end := s.at
	for end < len(s.text) && (letter(s.text[end]) || digit(s.text[end]) || s.text[end] == '$') {
		end++
	}
	t := Token{Word, lower(s.text[s.at:end])}
	s.at = end
	return t
}

// lower makes ASCII letters small, as PostgreSQL does with names in UTF-8 databases.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func digit(c byte) bool { return c >= '0' && c <= '9' }
func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
