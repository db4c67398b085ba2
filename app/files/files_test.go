package files

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "new", "file")
	for _, text := range []string{"one", "another"} {
		if err := Replace(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if info, statErr := os.Stat(name); err != nil || statErr != nil || string(got) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("%q, %v, %v", got, err, info)
		}
	}
	if err := Replace(filepath.Join(name, "below"), nil); err == nil {
		t.Error("a file was written below a file")
	}
	if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}
