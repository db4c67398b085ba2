package grouping

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// prose has nothing to replace, ids has some in every sentence, and object is what services log as JSON.
const (
	prose = "the worker lost its connection to the primary while it was waiting for a lock, and gave the whole batch back to the queue; nothing was lost. Then it said so once more. "
	ids   = "worker 17 lost its connection to db-3.prod.site.com:5432 (10.1.2.3) after 30.5s at 2031-11-30T23:59:59Z: " +
		"request 3f2b8c1e-0d4a-4f6b-9a51-77c0e6d1b2a3 of ann@site.com was given up, see https://status.site.com/i/4711 for what happened next. "
	object = `{"level":"error","message":"payment was refused","user":{"id":4711,"name":"ann","roles":["admin","editor"]},"retry":false,"took":"250ms"} `
)

func benchmarkText(b *testing.B, text string, work func(string)) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		work(text)
	}
}

// BenchmarkParameterize measures the scanner on texts of a few kilobytes, beside the limits of the machine in the
// same run: a copy, a search for a byte that is not there, a table look-up for each byte, and Go's regexp on the
// simplest of the seventeen patterns.
func BenchmarkParameterize(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"prose", strings.Repeat(prose, 24)}, {"ids", strings.Repeat(ids, 16)}, {"json", strings.Repeat(object, 28)}, {"message", ids},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkText(b, c.text, func(s string) { Parameterize(s) }) })
	}
	text := strings.Repeat(prose, 24)
	into, number := make([]byte, len(text)), regexp.MustCompile(`\b\d{1,7}\b`)
	sum := 0
	for _, c := range []struct {
		name string
		work func(string)
	}{
		{"limit-copy", func(s string) { copy(into, s) }},
		{"limit-indexbyte", func(s string) { sum += bytes.IndexByte(into, 0xff) }},
		{"limit-table", func(s string) {
			for i := range len(s) {
				sum += int(class[s[i]])
			}
		}},
		{"peer-regexp", func(s string) { number.ReplaceAllString(s, "<int>") }},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkText(b, text, c.work) })
	}
	if sum == 1 {
		b.Log("the sums are used")
	}
}
