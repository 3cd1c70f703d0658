package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A kind is how a value of the metadata is stored.
type kind uint32

// The kinds by their numbers in files.
const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// kindBytes is the least that a value of each kind takes in a file.
var kindBytes = [...]int{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8}

// value reads a value of kind k inside depth arrays.
func (r *reader) value(k kind, depth int) any {
	switch k {
	case kindUint8:
		return r.uint8()
	case kindInt8:
		return int8(r.uint8())
	case kindUint16:
		return r.uint16()
	case kindInt16:
		return int16(r.uint16())
	case kindUint32:
		return r.uint32()
	case kindInt32:
		return int32(r.uint32())
	case kindFloat32:
		return math.Float32frombits(r.uint32())
	case kindBool:
		return r.bool()
	case kindString:
		return r.text()
	case kindArray:
		return r.array(depth + 1)
	case kindUint64:
		return r.uint64()
	case kindInt64:
		return int64(r.uint64())
	case kindFloat64:
		return math.Float64frombits(r.uint64())
	}
	if r.err == nil {
		r.err = fmt.Errorf("unknown kind of value %d", k)
	}
	return nil
}

func (r *reader) bool() bool {
	b := r.uint8()
	if r.err == nil && b > 1 {
		r.err = fmt.Errorf("%d is neither true nor false", b)
	}
	return b == 1
}

// array reads a kind, a length and so many values.
func (r *reader) array(depth int) any {
	k := kind(r.uint32())
	switch {
	case r.err != nil:
		return nil
	case int(k) >= len(kindBytes):
		r.err = fmt.Errorf("unknown kind of value %d in an array", k)
		return nil
	case depth > maxNesting:
		r.err = fmt.Errorf("arrays in arrays more than %d deep", maxNesting)
		return nil
	}
	n := r.count(kindBytes[k])
	switch k {
	case kindUint8:
		return list(r, n, r.uint8)
	case kindInt8:
		return list(r, n, func() int8 { return int8(r.uint8()) })
	case kindUint16:
		return list(r, n, r.uint16)
	case kindInt16:
		return list(r, n, func() int16 { return int16(r.uint16()) })
	case kindUint32:
		return list(r, n, r.uint32)
	case kindInt32:
		return list(r, n, func() int32 { return int32(r.uint32()) })
	case kindFloat32:
		return list(r, n, func() float32 { return math.Float32frombits(r.uint32()) })
	case kindBool:
		return list(r, n, r.bool)
	case kindString:
		return list(r, n, r.text)
	case kindUint64:
		return list(r, n, r.uint64)
	case kindInt64:
		return list(r, n, func() int64 { return int64(r.uint64()) })
	case kindFloat64:
		return list(r, n, func() float64 { return math.Float64frombits(r.uint64()) })
	}
	return list(r, n, func() any { return r.array(depth + 1) })
}

// list reads n values, which are known to fit into what is left.
func list[T any](r *reader, n int, next func() T) []T {
	values := make([]T, 0, n)
	for range n {
		v := next()
		if r.err != nil {
			return nil
		}
		values = append(values, v)
	}
	return values
}

// appendValue appends the kind of value, and value.
func appendValue(dst []byte, value any) ([]byte, error) {
	k, err := kindOf(value)
	if err != nil {
		return nil, err
	}
	return appendBare(binary.LittleEndian.AppendUint32(dst, uint32(k)), value), nil
}

// kindOf returns how value is stored. Arrays in arrays are not written.
func kindOf(value any) (kind, error) {
	switch value.(type) {
	case uint8:
		return kindUint8, nil
	case int8:
		return kindInt8, nil
	case uint16:
		return kindUint16, nil
	case int16:
		return kindInt16, nil
	case uint32:
		return kindUint32, nil
	case int32:
		return kindInt32, nil
	case float32:
		return kindFloat32, nil
	case bool:
		return kindBool, nil
	case string:
		return kindString, nil
	case uint64:
		return kindUint64, nil
	case int64:
		return kindInt64, nil
	case float64:
		return kindFloat64, nil
	case []uint8, []int8, []uint16, []int16, []uint32, []int32, []float32, []bool, []string, []uint64, []int64, []float64:
		return kindArray, nil
	}
	return 0, fmt.Errorf("a %T is no value of metadata", value)
}

// appendBare appends a value, or the kind, length and values of a slice.
func appendBare(dst []byte, value any) []byte {
	le := binary.LittleEndian
	switch v := value.(type) {
	case uint8:
		return append(dst, v)
	case int8:
		return append(dst, uint8(v))
	case uint16:
		return le.AppendUint16(dst, v)
	case int16:
		return le.AppendUint16(dst, uint16(v))
	case uint32:
		return le.AppendUint32(dst, v)
	case int32:
		return le.AppendUint32(dst, uint32(v))
	case float32:
		return le.AppendUint32(dst, math.Float32bits(v))
	case bool:
		if v {
			return append(dst, 1)
		}
		return append(dst, 0)
	case string:
		return appendText(dst, v)
	case uint64:
		return le.AppendUint64(dst, v)
	case int64:
		return le.AppendUint64(dst, uint64(v))
	case float64:
		return le.AppendUint64(dst, math.Float64bits(v))
	case []uint8:
		return appendList(dst, v)
	case []int8:
		return appendList(dst, v)
	case []uint16:
		return appendList(dst, v)
	case []int16:
		return appendList(dst, v)
	case []uint32:
		return appendList(dst, v)
	case []int32:
		return appendList(dst, v)
	case []float32:
		return appendList(dst, v)
	case []bool:
		return appendList(dst, v)
	case []string:
		return appendList(dst, v)
	case []uint64:
		return appendList(dst, v)
	case []int64:
		return appendList(dst, v)
	case []float64:
		return appendList(dst, v)
	}
	panic(fmt.Sprintf("gguf: appendBare: a %T has no kind", value))
}

func appendList[T any](dst []byte, values []T) []byte {
	var zero T
	k, err := kindOf(zero)
	if err != nil {
		panic("gguf: appendList: " + err.Error())
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(k))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(values)))
	for _, v := range values {
		dst = appendBare(dst, v)
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint64(dst, uint64(len(text))), text...)
}
