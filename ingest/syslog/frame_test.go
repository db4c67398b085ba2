package syslog

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// frames reads a stream to its end: the messages, "!" for one that was too long, and the last error.
func frames(r io.Reader, max int) (list []string, last error) {
	f := NewFramer(r, max)
	for {
		b, err := f.Next()
		var long TooLong
		switch {
		case errors.As(err, &long):
			list = append(list, "!")
		case err != nil:
			return list, err
		default:
			list = append(list, string(b))
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stream string
		want   []string
		err    error
	}{
		{"<1>a\n<1>b\n", []string{"<1>a", "<1>b"}, io.EOF},
		{"<1>a\x00<1>b\r\n\n\n<1>c", []string{"<1>a", "<1>b", "<1>c"}, io.EOF},
		{"4 <1>a6 <1>b\nc5 <1>dd", []string{"<1>a", "<1>b\nc", "<1>dd"}, io.EOF},
		{"4 <1>a\n5 <1>bb\r\n\x00", []string{"<1>a", "<1>bb"}, io.EOF},
		{"2026-11-25T01:00 x\n", []string{"2026-11-25T01:00 x"}, io.EOF},
		{"0 a\n", []string{"0 a"}, io.EOF},
		{"12345678 a\n", []string{"12345678 a"}, io.EOF},
		{"<1>" + strings.Repeat("x", 18) + "\n<1>b\n", []string{"!", "<1>b"}, io.EOF},
		{"<1>" + strings.Repeat("x", 17) + "\n", []string{"<1>" + strings.Repeat("x", 17)}, io.EOF},
		{"<1>" + strings.Repeat("x", 90000), []string{"!"}, io.EOF},
		{"21 " + strings.Repeat("x", 21) + "4 <1>a", []string{"!", "<1>a"}, io.EOF},
		{"4 <1>a<1>b", []string{"<1>a"}, ErrFraming},
		{"9 <1>a", nil, ErrFraming},
		{"99 <1>a", nil, ErrFraming},
		{"4 <1>a12345678 x", []string{"<1>a"}, ErrFraming},
		{"4 <1>a5", []string{"<1>a"}, ErrFraming},
		{"", nil, io.EOF},
		{"4", []string{"4"}, io.EOF},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(c.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)), "data and error": iotest.DataErrReader(strings.NewReader(c.stream))} {
			got, err := frames(r, 20)
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%.40q %s: %.100q, %v", c.stream, name, got, err)
			}
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("<1>a\n<1>b\x00"), 8)
	f.Add([]byte("4 <1>a5 <1>bb"), 100)
	f.Fuzz(func(t *testing.T, b []byte, max int) {
		max = min(max, 1<<16)
		if max < 1 {
			return
		}
		whole, err := frames(bytes.NewReader(b), max)
		parts, perr := frames(iotest.OneByteReader(bytes.NewReader(b)), max)
		if !slices.Equal(whole, parts) || !errors.Is(perr, err) {
			t.Fatalf("%q %v, byte by byte %q %v", whole, err, parts, perr)
		}
		for _, m := range whole {
			if len(m) > max {
				t.Fatalf("%d bytes of at most %d", len(m), max)
			}
		}
	})
}
