// Package hostmetrics measures the machine that a process runs on, and the process: the texts of Linux's /proc and cgroup v2,
// and Go's runtime/metrics, become numbers. Elsewhere only the Go runtime's are measured.
//
// Parsers take text that may be anything, are bounded, and never fail on a line that they do not know: kernels add columns
// and lines. Formats are those of the kernel's Documentation (filesystems/proc.rst, admin-guide/iostats.rst,
// admin-guide/cgroup-v2.rst, accounting/psi.rst).
package hostmetrics

import (
	"math"
	"slices"
)

// Metric is one measurement. Its number is its place in stored rows: new ones come last, and none is ever moved or reused.
type Metric int

// The measurements.
const (
	CPUUser Metric = iota
	CPUSystem
	CPUIOWait
	CPUSteal
	MemoryUsed
	MemoryCached
	MemoryFree
	Load1
	Load5
	Load15
	SwapUsed
	DiskRead
	DiskWrite
	DiskAwait
	DiskUtil
	DiskUsed
	NetRx
	NetTx
	PSICPU
	PSIIO
	PSIMemory
	GoHeap
	GoHeapGoal
	GoGCCPU
	GoSchedP99
	GoGoroutines
	PoolUsed
	PoolIdle
	PoolWaitForums
	PoolWaitPosts
	PoolWaitUsers
	PoolWaitOps
	PoolEmptyForums
	PoolEmptyPosts
	PoolEmptyUsers
	PoolEmptyOps
	CgroupMemory
	CgroupLimit
	// Metrics is how many there are.
	Metrics int = iota
)

// names are those of files and pages. Units: per cent of time (cpu, psi, disk.util, go.gc_cpu) or of space (disk.used), bytes,
// bytes a second (disk.read, net.rx ...), milliseconds (disk.await, go.sched_p99, pool.wait), and a second (pool.empty).
var names = [Metrics]string{"cpu.user", "cpu.system", "cpu.iowait", "cpu.steal", "memory.used", "memory.cached", "memory.free", "load.1", "load.5", "load.15",
	"swap.used", "disk.read", "disk.write", "disk.await", "disk.util", "disk.used", "net.rx", "net.tx", "psi.cpu", "psi.io", "psi.memory",
	"go.heap", "go.heap_goal", "go.gc_cpu", "go.sched_p99", "go.goroutines", "pool.used", "pool.idle",
	"pool.wait.forums", "pool.wait.posts", "pool.wait.users", "pool.wait.ops", "pool.empty.forums", "pool.empty.posts", "pool.empty.users", "pool.empty.ops",
	"cgroup.memory", "cgroup.limit"}

// String is the measurement's name.
func (m Metric) String() string {
	if m < 0 || int(m) >= Metrics {
		return "unknown"
	}
	return names[m]
}

// Names are all names, in the order of their numbers.
func Names() []string { return slices.Clone(names[:]) }

// Values is one measurement of everything; NaN is what could not be measured.
type Values [Metrics]float64

// Unmeasured are values of which none is known.
func Unmeasured() (v Values) {
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}
