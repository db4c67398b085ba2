package syslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrFraming marks a stream that lost its frames: nothing after it can be read.
var ErrFraming = errors.New("the stream is in neither framing of RFC 6587")

// TooLong is one message above the limit. It was skipped; reading may go on.
type TooLong struct{ Limit int }

func (e TooLong) Error() string { return fmt.Sprintf("a message has more than %d bytes", e.Limit) }

// maxCount is the digits of a frame's length: 9,999,999 bytes are skipped when too long, and more is not believed.
const maxCount = 7

// Framer cuts a stream into messages (RFC 6587): octet counting (`LEN SP MSG`), or ended by LF or NUL. The first bytes
// decide for the whole connection: a number from 1 on and a space is a count.
type Framer struct {
	r       *bufio.Reader
	max     int
	started bool
	counted bool
	long    []byte
}

// NewFramer reads messages of at most max bytes.
func NewFramer(r io.Reader, max int) *Framer {
	return &Framer{r: bufio.NewReaderSize(r, 16<<10), max: max}
}

// Counted tells whether the stream counts octets; it is known after the first message.
func (f *Framer) Counted() bool { return f.counted }

// Next is the next message that is not empty, good until the next call. Its errors: TooLong, after which one may go on;
// ErrFraming; io.EOF at an orderly end; and those of the stream.
func (f *Framer) Next() ([]byte, error) {
	if !f.started {
		counted, err := f.decide()
		if err != nil {
			return nil, err
		}
		f.started, f.counted = true, counted
	}
	for {
		next := f.line
		if f.counted {
			next = f.octets
		}
		if b, err := next(); err != nil || len(b) > 0 {
			return b, err
		}
	}
}

// decide looks at no more bytes than it must: a sender may wait for nothing after a short message.
func (f *Framer) decide() (counted bool, err error) {
	for n := 1; n <= maxCount+1; n++ {
		b, err := f.r.Peek(n)
		if err != nil {
			if err == io.EOF && n > 1 {
				return false, nil
			}
			return false, err
		}
		switch c := b[n-1]; {
		case c == ' ':
			return n > 1, nil
		case c < '0' || c > '9' || n == 1 && c == '0':
			return false, nil
		}
	}
	return false, nil
}

// octets reads `LEN SP MSG`. Some senders put a line's end behind each message.
func (f *Framer) octets() ([]byte, error) {
	n, err := f.count()
	if err != nil {
		return nil, err
	}
	if n > f.max {
		if _, err := f.r.Discard(n); err != nil {
			return nil, broken(err)
		}
		return nil, TooLong{f.max}
	}
	if cap(f.long) < n {
		f.long = make([]byte, n)
	}
	f.long = f.long[:n]
	_, err = io.ReadFull(f.r, f.long)
	return f.long, broken(err)
}

func (f *Framer) count() (n int, err error) {
	for digits := 0; ; {
		c, err := f.r.ReadByte()
		switch {
		case err != nil && digits > 0:
			return 0, broken(err)
		case err != nil:
			return 0, err
		case c == ' ' && digits > 0:
			return n, nil
		case digits == 0 && (c == '\n' || c == '\r' || c == 0):
			continue
		case c < '0' || c > '9' || c == '0' && digits == 0 || digits == maxCount:
			return 0, ErrFraming
		}
		n, digits = n*10+int(c-'0'), digits+1
	}
}

// broken is an error within a frame: an end there is not an orderly one.
func broken(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrFraming
	}
	return err
}

// line reads up to LF or NUL. The last message of a stream may have neither.
func (f *Framer) line() ([]byte, error) {
	f.long = f.long[:0]
	size := 0
	for {
		part, ended, err := f.part()
		if size += len(part); size <= f.max {
			f.long = append(f.long, part...)
		}
		switch {
		case err == io.EOF && size > 0 && size <= f.max, ended && size <= f.max:
			return bytes.TrimSuffix(f.long, []byte("\r")), nil
		case ended, err == io.EOF && size > 0:
			return nil, TooLong{f.max}
		case err != nil:
			return nil, err
		}
	}
}

// part takes what is buffered, up to the end of the message when that is there.
func (f *Framer) part() (b []byte, ended bool, err error) {
	if _, err := f.r.Peek(1); err != nil {
		return nil, false, err
	}
	if b, err = f.r.Peek(f.r.Buffered()); err != nil {
		return nil, false, err
	}
	end := bytes.IndexAny(b, "\n\x00")
	if end >= 0 {
		_, err = f.r.Discard(end + 1)
		return b[:end], true, err
	}
	_, err = f.r.Discard(len(b))
	return b, false, err
}
