package trace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// loose makes a span of trace 1 that began so many ms after noon.
func loose(id, parent SpanID, at int) Loose {
	return Loose{Trace: ID{1}, Start: noon.Add(time.Duration(at) * time.Millisecond), Span: Span{ID: id, Parent: parent, Duration: time.Millisecond}, Service: "shop"}
}

// served makes one that is a request.
func served(id, parent SpanID, at int) Loose {
	l := loose(id, parent, at)
	l.Root = &Request{Trace: l.Trace, Span: id, Parent: parent, Start: l.Start, Duration: time.Second, Service: "shop", Weight: 1}
	return l
}

// shape is each request as its id, P for a partial one, and its spans with their starts in ms.
func shape(list []Request) (out []string) {
	for i := range list {
		q := &list[i]
		text := fmt.Sprint(uint64(q.Span))
		if q.Partial {
			text = "P" + q.Service
		}
		for _, s := range q.Spans {
			text += fmt.Sprintf(" %d@%d", uint64(s.ID), s.Start.Milliseconds())
		}
		out = append(out, text)
	}
	return out
}

func TestAssemble(t *testing.T) {
	t.Parallel()
	other := loose(9, 8, 5)
	other.Service = "mail"
	elsewhere := loose(2, 1, 5)
	elsewhere.Trace = ID{2}
	for name, c := range map[string]struct {
		in    []Loose
		want  []string
		twice int
	}{
		"nothing":                   {nil, nil, 0},
		"a request":                 {[]Loose{served(1, 0, 0)}, []string{"1"}, 0},
		"children in any order":     {[]Loose{loose(3, 2, 20), loose(2, 1, 10), served(1, 0, 0)}, []string{"1 3@20 2@10"}, 0},
		"two programs":              {[]Loose{served(1, 0, 0), loose(2, 1, 10), served(3, 2, 11), loose(4, 3, 12), loose(5, 2, 30)}, []string{"1 2@10 5@30", "3 4@1"}, 0},
		"no request":                {[]Loose{loose(3, 2, 20), loose(2, 1, 10)}, []string{"Pshop 3@10 2@0"}, 0},
		"two services":              {[]Loose{loose(3, 2, 20), other}, []string{"Pshop 3@0", "Pmail 9@0"}, 0},
		"another trace's parent":    {[]Loose{served(1, 0, 0), elsewhere}, []string{"1", "Pshop 2@0"}, 0},
		"its own parent":            {[]Loose{served(1, 0, 0), loose(2, 2, 10)}, []string{"1", "Pshop 2@0"}, 0},
		"a circle":                  {[]Loose{served(1, 0, 0), loose(2, 3, 10), loose(3, 2, 15), loose(4, 2, 16)}, []string{"1", "Pshop 2@0 3@5 4@6"}, 0},
		"a request in a circle":     {[]Loose{served(1, 2, 0), loose(2, 1, 10)}, []string{"1 2@10"}, 0},
		"the same twice":            {[]Loose{served(1, 0, 0), loose(2, 1, 10), loose(2, 1, 10), served(1, 0, 0)}, []string{"1 2@10"}, 2},
		"before its request":        {[]Loose{served(1, 0, 100), loose(2, 1, 60)}, []string{"1 2@-40"}, 0},
		"without ids":               {[]Loose{loose(0, 0, 5), loose(0, 0, 3), loose(0, 0, 4)}, []string{"Pshop 0@2 0@0 0@1"}, 0},
		"a parent that comes later": {[]Loose{loose(4, 3, 4), served(1, 0, 0), loose(3, 2, 3), loose(2, 1, 2)}, []string{"1 4@4 3@3 2@2"}, 0},
	} {
		got, twice := Assemble(c.in)
		if !slices.Equal(shape(got), c.want) || twice != c.twice {
			t.Errorf("%s: %q and %d twice, want %q and %d", name, shape(got), twice, c.want, c.twice)
		}
	}
}

// TestAssembleTells holds that what a span says of its request reaches it.
func TestAssembleTells(t *testing.T) {
	t.Parallel()
	child, again := loose(2, 1, 10), loose(3, 1, 11)
	child.Keep, child.User, child.Switches = true, "id:7", []Switch{{"cart", "on"}}
	again.User, again.Switches = "id:8", []Switch{{"cart", "off"}, {"tea", "green"}}
	got, _ := Assemble([]Loose{child, again, served(1, 0, 0)})
	if q := got[0]; !q.Keep || q.User != "id:7" || !slices.Equal(q.Switches, []Switch{{"cart", "on"}, {"tea", "green"}}) {
		t.Errorf("%+v", q)
	}
}

