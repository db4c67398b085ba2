package otlp_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kibitz/app/trace/tracetest"
	"kibitz/ingest/otlp"
)

var update = flag.Bool("update", false, "write the golden files")

var limits = otlp.Limits{Items: 100_000}

// TestFromSDKs reads what the programs of app/apptest/sdk/perf_otel* sent.
func TestFromSDKs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*_*.*[nb]")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		encoding := otlp.Protobuf
		if strings.HasSuffix(name, ".json") {
			encoding = otlp.JSON
		}
		got := ""
		var rejected otlp.Rejected
		if strings.Contains(name, "_logs") {
			lines, r, e := otlp.DecodeLogs(body, encoding, limits)
			got, rejected, err = tracetest.Lines(lines), r, e
		} else {
			requests, r, e := otlp.DecodeTraces(body, encoding, limits)
			got, rejected, err = tracetest.Requests(requests), r, e
		}
		if err != nil || rejected.N != 0 {
			t.Fatalf("%s: %v, %+v", name, err, rejected)
		}
		checkGolden(t, name+".golden", got)
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
