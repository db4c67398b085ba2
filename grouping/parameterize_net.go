package grouping

import "strings"

// seekMail finds the next address from i on: the longest run of characters that may stand before an @, and the
// start of a domain behind it. Runs do not hold an @, so every byte is looked at twice at most.
func (s *scanner) seekMail(i int) {
	from := i
	for {
		n := strings.IndexByte(s.text[from:], '@')
		if n < 0 {
			s.mailFrom, s.mailAt = len(s.text)+1, len(s.text)+1
			return
		}
		at := from + n
		s.mailFrom = at
		for s.mailFrom > from && class[s.text[s.mailFrom-1]]&isAtom != 0 {
			s.mailFrom--
		}
		s.steps += at - s.mailFrom
		if s.mailFrom < at && class[s.at(at+1)]&isLabel != 0 {
			s.mailAt = at
			return
		}
		from = at + 1
	}
}

// email matches the address that was found, or what an earlier value has left of it.
func (s *scanner) email(i int) int {
	if i >= s.mailAt {
		s.seekMail(i)
		if i != s.mailFrom {
			return 0
		}
	}
	end := s.labelEnd(s.mailAt + 1)
	for s.at(end) == '.' && class[s.at(end+1)]&isLabel != 0 {
		end = s.labelEnd(end + 1)
	}
	s.seekMail(end)
	return end
}

// url matches an address of the web: a scheme, a first character that is not one of "/$.?#", one more of any kind,
// and what follows up to white space.
func (s *scanner) url(i, j int) int {
	switch s.text[i:j] {
	case "http", "https", "ws", "wss", "ftp":
	default:
		return 0
	}
	at := j + 3
	if !strings.HasPrefix(s.text[j:], "://") || strings.IndexByte("/$.?#", s.at(at)) >= 0 {
		return 0
	}
	end := s.textEnd(at)
	if end < at+2 {
		return 0
	}
	return end
}

// maxLabel is the longest part of a host name, in bytes.
const maxLabel = 63

// hostname matches labels with dots between, up to the last that is a well-known top-level domain.
func (s *scanner) hostname(i int) int {
	if i < s.noHost {
		return 0
	}
	for best, at := 0, i; ; {
		end := s.labelEnd(at)
		last := end == at || s.at(end) != '.'
		if last || end-at > maxLabel {
			s.seenHost(end, best, last)
			return best
		}
		at = end + 1
		if word := s.tldEnd(at); word > 0 {
			best = word
		}
	}
}

// seenHost remembers that labels up to end held no host name: none at all, or none that begins before the last 63
// bytes of a label that is too long.
func (s *scanner) seenHost(end, best int, last bool) {
	switch {
	case best > 0:
	case last:
		s.noHost = end
	default:
		s.noHost = end - maxLabel
	}
}

// tldEnd is the end of the top-level domain that begins at i; 0 when there is none.
func (s *scanner) tldEnd(i int) int {
	end := i
	for end < len(s.text) && class[s.text[end]]&isWord != 0 && end-i < 8 {
		end++
	}
	if isTLD(s.text[i:end]) && !s.wordAt(end) {
		return end
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

// ipv6 matches eight groups of up to four hex digits, or fewer with one "::", and a prefix length behind them; the
// last two groups may be an IPv4 address. A word, or another group, right before or behind makes it the name of a method. A
// colon behind may just end the clause: "fe80::1: no route".
func (s *scanner) ipv6(i int) int {
	if s.wordBefore(i) || i > 0 && s.text[i-1] == ':' {
		return 0
	}
	end, groups, gaps := s.ipv6Groups(i)
	if s.wordAt(end) || !(gaps == 0 && groups == 8 || gaps == 1 && groups < 8) {
		return 0
	}
	return s.prefixLength(end)
}

// tooMany groups are no address.
const tooMany = 9

// ipv6Groups counts groups and double colons.
func (s *scanner) ipv6Groups(i int) (at, groups, gaps int) {
	for at = i; groups < tooMany; {
		end := s.ipv6Group(at)
		if s.at(end) == '.' && end > at && at > i && groups <= 6-gaps {
			if end4 := s.ipv4(at); end4 > 0 {
				return end4, groups + 2, gaps
			}
		}
		read := end > at
		if read {
			groups, at = groups+1, end
		}
		switch {
		case s.at(at) != ':':
			return at, groups, gaps
		case s.at(at+1) == ':':
			gaps, at = gaps+1, at+2
		case !read:
			return at, tooMany, gaps
		case class[s.at(at+1)]&isHexDigit == 0:
			return at, groups, gaps
		default:
			at++
		}
	}
	return at, groups, gaps
}

// ipv6Group is the end of at most five hex digits, the fifth of which makes it no group but a word.
func (s *scanner) ipv6Group(i int) int {
	end := i
	for end < len(s.text) && end-i <= 4 && class[s.text[end]]&isHexDigit != 0 {
		end++
	}
	if end-i > 4 {
		return i
	}
	return end
}

// prefixLength matches /64 behind an address.
func (s *scanner) prefixLength(i int) int {
	if s.at(i) != '/' {
		return i
	}
	if end := s.digitsEnd(i + 1); end > i+1 && end <= i+4 && !s.wordAt(end) {
		return end
	}
	return i
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
