package pglog

import (
	"strconv"
	"strings"

	"kibitz/app/errs"
)

// Prefix reads what log_line_prefix wrote before a message. Make it with ParsePrefix.
type Prefix struct {
	text   string
	pieces []piece
}

// piece is a literal, or an escape with the letter behind its %.
type piece struct {
	literal string
	escape  byte
}

// escapes are those of the manual, up to version 18 (%L).
const escapes = "auLdrhbpPtmnieclsvxqQ"

// maxPrefix bounds a log_line_prefix (limit pglog.maxPrefix).
const maxPrefix = 256

// ParsePrefix reads a log_line_prefix as it stands in postgresql.conf.
func ParsePrefix(text string) (*Prefix, error) {
	if len(text) > maxPrefix {
		return nil, errs.New(errs.Invalid, "The log_line_prefix is longer than %d bytes (limit pglog.maxPrefix).", maxPrefix)
	}
	p := &Prefix{text: text}
	for s := text; s != ""; {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			p.literal(s)
			break
		}
		p.literal(s[:at])
		n := at + 1
		for n < len(s) && (s[n] == '-' || s[n] >= '0' && s[n] <= '9') {
			n++ // padding
		}
		if n == len(s) {
			return nil, errs.New(errs.Invalid, "The log_line_prefix ends in the middle of an escape; write %%%% for a percent sign.")
		}
		if err := p.escape(s[n]); err != nil {
			return nil, err
		}
		s = s[n+1:]
	}
	return p, nil
}

func (p *Prefix) escape(c byte) error {
	switch {
	case c == '%':
		p.literal("%")
	case strings.IndexByte(escapes, c) < 0:
		return errs.New(errs.Invalid, "PostgreSQL knows no %%%q in log_line_prefix; the letters are %s.", c, escapes)
	default:
		p.pieces = append(p.pieces, piece{escape: c})
	}
	return nil
}

func (p *Prefix) literal(s string) {
	if n := len(p.pieces); n > 0 && p.pieces[n-1].escape == 0 {
		p.pieces[n-1].literal += s
	} else if s != "" {
		p.pieces = append(p.pieces, piece{literal: s})
	}
}

// String is the log_line_prefix.
func (p *Prefix) String() string { return p.text }

// maxTries bounds how often a line is tried to be read in another way (limit pglog.maxTries).
const maxTries = 400

// match is one try to read a line. What a line says is put into e only when all of it fits.
type match struct {
	pieces   []piece
	entry    Entry
	tries    int
	severity string
	message  string
}

// read takes the prefix and the severity off a line. e keeps what it had where the prefix says nothing.
func (p *Prefix) read(line string, e *Entry) (severity, message string, ok bool) {
	m := match{pieces: p.pieces, entry: *e, tries: maxTries}
	if !m.from(0, line) {
		return "", "", false
	}
	*e = m.entry
	return m.severity, m.message, true
}

// from reads the pieces from i on, and the severity behind them.
func (m *match) from(i int, s string) bool {
	if m.tries--; m.tries < 0 {
		return false
	}
	if i == len(m.pieces) {
		return m.end(s)
	}
	p := m.pieces[i]
	switch p.escape {
	case 0:
		rest, ok := strings.CutPrefix(s, p.literal)
		return ok && m.from(i+1, rest)
	case 'q':
		// Behind it stands nothing in processes that are no sessions.
		return m.from(i+1, s) || m.end(s)
	case 'a', 'u', 'L', 'd', 'r', 'h', 'b', 'i':
		return m.free(i, s)
	}
	unpadded := strings.TrimLeft(s, " ")
	return m.form(i, s) || len(unpadded) < len(s) && m.form(i, unpadded)
}

// form reads a piece with a form of its own, with or without the blanks that pad it on the right.
func (m *match) form(i int, s string) bool {
	n := m.fixed(m.pieces[i].escape, s)
	if n < 0 {
		return false
	}
	rest := s[n:]
	unpadded := strings.TrimLeft(rest, " ")
	return m.from(i+1, rest) || len(unpadded) < len(rest) && m.from(i+1, unpadded)
}

