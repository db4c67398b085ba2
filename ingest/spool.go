package ingest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"kibitz/app/errs"
)

// SpoolOptions are where a spool lives and how large it may grow.
type SpoolOptions struct {
	Dir         string
	SegmentSize int64 // bytes of a file; 64 MiB when 0
	MaxSize     int64 // bytes of all files; 4 GiB when 0
	Log         *slog.Logger
}

// Spool is the log on disk that every accepted record goes through. Append returns when the record is on the
// platter: whoever waits at the same time shares one write and one fdatasync. Files are append-only and never
// written again after a restart, so that a torn end stays where it is and is skipped.
type Spool struct {
	dir     string
	id      string
	segment int64
	max     int64
	log     *slog.Logger
	lock    *os.File

	mu      sync.Mutex
	pending *group // collects appends while the former group is written
	closed  bool
	end     Position         // everything before it is durable
	ends    map[uint64]int64 // where closed segments of this process end
	sizes   map[uint64]int64 // bytes of each file on disk
	news    chan struct{}    // closed and replaced when end moves

	wake chan struct{} // tells the writer that a group waits
	done chan struct{}
	file *os.File // the writer's; nil before the first record
	disk disk
}

// disk is what a spool asks of the file system; tests put faults into it.
type disk struct {
	create func(name string, size int64) (*os.File, error)
	write  func(f *os.File, b []byte, at int64) error
	sync   func(f *os.File) error
}

// group is the appends that share one write.
type group struct {
	buf  []byte
	done chan struct{}
	err  error
}

// magic begins every segment.
const magic = "kibitz spool 1\n\x00"

// ErrFull is the answer of a spool that has reached its greatest size.
var ErrFull = errs.New(errs.Unavailable, "The spool is full (spool.max_size); the database has been away or slow for too long. Try again later.")

var errClosed = errs.New(errs.Unavailable, "The server is stopping. Try again in a moment.")

// maxGroup bounds the bytes that wait for one write, so that a slow disk does not become a full memory.
const maxGroup = 32 << 20

var errBusy = errs.New(errs.Unavailable, "The disk is too slow for what arrives. Try again in a moment.")

// OpenSpool opens the spool of a directory, making it when it is not there. One process at a time may.
func OpenSpool(o SpoolOptions) (s *Spool, err error) {
	defer errs.Wrap(&err, "cannot open the spool in %s", o.Dir)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s = &Spool{dir: o.Dir, segment: cmp.Or(o.SegmentSize, 64<<20), max: cmp.Or(o.MaxSize, 4<<30), log: o.Log, lock: lock,
		ends: map[uint64]int64{}, sizes: map[uint64]int64{}, news: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
		pending: newGroup(), disk: disk{createSegment, writeAt, datasync}}
	if err := s.scan(); err != nil {
		lock.Close()
		return nil, err
	}
	go s.run()
	return s, nil
}

func newGroup() *group { return &group{done: make(chan struct{})} }

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("another process uses it")
	}
	return f, nil
}

// scan finds the files that are there and the spool's own name. Writing begins in a new file.
func (s *Spool) scan() (err error) {
	if s.id, err = spoolID(s.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var n uint64
		if _, err := fmt.Sscanf(e.Name(), "%016d.seg", &n); err != nil || !strings.HasSuffix(e.Name(), ".seg") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.sizes[n] = info.Size()
		s.end.Segment = max(s.end.Segment, n)
	}
	s.end = Position{s.end.Segment + 1, int64(len(magic))}
	return nil
}

