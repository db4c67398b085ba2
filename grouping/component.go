package grouping

import (
	"crypto/md5"
	"encoding/hex"
)

// arena hands out components from slabs: a stack of 25 frames needs some 150 of them, and one allocation each
// would cost more than all the rest of grouping.
type arena struct {
	nodes  []Component
	kids   []*Component
	values []string
}

// newArena makes room for the components of a number of frames in two variants.
func newArena(frames int) *arena {
	frames = min(frames, 512) // more are allocated slab by slab
	return &arena{
		nodes:  make([]Component, 0, frames*6+16),
		kids:   make([]*Component, 0, frames*6+32),
		values: make([]string, 0, frames*4+8),
	}
}

func (a *arena) node(c Component) *Component {
	slot := a.slot()
	*slot = c
	return slot
}

// slot is an empty component, to be filled in place: a component is 104 bytes, and copying one costs more than making
// most of what is in it.
func (a *arena) slot() *Component {
	n := len(a.nodes)
	if n == cap(a.nodes) {
		a.nodes, n = make([]Component, 0, max(256, 2*n)), 0
	}
	a.nodes = a.nodes[:n+1]
	return &a.nodes[n]
}

// leaf is a component with one value. It contributes when it has one and no hint speaks against it.
func (a *arena) leaf(id, value, hint string, contributes bool) *Component {
	c := a.slot()
	c.ID, c.Name, c.Contributes, c.Hint = id, id, contributes && value != "", hint
	if value == "" {
		return c
	}
	if len(a.values) == cap(a.values) {
		a.values = make([]string, 0, max(256, 2*len(a.values)))
	}
	a.values = append(a.values, value)
	c.Values = a.values[len(a.values)-1 : len(a.values) : len(a.values)]
	return c
}

// frame is the component of a frame.
func (a *arena) frame(contributes bool, hint string, kids []*Component) *Component {
	c := a.slot()
	c.ID, c.Name, c.Contributes, c.Hint, c.Children = "frame", "frame", contributes, hint, kids
	return c
}

// list reserves room for n children, to be appended to.
func (a *arena) list(n int) []*Component {
	if cap(a.kids)-len(a.kids) < n {
		a.kids = make([]*Component, 0, max(n, 256, 2*len(a.kids)))
	}
	at := len(a.kids)
	a.kids = a.kids[:at+n]
	return a.kids[at : at : at+n]
}

func anyContributes(list []*Component) bool {
	for _, c := range list {
		if c.Contributes {
			return true
		}
	}
	return false
}

// appendValues appends the values of all contributing leaves, depth first, with nothing between.
func (c *Component) appendValues(b []byte) []byte {
	if c == nil || !c.Contributes {
		return b
	}
	for _, v := range c.Values {
		b = append(b, v...)
	}
	for _, child := range c.Children {
		b = child.appendValues(b)
	}
	return b
}

// hash is the md5 of the component's contributing values, as 32 lower-case hex digits.
func (c *Component) hash() string {
	var room [4096]byte
	return hashBytes(c.appendValues(room[:0]))
}

func hashBytes(b []byte) string {
	sum := md5.Sum(b)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// stackContributes tells whether a stack trace anywhere below counts.
func (c *Component) stackContributes() bool {
	if c == nil || !c.Contributes {
		return false
	}
	if c.ID == "stacktrace" {
		return true
	}
	for _, child := range c.Children {
		if child.ID != "frame" && child.stackContributes() {
			return true
		}
	}
	return false
}
