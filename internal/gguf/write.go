package gguf

import (
	"encoding/binary"

	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// A Source is a tensor to be written.
type Source struct {
	Name   string
	Type   Type
	Shape  []int            // outermost first; a row fills whole blocks of Type
	Values func() []float32 // row-major, finite; asked for once, when its turn comes
	Blocks func() []byte    // the values as Type stores them, in place of Values; nil where there are none
}

// Bytes returns how much of a file s takes, padding apart.
func (s Source) Bytes() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return s.Type.Bytes(n)
}

// Write writes a file of version 3 with metadata and tensors in the given
// order. Its bytes depend on nothing else.
func Write(w io.Writer, metadata []Pair, tensors []Source) error {
	header, err := encodeHeader(metadata, tensors)
	if err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader returns everything before the first tensor's data.
func encodeHeader(metadata []Pair, tensors []Source) ([]byte, error) {
	le := binary.LittleEndian
	header := le.AppendUint32([]byte(magic), 3)
	header = le.AppendUint64(header, uint64(len(tensors)))
	header = le.AppendUint64(header, uint64(len(metadata)))
	header, err := appendMetadata(header, metadata)
	if err != nil {
		return nil, err
	}
	if len(tensors) > maxTensors {
		return nil, fmt.Errorf("%d tensors; at most %d are allowed", len(tensors), maxTensors)
	}
	seen := map[string]bool{}
	offset := uint64(0)
	for _, t := range tensors {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q is there twice", t.Name)
		}
		seen[t.Name] = true
		header = appendText(header, t.Name)
		header = le.AppendUint32(header, uint32(len(t.Shape)))
		for _, n := range slices.Backward(t.Shape) {
			header = le.AppendUint64(header, uint64(n))
		}
		header = le.AppendUint32(header, t.Type.id)
		header = le.AppendUint64(header, offset)
		offset += padded(uint64(t.Bytes()), defaultAlignment)
	}
	return append(header, padding(len(header))...), nil
}

func appendMetadata(header []byte, metadata []Pair) ([]byte, error) {
	if len(metadata) > maxKeys {
		return nil, fmt.Errorf("%d keys; at most %d are allowed", len(metadata), maxKeys)
	}
	seen := map[string]bool{}
	for _, p := range metadata {
		switch {
		case p.Key == "" || len(p.Key) > maxKey || !utf8.ValidString(p.Key):
			return nil, fmt.Errorf("a key is UTF-8 of 1 to %d bytes, not %q", maxKey, clip(p.Key))
		case p.Key == alignmentKey:
			return nil, fmt.Errorf("%s is not set here; tensors are aligned to %d", alignmentKey, defaultAlignment)
		case seen[p.Key]:
			return nil, fmt.Errorf("key %q is there twice", p.Key)
		}
		seen[p.Key] = true
		var err error
		if header, err = appendValue(appendText(header, p.Key), p.Value); err != nil {
			return nil, fmt.Errorf("key %q: %w", p.Key, err)
		}
	}
	return header, nil
}

// check holds s to the rules that Open enforces.
func (s Source) check() error {
	switch {
	case s.Name == "" || len(s.Name) > maxName || !utf8.ValidString(s.Name):
		return fmt.Errorf("a name is UTF-8 of 1 to %d bytes", maxName)
	case len(s.Shape) == 0 || len(s.Shape) > maxRank:
		return fmt.Errorf("%d dimensions; 1 to %d are allowed", len(s.Shape), maxRank)
	case slices.Min(s.Shape) < 1:
		return fmt.Errorf("shape %d has a dimension below 1", s.Shape)
	}
	_, err := s.Type.size(s.Shape)
	return err
}

// write writes s and pads it.
func (s Source) write(w io.Writer) error {
	put := s.encode
	if s.Blocks != nil {
		put = s.copy
	}
	if err := put(w); err != nil {
		return err
	}
	_, err := w.Write(padding(s.Bytes()))
	return err
}

// copy writes the blocks of s.
func (s Source) copy(w io.Writer) error {
	blocks := s.Blocks()
	if want := s.Bytes(); len(blocks) != want {
		return fmt.Errorf("gguf: tensor %q: %d bytes in place of %d", s.Name, len(blocks), want)
	}
	_, err := w.Write(blocks)
	return err
}

// encode writes the values of s in pieces of whole blocks.
func (s Source) encode(w io.Writer) error {
	values := s.Values()
	if want := s.Bytes(); len(values)%s.Type.Block != 0 || s.Type.Bytes(len(values)) != want {
		return fmt.Errorf("gguf: tensor %q: %d values do not make %v", s.Name, len(values), s.Shape)
	}
	if s.Type.Quantised() && !finite(values) {
		return fmt.Errorf("tensor %q has values that are not finite, which %s cannot hold; write it as F32", s.Name, s.Type.Name)
	}
	const piece = 1 << 20 // numbers; a multiple of every block
	buffer := make([]byte, s.Type.Bytes(min(piece, len(values))))
	for part := range slices.Chunk(values, piece) {
		encoded := buffer[:s.Type.Bytes(len(part))]
		s.Type.encodeTogether(encoded, part)
		if _, err := w.Write(encoded); err != nil {
			return err
		}
	}
	return nil
}

// encodeTogether is Encode by as many goroutines as there are processors, each
// with blocks of its own.
func (t Type) encodeTogether(dst []byte, src []float32) {
	const share = 1 << 14 // numbers at a time; a multiple of every block
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				begin := int(next.Add(share)) - share
				if begin >= len(src) {
					return
				}
				part := src[begin:min(begin+share, len(src))]
				t.Encode(dst[t.Bytes(begin):][:t.Bytes(len(part))], part)
			}
		})
	}
	workers.Wait()
}

func padding(n int) []byte {
	return make([]byte, padded(uint64(n), defaultAlignment)-uint64(n))
}

func finite(values []float32) bool {
	for _, v := range values {
		if v-v != 0 {
			return false
		}
	}
	return true
}
