package hostmetrics

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const (
	stat1 = "cpu  1000 200 300 8000 400 10 90 0 50 0\ncpu0 1000 200 300 8000 400 10 90 0 50 0\nintr 12345 0 9\nctxt 9\n"
	stat2 = "cpu  1150 250 350 8600 500 20 110 20 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"

	meminfo = `MemTotal:       16000000 kB
MemFree:         1000000 kB
MemAvailable:    9000000 kB
Buffers:          200000 kB
Cached:          8000000 kB
SwapCached:            0 kB
Shmem:           3000000 kB
SReclaimable:     800000 kB
SwapTotal:       4000000 kB
SwapFree:        3500000 kB
HugePages_Total:       0
`
	disks1 = `   8       0 sda 100 5 2000 500 200 9 4000 700 0 800 1200 0 0 0 0 3 1
   8       1 sda1 100 5 2000 500 200 9 4000 700 0 800 1200
 259       0 nvme0n1 1000 0 80000 100 0 0 0 0 0 90 100
   7       0 loop0 9 0 9 9 9 9 9 9 9 9 9
 253       0 dm-0 100 5 2000 500 200 9 4000 700 0 800 1200
`
	disks2 = `   8       0 sda 110 5 2020 600 230 9 4200 1100 0 2300 1200 0 0 0 0 3 1
   8       1 sda1 900 5 9000 500 200 9 4000 700 0 800 1200
 259       0 nvme0n1 1100 0 80200 150 0 0 0 0 0 190 150
   7       0 loop0 99 0 99 99 99 99 99 99 99 99 99
 253       0 dm-0 900 5 9000 500 200 9 4000 700 0 800 1200
 259       5 nvme1n1 1100 0 99999 150 0 0 0 0 0 190 150
`
	net1 = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 500 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0
  eth0:1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0
docker0: 7000 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0
`
	net2 = `    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0
  eth0: 4000 1 0 0 0 0 0 0 8000 1 0 0 0 0 0 0
docker0: 99000 1 0 0 0 0 0 0 99000 1 0 0 0 0 0 0
`
	mounts = `proc /proc proc rw,nosuid 0 0
/dev/sda1 / ext4 rw,relatime 0 0
/dev/sdb1 /srv/my\040data xfs rw 0 0
/dev/sda1 /var/lib/again ext4 rw 0 0
/dev/sr0 /cd ext4 ro 0 0
server:/home /home nfs4 rw 0 0
`
)

// sample is a machine at one of two moments.
func sample(files map[string]string) fs.FS {
	all := map[string]string{"proc/meminfo": meminfo, "proc/loadavg": "1.50 0.75 0.25 3/456 7890\n", "proc/self/mounts": mounts, "proc/self/cgroup": "0::/system.slice/kibitz.service\n",
		"sys/fs/cgroup/system.slice/kibitz.service/memory.current": "52428800\n", "sys/fs/cgroup/system.slice/kibitz.service/memory.max": "104857600\n",
		"sys/block/sda/size": "1", "sys/block/nvme0n1/size": "1", "sys/block/nvme1n1/size": "1", "sys/block/loop0/size": "1", "sys/block/dm-0/size": "1"}
	maps.Copy(all, files)
	out := fstest.MapFS{}
	for name, text := range all {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func pressure(cpu, io, memory string) map[string]string {
	some := "some avg10=1.00 avg60=2.00 avg300=3.00 total="
	return map[string]string{"proc/pressure/cpu": some + cpu + "\n", "proc/pressure/io": some + io + "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n",
		"proc/pressure/memory": some + memory + "\n"}
}

func used(path string) (float64, error) {
	switch path {
	case "/":
		return 40, nil
	case "/srv/my data":
		return 81, nil
	}
	return 0, errors.New("it was not to be asked")
}

// TestBetween measures a machine of two moments, 10 s apart, with every number worked out by hand.
func TestBetween(t *testing.T) {
	t.Parallel()
	one, two := pressure("1000000", "0", "5"), pressure("3500000", "500000", "5")
	maps.Copy(one, map[string]string{"proc/stat": stat1, "proc/diskstats": disks1, "proc/net/dev": net1})
	maps.Copy(two, map[string]string{"proc/stat": stat2, "proc/diskstats": disks2, "proc/net/dev": net2})
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	pools := map[string]Pool{"ops": {Used: 3, Idle: 1, Empty: 10, Waited: time.Second}, "posts": {Used: 1, Idle: 2}}
	a, err := Source{Root: sample(one), Used: used, Pools: func() map[string]Pool { return pools }}.Read(at)
	if err != nil {
		t.Fatal(err)
	}
	later := maps.Clone(pools)
	later["ops"] = Pool{Used: 4, Idle: 0, Empty: 30, Waited: 1100 * time.Millisecond}
	b, err := Source{Root: sample(two), Used: used, Pools: func() map[string]Pool { return later }}.Read(at.Add(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	v := Between(a, b)
	// Of 1,000 ticks: 150+50 user, 50+10+20 system, 100 waiting, 20 stolen.
	want := map[Metric]float64{CPUUser: 20, CPUSystem: 8, CPUIOWait: 10, CPUSteal: 2,
		MemoryUsed: 9e6 * 1024, MemoryCached: 6e6 * 1024, MemoryFree: 1e6 * 1024, SwapUsed: 5e5 * 1024, Load1: 1.5, Load5: .75, Load15: .25,
		// sda reads 20 sectors and writes 200, nvme0n1 reads 200; 40 operations of sda take 500 ms, and it is busy for 1.5 s.
		DiskRead: 220 * 512 / 10, DiskWrite: 200 * 512 / 10, DiskAwait: 12.5, DiskUtil: 15, DiskUsed: 81, NetRx: 300, NetTx: 600,
		PSICPU: 25, PSIIO: 5, PSIMemory: 0, CgroupMemory: 50 << 20, CgroupLimit: 100 << 20,
		PoolUsed: 5, PoolIdle: 2, PoolWaitOps: 5, PoolEmptyOps: 2, PoolWaitPosts: 0, PoolEmptyPosts: 0, PoolWaitForums: math.NaN()}
	for m, w := range want {
		if math.IsNaN(w) != math.IsNaN(v[m]) || math.Abs(v[m]-w) > 1e-6 {
			t.Errorf("%s is %v, want %v", m, v[m], w)
		}
	}
}

// TestBackwards: counters that begin anew and clocks that are set give nothing, rather than nonsense.
func TestBackwards(t *testing.T) {
	t.Parallel()
	one, two := pressure("1000000", "1000000", "1000000"), pressure("1", "1", "1")
	maps.Copy(one, map[string]string{"proc/stat": stat2, "proc/diskstats": disks2, "proc/net/dev": net2})
	maps.Copy(two, map[string]string{"proc/stat": stat1, "proc/diskstats": disks1, "proc/net/dev": net1})
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	a, _ := Source{Root: sample(one)}.Read(at)
	b, _ := Source{Root: sample(two)}.Read(at.Add(10 * time.Second))
	for name, v := range map[string]Values{"a new start": Between(a, b), "the same moment": Between(a, a), "a clock that was set back": Between(b, a)} {
		for _, m := range []Metric{DiskRead, DiskUtil, NetRx, PSICPU} {
			if !math.IsNaN(v[m]) {
				t.Errorf("after %s %s is %v", name, m, v[m])
			}
		}
	}
}

// TestMissing: files that are not there are no error, those that make no sense are named, and the rest is measured.
func TestMissing(t *testing.T) {
	t.Parallel()
	r, err := Source{Root: fstest.MapFS{}}.Read(time.Now())
	if err != nil || r.CPU != nil || r.Memory != nil || !math.IsNaN(r.Cgroup[0]) || r.Go.Goroutines < 1 {
		t.Errorf("%+v: %v", r, err)
	}
	bad := map[string]string{"proc/stat": "cpu  -1 2 3 4\n", "proc/meminfo": "MemTotal: much\n", "proc/diskstats": "8 0 sda x x x x x x x x x x x\n", "proc/net/dev": "eth0: 1 2 3 4 5 6 7 8 nan\n",
		"proc/pressure/cpu": "some total=1e999\n", "sys/fs/cgroup/system.slice/kibitz.service/memory.current": "lots"}
	r, err = Source{Root: sample(bad), Used: used}.Read(time.Now())
	for name := range bad {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if r.Load == nil || r.DiskUsed != 81 || r.Cgroup[1] != 100<<20 {
		t.Errorf("%+v", r)
	}
	if v := Between(r, r); !math.IsNaN(v[CPUUser]) || !math.IsNaN(v[MemoryUsed]) || v[Load1] != 1.5 {
		t.Errorf("%v", v)
	}
}

func TestParseCgroup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"0::/\n": ".", "12:cpu:/x\n0::/a/b\n": "a/b", "1:name=systemd:/x\n": "", "": "", "0::/../../etc\n": "../../etc"} {
		if got, ok := ParseCgroup(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	escape := sample(map[string]string{"proc/self/cgroup": "0::/../../../secret\n", "secret/memory.current": "7"})
	if r, err := (Source{Root: escape}).Read(time.Now()); err != nil || !math.IsNaN(r.Cgroup[0]) {
		t.Errorf("it reads outside of cgroups: %v %v", r.Cgroup, err)
	}
	top := sample(map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.current": "7", "sys/fs/cgroup/memory.max": "max"})
	if r, err := (Source{Root: top}).Read(time.Now()); err != nil || r.Cgroup[0] != 7 || !math.IsNaN(r.Cgroup[1]) {
		t.Errorf("at the top: %v %v", r.Cgroup, err)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	bounds := []float64{0, 1, 2, 4, math.Inf(1)}
	for _, c := range []struct {
		before, after []uint64
		want          float64
	}{
		{[]uint64{0, 0, 0, 0}, []uint64{99, 1, 0, 0}, 1}, {[]uint64{0, 0, 0, 0}, []uint64{90, 0, 10, 0}, 4}, {[]uint64{90, 0, 10, 0}, []uint64{90, 3, 10, 0}, 2},
		{[]uint64{0, 0, 0, 0}, []uint64{0, 0, 0, 5}, 4}, {[]uint64{5, 0, 0, 0}, []uint64{5, 0, 0, 0}, math.NaN()}, {nil, []uint64{1, 2, 3, 4}, math.NaN()},
	} {
		if got := quantile(c.before, c.after, bounds, 0.99); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v to %v: %v, want %v", c.before, c.after, got, c.want)
		}
	}
}

// TestNames: places of stored rows never move. What is new is added at the end here.
func TestNames(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`cpu.user cpu.system cpu.iowait cpu.steal memory.used memory.cached memory.free load.1 load.5 load.15 swap.used
		disk.read disk.write disk.await disk.util disk.used net.rx net.tx psi.cpu psi.io psi.memory go.heap go.heap_goal go.gc_cpu go.sched_p99 go.goroutines
		pool.used pool.idle pool.wait.forums pool.wait.posts pool.wait.users pool.wait.ops pool.empty.forums pool.empty.posts pool.empty.users pool.empty.ops
		cgroup.memory cgroup.limit`)
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if CPUUser != 0 || CPUSystem != 1 || CPUSteal != 3 { // SQL of the store counts on these
		t.Error("CPU has moved")
	}
	if got := Metric(-1).String() + Metric(Metrics).String(); got != "unknownunknown" {
		t.Error(got)
	}
}

// TestMachine measures this machine, whatever it is: nothing impossible, and on Linux what every Linux has.
func TestMachine(t *testing.T) {
	t.Parallel()
	src := Machine()
	now := time.Now()
	a, err := src.Read(now)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	b, err := src.Read(now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	v := Between(a, b)
	sane(t, v)
	must := []Metric{GoHeapGoal, GoGoroutines, GoGCCPU}
	if runtime.GOOS == "linux" {
		must = append(must, MemoryUsed, MemoryFree, Load1, SwapUsed)
		if v[MemoryUsed] < 1<<20 {
			t.Errorf("%v bytes of memory are in use", v[MemoryUsed])
		}
	}
	for _, m := range must {
		if math.IsNaN(v[m]) {
			t.Errorf("%s was not measured", m)
		}
	}
	for i, f := range v {
		t.Logf("%-18s %v", Metric(i), f)
	}
}

// sane holds that values are possible ones.
func sane(t *testing.T, v Values) {
	t.Helper()
	for i, f := range v {
		m := Metric(i)
		share := slices.Contains([]Metric{CPUUser, CPUSystem, CPUIOWait, CPUSteal, DiskUtil, DiskUsed, PSICPU, PSIIO, PSIMemory, GoGCCPU}, m)
		if math.IsInf(f, 0) || f < 0 || (share && f > 100) {
			t.Errorf("%s is %v", m, f)
		}
	}
}

// FuzzRead measures machines whose files hold anything.
func FuzzRead(f *testing.F) {
	for _, text := range []string{stat1, meminfo, disks1, net1, mounts, "some avg10=0.00 total=12\n", "0::/../..//x\n", "max", "1.5 2 3", "cpu 1e19 1e19 1e19 1e19",
		"eth0: 1 2 3 4 5 6 7 8 18446744073709551615", "/dev/x /a\\040\\134b ext4 rw", "cpu", "cpu NaN Inf 0x1p-2 1_0 4", strings.Repeat("9 9 sda 1 1 1 1 1 1 1 1 1 1 1\n", 30)} {
		f.Add(text, stat2)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
		var r [2]Reading
		for i, text := range []string{one, two} {
			files := map[string]string{}
			for _, name := range []string{"stat", "meminfo", "loadavg", "diskstats", "net/dev", "pressure/cpu", "pressure/io", "self/mounts", "self/cgroup"} {
				files["proc/"+name] = text
			}
			files["sys/fs/cgroup/system.slice/kibitz.service/memory.current"] = text
			asked := 0
			src := Source{Root: sample(files), Used: func(string) (float64, error) { asked++; return 50, nil }}
			r[i], _ = src.Read(at.Add(time.Duration(i) * time.Second))
			if len(r[i].Disks) > maxDevices || asked > maxDevices {
				t.Errorf("%d disks, %d mounts", len(r[i].Disks), asked)
			}
		}
		sane(t, Between(r[0], r[1]))
		if d, err := ParseDiskstats(one, func(string) bool { return true }); err == nil && len(d) > maxDevices {
			t.Errorf("%d disks", len(d))
		}
	})
}

// BenchmarkRead is a whole measurement of this machine; beside it, the reading of /proc/stat alone.
func BenchmarkRead(b *testing.B) {
	src := Machine()
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = src.Read(time.Now())
		}
	})
	b.Run("stat alone", func(b *testing.B) {
		if src.Root == nil {
			b.Skip("there is no /proc")
		}
		for b.Loop() {
			if _, err := fs.ReadFile(src.Root, "proc/stat"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
