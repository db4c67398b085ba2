package trace

import (
	"strings"
	"unicode/utf8"
)

// maxSegments is how many segments of a path tell endpoints apart; what follows them is one "*".
const maxSegments = 20

// Route makes a path an endpoint's name: segments that look like values (numbers, dates, UUIDs, hashes, tokens, addresses of
// mail) become {}, and the query goes. "/users/42/" is "/users/{}/". Parameters that a framework has marked stay. It is
// for names that the sender calls a url; a route of a framework needs none of it.
func Route(path string) string {
	path = pathOf(path)
	var b strings.Builder
	for n := 0; path != ""; n++ {
		if n == maxSegments {
			b.WriteString("/*")
			break
		}
		slash := strings.HasPrefix(path, "/")
		segment, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if more {
			rest = "/" + rest
		}
		if segment = variable(segment); b.Len()+len(segment) >= MaxName-len("/*") {
			b.WriteString("/*")
			break
		}
		if slash {
			b.WriteByte('/')
		}
		b.WriteString(segment)
		path = rest
	}
	return b.String()
}

// pathOf is a URL without what is not its path.
func pathOf(url string) string {
	if at := strings.IndexAny(url, "?#"); at >= 0 {
		url = url[:at]
	}
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			return rest[slash:]
		}
		return "/"
	}
	return url
}

// maxSegment is the longest word that is part of an endpoint's name.
const maxSegment = 64

// variable is {} for what looks like a value, with its extension, and else the segment itself.
func variable(segment string) string {
	if segment == "" || len(segment) <= maxSegment && strings.ContainsAny(segment, "{}<>*:$") {
		return segment
	}
	word, ext := segment, ""
	if dot := strings.LastIndexByte(segment, '.'); dot > 0 && isExtension(segment[dot+1:]) {
		word, ext = segment[:dot], segment[dot:]
	}
	if isValue(word) {
		return "{}" + ext
	}
	return segment
}

func isExtension(text string) bool {
	return len(text) >= 2 && len(text) <= 5 && text[0] >= 'a' && text[0] <= 'z' && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > 'z' })
}

// isValue tells whether a word is made by a program for one thing. Words with few digits (v2, oauth2, s3) are none.
func isValue(word string) bool {
	var digits, letters, run, longest int
	hex, upper, lower := true, false, false
	for i := range len(word) {
		c := word[i]
		switch {
		case c >= '0' && c <= '9':
			digits, run = digits+1, run+1
			longest = max(longest, run)
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letters++
			hex = hex && (c|0x20) <= 'f'
			upper, lower = upper || c <= 'Z', lower || c >= 'a'
		case c == '@' || c == '%' || c < ' ':
			return true
		}
		run = 0
	}
	switch {
	case len(word) > maxSegment || !utf8.ValidString(word):
		return true
	case digits == 0:
		return false
	}
	token := digits >= 4 && digits+letters >= 16 || digits >= 2 && upper && lower && digits+letters >= 20
	return letters == 0 || longest >= 4 || hex && digits+letters >= 8 || token
}
