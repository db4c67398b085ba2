package accounts

import (
	"net/netip"
	"sync"
	"time"
)

// limiter gives each key a bucket of tries that grow back one by one, in bounded memory.
type limiter struct {
	burst int
	every time.Duration
	keys  int
	mu    sync.Mutex
	// until is when the bucket of a key will be full again; keys with full buckets are not in it.
	until map[string]time.Time
}

func newLimiter(burst int, every time.Duration, keys int) *limiter {
	return &limiter{burst: burst, every: every, keys: keys, until: map[string]time.Time{}}
}

// take takes a try of key. When there is none it says how long until there is one.
func (l *limiter) take(key string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.until[key]
	if until.Before(now) {
		until = now
	}
	until = until.Add(l.every)
	if wait := until.Sub(now) - time.Duration(l.burst)*l.every; wait > 0 {
		return wait, false
	}
	if _, known := l.until[key]; !known && len(l.until) >= l.keys {
		l.shrink(now)
	}
	l.until[key] = until
	return 0, true
}

// refund gives a try back.
func (l *limiter) refund(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until, known := l.until[key]; known {
		l.until[key] = until.Add(-l.every)
	}
}

// shrink makes room: it drops the keys whose buckets are full, else any tenth. To push a key out on purpose one
// must fill thousands of others, each with a try from an address that has tries left.
func (l *limiter) shrink(now time.Time) {
	for key, until := range l.until {
		if until.Before(now) {
			delete(l.until, key)
		}
	}
	for key := range l.until {
		if len(l.until) <= l.keys*9/10 {
			return
		}
		delete(l.until, key)
	}
}

// network is what the limiter counts an address by: IPv6 by /64, which is what one customer gets.
func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.String()
}
