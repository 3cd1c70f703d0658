package parquet

import (
	"encoding/binary"
	"errors"
)

var errRuns = errors.New("a run of levels or indices is damaged")

// A hybrid reads whole numbers of a few bits each, written as runs of equal
// numbers and runs of packed ones (RLE_DICTIONARY, and all levels).
type hybrid struct {
	data  []byte // what is left
	width int    // bits of a number, at most 32

	left   int // numbers of this run
	equal  bool
	value  uint32 // of a run of equal ones
	packed []byte
	bit    int // position in packed
}

// next returns the next number.
func (h *hybrid) next() (uint32, error) {
	for h.left == 0 {
		if err := h.run(); err != nil {
			return 0, err
		}
	}
	h.left--
	if h.equal {
		return h.value, nil
	}
	if h.bit+h.width > 8*len(h.packed) {
		return 0, errRuns
	}
	v := bits(h.packed, h.bit, h.width)
	h.bit += h.width
	return uint32(v), nil
}

// run reads the head of a run.
func (h *hybrid) run() error {
	head, n := binary.Uvarint(h.data)
	if n <= 0 || head>>1 > 1<<31 {
		return errRuns
	}
	h.data = h.data[n:]
	h.equal = head&1 == 0
	if h.equal {
		h.left = int(head >> 1)
		size := (h.width + 7) / 8
		if len(h.data) < size {
			return errRuns
		}
		h.value = uint32(bits(h.data, 0, 8*size))
		h.data = h.data[size:]
		return nil
	}
	h.left = 8 * int(head>>1)
	size := min(h.width*int(head>>1), len(h.data)) // the last run may be cut after its last number
	h.packed, h.bit, h.data = h.data[:size], 0, h.data[size:]
	return nil
}

// bits returns width ≤ 64 bits of data from bit from on, the lowest first.
func bits(data []byte, from, width int) uint64 {
	var v uint64
	for got := 0; got < width; {
		b := uint64(data[from/8]) >> (from % 8)
		n := min(8-from%8, width-got)
		v |= b & (1<<n - 1) << got
		got, from = got+n, from+n
	}
	return v
}
