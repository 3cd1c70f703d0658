package parquet

import (
	"encoding/binary"
	"errors"
)

var errDelta = errors.New("numbers written as differences are damaged")

// A delta reads whole numbers written as differences, in blocks of blocks that
// each have their own width (DELTA_BINARY_PACKED).
type delta struct {
	data  []byte // what is left
	left  int    // numbers
	value uint64 // the next number; sums wrap

	perBlock, perMini int // numbers
	least             uint64
	widths            []byte // of the small blocks of this block that are left
	mini              []byte // the small block
	width, bit        int
	inMini            int // numbers left in the small block
}

// newDelta reads the head: sizes of blocks, number of numbers, the first one.
func newDelta(data []byte) (*delta, error) {
	d := &delta{data: data}
	block, minis, total := d.uvarint(), d.uvarint(), d.uvarint()
	d.value = d.zigzag()
	if d.data == nil || block == 0 || block%128 != 0 || block > 1<<20 || minis == 0 || block%minis != 0 || block/minis%32 != 0 || total > 1<<31 {
		return nil, errDelta
	}
	d.perBlock, d.perMini, d.left = int(block), int(block/minis), int(total)
	return d, nil
}

// uvarint reads a number; data is nil after an error.
func (d *delta) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.data = nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *delta) zigzag() uint64 {
	v := d.uvarint()
	return v>>1 ^ -(v & 1)
}

// next returns the next number.
func (d *delta) next() (int64, error) {
	if d.left == 0 {
		return 0, errDelta
	}
	v := d.value
	if d.left--; d.left > 0 {
		if err := d.step(); err != nil {
			return 0, err
		}
	}
	return int64(v), nil
}

// step adds the next difference.
func (d *delta) step() error {
	if d.inMini == 0 {
		if err := d.open(); err != nil {
			return err
		}
	}
	if d.bit+d.width > 8*len(d.mini) {
		return errDelta
	}
	d.value += d.least + bits(d.mini, d.bit, d.width)
	d.bit += d.width
	d.inMini--
	return nil
}

// open begins the next small block, and the next block where that is needed.
func (d *delta) open() error {
	if len(d.widths) == 0 {
		d.least = d.zigzag()
		n := d.perBlock / d.perMini
		if d.data == nil || len(d.data) < n {
			return errDelta
		}
		d.widths, d.data = d.data[:n], d.data[n:]
	}
	d.width = int(d.widths[0])
	d.widths = d.widths[1:]
	if d.width > 64 {
		return errDelta
	}
	size := min(d.width*d.perMini/8, len(d.data))
	d.mini, d.data = d.data[:size], d.data[size:]
	d.bit, d.inMini = 0, d.perMini
	return nil
}
