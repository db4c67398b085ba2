package cli

import (
	"strings"
	"testing"
)

// TestPeerFigures holds that what `go test -bench` prints is read, best and median of several rounds.
func TestPeerFigures(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := &switchBench{out: &out}
	err := b.printPeers([]byte("goos: linux\nBenchmarkShare/open_feature,_static-2   100   417.4 ns/op  279 B/op  5 allocs/op\nBenchmarkShare/kibitz-2 1 40 ns/op 0 B/op 0 allocs/op\n" +
		"BenchmarkShare/open_feature,_static-2   100   500 ns/op  279 B/op  5 allocs/op\nPASS\n"))
	want := "  Share/open feature, static                       best   417.4 ns, median   500.0 ns, 5 allocations, 279 bytes\n" +
		"  Share/kibitz                                     best    40.0 ns, median    40.0 ns, 0 allocations, 0 bytes\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := b.printPeers([]byte("FAIL\n")); err == nil {
		t.Error("no figure is an error")
	}
}
