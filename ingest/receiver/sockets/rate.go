package sockets

import (
	"net/netip"
	"sync"
	"time"
)

// maxSources bounds the senders that are counted apart within a second: UDP addresses can be forged. All further ones share
// one allowance.
const maxSources = 4096

// rate counts what each sender sent within the running second. An IPv6 sender is its /64: it has all the addresses in it.
type rate struct {
	max int
	now func() time.Time

	mu     sync.Mutex
	second int64
	n      map[netip.Addr]int
}

func (r *rate) admit(from netip.Addr) bool {
	if from.Is6() && !from.Is4In6() {
		if p, err := from.Prefix(64); err == nil {
			from = p.Addr()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.now().Unix(); s != r.second || r.n == nil {
		r.second, r.n = s, map[netip.Addr]int{}
	}
	if _, known := r.n[from]; !known && len(r.n) >= maxSources {
		from = netip.Addr{}
	}
	r.n[from]++
	return r.n[from] <= r.max
}
