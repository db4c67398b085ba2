// Package sqltext reads SQL as text: it makes one form of all statements that differ in their values only, and cuts a
// statement into tokens for showing it. It knows PostgreSQL's lexical rules, no grammar, and takes whatever comes: cut
// off, hostile or no SQL at all, in linear time. It is pure.
package sqltext

import (
	"strings"
	"unicode/utf8"
)

// MaxText bounds a normalised statement, in bytes (limit sqltext.MaxText). What is longer is cut between two tokens;
// its fingerprint is that of what is left.
const MaxText = 32 << 10

// Normalize answers the form that all statements share which differ only in values, comments, letter case outside
// quotes and blanks, and its fingerprint: FNV-1a over that form. The form of a form is itself.
//
// Strings, numbers and placeholders ($1, ?, :name, %s) become ?, and so do null, true and false where a value stands
// (not in IS NULL or NOT NULL), with their sign and a cast behind them. Lists of IN, ARRAY and VALUES, repeated rows, and
// repeated operands of OR become one. Names that clients make up (savepoints, cursors, prepared statements) become ?.
func Normalize(sql string) (text string, fingerprint uint64) {
	if !utf8.ValidString(sql) {
		sql = strings.ToValidUTF8(sql, "\uFFFD")
	}
	f := folder{lex: lexer{src: sql}}
	f.frames = append(f.frames, frame{altBefore: -1, itemBefore: -1})
	for f.size < MaxText && f.step() {
	}
	f.finish()
	text = f.print()
	return text, hash(text)
}

// hash is FNV-1a, 64 bits.
func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// folder holds the tokens of the form so far. Lists collapse while they are read, so that it stays small.
type folder struct {
	lex    lexer
	out    []token
	size   int // bytes of out, blanks between them included
	frames []frame
	peeked *token
	from   int // where peeked begins to be read
}

// frame is a level of parentheses, with where its current and its last item (between commas) and alternative (between
// ORs) begin in out; -1 when there is no last one.
type frame struct {
	list             bool // of values: IN (...), VALUES (...), ARRAY[...]
	item, itemBefore int
	alt, altBefore   int
}

// maxDepth bounds nesting (limit sqltext.maxDepth): what is deeper ends the form.
const maxDepth = 500

// value is what every value becomes.
var value = token{placeholder, "?"}

// step takes one token; false at the end.
func (f *folder) step() bool {
	t := f.take()
	switch {
	case t.kind == end:
		return false
	case t.kind == str || t.kind == number || t.kind == placeholder:
		f.value()
	case len(t.text) > MaxText:
		return false
	case t.kind == word:
		f.word(lowered(t.text))
	case t.kind == quoted:
		f.name(t.text)
	default:
		return f.mark(t)
	}
	return true
}

// name adds a quoted identifier.
func (f *folder) name(text string) {
	text = unquote(text)
	if f.isMadeUp(strings.Trim(text, `"`)) {
		f.value()
		return
	}
	f.push(token{quoted, text})
}

func (f *folder) take() token {
	if t := f.peeked; t != nil {
		f.peeked = nil
		return *t
	}
	return f.lex.significant()
}

func (f *folder) peek() token {
	if f.peeked == nil {
		f.from = f.lex.pos
		t := f.lex.significant()
		f.peeked = &t
	}
	return *f.peeked
}

func (f *folder) push(t token) {
	f.out = append(f.out, t)
	f.size += len(t.text) + 1
}

// cut drops the tokens from n on.
func (f *folder) cut(n int) {
	for _, t := range f.out[n:] {
		f.size -= len(t.text) + 1
	}
	f.out = f.out[:n]
}

// last is the text of the token i from the end; "" when there is none. A quoted identifier has its quotes, so that it is
// never taken for a keyword.
func (f *folder) last(i int) string {
	if i >= len(f.out) {
		return ""
	}
	return f.out[len(f.out)-1-i].text
}

func (f *folder) top() *frame { return &f.frames[len(f.frames)-1] }

// value adds a value: without its sign, without what is cast behind it, and only once where literals follow each other.
func (f *folder) value() {
	for (f.last(0) == "-" || f.last(0) == "+") && !f.operand(1) {
		f.cut(len(f.out) - 1)
	}
	if f.last(0) != value.text || f.out[len(f.out)-1].kind != placeholder {
		f.push(value)
	}
	f.lex.before, f.lex.beforeText = placeholder, value.text
	for f.peek().text == "::" {
		f.take()
		f.skipType()
		f.behindValue()
	}
}

