package pglog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kibitz/ingest/sqltext"
)

// badger is what we read of a report of pgBadger 12. Other kinds of values stand among the totals, under names that are
// no databases.
type badger struct {
	Overall    map[string]json.RawMessage `json:"overall_stat"`
	Statements map[string]map[string]struct {
		Count    int64   `json:"count"`
		Duration float64 `json:"duration"` // ms
	} `json:"normalyzed_info"`
}

type badgerTotals struct {
	Queries  int64 `json:"queries_number"`
	Duration struct {
		Execute, Prepare, Bind float64 // ms
	} `json:"queries_duration"`
}

// comparePgBadger reads the same log with pgBadger, where it is installed, and compares counts and sums. It takes the
// database without auto_explain: pgBadger counts the plan of a call as another call, and this is where we differ.
func comparePgBadger(t *testing.T, live logged) {
	t.Helper()
	program, err := exec.LookPath("pgbadger")
	if err != nil {
		t.Log("pgBadger is not compared with: it is not installed; app/apptest/setup.sh does it")
		return
	}
	for format, name := range map[string]string{"csv": "pg.csv", "jsonlog": "pg.json", "stderr": "pg.log"} {
		out := filepath.Join(t.TempDir(), "out.json")
		cmd := exec.Command(program, "-q", "-j", "1", "-f", format, "-p", livePrefix, "-d", "plain", "-x", "json", "-o", out, filepath.Join(live.dir, name))
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("pgbadger: %v %s", err, text)
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		ours := onlyDatabase(t, readLog(t, live.dir, name), "plain")
		compareReports(t, name, raw, ours)
	}
}

func onlyDatabase(t *testing.T, log []byte, database string) *Digest {
	t.Helper()
	d := NewDigest(sqltext.NewNormalizer(1 << 20))
	_, err := Read(bytes.NewReader(log), Options{}, func(e *Entry) {
		if e.Database == database {
			d.Add(e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	return d
}

// compareReports compares totals, and all statements by their count and sum; their texts are normalised in other ways.
func compareReports(t *testing.T, name string, raw []byte, d *Digest) {
	t.Helper()
	var report badger
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Fatal(err)
	}
	var totals badgerTotals
	var theirs, ours []string
	for database, statements := range report.Statements {
		if err := json.Unmarshal(report.Overall[database], &totals); err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			theirs = append(theirs, fmt.Sprintf("%d calls %.3f ms", s.Count, s.Duration))
		}
	}
	for _, s := range d.Top(ByTotal, 0) {
		ours = append(ours, fmt.Sprintf("%d calls %.3f ms", s.Calls, ms(s.Total)))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	// From stderr pgBadger 12 makes two statements of one that waited for a lock.
	if !slices.Equal(ours, theirs) && name != "pg.log" {
		t.Errorf("%s: ours %q\npgBadger %q", name, ours, theirs)
	}
	got := fmt.Sprintf("%d calls, execute %.3f, parse %.3f, bind %.3f ms", d.Totals.Calls, ms(d.Totals.Executed), ms(d.Totals.Parsed), ms(d.Totals.Bound))
	want := fmt.Sprintf("%d calls, execute %.3f, parse %.3f, bind %.3f ms", totals.Queries, totals.Duration.Execute, totals.Duration.Prepare, totals.Duration.Bind)
	if t.Logf("%s: %s in %d statements", name, got, len(ours)); got != want {
		t.Errorf("%s: ours %s\npgBadger %s", name, got, want)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
