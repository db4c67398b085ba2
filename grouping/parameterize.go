package grouping

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parameterize replaces what varies in a text by placeholders such as <int>, so that messages that differ only
// in ids, dates or addresses are the same. At each place the kinds of values are tried in one fixed order, and
// the first that fits wins. The scanner passes over the text once; a text of more than 8192 bytes is left as it is.
func Parameterize(text string) string {
	if len(text) == 0 || len(text) > maxParameterize {
		return text
	}
	s := scanner{text: text, hasAt: strings.IndexByte(text, '@') >= 0}
	return s.run()
}

// scanner holds the text and how far earlier searches have found nothing, which keeps the whole linear.
type scanner struct {
	text   string
	hasAt  bool
	noMail int // no address begins before this place
	noHost int // no host name begins before this place
	out    strings.Builder
	copied int // how much of text is in out
}

func (s *scanner) run() string {
	for i := 0; i < len(s.text); {
		end, name := s.match(i)
		if end > i {
			s.emit(i, end, name)
			i = end
			continue
		}
		i = s.next(i)
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

// match tells where the value that begins at i ends, and its placeholder; 0 when none begins there.
func (s *scanner) match(i int) (int, string) {
	c := s.text[i]
	if s.hasAt && class[c]&isAtom != 0 {
		if end := s.email(i); end > 0 {
			return end, "<email>"
		}
	}
	switch {
	case class[c]&isWord != 0:
		if s.wordBefore(i) {
			return 0, ""
		}
		return s.word(i)
	case c == '-':
		return s.negative(i)
	case c == ':':
		if end := s.ipv6(i); end > 0 {
			return end, "<ip>"
		}
	case (c == '\'' || c == '"') && i > 0 && s.text[i-1] == '=':
		if n := strings.IndexByte(s.text[i+1:], c); n > 0 {
			return i + n + 2, "<quoted_str>"
		}
	}
	return 0, ""
}

// word matches values that begin with a letter or digit at the start of a word, in the order of precedence.
func (s *scanner) word(i int) (int, string) {
	j := s.wordEnd(i)
	w := runOf(s.text[i:j])
	after := s.at(j)
	if after == ':' {
		if end := s.url(i, j); end > 0 {
			return end, "<url>"
		}
	}
	if after == '.' || after == '-' {
		if end := s.hostname(i); end > 0 {
			return end, "<hostname>"
		}
	}
	if end := s.ip(i, j, w); end > 0 {
		return end, "<ip>"
	}
	if w.hex && w.n != 0 {
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

// plainWord matches values that are words without a leading digit.
func (s *scanner) plainWord(i, j int, w run) (int, string) {
	switch {
	case strings.HasPrefix(s.text[i:j], "tx"):
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
	if end := s.duration(i, j, w); end > 0 {
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
	return s.decimal(i, j, w)
}

func (s *scanner) decimal(i, j int, w run) (int, string) {
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

// negative matches a number with a minus that is not joined to a word.
func (s *scanner) negative(i int) (int, string) {
	if s.wordBefore(i) || i+1 >= len(s.text) || class[s.text[i+1]]&isHexDigit == 0 {
		return 0, ""
	}
	j := s.wordEnd(i + 1)
	w := runOf(s.text[i+1 : j])
	switch {
	case w.isHex():
		return j, "<hex>"
	case w.digits != w.n:
		return 0, ""
	}
	return s.decimal(i, j, w)
}

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

// email matches the longest run of characters that may stand before an @, and the domain behind it.
func (s *scanner) email(i int) int {
	if i < s.noMail {
		return 0
	}
	at := i
	for at < len(s.text) && class[s.text[at]]&isAtom != 0 {
		at++
	}
	if s.at(at) != '@' || class[s.at(at+1)]&isLabel == 0 {
		s.noMail = at
		return 0
	}
	end := s.labelEnd(at + 1)
	for s.at(end) == '.' && class[s.at(end+1)]&isLabel != 0 {
		end = s.labelEnd(end + 1)
	}
	return end
}

func (s *scanner) url(i, j int) int {
	switch s.text[i:j] {
	case "http", "https", "ws", "wss", "ftp":
	default:
		return 0
	}
	if !strings.HasPrefix(s.text[j:], "://") || strings.IndexByte("/$.?#", s.at(j+3)) >= 0 {
		return 0
	}
	end := j + 3
	for end < len(s.text) && !isSpaceByte(s.text[end]) {
		end++
	}
	if end < j+5 {
		return 0
	}
	return end
}

// maxLabel is the longest part of a host name, in bytes.
const maxLabel = 63

// hostname matches labels with dots between, up to the first that is a well-known top-level domain.
func (s *scanner) hostname(i int) int {
	if i < s.noHost {
		return 0
	}
	for at := i; ; {
		end := s.labelEnd(at)
		switch {
		case end == at || s.at(end) != '.':
			s.noHost = end
			return 0
		case end-at > maxLabel:
			s.noHost = end - maxLabel
			return 0
		}
		at = end + 1
		word := at
		for word < len(s.text) && class[s.text[word]]&isWord != 0 && word-at < 8 {
			word++
		}
		if isTLD(s.text[at:word]) && !s.wordAt(word) {
			return word
		}
	}
}

func (s *scanner) ip(i, j int, w run) int {
	if s.at(j) == '.' && w.digits == w.n && w.n <= 3 {
		return s.ipv4(i)
	}
	if w.hex && w.n <= 4 && s.at(j) == ':' {
		return s.ipv6(i)
	}
	return 0
}

func (s *scanner) ipv4(i int) int {
	for n := 0; ; n++ {
		end := s.digitsEnd(i)
		if !isOctet(s.text[i:end]) {
			return 0
		}
		i = end
		if n == 3 {
			break
		}
		if s.at(i) != '.' {
			return 0
		}
		i++
	}
	if s.wordAt(i) {
		return 0
	}
	return i
}

func isOctet(d string) bool {
	switch len(d) {
	case 1, 2:
		return true
	case 3:
		return d[0] == '1' || d[0] == '2' && (d[1] < '5' || d[1] == '5' && d[2] <= '5')
	}
	return false
}

// ipv6 matches eight groups of up to four hex digits, or fewer with one "::", and a prefix length behind them. A
// word right before or behind makes it the name of a method.
func (s *scanner) ipv6(i int) int {
	if s.wordBefore(i) || i > 0 && s.text[i-1] == ':' {
		return 0
	}
	groups, gaps, at := 0, 0, i
	for groups <= 8 {
		end := at
		for end < len(s.text) && end-at <= 4 && class[s.text[end]]&isHexDigit != 0 {
			end++
		}
		if end-at > 4 {
			return 0
		}
		if end > at {
			groups, at = groups+1, end
		}
		if s.at(at) != ':' {
			break
		}
		if s.at(at+1) == ':' {
			gaps++
			at += 2
			continue
		}
		if end == at && end == i || class[s.at(at+1)]&isHexDigit == 0 {
			break
		}
		at++
	}
	if s.wordAt(at) || s.at(at) == ':' || !(gaps == 0 && groups == 8 || gaps == 1 && groups < 8) {
		return 0
	}
	if s.at(at) == '/' {
		if end := s.digitsEnd(at + 1); end > at+1 && end <= at+4 && !s.wordAt(end) {
			return end
		}
	}
	return at
}

// duration matches whole milliseconds, and seconds with or without a fraction.
func (s *scanner) duration(i, j int, w run) int {
	digits := s.digitsEnd(i)
	unit := s.text[digits:j]
	if digits == j && s.at(j) == '.' {
		end := s.digitsEnd(j + 1)
		if end == j+1 || s.at(end) != 's' || s.wordAt(end+1) {
			return 0
		}
		return end + 1
	}
	if unit == "ms" || unit == "s" {
		return j
	}
	return 0
}

// swift matches a transaction id of OpenStack Swift: tx, 21 hex digits, a dash, 10 more, and a tail.
func (s *scanner) swift(i, j int) int {
	if j-i != 23 || !allHex(s.text[i+2:j]) || s.at(j) != '-' {
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

func isBool(w string) bool {
	return w == "true" || w == "True" || w == "false" || w == "False"
}

// at is the byte at i, 0 beyond the end.
func (s *scanner) at(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

func (s *scanner) wordEnd(i int) int {
	for i < len(s.text) && class[s.text[i]]&isWord != 0 {
		i++
	}
	return i
}

func (s *scanner) labelEnd(i int) int {
	for i < len(s.text) && class[s.text[i]]&isLabel != 0 {
		i++
	}
	return i
}

func (s *scanner) digitsEnd(i int) int {
	for i < len(s.text) && s.text[i]-'0' <= 9 {
		i++
	}
	return i
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

// Classes of bytes.
const (
	isWord     = 1 << iota // letter, digit, underscore
	isHexDigit             // of either case
	isLabel                // letter, digit, dash: a part of a host name
	isAtom                 // what may stand before the @ of an address
)

// class is the classes of each byte. Bytes beyond ASCII have none.
var class = classes()

func classes() (table [256]uint8) {
	for c := range table[:utf8.RuneSelf] {
		b := byte(c)
		alnum := b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
		if alnum || b == '_' {
			table[c] |= isWord
		}
		if b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f' {
			table[c] |= isHexDigit
		}
		if alnum || b == '-' {
			table[c] |= isLabel
		}
		if alnum || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", b) >= 0 {
			table[c] |= isAtom
		}
	}
	return table
}

// isTLD tells one of the hundred most used top-level domains, all upper or all lower case.
func isTLD(w string) bool {
	if len(w) < 2 || len(w) > 6 {
		return false
	}
	if w[0] >= 'A' && w[0] <= 'Z' {
		if w != strings.ToUpper(w) {
			return false
		}
		w = strings.ToLower(w)
	}
	switch w {
	case "com", "net", "org", "jp", "de", "uk", "fr", "br", "it", "ru", "es", "me", "gov", "pl", "ca", "au", "cn", "co", "in",
		"nl", "edu", "info", "eu", "ch", "id", "at", "kr", "cz", "mx", "be", "tv", "se", "tr", "tw", "al", "ua", "ir", "vn", "cl",
		"sk", "ly", "cc", "to", "no", "fi", "us", "pt", "dk", "ar", "hu", "tk", "gr", "il", "news", "ro", "my", "biz", "ie", "za",
		"nz", "sg", "ee", "th", "io", "xyz", "pe", "bg", "hk", "rs", "lt", "link", "ph", "club", "si", "site", "mobi", "by", "cat",
		"wiki", "la", "ga", "xxx", "cf", "hr", "ng", "jobs", "online", "kz", "ug", "gq", "ae", "is", "lv", "pro", "fm", "tips",
		"ms", "sa", "app":
		return true
	}
	return false
}
