// Package syslog reads what comes through the syslog door: messages of RFC 5424 and RFC 3164 with the dialects that real
// senders use, their framing on a stream, and the record of a request that a message may carry. It is pure.
package syslog

import (
	"bytes"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is one syslog message. What the sender left out is "".
type Message struct {
	Time               time.Time // by the sender's clock, UTC; when it names none, that of the receiver
	Host, App          string    // App is the APP-NAME of RFC 5424, the tag of RFC 3164
	PID, MsgID         string
	Facility, Severity uint8
	SD                 []Element
	Body               string
}

// Element is one element of structured data (RFC 5424, 6.3).
type Element struct {
	ID     string
	Params []Param
}

// Param is a named value of an element.
type Param struct{ Name, Value string }

// ErrFormat marks bytes that are no syslog message: none at all, or a binary protocol that lost its way.
var ErrFormat = errors.New("not a syslog message")

// The priority of a message that has none: user.notice (RFC 3164, 4.3.3).
const (
	defaultFacility = 1
	defaultSeverity = 5
)

// Parse reads one message without its framing. now is the receiver's clock; a stamp without a zone is taken to be of now's
// zone. Nearly everything is a message: what fits no form is the body of one. Invalid UTF-8 and NUL become U+FFFD. The
// error is ErrFormat.
//
// The parser is our own because github.com/leodido/go-syslog v4 rejects what Go's log/syslog, rsyslog and Python send
// (TestPeer holds the list), and takes longer (BenchmarkParse).
func Parse(b []byte, now time.Time) (Message, error) {
	b = bytes.TrimRight(bytes.TrimPrefix(b, []byte(bom)), "\x00\r\n")
	priority, rest, ok := cutPriority(b)
	if len(rest) == 0 || !ok && binary(b) {
		return Message{}, ErrFormat
	}
	m := Message{Facility: defaultFacility, Severity: defaultSeverity}
	if ok {
		m.Facility, m.Severity = priority>>3, priority&7
	}
	text := clean(rest)
	if modern, is := strings.CutPrefix(text, "1 "); !is || !ok || !m.modern(modern) {
		m.bsd(text, now)
	}
	if m.Time.IsZero() {
		m.Time = now
	}
	m.Time = m.Time.UTC()
	return m, nil
}

// bom is the mark that RFC 5424 puts before text in UTF-8, and rsyslog's imfile before the first line of a file.
const bom = "\xef\xbb\xbf"

// cutPriority reads <0> to <191>.
func cutPriority(b []byte) (priority uint8, rest []byte, ok bool) {
	end := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if end < 2 || b[0] != '<' {
		return 0, b, false
	}
	n := 0
	for _, c := range b[1:end] {
		if c < '0' || c > '9' {
			return 0, b, false
		}
		n = n*10 + int(c-'0')
	}
	if n > 191 {
		return 0, b, false
	}
	return uint8(n), b[end+1:], true
}

// binary tells whether bytes without a priority are no text: a TLS greeting on a plain port, say. Colours (ESC) are text.
func binary(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != 0x1b {
			return true
		}
	}
	return !utf8.Valid(b)
}

func clean(b []byte) string {
	text := strings.ToValidUTF8(string(b), "\uFFFD")
	if strings.IndexByte(text, 0) >= 0 { // PostgreSQL has no NUL in a text
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return text
}

// Postgres tells whether a message is a piece of PostgreSQL's own log: its server marks each with [SEQ-CHUNK]
// (syslog_sequence_numbers, on by default), and one statement may take several.
func (m *Message) Postgres() bool {
	if m.PID == "" || len(m.Body) < 5 || m.Body[0] != '[' {
		return false
	}
	inside, _, ok := strings.Cut(m.Body[1:min(len(m.Body), 24)], "]")
	seq, chunk, dash := strings.Cut(inside, "-")
	return ok && dash && digits(seq) && digits(chunk)
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
