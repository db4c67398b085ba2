package pglog

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// seeds are the beginnings of all formats.
var seeds = []string{
	"2024-01-31 12:00:01.123 UTC [7] joe@shop LOG:  duration: 1.5 ms  statement: SELECT\n\t1\n2024-01-31 12:00:01.123 UTC [7] joe@shop DETAIL:  parameters: $1 = 'x'\n",
	csvHead + "\n", jsonLine,
	"<134>Jan 31 12:00:01 postgres[7]: [5-2] \tb\n<134>Jan 31 12:00:01 postgres[7]: [5-1] LOG:  duration: 1 ms  plan:\n",
	"<134>1 2024-01-31T12:00:01Z db1 postgres 7 - - [5-1] user=joe LOG:  x\n",
	"1706702401.123 [7] ERROR:  x\n1706702401.123 [7] STATEMENT:  y\n",
}

// checkEntry holds for every entry of whatever log.
func checkEntry(t *testing.T, e *Entry) {
	t.Helper()
	for _, s := range []string{e.Statement, e.Params, e.Plan, e.Message, e.Detail, e.User, e.Database, e.Application, e.Host} {
		if !utf8.ValidString(s) {
			t.Fatalf("invalid UTF-8 in %+v", e)
		}
	}
	if e.Duration < 0 || e.TempBytes < 0 || e.LockWait < 0 || e.PID < 0 {
		t.Fatalf("negative: %+v", e)
	}
}

// FuzzRead reads anything as every format; counts must add up, and line by line must be as in one piece.
func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "", uint8(0))
		f.Add(s, "%m [%p] %q%u@%d ", uint8(1))
	}
	f.Fuzz(func(t *testing.T, log, prefix string, format uint8) {
		o := Options{Format: Formats()[int(format)%len(Formats())], Prefix: prefix, Now: time.Unix(1706702401, 0)}
		if o.check() != nil {
			return
		}
		n := int64(0)
		d := NewDigest(newForms())
		stats, err := Read(strings.NewReader(log), o, func(e *Entry) {
			n++
			checkEntry(t, e)
			d.Add(e)
		})
		if err != nil && !strings.HasPrefix(log, "\x1f\x8b") || n != stats.Entries {
			t.Fatalf("%v, %d entries, %+v", err, n, stats)
		}
		d.Close()
		for _, s := range d.Stats() {
			if s.Calls < s.Timed || s.Total < 0 || s.Min > s.Max || s.Quantile(0.95) > s.Max {
				t.Fatalf("%+v", s)
			}
		}
		pushAll(t, log, o, stats)
	})
}

// pushAll gives the same lines one by one to an Assembler, as a live source does.
func pushAll(t *testing.T, log string, o Options, want Stats) {
	t.Helper()
	if strings.HasPrefix(log, "\x1f\x8b") {
		return
	}
	n := int64(0)
	a, err := NewAssembler(o, func(e *Entry) { n++; checkEntry(t, e) })
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log) {
		a.Push([]byte(line), o.Now)
	}
	a.Close()
	if got := a.Stats(); n != got.Entries || got.Entries != want.Entries && len(log) < maxSample && want.Format == got.Format {
		t.Fatalf("%d entries, %+v, want %+v", n, got, want)
	}
}

func FuzzPrefix(f *testing.F) {
	f.Add("%m [%p] %q%u@%d ", "2024-01-31 12:00:01.123 UTC [7] joe@shop LOG:  x")
	f.Add("%a%u%d%h%r%b%i%L", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaLOG:  x")
	f.Fuzz(func(t *testing.T, prefix, line string) {
		if p, err := ParsePrefix(prefix); err == nil {
			var e Entry
			p.read(line, &e)
			checkEntry(t, &e)
		}
		if head := headOf(line); head >= 0 {
			if _, err := ParsePrefix(infer(line[:head])); err != nil && head < maxPrefix/2 {
				t.Fatalf("%q was found for %q: %v", infer(line[:head]), line, err)
			}
		}
	})
}
