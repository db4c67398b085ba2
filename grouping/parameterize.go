package grouping

import "strings"

// Parameterize replaces what varies in a text by placeholders such as <int>, so that messages that differ only
// in ids, dates or addresses are the same. At each place the kinds of values are tried in one fixed order, and
// the first that fits wins. The scanner passes over the text once; a text of more than 8192 bytes is left as it is.
//
// The order is email, url, hostname, ip, traceparent, uuid, sha1, md5, date, duration, swift_txn_id, hex, git_sha,
// float, int, quoted_str, bool. The reference replaces category by category instead when one of its categories
// declines a text that its pattern matched. Here a pattern is decided on before it matches, so nothing declines; the
// two ways differ only where a minus stands before an address, a date or an id, which are then taken as numbers.
func Parameterize(text string) string {
	if len(text) == 0 || len(text) > maxParameterize {
		return text
	}
	s := scanner{text: text}
	s.seekMail(0)
	return s.run()
}

// scanner holds the text and how far earlier searches have found nothing, which keeps the whole linear.
type scanner struct {
	text     string
	mailFrom int // where the next address begins; beyond the text when there is none
	mailAt   int // its @
	noHost   int // no host name begins before this place
	noParen  bool
	steps    int // bytes that searches of no fixed length have looked at; tests hold it to a multiple of the text
	out      strings.Builder
	copied   int // how much of text is in out
}

func (s *scanner) run() string {
	for i := s.skip(0); i < len(s.text); {
		end, name := s.match(i)
		if end > i {
			s.emit(i, end, name)
		} else {
			end = s.next(i)
		}
		i = s.skip(end)
	}
	if s.copied == 0 {
		return s.text
	}
	s.out.WriteString(s.text[s.copied:])
	return s.out.String()
}

func (s *scanner) emit(from, to int, name string) {
	if s.copied == 0 && s.out.Cap() == 0 {
		s.out.Grow(len(s.text) + len(name))
	}
	s.out.WriteString(s.text[s.copied:from])
	s.out.WriteString(name)
	s.copied = to
}

// next is the next place where a value may begin: never in the middle of a word.
func (s *scanner) next(i int) int {
	if class[s.text[i]]&isWord != 0 {
		return s.wordEnd(i)
	}
	return i + 1
}

// skip is the first place from i on where a value may begin. It is where the time goes on prose: a word costs one
// look at each of its bytes and a few tests of its first, its length and what follows it.
func (s *scanner) skip(i int) int {
	text, limit := s.text, min(s.mailFrom, len(s.text))
	for i < limit {
		first := class[text[i]]
		if first&isWord == 0 {
			if first&isMark != 0 {
				return i
			}
			i++
			continue
		}
		j, all := i+1, first
		for j < len(text) {
			c := class[text[j]]
			if c&isWord == 0 {
				break
			}
			all &= c
			j++
		}
		if first&isLead != 0 || all&isHexDigit != 0 && j >= i+4 || j < len(text) && class[text[j]]&isJoint != 0 || s.isRare(i, j) {
			return i
		}
		i = j
	}
	return i
}

// isRare tells the words whose first letter alone says too little: tx..., datetime, and true and false behind an
// equals sign. In capitals these two begin like days.
func (s *scanner) isRare(i, j int) bool {
	switch s.text[i] {
	case 't', 'f':
		return i > 0 && s.text[i-1] == '=' || j-i == swiftHead
	case 'd':
		return j-i == len("datetime")
	}
	return false
}

// match tells where the value that begins at i ends, and its placeholder; 0 when none begins there.
func (s *scanner) match(i int) (int, string) {
	if i >= s.mailFrom {
		if end := s.email(i); end > 0 {
			return end, "<email>"
		}
	}
	switch c := s.text[i]; c {
	case '-':
		return s.negative(i)
	case ':':
		if end := s.ipv6(i); end > 0 {
			return end, "<ip>"
		}
	case '\'', '"':
		return s.quoted(i, c)
	default:
		if class[c]&isWord != 0 && !s.wordBefore(i) {
			return s.word(i)
		}
	}
	return 0, ""
}

