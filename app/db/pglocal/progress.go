package pglocal

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// meter draws a bar while an answer's body is read.
type meter struct {
	next http.RoundTripper
	out  io.Writer
}

// RoundTrip implements http.RoundTripper.
func (m meter) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := m.next.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusOK && res.ContentLength > barLeast {
		res.Body = &meteredBody{ReadCloser: res.Body, all: res.ContentLength, out: m.out, shown: -1}
	}
	return res, err
}

// barLeast is the size from which on a download is worth a bar: the checksums beside the archive are not.
const barLeast = 1 << 20

type meteredBody struct {
	io.ReadCloser
	all, read int64
	out       io.Writer
	shown     int64
}

// Read implements io.Reader.
func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	const width = 30
	if percent := b.read * 100 / b.all; percent != b.shown {
		b.shown = percent
		done := int(percent) * width / 100
		fmt.Fprintf(b.out, "\r  [%s%s] %3d %% of %d MB", strings.Repeat("#", done), strings.Repeat(".", width-done), percent, b.all>>20)
		if b.read == b.all {
			fmt.Fprintln(b.out)
		}
	}
	return n, err
}

// metered gives downloads a bar until the function that it answers is called. The library that downloads takes no client
// of ours and uses the default one; this runs at the start, before anything else of the program speaks HTTP.
func metered(out io.Writer) (done func()) {
	plain := http.DefaultTransport
	http.DefaultTransport = meter{plain, out}
	return func() { http.DefaultTransport = plain }
}
