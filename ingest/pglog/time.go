package pglog

import (
	"strings"
	"time"
)

// parseTime reads 2024-01-31 12:34:56[.789] ZONE whole.
func parseTime(s string) (time.Time, bool) {
	t, n := scanTime(s)
	return t, n == len(s) && n > 0
}

// scanTime reads a time at the start of s and says how long it is, 0 when there is none. The zone is a name of zones, or an
// offset such as +03 or -0330; one that we do not know is taken for UTC.
func scanTime(s string) (time.Time, int) {
	if len(s) < len("2024-01-31 12:34:56") || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, 0
	}
	year, mon, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, min, sec := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if year < 1 || mon < 1 || mon > 12 || day < 1 || day > 31 || hour < 0 || hour > 24 || min < 0 || min > 59 || sec < 0 || sec > 60 {
		return time.Time{}, 0
	}
	n := 19
	nanos, m := fraction(s[n:])
	n += m
	offset, m := zone(s[n:])
	n += m
	return time.Date(year, time.Month(mon), day, hour, min, sec, nanos, time.UTC).Add(-offset), n
}

// digits is the number, -1 when there is anything else.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func fraction(s string) (nanos, n int) {
	if len(s) < 2 || s[0] != '.' {
		return 0, 0
	}
	unit := int(time.Second)
	for n = 1; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
		unit /= 10
		nanos += unit * int(s[n]-'0')
	}
	return nanos, n
}

// zone reads a blank and a zone, or Z or an offset without a blank (RFC 3339).
func zone(s string) (time.Duration, int) {
	n := 0
	if strings.HasPrefix(s, " ") {
		n = 1
	}
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		d, m := offset(s[n:])
		return d, n + m
	}
	end := n
	for end < len(s) && end-n < maxZone && s[end] >= 'A' && s[end] <= 'Z' {
		end++
	}
	if end == n || n == 0 && s[:end] != "Z" {
		return 0, 0
	}
	return time.Duration(zones[s[n:end]]) * time.Minute, end
}

// maxZone is the longest abbreviation of a zone.
const maxZone = 6

// offset reads +HH, +HHMM or +HH:MM.
func offset(s string) (time.Duration, int) {
	n := 1
	for n < len(s) && n < 6 && (s[n] >= '0' && s[n] <= '9' || s[n] == ':' && n == 3) {
		n++
	}
	text := strings.Replace(s[1:n], ":", "", 1)
	minutes := 0
	switch len(text) {
	case 2:
		minutes = digits(text) * 60
	case 4:
		minutes = digits(text[:2])*60 + digits(text[2:])
	default:
		return 0, 0
	}
	if s[0] == '-' {
		minutes = -minutes
	}
	return time.Duration(minutes) * time.Minute, n
}

// zones are the offsets of the abbreviations that log_timezone yields most, in minutes. Where two zones share one, it is the
// one that PostgreSQL's own default table of abbreviations has.
var zones = map[string]int{"UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180,
	"MSK": 180, "IST": 330, "SGT": 480, "HKT": 480, "AWST": 480, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
	"AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "HST": -600}

// scanEpoch reads seconds since 1970 with milliseconds, as %n writes them; -1 when there are none.
func scanEpoch(s string) (time.Time, int) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n < 9 || n > 11 {
		return time.Time{}, -1
	}
	nanos, m := fraction(s[n:])
	return time.Unix(int64(digits(s[:n])), int64(nanos)).UTC(), n + m
}
