package migrations

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

var fileForm = regexp.MustCompile(`^(\d{4})_[a-z]+(_[a-z0-9]+)+\.sql$`)

// TestNumbering holds file names, and that each has a number of its own.
func TestNumbering(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"forums", "posts", "users", "ops"} {
		files, err := fs.ReadDir(Files, part)
		if err != nil || len(files) == 0 {
			t.Fatalf("cannot read the migrations of %s: %v", part, err)
		}
		last := ""
		for _, f := range files {
			m := fileForm.FindStringSubmatch(f.Name())
			if m == nil || m[1] <= last {
				t.Fatalf("%s/%s: want NNNN_verb_noun.sql with a number above %s", part, f.Name(), last)
			}
			last = m[1]
		}
	}
}

// TestForwardOnly holds that no migration drops or rewrites what a released one made without saying so.
func TestForwardOnly(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		for _, word := range []string{"DROP TABLE", "TRUNCATE", "DROP SCHEMA", "BEGIN;", "COMMIT;"} {
			if strings.Contains(strings.ToUpper(string(text)), word) {
				t.Errorf("%s contains %s: migrations go forward, and their transaction is not theirs", name, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
