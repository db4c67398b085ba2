package switches

import (
	"encoding/json"
	"maps"
	"slices"
)

// force is the snapshot with some switches that answer one variant to everybody.
func (s *Snapshot) force(forced map[string]string) *Snapshot {
	if len(forced) == 0 {
		return s
	}
	out := &Snapshot{environment: s.environment, revision: s.revision, next: s.next, index: maps.Clone(s.index)}
	if out.index == nil {
		out.index = map[string]*compiled{}
	}
	for key, name := range forced {
		out.index[key] = constant(s.index[key], key, name)
	}
	out.list = slices.Collect(maps.Values(out.index))
	for i, c := range out.list { // slots are the snapshot's own
		clone := *c
		out.list[i] = &clone
		out.index[c.key] = &clone
	}
	out.finish()
	return out
}

// constant is a switch that answers one variant; with the value of the real one, where it has that variant.
func constant(real *compiled, key, name string) *compiled {
	c := &compiled{key: key, state: On, variants: []variant{{string(Off), json.RawMessage("false")}}}
	if real != nil {
		c.variants, c.off = slices.Clone(real.variants), real.off
	}
	i := c.index(name)
	if i < 0 {
		i = len(c.variants)
		c.variants = append(c.variants, variant{name, valueOf(Variant{Name: name})})
	}
	c.on = uint8(i)
	if c.on == c.off {
		c.state = Off
	}
	c.gate()
	return c
}
