// Package gguf reads and writes GGUF files, in which llama.cpp keeps models:
// metadata by key, and tensors, most of them quantised in blocks (the format's
// own description: ggml, docs/gguf.md).
//
// A file may come from anywhere, so nothing in it is believed: counts and
// lengths are compared with what is left of the file before anything is
// allocated, sizes are multiplied and added with overflow checks, and tensors
// that overlap, leave holes or end before or after the file does are refused.
package gguf

import (
	"bytes"
	"fmt"
	"slices"

	"plumb/internal/mapped"
)

// Limits of what is read. The largest published models stay far below them.
const (
	maxKeys      = 1 << 16
	maxTensors   = 200_000
	maxName      = 63 // bytes; ggml's own limit
	maxKey       = 1 << 16
	maxRank      = 4
	maxNesting   = 4 // arrays in arrays
	maxAlignment = 4096
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	alignmentKey     = "general.alignment"
)

// A File is an opened and checked GGUF file. It may be used by several
// goroutines at once.
type File struct {
	Version  int    // 2 or 3
	Metadata []Pair // in the file's order

	path    string
	data    *mapped.File
	tensors []Tensor
	index   map[string]int
}

// A Pair is one entry of the metadata. Value is an int8, uint8, int16, uint16,
// int32, uint32, int64, uint64, float32, float64, bool or string, or a slice of
// one of these, or []any of slices.
type Pair struct {
	Key   string
	Value any
}

// A Tensor describes a tensor of a file.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // outermost first; the last is a row

	begin, size uint64 // bytes; begin counts from the start of the file
}

// Elements returns how many numbers t has.
func (t Tensor) Elements() int { return int(t.size) / t.Type.bytes * t.Type.Block }

// Bytes returns how long t is in the file.
func (t Tensor) Bytes() int { return int(t.size) }

// Open maps the file at path and checks it. Close releases it.
func Open(path string) (*File, error) {
	data, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := check(path, data)
	if err != nil {
		data.Close()
		return nil, err
	}
	return f, nil
}

// Parse is Open for the content of a file that is at hand and does not change;
// errors call it path.
func Parse(path string, data []byte) (*File, error) { return check(path, mapped.Of(path, data)) }

func check(path string, data *mapped.File) (*File, error) {
	f := &File{path: path, data: data}
	var err error
	if fault := data.Read(func() { err = f.parse(data.Bytes()) }); fault != nil {
		err = fault
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Close releases the file. Values it has returned stay valid.
func (f *File) Close() error { return f.data.Close() }

// Value returns the metadata under key, nil if there is none.
func (f *File) Value(key string) any {
	i := slices.IndexFunc(f.Metadata, func(p Pair) bool { return p.Key == key })
	if i < 0 {
		return nil
	}
	return f.Metadata[i].Value
}

// Tensors lists the tensors in the file's order.
func (f *File) Tensors() []Tensor { return f.tensors }

// Tensor describes the tensor called name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Float32 writes the numbers of the tensor called name from number first on to
// dst, row-major and as ggml would expand them. It reads whole blocks.
func (f *File) Float32(dst []float32, name string, first int) error {
	t, ok := f.Tensor(name)
	if !ok {
		return fmt.Errorf("no tensor named %q among the %d of %s", name, len(f.tensors), f.path)
	}
	if first < 0 || first%t.Type.Block != 0 || len(dst)%t.Type.Block != 0 || len(dst) > t.Elements()-first {
		return fmt.Errorf("tensor %q of %s is %s %v; %d numbers from %d on cannot be read", name, f.path, t.Type.Name, t.Shape, len(dst), first)
	}
	begin := int(t.begin) + t.Type.Bytes(first)
	return f.data.Read(func() {
		t.Type.Decode(dst, f.data.Bytes()[begin:][:t.Type.Bytes(len(dst))])
	})
}

// Forget tells the system that the tensor called name is not needed again soon.
func (f *File) Forget(name string) {
	if t, ok := f.Tensor(name); ok {
		f.data.Forget(int(t.begin), int(t.begin+t.size))
	}
}

// Same reports whether two tensors are there and alike in type, shape and bytes.
func (f *File) Same(a, b string) bool {
	x, xok := f.Tensor(a)
	y, yok := f.Tensor(b)
	if !xok || !yok || x.Type.id != y.Type.id || !slices.Equal(x.Shape, y.Shape) {
		return false
	}
	same := false
	err := f.data.Read(func() {
		data := f.data.Bytes()
		same = bytes.Equal(data[x.begin:][:x.size], data[y.begin:][:y.size])
	})
	return same && err == nil
}
