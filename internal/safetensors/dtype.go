package safetensors

import (
	"encoding/binary"
	"math"
	"sync"
)

// elementBytes holds the bytes of one element of every data type that can be
// read and written. Types narrower than a byte are refused.
var elementBytes = map[string]uint64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	"U16": 2, "I16": 2, "F16": 2, "BF16": 2,
	"U32": 4, "I32": 4, "F32": 4,
	"U64": 8, "I64": 8, "F64": 8,
}

// Float32Bytes returns values as little-endian F32 data. The memory is new.
func Float32Bytes(values []float32) []byte {
	data := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	return data
}

// decoders turn little-endian data into float32; dst has one element for each
// in src. Every value of F16 and BF16 has an exact float32, and NaN stays NaN.
var decoders = map[string]func(dst []float32, src []byte){
	"F32":  decodeF32,
	"F16":  decodeF16,
	"BF16": decodeBF16,
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func decodeF16(dst []float32, src []byte) {
	table := float16Table()
	for i := range dst {
		dst[i] = table[binary.LittleEndian.Uint16(src[2*i:])]
	}
}

// float16Table is the float32 of every float16: 256 KiB, made at first use.
var float16Table = sync.OnceValue(func() *[1 << 16]float32 {
	table := new([1 << 16]float32)
	for h := range table {
		table[h] = float16(uint16(h))
	}
	return table
})

// float16 converts 1 sign, 5 exponent (bias 15) and 10 fraction bits.
func float16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h >> 10 & 0x1f)
	fraction := uint32(h & 0x3ff)
	switch {
	case exponent == 0x1f && fraction != 0: // NaN, made quiet
		return math.Float32frombits(sign | 0x7fc00000 | fraction<<13)
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0x7f800000)
	case exponent == 0: // zero and subnormals: fraction × 2^-24, exact in float32
		magnitude := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
