// Package safetensors reads and writes tensors in the safetensors format: eight
// bytes with the length of a JSON header, the header, and the data.
//
// A file may come from anywhere, so nothing in it is believed: sizes are
// multiplied and added with overflow checks and compared with the length of the
// file before anything is allocated, and data that overlaps, leaves holes or
// ends before or after the file does is refused.
package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"plumb/internal/mapped"
)

// Limits of what is read. A model of 10,000 layers stays below them.
const (
	maxHeader  = 100 << 20 // bytes
	maxTensors = 200_000
	maxName    = 1024 // bytes
	maxRank    = 8
)

// A File is an opened and checked safetensors file. It may be used by several
// goroutines at once.
type File struct {
	// Metadata is the file's own text by key; empty if there is none.
	Metadata map[string]string

	path    string
	data    io.ReaderAt
	base    int64 // offset of the data in the file
	tensors map[string]entry
	close   func() error
	forget  func(from, to int) // pages of the file that are not needed again soon
}

// An entry is what the header says about a tensor, checked.
type entry struct {
	dtype      string
	shape      []int
	begin, end uint64 // bytes, counted from base
}

// Read maps the file at path and checks its header. Tensors are read when
// asked for; Close releases the file.
func Read(path string) (*File, error) {
	file, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, file, int64(len(file.Bytes())))
	if err != nil {
		file.Close()
		return nil, err
	}
	f.close, f.forget = file.Close, file.Forget
	return f, nil
}

// Parse checks the header of the size bytes in data. Errors call them path.
// The file reads from data for as long as it is used.
func Parse(path string, data io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(data, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	base := int64(8 + len(header))
	f := &File{path: path, data: data, base: base, close: func() error { return nil }, forget: func(int, int) {}}
	f.Metadata, f.tensors, err = parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := checkLayout(f.tensors, uint64(size-base)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func readHeader(data io.ReaderAt, size int64) ([]byte, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are no safetensors file; its header length alone takes 8", size)
	}
	var prefix [8]byte
	if err := readFull(data, prefix[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return nil, fmt.Errorf("header of %d bytes; at most %d are allowed (is it a safetensors file?)", length, maxHeader)
	}
	if length > uint64(size-8) {
		return nil, fmt.Errorf("header of %d bytes, but only %d follow; the file is cut short or no safetensors file", length, size-8)
	}
	header := make([]byte, length)
	return header, readFull(data, header, 8)
}

// readFull fills p from offset. A file that has shrunk since it was checked is an error.
func readFull(data io.ReaderAt, p []byte, offset int64) error {
	n, err := data.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Close releases the file. Slices it has returned stay valid.
func (f *File) Close() error { return f.close() }

// Names lists the tensors in order.
func (f *File) Names() []string {
	return slices.Sorted(maps.Keys(f.tensors))
}

// Tensor returns the tensor called name, its data little-endian and in new memory.
func (f *File) Tensor(name string) (Tensor, error) {
	e, ok := f.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor named %q among its %d", f.path, name, len(f.tensors))
	}
	data := make([]byte, e.end-e.begin)
	if err := readFull(f.data, data, f.base+int64(e.begin)); err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
	}
	return Tensor{Name: name, DType: e.dtype, Shape: slices.Clone(e.shape), Data: data}, nil
}

// Info returns data type and shape of the tensor called name without reading it.
func (f *File) Info(name string) (dtype string, shape []int, ok bool) {
	e, ok := f.tensors[name]
	return e.dtype, slices.Clone(e.shape), ok
}

// Float32 returns the values of the tensor called name, row-major, and its
// shape. It must be F32, F16 or BF16; all of these convert exactly.
func (f *File) Float32(name string) (values []float32, shape []int, err error) {
	e, err := f.floats(name)
	if err != nil {
		return nil, nil, err
	}
	values = make([]float32, (e.end-e.begin)/elementBytes[e.dtype])
	return values, slices.Clone(e.shape), f.Decode(values, name, 0)
}

// floats finds a tensor of numbers.
func (f *File) floats(name string) (entry, error) {
	e, ok := f.tensors[name]
	switch {
	case !ok:
		return e, fmt.Errorf("%s: no tensor named %q among its %d", f.path, name, len(f.tensors))
	case decoders[e.dtype] == nil:
		return e, fmt.Errorf("%s: tensor %q is %s; numbers are read from F32, F16 or BF16", f.path, name, e.dtype)
	}
	return e, nil
}

// Decode fills dst with values of the tensor called name, row-major, from the
// first-th on. It takes no memory that grows with the tensor.
func (f *File) Decode(dst []float32, name string, first int) error {
	e, err := f.floats(name)
	if err != nil {
		return err
	}
	width := elementBytes[e.dtype]
	if all := (e.end - e.begin) / width; first < 0 || uint64(first) > all || uint64(len(dst)) > all-uint64(first) {
		return fmt.Errorf("%s: tensor %q has %d values, not %d from %d on", f.path, name, all, len(dst), first)
	}
	var chunk [1 << 14]byte // a multiple of every width
	from := f.base + int64(e.begin) + int64(first)*int64(width)
	for offset := from; len(dst) > 0; {
		n := min(len(dst), len(chunk)/int(width))
		if err := readFull(f.data, chunk[:n*int(width)], offset); err != nil {
			return fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
		}
		decoders[e.dtype](dst[:n], chunk[:n*int(width)])
		dst = dst[n:]
		offset += int64(n) * int64(width)
	}
	return nil
}

// Forget tells the system that the tensor called name will not be read again
// soon, so that a model in memory and its file are not both there in full.
func (f *File) Forget(name string) {
	if e, ok := f.tensors[name]; ok {
		f.forget(int(f.base)+int(e.begin), int(f.base)+int(e.end))
	}
}
