package requests

import (
	"encoding/binary"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// Limits of what is counted by the answers of switches.
const (
	// maxSwitchSums bounds the sums of endpoints and answers of one batch (limit switch_sums_per_batch); what comes after them is
	// counted for the whole project only.
	maxSwitchSums = 5_000
	// maxWindowSubjects bounds the subjects that are told apart within a window (limit subjects_per_window): some 20 MB. What
	// comes after them counts once a request, with every answer alike.
	maxWindowSubjects = 500_000
	// Requests and faults whose other half may come apart from them are remembered so long, and so many of them.
	halvesFor = 30 * time.Second
	maxHalves = 20_000
)

// exposures counts who got which answer. It is used by one goroutine, and learns from a batch when that has been stored: one that
// is prepared again counts the same.
type exposures struct {
	windows  recent[uint64, struct{}]    // subjects that were counted, by uniqueKey
	requests recent[traceKey, *switched] // that named switches
	faults   recent[traceKey, bool]      // error events by their trace, and whether they were counted
}

func newExposures() *exposures {
	return &exposures{newRecent[uint64, struct{}](model.GuardWindow, maxWindowSubjects), newRecent[traceKey, *switched](halvesFor, maxHalves),
		newRecent[traceKey, bool](halvesFor, maxHalves)}
}

// switched is what is remembered of a request that named switches.
type switched struct {
	project int64
	env     int32
	labels  []int32
	subject uint64
	trace   trace.ID
	bucket  time.Time
	failed  bool // it was counted as failed
}

// exposed is what a batch adds to exposures once it is stored.
type exposed struct {
	windows  map[uint64]struct{}
	requests map[traceKey]*switched
	faults   map[traceKey]bool
}

type switchSumKey struct {
	project              int64
	env, endpoint, label int32
	bucket               int64
}

// switchSums adds up a batch by the answers of switches.
type switchSums struct {
	*exposures
	b     *batch
	sums  map[switchSumKey]*store.SwitchTotal
	fresh exposed
}

func newSwitchSums(e *exposures, b *batch) *switchSums {
	now := b.latest()
	e.windows.age(now)
	e.requests.age(now)
	e.faults.age(now)
	s := &switchSums{e, b, map[switchSumKey]*store.SwitchTotal{}, exposed{map[uint64]struct{}{}, map[traceKey]*switched{}, map[traceKey]bool{}}}
	for i := range b.seenEvents {
		if e := &b.seenEvents[i]; e.Fault && e.Trace != (trace.ID{}) {
			s.fresh.faults[traceKey{e.Project, e.Trace}] = false
		}
	}
	return s
}

// latest is when the last of a batch was received: the clock of windows, so that a spool that waited for hours counts as it would have.
func (b *batch) latest() (t time.Time) {
	for _, it := range b.items {
		if it.received.After(t) {
			t = it.received
		}
	}
	for i := range b.seenEvents {
		if at := b.seenEvents[i].At; at.After(t) {
			t = at
		}
	}
	return t
}

// learn keeps what a batch that has been stored has told.
func (e *exposures) learn(x *exposed) {
	for key := range x.windows {
		e.windows.put(key, struct{}{})
	}
	for key, q := range x.requests {
		e.requests.put(key, q)
	}
	for key, counted := range x.faults {
		e.faults.put(key, counted)
	}
}

// total is the sum that something is added to; nil when there are too many.
func (s *switchSums) total(q *switched, endpoint, label int32) *store.SwitchTotal {
	key := switchSumKey{q.project, q.env, endpoint, label, q.bucket.Unix()}
	t := s.sums[key]
	if t == nil {
		if endpoint != 0 && len(s.sums) >= maxSwitchSums {
			return nil
		}
		t = store.NewSwitchTotal(store.SwitchRollup{Bucket: q.bucket, Project: q.project, Env: q.env, Endpoint: endpoint, Switch: label})
		s.sums[key] = t
	}
	return t
}

// subjectOf is who asked: a person, or else a trace.
func subjectOf(user int64, id trace.ID) uint64 {
	if user != 0 {
		return uint64(user)
	}
	return traceSubject(id)
}

func traceSubject(id trace.ID) uint64 {
	return sketch.Mix(binary.BigEndian.Uint64(id[:8])) ^ binary.BigEndian.Uint64(id[8:])
}

// The two things that a subject is counted as once a window.
const (
	asExposed = uint64(1)
	asHurt    = uint64(2)
)

// uniqueKey is what a subject is known again by within a window. Two of them are the same by a chance of one in 2^64.
func uniqueKey(subject uint64, env, label int32, as uint64) uint64 {
	return sketch.Mix(subject ^ sketch.Mix(uint64(uint32(env))<<34^uint64(uint32(label))<<2^as))
}

// first tells whether something was not counted in this window yet, and notes it.
func (s *switchSums) first(key uint64) bool {
	if _, ok := s.fresh.windows[key]; ok {
		return false
	}
	if _, ok := s.windows.get(key); ok {
		return false
	}
	s.fresh.windows[key] = struct{}{}
	return true
}

// add counts a request under each answer that it names.
func (s *switchSums) add(it *item) {
	if len(it.row.Switches) == 0 {
		return
	}
	q := &switched{it.project, it.row.Env, it.row.Switches, subjectOf(it.row.UserHash, it.Trace), it.Trace, it.row.Start.Truncate(time.Minute), it.row.Failed}
	key := traceKey{it.project, it.Trace}
	if it.Trace == (trace.ID{}) && it.row.UserHash == 0 { // a line of a log that names nothing
		q.subject = uint64(it.row.ID)
	}
	q.failed = q.failed || s.faulty(key)
	for _, label := range q.labels {
		whole := s.total(q, 0, label)
		if s.first(uniqueKey(q.subject, q.env, label, asExposed)) {
			whole.Exposed++
			whole.People().Add(q.subject)
		}
		if of := s.total(q, it.row.Endpoint, label); of != nil && it.row.Endpoint != 0 {
			of.AddRequest(&it.row)
		} else {
			whole.AddRequest(&it.row)
			s.b.count(it.project, it.received, "switch_sum", string(ingest.Filtered), "switch_sums_per_batch", 1)
		}
	}
	if q.failed {
		s.hurt(q)
	}
	if s.windows.full() {
		s.b.count(it.project, it.received, "switch_subject", string(ingest.Filtered), "subjects_per_window", 1)
	}
	if it.Trace != (trace.ID{}) {
		s.fresh.requests[key] = q
		if q.failed {
			s.fresh.faults[key] = true
		}
	}
}

// faulty tells whether an error event that was not counted yet names the trace of a request.
func (s *switchSums) faulty(key traceKey) bool {
	counted, known := s.fresh.faults[key]
	if had, ok := s.faults.get(key); ok {
		known, counted = true, counted || had
	}
	return known && !counted
}

// hurt counts a subject as failed, once a window by who it is and by its trace: of one failure the request may name a user, and
// the event none.
func (s *switchSums) hurt(q *switched) {
	for _, label := range q.labels {
		fresh := s.first(uniqueKey(q.subject, q.env, label, asHurt))
		if id := traceSubject(q.trace); q.trace != (trace.ID{}) && id != q.subject {
			fresh = s.first(uniqueKey(id, q.env, label, asHurt)) && fresh
		}
		if fresh {
			s.total(q, 0, label).Hurt++
		}
	}
}

// addEvent counts an error event: under the answers that it names, or those of its request. One that names none, and whose request
// is not known yet, is counted with that.
func (s *switchSums) addEvent(e *model.EventSeen, env int32, labels []int32) {
	if !e.Fault || (e.Trace == (trace.ID{}) && e.UserHash == 0) {
		return
	}
	key := traceKey{e.Project, e.Trace}
	of := s.requestOf(key)
	q := &switched{e.Project, env, labels, subjectOf(e.UserHash, e.Trace), e.Trace, e.At.Truncate(time.Minute), true}
	if of != nil {
		if of.failed {
			return // counted with the request
		}
		q.env, q.subject, q.labels = of.env, of.subject, union(labels, of.labels)
		s.fresh.requests[key] = q
	}
	if len(q.labels) == 0 {
		return
	}
	s.hurt(q)
	if e.Trace != (trace.ID{}) {
		s.fresh.faults[key] = true
	}
}

// requestOf is the request of a trace that named switches, if it is known.
func (s *switchSums) requestOf(key traceKey) *switched {
	if key.trace == (trace.ID{}) {
		return nil
	}
	if q := s.fresh.requests[key]; q != nil {
		return q
	}
	q, _ := s.requests.get(key)
	return q
}

func union(a, b []int32) []int32 {
	return compact(append(append([]int32{}, a...), b...))
}

// rows are the sums in their stored form: those of endpoints, and of whole projects, which take up what their endpoints counted.
func (s *switchSums) rows() (rows []store.SwitchRollup, err error) {
	for key, t := range s.sums {
		if key.endpoint == 0 {
			continue
		}
		whole := key
		whole.endpoint = 0
		if err := s.sums[whole].AddTotal(t); err != nil {
			return nil, err
		}
	}
	rows = make([]store.SwitchRollup, 0, len(s.sums))
	for _, t := range s.sums {
		r, err := t.Rollup()
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}
