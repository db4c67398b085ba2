package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kibitz/app/trace"
)

// fields are the keys, with an example of each for messages and help.
var fields = []struct {
	field   Field
	example string
}{
	{Endpoint, "endpoint:/checkout/*"}, {Method, "method:POST"}, {Status, "status:5xx"}, {Duration, "duration:>500ms"}, {Queries, "queries:>20"},
	{User, "user:id:42"}, {Release, "release:shop@4.18.*"}, {Env, "env:production"}, {Host, "host:web-3"}, {Service, "service:shop"},
	{Switch, "switch:checkout.new_totals=on"}, {Trace, "trace:b71c9e40d2f84e1ab71c9e40d2f84e1a"}, {Is, "is:failed"},
}

// states are the values of Is.
var states = []string{"failed", "kept"}

// units of durations, the largest first: String takes the first that leaves a whole number.
var units = []struct {
	name string
	size int64
}{{"h", int64(time.Hour)}, {"min", int64(time.Minute)}, {"s", int64(time.Second)}, {"ms", int64(time.Millisecond)}, {"us", int64(time.Microsecond)}, {"ns", 1}}

// Examples is one term for each field, for help.
func Examples() []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.example)
	}
	return out
}

// Parse reads a filter. What it does not understand is left out and told; the rest holds.
func Parse(text string) (Filter, []Problem) {
	p := parser{text: text}
	if len(text) > MaxBytes {
		p.text = cut(text)
		p.problem(len(p.text), "what follows was left out: a filter has up to %d bytes (limit filter.MaxBytes)", MaxBytes)
	}
	for p.space(); p.at < len(p.text); p.space() {
		p.term()
	}
	return p.out, p.problems
}

// cut is the beginning of text within the limit, not ending inside a character.
func cut(text string) string {
	n := MaxBytes
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

type parser struct {
	text     string
	at       int
	values   int
	out      Filter
	problems []Problem
}

func (p *parser) problem(pos int, format string, args ...any) {
	p.problems = append(p.problems, Problem{pos, fmt.Sprintf(format, args...)})
}

func (p *parser) space() {
	for p.at < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsSpace(r) {
			return
		}
		p.at += n
	}
}

// term reads one term; it always goes forward.
func (p *parser) term() {
	t := Term{Pos: p.at}
	if c := p.text[p.at]; c == '-' || c == '!' {
		t.Not = true
		p.at++
	}
	t.Field = p.key()
	pieces := p.pieces(t.Field)
	if t.Field != Word && !known(t.Field) {
		p.problem(t.Pos, "there is no key %q: write one of %s, or put the text in quotes to look for it in endpoints", clip(string(t.Field)), keys())
		return
	}
	for _, piece := range pieces {
		if v, ok := p.value(t.Field, piece); ok {
			t.Values = append(t.Values, v)
		}
	}
	if p.values += len(t.Values); p.values > MaxValues {
		p.problem(t.Pos, "this and what follows was left out: a filter has up to %d values (limit filter.MaxValues)", MaxValues)
		p.at = len(p.text)
		return
	}
	if len(t.Values) > 0 {
		p.out.Terms = append(p.out.Terms, t)
	}
}

// key reads the letters before a colon; "" when there is no colon behind letters. What looks like an address
// (https://...) is none.
func (p *parser) key() Field {
	end := p.at
	for end < len(p.text) && (p.text[end] == '_' || p.text[end] >= 'a' && p.text[end] <= 'z' || p.text[end] >= 'A' && p.text[end] <= 'Z') {
		end++
	}
	if end == p.at || end >= len(p.text) || p.text[end] != ':' || strings.HasPrefix(p.text[end:], "://") {
		return Word
	}
	f := Field(strings.ToLower(p.text[p.at:end]))
	p.at = end + 1
	return f
}

// piece is a value as it was written. wild says where its stars are that stood outside quotes.
type piece struct {
	pos    int
	text   string
	stars  []int
	quoted bool
	equals int // of the first = outside quotes, in text; -1 for none
}

// pieces reads what stands behind the colon, parted by commas, up to white space. A word has one, commas and all.
func (p *parser) pieces(f Field) []piece {
	var out []piece
	for {
		out = append(out, p.piece(f != Word))
		if p.at >= len(p.text) || p.text[p.at] != ',' || f == Word {
			return out
		}
		p.at++
	}
}

func (p *parser) piece(commas bool) piece {
	out := piece{pos: p.at, equals: -1}
	var b strings.Builder
	for p.at < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		switch {
		case r == '"':
			out.quoted = true
			p.quoted(&b)
			continue
		case unicode.IsSpace(r), commas && r == ',':
			out.text = b.String()
			return out
		case r == '*':
			out.stars = append(out.stars, b.Len())
		case r == '=' && out.equals < 0:
			out.equals = b.Len()
		}
		b.WriteString(p.text[p.at : p.at+n])
		p.at += n
	}
	out.text = b.String()
	return out
}

// quoted reads from a quote to its end; a backslash takes the next character as it is.
func (p *parser) quoted(b *strings.Builder) {
	start := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	p.problem(start, "this quote is never closed: write another \" behind the text")
}

