package envelope

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kibitz/app/trace"
	"kibitz/app/trace/tracetest"
)

var update = flag.Bool("update", false, "write the golden files")

// decoded is what becomes of the items of an envelope.
func decoded(t testing.TB, body []byte) (requests []trace.Request, lines []trace.LogLine) {
	t.Helper()
	env, items, err := Parse(body, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		var r Rejected
		switch item.Type {
		case "transaction":
			var q trace.Request
			q, r, err = ParseTransaction(item.Payload, env.DSC, Limits{})
			requests = append(requests, q)
		case "span":
			var list []trace.Request
			list, r, err = ParseSpans(item.Payload, env.DSC, Limits{})
			requests = append(requests, list...)
		case "log":
			lines, r, err = ParseLogs(item.Payload, Limits{})
		}
		if err != nil || r.N > 0 {
			t.Fatalf("%s: %v, %+v", item.Type, err, r)
		}
	}
	return requests, lines
}

// TestFromSDKs reads what SDKs sent when the programs of app/apptest/sdk/perf_* ran.
func TestFromSDKs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/sdk/*.envelope")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		requests, lines := decoded(t, body)
		checkGolden(t, strings.TrimSuffix(name, ".envelope")+".golden", tracetest.Requests(requests)+tracetest.Lines(lines))
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}
