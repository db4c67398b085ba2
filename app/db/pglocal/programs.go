package pglocal

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// The versions that Kibitz runs on.
const (
	minMajor = 15
	maxMajor = 18
)

// programs is a directory with the programs of one PostgreSQL.
type programs struct {
	dir   string
	major int
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// libraryDirs are where packages keep the libraries that the server loads, seen from the directory of its programs: Debian,
// Homebrew and the released archives; archives as they are unpacked; Fedora and PGDG.
var libraryDirs = []string{"../lib", "../lib/postgresql", "../lib64/pgsql", "../lib/pgsql"}

// has tells whether a library that the server can load at its start is there.
func (p programs) has(library string) bool {
	// Links lead from where programs are found to where the package is.
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		return false
	}
	for _, lib := range libraryDirs {
		for _, ending := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(dir, lib, library+ending)); err == nil {
				return true
			}
		}
	}
	return false
}

// usualPlaces are where Debian, Fedora and PGDG, Homebrew and Postgres.app put the programs.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// finder looks for programs: first where it was told to, then in PATH and the usual places and where an earlier
// download went, and at last it fetches them.
type finder struct {
	first  []string
	places []string // glob patterns
	look   func(name string) (string, error)
	fetch  func(ctx context.Context) (programs, error)
}

func newFinder(opts Options, h home, a *account) finder {
	return finder{first: opts.Search, places: append(slices.Clone(usualPlaces), filepath.Join(h.bin(), "*", "bin")), look: exec.LookPath,
		fetch: func(ctx context.Context) (programs, error) {
			return fetch(ctx, h.bin(), a, opts.Progress, "")
		}}
}

// find answers programs for data of a major version; for new data (0) those that we were told to take, else the
// newest.
func (f finder) find(ctx context.Context, major int) (programs, error) {
	told, found := probe(ctx, f.first), []programs(nil)
	if path, err := f.look("postgres"); err == nil {
		// Homebrew links its programs into PATH; the rest of the programs is beside the real file.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		found = probe(ctx, []string{filepath.Dir(path)})
	}
	for _, pattern := range f.places {
		dirs, _ := filepath.Glob(pattern) // the only error is a bad pattern
		found = append(found, probe(ctx, dirs)...)
	}
	slices.SortStableFunc(found, func(a, b programs) int { return b.major - a.major })
	found = append(told, slices.Compact(found)...)
	if major != 0 {
		return choose(found, major)
	}
	for _, p := range found {
		if supported(p.major) {
			return p, nil
		}
	}
	p, err := f.fetch(ctx)
	if err != nil {
		return programs{}, fmt.Errorf("%s; fetching it failed: %w", advice(found), err)
	}
	return p, nil
}

func supported(major int) bool { return minMajor <= major && major <= maxMajor }

// choose takes programs of exactly the version that made the data; PostgreSQL reads no other.
func choose(found []programs, major int) (programs, error) {
	for _, p := range found {
		if p.major == major && supported(major) {
			return p, nil
		}
	}
	if !supported(major) {
		return programs{}, fmt.Errorf("the data was made by PostgreSQL %d, and Kibitz runs on %d to %d (found: %s): bring the data to a newer version with pg_upgrade, or move its directory away to start anew",
			major, minMajor, maxMajor, list(found))
	}
	return programs{}, fmt.Errorf("the data was made by PostgreSQL %d, and that version is not installed (found: %s): install PostgreSQL %d, or bring the data to an installed version with pg_upgrade, or move its directory away to start anew",
		major, list(found), major)
}

func list(found []programs) string {
	if len(found) == 0 {
		return "none"
	}
	var s []string
	for _, p := range found {
		s = append(s, fmt.Sprintf("%d in %s", p.major, p.dir))
	}
	return strings.Join(s, ", ")
}

// advice says what to install where.
func advice(found []programs) string {
	return fmt.Sprintf("cannot find PostgreSQL %d to %d (found: %s); install it: `apt install postgresql` on Debian and Ubuntu, `dnf install postgresql-server` on Fedora, `brew install postgresql@%d` on macOS; or set KIBITZ_POSTGRES_BIN to the directory that has initdb and postgres, or KIBITZ_DATABASE_*_PRIMARY to a server that runs already",
		minMajor, maxMajor, list(found), maxMajor-1)
}

// probe keeps the directories that have both programs, with their version.
func probe(ctx context.Context, dirs []string) []programs {
	var found []programs
	for _, dir := range dirs {
		p := programs{dir: dir}
		if _, err := os.Stat(p.path("initdb")); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, p.path("postgres"), "--version").Output()
		if err != nil {
			continue
		}
		if p.major = parseMajor(string(out)); p.major != 0 {
			found = append(found, p)
		}
	}
	return found
}

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" and "... 18beta1"; 0 when it is neither.
func parseMajor(s string) int {
	_, s, ok := strings.Cut(s, "(PostgreSQL) ")
	if !ok {
		return 0
	}
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	major, _ := strconv.Atoi(s[:end])
	return major
}

// fetch downloads released programs of the newest version into dir/VERSION. embedded-postgres offers only to start
// its own server; its data path lies under a file here, so that it gives up after unpacking, before initdb. from is where
// the archives of zonkyio/embedded-postgres-binaries are; "" for where that library looks.
func fetch(ctx context.Context, dir string, a *account, progress io.Writer, from string) (programs, error) {
	version := embeddedpostgres.V18
	fmt.Fprintf(progress, "fetching PostgreSQL %s, once ...\n", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return programs{}, err
	}
	tmp, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return programs{}, err
	}
	defer os.RemoveAll(tmp)
	file, unpacked := filepath.Join(tmp, "file"), filepath.Join(tmp, "unpacked")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return programs{}, err
	}
	config := embeddedpostgres.DefaultConfig()
	if from != "" {
		config = config.BinaryRepositoryURL(from)
	} else {
		defer metered(progress)()
	}
	failed := make(chan error, 1)
	go func() { // it knows no context
		failed <- embeddedpostgres.NewDatabase(config.Version(version).Port(0).Logger(io.Discard).
			CachePath(filepath.Join(tmp, "cache")).RuntimePath(filepath.Join(tmp, "runtime")).BinariesPath(unpacked).DataPath(filepath.Join(file, "data"))).Start()
	}()
	select {
	case <-ctx.Done():
		return programs{}, ctx.Err()
	case err = <-failed:
	}
	if len(probe(ctx, []string{filepath.Join(unpacked, "bin")})) == 0 {
		return programs{}, fmt.Errorf("cannot fetch PostgreSQL %s from %s: %w", version, cmp.Or(from, "where its archives are published"), err)
	}
	return install(ctx, dir, unpacked, string(version), a)
}

// install moves unpacked programs to where they stay.
func install(ctx context.Context, dir, unpacked, version string, a *account) (programs, error) {
	to := filepath.Join(dir, version)
	if err := os.Rename(unpacked, to); err != nil {
		return programs{}, err
	}
	if err := os.Chmod(to, 0o755); err != nil {
		return programs{}, err
	}
	if err := a.own(to); err != nil {
		return programs{}, err
	}
	found := probe(ctx, []string{filepath.Join(to, "bin")})
	if len(found) == 0 {
		return programs{}, fmt.Errorf("cannot run the PostgreSQL in %s", to)
	}
	return found[0], nil
}
