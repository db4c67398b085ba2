package views

import (
	"strings"

	"kibitz/app/trace"
)

// maxSQL bounds the statement that a page shows.
const maxSQL = 20_000

// shortSQL is a statement for one line: a long list of columns becomes a sign.
func shortSQL(text string) string {
	if len(text) < 7 || !strings.EqualFold(text[:7], "SELECT ") {
		return text
	}
	from := strings.Index(strings.ToUpper(text[:min(len(text), 3000)]), " FROM ")
	if from < 0 || from-7 <= 12 || from >= len(text) {
		return text
	}
	return text[:7] + "…" + text[from:]
}

// clauses begin a new line when they stand outside brackets and quotes.
var clauses = words("FROM WHERE GROUP ORDER HAVING LIMIT OFFSET SET VALUES RETURNING UNION EXCEPT INTERSECT LEFT RIGHT INNER CROSS FULL JOIN ON WINDOW FOR")

// joins are the words behind which JOIN goes on in the same line.
var joins = words("LEFT RIGHT INNER CROSS FULL OUTER")

// formatSQL breaks a statement that stands in one line into its clauses. It changes nothing but white space; text with
// line breaks of its own stays as its author laid it out.
func formatSQL(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxSQL {
		text = strings.ToValidUTF8(text[:maxSQL], "") + "…"
	}
	if strings.ContainsAny(text, "\n\r") {
		return text
	}
	out := make([]byte, 0, len(text))
	depth, last := 0, ""
	for i := 0; i < len(text); {
		end := sqlToken(text, i)
		word := strings.ToUpper(text[i:end])
		if depth == 0 && clauses[word] && !(word == "JOIN" && joins[last]) && len(out) > 0 && out[len(out)-1] == ' ' {
			out[len(out)-1] = '\n'
		}
		out = append(out, text[i:end]...)
		depth += nesting(word)
		if word != " " {
			last = word
		}
		i = end
	}
	return string(out)
}

func nesting(word string) int {
	switch word {
	case "(":
		return 1
	case ")":
		return -1
	}
	return 0
}

// sqlToken is the end of the word, the quoted text or the single byte at i.
func sqlToken(text string, i int) int {
	switch c := text[i]; {
	case c == '\'' || c == '"':
		if end := strings.IndexByte(text[i+1:], c); end >= 0 {
			return i + end + 2
		}
		return len(text)
	case wordByte(c):
		for i < len(text) && wordByte(text[i]) {
			i++
		}
		return i
	}
	return i + 1
}

// spanLines are the lines of what a span did, to be coloured: SQL by clauses, other text as it is.
func spanLines(s trace.Span) []sourceLine {
	if s.Category == trace.DB {
		return plainLines(formatSQL(s.Text))
	}
	return plainLines(masked("", cutText(s.Text, maxSQL)))
}

func spanLanguage(s trace.Span) string {
	if s.Category == trace.DB {
		return "sql"
	}
	return "text"
}

// spanSource is the code that asked, when the sender has sent it: the attribute code.source holds the lines and
// code.source.first the number of the first.
func spanSource(s trace.Span) []sourceLine {
	text, first := attr(s.Attrs, "code.source"), positive(attr(s.Attrs, "code.source.first"), 1<<30)
	if text == "" {
		return nil
	}
	lines := plainLines(cutText(text, maxSQL))
	for i := range lines {
		if first > 0 {
			lines[i].number = first + i
			lines[i].hit = first+i == s.Line
		}
	}
	return lines
}
