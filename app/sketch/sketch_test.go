package sketch

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQuantiles compares with exact percentiles of a million values: lognormal, and 1 % of them ten times as long.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	s, values := New(), make([]float64, 1_000_000)
	for i := range values {
		values[i] = math.Exp(r.NormFloat64()+8) * float64(1+9*(i%100/99))
		s.Add(values[i], 1)
	}
	slices.Sort(values)
	for _, q := range []float64{0.5, 0.75, 0.95, 0.99} {
		exact := values[int(q*float64(len(values)-1))]
		if got := s.Quantile(q); math.Abs(got-exact) > Error*exact*1.001 {
			t.Errorf("p%v is %v, not within 2 %% of %v", q*100, got, exact)
		}
	}
	limit := values[len(values)/4]
	if got := s.Below(limit) / s.Count(); math.Abs(got-0.25) > 0.02 {
		t.Errorf("%v of the values are below their first quartile", got)
	}
}

// TestMerge holds that the order and the way of merging change nothing.
func TestMerge(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	whole, parts := New(), make([][]byte, 50)
	for i := range parts {
		part := New()
		for range r.IntN(100) {
			v, n := r.ExpFloat64()*1e5, 1+r.Float64()*9
			part.Add(v, n)
			whole.Add(v, n)
		}
		parts[i] = part.Encode()
	}
	for range 5 {
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		merged := New()
		for _, b := range parts {
			if err := merged.MergeEncoded(b); err != nil {
				t.Fatal(err)
			}
		}
		for q := range 101 {
			if got, want := merged.Quantile(float64(q)/100), whole.Quantile(float64(q)/100); got != want {
				t.Fatalf("p%d of the merged is %v, of the whole %v", q, got, want)
			}
		}
	}
}

func TestOdd(t *testing.T) {
	t.Parallel()
	s := New()
	if s.Quantile(0.5) != 0 || s.Count() != 0 {
		t.Error("an empty sketch has values")
	}
	for _, v := range []float64{0, -5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1e-320} {
		s.Add(v, 1)
	}
	s.Add(5, 0)
	s.Add(5, -1)
	if s.Count() != 7 {
		t.Errorf("7 values are counted as %v", s.Count())
	}
	if err := New().MergeEncoded([]byte("no sketch")); err == nil {
		t.Error("garbage is a sketch")
	}
	if b := s.Encode(); bytes.Contains(b, []byte("gamma")) || len(b) > 100 {
		t.Errorf("the stored form is %q", b)
	}
}

func FuzzMergeEncoded(f *testing.F) {
	s := New()
	s.Add(3, 1)
	s.Add(4000, 2)
	f.Add(s.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1000 {
			return
		}
		s := New()
		if s.MergeEncoded(b) == nil {
			s.Quantile(0.5)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s := New()
	for i := range b.N {
		s.Add(float64(i%100_000), 1)
	}
}
