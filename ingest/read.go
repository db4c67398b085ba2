package ingest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Limits of one read: a transaction of the drain.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 16 << 20
	// maxBatchRequests bounds the compressed requests and log lines of a batch. They unfold to some twenty times that,
	// and 1 MiB of them is some 10,000 requests: more in one transaction make none of them cheaper.
	maxBatchRequests = 1 << 20
)

// Read gives the records from a position on, at most a batch of them, and the position after the last. Without
// records the position may still have moved: over the end of a file, or over damage, which is logged and kept.
func (s *Spool) Read(from Position) (records []Record, to Position, err error) {
	from = s.normal(from)
	end, _ := s.End()
	if from == end {
		return nil, from, nil
	}
	limit, known := s.limit(from.Segment)
	f, err := os.Open(segmentName(s.dir, from.Segment))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.following(from.Segment), nil
	}
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	records, to, err = readRecords(f, from, limit)
	if err != nil && !errors.Is(err, errTorn) {
		return nil, from, err
	}
	if len(records) > 0 {
		return records, to, nil
	}
	if known && errors.Is(err, errTorn) && to.Offset < limit {
		s.log.Error("a spool file is damaged; the rest of it is skipped and the file is kept", "segment", to.Segment, "offset", to.Offset)
		s.keepDamaged(to.Segment)
	}
	return nil, s.following(from.Segment), nil
}

// normal moves a position that lies before everything that is there to the first record.
func (s *Spool) normal(p Position) Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sizes[p.Segment]; ok || p.Segment == s.end.Segment {
		p.Offset = max(p.Offset, int64(len(magic)))
		return p
	}
	return s.after(p.Segment)
}

// after is the start of the first file beyond a segment. The lock is held.
func (s *Spool) after(segment uint64) Position {
	next := s.end.Segment
	for n := range s.sizes {
		if n > segment && n < next {
			next = n
		}
	}
	return Position{next, int64(len(magic))}
}

func (s *Spool) following(segment uint64) Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if segment >= s.end.Segment {
		return s.end
	}
	return s.after(segment)
}

// limit is how far a file may be read, and whether that is known to be whole records: not for files that an
// earlier process left, whose end may be torn.
func (s *Spool) limit(segment uint64) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if segment == s.end.Segment {
		return s.end.Offset, true
	}
	if end, ok := s.ends[segment]; ok {
		return end, true
	}
	return s.sizes[segment], false
}

// keepDamaged links a damaged file under another name, which nothing removes.
func (s *Spool) keepDamaged(segment uint64) {
	name := segmentName(s.dir, segment)
	if err := os.Link(name, name+".damaged"); err != nil && !errors.Is(err, fs.ErrExist) {
		s.log.Error("cannot keep a damaged spool file", "err", err)
	}
}

// readRecords reads whole records between from and limit.
func readRecords(f *os.File, from Position, limit int64) (records []Record, to Position, err error) {
	to = from
	if _, err := f.Seek(from.Offset, io.SeekStart); err != nil {
		return nil, to, err
	}
	r := bufio.NewReaderSize(f, 1<<20)
	requests := 0
	for len(records) < maxBatchRecords && requests < maxBatchRequests && to.Offset-from.Offset < maxBatchBytes && to.Offset < limit {
		head, err := r.Peek(recordHead)
		if err != nil {
			return records, to, torn(err)
		}
		n, err := readLength(head)
		if err != nil || to.Offset+int64(n) > limit {
			return records, to, errTorn
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(r, raw); err != nil {
			return records, to, torn(err)
		}
		rec, err := parseRecord(raw)
		if err != nil {
			return records, to, err
		}
		records = append(records, rec)
		to.Offset += int64(n)
		if rec.Kind == KindRequests || rec.Kind == KindLogs || rec.Kind == KindPortion {
			requests += n
		}
	}
	return records, to, nil
}

// torn turns the end of a file within a record into errTorn.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
