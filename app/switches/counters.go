package switches

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

// maxShards is how many copies of the counters there are at the most.
const maxShards = 32

// counters count by slot. There is a copy for each processor, so that no two write to one cache line again and again: a copy is an
// allocation of its own, with a line to spare at both ends.
type counters struct {
	shards [][]atomic.Int64
	tokens *sync.Pool // of *int, the number of a copy: a pool gives a processor back what it put in
}

const lineWords = 128 / 8 // two cache lines, since they are fetched in pairs

func newCounters(slots int) counters {
	c := counters{shards: make([][]atomic.Int64, min(maxShards, 1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1))))}
	for i := range c.shards {
		c.shards[i] = make([]atomic.Int64, slots+2*lineWords)[lineWords : lineWords+slots]
	}
	var made atomic.Int64
	n := int64(len(c.shards))
	c.tokens = &sync.Pool{New: func() any { i := int(made.Add(1) % n); return &i }}
	return c
}

func (c *counters) add(slot int) {
	token, _ := c.tokens.Get().(*int)
	c.shards[*token][slot].Add(1)
	c.tokens.Put(token)
}

// take is the counts by slot, which begin anew.
func (c *counters) take() []int64 {
	var sums []int64
	for _, shard := range c.shards {
		if sums == nil {
			sums = make([]int64, len(shard))
		}
		for i := range shard {
			if shard[i].Load() != 0 {
				sums[i] += shard[i].Swap(0)
			}
		}
	}
	return sums
}
