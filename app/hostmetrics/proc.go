package hostmetrics

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What is read of a text at the most. A machine with 4,096 cores has a /proc/stat of some 500 kB, most of it interrupts.
const (
	maxText    = 1 << 20 // bytes of one file
	maxDevices = 1024    // disks, networks or mounts
)

// CPU is the time of all cores since the start, in ticks.
type CPU struct{ User, System, IOWait, Steal, Total float64 }

var errForm = errors.New("it has not the form that Linux gives it")

// ParseStat reads the first line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice. Guests are
// counted in user and nice already.
func ParseStat(text string) (c CPU, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != "cpu" {
			continue
		}
		var t [8]float64
		for i, word := range f[1:min(len(f), 9)] {
			if t[i], err = count(word); err != nil {
				return CPU{}, err
			}
			c.Total += t[i]
		}
		c.User, c.System, c.IOWait, c.Steal = t[0]+t[1], t[2]+t[5]+t[6], t[4], t[7]
		return c, nil
	}
	return CPU{}, errForm
}

// Memory is what holds memory and swap, in bytes. Cached is what the kernel would give back: page cache and reclaimable slabs.
type Memory struct{ Used, Cached, Free, SwapUsed float64 }

// ParseMeminfo reads /proc/meminfo.
func ParseMeminfo(text string) (m Memory, err error) {
	kb := map[string]float64{}
	for _, key := range []string{"MemTotal", "MemFree", "Buffers", "Cached", "SReclaimable", "Shmem", "SwapTotal", "SwapFree"} {
		kb[key] = 0
	}
	total := false
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		if _, known := kb[key]; !known {
			continue
		}
		f := strings.Fields(rest)
		if len(f) == 0 {
			return Memory{}, errForm
		}
		if kb[key], err = count(f[0]); err != nil {
			return Memory{}, err
		}
		total = total || key == "MemTotal"
	}
	if !total {
		return Memory{}, errForm
	}
	// Shared memory (PostgreSQL's buffers, say) counts as page cache to the kernel, but is in use.
	cached := max(kb["Buffers"]+kb["Cached"]+kb["SReclaimable"]-kb["Shmem"], 0)
	used := max(kb["MemTotal"]-kb["MemFree"]-cached, 0)
	return Memory{used * 1024, cached * 1024, kb["MemFree"] * 1024, max(kb["SwapTotal"]-kb["SwapFree"], 0) * 1024}, nil
}

// ParseLoad reads /proc/loadavg: how many processes run or wait, of 1, 5 and 15 minutes.
func ParseLoad(text string) (load [3]float64, err error) {
	f := strings.Fields(text)
	if len(f) < 3 {
		return load, errForm
	}
	for i := range load {
		if load[i], err = count(f[i]); err != nil {
			return [3]float64{}, err
		}
	}
	return load, nil
}

// Disk is what one disk did since the start: operations, bytes, and milliseconds that operations took, and in which there were any.
type Disk struct{ Operations, Read, Written, Took, Busy float64 }

// sector is the unit of /proc/diskstats, whatever the disk's own is.
const sector = 512

// ParseDiskstats reads /proc/diskstats: of the disks that whole accepts, not of their partitions, which would count twice.
func ParseDiskstats(text string, whole func(name string) bool) (map[string]Disk, error) {
	disks := map[string]Disk{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 14 || !whole(f[2]) || len(disks) >= maxDevices {
			continue
		}
		// reads merged sectors ms, writes merged sectors ms, in flight, ms busy
		n, err := counts(f[3:14])
		if err != nil {
			return nil, err
		}
		disks[strings.Clone(f[2])] = Disk{n[0] + n[4], n[2] * sector, n[6] * sector, n[3] + n[7], n[9]}
	}
	return disks, nil
}

// ParseNetDev reads /proc/net/dev: bytes in and out since the start, of all interfaces but loopback and those that repeat
// what another one carries.
func ParseNetDev(text string) (in, out float64, err error) {
	found := 0
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || len(f) < 9 || repeats(name) || found >= maxDevices {
			continue
		}
		n, err := counts(f[:9])
		if err != nil {
			return 0, 0, err
		}
		in, out, found = in+n[0], out+n[8], found+1
	}
	return in, out, nil
}

// repeats tells whether an interface is loopback, or carries what a physical one does too.
func repeats(name string) bool {
	return name == "lo" || slices.ContainsFunc([]string{"veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "bond", "dummy", "ifb"},
		func(p string) bool { return strings.HasPrefix(name, p) })
}

// ParsePressure reads a file of /proc/pressure: the microseconds since the start in which some task waited.
func ParsePressure(text string) (float64, error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "some" {
			continue
		}
		for _, word := range f[1:] {
			if total, ok := strings.CutPrefix(word, "total="); ok {
				return count(total)
			}
		}
	}
	return 0, errForm
}

// localSystems are file systems on disks of this machine. To ask another one may block for as long as its server is away.
var localSystems = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "overlay"}

// ParseMounts reads /proc/self/mounts: where local file systems that can be written are mounted. A device that is mounted
// twice is named once.
func ParseMounts(text string) (paths []string) {
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || !slices.Contains(localSystems, f[2]) || (seen[f[0]] && f[2] != "overlay") || len(paths) >= maxDevices {
			continue
		}
		if slices.Contains(strings.Split(f[3], ","), "ro") {
			continue
		}
		seen[strings.Clone(f[0])] = true
		paths = append(paths, unescape(f[1]))
	}
	return paths
}

// unescape turns the octal forms of blanks in the path of a mount back.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// ParseCgroup reads /proc/self/cgroup: this process's place below the top of cgroup v2, like "system.slice/kibitz.service";
// "." is the top. ok is false where there is no cgroup v2.
func ParseCgroup(text string) (path string, ok bool) {
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, "0::/"); is {
			if rest = strings.TrimRight(rest, "\n/"); rest == "" {
				return ".", true
			}
			return rest, true
		}
	}
	return "", false
}

// ParseBytes reads a file that is one number, of bytes; "max" is no limit, and NaN.
func ParseBytes(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return math.NaN(), nil
	}
	return count(text)
}

func counts(words []string) (out []float64, err error) {
	out = make([]float64, len(words))
	for i, w := range words {
		if out[i], err = count(w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// count reads a number that is neither negative nor too large to calculate with.
func count(word string) (float64, error) {
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || !(n >= 0 && n < 1<<64) {
		return 0, errForm
	}
	return n, nil
}
