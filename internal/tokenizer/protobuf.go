package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A wire is the fields of a protobuf message (protobuf.dev, "Encoding").
type wire struct {
	rest []byte
	kind uint64 // of the last field
	word uint64 // its value, where it is a number
	data []byte // or where it is bytes, which are not copied
}

// The kinds of fields that are read here.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errWireCut = errors.New("the file is cut short or damaged")

// next reads a field and returns its number, 0 at the end.
func (w *wire) next() (field uint64, err error) {
	if len(w.rest) == 0 {
		return 0, nil
	}
	tag, err := w.varint()
	if err != nil {
		return 0, err
	}
	field, w.kind = tag>>3, tag&7
	if field == 0 {
		return 0, errWireCut
	}
	switch w.kind {
	case wireVarint:
		w.word, err = w.varint()
	case wire64:
		_, err = w.take(8)
	case wire32:
		var four []byte
		if four, err = w.take(4); err == nil {
			w.word = uint64(binary.LittleEndian.Uint32(four))
		}
	case wireBytes:
		var n uint64
		if n, err = w.varint(); err == nil {
			w.data, err = w.take(n)
		}
	default:
		err = errWireCut
	}
	return field, err
}

func (w *wire) varint() (uint64, error) {
	value, n := binary.Uvarint(w.rest)
	if n <= 0 {
		return 0, errWireCut
	}
	w.rest = w.rest[n:]
	return value, nil
}

func (w *wire) take(n uint64) ([]byte, error) {
	if n > uint64(len(w.rest)) {
		return nil, errWireCut
	}
	data := w.rest[:n]
	w.rest = w.rest[n:]
	return data, nil
}

// want says whether the last field has the kind that its number asks for.
func (w *wire) want(kind uint64) error {
	if w.kind != kind {
		return fmt.Errorf("%w: a field has wire type %d, want %d", errWireCut, w.kind, kind)
	}
	return nil
}

func (w *wire) float() float32 { return math.Float32frombits(uint32(w.word)) }
