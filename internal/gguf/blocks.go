package gguf

import (
	"encoding/binary"
	"math"
)

// Blocks of 32 numbers with one float16 scale d, and in the types _1 a float16
// offset after it. Byte k of the last 16 holds number k in its low half and
// number k+16 in its high half; types of 5 bits keep the fifth bits in a word
// of 32 before those.
const (
	small    = 32
	halfway  = small / 2
	scaleEnd = 2
)

func decodeQ8_0(dst []float32, src []byte) {
	d := half(src)
	for i := range small {
		dst[i] = float32(int8(src[scaleEnd+i])) * d
	}
}

func encodeQ8_0(dst []byte, src []float32) {
	var most float32
	for _, v := range src {
		most = max(most, abs(v))
	}
	d := most / 127
	inverse := reciprocal(d)
	putHalf(dst, d)
	for i, v := range src {
		dst[scaleEnd+i] = byte(int8(clamp(math.Round(float64(v*inverse)), -127, 127)))
	}
}

func decodeQ4_0(dst []float32, src []byte) {
	d := half(src)
	for i, b := range src[scaleEnd:] {
		dst[i] = float32(int(b&15)-8) * d
		dst[i+halfway] = float32(int(b>>4)-8) * d
	}
}

func encodeQ4_0(dst []byte, src []float32) {
	d := extreme(src) / -8
	inverse := reciprocal(d)
	putHalf(dst, d)
	for i := range halfway {
		low := level(float32(src[i]*inverse)+8.5, 15)
		high := level(float32(src[i+halfway]*inverse)+8.5, 15)
		dst[scaleEnd+i] = low | high<<4
	}
}

func decodeQ4_1(dst []float32, src []byte) {
	d, least := half(src), half(src[2:])
	for i, b := range src[4:] {
		dst[i] = float32(float32(b&15)*d) + least
		dst[i+halfway] = float32(float32(b>>4)*d) + least
	}
}

func encodeQ4_1(dst []byte, src []float32) {
	least, most := limits(src)
	d := (most - least) / 15
	inverse := reciprocal(d)
	putHalf(dst, d)
	putHalf(dst[2:], least)
	for i := range halfway {
		low := level(float32((src[i]-least)*inverse)+0.5, 15)
		high := level(float32((src[i+halfway]-least)*inverse)+0.5, 15)
		dst[4+i] = low | high<<4
	}
}

func decodeQ5_0(dst []float32, src []byte) {
	d, fifth := half(src), binary.LittleEndian.Uint32(src[2:])
	for i, b := range src[6:] {
		low, high := fifthBits(b, fifth, i)
		dst[i] = float32(low-16) * d
		dst[i+halfway] = float32(high-16) * d
	}
}

func encodeQ5_0(dst []byte, src []float32) {
	d := extreme(src) / -16
	inverse := reciprocal(d)
	putHalf(dst, d)
	putFiveBits(dst[2:], func(i int) byte { return level(float32(src[i]*inverse)+16.5, 31) })
}

func decodeQ5_1(dst []float32, src []byte) {
	d, least, fifth := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
	for i, b := range src[8:] {
		low, high := fifthBits(b, fifth, i)
		dst[i] = float32(float32(low)*d) + least
		dst[i+halfway] = float32(float32(high)*d) + least
	}
}

func encodeQ5_1(dst []byte, src []float32) {
	least, most := limits(src)
	d := (most - least) / 31
	inverse := reciprocal(d)
	putHalf(dst, d)
	putHalf(dst[2:], least)
	putFiveBits(dst[4:], func(i int) byte { return level(float32((src[i]-least)*inverse)+0.5, 31) })
}

// fifthBits returns numbers i and i+16 of a block, whose low bits are in b.
func fifthBits(b byte, fifth uint32, i int) (low, high int) {
	return int(b&15) | int(fifth>>i&1)<<4, int(b>>4) | int(fifth>>(i+halfway)&1)<<4
}

// putFiveBits writes the word of fifth bits, then the bytes of low bits.
func putFiveBits(dst []byte, number func(i int) byte) {
	var fifth uint32
	for i := range halfway {
		low, high := number(i), number(i+halfway)
		fifth |= uint32(low>>4)<<i | uint32(high>>4)<<(i+halfway)
		dst[4+i] = low&15 | high<<4
	}
	binary.LittleEndian.PutUint32(dst, fifth)
}

// extreme returns the first number of largest magnitude, with its sign.
func extreme(src []float32) float32 {
	var most, signed float32
	for _, v := range src {
		if abs(v) > most {
			most, signed = abs(v), v
		}
	}
	return signed
}

func limits(src []float32) (least, most float32) {
	least, most = src[0], src[0]
	for _, v := range src { // comparisons tell no zeros apart, where min and max would
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	return least, most
}

// reciprocal returns 1/d, and 0 for 0.
func reciprocal(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// level cuts v down to a whole number from 0 to top. What is no number, as
// comes of a scale so small that its reciprocal is infinite, is 0.
func level(v float32, top byte) byte {
	if !(v > 0) {
		return 0
	}
	return byte(min(v, float32(top)))
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

// clamp bounds v; what is no number is low.
func clamp(v, low, high float64) float64 {
	if !(v > low) {
		return low
	}
	return min(v, high)
}
