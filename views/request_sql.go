package views

import (
	"strings"

	"github.com/a-h/templ"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
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
	for _, t := range sqltext.Tokens(text) {
		word := strings.ToUpper(t.Text)
		if t.Kind == sqltext.Keyword {
			if depth == 0 && clauses[word] && !(word == "JOIN" && joins[last]) && len(out) > 0 && out[len(out)-1] == ' ' {
				out[len(out)-1] = '\n'
			}
			last = word
		}
		if t.Kind == sqltext.Punctuation {
			depth += strings.Count(word, "(") - strings.Count(word, ")")
		}
		out = append(out, t.Text...)
	}
	return string(out)
}

// spanCode is what a span did, coloured: SQL by clauses, other text as it is.
func spanCode(s trace.Span) templ.Component {
	if s.Category == trace.DB {
		return sqlCode(formatSQL(s.Text))
	}
	return code(plainLines(maskWords(cutText(s.Text, maxSQL))), "text")
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
