package switches

import "strings"

// maxVersion is how long a version may be, in bytes.
const maxVersion = 256

// version is a semantic version as precedence needs it: its build is left out.
type version struct {
	core [3]uint64
	pre  string // pre-release, without its hyphen; "" is the release itself
}

// parseVersion reads 1.2.3-rc.1+build. It is lenient where releases are in the wild: a leading v, missing numbers (1.2 is 1.2.0),
// and a package in front, as Sentry's releases have it (shop@1.2.3).
func parseVersion(s string) (v version, ok bool) {
	if len(s) > maxVersion {
		return v, false
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if len(s) > 0 && (s[0] == 'v' || s[0] == 'V') {
		s = s[1:]
	}
	s, _, _ = strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	if hasPre && !validPre(pre) {
		return v, false
	}
	v.pre = pre
	for i := range v.core {
		part, rest, more := strings.Cut(s, ".")
		if v.core[i], ok = parseDigits(part); !ok {
			return v, false
		}
		if !more {
			return v, true
		}
		s = rest
	}
	return v, false // a fourth number
}

// parseDigits reads a number without sign. Leading zeros are taken as they are meant.
func parseDigits(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

func validPre(s string) bool {
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ".")
		if part == "" {
			return false
		}
		for i := range len(part) {
			if c := part[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// compare is precedence by semver.org 2.0.0, clause 11.
func (v version) compare(w version) int {
	for i := range v.core {
		if c := order(v.core[i], w.core[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return comparePre(v.pre, w.pre)
}

// comparePre compares field by field; the longer one is newer where all others are equal.
func comparePre(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if c := comparePart(x, y); c != 0 {
			return c
		}
		if !moreA || !moreB {
			return order(len(restA), len(restB))
		}
		a, b = restA, restB
	}
}

// comparePart lets numbers come before words.
func comparePart(x, y string) int {
	xWord, yWord := strings.Trim(x, "0123456789") != "", strings.Trim(y, "0123456789") != ""
	switch {
	case xWord != yWord && xWord:
		return 1
	case xWord != yWord:
		return -1
	case xWord:
		return strings.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	if c := order(len(x), len(y)); c != 0 {
		return c
	}
	return strings.Compare(x, y)
}

func order[T uint64 | int](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
