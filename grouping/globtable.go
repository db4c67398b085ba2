package grouping

import "math/bits"

// globTable is the automaton of a glob with one state for each set of steps that a text can lead to: a byte of the text
// is one look into the table. It is some 20 times as fast as following the steps, and few patterns need more states.
type globTable struct {
	class   [256]uint8 // bytes that no step tells apart are one class
	classes int
	next    []uint8 // by state and class; state 0 leads nowhere, state 1 is the beginning
	ends    []bool  // whether a text may end in the state
}

const (
	maxTableSteps  = 126 // in a program; with the end they fit into two words
	maxTableStates = 200
	maxTableCells  = 8 << 10 // bytes of a table: 2,000 rules take at most 16 MB
)

// stepSet is a set of steps that take a byte; the end of the pattern is one of them.
type stepSet [2]uint64

func (s *stepSet) add(i int)     { s[i>>6] |= 1 << (i & 63) }
func (s stepSet) has(i int) bool { return s[i>>6]>>(i&63)&1 != 0 }

// tabulate makes the table of a program, nil when it would be too large.
func tabulate(ops []globOp) *globTable {
	if len(ops) > maxTableSteps {
		return nil
	}
	t := &globTable{next: nil, ends: []bool{false}}
	samples := t.classify(ops)
	t.next = make([]uint8, t.classes)
	states, numbers := []stepSet{{}}, map[stepSet]uint8{{}: 0}
	number := func(s stepSet) uint8 {
		n, known := numbers[s]
		if !known {
			n = uint8(len(states))
			numbers[s] = n
			states, t.ends = append(states, s), append(t.ends, s.has(len(ops)))
		}
		return n
	}
	reach := make([]stepSet, len(ops)) // what follows each step
	for i := range ops {
		reach[i] = reachable(ops, ops[i].next)
	}
	number(reachable(ops, 0))
	for at := 1; at < len(states); at++ {
		for _, b := range samples {
			t.next = append(t.next, number(after(ops, reach, states[at], b)))
		}
		if len(states) > maxTableStates || len(states)*t.classes > maxTableCells {
			return nil
		}
	}
	return t
}

// classify numbers the classes of bytes and returns one byte of each.
func (t *globTable) classify(ops []globOp) (samples []byte) {
	numbers := map[stepSet]uint8{}
	for b := range 256 {
		var taking stepSet
		for i := range ops {
			if !ops[i].fork && ops[i].takes(byte(b)) {
				taking.add(i)
			}
		}
		n, known := numbers[taking]
		if !known {
			n = uint8(len(numbers))
			numbers[taking], samples = n, append(samples, byte(b))
		}
		t.class[b] = n
	}
	t.classes = len(samples)
	return samples
}

// reachable is the steps that a step leads to through forks, itself included.
func reachable(ops []globOp, from uint16) (out stepSet) {
	var seen stepSet
	for todo := []uint16{from}; len(todo) > 0; {
		at := int(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		switch {
		case seen.has(at):
		case at < len(ops) && ops[at].fork:
			todo = append(todo, ops[at].next, ops[at].alt)
		default:
			out.add(at)
		}
		seen.add(at)
	}
	return out
}

func after(ops []globOp, reach []stepSet, s stepSet, b byte) (out stepSet) {
	for k, word := range s {
		for ; word != 0; word &= word - 1 {
			i := k<<6 + bits.TrailingZeros64(word)
			if i < len(ops) && ops[i].takes(b) {
				out[0], out[1] = out[0]|reach[i][0], out[1]|reach[i][1]
			}
		}
	}
	return out
}

func (t *globTable) run(s string, rooted bool) bool {
	state := 1
	if rooted {
		state = int(t.next[t.classes+int(t.class['/'])])
	}
	for i := 0; i < len(s) && state != 0; i++ {
		state = int(t.next[state*t.classes+int(t.class[s[i]])])
	}
	return t.ends[state]
}
