package envelope

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestSampleSize holds the size that the benchmarks promise: 12 KB, give or take a quarter.
func TestSampleSize(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	sum := 0
	for i := range Faults {
		sum += len(SampleEvent(r, i, "0123456789abcdef0123456789abcdef", time.Now()))
	}
	if mean := sum / Faults; mean < 9_000 || mean > 15_000 {
		t.Errorf("a sample event has %d bytes", mean)
	}
}
