package detect

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// clip cuts a text at a rune.
func clip(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}

// maxTitle is how long a statement is in a title, in bytes.
const maxTitle = 160

// title is what was asked, short enough to be read: keywords in capitals, lists of columns left out.
func (c *call) title() string {
	if !c.read && !c.write {
		return ended(c.form)
	}
	var b strings.Builder
	for _, t := range sqltext.Tokens(clip(c.form, 8*maxTitle)) {
		if t.Kind == sqltext.Keyword {
			b.WriteString(strings.ToUpper(t.Text))
		} else {
			b.WriteString(t.Text)
		}
	}
	return ended(columns(b.String()))
}

func ended(text string) string {
	if len(text) <= maxTitle {
		return text
	}
	return clip(text, maxTitle) + "…"
}

// columns leaves out what stands between SELECT and its FROM, and the columns of an INSERT.
func columns(text string) string {
	if list, ok := strings.CutPrefix(text, "SELECT "); ok {
		if i := outside(list, " FROM "); i > 0 {
			return "SELECT …" + list[i:]
		}
	}
	if strings.HasPrefix(text, "INSERT ") {
		from, to := strings.Index(text, "("), strings.Index(text, ")")
		if from > 0 && to > from && strings.HasPrefix(strings.TrimLeft(text[to+1:], " "), "VALUES") {
			return text[:from+1] + "…" + text[to:]
		}
	}
	return text
}

// outside is where word stands outside parentheses, or -1.
func outside(text, word string) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case word[0]:
			if depth == 0 && strings.HasPrefix(text[i:], word) {
				return i
			}
		}
	}
	return -1
}

// urlForm is a method and URL without what changes from call to call: numbers and ids in the path become {id}, the query
// goes. What stands in the path by name stays, as do versions (v2).
func urlForm(text string) string {
	text, _, _ = strings.Cut(clip(text, maxExample), "#")
	text, _, _ = strings.Cut(text, "?")
	head, path := "", text
	if i := strings.Index(text, "://"); i >= 0 {
		if j := strings.IndexByte(text[i+3:], '/'); j >= 0 {
			head, path = text[:i+3+j], text[i+3+j:]
		} else {
			return text
		}
	}
	if !strings.ContainsAny(path, "0123456789%@") {
		return text
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if isID(p) {
			parts[i] = "{id}"
		}
	}
	return head + strings.Join(parts, "/")
}

// isID tells a segment of a path, or part of a key, that names one thing among many: a number, a UUID, a hash, an address,
// an encoded text.
func isID(s string) bool {
	digits, hex := 0, 0
	for i := range len(s) {
		switch b := s[i]; {
		case b >= '0' && b <= '9':
			digits++
			hex++
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' || b == '-':
			hex++
		case b == '@' || b == '%':
			return true
		}
	}
	return digits > 0 && (digits == len(s) || hex == len(s) && len(s) >= 8 || digits >= 2 && len(s) >= 12)
}

// keyForm is a cache's key without ids: parts between : / . _ - and blanks.
func keyForm(key string) string {
	key = clip(key, maxExample)
	if !strings.ContainsAny(key, "0123456789%@") {
		return key
	}
	var b strings.Builder
	part := 0
	for i := 0; i <= len(key); i++ {
		if i < len(key) && !strings.ContainsRune(":/._- ", rune(key[i])) {
			continue
		}
		if isID(key[part:i]) {
			b.WriteByte('?')
		} else {
			b.WriteString(key[part:i])
		}
		if i < len(key) {
			b.WriteByte(key[i])
		}
		part = i + 1
	}
	return b.String()
}

// endpoint names a request in a fingerprint.
func endpoint(r *trace.Request) string {
	name := r.Name
	if r.Method != "" && !strings.HasPrefix(name, r.Method+" ") {
		name = r.Method + " " + name
	}
	if r.Service == "" {
		return name
	}
	return r.Service + " " + name
}

// place is where in the code a call came from, without the line, which moves with every release.
func place(s *trace.Span) string {
	if s.Func == "" {
		return s.File
	}
	return s.File + ":" + s.Func
}

// sum is what a call asked, in a fingerprint.
func sum(c *call) string {
	if c.mark != 0 {
		return strconv.FormatUint(c.mark, 16)
	}
	return c.form
}
