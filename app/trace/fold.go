package trace

import "time"

// foldLeast is how many alike become one row: a pair is read as fast as its fold.
const foldLeast = 3

// Row is a row of a waterfall: one node, or several that did the same ("12 × query").
type Row struct {
	Node    int   // the first of them
	Members []int // all of them by start; nil for a node that stands alone
	// From is when the first began and To when the last ended; Total is what they took together, which is more than To-From
	// when they ran side by side.
	From, To, Total time.Duration
	Failed          int
}

// alike is what nodes of one row have in common.
type alike struct {
	parent         int
	category       Category
	op, text       string
	file, function string
	line           int
}

// Fold puts spans that did the same into one row where the first of them stands, whatever ran between them: same parent,
// category, op, call site, and text as key gives it (for SQL, without its values). Spans with others below them, gaps and
// the request keep their own rows. Each node is in exactly one row.
func Fold(nodes []Node, key func(*Span) string) []Row {
	groups, sizes := group(nodes, key)
	rows := make([]Row, 0, len(nodes))
	row := make([]int, len(sizes)) // of each group, plus 1
	for i := range nodes {
		g := groups[i]
		switch {
		case g < 0 || sizes[g] < foldLeast:
			rows = append(rows, single(nodes, i))
		case row[g] == 0:
			rows = append(rows, single(nodes, i))
			row[g] = len(rows)
			rows[len(rows)-1].Members = append(make([]int, 0, sizes[g]), i)
		default:
			rows[row[g]-1].join(single(nodes, i))
		}
	}
	return rows
}

// group tells of each node which group it is in, -1 for those that never fold, and how large each group is.
func group(nodes []Node, key func(*Span) string) (groups, sizes []int) {
	groups = make([]int, len(nodes))
	ids := make(map[alike]int)
	for i := range nodes {
		n := &nodes[i]
		groups[i] = -1
		if n.Span == nil || n.Children > 0 {
			continue
		}
		s := n.Span
		id := alike{n.Parent, category(s), s.Op, key(s), s.File, s.Func, s.Line}
		g, known := ids[id]
		if !known {
			g = len(sizes)
			ids[id], sizes = g, append(sizes, 0)
		}
		groups[i] = g
		sizes[g]++
	}
	return groups, sizes
}

func single(nodes []Node, i int) Row {
	n := &nodes[i]
	row := Row{Node: i, From: n.From, To: n.To, Total: n.To - n.From}
	if n.Span != nil && n.Span.Failed {
		row.Failed = 1
	}
	return row
}

func (r *Row) join(o Row) {
	r.Members = append(r.Members, o.Node)
	r.To = max(r.To, o.To)
	r.Total = plus(r.Total, o.Total)
	r.Failed += o.Failed
}

// Page is the rows [from, to) of many, as far as there are such, and the nodes above the first of them, outermost first: a
// page that begins deep within the tree shows where. The nodes and rows are built once for all pages.
func Page(nodes []Node, rows []Row, from, to int) (above []int, page []Row) {
	from = min(max(0, from), len(rows))
	page = rows[from:max(from, min(to, len(rows)))]
	if len(page) == 0 {
		return nil, page
	}
	top := nodes[page[0].Node]
	above = make([]int, top.Depth)
	for at, depth := top.Parent, top.Depth-1; depth >= 0; depth-- {
		above[depth] = at
		at = nodes[at].Parent
	}
	return above, page
}
