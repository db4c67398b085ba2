package sketch

import (
	"math"
	"testing"
)

// TestDistinct holds the error of counts, alone and merged from parts that overlap.
func TestDistinct(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{0, 1, 7, 400, 5_000, 200_000} {
		all := NewDistinct()
		for part := range uint64(4) { // each value is in two of four parts
			d := NewDistinct()
			for v := range n {
				if v%4 == part || (v+1)%4 == part {
					d.Add(v<<1 | 1)
				}
			}
			b, err := d.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := all.MergeEncoded(b); err != nil {
				t.Fatal(err)
			}
		}
		if got := all.Count(); math.Abs(float64(got)-float64(n)) > 4*DistinctError*float64(n)+0.5 {
			t.Errorf("of %d values %d are counted", n, got)
		}
	}
	if err := NewDistinct().MergeEncoded(nil); err != nil {
		t.Error(err)
	}
}

// FuzzDistinct holds that no bytes break the reading.
func FuzzDistinct(f *testing.F) {
	for _, n := range []uint64{0, 3, 10_000} {
		d := NewDistinct()
		for v := range n {
			d.Add(v)
		}
		b, err := d.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := NewDistinct()
		d.Add(1)
		if d.MergeEncoded(b) == nil {
			d.Count()
		}
	})
}

func BenchmarkDistinctAdd(b *testing.B) {
	d := NewDistinct()
	for i := range b.N {
		d.Add(uint64(i))
	}
}
