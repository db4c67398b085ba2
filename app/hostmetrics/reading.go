package hostmetrics

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// Pool is the connections of a partition, and what became of those who wanted one since the start.
type Pool struct {
	Used, Idle int
	Empty      int64         // how often there was none at once
	Waited     time.Duration // how long those waited, together
}

// PoolOrder are the partitions that have measurements of their own, in their order.
var PoolOrder = [...]string{"forums", "posts", "users", "ops"}

// Reading is what was read at one moment: what counts since the start, and what is now. What could not be read is nil or NaN.
type Reading struct {
	At       time.Time
	CPU      *CPU
	Memory   *Memory
	Load     *[3]float64
	Disks    map[string]Disk
	Net      *[2]float64 // bytes in and out
	Pressure [3]float64  // microseconds: CPU, disks, memory
	Cgroup   [2]float64  // bytes, and how many are allowed
	DiskUsed float64     // per cent, of the fullest file system
	Go       Go
	Pools    map[string]Pool
}

// Source is where readings come from.
type Source struct {
	// Root is the machine's file system; nil measures Go and pools alone.
	Root fs.FS
	// Used is the used share of a file system in per cent; nil measures none.
	Used func(path string) (float64, error)
	// Pools are the connections by partition; nil measures none.
	Pools func() map[string]Pool
}

// Read measures now. The error names the files that are there but could not be read; the reading holds the rest.
func (s Source) Read(now time.Time) (Reading, error) {
	nan := math.NaN()
	r := Reading{At: now, Pressure: [3]float64{nan, nan, nan}, Cgroup: [2]float64{nan, nan}, DiskUsed: nan, Go: readGo()}
	if s.Pools != nil {
		r.Pools = s.Pools()
	}
	if s.Root == nil {
		return r, nil
	}
	return r, errors.Join(s.readMachine(&r), s.readDevices(&r), s.readPressure(&r), s.readCgroup(&r), s.readMounts(&r))
}

func (s Source) readMachine(r *Reading) error {
	return errors.Join(
		s.parse("proc/stat", func(text string) error { c, err := ParseStat(text); return set(&r.CPU, c, err) }),
		s.parse("proc/meminfo", func(text string) error { m, err := ParseMeminfo(text); return set(&r.Memory, m, err) }),
		s.parse("proc/loadavg", func(text string) error { l, err := ParseLoad(text); return set(&r.Load, l, err) }))
}

func (s Source) readDevices(r *Reading) error {
	return errors.Join(
		s.parse("proc/diskstats", func(text string) (err error) {
			r.Disks, err = ParseDiskstats(text, s.wholeDisks())
			return err
		}),
		s.parse("proc/net/dev", func(text string) error {
			in, out, err := ParseNetDev(text)
			return set(&r.Net, [2]float64{in, out}, err)
		}))
}

// wholeDisks tells disks from their partitions, by /sys/block, and from what stands on disks or on memory.
func (s Source) wholeDisks() func(string) bool {
	list, err := fs.ReadDir(s.Root, "sys/block")
	return func(name string) bool {
		for _, virtual := range []string{"loop", "ram", "zram", "dm-", "md", "sr", "fd"} {
			if strings.HasPrefix(name, virtual) {
				return false
			}
		}
		return err == nil && slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == name })
	}
}

func (s Source) readPressure(r *Reading) error {
	var failed []error
	for i, name := range []string{"cpu", "io", "memory"} {
		failed = append(failed, s.parse("proc/pressure/"+name, func(text string) error { return setNumber(&r.Pressure[i], text, ParsePressure) }))
	}
	return errors.Join(failed...)
}

func (s Source) readCgroup(r *Reading) error {
	return s.parse("proc/self/cgroup", func(text string) error {
		place, ok := ParseCgroup(text)
		if place = path.Join("sys/fs/cgroup", place); !ok || !fs.ValidPath(place) || !strings.HasPrefix(place, "sys/fs/cgroup") {
			return nil
		}
		return errors.Join(
			s.parse(place+"/memory.current", func(text string) error { return setNumber(&r.Cgroup[0], text, ParseBytes) }),
			s.parse(place+"/memory.max", func(text string) error { return setNumber(&r.Cgroup[1], text, ParseBytes) }))
	})
}

// readMounts finds the fullest file system. One that cannot be asked is left out: a container sees mounts that it may not enter.
func (s Source) readMounts(r *Reading) error {
	if s.Used == nil {
		return nil
	}
	return s.parse("proc/self/mounts", func(text string) error {
		for _, p := range ParseMounts(text) {
			if used, err := s.Used(p); err == nil && !(used <= r.DiskUsed) {
				r.DiskUsed = used
			}
		}
		return nil
	})
}

// parse reads a file and hands it on. One that is not there is no error: kernels are built without PSI, and cgroups have no limits.
func (s Source) parse(name string, fn func(text string) error) error {
	text, err := s.text(name)
	if err == nil {
		err = fn(text)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("cannot read %s: %w", name, err)
}

func (s Source) text(name string) (string, error) {
	f, err := s.Root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText))
	return string(text), err
}

func set[T any](to **T, v T, err error) error {
	if err == nil {
		*to = &v
	}
	return err
}

func setNumber(to *float64, text string, parse func(string) (float64, error)) error {
	n, err := parse(text)
	if err == nil {
		*to = n
	}
	return err
}
