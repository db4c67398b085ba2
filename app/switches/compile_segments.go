package switches

import (
	"slices"
	"strings"
)

// segment is the compiled segment of a key, or nil when there is none. Each is compiled once, in the midst of whoever asks for it
// first.
func (k *compiler) segment(key string) *segment {
	if g := k.segments[key]; g != nil {
		return g
	}
	source, ok := k.sources[key]
	if !ok {
		return nil
	}
	outer := *k
	k.begin(key, "segment ")
	k.open = append(k.open, key)
	g := &segment{key: key}
	if why := wrongKey(key); why != "" {
		k.fail("key", "%s", why)
	}
	g.when = k.compileWhen(source.When, "when", key)
	g.broken, g.work, g.depth = k.broken != "", k.work+1, k.depth+1
	k.segments[key] = g
	k.open = k.open[:len(k.open)-1]
	k.key, k.prefix, k.broken, k.work, k.depth = outer.key, outer.prefix, outer.broken, outer.work, outer.depth
	return g
}

// use is the segment that a rule asks; nil when it cannot be asked, which is noted.
func (k *compiler) use(key, at string) *segment {
	if i := slices.Index(k.open, key); i >= 0 {
		k.fail(at, "segments go round in a circle: %s", strings.Join(append(slices.Clone(k.open[i:]), key), " → "))
		return nil
	}
	g := k.segment(key)
	switch {
	case g == nil:
		k.fail(at, "segment %q does not exist", cut(key))
		return nil
	case g.broken:
		k.fail(at, "segment %q is broken: repair it first", cut(key))
		return nil
	}
	k.work, k.depth = k.work+g.work, max(k.depth, g.depth)
	if k.depth > MaxDepth {
		k.fail(at, "%s", over("segments within segments", k.depth, MaxDepth, "join some of them"))
		return nil
	}
	if k.work > MaxWork {
		k.fail(at, "%s", over("segments to be asked for one answer", k.work, MaxWork, "put lists of values into one rule"))
		return nil
	}
	return g
}
