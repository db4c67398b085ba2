package trace

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// draw writes a tree as a reader sees it: depth, id, from-to, self time, number of children, marks.
func draw(nodes []Node) string {
	var b strings.Builder
	for i := range nodes {
		n := &nodes[i]
		name := "request"
		if n.Span != nil {
			name = fmt.Sprint(uint64(n.Span.ID))
		} else if n.Marks&Gap != 0 {
			name = "gap"
		}
		fmt.Fprintf(&b, "%s%s %d-%d", strings.Repeat("  ", n.Depth), name, n.From/ms, n.To/ms)
		if n.Self != n.To-n.From {
			fmt.Fprintf(&b, " self %d", n.Self/ms)
		}
		for m, word := range []string{" orphan", " cut", " clamped"} {
			if n.Marks&(1<<m) != 0 {
				b.WriteString(word)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTree(t *testing.T) {
	t.Parallel()
	other, db := int(Other), int(DB)
	for name, c := range map[string]struct {
		r    *Request
		want string
	}{
		"nothing is no gap": {of(), "request 0-100\n"},
		"by start, whatever the order": {of([6]int{4, 2, db, 40, 10}, [6]int{3, 1, db, 90, 10}, [6]int{2, 1, other, 0, 90}, [6]int{5, 2, db, 3, 30}),
			"request 0-100 self 0\n  2 0-90 self 50\n    5 3-33\n    4 40-50\n    gap 50-90\n  3 90-100\n"},
		"gaps before, between and after": {of([6]int{2, 1, db, 10, 20}, [6]int{3, 1, db, 39, 11}, [6]int{4, 1, db, 60, 30}),
			"request 0-100 self 39\n  gap 0-10\n  2 10-30\n  3 39-50\n  gap 50-60\n  4 60-90\n  gap 90-100\n"},
		"a query's own time is no gap": {of([6]int{2, 1, db, 0, 100}, [6]int{3, 2, other, 50, 10}),
			"request 0-100 self 0\n  2 0-100 self 90\n    3 50-60\n"},
		"what ran beside it": {of([6]int{2, 1, db, 0, 60}, [6]int{3, 1, db, 10, 10}, [6]int{4, 1, db, 30, 70}),
			"request 0-100 self 0\n  2 0-60\n  3 10-20\n  4 30-100\n"},
		"orphan":   {of([6]int{2, 9, db, 0, 100}), "request 0-100 self 0\n  2 0-100 orphan\n"},
		"circle":   {of([6]int{2, 3, db, 5, 90}, [6]int{3, 2, db, 1, 99}), "request 0-100 self 1\n  3 1-100 self 9 cut\n    2 5-95\n"},
		"clamped":  {of([6]int{2, 1, db, -5, 50}, [6]int{3, 2, db, 40, 60}), "request 0-100 self 55\n  2 0-45 self 40 clamped\n    3 40-45 clamped\n  gap 45-100\n"},
		"repeated": {of([6]int{2, 1, db, 0, 100}, [6]int{2, 1, db, 50, 10}), "request 0-100 self 0\n  2 0-100\n"},
		"a tail that leads into a circle": {of([6]int{2, 3, db, 0, 100}, [6]int{3, 4, db, 1, 99}, [6]int{4, 5, db, 2, 98}, [6]int{5, 3, db, 3, 97}),
			"request 0-100 self 1\n  3 1-100 self 0 cut\n    2 1-100 clamped\n    5 3-100 self 0\n      4 3-100 clamped\n"},
	} {
		if got := draw(Tree(c.r)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

func TestTreeGapLeast(t *testing.T) {
	t.Parallel()
	for length, want := range map[time.Duration]int{100 * ms: 10, 200 * ms: 10, 400 * ms: 20, 1000 * ms: 50} {
		for gap, found := range map[int]bool{want - 1: false, want: true} {
			r := of([6]int{2, 1, int(DB), gap, 10_000})
			r.Duration = length
			if got := Tree(r)[1].Marks&Gap != 0; got != found {
				t.Errorf("%d ms of %v: gap is %v", gap, length, got)
			}
		}
	}
}

func TestCritical(t *testing.T) {
	t.Parallel()
	other, db := int(Other), int(DB)
	for name, c := range map[string]struct {
		r    *Request
		want string
	}{
		"nothing":             {of(), "0 0-100"},
		"one after the other": {of([6]int{2, 1, db, 10, 20}, [6]int{3, 1, db, 30, 20}), "0 0-10, 2 10-30, 3 30-50, 0 50-100"},
		"within each other":   {of([6]int{2, 1, other, 10, 80}, [6]int{3, 2, db, 20, 30}), "0 0-10, 2 10-20, 3 20-50, 2 50-90, 0 90-100"},
		"the last to finish":  {of([6]int{2, 1, db, 0, 80}, [6]int{3, 1, db, 5, 90}, [6]int{4, 1, db, 10, 20}), "0 0-5, 3 5-95, 0 95-100"},
		"what it waited for":  {of([6]int{2, 1, db, 0, 30}, [6]int{3, 1, db, 0, 40}, [6]int{4, 1, db, 40, 60}), "3 0-40, 4 40-100"},
		"of equal ends":       {of([6]int{2, 1, db, 50, 50}, [6]int{3, 1, db, 10, 90}), "0 0-10, 3 10-100"},
		"no time at all":      {of([6]int{2, 1, db, 50, 0}, [6]int{3, 1, db, 100, 0}), "0 0-100"},
	} {
		if got := path(Critical(c.r)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func path(list []Stretch) string {
	var words []string
	for _, s := range list {
		id := SpanID(0)
		if s.Span != nil {
			id = s.Span.ID
		}
		words = append(words, fmt.Sprintf("%d %d-%d", uint64(id), s.From/ms, s.To/ms))
	}
	return strings.Join(words, ", ")
}

// cart is a page as in the design: twelve times the same query from one line, with cache calls between.
func cart() *Request {
	r := of([6]int{2, 1, int(Other), 0, 100})
	for i := range 12 {
		r.Spans = append(r.Spans,
			Span{ID: SpanID(10 + i), Parent: 2, Category: DB, Op: "db.query", Text: fmt.Sprint("SELECT ", i), File: "totals.py", Line: 58,
				Start: time.Duration(5+i*4) * ms, Duration: 2 * ms, Failed: i == 3},
			Span{ID: SpanID(30 + i), Parent: 2, Category: Cache, Op: "cache.get", Text: fmt.Sprint("key", i%6), Start: time.Duration(7+i*4) * ms, Duration: ms})
	}
	return r
}

func sql(s *Span) string {
	if s.Category == DB {
		return "SELECT ?"
	}
	return s.Text
}

func TestFold(t *testing.T) {
	t.Parallel()
	nodes := Tree(cart())
	rows := Fold(nodes, sql)
	folded := rows[2]
	if len(rows) != 2+1+12+1 || len(folded.Members) != 12 || nodes[folded.Node].Span.ID != 10 {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	if folded.From != 5*ms || folded.To != 51*ms || folded.Total != 24*ms || folded.Failed != 1 {
		t.Errorf("%+v", folded)
	}
	// Two of the same stay two; those with others below them, too; another line is another row.
	r := of([6]int{2, 1, 1, 0, 1}, [6]int{3, 1, 1, 2, 1}, [6]int{4, 1, 0, 4, 5}, [6]int{5, 1, 0, 10, 5}, [6]int{6, 1, 0, 20, 5},
		[6]int{7, 4, 1, 4, 1}, [6]int{8, 5, 1, 10, 1}, [6]int{9, 6, 1, 20, 1})
	if rows := Fold(Tree(r), sql); len(rows) != 1+8+1 {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
	r = cart()
	for i := range r.Spans {
		r.Spans[i].Line = i / 2
	}
	if rows := Fold(Tree(r), sql); len(rows) != 2+24+1 {
		t.Errorf("%d rows of different lines", len(rows))
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	nodes := Tree(cart())
	rows := Fold(nodes, sql)
	above, page := Page(nodes, rows, 5, 8)
	if !slices.Equal(above, []int{0, 1}) || len(page) != 3 || page[0].Node != rows[5].Node {
		t.Errorf("above %v, page %v", above, page)
	}
	for _, c := range [][3]int{{0, 1, 1}, {-5, 2, 2}, {15, 99, 1}, {16, 99, 0}, {99, 1, 0}, {3, 1, 0}} {
		if _, page := Page(nodes, rows, c[0], c[1]); len(page) != c[2] {
			t.Errorf("[%d, %d): %d rows, want %d", c[0], c[1], len(page), c[2])
		}
	}
}

// check tells what is wrong with the analysis of r, whatever r is.
func check(r *Request) error {
	length := extent(r)
	left := length
	for _, d := range Sum(r).Time {
		if d < 0 {
			return fmt.Errorf("a negative sum: %v", Sum(r))
		}
		left -= d
	}
	if left != 0 {
		return fmt.Errorf("%v do not sum to %v", Sum(r), length)
	}
	till := time.Duration(0)
	for _, s := range Critical(r) {
		if s.From != till || s.To <= s.From {
			return fmt.Errorf("critical path jumps at %v: %v", till, s)
		}
		till = s.To
	}
	if till != length {
		return fmt.Errorf("critical path ends at %v of %v", till, length)
	}
	nodes := Tree(r)
	if err := checkTree(r, nodes); err != nil {
		return err
	}
	return checkRows(nodes, Fold(nodes, func(s *Span) string { return s.Text }))
}

func checkTree(r *Request, nodes []Node) error {
	seen := map[*Span]bool{}
	for i, n := range nodes {
		if n.To < n.From || n.Self < 0 || n.Self > n.To-n.From || n.End <= i || n.End > len(nodes) {
			return fmt.Errorf("node %d: %+v", i, n)
		}
		if i == 0 {
			continue
		}
		p := nodes[n.Parent]
		if n.Parent >= i || n.Depth != p.Depth+1 || n.From < p.From || n.To > p.To || n.End > p.End {
			return fmt.Errorf("node %d %+v below %+v", i, n, p)
		}
		if n.Span != nil && seen[n.Span] {
			return fmt.Errorf("span %v twice", n.Span.ID)
		}
		seen[n.Span] = true
	}
	ids := map[SpanID]bool{r.Span: true}
	for i := range r.Spans {
		if id := r.Spans[i].ID; !seen[&r.Spans[i]] && (id == 0 || !ids[id] && !contains(nodes, id)) {
			return fmt.Errorf("span %v is lost", id)
		}
	}
	return nil
}

func contains(nodes []Node, id SpanID) bool {
	return slices.ContainsFunc(nodes, func(n Node) bool { return n.Span != nil && n.Span.ID == id })
}

func checkRows(nodes []Node, rows []Row) error {
	seen := make([]bool, len(nodes))
	for _, row := range rows {
		members := row.Members
		if members == nil {
			members = []int{row.Node}
		}
		for _, m := range members {
			if seen[m] || nodes[m].From < row.From || nodes[m].To > row.To || nodes[m].Parent != nodes[row.Node].Parent {
				return fmt.Errorf("node %d in row %+v", m, row)
			}
			seen[m] = true
		}
	}
	if slices.Contains(seen, false) {
		return fmt.Errorf("a node without a row: %v", seen)
	}
	return nil
}

func TestHostileTrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5_000) {
		r := random(rand.New(rand.NewPCG(seed, 3)))
		if err := check(r); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := checkSelf(Tree(r)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		rng := rand.New(rand.NewPCG(seed, 4))
		a, b := path(Critical(changed(r, rng, 1000))), path(Critical(changed(r, rng, 1000)))
		c, d := draw(Tree(changed(r, rng, 1000))), draw(Tree(changed(r, rng, 1000)))
		if a != b || c != d {
			t.Fatalf("seed %d: the order of spans matters:\n%s\n%s\n%s\n%s", seed, a, b, c, d)
		}
	}
}

// checkSelf compares Self with what counting microseconds gives.
func checkSelf(nodes []Node) error {
	for i, n := range nodes {
		var self time.Duration
		for now := n.From; now < n.To; now += time.Microsecond {
			if !slices.ContainsFunc(nodes, func(c Node) bool {
				return c.Parent == i && c.Marks&Gap == 0 && c.From <= now && now < c.To
			}) {
				self += time.Microsecond
			}
		}
		if self != n.Self {
			return fmt.Errorf("node %d: self %v, want %v", i, n.Self, self)
		}
	}
	return nil
}

func TestTreeLarge(t *testing.T) {
	t.Parallel()
	r := &Request{Span: 1, Duration: time.Second}
	for i := range 100_000 {
		r.Spans = append(r.Spans, Span{ID: SpanID(i + 2), Parent: SpanID(i + 1), Duration: time.Second})
	}
	nodes := Tree(r)
	if len(nodes) != 100_001 || nodes[100_000].Depth != 100_000 || nodes[0].Self != 0 || nodes[100_000].Self != time.Second {
		t.Errorf("%d nodes, the last %+v", len(nodes), nodes[len(nodes)-1])
	}
	if list := Critical(r); len(list) != 1 || list[0].Span != &r.Spans[99_999] {
		t.Errorf("%d stretches", len(list))
	}
}

// FuzzAnalysis reads a request from bytes, 20 a span, the times as they come.
func FuzzAnalysis(f *testing.F) {
	f.Add(int64(100), false, []byte("aaaaaaaabbbbbbbbcdefbbbbbbbbaaaaaaaacdef"))
	f.Add(int64(-1), true, make([]byte, 60))
	f.Fuzz(func(t *testing.T, length int64, partial bool, b []byte) {
		r := &Request{Span: 1, Duration: time.Duration(length), Partial: partial}
		for ; len(b) >= 20; b = b[20:] {
			r.Spans = append(r.Spans, Span{ID: SpanID(b[16] % 32), Parent: SpanID(b[17] % 32), Category: Category(b[18]),
				Start: time.Duration(binary.LittleEndian.Uint64(b)), Duration: time.Duration(binary.LittleEndian.Uint64(b[8:])),
				Pool: time.Duration(binary.LittleEndian.Uint64(b[4:])) >> (b[19] % 64), Text: string(b[19:20])})
		}
		if err := check(r); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkTree is a waterfall of 10,000 spans: laid out, folded, and one page of it taken.
func BenchmarkTree(b *testing.B) {
	r := wide(10_000)
	key := func(s *Span) string { return s.Text }
	for name, fn := range map[string]func(){
		"tree":     func() { Tree(r) },
		"critical": func() { Critical(r) },
		"page":     func() { nodes := Tree(r); Page(nodes, Fold(nodes, key), 5000, 5500) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
}
