package switches

import (
	"fmt"
	"slices"
	"strings"
)

// link joins switches with those that they ask: parents and requirements.
func (k *compiler) link(s *Snapshot) {
	for _, c := range s.list {
		k.begin(c.key, "")
		k.linkParent(s, c)
		k.linkRequires(s, c)
		c.breakFor(k.broken)
	}
	l := linker{k: k, seen: make(map[*compiled]*node, len(s.list))}
	for _, c := range s.list {
		if l.seen[c] == nil {
			l.visit(c)
		}
	}
	for _, c := range s.list {
		c.gate()
	}
}

func (c *compiled) breakFor(why string) {
	if c.broken == "" {
		c.broken = why
	}
}

// linkParent finds the nearest parent that exists.
func (k *compiler) linkParent(s *Snapshot, c *compiled) {
	for key := c.key; ; {
		i := strings.LastIndexByte(key, ':')
		if i < 0 {
			break
		}
		key = key[:i]
		if c.parent = s.index[key]; c.parent != nil {
			break
		}
		k.warn("key", "its parent %q does not exist, and counts as none", cut(key))
	}
	switch {
	case c.parent != nil:
		c.inheritFrom(c.parent)
	case c.state == Inherit && strings.Contains(c.key, ":"):
		k.fail("state", "inherit needs a parent, and none of its parents exists")
	}
}

// inheritFrom maps the parent's answers to ours: the variant of the same name, else on and off.
func (c *compiled) inheritFrom(p *compiled) {
	c.parentCond = "parent " + p.key
	c.inherit = make([]uint8, len(p.variants))
	for i, v := range p.variants {
		c.inherit[i] = c.off
		if uint8(i) == p.off {
			continue
		}
		c.inherit[i] = c.on
		if own := c.index(v.name); own >= 0 && uint8(own) != c.off {
			c.inherit[i] = uint8(own)
		}
	}
}

func (k *compiler) linkRequires(s *Snapshot, c *compiled) {
	list := c.whole.Requires
	if len(list) > MaxRequires {
		k.fail("requires", "%s", over("required switches", len(list), MaxRequires, "let one switch stand for them, and require it"))
		return
	}
	for i, r := range list {
		at := fmt.Sprintf("requires %d", i+1)
		of := s.index[r.Key]
		if of == nil {
			k.fail(at, "switch %q does not exist", cut(r.Key))
			continue
		}
		req := requirement{of: of, key: r.Key, variant: -1, cond: "requires " + r.Key}
		if r.Variant != "" {
			if req.variant = of.index(r.Variant); req.variant < 0 {
				k.fail(at, "switch %q has no variant %q", cut(r.Key), cut(r.Variant))
				continue
			}
		}
		c.requires = append(c.requires, req)
	}
}

// linker looks for circles, and for answers that would ask too much, in one walk (Tarjan's strongly connected components, which
// come out with those that are asked first).
type linker struct {
	k    *compiler
	seen map[*compiled]*node
	open []*compiled
}

type node struct {
	order, low int
	open       bool
	work       int
}

func (l *linker) visit(c *compiled) *node {
	n := &node{order: len(l.seen), low: len(l.seen), open: true}
	l.seen[c] = n
	l.open = append(l.open, c)
	for _, other := range c.asks() {
		if o := l.seen[other]; o == nil {
			n.low = min(n.low, l.visit(other).low)
		} else if o.open {
			n.low = min(n.low, o.order)
		}
	}
	if n.low == n.order {
		i := slices.Index(l.open, c)
		l.close(slices.Clone(l.open[i:]))
		l.open = l.open[:i]
	}
	return n
}

// close settles switches that all ask each other; nearly always that is one switch alone.
func (l *linker) close(group []*compiled) {
	c := group[0]
	asks := c.asks()
	if len(group) > 1 || slices.Contains(asks, c) {
		text := "switches ask each other in a circle: " + circle(group)
		for _, x := range group {
			l.fail(x, "requires", text)
		}
	}
	work := 1
	for _, other := range asks {
		work += l.seen[other].work
	}
	if work > MaxWork {
		l.fail(c, "requires", over("switches to be asked for one answer", work, MaxWork, "let one switch stand for those that are required again and again"))
	}
	for _, x := range group {
		n := l.seen[x]
		n.open, n.work = false, work
		if x.broken != "" { // asks nobody
			x.parent, x.requires, n.work = nil, nil, 1
		}
	}
}

// asks are the switches that c asks itself.
func (c *compiled) asks() []*compiled {
	var out []*compiled
	if c.parent != nil {
		out = append(out, c.parent)
	}
	for _, r := range c.requires {
		out = append(out, r.of)
	}
	return out
}

// circle names the switches of a circle within a group, from its first one on, so that the same circle always reads alike.
func circle(group []*compiled) string {
	var way []*compiled
	for at := slices.MinFunc(group, func(a, b *compiled) int { return strings.Compare(a.key, b.key) }); ; {
		if i := slices.Index(way, at); i >= 0 {
			way = append(way[i:], at)
			break
		}
		way = append(way, at)
		for _, other := range at.asks() {
			if slices.Contains(group, other) {
				at = other
				break
			}
		}
	}
	names := make([]string, len(way))
	for i, c := range way {
		names[i] = c.key
	}
	return circleText(names)
}

// circleText names a circle, and leaves out the middle of a long one.
func circleText(names []string) string {
	if n := len(names); n > 12 {
		names = slices.Concat(names[:8], []string{fmt.Sprintf("%d more", n-11)}, names[n-3:])
	}
	return strings.Join(names, " → ")
}

func (l *linker) fail(c *compiled, field, text string) {
	l.k.begin(c.key, "")
	l.k.fail(field, "%s", text)
	c.breakFor(l.k.broken)
}
