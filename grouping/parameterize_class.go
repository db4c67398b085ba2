package grouping

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Classes of bytes.
const (
	isWord     = 1 << iota // letter, digit, underscore
	isHexDigit             // of either case
	isLabel                // letter, digit, dash: a part of a host name
	isAtom                 // what may stand before the @ of an address
	isMark                 // begins a value and is not of a word
	isLead                 // makes a word worth a closer look: digits, the initials of days and months
	isJoint                // makes the word before it worth a closer look: addresses have them
)

// class is the classes of each byte. Bytes beyond ASCII have none.
var class = classes()

func classes() (table [256]uint8) {
	for c := range table[:utf8.RuneSelf] {
		b := byte(c)
		digit := b >= '0' && b <= '9'
		alnum := digit || b|0x20 >= 'a' && b|0x20 <= 'z'
		for _, k := range [...]struct {
			is  uint8
			has bool
		}{
			{isWord, alnum || b == '_'},
			{isHexDigit, digit || b|0x20 >= 'a' && b|0x20 <= 'f'},
			{isLabel, alnum || b == '-'},
			{isAtom, alnum || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", b) >= 0},
			{isMark, strings.IndexByte("-:'\"", b) >= 0},
			{isLead, digit || strings.IndexByte("SMTWFJAOND", b) >= 0},
			{isJoint, strings.IndexByte(".-:", b) >= 0},
		} {
			if k.has {
				table[c] |= k.is
			}
		}
	}
	return table
}

// at is the byte at i, 0 beyond the end.
func (s *scanner) at(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

// wordEnd is the end of the word at i. It is not counted as a search: the scanner goes on behind it.
func (s *scanner) wordEnd(i int) int {
	for i < len(s.text) && class[s.text[i]]&isWord != 0 {
		i++
	}
	return i
}

func (s *scanner) labelEnd(i int) int {
	from := i
	for i < len(s.text) && class[s.text[i]]&isLabel != 0 {
		i++
	}
	s.steps += i - from
	return i
}

func (s *scanner) digitsEnd(i int) int {
	from := i
	for i < len(s.text) && s.text[i]-'0' <= 9 {
		i++
	}
	s.steps += i - from
	return i
}

// textEnd is where white space or the end comes.
func (s *scanner) textEnd(i int) int {
	from := i
	for i < len(s.text) {
		n := s.spaceAt(i)
		if n > 0 {
			break
		}
		i++
	}
	s.steps += i - from
	return i
}

// spaceAt is the length of the white space character at i; 0 when another one stands there.
func (s *scanner) spaceAt(i int) int {
	switch c := s.at(i); {
	case i >= len(s.text):
		return 0
	case c < utf8.RuneSelf:
		if isSpaceByte(c) || c >= 0x1c && c <= 0x1f {
			return 1
		}
		return 0
	}
	if c, n := utf8.DecodeRuneInString(s.text[i:]); unicode.IsSpace(c) {
		return n
	}
	return 0
}

// wordAt tells whether a letter, digit or underscore stands at i; of other scripts, too.
func (s *scanner) wordAt(i int) bool {
	if i >= len(s.text) {
		return false
	}
	if s.text[i] < utf8.RuneSelf {
		return class[s.text[i]]&isWord != 0
	}
	c, _ := utf8.DecodeRuneInString(s.text[i:])
	return unicode.IsLetter(c) || unicode.IsNumber(c)
}

func (s *scanner) wordBefore(i int) bool {
	if i == 0 {
		return false
	}
	if s.text[i-1] < utf8.RuneSelf {
		return class[s.text[i-1]]&isWord != 0
	}
	c, _ := utf8.DecodeLastRuneInString(s.text[:i])
	return unicode.IsLetter(c) || unicode.IsNumber(c)
}

func isSpaceByte(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
