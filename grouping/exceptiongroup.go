package grouping

import (
	"bytes"
	"cmp"
	"slices"
)

// distinct is the indices of the exceptions that count. It is all of them in the order of the event, unless
// they form a proper tree under id 0: then only what the groups in it boil down to. A group of exceptions of one
// kind is that exception with its causes; a group of several is one of each kind, and the group.
func (g *grouper) distinct(parts []pair) []int {
	tree, ok := g.tree()
	if !ok {
		return all(len(parts))
	}
	top := g.topLevel(tree)
	slices.SortStableFunc(top, func(a, b int) int { return cmp.Compare(g.ev.Exceptions[b].Type, g.ev.Exceptions[a].Type) })
	top = g.dedupe(top, parts)
	switch len(top) {
	case 0:
		return all(len(parts))
	case 1:
		g.main = top[0]
		return tree.firstPath(top[0], len(parts))
	}
	return append(top, tree.root)
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// tree is the exceptions by the ids in their mechanisms.
type tree struct {
	root     int
	children map[int][]int // index of the parent to the indices of its children, by id
}

// tree builds the tree and tells whether it is one: an id for each, no id twice, one root with id 0, and every
// exception reached from it.
func (g *grouper) tree() (tree, bool) {
	byID := make(map[int]int, len(g.ev.Exceptions))
	for i := range g.ev.Exceptions {
		m := &g.ev.Exceptions[i].Mechanism
		if _, twice := byID[m.ID]; twice || !m.HasID {
			return tree{}, false
		}
		byID[m.ID] = i
	}
	root, ok := byID[0]
	if !ok || g.ev.Exceptions[root].Mechanism.HasParent {
		return tree{}, false
	}
	t := tree{root: root, children: map[int][]int{}}
	for i := len(g.ev.Exceptions) - 1; i >= 0; i-- { // events list the root last, and so each list of children
		if i == root {
			continue
		}
		m := &g.ev.Exceptions[i].Mechanism
		parent, ok := byID[m.ParentID]
		if !ok || !m.HasParent {
			return tree{}, false
		}
		t.children[parent] = append(t.children[parent], i)
	}
	return t, t.size() == len(g.ev.Exceptions)
}

// size counts what can be reached from the root. Each exception has one parent, so nothing is reached twice,
// and what stands in a cycle is not reached at all.
func (t tree) size() int {
	n := 0
	for queue := []int{t.root}; len(queue) > 0; n++ {
		queue = append(queue[1:], t.children[queue[0]]...)
	}
	return n
}

// topLevel is the exceptions that are no groups and have only groups above them, in the order of the tree.
func (g *grouper) topLevel(t tree) (out []int) {
	for todo := []int{t.root}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !g.ev.Exceptions[i].Mechanism.IsGroup {
			out = append(out, i)
			continue
		}
		for n := len(t.children[i]) - 1; n >= 0; n-- {
			todo = append(todo, t.children[i][n])
		}
	}
	return out
}

// dedupe keeps the first of each run of exceptions that look the same. They are sorted by type, so that copies mostly
// stand together; those that another of their type stands between are kept, as the algorithm has it.
func (g *grouper) dedupe(top []int, parts []pair) []int {
	if len(top) < 2 {
		return top
	}
	out := top[:0]
	var last, key []byte
	for n, i := range top {
		key = parts[i].system.appendValues(parts[i].app.appendValues(key[:0]))
		g.work += len(key)
		if n == 0 || !bytes.Equal(key, last) {
			out = append(out, i)
		}
		last, key = key, last
	}
	return out
}

// firstPath is an exception and the first child of each in turn.
func (t tree) firstPath(i, limit int) []int {
	out := []int{i}
	for len(out) < limit && len(t.children[i]) > 0 {
		i = t.children[i][0]
		out = append(out, i)
	}
	return out
}
