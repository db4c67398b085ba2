package web

import (
	"strings"

	"kibitz/app/trace"
	"kibitz/views"
)

// waterfall is a request's spans as the rows of its page: depth first, alike ones folded, each with its part of the critical
// path.
func waterfall(q *trace.Request, normal func(sql string) string) []views.SpanRow {
	nodes := trace.Tree(q)
	folded := trace.Fold(nodes, func(s *trace.Span) string {
		if s.Category == trace.DB {
			return normal(s.Text)
		}
		return s.Text
	})
	critical := map[*trace.Span][]views.Stretch{}
	for _, c := range trace.Critical(q) {
		if c.Span != nil {
			critical[c.Span] = append(critical[c.Span], views.Stretch{From: c.From, To: c.To})
		}
	}
	rows := make([]views.SpanRow, 0, len(folded))
	for i := range folded {
		if folded[i].Node != 0 { // the request has a row of its own
			rows = append(rows, spanRow(nodes, &folded[i], critical))
		}
	}
	return rows
}

func spanRow(nodes []trace.Node, r *trace.Row, critical map[*trace.Span][]views.Stretch) views.SpanRow {
	members := r.Members
	if members == nil {
		members = []int{r.Node}
	}
	row := views.SpanRow{Depth: nodes[r.Node].Depth, Gap: nodes[r.Node].Marks&trace.Gap != 0, Note: noteOf(nodes[r.Node].Marks)}
	for _, m := range members {
		n := &nodes[m]
		span := trace.Span{Rows: -1}
		if n.Span != nil {
			span = *n.Span
			row.Critical = append(row.Critical, critical[n.Span]...)
		}
		span.Start, span.Duration = n.From, n.To-n.From
		row.Spans, row.Self = append(row.Spans, span), row.Self+n.Self
	}
	return row
}

// noteOf says what had to be mended.
func noteOf(m trace.Marks) string {
	var said []string
	for mark, text := range map[trace.Marks]string{trace.Orphan: "its parent did not come", trace.Cut: "it named itself as its ancestor",
		trace.Clamped: "it was cut to its parent's time"} {
		if m&mark != 0 {
			said = append(said, text)
		}
	}
	return strings.Join(said, "; ")
}
