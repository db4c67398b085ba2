package pglog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFormatsAgree runs one workload on a real PostgreSQL and reads it from every format that it writes: all give one digest,
// and the counts and totals of pgBadger.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	live := logEverything(t)
	logs := map[Format][]byte{Stderr: readLog(t, live.dir, "pg.log"), CSV: readLog(t, live.dir, "pg.csv"), JSON: readLog(t, live.dir, "pg.json")}
	if live.syslog != nil {
		logs[Syslog] = live.syslog
	}
	want, wantStats, stats := digestOf(t, logs[JSON], Options{Now: time.Now()})
	checkWorkload(t, want, stats)
	for format, log := range logs {
		got, gotStats, stats := digestOf(t, log, Options{Now: time.Now()})
		if stats.Format != format {
			t.Errorf("%s was taken for %s", format, stats.Format)
		}
		if stats.Malformed+stats.Truncated+stats.Evicted > 0 || stats.Unclaimed > 10 {
			t.Errorf("%s: %+v", format, stats)
		}
		compareDigests(t, format, gotStats, wantStats)
		comparePortions(t, format, log, got)
		if a, b := sums(got.Totals), sums(want.Totals); a != b {
			t.Errorf("%s: %s\njsonlog: %s", format, a, b)
		}
	}
	comparePgBadger(t, live)
}

func sums(t Totals) string {
	t.Entries, t.First, t.Last = 0, time.Time{}, time.Time{} // what precedes the collector differs
	return fmt.Sprintf("%+v", t)
}

// checkWorkload looks for what the workload did, so that formats do not agree on nothing.
func checkWorkload(t *testing.T, d *Digest, stats Stats) {
	t.Helper()
	byText := map[string]*Stat{}
	for _, s := range d.Stats() {
		byText[s.Form.Text] = s
	}
	for text, calls := range map[string]int64{
		"insert into t(id, name) values (?) on conflict do nothing": 100,
		"select id, name from t where id = ?":                       100,
		"select id from t where id in (?) or name = ?":              100,
		"select count(*) from pg_class where relpages > ?":          20, // with a plan each, counted once
		"select id from t where id in (?)":                          4,
		"update locked set id = ?":                                  2,
		"select g from generate_series(?, ?) g order by g desc":     4,
	} {
		if s := byText[text]; s == nil || s.Calls != calls {
			t.Errorf("%q: %+v, want %d calls", text, s, calls)
		}
	}
	if s := byText["select count(*) from pg_class where relpages > ?"]; s != nil && (len(s.Samples) != samples || s.Samples[0].Plan == "" || !strings.HasPrefix(s.Samples[0].Params, "$1 = '")) {
		t.Errorf("samples without plan or parameters: %+v", s.Samples)
	}
	if s := byText["select * from nowhere where x = ?"]; s == nil || s.Errors != 4 || s.Calls != 0 {
		t.Errorf("errors: %+v", s)
	}
	if s := byText["update locked set id = ?"]; s != nil && s.LockWait < 100*time.Millisecond {
		t.Errorf("the wait for a lock took %v", s.LockWait)
	}
	if d.Totals.TempFiles < 4 || d.Totals.Errors < 8 || d.Totals.Parsed == 0 || d.Totals.Bound == 0 {
		t.Errorf("%+v", d.Totals)
	}
	if stats.Entries < 500 {
		t.Errorf("%+v", stats)
	}
}

func compareDigests(t *testing.T, format Format, got, want map[string]string) {
	t.Helper()
	shown := 0
	for text, line := range want {
		if got[text] != line && shown < 5 {
			shown++
			t.Errorf("%s: %.200s\n got %.1000s\nwant %.1000s", format, text, got[text], line)
		}
	}
	for text, line := range got {
		if want[text] == "" && shown < 5 {
			shown++
			t.Errorf("%s alone has %.300s: %.1000s", format, text, line)
		}
	}
}
