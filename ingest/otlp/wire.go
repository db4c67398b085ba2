package otlp

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// wire reads a protobuf message field by field (https://protobuf.dev/programming-guides/encoding/). Nothing that it gives
// is copied, and no tree is built. It keeps places in the message rather than parts of it: pointers that change cost
// the garbage collector's write barrier, a fifth of all time.
type wire struct {
	b        []byte
	i        int // where the next field begins
	from, to int // of bytes, a text or a message
	field    uint64
	n        uint64 // of a number
	kind     byte
	err      error
}

// The types of fields.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("the protobuf is damaged")

// next reads a field; false at the end, or when err is set.
func (w *wire) next() bool {
	if w.i >= len(w.b) || w.err != nil {
		return false
	}
	tag := w.varint()
	w.field, w.kind, w.n, w.from, w.to = tag>>3, byte(tag&7), 0, 0, 0
	switch w.kind {
	case wireVarint:
		w.n = w.varint()
	case wireFixed64:
		if w.take(8) {
			w.n = binary.LittleEndian.Uint64(w.b[w.from:])
		}
		w.from, w.to = 0, 0
	case wireFixed32:
		if w.take(4) {
			w.n = uint64(binary.LittleEndian.Uint32(w.b[w.from:]))
		}
		w.from, w.to = 0, 0
	case wireBytes:
		w.take(w.varint())
	default: // groups have not been written since 2008
		w.err = errWire
	}
	if w.field == 0 || w.field > 1<<29-1 {
		w.err = errWire
	}
	return w.err == nil
}

func (w *wire) varint() uint64 {
	if w.i < len(w.b) && w.b[w.i] < 0x80 {
		w.i++
		return uint64(w.b[w.i-1])
	}
	n, size := binary.Uvarint(w.b[w.i:])
	if size <= 0 {
		w.err = errWire
		return 0
	}
	w.i += size
	return n
}

// take moves over n bytes, which lie from from to to.
func (w *wire) take(n uint64) bool {
	if w.err != nil || n > uint64(len(w.b)-w.i) {
		w.err = errWire
		return false
	}
	w.from, w.to = w.i, w.i+int(n)
	w.i = w.to
	return true
}

// data are the bytes of the field.
func (w *wire) data() []byte { return w.b[w.from:w.to:w.to] }

// is tells whether the field is the one with a number and a type. One of another type is unknown, and skipped.
func (w *wire) is(field uint64, kind byte) bool { return w.field == field && w.kind == kind }

// text is the data as a string that shares its memory.
func (w *wire) text() string { return alias(w.data()) }

func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (w *wire) float() float64 { return math.Float64frombits(w.n) }

// each reads the fields of a message, one after another.
func each(b []byte, field func(w *wire) error) error {
	w := wire{b: b}
	for w.next() {
		if err := field(&w); err != nil {
			return err
		}
	}
	return w.err
}
