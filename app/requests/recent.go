package requests

import "time"

// recent remembers values for a while: at least one turn, at most two.
type recent[K comparable, V any] struct {
	now, before map[K]V
	since       time.Time
	turn        time.Duration
	most        int // values of one turn
}

func newRecent[K comparable, V any](turn time.Duration, most int) recent[K, V] {
	return recent[K, V]{now: map[K]V{}, before: map[K]V{}, turn: turn, most: most}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	if v, ok = r.now[k]; !ok {
		v, ok = r.before[k]
	}
	return v, ok
}

// age forgets what is older than two turns.
func (r *recent[K, V]) age(t time.Time) {
	switch past := t.Sub(r.since); {
	case past >= 2*r.turn:
		r.now, r.before, r.since = map[K]V{}, map[K]V{}, t
	case past >= r.turn:
		r.now, r.before, r.since = make(map[K]V, len(r.now)), r.now, t
	}
}

// put remembers a value unless the turn is full.
func (r *recent[K, V]) put(k K, v V) {
	if len(r.now) < r.most {
		r.now[k] = v
	}
}

// full tells that nothing more is remembered until the next turn.
func (r *recent[K, V]) full() bool { return len(r.now) >= r.most }
