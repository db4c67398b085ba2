package trace

import "time"

// Node is a line of a request's waterfall.
type Node struct {
	Span     *Span // nil for the request itself, which is the first node, and for gaps
	Parent   int   // the node above it; -1 for the request
	End      int   // the node after the last one below it: those below are [its own index+1, End)
	Depth    int   // 0 for the request
	Children int   // directly below it, gaps not counted
	// From and To are since the request's start, and never outside the parent's.
	From, To time.Duration
	// Self is how much of the time no child ran.
	Self  time.Duration
	Marks Marks
}

// A gap is worth a line when it is this long and this share of the request: below, it is a program's ordinary work
// between two calls.
const (
	gapLeast = 10 * time.Millisecond
	gapShare = 20 // one part of so many: 5 %
)

// Tree is a request and its spans, depth first and siblings by start. Of spans with the same id the first stays; what
// else was mended is in Marks. Stretches of the program's own work between spans that nothing explains become nodes of
// their own, marked as Gap: there instrumentation is missing. It does not recurse.
func Tree(r *Request) []Node {
	slots, length := layout(r, make([]slot, 0, len(r.Spans))), extent(r)
	order := make([]int32, len(slots))
	for i := range order {
		order[i] = int32(i)
	}
	t := tree{r: r, slots: slots, kin: families(slots, order), gap: max(gapLeast, length/gapShare)}
	t.nodes = make([]Node, 0, len(slots)+1)
	t.enter(Node{Parent: -1, To: length}, root)
	for len(t.path) > 0 {
		t.step()
	}
	return t.nodes
}

// kin lists the slots below each one. Index 0 is the request, i+1 the slot i; root ends a list.
type kin struct{ first, next []int32 }

// families lists children in the order given.
func families(slots []slot, order []int32) kin {
	links := make([]int32, 2*(len(slots)+1))
	for i := range links {
		links[i] = root
	}
	k := kin{links[:len(slots)+1], links[len(slots)+1:]}
	for i := len(order) - 1; i >= 0; i-- {
		child, above := order[i], slots[order[i]].parent+1
		k.next[child+1], k.first[above] = k.first[above], child
	}
	return k
}

// tree is a walk in progress.
type tree struct {
	r     *Request
	slots []slot
	kin   kin
	gap   time.Duration
	nodes []Node
	path  []visit // the nodes that the walk is within
}

// visit is a node whose children are being gone through.
type visit struct {
	node  int
	child int32         // the next one
	till  time.Duration // up to where children have been
	idle  time.Duration // in which none ran
}

func (t *tree) enter(n Node, slot int32) {
	t.path = append(t.path, visit{node: len(t.nodes), child: t.kin.first[slot+1], till: n.From})
	t.nodes = append(t.nodes, n)
}

// step enters the next child of the innermost node, or leaves that node.
func (t *tree) step() {
	at := &t.path[len(t.path)-1]
	if at.child == root {
		t.leave(at)
		return
	}
	child := at.child
	s := &t.slots[child]
	t.idle(at, s.from)
	at.till = max(at.till, s.to)
	at.child = t.kin.next[child+1]
	t.nodes[at.node].Children++
	t.enter(Node{Span: &t.r.Spans[s.span], Parent: at.node, Depth: int(s.depth), From: s.from, To: s.to, Marks: s.marks}, child)
}

func (t *tree) leave(at *visit) {
	t.idle(at, t.nodes[at.node].To)
	t.nodes[at.node].Self, t.nodes[at.node].End = at.idle, len(t.nodes)
	t.path = t.path[:len(t.path)-1]
}

// idle counts the time since the last child ended. It is a gap when the node is the program's own work and others of its
// parts have spans: a function without any is its own explanation.
func (t *tree) idle(at *visit, until time.Duration) {
	if until <= at.till {
		return
	}
	at.idle += until - at.till
	n := &t.nodes[at.node]
	own := n.Span == nil || category(n.Span) == Other
	parts := n.Children > 0 || at.child != root
	if own && parts && until-at.till >= t.gap {
		t.nodes = append(t.nodes, Node{Parent: at.node, End: len(t.nodes) + 1, Depth: n.Depth + 1,
			From: at.till, To: until, Self: until - at.till, Marks: Gap})
	}
}
