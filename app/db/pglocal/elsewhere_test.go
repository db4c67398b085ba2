package pglocal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestElsewhere holds that root's closed directories are left for a place that PostgreSQL's user can enter, always the same,
// and that nothing else is.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs PostgreSQL as another user")
	}
	open := filepath.Dir(tempDir(t))
	closed := filepath.Join(open, "private")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := elsewhere(filepath.Join(open, "data", "postgres"), open); got != "" {
		t.Errorf("an open directory goes to %s", got)
	}
	dir := filepath.Join(closed, "data", "postgres")
	got := elsewhere(dir, open)
	if !strings.HasPrefix(got, filepath.Join(open, "kibitz-")) || got != elsewhere(dir, open) || got == elsewhere(dir+"2", open) {
		t.Errorf("a closed directory goes to %q", got)
	}
	if got := elsewhere(dir, closed); got != "" {
		t.Errorf("it goes to %s, which is closed too", got)
	}
	s := start(t, got)
	query(t, s, "SELECT 1")
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("15\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := elsewhere(dir, open); got != "" {
		t.Errorf("data that is there is left behind for %s", got)
	}
}
