package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// of makes a request of 100 ms from spans given as id, parent, category, start, duration and pool, in milliseconds.
func of(rows ...[6]int) *Request {
	r := &Request{Span: 1, Name: "GET /", Duration: 100 * ms}
	for _, v := range rows {
		r.Spans = append(r.Spans, Span{ID: SpanID(v[0]), Parent: SpanID(v[1]), Category: Category(v[2]),
			Start: time.Duration(v[3]) * ms, Duration: time.Duration(v[4]) * ms, Pool: time.Duration(v[5]) * ms})
	}
	return r
}

func TestSum(t *testing.T) {
	t.Parallel()
	const other, db, cache, http, template, pool = int(Other), int(DB), int(Cache), int(HTTP), int(Template), int(Pool)
	for name, c := range map[string]struct {
		r    *Request
		time [Categories]int // ms, in the order of the categories
		n    [Categories]int
	}{
		"nothing":                   {of(), [6]int{100}, [6]int{}},
		"one query":                 {of([6]int{2, 1, db, 10, 20}), [6]int{80, 20}, [6]int{0, 1}},
		"a template that asks":      {of([6]int{2, 1, template, 0, 50}, [6]int{3, 2, db, 10, 5}), [6]int{50, 5, 0, 0, 45}, [6]int{0, 1, 0, 0, 1}},
		"a function within a query": {of([6]int{2, 1, db, 0, 50}, [6]int{3, 2, other, 10, 5}), [6]int{55, 45}, [6]int{1, 1}},
		"side by side, the first":   {of([6]int{2, 1, http, 0, 60}, [6]int{3, 1, db, 30, 60}), [6]int{10, 30, 0, 60}, [6]int{0, 1, 0, 1}},
		"ten at once":               {of([6]int{2, 1, http, 0, 50}, [6]int{3, 1, http, 0, 60}, [6]int{4, 1, http, 0, 90}), [6]int{10, 0, 0, 90}, [6]int{0, 0, 0, 3}},
		"pool within the query":     {of([6]int{2, 1, db, 10, 20, 15}), [6]int{80, 5, 0, 0, 0, 15}, [6]int{0, 1, 0, 0, 0, 1}},
		"all of it pool":            {of([6]int{2, 1, db, 10, 20, 500}), [6]int{80, 0, 0, 0, 0, 20}, [6]int{0, 1, 0, 0, 0, 1}},
		"a span that is the wait":   {of([6]int{2, 1, pool, 10, 20, 20}), [6]int{80, 0, 0, 0, 0, 20}, [6]int{0, 0, 0, 0, 0, 1}},
		"longer than the request":   {of([6]int{2, 1, db, -50, 500}), [6]int{0, 100}, [6]int{0, 1}},
		"longer than its parent":    {of([6]int{2, 1, template, 10, 10}, [6]int{3, 2, db, 15, 80}), [6]int{90, 5, 0, 0, 5}, [6]int{0, 1, 0, 0, 1}},
		"negative":                  {of([6]int{2, 1, db, 10, -20, -7}), [6]int{100}, [6]int{0, 1}},
		"orphan":                    {of([6]int{2, 77, db, 10, 20}), [6]int{80, 20}, [6]int{0, 1}},
		"no ids at all":             {of([6]int{0, 0, db, 10, 20}, [6]int{0, 0, cache, 40, 20}), [6]int{60, 20, 20}, [6]int{0, 1, 1}},
		"its own parent":            {of([6]int{2, 2, db, 10, 20}), [6]int{80, 20}, [6]int{0, 1}},
		"a circle":                  {of([6]int{2, 3, db, 10, 20}, [6]int{3, 2, cache, 15, 5}), [6]int{80, 15, 5}, [6]int{0, 1, 1}},
		"the same twice":            {of([6]int{2, 1, db, 10, 20}, [6]int{2, 1, db, 10, 20}), [6]int{80, 20}, [6]int{0, 1}},
		"the request itself":        {of([6]int{1, 9, db, 0, 100}, [6]int{2, 1, db, 10, 20}), [6]int{80, 20}, [6]int{0, 1}},
		"unknown category":          {of([6]int{2, 1, 200, 10, 20}), [6]int{100}, [6]int{1}},
	} {
		got, want := Sum(c.r), Totals{N: c.n}
		for i := range c.time {
			want.Time[i] = time.Duration(c.time[i]) * ms
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestSumOfPartialAndOverflow(t *testing.T) {
	t.Parallel()
	r := of([6]int{2, 1, int(DB), 10, 20})
	r.Partial, r.Duration = true, 0
	if got := Sum(r).Time; got != [Categories]time.Duration{10 * ms, 20 * ms} {
		t.Errorf("partial: %v", got)
	}
	r = of([6]int{2, 1, int(DB), 10, 20})
	r.Spans[0].Duration, r.Spans[0].Pool, r.Duration = math.MaxInt64, math.MaxInt64, math.MaxInt64
	if got := Sum(r).Time; got[Pool] != math.MaxInt64-10*ms || got[Other] != 10*ms {
		t.Errorf("overflow: %v", got)
	}
	r.Duration = -5
	if got := Sum(r).Time; got != [Categories]time.Duration{} {
		t.Errorf("negative: %v", got)
	}
}

func TestSumOfTotals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ given, want [Categories]time.Duration }{
		"less than all": {[6]time.Duration{0, 20, 10}, [6]time.Duration{70, 20, 10}},
		"other ignored": {[6]time.Duration{500, 20, 10}, [6]time.Duration{70, 20, 10}},
		"too much":      {[6]time.Duration{0, 300, 100}, [6]time.Duration{0, 75, 25}},
		"rounding":      {[6]time.Duration{0, 100, 100, 100}, [6]time.Duration{1, 33, 33, 33}},
		"negative":      {[6]time.Duration{0, -7, 10}, [6]time.Duration{90, 0, 10}},
		"enormous":      {[6]time.Duration{0, math.MaxInt64, math.MaxInt64}, [6]time.Duration{0, 50, 50}},
	} {
		r := Request{Summed: true, Duration: 100, Totals: Totals{Time: c.given, N: [Categories]int{DB: 3, Cache: -1}}}
		if got := Sum(&r); got.Time != c.want || got.N != [Categories]int{DB: 3} {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// random is a small request with everything wrong that a sender can do wrong. No two spans begin together, so that no
// rule decides between them but those that are told.
func random(rng *rand.Rand) *Request {
	r := &Request{Span: 1, Duration: time.Duration(rng.IntN(40)) * time.Microsecond}
	starts := rng.Perm(50)
	for i := range rng.IntN(9) {
		r.Spans = append(r.Spans, Span{ID: SpanID(2 + rng.IntN(10)), Parent: SpanID(rng.IntN(12)), Category: Category(rng.IntN(7)),
			Start: time.Duration(starts[i]-10) * time.Microsecond, Duration: time.Duration(rng.IntN(30)-3) * time.Microsecond,
			Pool: time.Duration(max(0, rng.IntN(20)-12)) * time.Microsecond})
	}
	return r
}

// oracle is Sum by another way: it asks of each microsecond which span runs, and follows parents by their ids.
type oracle struct {
	r     *Request
	spans map[SpanID]*Span // without those that came twice
}

func newOracle(r *Request) oracle {
	o := oracle{r, map[SpanID]*Span{}}
	for i := range r.Spans {
		s := &r.Spans[i]
		if had := o.spans[s.ID]; s.ID != r.Span && (had == nil || s.Start < had.Start) {
			o.spans[s.ID] = s
		}
	}
	return o
}

// parent is nil for the request. In a circle, the earliest of it has none.
func (o oracle) parent(s *Span) *Span {
	earliest, at := s, o.spans[s.Parent]
	for range len(o.spans) {
		if at == nil {
			break
		}
		if at == s {
			if earliest == s {
				return nil
			}
			break
		}
		if at.Start < earliest.Start {
			earliest = at
		}
		at = o.spans[at.Parent]
	}
	return o.spans[s.Parent]
}

func (o oracle) place(s *Span) (from, to time.Duration, depth int) {
	low, high := time.Duration(0), o.r.Duration
	if p := o.parent(s); p != nil {
		low, high, depth = o.place(p)
	}
	clamp := func(d time.Duration) time.Duration { return min(max(d, low), high) }
	return clamp(s.Start), clamp(s.Start + max(0, s.Duration)), depth + 1
}

func (o oracle) at(now time.Duration) Category {
	what, deepest, first := Other, 0, time.Duration(math.MaxInt64)
	for _, s := range o.spans {
		from, to, depth := o.place(s)
		if now < from || now >= to || depth < deepest || depth == deepest && from > first {
			continue
		}
		is := s.Category % Categories
		if now < s.Start+s.Pool {
			is = Pool
		}
		if depth > deepest || from < first || is > what {
			what, deepest, first = is, depth, from
		}
	}
	return what
}

func TestSumAgainstOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20_000) {
		r := random(rand.New(rand.NewPCG(seed, 1)))
		o := newOracle(r)
		var want [Categories]time.Duration
		for now := time.Duration(0); now < r.Duration; now += time.Microsecond {
			want[o.at(now)] += time.Microsecond
		}
		if got := Sum(r); got.Time != want {
			t.Fatalf("seed %d: got %v, want %v of %+v", seed, got.Time, want, r)
		}
	}
}

// TestSumLarge goes through the map and the heap; what is deep must not take long or much stack.
func TestSumLarge(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]func(i int) int{
		"deep": func(i int) int { return i - 1 }, "flat": func(int) int { return 1 },
		"circle": func(i int) int { return 2 + (i-2+1)%100_000 }, "orphans": func(i int) int { return -i },
	} {
		r := &Request{Span: 1, Duration: time.Second}
		for i := range 100_000 {
			r.Spans = append(r.Spans, Span{ID: SpanID(i + 2), Parent: SpanID(parent(i + 2)), Category: DB,
				Start: time.Duration(i) * 4 * time.Microsecond, Duration: time.Second})
		}
		got := Sum(r)
		if got.Time != [Categories]time.Duration{DB: time.Second} || got.N[DB] != 100_000 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestSumShuffled: neither the order of spans nor their ids matter, and a scaled request has scaled times.
func TestSumShuffled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2_000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		r := random(rng)
		want, other := Sum(r), changed(r, rng, 7)
		for i := range want.Time {
			want.Time[i] *= 7
		}
		if got := Sum(other); got != want {
			t.Fatalf("seed %d: got %v, want %v of %+v", seed, got, want, r)
		}
	}
}

// changed is r with its spans shuffled, its ids renamed and its times scaled.
func changed(r *Request, rng *rand.Rand, scale time.Duration) *Request {
	name := func(id SpanID) SpanID {
		if id == 0 {
			return 0
		}
		return id*0x9E3779B97F4A7C15 + 1 // odd, so no two ids become one
	}
	to := *r
	to.Span, to.Duration, to.Spans = name(r.Span), r.Duration*scale, slices.Clone(r.Spans)
	for i := range to.Spans {
		s := &to.Spans[i]
		s.ID, s.Parent = name(s.ID), name(s.Parent)
		s.Start, s.Duration, s.Pool = s.Start*scale, s.Duration*scale, s.Pool*scale
	}
	rng.Shuffle(len(to.Spans), func(i, j int) { to.Spans[i], to.Spans[j] = to.Spans[j], to.Spans[i] })
	return &to
}

// wide is a request with n spans as a page has them: functions with queries and cache calls below.
func wide(n int) *Request {
	r := &Request{Span: 1, Duration: time.Duration(n) * ms}
	for i := range n {
		s := Span{ID: SpanID(i + 2), Parent: SpanID(i - i%4 + 2), Category: Category(i % 4), Start: time.Duration(i) * ms, Duration: ms * 9 / 10}
		if i%4 == 0 {
			s.Parent, s.Duration = 1, 4*ms
		}
		r.Spans = append(r.Spans, s)
	}
	return r
}

// BenchmarkSum stands beside sorting the same spans by start, which no way of merging intervals can do without.
func BenchmarkSum(b *testing.B) {
	for _, n := range []int{6, 50, 10_000} {
		r := wide(n)
		b.Run(fmt.Sprint("spans=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Sum(r)
			}
		})
		b.Run(fmt.Sprint("peer=sort/spans=", n), func(b *testing.B) {
			starts := make([]time.Duration, n)
			b.ReportAllocs()
			for b.Loop() {
				for i := range starts {
					starts[i] = r.Spans[(i*7)%n].Start
				}
				slices.Sort(starts)
			}
		})
	}
}
