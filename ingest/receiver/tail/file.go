package tail

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"time"

	"kibitz/ingest/pglog"
)

const (
	maxHead   = 1 << 10
	chunkSize = 256 << 10
	// sampleSize is how much of a file is looked at to find its format.
	sampleSize = 64 << 10
	// sickLines is how many lines without an entry it takes to look for another log_line_prefix.
	sickLines = 10
)

// file is one that is followed.
type file struct {
	place
	f         *os.File
	buffer    []byte           // shared by all files
	c         *pglog.Collector // nil until the format is known
	rest      []byte           // read, and not pushed yet
	record    int64            // where the record begins that is being read
	unclaimed int64            // of the collector's, at the last portion
	lines     int64
	silent    time.Time // since when nothing has come
}

// newFile begins at a place. What was unpaired there is restored.
func newFile(f *os.File, at place, buffer []byte) *file {
	return &file{place: at, f: f, buffer: buffer, record: at.Offset, silent: time.Now()}
}

func (f *file) close() { f.f.Close() }

func (f *file) full() bool { return f.c != nil && f.c.Full() }

// start finds the format, once there is a line to tell it by.
func (f *file) start(o pglog.Options) error {
	if f.Format == "" {
		sample := make([]byte, sampleSize)
		n, err := f.f.ReadAt(sample, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := bytes.LastIndexByte(sample[:n], '\n')
		if end < 0 {
			return nil
		}
		found := pglog.DetectAs(sample[:end], o)
		f.Format, f.Prefix = found.Format, found.Prefix
	}
	return f.read(o.Detected(f.Format, f.Prefix))
}

// read makes a collector that goes on where the last one was.
func (f *file) read(o pglog.Options) (err error) {
	if f.c != nil {
		f.Unpaired = f.c.Unpaired()
	}
	if f.c, err = pglog.NewCollector(o); err != nil {
		return err
	}
	f.c.Restore(f.Unpaired)
	f.unclaimed, f.lines = 0, 0
	return nil
}

// fill reads what has been written since, up to maxRead bytes, and says how much it was.
func (f *file) fill(o pglog.Options, now time.Time) (total int64, err error) {
	if f.c == nil {
		if err := f.start(o); err != nil || f.c == nil {
			return 0, err
		}
	}
	for !f.full() && f.line(now) { // what has waited
	}
	for total < maxRead && !f.full() {
		n, err := f.chunk(chunkSize, now)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
		f.silent = now
		f.measure()
	}
	return total, nil
}

// chunk reads once, at most so many bytes, and pushes the lines that are whole. Once the collector is full, they wait.
func (f *file) chunk(most int64, now time.Time) (int64, error) {
	n, err := f.f.ReadAt(f.buffer[:min(most, int64(len(f.buffer)))], f.Offset+int64(len(f.rest)))
	if err != nil && !errors.Is(err, io.EOF) {
		return int64(n), err
	}
	f.rest = append(f.rest, f.buffer[:n]...)
	for !f.full() && f.line(now) {
	}
	if len(f.rest) > pglog.MaxEntry && !f.full() { // a line that does not end is read as several
		f.push(len(f.rest), now)
	}
	return int64(n), nil
}

// line pushes the next whole line, when there is one.
func (f *file) line(now time.Time) bool {
	end := bytes.IndexByte(f.rest, '\n')
	if end < 0 {
		return false
	}
	f.push(end+1, now)
	return true
}

func (f *file) push(n int, now time.Time) {
	line := f.rest[:n]
	if f.Format == pglog.CSV && f.c.Begins(nil) {
		f.record = f.Offset
	}
	f.c.Push(line, now)
	f.Offset += int64(n)
	f.rest = f.rest[n:]
	if len(f.rest) == 0 {
		f.rest = nil
	}
}

// cut ends a portion: where more follows, before an entry begins. A record whose end is missing will be read again.
func (f *file) cut(o pglog.Options, now time.Time, silent bool) pglog.Portion {
	if f.c == nil {
		return pglog.Portion{}
	}
	f.toBoundary(now)
	if !f.c.Begins(nil) && f.Format == pglog.CSV {
		f.Offset, f.rest = f.record, nil
	}
	f.c.Cut(now)
	f.Silent = silent
	p := f.c.Take(silent)
	f.Unpaired = f.c.Unpaired()
	f.measure()
	f.mend(o)
	return p
}

// toBoundary pushes on to where an entry begins, or to the end of what has been read.
func (f *file) toBoundary(now time.Time) {
	for {
		end := bytes.IndexByte(f.rest, '\n')
		if end < 0 || f.c.Begins(bytes.TrimRight(f.rest[:end], "\r")) {
			return
		}
		f.push(end+1, now)
	}
}

// mend looks for another log_line_prefix when most lines did not fit the one that was found.
func (f *file) mend(o pglog.Options) {
	s := f.c.Stats()
	lines, unclaimed := s.Lines-f.lines, s.Unclaimed-f.unclaimed
	f.lines, f.unclaimed = s.Lines, s.Unclaimed
	if unclaimed < sickLines || unclaimed*2 < lines || o.Prefix != "" || f.Format != pglog.Stderr && f.Format != pglog.Syslog {
		return
	}
	sample := make([]byte, min(f.Offset, sampleSize))
	if _, err := f.f.ReadAt(sample, f.Offset-int64(len(sample))); err != nil {
		return
	}
	_, sample, _ = bytes.Cut(sample, []byte("\n"))
	if found := pglog.DetectAs(sample, o); found.Prefix != f.Prefix {
		f.Format, f.Prefix = found.Format, found.Prefix
		_ = f.read(found) // which fails for wrong options only
	}
}

// measure takes the file's head, by which it is known again.
func (f *file) measure() {
	if f.HeadSize < maxHead {
		f.Head, f.HeadSize = head(f.f, min(f.Offset, maxHead))
	}
}

// head is the checksum of a file's first bytes, and how many there were.
func head(f *os.File, size int64) (uint32, int64) {
	b := make([]byte, size)
	n, _ := f.ReadAt(b, 0) // at the end of the file it is less
	return crc32.Checksum(b[:n], crc32.MakeTable(crc32.Castagnoli)), int64(n)
}

// replaced tells whether the file was cut to nothing since, or has been written anew.
func (p *place) replaced(f *os.File, size int64) bool {
	if size < p.Offset {
		return true
	}
	sum, n := head(f, p.HeadSize)
	return n != p.HeadSize || sum != p.Head
}

// rewind begins a file anew that has been cut to nothing.
func (f *file) rewind(now time.Time) {
	if f.c != nil {
		f.c.Cut(now)
	}
	f.Offset, f.record, f.Head, f.HeadSize, f.rest = 0, 0, 0, 0, nil
}