// end reads what a prefix must be followed by.
func (m *match) end(s string) bool {
	var ok bool
	m.severity, m.message, ok = severity(s)
	return ok
}

// fixed reads what has a form of its own, and says how long it is; -1 when it does not fit.
func (m *match) fixed(escape byte, s string) int {
	switch escape {
	case 't', 'm':
		t, n := scanTime(s)
		if n == 0 {
			return -1
		}
		m.entry.Time = t
		return n
	case 'n':
		t, n := scanEpoch(s)
		m.entry.Time = t
		return n
	case 's':
		if _, n := scanTime(s); n > 0 {
			return n
		}
		return -1
	case 'p':
		n := count(s, "0123456789")
		if n == 0 {
			return -1
		}
		m.entry.PID = number32(s[:n])
		return n
	}
	return m.counter(escape, s)
}

// counter reads the numbers, which may be missing.
func (m *match) counter(escape byte, s string) int {
	switch escape {
	case 'e':
		if n := count(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"); n != 5 {
			return -1
		}
		m.entry.SQLState = s[:5]
		return 5
	case 'c':
		n := count(s, "0123456789abcdef.")
		if _, pid, ok := strings.Cut(s[:n], "."); ok && m.entry.PID == 0 {
			id, _ := strconv.ParseInt(pid, 16, 32)
			m.entry.PID = int32(id)
		}
		return n
	case 'v':
		return count(s, "0123456789/")
	case 'Q':
		n := count(s, "-0123456789")
		m.entry.QueryID, _ = strconv.ParseInt(s[:n], 10, 64)
		return n
	}
	return count(s, "0123456789")
}

func count(s, set string) int {
	n := 0
	for n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}

// maxFree is the longest name that is looked for: names of roles, databases and programs have 63 bytes, a host 255.
const maxFree = 300

// free reads a name, which may hold anything: up to each place where what follows can begin.
func (m *match) free(i int, s string) bool {
	stop := ""
	if i+1 < len(m.pieces) {
		stop = m.pieces[i+1].literal
	}
	for n := 0; n <= len(s) && n <= maxFree; n++ {
		if stop != "" {
			at := strings.Index(s[n:], stop)
			if at < 0 {
				return false
			}
			n += at
		}
		if m.from(i+1, s[n:]) {
			m.name(m.pieces[i].escape, strings.TrimSpace(s[:n]))
			return true
		}
		if m.tries < 0 {
			return false
		}
	}
	return false
}

func (m *match) name(escape byte, value string) {
	if value == "[unknown]" {
		value = ""
	}
	switch escape {
	case 'a':
		m.entry.Application = valid(value)
	case 'u':
		m.entry.User = valid(value)
	case 'd':
		m.entry.Database = valid(value)
	case 'h', 'r':
		host, _, _ := strings.Cut(value, "(") // host(port)
		m.entry.Host = valid(host)
	}
}

// severities are the words that follow the prefix; those from DETAIL on belong to the entry before.
var severities = map[string]bool{"LOG": true, "ERROR": true, "FATAL": true, "PANIC": true, "WARNING": true, "NOTICE": true, "INFO": true, "DEBUG": true,
	"DEBUG1": true, "DEBUG2": true, "DEBUG3": true, "DEBUG4": true, "DEBUG5": true,
	"DETAIL": false, "HINT": false, "QUERY": false, "CONTEXT": false, "LOCATION": false, "STATEMENT": false, "BACKTRACE": false}

// severity reads "LOG:  message". With log_error_verbosity = verbose the SQLSTATE stands before an error's message; it is
// left there.
func severity(s string) (word, message string, ok bool) {
	n := 0
	for n < len(s) && n < 10 && (s[n] >= 'A' && s[n] <= 'Z' || n > 4 && s[n] >= '1' && s[n] <= '5') {
		n++
	}
	if n == 0 || n+1 >= len(s) || s[n] != ':' || s[n+1] != ' ' {
		return "", "", false
	}
	if _, ok = severities[s[:n]]; !ok {
		return "", "", false
	}
	return s[:n], strings.TrimLeft(s[n+1:], " "), true
}
