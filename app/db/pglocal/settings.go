package pglocal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// settingsFile is in the data directory and included from postgresql.conf.
const settingsFile = "kibitz.conf"

// writeSettings brings the file up to date with this Kibitz and this machine.
func (s *Server) writeSettings() error {
	path := filepath.Join(s.home.data(), settingsFile)
	err := writeFile(path, s.settings())
	if err == nil {
		err = s.account.own(path)
	}
	if err != nil {
		return fmt.Errorf("cannot write the settings of PostgreSQL: %w", err)
	}
	return nil
}

func (s *Server) settings() string {
	return settings(memory(), runtime.GOOS, s.programs.has("pg_stat_statements"))
}

// writeFile replaces a file as a whole.
func writeFile(path, text string) error {
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

const mib = 1 << 20

// settings are for a machine with few cores that Kibitz shares, and a steady stream of small writes. statements tells
// whether the library of pg_stat_statements is there: a server that is told to load one that is not does not start.
func settings(memory int64, goos string, statements bool) string {
	lines := []string{
		"# Kibitz writes this file at each start. Change settings in postgresql.conf, below the include, or with ALTER SYSTEM.",
		"fsync = on", "full_page_writes = on", "synchronous_commit = on",
		"max_connections = 100",
		// An eighth: the page cache has the rest, and Kibitz its own share. 512 MB is where more gains little for
		// a stream of inserts, and dropping a day's partition looks through all of it.
		"shared_buffers = " + mb(memory/8, 64, 512),
		"effective_cache_size = " + mb(memory/2, 256, 64<<10),
		"maintenance_work_mem = " + mb(memory/32, 32, 256),
		"work_mem = 8MB",
		"wal_level = replica",
		"max_wal_senders = 5",
		"hot_standby = on",
		// Few checkpoints, spread out: each page is written to the WAL in full once after each of them.
		"checkpoint_timeout = 15min", "max_wal_size = 2GB", "min_wal_size = 256MB", "checkpoint_completion_target = 0.9",
		// Our statements take milliseconds, compiling one takes tens of them.
		"jit = off",
		// One page must not take the second core from the drain; and parallel workers need /dev/shm, of which
		// a container has 64 MB.
		"max_parallel_workers_per_gather = 0", "max_parallel_maintenance_workers = 0",
		"random_page_cost = 1.1",
		"timezone = 'UTC'", "log_timezone = 'UTC'",
		"logging_collector = off", "log_destination = 'stderr'", "log_line_prefix = '%m [%p] %q%u@%d '", "log_checkpoints = off",
		// Statements hold people's data.
		"log_min_error_statement = panic",
		"cluster_name = 'kibitz'",
	}
	if statements {
		// The digest is made of its counters. 5,000 statements take 3 MB; with I/O times each block that is read costs two
		// readings of the clock, some 50 ns beside 100 us.
		lines = append(lines, "shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.max = 5000",
			"compute_query_id = on", "track_io_timing = on")
	}
	if goos == "darwin" {
		// There a plain fsync leaves the data in the drive's cache.
		lines = append(lines, "wal_sync_method = fsync_writethrough")
	}
	return strings.Join(lines, "\n") + "\n"
}

// mb writes bytes as whole megabytes between two bounds, given in megabytes.
func mb(bytes, least, most int64) string {
	return strconv.FormatInt(min(max(bytes/mib, least), most), 10) + "MB"
}

// assumedMemory is taken where the machine does not say: shared_buffers becomes 256 MB.
const assumedMemory = 2 << 30

// memory is what the machine has, in bytes, or the limit of our container when that is less.
func memory() int64 {
	total := int64(assumedMemory)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if kb := meminfoTotal(string(b)); kb > 0 {
			total = kb << 10
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && limit > 0 {
			total = min(total, limit)
		}
	}
	return total
}

// meminfoTotal reads "MemTotal:  16384000 kB".
func meminfoTotal(s string) int64 {
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb
		}
	}
	return 0
}