// tangled are n spans with everything wrong that senders do wrong.
func tangled(rng *rand.Rand, n int) []Loose {
	var list []Loose
	for range n {
		l := loose(SpanID(rng.IntN(n+1)), SpanID(rng.IntN(n+1)), rng.IntN(50)-25)
		if rng.IntN(4) == 0 {
			l = served(l.Span.ID, l.Span.Parent, 0)
		}
		l.Trace[0] = byte(rng.IntN(2))
		if l.Root != nil {
			l.Root.Trace = l.Trace
		}
		l.Service = []string{"shop", "mail"}[rng.IntN(2)]
		list = append(list, l)
	}
	return list
}

// TestAssembleLosesNothing compares with climbing from each span alone, and counts.
func TestAssembleLosesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5_000) {
		list := tangled(rand.New(rand.NewPCG(seed, 3)), 12)
		want := map[spanKey]spanKey{} // span -> request
		first := map[spanKey]*Loose{}
		blank, twiceWant := 0, 0
		for i := range list {
			key := spanKey{list[i].Trace, list[i].id()}
			switch {
			case key.span == 0:
				blank++
			case first[key] != nil:
				twiceWant++
			default:
				first[key] = &list[i]
			}
		}
		for key, l := range first {
			at := l
			for range len(list) + 1 {
				if at == nil || at.Root != nil {
					break
				}
				at = first[spanKey{at.Trace, at.Span.Parent}]
			}
			if at != nil && at.Root != nil {
				want[key] = spanKey{at.Trace, at.Root.Span}
			}
		}
		got, twice := Assemble(list)
		n := 0
		for i := range got {
			q := &got[i]
			if !q.Partial {
				n++
			}
			for _, s := range q.Spans {
				n++
				home, owned := want[spanKey{q.Trace, s.ID}]
				if s.ID != 0 && (owned == q.Partial || owned && home.span != q.Span) {
					t.Fatalf("seed %d: span %d is below %d, want %v", seed, s.ID, q.Span, home)
				}
				if q.Partial && s.Start < 0 {
					t.Fatalf("seed %d: span %d of a partial request begins before it", seed, s.ID)
				}
			}
		}
		if n+twice != len(list) || twice != twiceWant {
			t.Fatalf("seed %d: %d and %d twice of %d, want %d twice", seed, n, twice, len(list), twiceWant)
		}
	}
}

// TestAssembleLarge must not take long, whatever the parents are: a test that took quadratic time would not end.
func TestAssembleLarge(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, parent := range map[string]func(i int) int{"deep": func(i int) int { return i - 1 }, "flat": func(int) int { return 1 },
		"one circle": func(i int) int { return 2 + (i-1)%(n-1) }, "orphans": func(i int) int { return -i }} {
		list := []Loose{served(1, 0, 0)}
		for i := 2; i <= n; i++ {
			list = append(list, loose(SpanID(i), SpanID(parent(i)), n-i)) // each earlier than those before
		}
		got, _ := Assemble(list)
		total := 0
		for i := range got {
			total += len(got[i].Spans)
		}
		if total != n-1 || len(got) > 2 {
			t.Errorf("%s: %d requests with %d spans", name, len(got), total)
		}
	}
}

// BenchmarkAssemble stands beside putting the same spans into a map once, which finding parents cannot do without.
func BenchmarkAssemble(b *testing.B) {
	var list []Loose
	for i := range 1000 {
		root := SpanID(1 + i*7)
		list = append(list, served(root, 0, 0))
		for j := range 6 {
			list = append(list, loose(root+SpanID(j)+1, root, j))
		}
	}
	b.Run("spans=7000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Assemble(list)
		}
		b.ReportMetric(float64(b.N)*float64(len(list))/b.Elapsed().Seconds(), "spans/s")
	})
	b.Run("peer=map/spans=7000", func(b *testing.B) {
		for b.Loop() {
			at := make(map[spanKey]int32, len(list))
			for i := range list {
				at[spanKey{list[i].Trace, list[i].id()}] = int32(i)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(list))/b.Elapsed().Seconds(), "spans/s")
	})
}

// FuzzAssemble makes spans of bytes, four each: id, parent, start and what they are.
func FuzzAssemble(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 2, 1, 5, 0, 3, 2, 6, 0})
	f.Add([]byte{1, 2, 0, 0, 2, 1, 0, 0, 3, 3, 9, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var list []Loose
		for ; len(b) >= 4; b = b[4:] {
			l := loose(SpanID(b[0]), SpanID(b[1]), int(int8(b[2])))
			if b[3]&1 != 0 {
				l = served(SpanID(b[0]), SpanID(b[1]), int(int8(b[2])))
			}
			l.Service = []string{"shop", "mail"}[b[3]>>1&1]
			list = append(list, l)
		}
		got, twice := Assemble(list)
		n := twice
		for i := range got {
			if n += len(got[i].Spans); !got[i].Partial {
				n++
			} else if len(got[i].Spans) == 0 {
				t.Fatal("a partial request without spans")
			}
			Sum(&got[i])
		}
		if n != len(list) {
			t.Fatalf("%d of %d spans are left", n, len(list))
		}
	})
}