// value reads one value of a field.
func (p *parser) value(f Field, in piece) (Value, bool) {
	if in.text == "" && !in.quoted || in.text == "" && f == Word {
		p.problem(in.pos, "a value is missing here: write for example %s", example(f))
		return Value{}, false
	}
	switch f {
	case Status, Duration, Queries:
		return p.numbers(f, in)
	case Switch:
		return p.flag(in)
	case Trace:
		return p.trace(in)
	case Is:
		state := strings.ToLower(in.text)
		if !slices.Contains(states, state) {
			p.problem(in.pos, "a request is not %q: write is:%s", clip(in.text), strings.Join(states, " or is:"))
			return Value{}, false
		}
		return Value{Text: state}, true
	case Word:
		return Value{Op: Contains, Text: in.text}, true
	case Method:
		in.text = strings.ToUpper(in.text)
	}
	return textValue(in), true
}

// textValue keeps the stars that stood outside quotes as wild ones; when there are both, those in quotes lose their
// meaning to them, which no endpoint or release needs.
func textValue(in piece) Value {
	if len(in.stars) > 0 {
		return Value{Op: Match, Text: in.text}
	}
	return Value{Text: in.text}
}

func (p *parser) flag(in piece) (Value, bool) {
	v := Value{Text: in.text}
	if in.equals >= 0 {
		v.Text, v.Variant = in.text[:in.equals], in.text[in.equals+1:]
	}
	if v.Text == "" || in.equals >= 0 && v.Variant == "" {
		p.problem(in.pos, "a switch is written as key or key=variant, for example %s", example(Switch))
		return Value{}, false
	}
	return v, true
}

func (p *parser) trace(in piece) (Value, bool) {
	id, ok := trace.ParseID(in.text)
	if !ok {
		p.problem(in.pos, "a trace has 32 hexadecimal digits, %q is none: write for example %s", clip(in.text), example(Trace))
		return Value{}, false
	}
	return Value{Text: id.String()}, true
}

// numbers reads N, >N, >=N, <N, <=N, N..M, and Nxx for a status.
func (p *parser) numbers(f Field, in piece) (Value, bool) {
	text, v := in.text, Value{}
	if low, high, found := strings.Cut(text, ".."); found {
		n, ok := amount(f, low)
		m, ok2 := amount(f, high)
		if ok && ok2 && n <= m {
			return Value{Op: Between, N: n, M: m}, true
		}
	} else if n, ok := class(f, text); ok {
		return Value{Op: Between, N: n, M: n + 99}, true
	}
	for _, op := range []Op{GreaterEqual, LessEqual, Greater, Less} { // the longer signs first
		if rest, found := strings.CutPrefix(text, signs[op]); found {
			text, v.Op = rest, op
			break
		}
	}
	n, ok := amount(f, text)
	if !ok {
		p.problem(in.pos, "%q is no %s: write %s", clip(in.text), f, numberHelp(f))
		return Value{}, false
	}
	v.N = n
	return v, true
}

// class is the first status of 5xx.
func class(f Field, text string) (int64, bool) {
	if f != Status || len(text) != 3 || text[0] < '1' || text[0] > '9' || !strings.EqualFold(text[1:], "xx") {
		return 0, false
	}
	return int64(text[0]-'0') * 100, true
}

// maxDuration keeps nanoseconds within 63 bits, far beyond any request.
const maxDuration = 1000 * time.Hour

// amount is a number of a field: a count, or a length of time in nanoseconds.
func amount(f Field, text string) (int64, bool) {
	if f != Duration {
		n, err := strconv.ParseInt(text, 10, 32)
		return n, err == nil && n >= 0
	}
	unit := strings.TrimLeft(text, "0123456789.")
	n, err := strconv.ParseFloat(text[:len(text)-len(unit)], 64)
	size, ok := unitSize(unit)
	if err != nil || !ok || n*float64(size) > float64(maxDuration) {
		return 0, false
	}
	return int64(math.Round(n * float64(size))), true
}

func unitSize(name string) (int64, bool) {
	switch name {
	case "":
		return int64(time.Millisecond), true
	case "µs", "μs":
		return int64(time.Microsecond), true
	case "m":
		return int64(time.Minute), true
	}
	for _, u := range units {
		if u.name == name {
			return u.size, true
		}
	}
	return 0, false
}

func numberHelp(f Field) string {
	switch f {
	case Status:
		return "a number or a class, as in status:404, status:5xx, status:>=400 or status:400..404"
	case Duration:
		return "a number with ns, us, ms, s, min or h, as in duration:>500ms, duration:<=2s or duration:100ms..1s"
	}
	return "a number, as in queries:20, queries:>20 or queries:10..20"
}

func known(f Field) bool { return example(f) != "" }

func example(f Field) string {
	for _, x := range fields {
		if x.field == f {
			return x.example
		}
	}
	if f == Word {
		return "/checkout"
	}
	return ""
}

func keys() string {
	var out []string
	for _, f := range fields {
		out = append(out, string(f.field)+":")
	}
	return strings.Join(out, " ")
}

// clip keeps a wrong text short in a message.
func clip(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// plainSpaces tells whether text has no white space that the parser would stop at.
func plainSpaces(text string) bool { return !strings.ContainsFunc(text, unicode.IsSpace) }
