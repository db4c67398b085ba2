// Package sketch counts values so that percentiles of any set of counts can be had from their sum: DDSketch
// (https://www.vldb.org/pvldb/vol12/p2195-masson.pdf) with a relative error of 2 %. The mapping of values to bins is the
// same for ever, since sketches of different days are merged.
package sketch

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Error is how far a percentile may be off, as a share of its value.
const Error = 0.02

// bins is the one mapping. It holds nothing that changes.
var bins = sync.OnceValue(func() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(Error)
	if err != nil {
		panic(err) // of a wrong constant
	}
	return m
})

// Sketch is a set of counted values. It is not safe for several goroutines at once.
type Sketch struct{ dd *ddsketch.DDSketch }

// New makes an empty sketch.
func New() *Sketch {
	return &Sketch{ddsketch.NewDDSketch(bins(), store.NewBufferedPaginatedStore(), store.NewBufferedPaginatedStore())}
}

// minValue is the least value that is told apart from zero.
const minValue = 0.5

// Add counts a value n times. What is below zero, or no number, counts as zero; what is above MaxValue counts as that.
func (s *Sketch) Add(value, n float64) {
	switch {
	case !(n > 0):
		return
	case !(value >= minValue):
		value = 0
	}
	_ = s.dd.AddWithCount(min(value, MaxValue), n) // which fails outside of its range only
}

// MaxValue is the largest value that is told apart from larger ones: 115 days in microseconds.
const MaxValue = 1e13

// Encode is the stored form: for each bin the distance of its index from the one before, and its count; a whole count n
// as 2n, another as 1 and the eight bytes of its float. Some 13 bytes for a minute of a quiet endpoint, 300 for 10,000
// values. It is our own because the library's, given damaged bytes, asks for 150 TB of memory.
func (s *Sketch) Encode() []byte {
	b := appendCount(nil, s.dd.GetZeroCount())
	last := minIndex()
	s.dd.GetPositiveValueStore().ForEach(func(index int, n float64) bool {
		b = appendCount(binary.AppendUvarint(b, uint64(index-last)), n)
		last = index
		return false
	})
	return b
}

func appendCount(b []byte, n float64) []byte {
	if whole := uint64(n); float64(whole) == n && whole < 1<<62 {
		return binary.AppendUvarint(b, whole<<1)
	}
	return binary.BigEndian.AppendUint64(append(b, 1), math.Float64bits(n))
}

func minIndex() int { return bins().Index(minValue) }

// errForm marks bytes that Encode did not write.
var errForm = errors.New("cannot read a sketch: not the stored form of one")

// MergeEncoded adds what Encode gave. After an error the sketch holds a part of it.
func (s *Sketch) MergeEncoded(b []byte) error {
	zero, b, ok := cutCount(b)
	if !ok {
		return errForm
	}
	s.Add(0, zero)
	positive := s.dd.GetPositiveValueStore()
	for index, most := minIndex(), bins().Index(MaxValue); len(b) > 0; {
		step, n := binary.Uvarint(b)
		if n <= 0 || step > uint64(most-index) {
			return errForm
		}
		index += int(step)
		var count float64
		if count, b, ok = cutCount(b[n:]); !ok {
			return errForm
		}
		positive.AddWithCount(index, count) // its value need not be worked out, which takes ten times as long
	}
	return nil
}

func cutCount(b []byte) (count float64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v&1 == 0 {
		return float64(v >> 1), b[max(n, 0):], n > 0
	}
	if v != 1 || len(b) < n+8 {
		return 0, nil, false
	}
	count = math.Float64frombits(binary.BigEndian.Uint64(b[n:]))
	return count, b[n+8:], count >= 0 && count < 1<<62
}

// Merge adds another sketch, which stays as it is.
func (s *Sketch) Merge(other *Sketch) { _ = s.dd.MergeWith(other.dd) } // fails for another mapping only

// Count is how many values were counted.
func (s *Sketch) Count() float64 { return s.dd.GetCount() }

// Quantile is the value below which the share q of the values lies; 0 of an empty sketch.
func (s *Sketch) Quantile(q float64) float64 {
	v, err := s.dd.GetValueAtQuantile(min(max(q, 0), 1))
	if err != nil {
		return 0
	}
	return v
}

// Below is how many values are at most v, as near as a bin can tell.
func (s *Sketch) Below(v float64) (n float64) {
	s.dd.ForEach(func(value, count float64) (stop bool) {
		if value <= v {
			n += count
		}
		return false
	})
	return n
}

// Each hands every bin to fn, by the value in its middle.
func (s *Sketch) Each(fn func(value, n float64)) {
	s.dd.ForEach(func(value, count float64) (stop bool) { fn(value, count); return false })
}

// Clear forgets everything.
func (s *Sketch) Clear() { s.dd.Clear() }
