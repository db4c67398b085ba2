package pglocal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// authentication trusts whoever reaches the socket: its directory is closed (0700) to all but the OS user that runs
// PostgreSQL and root, and nothing listens elsewhere. Peer authentication would not do, since Kibitz may be root
// and connects as several roles; a password would have to lie in a file that exactly the same users can read.
const authentication = `# written by Kibitz: the directory of the socket lets in only the user that runs PostgreSQL, and root
local all all trust
local replication all trust
`

// initdb makes the cluster in a new directory and renames it, so that a data directory is whole or absent. What
// an interrupted one left is removed; the names are new each time, since its initdb may still be writing.
func (s *Server) initdb(ctx context.Context) error {
	fmt.Fprintf(s.opts.Progress, "making a PostgreSQL %d database in %s ...\n", s.programs.major, s.home.data())
	s.removeHalfMade()
	var err error
	for _, locale := range locales(s.programs.major) {
		var again bool
		if again, err = s.initdbWith(ctx, locale); !again {
			return err
		}
	}
	return err
}

// newData is how the name of a directory starts that initdb or pg_basebackup is at work in.
const newData = "data.new-"

func (s *Server) removeHalfMade() {
	old, _ := filepath.Glob(filepath.Join(s.home.dir, newData+"*")) // a home with [ in its name keeps its remains
	for _, dir := range old {
		s.opts.Log.Warn("removing a half-made data directory", "dir", dir)
		if err := os.RemoveAll(dir); err != nil {
			s.opts.Log.Warn("cannot remove a half-made data directory", "err", err)
		}
	}
}

// locales are the choices for initdb, the best first. C.UTF-8 sorts by code point, the same everywhere and with
// every release of the system, so that an upgrade damages no index, and knows the letters of all languages. From 17
// on PostgreSQL has it built in; a system may lack it, and all have C.
func locales(major int) [][]string {
	list := [][]string{{"--locale=C.UTF-8"}, {"--locale=C"}}
	if major >= 17 {
		list = append([][]string{{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"}}, list...)
	}
	return list
}

// initdbWith answers again when another locale may do.
func (s *Server) initdbWith(ctx context.Context, locale []string) (again bool, err error) {
	tmp, err := s.makeNewData()
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	args := append([]string{"-D", tmp, "-U", Superuser, "--encoding=UTF8", "--data-checksums", "--auth=trust"}, locale...)
	out, err := s.account.command(ctx, s.home.dir, s.programs.path("initdb"), args...).CombinedOutput()
	if err != nil {
		return strings.Contains(string(out), "locale") && ctx.Err() == nil, fmt.Errorf("cannot make the database: initdb: %w\n%s", err, out)
	}
	if err := s.finish(tmp); err != nil {
		return false, fmt.Errorf("cannot finish the database: %w", err)
	}
	return false, nil
}

// makeNewData makes an empty directory that belongs to the account.
func (s *Server) makeNewData() (string, error) {
	tmp, err := os.MkdirTemp(s.home.dir, newData)
	if err != nil {
		return "", fmt.Errorf("cannot make the data directory: %w", err)
	}
	return tmp, s.account.own(tmp)
}

// finish adds our files to a new cluster and puts it in its place.
func (s *Server) finish(tmp string) error {
	if err := os.WriteFile(filepath.Join(tmp, "pg_hba.conf"), []byte(authentication), 0o600); err != nil {
		return err
	}
	if err := include(filepath.Join(tmp, "postgresql.conf")); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(tmp, settingsFile), s.settings()); err != nil {
		return err
	}
	if err := s.account.own(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, s.home.data()); err != nil {
		return err
	}
	return syncDir(s.home.dir)
}

func include(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n# Kibitz writes " + settingsFile + " at each start; settings below this line, and ALTER SYSTEM, win over it.\ninclude_if_exists = '" + settingsFile + "'\n")
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
