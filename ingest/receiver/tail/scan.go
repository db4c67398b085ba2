package tail

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kibitz/ingest/pglog"
)

// forgetAfter is how long a file is followed that has been renamed or deleted, after its last line.
const forgetAfter = 10 * time.Second

// slack is how much older than the last portion a file may be that is new to us: clocks of files lag.
const slack = time.Minute

func match(glob string) ([]string, error) { return filepath.Glob(glob) }

// found is a file that the patterns name.
type found struct {
	path string
	info os.FileInfo
	id   identity
}

// find gives the newest files that the patterns name, each once. Of files that differ in their ending only, which one server
// writes side by side (log_destination = stderr,csvlog,jsonlog), the best is taken: they tell of the same calls.
func (t *Tail) find() (out []found) {
	best := map[string]found{}
	for _, g := range t.o.Globs {
		names, _ := match(g) // Open has tried it
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			stem := strings.TrimSuffix(name, filepath.Ext(name))
			if rank(name) == 0 {
				stem = name
			}
			if had, ok := best[stem]; !ok || rank(name) > rank(had.path) {
				best[stem] = found{name, info, identityOf(info)}
			}
		}
	}
	for _, f := range best {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b found) int {
		return cmp.Or(b.info.ModTime().Compare(a.info.ModTime()), strings.Compare(a.path, b.path))
	})
	return out
}

// rank orders the forms in which a server writes the same log.
func rank(name string) int {
	return map[string]int{".log": 1, ".csv": 2, ".json": 3}[filepath.Ext(name)]
}

// scan looks for files that are new, cut to nothing, renamed or gone.
func (t *Tail) scan(now time.Time) {
	t.scanned = now
	list := t.find()
	named := map[identity]string{}
	for i, at := range list {
		named[at.id] = at.path
		if t.following(at.id) {
			continue
		}
		if i >= maxFiles {
			t.warnFiles(len(list))
			break
		}
		t.consider(at)
	}
	t.look(named, now)
}

func (t *Tail) following(id identity) bool {
	return slices.ContainsFunc(t.files, func(f *file) bool { return f.identity == id })
}

// warnFiles says once that there are too many.
func (t *Tail) warnFiles(n int) {
	if !t.warned {
		t.o.Logger.Warn("pglog.files names too many files; only the newest are read (limit pglog_files)", "files", n, "limit", maxFiles)
	}
	t.warned = true
}

// consider begins to follow a file: one that is new from its beginning. One of before our time is followed from where it
// ended then, once it grows.
func (t *Tail) consider(at found) {
	offset, old := t.ignored[at.id]
	switch {
	case !old && at.info.ModTime().Before(t.state.Saved.Add(-slack)):
		t.ignored[at.id] = at.info.Size()
		return
	case old && at.info.Size() == offset:
		return
	case at.info.Size() < offset:
		offset = 0
	}
	t.open(at, offset)
}

// open begins to follow a file from somewhere on.
func (t *Tail) open(at found, offset int64) {
	f, err := os.Open(at.path)
	if err != nil {
		t.o.Logger.Warn("cannot open a log of PostgreSQL", "file", at.path, "err", err)
		return
	}
	delete(t.ignored, at.id)
	p := place{Path: at.path, identity: at.id, Offset: offset}
	p.Head, p.HeadSize = head(f, min(offset, maxHead))
	t.files, t.begun = append(t.files, newFile(f, p, t.buffer)), append(slices.Clone(t.begun), p)
	t.o.Logger.Info("following a log of PostgreSQL", "file", at.path, "from", offset)
}

// look lets go of files that were renamed or deleted.
func (t *Tail) look(named map[identity]string, now time.Time) {
	t.files = slices.DeleteFunc(t.files, func(f *file) bool {
		if path, ok := named[f.identity]; ok {
			f.Path = path
			return false
		}
		if now.Sub(f.silent) < forgetAfter || f.c != nil && len(f.rest) > 0 {
			return false
		}
		t.o.Logger.Info("a log of PostgreSQL was renamed or deleted, and has been read to its end", "file", f.Path)
		f.close()
		return true
	})
}

// resume opens the files of the state where they were, and hands on the portion that a kill may have kept from the spool.
func (t *Tail) resume(ctx context.Context) bool {
	if !t.state.Done && t.state.Seq > 0 && !t.redo(ctx) {
		return false
	}
	for _, p := range t.state.Next {
		if t.following(p.identity) {
			continue // since the very first start, a moment ago
		}
		if f := t.reopen(p); f != nil {
			t.files, t.begun = append(t.files, newFile(f, p, t.buffer)), append(t.begun, p)
		}
	}
	return true
}

// redo reads the last portion again, exactly as far as it went.
func (t *Tail) redo(ctx context.Context) bool {
	var p pglog.Portion
	for _, from := range t.state.Files {
		to := slices.IndexFunc(t.state.Next, func(n place) bool { return n.identity == from.identity })
		if to < 0 {
			continue
		}
		f := t.reopen(from)
		if f == nil {
			continue
		}
		part, err := again(newFile(f, from, t.buffer), t.state.Next[to], t.o.Log)
		if err != nil {
			t.o.Logger.Error("cannot read a piece of a log again; it is lost unless it was stored", "file", from.Path, "err", err)
		}
		add(&p, part)
	}
	return t.hand(ctx, p)
}

// again reads a file from where it is to where it was.
func again(f *file, to place, o pglog.Options) (pglog.Portion, error) {
	defer f.close()
	now := time.Now()
	if f.Format == "" { // it was found when the portion had begun
		f.Format, f.Prefix = to.Format, to.Prefix
	}
	if err := f.read(o.Detected(f.Format, f.Prefix)); err != nil {
		return pglog.Portion{}, err
	}
	for f.Offset < to.Offset {
		for f.line(now) {
		}
		n, err := f.chunk(to.Offset-f.Offset-int64(len(f.rest)), now)
		if err != nil {
			return pglog.Portion{}, err
		}
		switch {
		case n > 0 || f.line(now):
		case len(f.rest) == 0:
			return f.c.Take(to.Silent), io.ErrUnexpectedEOF
		default:
			f.push(len(f.rest), now) // a piece of a line that does not end
		}
	}
	f.c.Cut(now)
	return f.c.Take(to.Silent), nil
}

// reopen finds a file of the state: under its name, or under another one in its directory.
func (t *Tail) reopen(p place) *os.File {
	names := []string{p.Path}
	entries, _ := os.ReadDir(filepath.Dir(p.Path)) // without it there is the name
	for _, e := range entries {
		names = append(names, filepath.Join(filepath.Dir(p.Path), e.Name()))
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || identityOf(info) != p.identity {
			continue
		}
		f, err := os.Open(name)
		if err == nil && !p.replaced(f, info.Size()) {
			return f
		}
		if err == nil {
			f.Close()
		}
	}
	t.o.Logger.Warn("a log of PostgreSQL is gone; what was not read of it is lost", "file", p.Path, "from", p.Offset)
	return nil
}