// behindValue reads on as if the value alone stood before, since that is what the form will say.
func (f *folder) behindValue() {
	if f.peeked != nil {
		f.peeked, f.lex.pos = nil, f.from
	}
	f.lex.before, f.lex.beforeText = placeholder, value.text
}

// operand tells whether the token i from the end can stand before a binary operator.
func (f *folder) operand(i int) bool {
	if i >= len(f.out) {
		return false
	}
	switch t := f.out[len(f.out)-1-i]; t.kind {
	case word:
		return !keywords[t.text] || t.text == "end" || t.text == "null" || strings.HasPrefix(t.text, "current")
	case quoted, placeholder:
		return true
	default:
		return t.text == ")" || t.text == "]"
	}
}

// skipType passes over the name of a type: schema.name, two or four words for a few, (n,m), [].
func (f *folder) skipType() {
	if k := f.peek().kind; k != word && k != quoted {
		return
	}
	first := lowered(f.take().text)
	for f.peek().text == "." {
		f.take()
		if k := f.peek().kind; k == word || k == quoted {
			f.take()
		}
	}
	f.skipWords(typeWords[first])
	f.skipModifier("(", ")")
	f.skipWords(zoneWords)
	for f.peek().text == "[" && f.skipModifier("[", "]") {
	}
}

// typeWords may follow the first word of a type's name.
var typeWords = map[string]string{"double": "precision", "character": "varying", "bit": "varying", "national": "character varying"}

// zoneWords may follow time and timestamp, (n) included.
const zoneWords = "with without time zone"

func (f *folder) skipWords(words string) {
	for words != "" && f.peek().kind == word {
		w := lowered(f.peek().text)
		if !contains(words, w) || (w == "with" || w == "without") && !f.zoneFollows() {
			return
		}
		f.take()
	}
}

// zoneFollows tells the with of a type from any other, by the word behind it.
func (f *folder) zoneFollows() bool {
	ahead := f.lex
	return strings.EqualFold(ahead.significant().text, "time")
}

func contains(words, w string) bool {
	for _, x := range strings.Fields(words) {
		if x == w {
			return true
		}
	}
	return false
}

// skipModifier passes over (10,2) or [3]; false when something else stands there, which is left.
func (f *folder) skipModifier(opening, closing string) bool {
	if f.peek().text != opening {
		return false
	}
	ahead := f.lex
	for range 4 {
		switch t := ahead.significant(); {
		case t.text == closing:
			f.peeked, f.lex = nil, ahead
			return true
		case t.kind != number && t.kind != placeholder && t.text != ",":
			return false
		}
	}
	return false
}

// print writes the tokens with one blank where there is one by rule, whatever stood in the source.
func (f *folder) print() string {
	var b strings.Builder
	b.Grow(f.size)
	for i, t := range f.out {
		if i > 0 && apart(f.out[i-1], t) {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// apart tells whether a blank stands between two tokens.
func apart(a, b token) bool {
	switch b.text {
	case "::":
		return a.text == ":" // which would make another token of the two
	case ",", ")", "]", ";", ".":
		return false
	case "(":
		return a.kind == word && keywords[a.text] || a.kind == operator || a.kind == placeholder || a.text == "," || a.text == ";" || a.text == ")"
	case "[":
		return a.kind == operator || a.text == "," || a.text == ";" || a.kind == word && keywords[a.text] && a.text != "array"
	}
	switch a.text {
	case "(", "[", ".", "::":
		return false
	}
	return true
}

// unquote makes "name" of what needs no quotes, and closes what was cut off.
func unquote(text string) string {
	if i := strings.IndexByte(text, '"'); i > 0 {
		return text
	}
	if n := quotedLen(text, '"', false); text[n-1] != '"' || n == 1 || len(text) > 1 && strings.Count(text, `"`)%2 == 1 {
		text += `"`
	}
	name := text[1 : len(text)-1]
	if name == "" || !isWordStart(name[0]) || keywords[name] || len(name) == span(name, isDigit) {
		return text
	}
	for i := range len(name) {
		if c := name[i]; c != lower(c) || c >= 0x80 || !isTagPart(c) {
			return text
		}
	}
	return name
}
