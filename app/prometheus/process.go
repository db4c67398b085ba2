package prometheus

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"
	"time"
)

// runtimeMetrics are values of Go's runtime under the names that Prometheus's own client gives them.
var runtimeMetrics = []struct {
	from, name string
	kind       Kind
	help       string
}{
	{"/sched/goroutines:goroutines", "go_goroutines", Gauge, "Goroutines that exist."},
	{"/sched/gomaxprocs:threads", "go_sched_gomaxprocs_threads", Gauge, "Threads that may run Go code at once."},
	{"/memory/classes/heap/objects:bytes", "go_memory_classes_heap_objects_bytes", Gauge, "Memory of living objects and of dead ones that have not been swept."},
	{"/memory/classes/total:bytes", "go_memory_classes_total_bytes", Gauge, "All memory that the runtime has mapped."},
	{"/gc/heap/goal:bytes", "go_gc_heap_goal_bytes", Gauge, "Size of the heap at which the collector ends its round."},
	{"/gc/gomemlimit:bytes", "go_gc_gomemlimit_bytes", Gauge, "Soft limit of memory."},
	{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total_gc_cycles_total", Counter, "Rounds of the collector."},
	{"/gc/heap/allocs:bytes", "go_gc_heap_allocs_bytes_total", Counter, "Bytes that were allocated."},
	{"/gc/heap/allocs:objects", "go_gc_heap_allocs_objects_total", Counter, "Objects that were allocated."},
	{"/cpu/classes/gc/total:cpu-seconds", "go_cpu_classes_gc_total_cpu_seconds_total", Counter, "Processor time of the collector, an estimate."},
	{"/sync/mutex/wait/total:seconds", "go_sync_mutex_wait_total_seconds_total", Counter, "Time that goroutines waited for locks."},
}

// WriteProcess writes what Go's runtime and the system say of this process, which began at started.
func WriteProcess(t *Text, version string, started time.Time) {
	t.Family("kibitz_build_info", Gauge, "Always 1.")
	t.Sample(1, "version", version, "go", runtime.Version())
	samples := make([]metrics.Sample, len(runtimeMetrics))
	for i := range samples {
		samples[i].Name = runtimeMetrics[i].from
	}
	metrics.Read(samples)
	for i, m := range runtimeMetrics {
		if v, ok := value(samples[i].Value); ok {
			t.One(m.name, m.kind, m.help, v)
		}
	}
	t.One("process_start_time_seconds", Gauge, "When the process began, in seconds since 1970.", float64(started.UnixMilli())/1000)
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		t.One("process_cpu_seconds_total", Counter, "Processor time, the system's part included.", seconds(usage.Utime)+seconds(usage.Stime))
	}
	if n, ok := resident(); ok {
		t.One("process_resident_memory_bytes", Gauge, "Memory that is in RAM.", n)
	}
}

// value is a number of the runtime; one that this version of Go does not have is not ok.
func value(v metrics.Value) (float64, bool) {
	switch v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64()), true
	case metrics.KindFloat64:
		return v.Float64(), true
	}
	return 0, false
}

func seconds(t syscall.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }

// resident is the second number of /proc/self/statm (proc(5)), in pages. Systems without it say nothing.
func resident() (float64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize()), err == nil
}
