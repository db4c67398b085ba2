package hostmetrics

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// Machine is the machine that this process runs on.
func Machine() Source { return Source{Root: os.DirFS("/"), Used: diskUsed} }

// diskUsed is what df says: of what may be used by others than root.
func diskUsed(path string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return math.NaN(), fmt.Errorf("cannot measure a file system: %w", err)
	}
	used := float64(s.Blocks - s.Bfree)
	return percent(used, used+float64(s.Bavail)), nil
}
