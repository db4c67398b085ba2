package views

import (
	"time"

	"kibitz/app/model"
	"kibitz/views/charts"
)

// HostsProps is the page of hosts: all of them as a list, and one of them in charts.
type HostsProps struct {
	Period model.Period
	Clock  charts.Clock
	// Tier is how long a step of the measurements shown is: 15 s for a day, 1 min for two weeks, 10 min and 6 h for a year.
	Tier  time.Duration
	Hosts []HostRow
	// Host is the one whose Metrics these are; "" when there is none.
	Host    string
	Metrics []HostMetric
	Markers []charts.Marker
	CSV     string // where the measurements are as a file; "" for none
}

// HostRow is a line of the list: the latest measurement of a host. What was not measured is NaN.
type HostRow struct {
	Name string
	Seen time.Time
	// CPU, Memory and Disk are used parts of a hundred, Disk that of the fullest file system; Load is of one minute.
	CPU, Memory, Disk, Load float64
	Spark                   []float64 // CPU over the period
}

// HostMetric is one measurement over time, by bucket of the page's clock. Name is one of those that HostMetricNames lists.
type HostMetric struct {
	Name   string
	Values []float64 // means; NaN is no data
	Peaks  []float64 // the largest of each bucket; nil when a bucket is one measurement
}

// hostLine is a metric in a chart.
type hostLine struct{ metric, name, mark string }

// hostChart is a chart of the page and what it is made of.
type hostChart struct {
	title, sub string
	kind       ChartKind
	unit       charts.Unit
	lines      []hostLine
}

// hostGroup is some charts under a heading.
type hostGroup struct {
	title  string
	charts []hostChart
}

// hostGroups is the page. CPU and PSI are per cent of time, memory and disk bytes; rates are sums over all devices, and
// what is busiest is of the worst one.
var hostGroups = []hostGroup{
	{"Machine", []hostChart{
		{"CPU", "of all cores", Stack, charts.Percent, []hostLine{{"cpu.user", "user", "s1"}, {"cpu.system", "system", "s2"}, {"cpu.iowait", "waits for disks", "s3"}, {"cpu.steal", "stolen", "s4"}}},
		{"Memory", "", Stack, charts.Bytes, []hostLine{{"memory.used", "used", "s1"}, {"memory.cached", "cached", "s2"}, {"memory.free", "free", "s4"}}},
		{"Load", "processes that run or wait", Lines, charts.Count, []hostLine{{"load.1", "1 min", "s1"}, {"load.5", "5 min", "s2"}, {"load.15", "15 min", "s3"}}},
		{"Stalled on", "share of time some task waits (PSI)", Lines, charts.Percent, []hostLine{{"psi.cpu", "CPU", "s1"}, {"psi.io", "disks", "s2"}, {"psi.memory", "memory", "s3"}}},
		{"Swap", "", Lines, charts.Bytes, []hostLine{{"swap.used", "used", "s1"}}},
		{"Memory of the container", "cgroup, with its page cache", Lines, charts.Bytes, []hostLine{{"cgroup.memory", "held", "s1"}, {"cgroup.limit", "allowed", "s4"}}},
	}},
	{"Disk and network", []hostChart{
		{"Disk traffic", "all disks", Lines, charts.ByteRate, []hostLine{{"disk.read", "read", "s1"}, {"disk.write", "written", "s2"}}},
		{"Disk wait", "mean of the slowest disk", Lines, charts.Duration, []hostLine{{"disk.await", "an operation", "s1"}}},
		{"Busiest disk", "share of time", Lines, charts.Percent, []hostLine{{"disk.util", "busy", "s1"}}},
		{"Disk space", "fullest file system", Lines, charts.Percent, []hostLine{{"disk.used", "used", "s1"}}},
		{"Network", "all but loopback and bridges", Lines, charts.ByteRate, []hostLine{{"net.rx", "in", "s1"}, {"net.tx", "out", "s2"}}},
	}},
	{"Go runtime", []hostChart{
		{"Heap", "", Lines, charts.Bytes, []hostLine{{"go.heap", "live", "s1"}, {"go.heap_goal", "goal of the collector", "s2"}}},
		{"Garbage collection", "share of CPU", Lines, charts.Percent, []hostLine{{"go.gc_cpu", "GC", "s1"}}},
		{"Scheduling delay", "p99", Lines, charts.Duration, []hostLine{{"go.sched_p99", "p99", "s1"}}},
		{"Goroutines", "", Lines, charts.Count, []hostLine{{"go.goroutines", "goroutines", "s1"}}},
	}},
	{"Connection pools", []hostChart{
		{"Connections", "", Stack, charts.Count, []hostLine{{"pool.used", "in use", "s1"}, {"pool.idle", "idle", "s4"}}},
		{"Wait for a connection", "mean of those who found none free", Lines, charts.Duration, []hostLine{{"pool.wait.forums", "forums", "s1"}, {"pool.wait.posts", "posts", "s2"}, {"pool.wait.users", "users", "s3"}, {"pool.wait.ops", "ops", "s4"}}},
		{"No free connection", "how often", Lines, charts.Rate, []hostLine{{"pool.empty.forums", "forums", "s1"}, {"pool.empty.posts", "posts", "s2"}, {"pool.empty.users", "users", "s3"}, {"pool.empty.ops", "ops", "s4"}}},
	}},
}

