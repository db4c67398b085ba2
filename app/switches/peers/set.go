package peers

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
)

// Parts is into how many parts a Set is divided for comparing it with another.
const Parts = 256

// Sums describe a Set: two with equal sums hold the same versions, but for a chance of 2^-64 a part.
type Sums [Parts]uint64

// Set is all registers that a process knows. Its merge is commutative, associative and idempotent, so that processes that got the
// same records, in whatever order and however often, hold the same. It may be used by several goroutines.
type Set struct {
	mu   sync.RWMutex
	all  map[ID]*Record
	sums Sums
	high int64
}

// NewSet makes an empty set.
func NewSet() *Set { return &Set{all: map[ID]*Record{}} }

// Merge takes records in and gives those that changed a register. Records are kept as they are: nobody may change them afterwards.
func (s *Set) Merge(records []Record) (changed []Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		if s.put(&records[i]) {
			changed = append(changed, records[i])
		}
	}
	return changed
}

func (s *Set) put(r *Record) bool {
	s.high = max(s.high, r.Version.Revision)
	old := s.all[r.ID]
	if old != nil && !r.beats(old) {
		return false
	}
	part, sum := stamp(r.ID, r.Version)
	if old != nil {
		_, before := stamp(old.ID, old.Version)
		s.sums[part] ^= before
	}
	s.sums[part] ^= sum
	kept := *r
	s.all[r.ID] = &kept
	return true
}

// stamp is the part that a register belongs to, and what its version adds to that part's sum.
func stamp(id ID, v Version) (part int, sum uint64) {
	h := fnv.New64a()
	for _, s := range []string{string(id.Kind), id.Env, id.Key} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	part = int(mix(h.Sum64()) % Parts)
	h.Write([]byte(v.Node))
	for i := range 8 {
		h.Write([]byte{byte(v.Revision >> (8 * i))})
	}
	return part, mix(h.Sum64())
}

// mix is the finalizer of MurmurHash3 (Austin Appleby, public domain): without it sums of like keys would be alike.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Revision is the highest that is known.
func (s *Set) Revision() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.high
}

// Len is how many registers there are.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.all)
}

// Get is a register's value.
func (s *Set) Get(id ID) (Record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.all[id]; r != nil {
		return *r, true
	}
	return Record{}, false
}

// All are all registers, in order of kind, environment and key.
func (s *Set) All() []Record { return s.inParts(nil) }

// Sums describe what the set holds.
func (s *Set) Sums() Sums {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sums
}

// Differ are the parts in which two sets differ.
func (s Sums) Differ(o Sums) (parts []int) {
	for i := range s {
		if s[i] != o[i] {
			parts = append(parts, i)
		}
	}
	return parts
}

// Known is a register and the version of it that somebody has.
type Known struct {
	ID
	Version Version `json:"version"`
}

// Versions are the registers of some parts.
func (s *Set) Versions(parts []int) []Known {
	records := s.inParts(wanted(parts))
	out := make([]Known, 0, len(records))
	for i := range records {
		out = append(out, Known{records[i].ID, records[i].Version})
	}
	return out
}

func wanted(parts []int) *[Parts]bool {
	var want [Parts]bool
	for _, p := range parts {
		if p >= 0 && p < Parts {
			want[p] = true
		}
	}
	return &want
}

func (s *Set) inParts(want *[Parts]bool) (out []Record) {
	s.mu.RLock()
	for id, r := range s.all {
		if part, _ := stamp(id, Version{}); want == nil || want[part] {
			out = append(out, *r)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(out, func(a, b Record) int { return a.ID.Compare(b.ID) })
	return out
}

// Compare orders names by kind, environment and key.
func (id ID) Compare(o ID) int {
	if c := strings.Compare(string(id.Kind), string(o.Kind)); c != 0 {
		return c
	}
	if c := strings.Compare(id.Env, o.Env); c != 0 {
		return c
	}
	return strings.Compare(id.Key, o.Key)
}

// Compare tells, of the parts that known describes, what the other has not or older, and what we lack.
func (s *Set) Compare(parts []int, known []Known) (newer []Record, lacking []ID) {
	theirs := make(map[ID]Version, len(known))
	for _, k := range known {
		theirs[k.ID] = k.Version
	}
	for _, r := range s.inParts(wanted(parts)) {
		v, ok := theirs[r.ID]
		if c := r.Version.Compare(v); !ok || c > 0 {
			newer = append(newer, r)
		} else if c < 0 {
			lacking = append(lacking, r.ID)
		}
		delete(theirs, r.ID)
	}
	for id := range theirs {
		lacking = append(lacking, id)
	}
	slices.SortFunc(lacking, ID.Compare)
	return newer, lacking
}

// Pick are the registers of these names that there are.
func (s *Set) Pick(ids []ID) (out []Record) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range ids {
		if r := s.all[id]; r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// Clear forgets everything.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.sums, s.high = map[ID]*Record{}, Sums{}, 0
}
