package requests

import (
	"encoding/binary"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/trace"
)

// What the decision to keep a request's spans goes by.
const (
	// slowAfter is how many requests of an endpoint must have been seen before one can be slower than 99 % of them.
	slowAfter = 200
	// window is how long durations count as usual: at least one, at most two of it.
	window = 10 * time.Minute
	// firstOf is how many requests of a new release, or with a new answer of a switch, keep their spans at an endpoint.
	firstOf = 5
	// keptPerMinute bounds what an endpoint keeps (limit kept_per_minute): when everything fails, a hundred
	// examples tell as much as a million. A minute with none at all keeps one more.
	keptPerMinute = 100
	// maxKeeperFirsts bounds what is remembered of releases and switches of one endpoint; beyond it nothing is new.
	maxKeeperFirsts = 1_000
)

// keeper decides which requests keep their spans, at the end of each, when everything about it is known.
type keeper struct {
	oneIn     uint64
	endpoints map[int32]*usual
}

// usual is what an endpoint's requests are like.
type usual struct {
	now, before *sketch.Sketch
	since       time.Time
	slow        time.Duration // 99 % are faster; 0: not known yet
	untilSlow   int           // requests until slow is worked out again
	minute      time.Time
	kept        int
	firsts      map[int64]int // by release, and by switch answer with the sign turned
}

func newKeeper(oneIn int) *keeper {
	return &keeper{uint64(oneIn), map[int32]*usual{}}
}

// decide tells why the spans of a request are kept, if they are, and for how many others it stands among the kept. full is
// set when it was worth keeping but the endpoint's minute is full.
func (k *keeper) decide(it *item, linked bool) (why model.KeepReason, stands float64, full bool) {
	u := k.endpoints[it.row.Endpoint]
	if u == nil {
		u = &usual{now: sketch.New(), before: sketch.New(), firsts: map[int64]int{}}
		k.endpoints[it.row.Endpoint] = u
	}
	slow := u.slow > 0 && it.Duration > u.slow
	u.learn(it)
	why, stands = k.reason(u, it, linked, slow), 1
	if why == model.KeepSample {
		stands = float64(k.oneIn)
	}
	if minute := it.received.Truncate(time.Minute); minute.After(u.minute) {
		u.minute, u.kept = minute, 0
	}
	if why == model.NotKept && u.kept == 0 && len(it.Spans) > 0 {
		why = model.KeepSample
	}
	if why != model.NotKept && why != model.KeepAsked && u.kept >= keptPerMinute {
		return model.NotKept, 0, true
	}
	if why != model.NotKept {
		u.kept++
	}
	return why, stands, false
}

func (k *keeper) reason(u *usual, it *item, linked, slow bool) model.KeepReason {
	switch {
	case it.Keep:
		return model.KeepAsked
	case it.Failed:
		return model.KeepFailed
	case len(it.found) > 0:
		return model.KeepFinding
	case linked:
		return model.KeepLinked
	case slow:
		return model.KeepSlow
	case u.first(int64(it.row.Release)):
		return model.KeepNewRelease
	case u.firstAnswer(it.row.Switches):
		return model.KeepNewVariant
	case hashOf(it.Trace)%k.oneIn == 0:
		return model.KeepSample
	}
	return model.NotKept
}

// hashOf is the same in every program that a trace passes, so that they keep the same traces.
func hashOf(id trace.ID) uint64 {
	h := binary.BigEndian.Uint64(id[8:]) ^ binary.BigEndian.Uint64(id[:8])
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd // the finaliser of MurmurHash3: ids need not be random
	h ^= h >> 33
	return h
}

func (u *usual) first(key int64) bool {
	if key == 0 || len(u.firsts) >= maxKeeperFirsts && u.firsts[key] == 0 || u.firsts[key] >= firstOf {
		return false
	}
	u.firsts[key]++
	return true
}

func (u *usual) firstAnswer(switches []int32) (any bool) {
	for _, s := range switches {
		any = u.first(-int64(s)) || any
	}
	return any
}

// learn adds a request to what is usual. The percentile is worked out once in a hundred requests: it costs some
// microseconds.
func (u *usual) learn(it *item) {
	if it.received.Sub(u.since) > window {
		u.before, u.now, u.since = u.now, u.before, it.received
		u.now.Clear()
	}
	u.now.Add(float64(it.Duration.Microseconds()), it.Weight)
	if u.untilSlow--; u.untilSlow > 0 || u.now.Count()+u.before.Count() < slowAfter {
		return
	}
	u.untilSlow = 100
	both := sketch.New()
	both.Merge(u.before)
	both.Merge(u.now)
	u.slow = time.Duration(both.Quantile(0.99)*(1+sketch.Error)) * time.Microsecond
}
