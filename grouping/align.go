package grouping

import (
	"slices"
	"strings"
)

// maxAlign bounds the work of laying two lists of components side by side: some 1,000 frames against 1,000. Longer
// ones are paired from both ends, and in order between.
const maxAlign = 1 << 20

// align pairs the children of two components: equal ones with each other, as many as can be in order, and between
// them those of one kind in order. A child without a partner stands alone.
func align(a, b []*Component) (out []Difference) {
	keyA, keyB := keys(a), keys(b)
	head := 0
	for head < len(a) && head < len(b) && keyA[head] == keyB[head] {
		out = append(out, Difference{a[head], b[head]})
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && keyA[len(a)-1-tail] == keyB[len(b)-1-tail] {
		tail++
	}
	out = append(out, between(a[head:len(a)-tail], b[head:len(b)-tail], keyA[head:], keyB[head:])...)
	for i := tail; i > 0; i-- {
		out = append(out, Difference{a[len(a)-i], b[len(b)-i]})
	}
	return out
}

// keys tell components apart: their kind and all values that count below.
func keys(list []*Component) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.ID + "\x00" + string(c.appendValues(nil))
	}
	return out
}

// between aligns what differs at both ends, by the longest common subsequence.
func between(a, b []*Component, keyA, keyB []string) (out []Difference) {
	if len(a) == 0 || len(b) == 0 || len(a)*len(b) > maxAlign {
		return pairKinds(a, b)
	}
	length := CommonLengths(keyA[:len(a)], keyB[:len(b)])
	i, j, fromA, fromB := 0, 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case keyA[i] == keyB[j]:
			out = append(append(out, pairKinds(a[fromA:i], b[fromB:j])...), Difference{a[i], b[j]})
			i, j = i+1, j+1
			fromA, fromB = i, j
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return append(out, pairKinds(a[fromA:], b[fromB:])...)
}

// CommonLengths holds at [i][j] how long the longest common subsequence of a from i and b from j is. It takes memory and
// time for every pair, which callers bound.
func CommonLengths(a, b []string) [][]int32 {
	out := make([][]int32, len(a)+1)
	for i := range out {
		out[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				out[i][j] = out[i+1][j+1] + 1
			} else {
				out[i][j] = max(out[i+1][j], out[i][j+1])
			}
		}
	}
	return out
}

// pairKinds pairs components of one kind in order; those left over stand alone, in their places.
func pairKinds(a, b []*Component) (out []Difference) {
	used := 0
	for _, c := range a {
		at := slices.IndexFunc(b[used:], func(other *Component) bool { return other.ID == c.ID })
		if at < 0 {
			out = append(out, Difference{A: c})
			continue
		}
		for _, alone := range b[used : used+at] {
			out = append(out, Difference{B: alone})
		}
		out = append(out, Difference{c, b[used+at]})
		used += at + 1
	}
	for _, alone := range b[used:] {
		out = append(out, Difference{B: alone})
	}
	return out
}

// Parts counts what counts in a tree, in words: "exception type and 5 frames".
func Parts(root *Component) string {
	var words []string
	n := map[string]int{}
	for _, id := range countParts(root, n, nil, 0) {
		name := strings.TrimSuffix(noun(id), " of a frame")
		if n[id] > 1 {
			name = plural(n[id], name, name+"s")
		}
		words = append(words, name)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// countParts counts leaves and frames that count, and lists their kinds in order of appearance.
func countParts(c *Component, n map[string]int, order []string, depth int) []string {
	if c == nil || !c.Contributes || depth > maxExplainDepth {
		return order
	}
	if c.ID == "frame" || len(c.Values) > 0 {
		if n[c.ID]++; n[c.ID] == 1 {
			order = append(order, c.ID)
		}
		return order
	}
	for _, child := range c.Children {
		order = countParts(child, n, order, depth+1)
	}
	return order
}
