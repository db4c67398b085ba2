package pglog

import (
	"strings"
)

// splitPlan parts what auto_explain writes into the query and the plan. The query is empty when no form is known.
func splitPlan(text string) (sql, plan string) {
	switch {
	case strings.HasPrefix(text, "Query Text: \""):
		return splitQuoted(text, `Query Text: "`)
	case strings.HasPrefix(text, "Query Text: "):
		return splitText(text[len("Query Text: "):])
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		if at := strings.Index(text, `"Query Text": "`); at >= 0 {
			sql, _ = splitQuoted(text[at:], `"Query Text": "`)
		}
		return sql, text
	case strings.HasPrefix(text, "<"):
		_, rest, _ := strings.Cut(text, "<Query-Text>")
		sql, _, _ = strings.Cut(rest, "</Query-Text>")
		return xmlText.Replace(sql), text
	}
	return "", text
}

var xmlText = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&amp;", "&", "&#x0d;", "\r")

// splitText finds where the query ends and the text of the plan begins: at its first line with costs, or at a line that
// only a plan has.
func splitText(text string) (sql, plan string) {
	for from := 0; from < len(text); {
		end := strings.IndexByte(text[from:], '\n')
		if end < 0 {
			break
		}
		from += end + 1
		line, _, _ := strings.Cut(text[from:], "\n")
		if strings.HasPrefix(line, "Query Parameters: ") || strings.HasPrefix(line, "Query Identifier: ") || strings.Contains(line, "  (cost=") || strings.Contains(line, " (actual ") {
			return text[:from-1], text[from:]
		}
	}
	return text, ""
}

// splitQuoted reads a string of JSON or YAML (which quotes as JSON does) behind a key.
func splitQuoted(text, key string) (sql, plan string) {
	rest := text[len(key):]
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return unescape(rest[:i]), strings.TrimLeft(rest[i+1:], "\n")
		}
	}
	return unescape(rest), ""
}
