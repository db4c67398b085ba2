package pglog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kibitz/ingest/sqltext"
)

// TestOnce: a call is counted once, whichever lines tell of it.
func TestOnce(t *testing.T) {
	t.Parallel()
	const plan = "plan:\n\tQuery Text: SELECT 1\n\t  FROM t\n\tSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)"
	for _, c := range []struct {
		name   string
		lines  []string
		calls  int64
		total  time.Duration
		timed  int64
		plans  int
		params string
	}{
		{"duration", []string{"duration: 2.000 ms  statement: SELECT 1 FROM t"}, 1, 2e6, 1, 0, ""},
		{"plan, then its simple statement", []string{"duration: 1.900 ms  " + plan, "duration: 2.000 ms  statement: SELECT 1 FROM t"}, 1, 2e6, 1, 1, ""},
		{"execute, then its plan", []string{"duration: 2.000 ms  execute x: SELECT 1 FROM t", "duration: 1.900 ms  " + plan}, 1, 2e6, 1, 1, ""},
		{"twice each", []string{"duration: 2.000 ms  execute x: SELECT 1 FROM t", "duration: 1.900 ms  " + plan, "duration: 2.000 ms  execute x: SELECT 1 FROM t", "duration: 1.900 ms  " + plan}, 2, 4e6, 2, 2, ""},
		{"a plan alone", []string{"duration: 1.900 ms  " + plan}, 1, 19e5, 1, 1, ""},
		{"two plans, one duration", []string{"duration: 1.900 ms  " + plan, "duration: 1.000 ms  " + plan, "duration: 2.000 ms  statement: SELECT 1 FROM t"}, 2, 39e5, 2, 2, ""},
		{"log_statement and log_duration", []string{"statement: SELECT 1 FROM t", "duration: 2.000 ms"}, 1, 2e6, 1, 0, ""},
		{"log_statement alone", []string{"statement: SELECT 1 FROM t"}, 1, 0, 0, 0, ""},
		{"log_statement and slow", []string{"execute x: SELECT 1 FROM t", "duration: 2.000 ms  execute x: SELECT 1 FROM t"}, 1, 2e6, 1, 0, ""},
		{"phases", []string{"duration: 1.000 ms  parse x: SELECT 1 FROM t", "duration: 1.000 ms  bind x: SELECT 1 FROM t", "duration: 2.000 ms  execute x/c1: SELECT 1 FROM t", "duration: 2.000 ms  execute fetch from x/c1: SELECT 1 FROM t"}, 2, 4e6, 2, 0, ""},
		{"a duration of nothing", []string{"duration: 2.000 ms", "duration: 2.000 ms  statement: SELECT 1 FROM t"}, 1, 2e6, 1, 0, ""},
	} {
		var log strings.Builder
		for i, line := range c.lines {
			fmt.Fprintf(&log, "2024-01-31 12:00:0%d.000 UTC [7] LOG:  %s\n", i, line)
		}
		d := digest(t, log.String())
		top := d.Top(ByTotal, 0)
		if len(top) != 1 || top[0].Calls != c.calls || top[0].Total != c.total || top[0].Timed != c.timed || d.Totals.Calls != c.calls || d.Totals.Executed != c.total {
			t.Errorf("%s: %+v", c.name, d.Totals)
			for _, s := range top {
				t.Errorf("  %+v", *s)
			}
			continue
		}
		plans := 0
		for _, s := range top[0].Samples {
			if strings.HasPrefix(s.Plan, "Seq Scan") {
				plans++
			}
		}
		if plans != c.plans {
			t.Errorf("%s: %d plans", c.name, plans)
		}
	}
}

