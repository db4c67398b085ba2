package pglog

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads a line of jsonlog (PostgreSQL 15 on): one flat object of strings and numbers, keys without escapes. It
// fails for everything else, a cut line included. It takes some 2.5 times the bytes a second of encoding/json (BenchmarkJSONLog).
func parseJSON(line string, e *Entry) bool {
	s := strings.TrimSpace(line)
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	s = s[1:]
	for {
		key, value, rest, ok := member(s)
		if !ok {
			return false
		}
		e.field(key, value)
		rest = strings.TrimLeft(rest, " ")
		if rest == "}" {
			break
		}
		if rest == "" || rest[0] != ',' {
			return false
		}
		s = rest[1:]
	}
	if e.Severity == "" || e.Time.IsZero() {
		return false
	}
	e.interpret()
	return true
}

// member reads "key":value.
func member(s string) (key, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '"' {
		return "", "", "", false
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return "", "", "", false
	}
	key, s = s[1:1+end], strings.TrimLeft(s[end+2:], " ")
	if s == "" || s[0] != ':' {
		return "", "", "", false
	}
	s = strings.TrimLeft(s[1:], " ")
	if s != "" && s[0] == '"' {
		value, rest, ok = jsonString(s[1:])
		return key, value, rest, ok
	}
	n := strings.IndexAny(s, ",}")
	if n <= 0 || strings.ContainsAny(s[:n], "{[\"") {
		return "", "", "", false
	}
	return key, strings.TrimSpace(s[:n]), s[n:], true
}

// jsonString reads up to the closing quote; it copies only what has escapes.
func jsonString(s string) (value, rest string, ok bool) {
	end := strings.IndexByte(s, '"')
	if end < 0 {
		return "", "", false
	}
	if strings.IndexByte(s[:end], '\\') < 0 {
		return valid(s[:end]), s[end+1:], true
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape(s[:i]), s[i+1:], true
		}
	}
	return "", "", false
}

func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// simple are the escapes of one letter.
var simple = [256]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\', '/': '/'}

// unescape reads the escapes of a JSON string. What is none stays as it is.
func unescape(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return valid(s)
	}
	b := make([]byte, 0, len(s))
	for at >= 0 {
		b = append(b, s[:at]...)
		s = s[at:]
		n := 1
		switch {
		case len(s) >= 6 && s[1] == 'u':
			b, n = appendUnicode(b, s)
		case len(s) >= 2 && simple[s[1]] != 0:
			b, n = append(b, simple[s[1]]), 2
		default:
			b = append(b, '\\')
		}
		s = s[n:]
		at = strings.IndexByte(s, '\\')
	}
	return valid(string(append(b, s...)))
}

// appendUnicode reads \uXXXX, or two of them that are one character, and says how long they are.
func appendUnicode(b []byte, s string) ([]byte, int) {
	r, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return append(b, '\\'), 1
	}
	if utf16.IsSurrogate(rune(r)) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		low, err := strconv.ParseUint(s[8:12], 16, 16)
		if pair := utf16.DecodeRune(rune(r), rune(low)); err == nil && pair != utf8.RuneError {
			return utf8.AppendRune(b, pair), 12
		}
	}
	return utf8.AppendRune(b, rune(r)), 6
}

// field takes one key of jsonlog. Others are of no use to us.
func (e *Entry) field(key, value string) {
	switch key {
	case "timestamp":
		e.Time, _ = parseTime(value)
	case "user":
		e.User = value
	case "dbname":
		e.Database = value
	case "pid":
		e.PID = number32(value)
	case "remote_host":
		e.Host = value
	case "error_severity":
		e.Severity = severityName(value)
	case "state_code":
		e.SQLState = value
	case "message":
		e.Message = value
	case "detail":
		e.Detail = value
	case "hint":
		e.Hint = value
	case "context":
		e.Context = value
	case "statement":
		e.Statement = value
	case "application_name":
		e.Application = value
	case "query_id":
		e.QueryID, _ = strconv.ParseInt(value, 10, 64)
	}
}

func number32(s string) int32 {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int32(n)
}

// severityName makes one of DEBUG1 to DEBUG5.
func severityName(s string) string {
	if strings.HasPrefix(s, "DEBUG") {
		return "DEBUG"
	}
	return s
}
