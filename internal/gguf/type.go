package gguf

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// A Type is a form in which a tensor's numbers are stored: in blocks, which a
// row must fill exactly.
type Type struct {
	Name  string // as ggml has it: F32, Q8_0, Q4_K
	Block int    // numbers of a block
	bytes int    // of a block
	id    uint32
	file  uint32 // the number of general.file_type for files mostly of this type

	decode func(dst []float32, block []byte)
	encode func(block []byte, src []float32)
}

// types are all that are read and written. The layouts of the quantised ones
// are those of ggml's ggml-common.h.
var types = []Type{
	{"F32", 1, 4, 0, 0, decodeF32, encodeF32},
	{"F16", 1, 2, 1, 1, decodeF16, encodeF16},
	{"BF16", 1, 2, 30, 32, decodeBF16, encodeBF16},
	{"Q8_0", 32, 34, 8, 7, decodeQ8_0, encodeQ8_0},
	{"Q4_0", 32, 18, 2, 2, decodeQ4_0, encodeQ4_0},
	{"Q4_1", 32, 20, 3, 3, decodeQ4_1, encodeQ4_1},
	{"Q5_0", 32, 22, 6, 8, decodeQ5_0, encodeQ5_0},
	{"Q5_1", 32, 24, 7, 9, decodeQ5_1, encodeQ5_1},
	{"Q4_K", 256, 144, 12, 14, decodeQ4_K, encodeQ4_K},
	{"Q5_K", 256, 176, 13, 16, decodeQ5_K, encodeQ5_K},
	{"Q6_K", 256, 210, 14, 18, decodeQ6_K, encodeQ6_K},
}

// unread names the types of ggml that are not read, by number.
var unread = map[uint32]string{
	9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
	21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// Types lists the names of all types, the plain ones first.
func Types() []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}

// TypeNamed returns the type called name, in capitals or not.
func TypeNamed(name string) (Type, error) {
	for _, t := range types {
		if strings.EqualFold(t.Name, name) {
			return t, nil
		}
	}
	return Type{}, fmt.Errorf("no type named %q (have %s)", name, strings.Join(Types(), ", "))
}

func typeByID(id uint32) (Type, error) {
	i := slices.IndexFunc(types, func(t Type) bool { return t.id == id })
	if i >= 0 {
		return types[i], nil
	}
	name := unread[id]
	if name == "" {
		name = fmt.Sprintf("number %d", id)
	}
	return Type{}, fmt.Errorf("its type %s is not read (have %s)", name, strings.Join(Types(), ", "))
}

// FileType is the number under which general.file_type knows files whose
// matrices are of type t.
func (t Type) FileType() uint32 { return t.file }

// Quantised reports whether t rounds several numbers together.
func (t Type) Quantised() bool { return t.Block > 1 }

// Bytes returns the size of n numbers, a whole count of blocks.
func (t Type) Bytes(n int) int { return n / t.Block * t.bytes }

// For returns t where rows of the given length fill its blocks, and otherwise
// what llama.cpp takes in its place: the next larger type with blocks of 32, or F16.
func (t Type) For(row int) Type {
	fallback := map[string]string{"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
	for row%t.Block != 0 {
		name, ok := fallback[t.Name]
		if !ok {
			name = "F16"
		}
		t, _ = TypeNamed(name)
	}
	return t
}

// size multiplies a shape of positive dimensions out. A size that int64 cannot
// hold is an error.
func (t Type) size(shape []int) (uint64, error) {
	row := shape[len(shape)-1]
	if row%t.Block != 0 {
		return 0, fmt.Errorf("rows of %d numbers do not fill blocks of %d, as %s has", row, t.Block, t.Name)
	}
	size := uint64(t.bytes)
	for i, n := range shape {
		if i == len(shape)-1 {
			n /= t.Block
		}
		high, low := bits.Mul64(size, uint64(n))
		if high != 0 || low > math.MaxInt64/2 {
			return 0, fmt.Errorf("shape %d is too large", shape)
		}
		size = low
	}
	return size, nil
}

// Decode expands src, whole blocks, to dst, with as many numbers as they have.
// It panics if the lengths do not fit.
func (t Type) Decode(dst []float32, src []byte) {
	if len(dst)%t.Block != 0 || len(src) != t.Bytes(len(dst)) {
		panic(fmt.Sprintf("gguf: Type.Decode: %d bytes of %s for %d numbers", len(src), t.Name, len(dst)))
	}
	for len(dst) > 0 {
		t.decode(dst[:t.Block], src[:t.bytes])
		dst, src = dst[t.Block:], src[t.bytes:]
	}
}

// Encode rounds src, which fills whole blocks and is finite, to dst in the way
// of ggml's reference quantisers, without weights of importance. It panics if
// the lengths do not fit.
func (t Type) Encode(dst []byte, src []float32) {
	if len(src)%t.Block != 0 || len(dst) != t.Bytes(len(src)) {
		panic(fmt.Sprintf("gguf: Type.Encode: %d bytes of %s for %d numbers", len(dst), t.Name, len(src)))
	}
	for len(src) > 0 {
		t.encode(dst[:t.bytes], src[:t.Block])
		dst, src = dst[t.bytes:], src[t.Block:]
	}
}
