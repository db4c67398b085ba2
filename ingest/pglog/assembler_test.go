package pglog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/ingest/sqltext"
)

func newForms() *sqltext.Normalizer { return sqltext.NewNormalizer(1 << 20) }

// collected is what an Assembler has emitted.
type collected struct {
	*Assembler
	entries []Entry
}

func assemble(t *testing.T, o Options) *collected {
	t.Helper()
	c := &collected{}
	var err error
	if c.Assembler, err = NewAssembler(o, func(e *Entry) { c.entries = append(c.entries, *e) }); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *collected) push(now time.Time, lines ...string) {
	for _, line := range lines {
		c.Push([]byte(line), now)
	}
}

// TestSilence: the last entry of a backend is complete when nothing has followed for a second.
func TestSilence(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for format, lines := range map[Format][]string{
		Stderr: {"2024-01-31 12:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: SELECT", "\t1"},
		Syslog: {"<134>Jan 31 12:00:00 postgres[7]: [1-1] LOG:  duration: 1.000 ms  statement: SELECT", "<134>Jan 31 12:00:00 postgres[7]: [1-2] \t1"},
	} {
		for _, o := range []Options{{}, {Format: format}} {
			c := assemble(t, o)
			c.push(now, lines[0])
			c.Flush(now)
			c.push(now.Add(900*time.Millisecond), lines[1])
			c.Flush(now.Add(1500 * time.Millisecond))
			if len(c.entries) != 0 {
				t.Errorf("%s: closed within a second: %+v", format, c.entries)
			}
			c.Flush(now.Add(1900 * time.Millisecond))
			if len(c.entries) != 1 || c.entries[0].Statement != "SELECT\n1" {
				t.Errorf("%s: %+v %+v", format, c.entries, c.Stats())
			}
			c.Close()
			if len(c.entries) != 1 {
				t.Errorf("%s: closed twice", format)
			}
		}
	}
}

// TestTooLong: of an entry over 10 MiB the beginning is kept, and it is counted; the next is whole.
func TestTooLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 1<<20)
	for format, lines := range map[Format][3]string{
		Stderr: {"2024-01-31 12:00:00.000 UTC [7] LOG:  ", "\t", "2024-01-31 12:00:00.000 UTC [8] LOG:  next"},
		Syslog: {"Jan 31 12:00:00 h postgres[7]: [1-1] LOG:  ", "Jan 31 12:00:00 h postgres[7]: [1-2] ", "Jan 31 12:00:00 h postgres[7]: [2-1] LOG:  next"},
		CSV:    {"2024-01-31 12:00:00.000 UTC,\"", "", `"` + "\n" + strings.Replace(csvHead, "joe", "next", 1)},
	} {
		c := assemble(t, Options{Format: format, Prefix: map[Format]string{Stderr: "%m [%p] "}[format]})
		c.push(now, lines[0])
		for range 12 {
			c.push(now, lines[1]+long)
		}
		c.push(now, strings.Split(lines[2], "\n")...)
		c.Close()
		last := c.entries[len(c.entries)-1]
		if c.Stats().Truncated != 1 || last.Message != "next" && last.User != "next" {
			t.Errorf("%s: %+v, last %.200q", format, c.Stats(), last.Message)
		}
		for _, e := range c.entries {
			if len(e.Message) > MaxEntry {
				t.Errorf("%s: kept %d bytes", format, len(e.Message))
			}
		}
	}
}

// TestManyOpen: backends that never write again do not fill the memory.
func TestManyOpen(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for format, form := range map[Format]string{Stderr: "2024-01-31 12:00:00.000 UTC [%d] LOG:  x", Syslog: "Jan 31 12:00:00 h postgres[%d]: [1-1] LOG:  x"} {
		c := assemble(t, Options{Format: format, Prefix: map[Format]string{Stderr: "%m [%p] "}[format]})
		for pid := range MaxOpen + 50 {
			c.push(now, fmt.Sprintf(form, pid+1))
		}
		if got := c.Stats(); got.Evicted != 50 || len(c.entries) != 50 {
			t.Errorf("%s: %+v", format, got)
		}
		c.Close()
		if len(c.entries) != MaxOpen+50 {
			t.Errorf("%s: %d entries", format, len(c.entries))
		}
	}
}

// TestLong: statements of 9 kB and 1 MB, of one line and of many, and bytes that are no UTF-8.
func TestLong(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"9 kB": "SELECT '" + strings.Repeat("x", 9000) + "'", "1 MB": "SELECT 1 IN (" + strings.Repeat("12345, ", 150_000) + "1)",
		"many lines": "SELECT 1" + strings.Repeat(",\n1", 100_000), "bytes": "SELECT '\xff\xfe'",
	} {
		log := "2024-01-31 12:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: " + strings.ReplaceAll(sql, "\n", "\n\t") + "\n"
		got, stats := read(t, log, Options{})
		if len(got) != 1 || got[0].Statement != strings.ToValidUTF8(sql, "\uFFFD") || stats.Truncated != 0 {
			t.Errorf("%s: %d entries, %+v", name, len(got), stats)
		}
	}
}
