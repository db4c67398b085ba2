package grouping

import "strings"

// date matches a date, a time or both, in the forms that programs print.
func (s *scanner) date(i, j int, w run) int {
	switch {
	case s.text[i]-'0' > 9:
		return s.namedDate(i, j)
	case w.n == 4 && s.at(j) == '-', w.n >= 8:
		return s.isoDate(i)
	case w.n <= 2 && s.spaceAt(j) > 0:
		return s.mailDate(i, false)
	case s.at(j) == ':' && w.digits == w.n && w.n <= 2:
		return s.clock(i)
	}
	return 0
}

// namedDate matches dates with names of days and months, and Python's datetime.
func (s *scanner) namedDate(i, j int) int {
	w := s.text[i:j]
	if w == "datetime" && strings.HasPrefix(s.text[j:], ".datetime(") {
		return s.datetime(j)
	}
	if isWeekday(w) {
		if s.at(j) == ',' {
			return s.mailDate(s.spaces(j+1), true)
		}
		i = s.spaces(j)
		j = s.wordEnd(max(i, 0))
		if i < 0 {
			return 0
		}
		w = s.text[i:j]
	}
	if !isMonth(w) {
		return 0
	}
	return s.monthDate(j)
}

// datetime matches what follows "datetime", up to the bracket that closes. Where none does, none will later.
func (s *scanner) datetime(i int) int {
	if s.noParen {
		return 0
	}
	n := strings.IndexByte(s.text[i:], ')')
	if n < 0 {
		s.noParen, s.steps = true, s.steps+len(s.text)-i
		return 0
	}
	return i + n + 1
}

// mailDate matches "02 Jan 06 15:04 MST" and "02 Jan 2006 15:04:05 -0700", and behind a day of the week
// "02-Jan-06 15:04:05 MST", too. Any name of a zone of up to five capitals is taken.
func (s *scanner) mailDate(i int, named bool) int {
	i = s.digits(i, 1, 2)
	if i < 0 {
		return 0
	}
	dash := named && s.at(i) == '-'
	i = s.gap(i, dash)
	if i < 0 || i+3 > len(s.text) || !isMonth(s.text[i:i+3]) {
		return 0
	}
	i = s.gap(i+3, dash)
	i = s.spaces(s.digits(i, 2, 4))
	i = s.clockTime(i)
	i = s.spaces(i)
	if i < 0 {
		return 0
	}
	return max(0, s.zoneName(i))
}

// gap matches a dash, or white space.
func (s *scanner) gap(i int, dash bool) int {
	if !dash {
		return s.spaces(i)
	}
	return s.literal(i, '-')
}

func (s *scanner) zoneName(i int) int {
	if c := s.at(i); c == '+' || c == '-' {
		return s.digits(i+1, 4, 4)
	}
	end := i
	for end < len(s.text) && s.text[end] >= 'A' && s.text[end] <= 'Z' && end-i < 5 {
		end++
	}
	if end == i || s.wordAt(end) {
		return -1
	}
	return end
}

// monthDate matches what follows "Jan": "02, 1999", "02 2006 14:04:05 GMT-0800 (Pacific Standard Time)", "02 14:04:05 2006".
func (s *scanner) monthDate(i int) int {
	day := s.digits(s.spaces(i), 1, 2)
	if day < 0 {
		return 0
	}
	if s.at(day) == ',' {
		return max(0, s.digits(s.spaces(day+1), 2, 4))
	}
	i = s.spaces(day)
	if year := s.digits(i, 4, 4); year > 0 {
		if end := s.clockTime(s.spaces(year)); end > 0 {
			return s.scriptZone(end)
		}
		return 0
	}
	return max(0, s.digits(s.spaces(s.clockTime(i)), 4, 4))
}

// scriptZone matches the zone that JavaScript prints, if it is there.
func (s *scanner) scriptZone(i int) int {
	at := s.spaces(i)
	if at < 0 || !strings.HasPrefix(s.text[at:], "GMT") || s.at(at+3) != '+' && s.at(at+3) != '-' {
		return i
	}
	at = s.digits(at+4, 4, 4)
	if at < 0 {
		return i
	}
	if open := s.spaces(at); open > 0 && s.at(open) == '(' {
		if n := strings.IndexByte(s.text[open:min(len(s.text), open+64)], ')'); n > 0 {
			return open + n + 1
		}
	}
	return at
}

