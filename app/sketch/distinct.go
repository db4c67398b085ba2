package sketch

import (
	"errors"
	"fmt"

	"github.com/axiomhq/hyperloglog"
)

// DistinctError is the standard error of Distinct.Count, as a share: 1.04 over the root of 4,096 registers
// (https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf).
const DistinctError = 0.01625

// distinctPrecision is the binary logarithm of the registers. It is the same for ever, since sketches of different days are merged.
const distinctPrecision = 12

// Distinct estimates how many different values were added, to any of the sketches that were merged. It is not safe for several
// goroutines at once.
type Distinct struct{ hll *hyperloglog.Sketch }

// NewDistinct makes an empty one, to be stored. A few values are kept apart, which makes it small; 4,096 registers take over when there
// are more.
func NewDistinct() *Distinct { return newDistinct(true) }

// NewUnion makes an empty one that others are merged into, to be looked at: it has its registers from the beginning, which makes merging
// five times as fast, and a small count a little less exact.
func NewUnion() *Distinct { return newDistinct(false) }

func newDistinct(sparse bool) *Distinct {
	s, err := hyperloglog.NewSketch(distinctPrecision, sparse)
	if err != nil {
		panic(err) // of a wrong constant
	}
	return &Distinct{s}
}

// Add adds a value. Its bits need not be evenly spread.
func (d *Distinct) Add(v uint64) { d.hll.InsertHash(Mix(v)) }

// Mix spreads the bits of a value evenly: the finaliser of SplitMix64 (https://doi.org/10.1145/2660193.2660195).
func Mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// Count is the estimate.
func (d *Distinct) Count() int64 { return int64(d.hll.Estimate()) }

// Encode gives its stored form.
func (d *Distinct) Encode() ([]byte, error) {
	b, err := d.hll.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("cannot write a count of distinct values: %w", err)
	}
	return b, nil
}

// errDistinct marks bytes that Encode did not write.
var errDistinct = errors.New("cannot read a count of distinct values: not the stored form of one")

// MergeEncoded adds what Encode gave; nothing adds nothing.
func (d *Distinct) MergeEncoded(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if len(b) < 2 || b[1] != distinctPrecision {
		return errDistinct
	}
	var other hyperloglog.Sketch
	if err := other.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("%w: %w", errDistinct, err)
	}
	return d.Merge(&Distinct{&other})
}

// Merge adds another one, which stays as it is.
func (d *Distinct) Merge(other *Distinct) error {
	if err := d.hll.Merge(other.hll); err != nil {
		return fmt.Errorf("cannot merge counts of distinct values: %w", err)
	}
	return nil
}
