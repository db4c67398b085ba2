package receiver

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"kibitz/app/errs"
)

// bodies inflates request bodies within a budget of bytes that all requests share. What a body may become is bounded
// while it is read, never after.
type bodies struct {
	budget  *semaphore.Weighted
	buffers sync.Pool // *[]byte
	gzips   sync.Pool // *gzip.Reader
	zstds   sync.Pool // *zstd.Decoder
	brs     sync.Pool // *brotli.Reader
}

// body is an inflated body; free gives its memory back.
type body struct {
	data  []byte
	taken int64
	from  *bodies
	buf   *[]byte
}

// maxEncodings bounds how often a body may be wrapped: "gzip, gzip" multiplies a bomb.
const maxEncodings = 1

// firstBuffer fits most envelopes; pooled buffers stay below keepBuffer.
const (
	firstBuffer = 64 << 10
	keepBuffer  = 1 << 20
)

// maxWindow bounds the memory that a zstd or brotli stream may ask for.
const maxWindow = 8 << 20

func newBodies(budget int) *bodies { return &bodies{budget: semaphore.NewWeighted(int64(budget))} }

// inflate decodes raw by its Content-Encoding into at most limit bytes. name is the limit's, for the message.
func (b *bodies) inflate(raw []byte, encoding string, limit int, name string) (*body, error) {
	codings, err := split(encoding)
	if err != nil {
		return nil, err
	}
	if len(codings) == 0 {
		if len(raw) > limit {
			return nil, tooLarge(limit, name)
		}
		return &body{data: raw}, nil
	}
	r, done, err := b.reader(codings[0], raw)
	if err != nil {
		return nil, err
	}
	defer done()
	return b.read(r, limit, name)
}

func split(encoding string) ([]string, error) {
	var out []string
	for part := range strings.SplitSeq(strings.ToLower(encoding), ",") {
		switch part = strings.TrimSpace(part); part {
		case "", "identity":
		case "gzip", "x-gzip", "deflate", "br", "zstd":
			out = append(out, part)
		default:
			return nil, errs.New(errs.Unsupported, "That Content-Encoding is not supported; gzip, deflate, br and zstd are.")
		}
	}
	if len(out) > maxEncodings {
		return nil, errs.New(errs.Unsupported, "A body may be compressed once, not %d times.", len(out))
	}
	return out, nil
}

// reader is a decoder of a coding over raw, from a pool where that saves memory.
func (b *bodies) reader(coding string, raw []byte) (io.Reader, func(), error) {
	src := bytes.NewReader(raw)
	switch coding {
	case "gzip", "x-gzip":
		z, ok := b.gzips.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		if err := z.Reset(src); err != nil {
			return nil, nil, damaged(err)
		}
		return z, func() { b.gzips.Put(z) }, nil
	case "deflate":
		return deflated(raw)
	case "br":
		z, ok := b.brs.Get().(*brotli.Reader)
		if !ok {
			z = brotli.NewReader(src)
		} else if err := z.Reset(src); err != nil {
			return nil, nil, damaged(err)
		}
		return z, func() { b.brs.Put(z) }, nil
	}
	z, ok := b.zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true)); err != nil {
			return nil, nil, fmt.Errorf("cannot make a zstd decoder: %w", err)
		}
	}
	if err := z.Reset(src); err != nil {
		return nil, nil, damaged(err)
	}
	return z, func() { b.zstds.Put(z) }, nil
}

// deflated reads zlib, which the name means, or bare deflate, which some send.
func deflated(raw []byte) (io.Reader, func(), error) {
	if z, err := zlib.NewReader(bytes.NewReader(raw)); err == nil {
		return z, func() { z.Close() }, nil
	}
	z := flate.NewReader(bytes.NewReader(raw))
	return z, func() { z.Close() }, nil
}

// read inflates r into a body of at most limit bytes.
func (b *bodies) read(r io.Reader, limit int, name string) (*body, error) {
	out := &body{from: b}
	if err := out.fill(r, limit, name); err != nil {
		out.free()
		return nil, err
	}
	return out, nil
}

// fill reads into a buffer, doubling it, and asks the budget before each growth.
func (o *body) fill(r io.Reader, limit int, name string) error {
	if o.buf, _ = o.from.buffers.Get().(*[]byte); o.buf == nil {
		fresh := make([]byte, 0, firstBuffer)
		o.buf = &fresh
	}
	if err := o.take(int64(cap(*o.buf))); err != nil {
		return err
	}
	data := (*o.buf)[:0]
	for {
		if len(data) == cap(data) {
			if err := o.take(int64(cap(data))); err != nil {
				return err
			}
			data = append(make([]byte, 0, 2*cap(data)), data...)
			*o.buf = data
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) > limit:
			return tooLarge(limit, name)
		case errors.Is(err, io.EOF):
			o.data = data
			return nil
		case err != nil:
			return damaged(err)
		}
	}
}

var errBusy = errs.New(errs.Unavailable, "Too much is being read at once (ingest.in_flight). Try again in a moment.")

// take asks for memory without waiting: a request that holds some and waits for more could wait for ever.
func (o *body) take(n int64) error {
	if !o.from.budget.TryAcquire(n) {
		return errBusy
	}
	o.taken += n
	return nil
}

// free gives the memory back; data may not be used any more.
func (o *body) free() {
	if o.from == nil {
		return
	}
	o.from.budget.Release(o.taken)
	o.taken = 0
	if o.buf != nil && cap(*o.buf) <= keepBuffer {
		o.from.buffers.Put(o.buf)
	}
	o.buf, o.data = nil, nil
}

func tooLarge(limit int, name string) error {
	return errs.New(errs.TooLarge, "The body is larger than %d bytes once decompressed (ingest.%s).", limit, name)
}

func damaged(err error) error {
	return fmt.Errorf("%w: %w", errs.New(errs.Invalid, "The compressed body is damaged or ends too early."), err)
}
