package perf

import (
	"hash/maphash"
	"math"
	"time"

	"kibitz/app/trace"
)

// callersOneIn is the share of requests that look for the lines of code behind their queries while there are more than
// Options.Busy a second.
const callersOneIn = 16

// wantsCallers decides at a request's start whether it looks for callers: what that costs is the larger part of recording a query.
func (r *Recorder) wantsCallers(q *Request) bool {
	if r.o.NoCallers {
		return false
	}
	if r.o.Busy <= 0 {
		return true
	}
	if second := q.start.Unix(); r.second.Swap(second) != second {
		r.begun.Store(0)
	}
	return r.begun.Add(1) <= int64(r.o.Busy) || uint64(q.id)%callersOneIn == 0
}

// binWidth is the logarithm of how much longer the longest request of a bin takes than the shortest.
var binWidth = math.Log((1 + binError) / (1 - binError))

// binError and the bins are those in which Kibitz counts durations (package sketch; a test holds it), so that percentiles of
// folded requests are to the bit what they would be of all.
const binError = 0.02

// binOf is the bin of a duration.
func binOf(d time.Duration) int {
	return int(math.Floor(math.Log(float64(max(d, 500))/1000) / binWidth))
}

// endpoint is what requests are counted by before any are folded.
type endpoint struct{ name, method string }

// alike is what requests that are folded into one have in common.
type alike struct {
	endpoint
	user   string
	status int
	bin    int
	n      [trace.Categories]int
	shape  uint64 // of the answers of switches
}

// folds is what waits for the sink, by what may be folded into it.
type folds struct {
	seen   map[endpoint]int
	groups map[alike]int // places among what waits
}

func newFolds() folds { return folds{map[endpoint]int{}, map[alike]int{}} }

func (f *folds) clear() {
	clear(f.seen)
	clear(f.groups)
}

// place is where a request that waits already may stand for another, too; -1 when it needs a place of its own, the next one.
func (f *folds) place(key alike, foldable bool, busy, next int) int {
	f.seen[key.endpoint]++
	if !foldable {
		return -1
	}
	at, found := f.groups[key]
	if found && f.seen[key.endpoint] > busy {
		return at
	}
	if !found {
		f.groups[key] = next
	}
	return -1
}

// forget takes back that a request got a place, since there was none.
func (f *folds) forget(key alike, place int) {
	if at, ok := f.groups[key]; ok && at == place {
		delete(f.groups, key)
	}
}

// alike tells what a request has in common with those that it may be folded with. One that failed, that was asked for, that
// others refer to, or of which more is told, stands alone.
func (r *Recorder) alike(b *recording) (key alike, ok bool) {
	n := b.sweep.totals.N
	key.endpoint = endpoint{b.info.Name, b.info.Method}
	if b.failed || b.keep || b.lost > 0 || b.parent != 0 || len(b.attrs) > 0 || n[trace.HTTP] > 0 {
		return key, false
	}
	for i := range b.spans {
		if b.spans[i].failed || b.spans[i].running {
			return key, false
		}
	}
	key.user, key.status, key.bin, key.n = b.user, b.status, binOf(b.duration), n
	for _, s := range b.switches {
		key.shape = key.shape*31 + maphash.Comparable(r.seed, s)
	}
	return key, true
}

// standFor has one of two requests that are alike stand for the other: whichever knows its callers. Without spans its duration
// becomes the mean of all, so that sums stay exact; with spans it stays that of the request that they belong to.
func standFor(a, b *recording) (kept, folded *recording) {
	n, took := a.folded+b.folded+1, a.took()+b.took()
	if b.callers && !a.callers {
		a, b = b, a
	}
	if a.folded, a.together = n, took; len(a.spans) == 0 {
		a.duration = took / time.Duration(n+1)
	}
	return a, b
}

// took is the time of all requests that b stands for.
func (b *recording) took() time.Duration {
	if b.folded > 0 {
		return b.together
	}
	return b.duration
}
