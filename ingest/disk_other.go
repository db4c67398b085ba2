//go:build !linux

package ingest

import "os"

// reserve does nothing where there is no cheap way to.
func reserve(*os.File, int64) error { return nil }

// datasync is a full sync: on macOS the only call that reaches the platter.
func datasync(f *os.File) error { return f.Sync() }