// spoolID is the name of this spool, made once: a cursor in the database belongs to it, and a spool that was
// deleted and made anew begins anew.
func spoolID(dir string) (string, error) {
	name := filepath.Join(dir, "id")
	b, err := os.ReadFile(name)
	if err == nil && len(b) >= 16 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var raw [8]byte
	rand.Read(raw[:])
	id := hex.EncodeToString(raw[:])
	if err := os.WriteFile(name+".new", []byte(id+"\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return "", err
	}
	return id, syncDir(dir)
}

// ID names this spool, for its cursor.
func (s *Spool) ID() string { return s.id }

// Append writes records durably, all or (as far as the caller is told) none. It waits for the disk.
func (s *Spool) Append(ctx context.Context, records ...Record) error {
	s.mu.Lock()
	if err := s.admit(); err != nil {
		s.mu.Unlock()
		return err
	}
	g := s.pending
	for i := range records {
		g.buf = appendRecord(g.buf, &records[i])
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Spool) admit() error {
	switch {
	case s.closed:
		return errClosed
	case s.size() >= s.max:
		return ErrFull
	case len(s.pending.buf) > maxGroup:
		return errBusy
	}
	return nil
}

// Size is how many bytes wait on disk or have not been removed yet, and how many may.
func (s *Spool) Size() (used, max int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size(), s.max
}

// Behind is how many bytes were written after a position.
func (s *Spool) Behind(from Position) (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, size := range s.sizes {
		if n >= from.Segment && n != s.end.Segment {
			sum += size
		}
	}
	sum += s.end.Offset
	if _, ok := s.sizes[from.Segment]; ok || from.Segment == s.end.Segment {
		sum -= from.Offset
	}
	return max(sum, 0)
}

// size counts closed files whole and the open one as far as it is written.
func (s *Spool) size() int64 {
	var sum int64
	for n, size := range s.sizes {
		if n != s.end.Segment {
			sum += size
		}
	}
	return sum + s.end.Offset
}

// run is the writer: one group after the other.
func (s *Spool) run() {
	defer close(s.done)
	for range s.wake {
		s.mu.Lock()
		g, at, closed := s.pending, s.end, s.closed
		s.pending = newGroup()
		s.mu.Unlock()
		if len(g.buf) > 0 {
			g.err = s.write(g.buf, at)
		}
		close(g.done)
		if closed {
			return
		}
	}
}

// write puts a group at the end. A failure leaves the file as it is and goes on in a new one: after a failed
// fdatasync nothing can be known about its pages.
func (s *Spool) write(buf []byte, at Position) error {
	if s.file == nil || (at.Offset > int64(len(magic)) && at.Offset+int64(len(buf)) > s.segment) {
		next, err := s.roll(at)
		if err != nil {
			return unavailable(err)
		}
		at = next
	}
	err := s.disk.write(s.file, buf, at.Offset)
	if err == nil {
		err = s.disk.sync(s.file)
	}
	if err != nil {
		s.log.Error("cannot write to the spool; going on in a new file", "err", err)
		s.closeFile(at.Offset)
		s.move(Position{at.Segment + 1, int64(len(magic))})
		return unavailable(err)
	}
	s.move(Position{at.Segment, at.Offset + int64(len(buf))})
	return nil
}

// roll closes the file and begins the next one.
func (s *Spool) roll(at Position) (Position, error) {
	if s.file != nil {
		s.closeFile(at.Offset)
		at = Position{at.Segment + 1, int64(len(magic))}
		s.move(at)
	}
	f, err := s.disk.create(segmentName(s.dir, at.Segment), s.segment)
	if err == nil {
		err = s.disk.write(f, []byte(magic), 0)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		if f != nil {
			f.Close()
			os.Remove(f.Name())
		}
		return at, err
	}
	s.file = f
	s.mu.Lock()
	s.sizes[at.Segment] = s.segment
	s.mu.Unlock()
	return at, nil
}

// closeFile ends the open file after what is durable in it.
func (s *Spool) closeFile(end int64) {
	n := s.end.Segment // only the writer moves it
	if err := s.file.Close(); err != nil {
		s.log.Warn("cannot close a spool file", "err", err)
	}
	s.file = nil
	s.mu.Lock()
	s.ends[n], s.sizes[n] = end, end
	s.mu.Unlock()
}

// move makes a new end known.
func (s *Spool) move(to Position) {
	s.mu.Lock()
	s.end = to
	close(s.news)
	s.news = make(chan struct{})
	s.mu.Unlock()
}

// End is the place after the last durable record, and a channel that is closed when it has moved on.
func (s *Spool) End() (Position, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end, s.news
}

// Remove deletes the files before a position: they have been drained.
func (s *Spool) Remove(before Position) {
	s.mu.Lock()
	var old []uint64
	for n := range s.sizes {
		if n < before.Segment && n < s.end.Segment {
			old = append(old, n)
			delete(s.sizes, n)
			delete(s.ends, n)
		}
	}
	s.mu.Unlock()
	slices.Sort(old)
	for _, n := range old {
		if err := os.Remove(segmentName(s.dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("cannot remove a drained spool file", "err", err)
		}
	}
}

// Close writes what waits and lets go of the directory.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.wake <- struct{}{}
	<-s.done
	if s.file != nil {
		// Cut the room that was reserved, so that the file says what it holds.
		if err := s.file.Truncate(s.end.Offset); err != nil {
			s.log.Warn("cannot cut a spool file", "err", err)
		}
		s.file.Close()
	}
	return s.lock.Close()
}

func segmentName(dir string, n uint64) string { return filepath.Join(dir, fmt.Sprintf("%016d.seg", n)) }

func unavailable(err error) error {
	return fmt.Errorf("cannot write to the spool: %w: %w", errs.New(errs.Unavailable, "The disk does not take any more. Try again in a moment."), err)
}

func createSegment(name string, size int64) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, reserve(f, size)
}

func writeAt(f *os.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
