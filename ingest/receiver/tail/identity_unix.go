//go:build unix

package tail

import (
	"os"
	"syscall"
)

// identityOf is a file's device and inode.
func identityOf(info os.FileInfo) identity {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return identity{uint64(s.Dev), s.Ino}
	}
	return identity{}
}
