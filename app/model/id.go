// Package model holds the plain types that the layers share. It does no I/O.
package model

import (
	"sync/atomic"
	"time"
)

// epoch is the zero of ids: 2026-01-01 UTC in milliseconds. 41 bits of milliseconds last until 2095.
const epoch = 1767225600000

const (
	nodeBits = 10
	seqBits  = 12
)

// IDs makes 63-bit ids that sort by time and are unique over all nodes and shards, so that a row
// can move between shards without a new number: 41 bits of milliseconds, 10 of node, 12 of sequence.
type IDs struct {
	node int64
	last atomic.Int64 // milliseconds<<seqBits | sequence
	now  func() time.Time
}

// NewIDs makes ids for one node, 0 to 1023.
func NewIDs(node int) *IDs { return &IDs{node: int64(node) & (1<<nodeBits - 1), now: time.Now} }

// Next is a new id. When a millisecond's 4,096 are used up, or the clock steps back, it goes on
// counting from the last one given, so ids never repeat and never run backwards.
func (g *IDs) Next() int64 {
	for {
		last := g.last.Load()
		next := (g.now().UnixMilli() - epoch) << seqBits
		if next <= last {
			next = last + 1
		}
		if g.last.CompareAndSwap(last, next) {
			return next>>seqBits<<(seqBits+nodeBits) | g.node<<seqBits | next&(1<<seqBits-1)
		}
	}
}

// TimeOf is the moment at which an id was made, to the millisecond.
func TimeOf(id int64) time.Time {
	return time.UnixMilli(id>>(seqBits+nodeBits) + epoch).UTC()
}

// FirstIDAt is the smallest id of a moment: a bound for queries by time on an id index.
func FirstIDAt(t time.Time) int64 { return max(0, t.UnixMilli()-epoch) << (seqBits + nodeBits) }
