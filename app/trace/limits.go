package trace

import (
	"strings"
	"unicode/utf8"
)

// Limits of what is read of requests, spans and log lines, in bytes or in number, whichever door they come through. What is
// beyond them is cut; a span whose text or attributes were cut says so in the attribute kibitz.left_out.
const (
	MaxText     = 16 << 10 // span_text: a statement, a key, a URL with its method; the body of a log line
	MaxName     = 512      // names of endpoints, services, releases, files, functions ...
	MaxURL      = 2048     // Request.URL
	MaxOp       = 64       // ops, states, methods, levels
	MaxAttrs    = 64       // span_attributes: attributes of a span, a request or a log line
	MaxAttrKey  = 200
	MaxAttr     = 1024 // the value of an attribute
	MaxSwitches = 50   // request_switches: switches of a request
)

// LeftOut is the attribute that tells what was cut.
const LeftOut = "kibitz.left_out"

// Texts copies texts from outside, and gives one copy for all that are the same, since a message says the same routes,
// statements and keys over and over. The zero value is ready for use by one goroutine.
type Texts struct{ seen map[string]string }

// maxSeen bounds how many texts are remembered: no more repeat usefully.
const maxSeen = 10_000

// Clip is a copy of text in valid UTF-8 without NUL, cut to most bytes at a whole character.
func (t *Texts) Clip(text string, most int) string {
	text = whole(text, most)
	if text == "" {
		return ""
	}
	if known, ok := t.seen[text]; ok {
		return known
	}
	valid := strings.Clone(whole(Valid(text), most))
	if valid != text { // rare, and another limit may cut it elsewhere
		return valid
	}
	if t.seen == nil {
		t.seen = make(map[string]string, 64)
	}
	if len(t.seen) < maxSeen {
		t.seen[valid] = valid
	}
	return valid
}

// whole is at most the first most bytes of text, without half a character at their end.
func whole(text string, most int) string {
	if len(text) <= most {
		return text
	}
	at := most
	for at > max(0, most-utf8.UTFMax) && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at]
}

// Valid is text in valid UTF-8 without NUL, which PostgreSQL does not take.
func Valid(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}
