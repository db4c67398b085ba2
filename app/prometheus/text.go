// Package prometheus writes the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/,
// version 0.0.4) and counts in memory what only this process knows: requests by endpoint since it started. It knows neither
// the database nor the web.
package prometheus

import (
	"strconv"
	"strings"
)

// ContentType is that of the text.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is what a family's values are.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"   // only grows; its name ends with _total
	Gauge     Kind = "gauge"     // a state of now
	Histogram Kind = "histogram" // cumulative buckets
)

// Text is a text being written. The zero value is empty.
type Text struct {
	b    []byte
	name string
}

// Family begins a family; its samples follow. Names are ours and must fit Prometheus; help is one line.
func (t *Text) Family(name string, kind Kind, help string) {
	t.name = name
	t.b = append(t.b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+string(kind)+"\n"...)
}

// Sample is a value of the family that was begun last. labels are names and values in turn; values may come from outside.
func (t *Text) Sample(value float64, labels ...string) { t.sample("", value, labels) }

// One is a family of one sample without labels.
func (t *Text) One(name string, kind Kind, help string, value float64) {
	t.Family(name, kind, help)
	t.Sample(value)
}

// Buckets are the samples of a histogram: counts[i] is what lies above bounds[i-1] and up to bounds[i], and the last one
// of counts what lies above all bounds.
func (t *Text) Buckets(bounds, counts []float64, sum float64, labels ...string) {
	total := 0.0
	with := append(labels[:len(labels):len(labels)], "le", "")
	for i, n := range counts {
		total += n
		with[len(with)-1] = "+Inf"
		if i < len(bounds) {
			with[len(with)-1] = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		t.sample("_bucket", total, with)
	}
	t.sample("_sum", sum, labels)
	t.sample("_count", total, labels)
}

func (t *Text) sample(suffix string, value float64, labels []string) {
	t.b = append(append(t.b, t.name...), suffix...)
	before := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		t.b = append(append(append(t.b, before), labels[i]...), '=', '"')
		t.b = append(appendEscaped(t.b, labels[i+1]), '"')
		before = ','
	}
	if len(labels) > 1 {
		t.b = append(t.b, '}')
	}
	t.b = append(strconv.AppendFloat(append(t.b, ' '), value, 'g', -1, 64), '\n')
}

// appendEscaped writes a label's value: UTF-8 with backslash, quote and line feed escaped.
func appendEscaped(b []byte, value string) []byte {
	value = strings.ToValidUTF8(value, "\uFFFD")
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, c)
		}
	}
	return b
}

// Bytes is the text so far.
func (t *Text) Bytes() []byte { return t.b }
