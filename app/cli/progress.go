package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress shows on a terminal how much of a long file has been read. Elsewhere it shows nothing.
type progress struct {
	out         io.Writer // nil for nothing
	size, read  int64
	next, every time.Duration
	start       time.Time
	shown       bool
}

// progressEvery is how often the line is renewed; what takes less shows none.
const progressEvery = 500 * time.Millisecond

// newProgress shows on out when that is a terminal. Size 0 is unknown.
func newProgress(out io.Writer, size int64) *progress {
	p := &progress{size: size, start: time.Now(), next: progressEvery, every: progressEvery}
	if isTerminal(out) {
		p.out = out
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// reader counts what is read through it.
func (p *progress) reader(r io.Reader) io.Reader { return progressReader{p, r} }

type progressReader struct {
	p *progress
	r io.Reader
}

// Read reads and shows.
func (r progressReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.p.add(int64(n))
	return n, err
}

func (p *progress) add(n int64) {
	p.read += n
	if p.out == nil {
		return
	}
	if passed := time.Since(p.start); passed >= p.next {
		p.next = passed + p.every
		p.show(passed)
	}
}

func (p *progress) show(passed time.Duration) {
	p.shown = true
	rate := float64(p.read) / passed.Seconds() / 1e6
	if p.size > 0 {
		fmt.Fprintf(p.out, "\r%3d %% of %d MB, %.0f MB/s ", 100*p.read/p.size, p.size/1e6, rate)
		return
	}
	fmt.Fprintf(p.out, "\r%d MB, %.0f MB/s ", p.read/1e6, rate)
}

// done takes the line away.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