// quoted matches a text in quotes right after an equals sign. Empty quotes are none.
func (s *scanner) quoted(i int, quote byte) (int, string) {
	if i == 0 || s.text[i-1] != '=' {
		return 0, ""
	}
	n := strings.IndexByte(s.text[i+1:], quote)
	if n < 0 {
		s.steps += len(s.text) - i
	}
	if n <= 0 {
		return 0, ""
	}
	return i + n + 2, "<quoted_str>"
}

// word matches values that begin with a letter or digit at the start of a word, in the order of precedence. Every
// one of them ends with a word, too, so a letter of another script behind the word leaves nothing to match.
func (s *scanner) word(i int) (int, string) {
	j := s.wordEnd(i)
	if s.wordAt(j) {
		return 0, ""
	}
	w := runOf(s.text[i:j])
	if end, name := s.address(i, j, w); end > 0 {
		return end, name
	}
	if w.hex {
		if end, name := s.id(i, j, w); end > 0 {
			return end, name
		}
	}
	if end := s.date(i, j, w); end > 0 {
		return end, "<date>"
	}
	if w.first-'0' <= 9 {
		return s.number(i, j, w)
	}
	return s.plainWord(i, j, w)
}

// address matches what leads to another machine.
func (s *scanner) address(i, j int, w run) (int, string) {
	switch s.at(j) {
	case ':':
		if end := s.url(i, j); end > 0 {
			return end, "<url>"
		}
		if w.hex && w.n <= 4 {
			return s.ipv6(i), "<ip>"
		}
	case '.', '-':
		if end := s.hostname(i); end > 0 {
			return end, "<hostname>"
		}
		if w.digits == w.n && w.n <= 3 {
			return s.ipv4(i), "<ip>"
		}
	}
	return 0, ""
}

// plainWord matches values that are words without a leading digit.
func (s *scanner) plainWord(i, j int, w run) (int, string) {
	switch {
	case w.n == swiftHead && strings.HasPrefix(s.text[i:j], "tx"):
		if end := s.swift(i, j); end > 0 {
			return end, "<swift_txn_id>"
		}
	case w.isHex():
		return j, "<hex>"
	case w.isGitSHA():
		return j, "<git_sha>"
	case i > 0 && s.text[i-1] == '=' && isBool(s.text[i:j]):
		return j, "<bool>"
	}
	return 0, ""
}

// number matches what begins with a digit and is no date or id: durations, hex, git hashes, floats, integers.
func (s *scanner) number(i, j int, w run) (int, string) {
	if end := s.duration(i, j); end > 0 {
		return end, "<duration>"
	}
	switch {
	case w.isHex(), isPrefixedHex(s.text[i:j]):
		return j, "<hex>"
	case w.isGitSHA():
		return j, "<git_sha>"
	case w.digits != w.n:
		return 0, ""
	}
	return s.decimal(j, w)
}

// decimal matches a float, else an integer of at most seven digits; longer ones are hex.
func (s *scanner) decimal(j int, w run) (int, string) {
	if s.at(j) == '.' {
		if k := s.digitsEnd(j + 1); k > j+1 && !s.wordAt(k) {
			return k, "<float>"
		}
	}
	if w.n <= 7 {
		return j, "<int>"
	}
	return 0, ""
}

// negative matches a number with a minus that is not joined to a word. The minus belongs to hex with 0x, too,
// which is how the description reads; no case of the table holds one.
func (s *scanner) negative(i int) (int, string) {
	if i+1 >= len(s.text) || class[s.text[i+1]]&isHexDigit == 0 || s.wordBefore(i) {
		return 0, ""
	}
	j := s.wordEnd(i + 1)
	w := runOf(s.text[i+1 : j])
	switch {
	case s.wordAt(j):
		return 0, ""
	case w.isHex(), isPrefixedHex(s.text[i+1 : j]):
		return j, "<hex>"
	case w.digits != w.n:
		return 0, ""
	}
	return s.decimal(j, w)
}

// duration matches whole milliseconds, and seconds with or without a fraction.
func (s *scanner) duration(i, j int) int {
	digits := s.digitsEnd(i)
	switch s.text[digits:j] {
	case "ms", "s":
		return j
	case "":
		if s.at(j) != '.' {
			return 0
		}
		if end := s.digitsEnd(j + 1); end > j+1 && s.at(end) == 's' && !s.wordAt(end+1) {
			return end + 1
		}
	}
	return 0
}

func isBool(w string) bool {
	return w == "true" || w == "True" || w == "false" || w == "False"
}
