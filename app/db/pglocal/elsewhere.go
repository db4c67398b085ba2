package pglocal

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// libDir is where programs keep their data on a machine; root can make directories there that others may enter.
const libDir = "/var/lib"

// Elsewhere is where PostgreSQL's files should go instead of dir, or "" when dir will do. It matters to root alone: a
// checkout under /root cannot be entered by the ordinary user that PostgreSQL runs as. The answer depends on dir only,
// so that every command beside a server finds the same place. Data that is there already stays there.
func Elsewhere(dir string) string { return elsewhere(dir, libDir) }

func elsewhere(dir, lib string) string {
	abs, err := filepath.Abs(dir)
	if err != nil || os.Geteuid() != 0 {
		return ""
	}
	if _, err := os.Stat(filepath.Join(abs, "data", "PG_VERSION")); err == nil {
		return ""
	}
	a, err := chooseAccount(filepath.Join(abs, "data"))
	if err != nil || a.blocked(filepath.Dir(abs)) == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(abs))
	other := filepath.Join(lib, fmt.Sprintf("kibitz-%x", sum[:6]))
	if a.blocked(other) != "" {
		return ""
	}
	return other
}
