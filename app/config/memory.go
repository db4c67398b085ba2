package config

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// Shares of the memory that this process may take: the rest is PostgreSQL's and the page cache's, which the spool
// and the database live from.
const (
	shareOfContainer = 0.6
	shareOfMachine   = 0.25
)

// leastLimit is what the program needs for its own: an idle one takes some 40 MiB.
const leastLimit = 128 << 20

// gcPercent lets the heap grow to five times what lives before it is collected: what lives is some 20 MiB and what passes
// through is 100 MiB a second under load, so that the default would collect several times a second for nothing. The limit
// bounds it all the same.
const gcPercent = 400

// ApplyMemoryLimit gives the Go runtime its soft limit and tells it and where it is from: GOMEMLIMIT, then
// memory_limit, then the container's limit, then the machine's memory. 0 when nothing is known.
func (c *Config) ApplyMemoryLimit() (limit int64, source string) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	}
	limit, source = c.MemoryLimit, "memory_limit"
	if limit == 0 && onLinux {
		limit, source = linux.limit()
	}
	if limit == 0 {
		return 0, "unknown"
	}
	debug.SetMemoryLimit(limit)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return limit, source
}

// limit is a share of the smaller of container and machine.
func (m machine) limit() (int64, string) {
	total := memTotal(m.meminfo)
	for _, file := range []string{m.cgroup2, m.cgroup1} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		// Without a limit the file says "max" (version 2) or a number near 2^63 (version 1).
		if err == nil && n > 0 && n < math.MaxInt64/2 && (total == 0 || n < total) {
			return max(int64(float64(n)*shareOfContainer), leastLimit), "container"
		}
	}
	if total == 0 {
		return 0, "unknown"
	}
	return max(int64(float64(total)*shareOfMachine), leastLimit), "machine"
}

func memTotal(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}