// TestDigest: the numbers of one statement, and the lines that add to it without a call.
func TestDigest(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	line := func(pid int, message string, more ...string) {
		fmt.Fprintf(&log, "2024-01-31 12:00:00.000 UTC [%d] u%d@d LOG:  %s\n", pid, pid, message)
		for _, m := range more {
			fmt.Fprintf(&log, "2024-01-31 12:00:00.000 UTC [%d] u%d@d %s\n", pid, pid, m)
		}
	}
	for i := 1; i <= 100; i++ {
		line(i%3+1, fmt.Sprintf("duration: %d.250 ms  statement: SELECT %d", i, i))
	}
	line(1, `temporary file: path "base/pgsql_tmp/pgsql_tmp1.0", size 1048576`, "STATEMENT:  SELECT 7")
	line(1, "process 1 still waiting for ShareLock on transaction 5 after 50.000 ms", "STATEMENT:  SELECT 7")
	line(1, "process 1 acquired ShareLock on transaction 5 after 150.500 ms", "STATEMENT:  SELECT 7")
	log.WriteString("2024-01-31 12:00:00.000 UTC [1] u1@d ERROR:  division by zero\n2024-01-31 12:00:00.000 UTC [1] u1@d STATEMENT:  SELECT 7\n")
	d := digest(t, log.String())
	s := d.Top(ByTotal, 1)[0]
	if s.Calls != 100 || s.Total != 5075*time.Millisecond || s.Min != 1250*time.Microsecond || s.Max != 100250*time.Microsecond || s.Mean() != 50750*time.Microsecond {
		t.Errorf("%+v", s)
	}
	for q, want := range map[float64]time.Duration{0: s.Min, 0.5: 50250 * time.Microsecond, 0.95: 95250 * time.Microsecond, 0.99: 99250 * time.Microsecond, 1: s.Max} {
		if got := s.Quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if s.TempFiles != 1 || s.TempBytes != 1<<20 || s.LockWait != 150500*time.Microsecond || s.Errors != 1 || fmt.Sprint(s.Users, s.Databases) != "[u1 u2 u3] [d]" || s.Rows != -1 {
		t.Errorf("%+v", s)
	}
	if len(s.Samples) != 3 || s.Samples[0].Statement != "SELECT 100" || s.Samples[2].Statement != "SELECT 98" {
		t.Errorf("%+v", s.Samples)
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	d := digest(t, `2024-01-31 12:00:00.000 UTC [1] LOG:  duration: 10.000 ms  statement: SELECT a
2024-01-31 12:00:00.000 UTC [1] LOG:  duration: 4.000 ms  statement: SELECT b
2024-01-31 12:00:00.000 UTC [1] LOG:  duration: 4.000 ms  statement: SELECT b
2024-01-31 12:00:00.000 UTC [1] LOG:  duration: 4.000 ms  statement: SELECT b
2024-01-31 12:00:00.000 UTC [1] ERROR:  no
2024-01-31 12:00:00.000 UTC [1] STATEMENT:  SELECT c
`)
	for order, want := range map[Order]string{ByTotal: "select b", ByMean: "select a", ByP95: "select a", ByCalls: "select b"} {
		if top := d.Top(order, 1); len(top) != 1 || top[0].Form.Text != want {
			t.Errorf("%s: %+v", order, top)
		}
	}
	if n := len(d.Top(ByTotal, 0)); n != 2 || len(d.Stats()) != 3 {
		t.Errorf("%d called, %d in all", n, len(d.Stats()))
	}
}

// TestBoundedDigest: statements and backends beyond the limits are counted, not kept.
func TestBoundedDigest(t *testing.T) {
	t.Parallel()
	d := NewDigest(sqltext.NewNormalizer(1 << 20))
	for i := range MaxStatements + 10 {
		d.Add(&Entry{Kind: Duration, Phase: Execute, Timed: true, Duration: 1, PID: int32(i % (MaxOpen + 5)), Statement: fmt.Sprintf("SELECT c%d", i)})
	}
	d.Close()
	if d.Totals.Unlisted != 10 || d.Totals.Calls != MaxStatements+10 || len(d.Stats()) != MaxStatements || d.Totals.Forgotten == 0 {
		t.Errorf("%+v, %d", d.Totals, len(d.Stats()))
	}
}

// TestPlans: every form that auto_explain writes.
func TestPlans(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"text":       "Query Text: SELECT \"a\"\n\tFROM t\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: x",
		"parameters": "Query Text: SELECT \"a\"\n\tFROM t\nQuery Parameters: $1 = 'x'\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)",
		"json":       "{\n  \"Query Text\": \"SELECT \\\"a\\\"\\n\\tFROM t\",\n  \"Plan\": {}\n}",
		"xml":        "<explain xmlns=\"x\">\n  <Query-Text>SELECT \"a\"\n\tFROM t</Query-Text>\n</explain>",
		"yaml":       "Query Text: \"SELECT \\\"a\\\"\\n\\tFROM t\"\nPlan: \n  Node Type: x",
	} {
		e := Entry{Severity: "LOG", Message: "duration: 1.000 ms  plan:\n" + text}
		if e.interpret(); e.Kind != Plan || e.Statement != "SELECT \"a\"\n\tFROM t" || e.Plan == "" {
			t.Errorf("%s: %q, %q", name, e.Statement, e.Plan)
		}
	}
}