// HostMetricNames are the measurements that the page can show.
func HostMetricNames() (out []string) {
	for _, g := range hostGroups {
		for _, c := range g.charts {
			for _, l := range c.lines {
				out = append(out, l.metric)
			}
		}
	}
	return out
}

func (p HostsProps) address() address { return newAddress("/hosts", p.Period, "host", p.Host) }

func (p HostsProps) metric(name string) (m HostMetric, ok bool) {
	for _, m := range p.Metrics {
		if m.Name == name && lastOf(m.Values) >= 0 {
			return m, true
		}
	}
	return HostMetric{}, false
}

// hostChartHeight is in pixels.
const hostChartHeight = 96

// chart is a chart of what was measured; ok is false when none of it was.
func (p HostsProps) chart(h hostChart) (c Chart, ok bool) {
	c = Chart{Title: h.title, Sub: h.sub, Kind: h.kind, Unit: h.unit, Clock: p.Clock, Markers: p.Markers, Height: hostChartHeight, CSV: p.CSV,
		Zoom: p.address().timeless(), Ghost: "peak"}
	for _, l := range h.lines {
		m, measured := p.metric(l.metric)
		if !measured {
			continue
		}
		line := ChartLine{Series: charts.Series{Name: l.name, Values: m.Values}, Mark: l.mark}
		if h.kind == Lines {
			line.Before = m.Peaks
		}
		c.Lines = append(c.Lines, line)
	}
	if h.unit == charts.Percent {
		c.Scale = percentScale(c)
	}
	return c, len(c.Lines) > 0
}

// percentScale reaches to a hundred as soon as half of it is in use; below, an axis of its own shows what is there.
func percentScale(c Chart) *charts.Scale {
	s := c.scale()
	if s.Max > 50 {
		s = charts.Between(charts.Percent, 0, 100)
	}
	return &s
}

// missing are the charts of a group of which nothing was measured, by their titles.
func (p HostsProps) missing(g hostGroup) (out []string) {
	for _, h := range g.charts {
		if _, ok := p.chart(h); !ok {
			out = append(out, h.title)
		}
	}
	return out
}

// silentAfter is how long a host may say nothing before its line says so: four steps of the finest tier.
const silentAfter = time.Minute

// usedTone is how loud a used share is, in per cent.
func usedTone(v float64) string {
	switch {
	case v >= 95:
		return "bad"
	case v >= 85:
		return "warn"
	}
	return ""
}
