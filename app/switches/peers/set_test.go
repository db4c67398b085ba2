package peers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// some makes records of few registers and versions, so that many meet; At is of clocks that are wrong by years.
func some(r *rand.Rand, n int) []Record {
	out := make([]Record, n)
	for i := range out {
		kind := []Kind{Switch, Kill}[r.IntN(2)]
		out[i] = Record{ID: ID{kind, "production", fmt.Sprint("k", r.IntN(6))}, Version: Version{1 + r.Int64N(8), fmt.Sprint("n", r.IntN(3))},
			Deleted: r.IntN(5) == 0, Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, r.IntN(3))), At: time.Unix(r.Int64N(4e9), 0)}
	}
	return out
}

// values are what a set holds, without what has no say.
func values(s *Set) map[ID]string {
	out := map[ID]string{}
	for _, r := range s.All() {
		out[r.ID] = fmt.Sprint(r.Version, r.Deleted, string(r.Body))
	}
	return out
}

func setOf(parts ...[]Record) *Set {
	s := NewSet()
	for _, p := range parts {
		s.Merge(p)
	}
	return s
}

// TestMerge: a merge is commutative, associative and idempotent, and sums tell whether sets are equal.
func TestMerge(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		a, b, c := some(r, r.IntN(12)), some(r, r.IntN(12)), some(r, r.IntN(12))
		want := setOf(a, b, c)
		mixed := slices.Concat(c, a, b, a, c)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for name, got := range map[string]*Set{"commutative": setOf(c, b, a), "associative": setOf(setOf(b, c).All(), a), "idempotent": setOf(a, b, c, a, b, c, want.All()),
			"any order": setOf(mixed)} {
			if !maps.Equal(values(want), values(got)) {
				t.Fatalf("round %d: not %s:\n%v\n%v", round, name, values(want), values(got))
			}
			if want.Sums() != got.Sums() || want.Revision() != got.Revision() {
				t.Fatalf("round %d: %s: equal sets have different sums", round, name)
			}
		}
	}
}

// TestConverges: processes that change registers and send to each other, over a network that loses, repeats and delays, hold the
// same once each pair has compared itself, whatever was lost.
func TestConverges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		sets := make([]*Set, 5)
		for i := range sets {
			sets[i] = NewSet()
		}
		var late [][]Record
		for range 60 {
			i := r.IntN(len(sets))
			one := some(r, 1)
			one[0].Version = Version{sets[i].Revision() + 1, fmt.Sprint("n", i)}
			sets[i].Merge(one)
			for j := range sets {
				switch r.IntN(4) {
				case 0: // lost
				case 1:
					sets[j].Merge(one)
					sets[j].Merge(one)
				case 2:
					late = append(late, one)
				default:
					sets[j].Merge(one)
				}
			}
			if len(late) > 0 && r.IntN(2) == 0 {
				sets[r.IntN(len(sets))].Merge(late[r.IntN(len(late))])
			}
		}
		for i := range sets { // a line of comparisons there and back reaches all
			exchange(sets[i], sets[(i+1)%len(sets)])
		}
		for i := range sets {
			exchange(sets[i], sets[(i+1)%len(sets)])
		}
		for _, s := range sets[1:] {
			if s.Sums() != sets[0].Sums() || !reflect.DeepEqual(values(s), values(sets[0])) {
				t.Fatalf("seed %d: the processes do not hold the same", seed)
			}
		}
	}
}

// exchange is what two processes send each other to be equal.
func exchange(a, b *Set) {
	for range maxRounds {
		parts, known := diff(b, a.Sums())
		newer, lacking := a.Compare(parts, known)
		if len(newer)+len(lacking) == 0 {
			return
		}
		b.Merge(newer)
		a.Merge(b.Pick(lacking))
	}
}

// TestKillOutlivesEdits: whoever edits a switch at the same moment as somebody kills it, it is killed everywhere.
func TestKillOutlivesEdits(t *testing.T) {
	t.Parallel()
	kill := Record{ID: ID{Kill, "production", "k"}, Version: Version{5, "a"}, Body: json.RawMessage(`{"killed":true}`)}
	edits := []Record{{ID: ID{Switch, "production", "k"}, Version: Version{5, "b"}, Body: json.RawMessage(`{"state":"on"}`)},
		{ID: ID{Switch, "production", "k"}, Version: Version{900, "c"}, Body: json.RawMessage(`{"state":"on","killed":false}`)}}
	for _, order := range [][]Record{{kill, edits[0], edits[1]}, {edits[1], kill, edits[0]}, {edits[0], edits[1], kill}} {
		if r, ok := setOf(order).Get(kill.ID); !ok || string(r.Body) != `{"killed":true}` {
			t.Errorf("the kill is gone: %v", r)
		}
	}
}

func TestRecordCheck(t *testing.T) {
	t.Parallel()
	good := Record{ID: ID{Switch, "production", "k"}, Version: Version{1, "a"}, Body: json.RawMessage(`{}`)}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Record){
		"no key": func(r *Record) { r.Key = "" }, "no env": func(r *Record) { r.Env = "" }, "no version": func(r *Record) { r.Version = Version{} },
		"a revision that leaves none": func(r *Record) { r.Version.Revision = 1<<63 - 1 }, "no JSON": func(r *Record) { r.Body = json.RawMessage(`{`) },
		"too large": func(r *Record) { r.Body = make(json.RawMessage, MaxBody+1) }, "a long reason": func(r *Record) { r.Why = string(make([]byte, MaxText+1)) },
	} {
		bad := good
		if spoil(&bad); bad.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
