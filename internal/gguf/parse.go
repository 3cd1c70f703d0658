package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
)

// parse reads the header of data, which is a whole file, into f.
func (f *File) parse(data []byte) error {
	r := &reader{data: data}
	if err := r.start(f); err != nil {
		return err
	}
	tensors, pairs := r.uint64(), r.uint64()
	switch {
	case r.err != nil:
		return r.err
	case tensors > maxTensors || pairs > maxKeys:
		return fmt.Errorf("%d tensors and %d keys; at most %d and %d are allowed", tensors, pairs, maxTensors, maxKeys)
	}
	if err := f.parseMetadata(r, int(pairs)); err != nil {
		return err
	}
	alignment, err := f.alignment()
	if err != nil {
		return err
	}
	if err := f.parseTensors(r, int(tensors), alignment); err != nil {
		return err
	}
	return f.place(uint64(r.at), uint64(len(data)), alignment)
}

// start reads what tells a GGUF file from others.
func (r *reader) start(f *File) error {
	if got := r.take(len(magic)); string(got) != magic {
		return errors.New("it does not begin with GGUF; this is no GGUF file")
	}
	version := r.uint32()
	switch {
	case r.err != nil:
		return r.err
	case version == 2 || version == 3:
		f.Version = int(version)
		return nil
	case bits.ReverseBytes32(version) <= 3:
		return errors.New("a big-endian GGUF file is not supported; convert it with gguf-py's gguf_convert_endian.py")
	}
	return fmt.Errorf("GGUF version %d is not supported (have 2, 3)", version)
}

func (f *File) parseMetadata(r *reader, n int) error {
	if most := r.left() / 13; n > most { // a length, a kind and a byte
		return fmt.Errorf("%d keys do not fit into %d bytes; the file is cut short", n, r.left())
	}
	seen := make(map[string]bool, n)
	f.Metadata = make([]Pair, 0, n)
	for range n {
		key := r.text()
		switch {
		case r.err != nil:
			return fmt.Errorf("metadata: %w", r.err)
		case key == "" || len(key) > maxKey || !utf8.ValidString(key):
			return fmt.Errorf("metadata: a key is UTF-8 of 1 to %d bytes, not %q", maxKey, clip(key))
		case seen[key]:
			return fmt.Errorf("metadata: key %q is there twice", clip(key))
		}
		seen[key] = true
		value := r.value(kind(r.uint32()), 0)
		if r.err != nil {
			return fmt.Errorf("metadata: key %q: %w", clip(key), r.err)
		}
		f.Metadata = append(f.Metadata, Pair{key, value})
	}
	return nil
}

// alignment is of what every tensor's offset is a multiple.
func (f *File) alignment() (uint64, error) {
	value := f.Value(alignmentKey)
	if value == nil {
		return defaultAlignment, nil
	}
	a, ok := value.(uint32)
	if !ok || a == 0 || a > maxAlignment || a&(a-1) != 0 {
		return 0, fmt.Errorf("%s = %v is no power of two up to %d", alignmentKey, value, maxAlignment)
	}
	return uint64(a), nil
}

func (f *File) parseTensors(r *reader, n int, alignment uint64) error {
	if most := r.left() / 33; n > most { // length, a byte, rank, one size, type, offset: 8+1+4+8+4+8
		return fmt.Errorf("%d tensors do not fit into %d bytes; the file is cut short", n, r.left())
	}
	f.index = make(map[string]int, n)
	f.tensors = make([]Tensor, 0, n)
	for i := range n {
		name := r.text()
		switch {
		case r.err != nil:
			return fmt.Errorf("tensor %d: %w", i, r.err)
		case name == "" || len(name) > maxName || !utf8.ValidString(name):
			return fmt.Errorf("tensor %d: a name is UTF-8 of 1 to %d bytes, not %q", i, maxName, clip(name))
		}
		if _, twice := f.index[name]; twice {
			return fmt.Errorf("tensor %q is there twice", name)
		}
		t, err := r.tensor()
		if err == nil && t.begin%alignment != 0 {
			err = fmt.Errorf("offset %d is no multiple of the alignment %d", t.begin, alignment)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		t.Name = name
		f.index[name] = i
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// tensor reads all of a description but the name; begin counts from the data.
func (r *reader) tensor() (Tensor, error) {
	rank := r.uint32()
	if r.err == nil && (rank == 0 || rank > maxRank) {
		return Tensor{}, fmt.Errorf("%d dimensions; 1 to %d are allowed", rank, maxRank)
	}
	t := Tensor{Shape: make([]int, min(rank, maxRank))}
	for i := range t.Shape {
		n := r.uint64()
		if r.err == nil && (n == 0 || n > math.MaxInt) {
			return Tensor{}, fmt.Errorf("a dimension of %d", n)
		}
		t.Shape[len(t.Shape)-1-i] = int(n)
	}
	id := r.uint32()
	t.begin = r.uint64()
	if r.err != nil {
		return Tensor{}, r.err
	}
	var err error
	if t.Type, err = typeByID(id); err != nil {
		return Tensor{}, err
	}
	t.size, err = t.Type.size(t.Shape)
	return t, err
}

// place turns offsets into the data into offsets into the file, whose header
// ends at header. Tensors must stand one after the other in the order of their
// descriptions, each padded to the alignment, and fill the file.
func (f *File) place(header, size, alignment uint64) error {
	if len(f.tensors) == 0 {
		return nil // a vocabulary; padding may follow
	}
	base := padded(header, alignment)
	if base > size {
		return fmt.Errorf("the file has %d bytes and its tensors begin at %d; it is cut short", size, base)
	}
	next, left := uint64(0), size-base
	for i := range f.tensors {
		t := &f.tensors[i]
		switch {
		case t.begin > next:
			return fmt.Errorf("tensor %q begins at %d and leaves a hole after %d", t.Name, t.begin, next)
		case t.begin < next:
			return fmt.Errorf("tensor %q begins at %d and overlaps what ends at %d", t.Name, t.begin, next)
		case t.size > left-next || padded(t.size, alignment) > left-next:
			return fmt.Errorf("tensor %q needs %d bytes from %d, but the file has %d bytes of data; it is cut short", t.Name, t.size, next, left)
		}
		next += padded(t.size, alignment)
		t.begin += base
	}
	if next != left {
		return fmt.Errorf("the file has %d bytes of data, but its tensors end at %d", left, next)
	}
	return nil
}

// padded rounds n, which is below 2^63, up to a multiple of alignment.
func padded(n, alignment uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }

// clip shortens a name for a message.
func clip(name string) string {
	if len(name) > 64 {
		return name[:64] + "..."
	}
	return name
}

// A reader takes little-endian values from the front of data. After the first
// failure it returns zeros and keeps err.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) left() int { return len(r.data) - r.at }

func (r *reader) take(n int) []byte {
	if r.err == nil && n > r.left() {
		r.err = fmt.Errorf("%d bytes are wanted at %d and %d are left; the file is cut short", n, r.at, r.left())
	}
	if r.err != nil {
		return make([]byte, min(n, 8)) // enough for any number
	}
	r.at += n
	return r.data[r.at-n : r.at : r.at]
}

func (r *reader) uint8() uint8   { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// count reads a number of things that take at least each bytes.
func (r *reader) count(each int) int {
	n := r.uint64()
	if r.err == nil && n > uint64(r.left()/each) {
		r.err = fmt.Errorf("a length of %d at %d, where %d bytes are left; the file is cut short or damaged", n, r.at, r.left())
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// text reads a length and so many bytes, which become a string of their own.
func (r *reader) text() string { return string(r.take(r.count(1))) }
