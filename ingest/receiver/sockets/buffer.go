package sockets

import (
	"net/netip"
	"sync"
)

// buffer stands between the sockets and the worker: readers copy a message in and go on, whatever the worker waits for.
// It is bounded by bytes. The worker takes all at once, and gives its memory back with the next take.
type buffer struct {
	max  int
	wake chan struct{} // has room for one

	mu      sync.Mutex
	filling pile
}

// pile is messages one after another.
type pile struct {
	bytes []byte
	items []item
}

// item is where one message ends, and where it came from.
type item struct {
	end       int
	from      netip.Addr
	transport uint8 // index of transports
}

// itemCost is what a message takes beside its bytes, so that empty ones are bounded as well.
const itemCost = 40

// wakeAt is how many messages make the worker begin before its time: what one record of the spool takes.
const wakeAt = 500

func newBuffer(max int) *buffer { return &buffer{max: max, wake: make(chan struct{}, 1)} }

// put copies a message in, or tells that there is no room.
func (b *buffer) put(message []byte, from netip.Addr, transport uint8) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &b.filling
	if len(f.bytes)+len(message)+itemCost*(len(f.items)+1) > b.max {
		return false
	}
	f.bytes = append(f.bytes, message...)
	f.items = append(f.items, item{len(f.bytes), from, transport})
	if len(f.items)%wakeAt == 0 {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take swaps what has come for an empty pile.
func (b *buffer) take(empty pile) pile {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.filling
	b.filling = pile{empty.bytes[:0], empty.items[:0]}
	return full
}

// each hands the messages over, oldest first.
func (p *pile) each(fn func(message []byte, it item)) {
	start := 0
	for _, it := range p.items {
		fn(p.bytes[start:it.end], it)
		start = it.end
	}
}
