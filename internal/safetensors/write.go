package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Tensor is a named array of numbers as it stands in a file.
type Tensor struct {
	Name  string
	DType string // F32, F16, BF16, I64, ...
	Shape []int  // outermost first; empty for a single number
	Data  []byte // row-major, little-endian
}

// Write writes metadata and tensors as one safetensors file. The bytes depend on
// the content alone: tensors and metadata stand in the order of their names, and
// spaces pad the header to a multiple of 8 bytes.
func Write(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	header, err := encodeHeader(metadata, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader describes tensors, which are sorted and stand one after the other.
func encodeHeader(metadata map[string]string, tensors []Tensor) ([]byte, error) {
	header := []byte{'{'}
	if len(metadata) > 0 {
		for key, value := range metadata {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, fmt.Errorf("safetensors: metadata %q is not UTF-8", key)
			}
		}
		header = appendJSON(header, metadataKey, metadata)
	}
	var offset uint64
	for i, t := range tensors {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
		}
		if i > 0 && tensors[i-1].Name == t.Name {
			return nil, fmt.Errorf("safetensors: tensor %q is there twice", t.Name)
		}
		end := offset + uint64(len(t.Data))
		if len(header) > 1 {
			header = append(header, ',')
		}
		header = appendJSON(header, t.Name, struct {
			DType   string    `json:"dtype"`
			Shape   []int     `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]uint64{offset, end}})
		offset = end
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	if len(tensors) > maxTensors || len(header) > maxHeader {
		return nil, fmt.Errorf("safetensors: %d tensors and a header of %d bytes; at most %d and %d are allowed", len(tensors), len(header), maxTensors, maxHeader)
	}
	return header, nil
}

// check holds a tensor to the rules that Read enforces.
func (t Tensor) check() error {
	switch {
	case t.Name == metadataKey:
		return errors.New("the name is reserved")
	case len(t.Name) > maxName || !utf8.ValidString(t.Name):
		return fmt.Errorf("a name is UTF-8 of at most %d bytes", maxName)
	case len(t.Shape) > maxRank:
		return fmt.Errorf("%d dimensions; at most %d are allowed", len(t.Shape), maxRank)
	}
	shape := make([]uint64, len(t.Shape))
	for i, n := range t.Shape {
		if n < 0 {
			return fmt.Errorf("shape %d has a negative dimension", t.Shape)
		}
		shape[i] = uint64(n)
	}
	size, err := byteSize(t.DType, shape)
	if err == nil && size != uint64(len(t.Data)) {
		err = fmt.Errorf("%s %d takes %d bytes, but %d were given", t.DType, t.Shape, size, len(t.Data))
	}
	return err
}

// appendJSON appends key and value as a member of an object.
func appendJSON(dst []byte, key string, value any) []byte {
	dst = append(encode(dst, key), ':')
	return encode(dst, value)
}

// encode appends the JSON of strings, numbers, or maps of strings (keys in
// order), all of which have one.
func encode(dst []byte, value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("safetensors: encode: " + err.Error())
	}
	return append(dst, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...)
}
