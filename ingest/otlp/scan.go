package otlp

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// scanner walks over JSON without building anything, down to the spans, which are parsed one at a time: the values of a
// message of 64 MiB parsed whole would take a gigabyte. It checks only what it needs to find its way.
type scanner struct {
	b   []byte
	i   int
	err error
}

var (
	errJSON = errors.New("the JSON is damaged")
	errDeep = errors.New("the JSON is nested deeper than 100 (limit otlp_depth)")
)

// maxDepth is how deep JSON may be nested; OTLP needs some ten.
const maxDepth = 100

// peek is the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.i = len(s.b)
}

func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.fail(errJSON)
		return
	}
	s.i++
}

// object gives the key of each member to fn, which must read the value. What is no object is passed over.
func (s *scanner) object(fn func(key string)) {
	if s.peek() != '{' {
		s.value()
		return
	}
	s.i++
	if s.peek() == '}' {
		s.i++
		return
	}
	for s.err == nil {
		key := s.key()
		s.expect(':')
		if s.err != nil {
			return
		}
		fn(key)
		if !s.more('}') {
			return
		}
	}
}

// array calls fn for each member, which it must read. What is no array is passed over.
func (s *scanner) array(fn func()) {
	if s.peek() != '[' {
		s.value()
		return
	}
	s.i++
	if s.peek() == ']' {
		s.i++
		return
	}
	for s.err == nil {
		fn()
		if !s.more(']') {
			return
		}
	}
}

// more reads what is between members; false at the end of the list.
func (s *scanner) more(end byte) bool {
	switch s.peek() {
	case ',':
		s.i++
		return s.err == nil
	case end:
		s.i++
	default:
		s.fail(errJSON)
	}
	return false
}

// key is the text of a key. One with escapes is none of ours.
func (s *scanner) key() string {
	if s.peek() != '"' {
		s.fail(errJSON)
		return ""
	}
	from := s.i + 1
	s.text()
	if s.err != nil {
		return ""
	}
	return alias(s.b[from : s.i-1])
}

// text passes over a string.
func (s *scanner) text() {
	for at := s.i + 1; ; {
		n := bytes.IndexByte(s.b[at:], '"')
		if n < 0 {
			s.fail(errJSON)
			return
		}
		at += n
		slashes := 0
		for j := at - 1; j > s.i && s.b[j] == '\\'; j-- {
			slashes++
		}
		at++
		if slashes%2 == 0 {
			s.i = at
			return
		}
	}
}

// value passes over one value and gives its bytes, and how many values there are in it.
func (s *scanner) value() (raw []byte, values int) {
	s.peek()
	from, depth := s.i, 0
	for s.err == nil {
		switch s.peek() {
		case '"':
			s.text()
		case '{', '[':
			s.i++
			if depth++; depth > maxDepth {
				s.fail(errDeep)
			}
		case '}', ']':
			s.i++
			depth--
		case ',', ':':
			if depth == 0 {
				s.fail(errJSON)
				break
			}
			if s.b[s.i] == ',' {
				values++
			}
			s.i++
		case 0:
			s.fail(errJSON)
		default:
			s.word()
		}
		if depth <= 0 {
			break
		}
	}
	if s.err != nil || depth < 0 {
		s.fail(errJSON)
		return nil, 0
	}
	return s.b[from:s.i], values + 1
}

// word passes over a number or a name.
func (s *scanner) word() {
	from := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':' {
			break
		}
		if c == '"' || c == '{' || c == '[' || c < ' ' || c >= utf8.RuneSelf {
			s.fail(errJSON)
			return
		}
		s.i++
	}
	if s.i == from {
		s.fail(errJSON)
	}
}

// end tells whether nothing but spaces follows.
func (s *scanner) end() error {
	if s.err == nil && s.peek() != 0 {
		s.fail(errJSON)
	}
	return s.err
}
