package hostmetrics

import (
	"math"
	"runtime/metrics"
)

// Go is what the runtime says of this process.
type Go struct {
	Heap, Goal float64 // bytes: what the last collection left, and where the next one begins
	// GC and CPU are seconds since the start: of the collector, and of all that the process might have used. Both move when a
	// collection ends.
	GC, CPU    float64
	Goroutines float64
	// Delays are how often a goroutine waited to run, by the bounds of how long, in seconds. There is one bound more.
	Delays []uint64
	Bounds []float64
}

// readGo asks the runtime; names are those of runtime/metrics.
func readGo() (g Go) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/sched/goroutines:goroutines"}, {Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	g.Heap, g.Goal, g.GC, g.CPU, g.Goroutines = runtimeNumber(s[0].Value), runtimeNumber(s[1].Value), runtimeNumber(s[2].Value), runtimeNumber(s[3].Value), runtimeNumber(s[4].Value)
	if v := s[5].Value; v.Kind() == metrics.KindFloat64Histogram {
		g.Delays, g.Bounds = v.Float64Histogram().Counts, v.Float64Histogram().Buckets
	}
	return g
}

func runtimeNumber(v metrics.Value) float64 {
	switch v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64())
	case metrics.KindFloat64:
		return v.Float64()
	}
	return math.NaN() // a later Go that has it no more
}

// quantile is the upper bound of the bucket in which the part q of what happened between two histograms lies; NaN when
// nothing did. In the last bucket, which has no end, it is the lower bound.
func quantile(before, after []uint64, bounds []float64, q float64) float64 {
	if len(before) != len(after) || len(bounds) != len(after)+1 {
		return math.NaN()
	}
	var all uint64
	for i := range after {
		all += grown(before[i], after[i])
	}
	var n uint64
	for i := range after {
		if n += grown(before[i], after[i]); n > 0 && float64(n) >= q*float64(all) {
			if math.IsInf(bounds[i+1], 1) {
				return bounds[i]
			}
			return bounds[i+1]
		}
	}
	return math.NaN()
}

func grown(before, after uint64) uint64 {
	if after < before {
		return 0
	}
	return after - before
}
