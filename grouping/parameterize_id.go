package grouping

import "strings"

// id matches ids of fixed forms.
func (s *scanner) id(i, j int, w run) (int, string) {
	if s.at(j) == '-' {
		if end := s.traceparent(i); end > 0 {
			return end, "<traceparent>"
		}
		if end := s.dashed(i, 8, 4, 4, 4, 12); end > 0 {
			return end, "<uuid>"
		}
	}
	switch w.n {
	case 40:
		return j, "<sha1>"
	case 32:
		return j, "<md5>"
	}
	return 0, ""
}

func (s *scanner) traceparent(i int) int {
	switch {
	case strings.HasPrefix(s.text[i:], "00-"):
		return s.dashed(i, 2, 32, 16, 2)
	case strings.HasPrefix(s.text[i:], "1-"):
		return s.dashed(i, 1, 8, 24)
	}
	return 0
}

// dashed matches groups of hex digits of given lengths with dashes between, ending at the end of a word.
func (s *scanner) dashed(i int, groups ...int) int {
	for n, size := range groups {
		if n > 0 {
			if s.at(i) != '-' {
				return 0
			}
			i++
		}
		end := i + size
		if end > len(s.text) {
			return 0
		}
		for ; i < end; i++ {
			if class[s.text[i]]&isHexDigit == 0 {
				return 0
			}
		}
	}
	if s.wordAt(i) {
		return 0
	}
	return i
}

// swiftHead is the length of tx and 21 hex digits.
const swiftHead = 23

// swift matches a transaction id of OpenStack Swift: tx, 21 hex digits, a dash, 10 more, and a tail.
func (s *scanner) swift(i, j int) int {
	if !allHex(s.text[i+2:j]) || s.at(j) != '-' {
		return 0
	}
	end := j + 11
	if end > len(s.text) || !allHex(s.text[j+1:end]) {
		return 0
	}
	for end < len(s.text) && (class[s.text[end]]&isWord != 0 || s.text[end] == '-') {
		end++
	}
	return end
}

// run is what a word is made of.
type run struct {
	n, digits    int
	hex          bool // nothing but hex digits
	lower, upper bool // has hex letters of that case
	first        byte
}

func runOf(w string) run {
	r := run{n: len(w), hex: true, first: w[0]}
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c >= '0' && c <= '9':
			r.digits++
		case c >= 'a' && c <= 'f':
			r.lower = true
		case c >= 'A' && c <= 'F':
			r.upper = true
		default:
			r.hex = false
		}
	}
	return r
}

// isHex tells a bare hex number: letters of one case, 4 to 6 characters with a letter and a digit, or 8 to 128.
func (r run) isHex() bool {
	if !r.hex || r.lower && r.upper {
		return false
	}
	mixed := r.digits > 0 && (r.lower || r.upper)
	return mixed && r.n >= 4 && r.n <= 6 || r.n >= 8 && r.n <= 128
}

// isGitSHA tells an abbreviated commit: seven lower-case characters with a letter and a digit.
func (r run) isGitSHA() bool {
	return r.hex && r.n == 7 && r.lower && !r.upper && r.digits > 0
}

func isPrefixedHex(w string) bool {
	return len(w) > 2 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X') && allHex(w[2:])
}

func allHex(w string) bool {
	for i := 0; i < len(w); i++ {
		if class[w[i]]&isHexDigit == 0 {
			return false
		}
	}
	return w != ""
}
