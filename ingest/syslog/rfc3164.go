package syslog

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// bsd reads what follows <PRI> in the older form (RFC 3164) and its dialects: `STAMP HOST TAG[PID]: BODY`, where glibc
// leaves out the host, Python stamp and host and often the tag, and Go and rsyslog write the stamp as RFC 3339.
func (m *Message) bsd(text string, now time.Time) {
	at, rest, stamped := cutStamp(text, now)
	if stamped {
		m.Time = at
		m.Host, rest = cutHost(rest)
	}
	m.App, m.PID, m.Body = cutTag(rest)
}

// cutStamp reads a stamp and the space behind it.
func cutStamp(text string, now time.Time) (at time.Time, rest string, ok bool) {
	word, rest, _ := strings.Cut(text, " ")
	if at, ok = rfc3339(word); ok {
		return at, rest, true
	}
	month := months[word]
	if month == 0 {
		return at, text, false
	}
	day, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	clock, rest, _ := strings.Cut(rest, " ")
	year := 0
	if len(clock) == 4 { // Cisco's form
		year, _ = strconv.Atoi(clock)
		clock, rest, _ = strings.Cut(rest, " ")
	}
	d, err := strconv.Atoi(day)
	tod, cerr := time.Parse("15:04:05", strings.TrimSuffix(clock, ":")) // a fraction of a second is allowed
	if err != nil || cerr != nil || d < 1 || d > 31 {
		return at, text, false
	}
	return dated(year, month, d, tod, now), rest, true
}

var months = map[string]time.Month{"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10,
	"Nov": 11, "Dec": 12}

// dated puts a day and a time of day into a year. Year 0 is unknown: then it is the one that brings the stamp closest to
// now, so that a message of New Year's Eve which comes a second late is not taken to be a year ahead.
func dated(year int, month time.Month, day int, tod, now time.Time) (best time.Time) {
	in := func(y int) time.Time {
		return time.Date(y, month, day, tod.Hour(), tod.Minute(), tod.Second(), tod.Nanosecond(), now.Location())
	}
	if year != 0 {
		return in(year)
	}
	best = in(now.Year())
	for _, y := range [...]int{now.Year() - 1, now.Year() + 1} {
		at := in(y)
		if best.Day() != day || at.Day() == day && at.Sub(now).Abs() < best.Sub(now).Abs() { // 29 February is in one year of four
			best = at
		}
	}
	return best
}

// cutHost takes the host's name away, when the first word is one and not the tag already.
func cutHost(text string) (host, rest string) {
	word, rest, more := strings.Cut(text, " ")
	if !more || word == "" || strings.IndexFunc(word, notHost) >= 0 {
		return "", text
	}
	if _, err := netip.ParseAddr(word); strings.Contains(word, ":") && err != nil {
		return "", text
	}
	return word, rest
}

func notHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' && r != ':'
}

// maxTag bounds a tag: RFC 3164 has 32 letters, rsyslog and containers send longer ones.
const maxTag = 64

// cutTag takes `NAME[PID]: ` or `NAME: ` away. Any other text is all body.
func cutTag(text string) (app, pid, body string) {
	text = strings.TrimPrefix(text, " ")
	end := strings.IndexFunc(text[:min(len(text), maxTag+1)], notTag)
	if end < 1 {
		return "", "", text
	}
	app, rest := text[:end], text[end:]
	if inner, ok := strings.CutPrefix(rest, "["); ok {
		if pid, rest, ok = strings.Cut(inner, "]"); !ok || len(pid) > maxTag || strings.ContainsAny(pid, " \t\n") {
			return "", "", text
		}
		return app, pid, strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
	}
	if rest == ":" || strings.HasPrefix(rest, ": ") {
		return app, "", strings.TrimPrefix(rest[1:], " ")
	}
	return "", "", text
}

func notTag(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-/()+", r)
}
