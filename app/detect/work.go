package detect

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// call is a span that asked something of another program.
type call struct {
	span *trace.Span
	// from and to are within the parent's time.
	from, to time.Duration
	form     string // its text without values
	mark     uint64 // the fingerprint of a statement
	site     site
	read     bool
	write    bool
	cut      bool // its text was cut off, so that it may be two statements
	loop     bool // it belongs to a loop that is reported
}

// plus is a and b together, neither negative; more would not be a time.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// took is how long it took, clamped to its parent.
func (c *call) took() time.Duration { return c.to - c.from }

// site is the code a call came from, or, when the client does not tell, what it was called within: a loop that has a span
// for each round has the same op and text around each of its calls.
type site struct {
	file, function string
	line           int
	op, text       string
}

// work is what the detectors look at, each list by start.
type work struct {
	r       *trace.Request
	queries []*call // statements, without those that only control a connection or transaction
	ended   []*call // those that read, by their end; made when a source is looked for
	http    []*call
	cache   []*call
	equal   []*bag // queries with equal values, and how many tell theirs
	known   int
	claimed map[*call]*bag // the duplicates they are among
}

// gather lists the calls of a request. Spans that came twice count once.
func gather(r *trace.Request, normalize Normalizer) *work {
	w := &work{r: r}
	nodes := trace.Tree(r)
	room := make([]call, 0, len(r.Spans))
	for i := range nodes {
		n := &nodes[i]
		if n.Span == nil {
			continue
		}
		room = append(room, call{span: n.Span, from: n.From, to: n.To, site: siteOf(nodes, n), cut: cutOff(n.Span.Text)})
		c := &room[len(room)-1]
		switch n.Span.Category {
		case trace.DB:
			w.query(c, normalize)
		case trace.HTTP:
			w.call(c)
		case trace.Cache:
			w.read(c)
		}
	}
	for _, list := range [][]*call{w.queries, w.http, w.cache} {
		slices.SortFunc(list, earlier)
	}
	return w
}

// earlier orders calls so that the order in which spans came changes nothing.
func earlier(a, b *call) int {
	if a.from != b.from {
		return cmp.Compare(a.from, b.from)
	}
	return cmp.Or(cmp.Compare(a.to, b.to), cmp.Compare(a.span.Text, b.span.Text), cmp.Compare(a.span.File, b.span.File),
		cmp.Compare(a.span.Line, b.span.Line))
}

func siteOf(nodes []trace.Node, n *trace.Node) site {
	s := n.Span
	if s.Line > 0 || s.Func != "" {
		return site{file: s.File, function: s.Func, line: s.Line}
	}
	if above := nodes[n.Parent].Span; above != nil {
		return site{op: above.Op, text: above.Text}
	}
	return site{}
}

func (w *work) query(c *call, normalize Normalizer) {
	c.form, c.mark = normalize(c.span.Text)
	verb := sqltext.Verb(c.form)
	c.read, c.write = isRead(verb), isWrite(verb)
	if !c.read && !c.write {
		return
	}
	w.queries = append(w.queries, c)
}

// call takes HTTP calls; what else counts as HTTP (rpc, grpc) has a method's name for its text, which is its form.
func (w *work) call(c *call) {
	c.form = urlForm(c.span.Text)
	w.http = append(w.http, c)
}

// read takes those reads of a cache that ask for one key.
func (w *work) read(c *call) {
	_, verb, _ := strings.Cut(c.span.Op, ".")
	command, _, _ := strings.Cut(c.span.Text, " ")
	redis := strings.EqualFold(command, "GET") || strings.EqualFold(command, "HGET")
	if (verb == "get" || verb == "get_item" || redis) && !strings.Contains(c.span.Text, ", ") {
		c.form = keyForm(c.span.Text)
		w.cache = append(w.cache, c)
	}
}

func cutOff(text string) bool {
	return strings.HasSuffix(text, "...") || strings.HasSuffix(text, "…")
}

// isBatch tells that a statement already does for many rows what a loop would do for one: a list of values, an array,
// several rows, a page, or a batch of the driver.
func isBatch(s *trace.Span) bool {
	if s.Op == "db.batch" || s.Op == "db.copy" {
		return true
	}
	for _, a := range s.Attrs {
		if a.Key == "db.operation.batch.size" && a.Value != "1" {
			return true
		}
	}
	text := strings.ToUpper(clip(s.Text, maxScan))
	return longList(text, "IN", 1) || longList(text, "VALUES", 2) || strings.Contains(text, "ANY(") || strings.Contains(text, "ANY (") ||
		strings.Contains(text, "UNNEST(") || strings.Contains(text, " OFFSET ")
}

// maxScan is how much of a statement is looked at for lists, in bytes.
const maxScan = 64 << 10

// longList tells whether behind word stands a list: of more than one value (depth 1), or of more than one row (depth 2).
// A subquery is none.
func longList(text, word string, depth int) bool {
	for {
		i := strings.Index(text, word)
		if i < 0 {
			return false
		}
		whole := i == 0 || !letter(text[i-1])
		text = strings.TrimLeft(text[i+len(word):], " \t\r\n")
		if !whole || !strings.HasPrefix(text, "(") {
			continue
		}
		found, end := many(text, depth)
		if found {
			return true
		}
		text = text[end:] // not back into the list, so that a long text is read once
	}
}

func letter(b byte) bool { return b == '_' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' }

// many tells whether a list that begins with a parenthesis has another value behind a comma within it (depth 1), or another
// row behind it (depth 2), and how far it had to look.
func many(list string, depth int) (found bool, end int) {
	inside, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch b := list[i]; {
		case b == '\'':
			quoted = !quoted
		case quoted:
		case b == '(':
			inside++
		case b == ')':
			if inside--; inside == 0 {
				return depth == 2 && strings.HasPrefix(strings.TrimLeft(list[i+1:], " \t\r\n"), ","), i
			}
		case depth == 1 && strings.HasPrefix(list[i:], "SELECT"):
			return false, i
		case b == ',' && depth == 1 && inside == 1:
			return true, i
		}
	}
	return false, len(list)
}
