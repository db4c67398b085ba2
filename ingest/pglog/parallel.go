package pglog

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"sync"
)

// chunkSize is how much jsonlog is parsed at once, in bytes: enough that handing it over costs nothing, and little enough
// that a few of them stay small.
const chunkSize = 512 << 10

// batch is what came of a chunk.
type batch struct {
	entries []Entry
	stats   Stats
}

// job is a chunk of whole lines, and where its batch is waited for.
type job struct {
	chunk []byte
	done  chan batch
}

// readJSON parses chunks on all cores, and hands their entries on in the order of the log. At most so many chunks as there
// are cores, and as many again, are in memory.
func readJSON(r io.Reader, o Options, emit func(*Entry)) (Stats, error) {
	workers := runtime.GOMAXPROCS(0)
	jobs, ordered := make(chan job, workers), make(chan job, workers)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for j := range jobs {
				j.done <- parseChunk(j.chunk, o)
			}
		})
	}
	c := chunker{in: r, out: func(chunk []byte) {
		j := job{chunk, make(chan batch, 1)}
		ordered <- j
		jobs <- j
	}}
	go func() {
		defer close(ordered)
		defer close(jobs)
		c.run()
	}()
	stats := Stats{Format: JSON}
	for j := range ordered {
		b := <-j.done
		stats.add(b.stats)
		for i := range b.entries {
			emit(&b.entries[i])
		}
	}
	running.Wait()
	stats.Truncated += c.dropped
	return stats, ignoreEOF(c.err)
}

func (s *Stats) add(o Stats) {
	s.Bytes += o.Bytes
	s.Lines += o.Lines
	s.Entries += o.Entries
	s.Malformed += o.Malformed
	s.Unclaimed += o.Unclaimed
	s.Truncated += o.Truncated
	s.Evicted += o.Evicted
}

// parseChunk parses whole lines. Its entries share one copy of the text.
func parseChunk(chunk []byte, o Options) batch {
	text := string(chunk)
	b := batch{stats: Stats{Bytes: int64(len(text))}, entries: make([]Entry, 0, len(text)/averageLine)}
	for line := range strings.Lines(text) {
		b.stats.Lines++
		if strings.TrimSpace(line) == "" {
			continue
		}
		b.entries = append(b.entries, Entry{})
		e := &b.entries[len(b.entries)-1]
		if !parseJSON(line, e) {
			b.entries = b.entries[:len(b.entries)-1]
			b.stats.Malformed++
			continue
		}
		e.normalize(o.Normalizer)
	}
	b.stats.Entries = int64(len(b.entries))
	return b
}

// averageLine is about how long a line of jsonlog is.
const averageLine = 500

// chunker cuts a stream into chunks that end with a line.
type chunker struct {
	in      io.Reader
	out     func([]byte)
	dropped int64 // lines over MaxEntry
	err     error
}

func (c *chunker) run() {
	var rest []byte
	skipping := false // within a line that is too long
	for {
		buf := make([]byte, len(rest)+chunkSize)
		copy(buf, rest)
		n, err := fill(c.in, buf[len(rest):])
		buf = buf[:len(rest)+n]
		if err != nil {
			c.last(buf, skipping)
			c.err = err
			return
		}
		if skipping {
			buf, skipping = afterLine(buf)
		}
		end := bytes.LastIndexByte(buf, '\n') + 1
		if rest = buf[end:]; len(rest) > MaxEntry {
			c.dropped++
			rest, skipping = nil, true
		}
		if end > 0 {
			c.out(buf[:end])
		}
	}
}

// last hands on what is left, the start of a line that was cut off included.
func (c *chunker) last(buf []byte, skipping bool) {
	if skipping {
		buf, _ = afterLine(buf)
	}
	if len(buf) > 0 {
		c.out(buf)
	}
}

// afterLine drops the rest of a line; true when it has no end yet.
func afterLine(buf []byte) ([]byte, bool) {
	at := bytes.IndexByte(buf, '\n')
	if at < 0 {
		return nil, true
	}
	return buf[at+1:], false
}

// fill reads until buf is full or the stream ends. It answers the stream's own error: io.ReadFull would call any end an
// unexpected one, which is what a compressed file that was cut off says.
func fill(r io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}
