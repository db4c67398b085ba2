package pglog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Read reads a whole log, of plain text or gzip, and hands its entries to emit, which must not keep them: in the order of
// the log, but for backends whose lines are mixed. It holds a few megabytes, whatever the length.
func Read(r io.Reader, o Options, emit func(*Entry)) (Stats, error) {
	if err := o.check(); err != nil {
		return Stats{}, err
	}
	in, err := open(r)
	if err != nil {
		return Stats{}, err
	}
	if o.Format == Auto || o.Prefix == "" && (o.Format == Stderr || o.Format == Syslog) {
		in.detect(&o)
	}
	var stats Stats
	if o.Format == JSON {
		stats, err = readJSON(in.buffer, o, emit)
	} else {
		stats, err = readLines(in.buffer, o, emit)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		stats.Cut, err = true, nil
	}
	if err != nil {
		err = fmt.Errorf("cannot read the log: %w", err)
	}
	return stats, err
}

// input is a log after decompression.
type input struct{ buffer *bufio.Reader }

// gzipMagic begins every gzip file (RFC 1952).
var gzipMagic = []byte{0x1f, 0x8b}

func open(r io.Reader) (input, error) {
	b := bufio.NewReaderSize(r, maxSample)
	magic, err := b.Peek(len(gzipMagic))
	if err != nil && err != io.EOF {
		return input{}, fmt.Errorf("cannot read the log: %w", err)
	}
	if !bytes.Equal(magic, gzipMagic) {
		return input{b}, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return input{}, fmt.Errorf("cannot read the log, which begins like gzip: %w", err)
	}
	return input{bufio.NewReaderSize(z, maxSample)}, nil
}

// detect looks at the beginning without reading it away.
func (in input) detect(o *Options) {
	sample, _ := in.buffer.Peek(maxSample) // an error comes again when it is read
	if at := bytes.LastIndexByte(sample, '\n'); at >= 0 {
		sample = sample[:at]
	}
	*o = o.Detected(detect(splitLines(sample), *o))
}

func splitLines(sample []byte) []string {
	var lines []string
	for line := range bytes.SplitSeq(sample, []byte("\n")) {
		lines = append(lines, string(bytes.TrimSuffix(line, []byte("\r"))))
	}
	return lines
}

// flushLines is how many lines may pass before idle entries are closed: a backend that writes nothing more would hold
// its last entry to the end.
const flushLines = 50_000

func readLines(b *bufio.Reader, o Options, emit func(*Entry)) (Stats, error) {
	a, err := NewAssembler(o, emit)
	if err != nil {
		return Stats{}, err
	}
	l := lines{in: b}
	for n := 0; ; n++ {
		line, err := l.next()
		if err != nil {
			a.Close()
			a.stats.Truncated += l.over
			return a.stats, ignoreEOF(err)
		}
		// The clock of a file is the count of its lines: what is idle for long enough is closed.
		now := o.Now.Add(time.Duration(n) * silence / flushLines)
		a.Push(line, now)
		if n%flushLines == 0 {
			a.Flush(now)
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// lines reads lines of any length; what goes over MaxEntry is dropped.
type lines struct {
	in   *bufio.Reader
	long []byte
	over int64 // lines that lost a part
}

// next is the next line with its break. It is good until the next call.
func (l *lines) next() ([]byte, error) {
	l.long = l.long[:0]
	cut := false
	for {
		piece, err := l.in.ReadSlice('\n')
		if err == nil && len(l.long) == 0 {
			return piece, nil
		}
		if len(l.long)+len(piece) > MaxEntry {
			cut, piece = true, piece[:MaxEntry-len(l.long)]
		}
		l.long = append(l.long, piece...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case cut:
			l.over++
		}
		if err == nil || len(l.long) > 0 && err == io.EOF {
			return l.long, nil
		}
		if len(l.long) > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return l.long, nil // the error comes again with the next call
		}
		return nil, err
	}
}
