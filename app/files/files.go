// Package files replaces small files whole.
package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Replace puts a file in the place of another at once, or not at all, and makes its directory where it is missing; only our user may
// read both, since secrets may be in it.
func Replace(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(name), err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Base(name), err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", filepath.Base(name), err)
	}
	return nil
}
