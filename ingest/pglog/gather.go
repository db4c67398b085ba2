package pglog

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// Gather reads a whole log of plain text and hands its portions to emit, each before more is read: it holds some megabytes,
// whatever the length. o.Normalizer is needed. It ends with the first error of emit. A reader that ends in
// io.ErrUnexpectedEOF, as one of a compressed log that was cut, is read as far as it goes (Stats.Cut).
func Gather(r io.Reader, o Options, emit func(Portion) error) (Stats, error) {
	if err := o.check(); err != nil {
		return Stats{}, err
	}
	in := input{bufio.NewReaderSize(r, maxSample)}
	if o.Format == Auto || o.Prefix == "" && (o.Format == Stderr || o.Format == Syslog) {
		in.detect(&o)
	}
	c, err := NewCollector(o)
	if err != nil {
		return Stats{}, err
	}
	if err = c.gather(lines{in: in.buffer}, o.Now, emit); err != nil && c.cutShort(err) {
		err = nil
	}
	return c.Stats(), err
}

// cutShort tells whether a compressed log ended in its middle: what precedes has been read.
func (c *Collector) cutShort(err error) bool {
	c.in.stats.Cut = err == io.ErrUnexpectedEOF
	return c.in.stats.Cut
}

func (c *Collector) gather(l lines, start time.Time, emit func(Portion) error) error {
	for n := 0; ; n++ {
		line, err := l.next()
		if err != nil {
			c.Close()
			c.in.stats.Truncated += l.over
			if failed := emit(c.Take(false)); failed != nil {
				return failed
			}
			if ignoreEOF(err) != nil && err != io.ErrUnexpectedEOF {
				return fmt.Errorf("cannot read the log: %w", err)
			}
			return ignoreEOF(err)
		}
		now := start.Add(time.Duration(n) * silence / flushLines) // as readLines
		c.Push(line, now)
		if n%flushLines == 0 {
			c.Flush(now)
		}
		if c.Full() {
			if err := emit(c.Take(false)); err != nil {
				return err
			}
		}
	}
}
