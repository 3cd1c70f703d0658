package model

import (
	"encoding/binary"
	"math"
)

// Numbers of few bits are stored by rows: number i of a row is bits i·b to
// i·b+b-1 of its bytes, the lowest bit first, and rows begin at whole bytes.

// rowBytes is how many bytes n numbers take.
func rowBytes(n, bits int) int { return (n*bits + 7) / 8 }

// packBits writes numbers below 2^bits to dst, which is zero.
func packBits(dst, numbers []uint8, bits int) {
	for i, q := range numbers {
		at := i * bits
		wide := uint16(q) << (at % 8)
		dst[at/8] |= byte(wide)
		if wide > 0xFF {
			dst[at/8+1] |= byte(wide >> 8)
		}
	}
}

// unpackBits reads len(dst) numbers.
func unpackBits(dst, src []uint8, bits int) {
	if bits == 8 {
		copy(dst, src)
		return
	}
	mask := uint8(1)<<bits - 1
	for i := range dst {
		at := i * bits
		q := src[at/8] >> (at % 8)
		if left := 8 - at%8; left < bits {
			q |= src[at/8+1] << left
		}
		dst[i] = q & mask
	}
}

// halves rounds numbers to float16, halves to even, in little endian.
func halves(x []float32) []byte {
	b := alignedBytes(2 * len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint16(b[2*i:], toHalf(v))
	}
	return b
}

// fromHalves converts float16 exactly.
func fromHalves(b []byte) []float32 {
	x := make([]float32, len(b)/2)
	for i := range x {
		x[i] = fromHalf(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return x
}

func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3FF)
	switch exponent {
	case 0:
		v := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0xFF<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// toHalf rounds to nearest, halves to even; what is beyond float16 is infinite.
func toHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, size := uint16(bits>>16&0x8000), bits&0x7FFF_FFFF
	switch {
	case size > 0x7F80_0000:
		return sign | 0x7E00
	case size >= 0x4780_0000: // 65536
		return sign | 0x7C00
	case size < 0x3880_0000: // below 2^-14 are steps of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(size))*(1<<24)))
	}
	size += 0xFFF + size>>13&1
	return sign | uint16((size>>13)-112<<10)
}
