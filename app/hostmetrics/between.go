package hostmetrics

import (
	"math"
	"time"
)

// Between are the values of the time between two readings: rates of what counts, and what is in the later one. What counts
// backwards (a counter that began anew, a clock that was set) is not known.
func Between(a, b Reading) Values {
	v := Unmeasured()
	elapsed := b.At.Sub(a.At).Seconds()
	now(&v, b)
	cpu(&v, a.CPU, b.CPU)
	goShares(&v, a.Go, b.Go)
	if elapsed <= 0 {
		return v
	}
	disks(&v, a.Disks, b.Disks, elapsed)
	if a.Net != nil && b.Net != nil {
		v[NetRx], v[NetTx] = grow(a.Net[0], b.Net[0])/elapsed, grow(a.Net[1], b.Net[1])/elapsed
	}
	for i, m := range []Metric{PSICPU, PSIIO, PSIMemory} {
		v[m] = percent(grow(a.Pressure[i], b.Pressure[i])/1e6, elapsed)
	}
	pools(&v, a.Pools, b.Pools, elapsed)
	return v
}

// now is what needs one reading only.
func now(v *Values, r Reading) {
	if m := r.Memory; m != nil {
		v[MemoryUsed], v[MemoryCached], v[MemoryFree], v[SwapUsed] = m.Used, m.Cached, m.Free, m.SwapUsed
	}
	if r.Load != nil {
		v[Load1], v[Load5], v[Load15] = r.Load[0], r.Load[1], r.Load[2]
	}
	v[DiskUsed], v[CgroupMemory], v[CgroupLimit] = r.DiskUsed, r.Cgroup[0], r.Cgroup[1]
	v[GoHeap], v[GoHeapGoal], v[GoGoroutines] = r.Go.Heap, r.Go.Goal, r.Go.Goroutines
	if r.Pools == nil {
		return
	}
	v[PoolUsed], v[PoolIdle] = 0, 0
	for _, p := range r.Pools {
		v[PoolUsed], v[PoolIdle] = v[PoolUsed]+float64(p.Used), v[PoolIdle]+float64(p.Idle)
	}
}

func cpu(v *Values, a, b *CPU) {
	if a == nil || b == nil {
		return
	}
	total := grow(a.Total, b.Total)
	v[CPUUser], v[CPUSystem] = percent(grow(a.User, b.User), total), percent(grow(a.System, b.System), total)
	// The kernel says of iowait that it may go down: that is none.
	v[CPUIOWait], v[CPUSteal] = percent(max(b.IOWait-a.IOWait, 0), total), percent(grow(a.Steal, b.Steal), total)
}

// goShares are the collector's CPU and how long goroutines waited. Times of CPU move with each collection, and so there is
// none between two that are equal.
func goShares(v *Values, a, b Go) {
	if v[GoGCCPU] = percent(grow(a.GC, b.GC), grow(a.CPU, b.CPU)); a.CPU == b.CPU {
		v[GoGCCPU] = 0
	}
	v[GoSchedP99] = quantile(a.Delays, b.Delays, b.Bounds, 0.99) * 1000
}

// disks adds traffic up and finds the slowest and the busiest. A disk that came in between is counted from then on.
func disks(v *Values, a, b map[string]Disk, elapsed float64) {
	for name, after := range b {
		before, ok := a[name]
		if !ok {
			continue
		}
		v[DiskRead] = plus(v[DiskRead], grow(before.Read, after.Read)/elapsed)
		v[DiskWrite] = plus(v[DiskWrite], grow(before.Written, after.Written)/elapsed)
		v[DiskUtil] = largest(v[DiskUtil], percent(grow(before.Busy, after.Busy)/1000, elapsed))
		if n := grow(before.Operations, after.Operations); n > 0 {
			v[DiskAwait] = largest(v[DiskAwait], grow(before.Took, after.Took)/n)
		}
	}
}

// pools are how long those waited who found no free connection, on average, and how many these were a second.
func pools(v *Values, a, b map[string]Pool, elapsed float64) {
	for i, name := range PoolOrder {
		before, ok := a[name]
		after, still := b[name]
		if !ok || !still {
			continue
		}
		n := grow(float64(before.Empty), float64(after.Empty))
		v[PoolEmptyForums+Metric(i)] = n / elapsed
		v[PoolWaitForums+Metric(i)] = grow(ms(before.Waited), ms(after.Waited)) / max(n, 1)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// grow is by how much a counter grew; NaN when it went back.
func grow(before, after float64) float64 {
	if after < before {
		return math.NaN()
	}
	return after - before
}

// percent is a part of a whole, at most 100: counters are not read all at the same instant.
func percent(part, whole float64) float64 {
	if !(whole > 0) {
		return math.NaN()
	}
	return min(part/whole*100, 100)
}

func plus(a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return a + b
}

func largest(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}
