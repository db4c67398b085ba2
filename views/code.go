package views

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"kibitz/ingest/sqltext"
)

// token is a stretch of source with the class that colours it: k keyword, s string, n number, c comment, f the name of
// what is defined, or "" for the rest.
type token struct{ class, text string }

// lexicon is what little of a language its colours need.
type lexicon struct {
	comments []string
	keywords map[string]bool
	// lifetimes: a single quote holds one character, or begins a name and is never closed.
	lifetimes bool
}

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// defining are the keywords that are followed by the name of what they define.
var defining = words("def func fn function class struct interface trait enum module")

var cLike = lexicon{comments: []string{"//", "/*"}, keywords: words(`async await break case catch class const continue default defer delete do else enum export extends false
	final finally for from func function go if implements import in instanceof interface let map namespace new null nil override package private protected
	public range return select static struct super switch this throw throws true try type typeof undefined using var void while yield`)}

// lexicons are the languages by platform; others are read as C is.
var lexicons = map[string]lexicon{
	"python": {comments: []string{"#"}, keywords: words(`and as assert async await break class continue def del elif else except False finally for from global if import in is lambda
		None nonlocal not or pass raise return True try while with yield`)},
	"ruby": {comments: []string{"#"}, keywords: words(`alias and begin break case class def do else elsif end ensure false for if in module next nil not or raise require rescue
		return self super then true unless until when while yield`)},
	"php": {comments: []string{"//", "#", "/*"}, keywords: words(`as break case catch class const continue default do echo else elseif extends false final finally fn for foreach
		function if implements interface match namespace new null private protected public return static switch throw true try use var while yield`)},
	"rust": {lifetimes: true, comments: []string{"//", "/*"}, keywords: words(`as async await break const continue else enum extern false fn for if impl in let loop match mod move mut pub ref return
		self Self static struct super trait true type unsafe use where while`)},
	"text":  {},
	"shell": {comments: []string{"#"}, keywords: words("curl pip npm go composer bundle dotnet cargo")},
}

func lexiconOf(platform string) lexicon {
	if l, ok := lexicons[platform]; ok {
		return l
	}
	return cLike
}

// maxColoured bounds the bytes of a line with colours: looking for the ends of strings is quadratic in the worst case,
// and nobody reads the colours of longer lines.
const maxColoured = 2000

// tokens colours one line. Lines are read on their own: a stack has a few lines from the middle of a file, so what a
// line continues is not known, and a wrong guess would colour all that follows.
func tokens(line string, l lexicon) []token {
	if l.keywords == nil || len(line) > maxColoured { // prose, or minified
		return []token{{"", line}}
	}
	var out []token
	plain, after := 0, ""
	add := func(class string, from, to int) {
		if plain < from {
			out = append(out, token{"", line[plain:from]})
		}
		out = append(out, token{class, line[from:to]})
		plain = to
	}
	for i := 0; i < len(line); {
		class, end := next(line, i, l)
		if class == "w" {
			if class = ""; defining[after] {
				class = "f"
			}
			after = ""
		}
		if class == "k" {
			after = line[i:end]
		}
		if class != "" {
			add(class, i, end)
		}
		i = end
	}
	if plain < len(line) {
		out = append(out, token{"", line[plain:]})
	}
	return out
}

// next is the class and the end of what stands at i; "w" is a word without a class yet.
func next(line string, i int, l lexicon) (class string, end int) {
	for _, c := range l.comments {
		if strings.HasPrefix(line[i:], c) {
			return "c", len(line)
		}
	}
	c := line[i]
	switch {
	case c == '\'' && l.lifetimes:
		class, end = quoted(line, i)
		if utf8.RuneCountInString(strings.TrimPrefix(line[i+1:end], `\`)) > 2 { // one and the mark that closes it
			return "", i + 1
		}
		return class, end
	case c == '"' || c == '\'' || c == '`':
		return quoted(line, i)
	case c >= '0' && c <= '9':
		for end = i; end < len(line) && (wordByte(line[end]) || line[end] == '.'); end++ {
		}
		return "n", end
	case wordByte(c):
		for end = i; end < len(line) && wordByte(line[end]); end++ {
		}
		if end-i <= 2 && end < len(line) && (line[end] == '"' || line[end] == '\'') { // f"", rb''
			return quoted(line, end)
		}
		if l.keywords[line[i:end]] {
			return "k", end
		}
		return "w", end
	}
	return "", i + 1
}

// quoted is a string that begins at i. A single quote that is never closed is none: Rust's lifetimes, an apostrophe.
func quoted(line string, i int) (string, int) {
	mark := line[i : i+1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(line[i:], triple) {
		mark = triple
	}
	for end := i + len(mark); end < len(line); end++ {
		if line[end] == '\\' && mark != "`" {
			end++
		} else if strings.HasPrefix(line[end:], mark) {
			return "s", end + len(mark)
		}
	}
	if mark == "'" {
		return "", i + 1
	}
	return "s", len(line)
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// diffMarks are the attributes of lines that changed; the sign stands where numbers do.
var diffMarks = map[byte]string{'+': ` data-add data-n="+"`, '-': ` data-del data-n="−"`}

// code is lines as they stand inside pre.src. It is written by hand because white space counts there, and templ puts
// some between elements.
func code(lines []sourceLine, platform string) templ.Component {
	var b strings.Builder
	l := lexiconOf(platform)
	b.WriteString("<code>")
	for _, line := range lines {
		b.WriteString(`<span class="l"`)
		if line.number > 0 {
			b.WriteString(` data-n="` + strconv.Itoa(line.number) + `"`)
		}
		if line.hit {
			b.WriteString(" data-hit")
		}
		b.WriteString(diffMarks[line.op])
		b.WriteString(">")
		for _, t := range tokens(line.text, l) {
			if t.class == "" {
				b.WriteString(html.EscapeString(t.text))
				continue
			}
			b.WriteString(`<span class="` + t.class + `">` + html.EscapeString(t.text) + "</span>")
		}
		b.WriteString("</span>")
	}
	b.WriteString("</code>")
	return templ.Raw(b.String())
}

// sqlClasses are the colours of SQL.
var sqlClasses = map[sqltext.Kind]string{sqltext.Keyword: "k", sqltext.String: "s", sqltext.Number: "n", sqltext.Placeholder: "n", sqltext.Comment: "c"}

// sqlCode is SQL as it stands inside pre.src. Unlike other languages it is read as a whole, for it is there as a whole.
func sqlCode(text string) templ.Component {
	var b strings.Builder
	b.WriteString(`<code><span class="l">`)
	for _, t := range sqltext.Tokens(text) {
		class := sqlClasses[t.Kind]
		for n, line := range strings.Split(t.Text, "\n") {
			if n > 0 {
				b.WriteString(`</span><span class="l">`)
			}
			if class != "" && line != "" {
				b.WriteString(`<span class="` + class + `">` + html.EscapeString(line) + "</span>")
				continue
			}
			b.WriteString(html.EscapeString(line))
		}
	}
	b.WriteString("</span></code>")
	return templ.Raw(b.String())
}

// plainLines are the lines of a text without numbers.
func plainLines(text string) []sourceLine {
	var out []sourceLine
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, sourceLine{text: line})
	}
	return out
}
