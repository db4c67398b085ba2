package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const queryLog = `2024-01-31 12:00:00.000 UTC [1] LOG:  checkpoint starting: time
2024-01-31 12:00:01.000 UTC [7] joe@shop LOG:  duration: 1.500 ms  statement: SELECT 'a' FROM "T"
2024-01-31 12:00:02.000 UTC [7] joe@shop LOG:  duration: 0.500 ms  statement: SELECT
		'b' FROM "T"
2024-01-31 13:00:02.000 UTC [7] joe@shop LOG:  duration: 40.000 ms  statement: UPDATE t SET a = 1
`

// runQueries runs the command on a log and answers status and outputs.
func runQueries(t *testing.T, log string, args ...string) (int, string, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pg.log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	status := Run(append([]string{"queries", "--file", file}, args...), &out, &errOut)
	return status, out.String(), errOut.String()
}

// TestQueriesJSON holds the contract with scripts, byte for byte.
func TestQueriesJSON(t *testing.T) {
	t.Parallel()
	status, out, errOut := runQueries(t, queryLog, "--json")
	want := `{"sql":"update t set a = ?","calls":1,"total_ms":40,"mean_ms":40,"p95_ms":40,"rows":null,"endpoints":[],"min_ms":40,"max_ms":40,"fingerprint":"`
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || errOut != "" || len(lines) != 2 || !strings.HasPrefix(lines[0], want) {
		t.Fatalf("%d %s\n%s", status, errOut, out)
	}
	var second queried
	if err := json.Unmarshal([]byte(lines[1]), &second); err != nil {
		t.Fatal(err)
	}
	if second.SQL != `select ? from "T"` || second.Calls != 2 || second.TotalMS != 2 || second.MeanMS != 1 || second.P95MS < 1.47 || second.P95MS > 1.5 || second.MinMS != 0.5 || second.MaxMS != 1.5 || len(second.Fingerprint) != 16 {
		t.Errorf("%+v", second)
	}
}

func TestQueriesFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--json --since 2024-01-31T12:30:00Z":                 "update t set a = ?",
		"--json --since 1h":                                   "",
		"--json --sort calls --top 1":                         `select ? from "T"`,
		"--json --sort mean --top 1 --format stderr":          "update t set a = ?",
		"--json --top 1 --sort p95 --prefix %m_[%p]_%q%u@%d_": "update t set a = ?",
	} {
		status, out, errOut := runQueries(t, queryLog, splitArgs(args)...)
		var first queried
		_ = json.Unmarshal([]byte(out), &first) // of no line is what an empty want expects
		if status != 0 || first.SQL != want || strings.Count(out, "\n") > 1 {
			t.Errorf("%s: %d %q %s", args, status, out, errOut)
		}
	}
}

// splitArgs splits at blanks; an underscore is one within an argument.
func splitArgs(s string) []string {
	args := strings.Fields(s)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "_", " ")
	}
	return args
}

// TestQueriesTable: people get totals and a table, with nothing in it that moves a terminal's cursor.
func TestQueriesTable(t *testing.T) {
	t.Parallel()
	status, out, _ := runQueries(t, queryLog+"2024-01-31 13:00:02.000 UTC [7] joe@shop LOG:  duration: 1.000 ms  statement: SELECT \"\x1b[2J\u202e\"\n")
	for _, want := range []string{"4 calls in 0.043 s", "40.0  93.0 %      1  40.000  40.000  40.000  update t set a = ?", "\uFFFD[2J\uFFFD"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if status != 0 || strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("%d %q", status, out)
	}
}

// TestQueriesWrong: what is wrong is said, with status 2 for the command line and 1 for the log.
func TestQueriesWrong(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--format xml": "no format", "--sort name": "no order", "--top -1": "less than 0", "--sort rows": "no order", "--source disk": "no source", "--since never": "neither a time", "more": "--file more",
	} {
		if status, _, errOut := runQueries(t, queryLog, strings.Fields(args)...); status != 2 || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %s", args, status, errOut)
		}
	}
	for args, want := range map[string]string{"--file /nonexistent": "cannot open the log", "--prefix %y": "%'y'", "--file .": "is a directory"} {
		if status, _, errOut := runQueries(t, queryLog, strings.Fields(args)...); status != 1 || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %s", args, status, errOut)
		}
	}
	if status, out, errOut := runQueries(t, "no log\nof PostgreSQL\n", "--json"); status != 0 || out != "" || !strings.Contains(errOut, "no entry was found in 2 lines") || !strings.Contains(errOut, "2 lines belong to no entry") {
		t.Errorf("%d %q %q", status, out, errOut)
	}
}

func TestSinceWhen(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"": {}, "90m": now.Add(-90 * time.Minute), "2024-01-30": now.Add(-36 * time.Hour), "2024-01-31T14:00:00+02:00": now} {
		if got, err := sinceWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}
