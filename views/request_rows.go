package views

import (
	"strings"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// spanRow is a row of one request's waterfall: the request itself, a span, several alike that were folded into one, or a
// stretch in which nothing was recorded.
type spanRow struct {
	// Spans is the one, or the members of a fold by start; their times lie within those of their parents. Of the request
	// and of a gap it holds the times alone.
	Spans    []trace.Span
	Depth    int           // 0 is the request
	Self     time.Duration // in which no child ran; of a fold, of all members together
	Critical []Stretch     // on the critical path, since the start of the request
	Gap      bool
	Note     string // what had to be mended; "" for nothing
}

// Stretch is a part of a request, since its start.
type Stretch struct{ From, To time.Duration }

// spanRows are the rows of a request, depth first: the request, then what is below it.
func spanRows(r *trace.Request) []spanRow {
	nodes := trace.Tree(r)
	critical := map[*trace.Span][]Stretch{}
	for _, s := range trace.Critical(r) {
		critical[s.Span] = append(critical[s.Span], Stretch{s.From, s.To})
	}
	folded := trace.Fold(nodes, likeness)
	rows := make([]spanRow, 0, len(folded))
	for i := range folded {
		rows = append(rows, rowOf(nodes, &folded[i], critical))
	}
	return rows
}

func rowOf(nodes []trace.Node, f *trace.Row, critical map[*trace.Span][]Stretch) spanRow {
	first := &nodes[f.Node]
	row := spanRow{Depth: first.Depth, Gap: first.Marks&trace.Gap != 0, Note: mended(first.Marks)}
	members := f.Members
	if members == nil {
		members = []int{f.Node}
	}
	for _, m := range members {
		n := &nodes[m]
		s := trace.Span{Rows: -1}
		if n.Span != nil {
			s = *n.Span
		}
		s.Start, s.Duration = n.From, n.To-n.From
		if int(s.Category) >= trace.Categories {
			s.Category = trace.Other
		}
		row.Spans = append(row.Spans, s)
		row.Self += n.Self
		if !row.Gap {
			row.Critical = append(row.Critical, critical[n.Span]...)
		}
	}
	return row
}

// mended says to people what had to be done to a span before it could be drawn.
func mended(m trace.Marks) string {
	var out []string
	if m&trace.Orphan != 0 {
		out = append(out, "its parent is not here")
	}
	if m&trace.Cut != 0 {
		out = append(out, "it named itself as its own parent")
	}
	if m&trace.Clamped != 0 {
		out = append(out, "its times were cut to its caller's")
	}
	return strings.Join(out, ", ")
}

// maxLikeness bounds the text by which spans are told alike.
const maxLikeness = 4000

// likeness is what texts have in common that differ in their values: SQL without them, other text without its digits.
func likeness(s *trace.Span) string {
	text := s.Text[:min(len(s.Text), maxLikeness)]
	if s.Category == trace.DB {
		text, _ = sqltext.Normalize(text)
		return text
	}
	if !strings.ContainsAny(text, "0123456789") {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		digit := text[i] >= '0' && text[i] <= '9'
		if !digit {
			out = append(out, text[i])
		} else if n := len(out); n == 0 || out[n-1] != '#' {
			out = append(out, '#')
		}
	}
	return string(out)
}
