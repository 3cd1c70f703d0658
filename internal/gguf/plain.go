package gguf

import (
	"encoding/binary"
	"math"
)

func decodeF32(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(src))
}

func encodeF32(dst []byte, src []float32) {
	binary.LittleEndian.PutUint32(dst, math.Float32bits(src[0]))
}

func decodeF16(dst []float32, src []byte) { dst[0] = half(src) }

func encodeF16(dst []byte, src []float32) { putHalf(dst, src[0]) }

func decodeBF16(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src)) << 16)
}

// encodeBF16 keeps the upper half of a float32, rounded to nearest even; NaN
// stays NaN.
func encodeBF16(dst []byte, src []float32) {
	b := math.Float32bits(src[0])
	if b&0x7fffffff > 0x7f800000 {
		b |= 1 << 22
	} else {
		b += 0x7fff + b>>16&1
	}
	binary.LittleEndian.PutUint16(dst, uint16(b>>16))
}

// half reads a float16: 1 sign, 5 exponent (bias 15) and 10 fraction bits.
func half(src []byte) float32 {
	h := binary.LittleEndian.Uint16(src)
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0x1f: // infinity, or NaN made quiet
		if fraction != 0 {
			fraction |= 1 << 9
		}
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case 0: // zero and subnormals: fraction × 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*(1.0/(1<<24))))
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// putHalf writes v as a float16, rounded to nearest even as processors do.
func putHalf(dst []byte, v float32) {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	var h uint32
	switch {
	case b > 0x7f800000: // NaN, made quiet
		h = 0x7e00 | b>>13&0x3ff
	case b >= 0x477ff000: // 65520 and above round to infinity
		h = 0x7c00
	case b >= 0x38800000: // 2^-14: normal
		b += 0xfff + b>>13&1
		h = b>>13 - (127-15)<<10
	default: // adding 0.5 puts the last bit of a subnormal, 2^-24, at the end of a float32
		h = math.Float32bits(math.Float32frombits(b)+0.5) - math.Float32bits(0.5)
	}
	binary.LittleEndian.PutUint16(dst, sign|uint16(h))
}