// isoDate matches 2006-01-02 or 20060102 and a time behind it. Digits without dashes are a date only with a time.
func (s *scanner) isoDate(i int) int {
	at := s.digits2(s.digits2(i, '9'), '9')
	dashed := at > 0 && s.at(at) == '-'
	if dashed {
		at = s.literal(s.digits2(at+1, '1'), '-')
	} else {
		at = s.digits2(at, '1')
	}
	at = s.digits2(at, '3')
	if at < 0 {
		return 0
	}
	if end := s.isoTime(at); end > 0 {
		return end
	}
	if dashed && !s.wordAt(at) {
		return at
	}
	return 0
}

// isoTime matches the time behind a date: hours, minutes and seconds, with colons or without, a fraction and a zone.
// With colons the seconds may be missing. What is joined to a word is left out, as long as a time remains.
func (s *scanner) isoTime(i int) int {
	if c := s.at(i); c != ' ' && c != 'T' {
		return 0
	}
	hour := s.digits2(i+1, '2')
	colon := hour > 0 && s.at(hour) == ':'
	minute, second := s.digits2(hour, '5'), 0
	if colon {
		minute = s.digits2(hour+1, '5')
		second = s.digits2(s.literal(minute, ':'), '5')
	} else {
		second, minute = s.digits2(minute, '5'), -1
	}
	for _, at := range [...]int{s.fraction(second), second, minute} {
		if at < 0 {
			continue
		}
		if end := s.isoZone(at); !s.wordAt(end) {
			return end
		}
	}
	return 0
}

func (s *scanner) fraction(i int) int {
	if i < 0 || s.at(i) != '.' && s.at(i) != ',' {
		return -1
	}
	if end := s.digitsEnd(i + 1); end > i+1 {
		return end
	}
	return -1
}

func (s *scanner) isoZone(i int) int {
	at := i
	switch s.at(i) {
	case 'Z':
		i, at = i+1, i+1
	case '+', '-':
		at++
	default:
		return i
	}
	at = s.digits2(at, '2')
	if at > 0 && s.at(at) == ':' {
		at++
	}
	if at = s.digits2(at, '5'); at < 0 || s.wordAt(at) {
		return i
	}
	return at
}

// clock matches a time that stands alone, with am or pm behind it or not.
func (s *scanner) clock(i int) int {
	at := s.clockHours(i)
	at = s.digits2(s.literal(at, ':'), '5')
	if at < 0 {
		return 0
	}
	if s.at(at) == ':' && s.at(at+1)-'0' <= 9 {
		if at = s.digits2(at+1, '5'); at < 0 || s.at(at) == ':' && s.at(at+1)-'0' <= 9 {
			return 0
		}
	}
	half := at
	if s.at(half) == ' ' {
		half++
	}
	if s.at(half)|0x20 == 'a' || s.at(half)|0x20 == 'p' {
		if s.at(half+1)|0x20 == 'm' && !s.wordAt(half+2) {
			return half + 2
		}
	}
	if s.wordAt(at) {
		return 0
	}
	return at
}

// clockHours matches 0 to 23, with a leading zero or without.
func (s *scanner) clockHours(i int) int {
	end := s.digitsEnd(i)
	if end == i+1 || end == i+2 && (s.text[i] <= '1' || s.text[i] == '2' && s.text[i+1] <= '3') {
		return end
	}
	return -1
}

// clockTime matches 15:04 or 15:04:05, up to the end of a word.
func (s *scanner) clockTime(i int) int {
	minute := s.digits2(s.literal(s.digits2(i, '2'), ':'), '5')
	for _, at := range [...]int{s.digits2(s.literal(minute, ':'), '5'), minute} {
		if at > 0 && !s.wordAt(at) {
			return at
		}
	}
	return -1
}

// The matchers below take a place and give the place behind what they match, -1 when it is not there. They
// accept -1, so that they can be chained.

func (s *scanner) literal(i int, c byte) int {
	if i < 0 || s.at(i) != c {
		return -1
	}
	return i + 1
}

// digits2 matches two digits, the first of them at most limit.
func (s *scanner) digits2(i int, limit byte) int {
	if i < 0 || i+2 > len(s.text) || s.text[i] < '0' || s.text[i] > limit || s.text[i+1]-'0' > 9 {
		return -1
	}
	return i + 2
}

func (s *scanner) digits(i, least, most int) int {
	if i < 0 {
		return -1
	}
	end := s.digitsEnd(i)
	if end-i < least || end-i > most || s.wordAt(end) {
		return -1
	}
	return end
}

func (s *scanner) spaces(i int) int {
	if i < 0 {
		return -1
	}
	end := i
	for n := s.spaceAt(end); n > 0; n = s.spaceAt(end) {
		end += n
	}
	if end == i {
		return -1
	}
	s.steps += end - i
	return end
}

func isWeekday(w string) bool {
	switch w {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday":
		return true
	}
	return false
}

func isMonth(w string) bool {
	switch w {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}
