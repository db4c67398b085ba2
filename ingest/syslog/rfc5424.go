package syslog

import (
	"strings"
	"time"
)

// modern reads what follows "<PRI>1 " (RFC 5424, 6). A message that does not fit is left as it was, for bsd to take.
func (m *Message) modern(text string) bool {
	var fields [5]string // TIMESTAMP HOSTNAME APP-NAME PROCID MSGID
	for i := range fields {
		word, rest, ok := strings.Cut(text, " ")
		if !ok || word == "" {
			return false
		}
		text = rest
		if word != "-" {
			fields[i] = word
		}
	}
	at, ok := rfc3339(fields[0])
	if !ok && fields[0] != "" {
		return false
	}
	elements, rest, ok := structured(text)
	if !ok {
		return false
	}
	m.Time, m.Host, m.App, m.PID, m.MsgID, m.SD = at, fields[1], fields[2], fields[3], fields[4], elements
	// rsyslog's templates put the space after the old form's tag before the message.
	m.Body = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(rest, " "), " "), bom)
	return true
}

func rfc3339(word string) (time.Time, bool) {
	if len(word) < len("2006-01-02T15:04:05Z") || word[10] != 'T' {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, word)
	return at, err == nil
}

// structured reads STRUCTURED-DATA: "-" or elements.
func structured(text string) (elements []Element, rest string, ok bool) {
	if rest, none := strings.CutPrefix(text, "-"); none {
		return nil, rest, rest == "" || rest[0] == ' '
	}
	for strings.HasPrefix(text, "[") {
		var e Element
		if e, text, ok = element(text[1:]); !ok {
			return nil, "", false
		}
		elements = append(elements, e)
	}
	return elements, text, len(elements) > 0 && (text == "" || text[0] == ' ')
}

// element reads `ID name="value" ...]`.
func element(text string) (e Element, rest string, ok bool) {
	end := strings.IndexAny(text, " ]")
	if end < 1 {
		return e, "", false
	}
	e.ID, text = text[:end], text[end:]
	for {
		text = strings.TrimLeft(text, " ")
		if rest, closed := strings.CutPrefix(text, "]"); closed {
			return e, rest, true
		}
		name, after, found := strings.Cut(text, `="`)
		if !found || name == "" || strings.ContainsAny(name, ` ]"`) {
			return e, "", false
		}
		var value string
		if value, text, ok = quoted(after); !ok {
			return e, "", false
		}
		e.Params = append(e.Params, Param{name, value})
	}
}

// quoted reads a value up to its closing quote; a backslash escapes a quote, a backslash and a bracket, and stands for
// itself before anything else.
func quoted(text string) (value, rest string, ok bool) {
	end := strings.IndexAny(text, `"\`)
	if end >= 0 && text[end] == '"' { // nearly always
		return text[:end], text[end+1:], true
	}
	var b strings.Builder
	for end >= 0 {
		b.WriteString(text[:end])
		if text = text[end:]; text[0] == '"' {
			return b.String(), text[1:], true
		}
		if len(text) > 1 && strings.IndexByte(`"\]`, text[1]) >= 0 {
			text = text[1:]
		}
		b.WriteByte(text[0])
		text = text[1:]
		end = strings.IndexAny(text, `"\`)
	}
	return "", "", false
}
