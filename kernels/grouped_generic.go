package kernels

import (
	"math"
	"unsafe"
)

// offset is the element so many bytes behind p.
func offset[E any](p *E, bytes int) *E { return (*E)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// A fixFunc writes segments of x·inverse as whole numbers, of inputs each, in the
// parts that its instruction set has, plane bytes apart, and the sums of the parts
// in facts. A vector may be written whole where fewer inputs are left, filled up
// with zeros.
type fixFunc func(dst *int8, x *float32, inverse float32, plane, segments, inputs int, facts *fixedFact)

var fixKernel = implement[fixFunc](fixGeneric)

func fixGeneric(dst *int8, x *float32, inverse float32, plane, segments, inputs int, facts *fixedFact) {
	n := segments * inputs
	highs := unsafe.Slice((*int32)(unsafe.Pointer(dst)), (n+7)/8*8)
	lows := unsafe.Slice((*int32)(unsafe.Pointer(offset(dst, plane))), len(highs))
	clear(highs)
	clear(lows)
	all := unsafe.Slice(facts, segments)
	for s := range all {
		all[s] = fixedFact{}
	}
	for i, v := range unsafe.Slice(x, n) {
		whole := int32(math.RoundToEven(float64(float32(v * inverse))))
		highs[i] = (whole + 1<<15) >> 16
		lows[i] = whole - highs[i]<<16
		all[i/inputs].high += highs[i]
		all[i/inputs].low += lows[i]
	}
}

// A dotFunc sets c [2, 32] to the sums of the products of bytes with the high and
// the low parts of a row, plane bytes apart:
//
//	c[part][j] = Σ over p < 4·steps of part[p]·byte p of words[.][j]
type dotFunc func(c *int32, x *int8, words *uint32, plane, steps int)

var dotKernel = implement[dotFunc](dotsGeneric)

func dotsGeneric(c *int32, x *int8, words *uint32, plane, steps int) {
	for part := range 2 {
		out := unsafe.Slice(offset(c, 4*panelRows*part), panelRows)
		v := unsafe.Slice((*int32)(unsafe.Pointer(offset(x, plane*part))), 4*steps)
		clear(out)
		for i, word := range unsafe.Slice(words, steps*panelRows) {
			for p := range 4 {
				out[i%panelRows] += v[i/panelRows*4+p] * int32(word>>(8*p)&255)
			}
		}
	}
}

// A sumFunc adds the dots [rows, parts, 32] of a segment to y [rows, 32]:
//
//	y = fma(float32(dot - zero·sum), power·scale, y)
//
// where dot, sum are high·2^16 + low, exactly. factRow is in bytes.
type sumFunc func(y *float32, dots *int32, scales *float32, zeros *int32, facts *fixedFact, factRow, rows int)

var sumKernel = implement[sumFunc](sumGeneric)

func sumGeneric(y *float32, dots *int32, scales *float32, zeros *int32, facts *fixedFact, factRow, rows int) {
	scale, zero := unsafe.Slice(scales, panelRows), unsafe.Slice(zeros, panelRows)
	for r := range rows {
		out, f := unsafe.Slice(offset(y, 4*panelRows*r), panelRows), offset(facts, factRow*r)
		dot := unsafe.Slice(offset(dots, 4*2*panelRows*r), 2*panelRows)
		for j := range out {
			high, low := int64(dot[j]-zero[j]*f.high), int64(dot[panelRows+j]-zero[j]*f.low)
			out[j] = fma32(float32(high<<16+low), float32(f.power*scale[j]), out[j])
		}
	}
}

// A groupedFunc multiplies one row with neighbouring panels, as a dotFunc and a
// sumFunc do, for segments of so many words each. y [panels, 32] starts from what
// it is where add is 1, and from 0 where it is 0. The steps are the bytes from what
// belongs to a segment to what belongs to the next, wordPanel, scalePanel and
// zeroPanel those from panel to panel. Only avx512 has it.
type groupedFunc func(y *float32, x *int8, words *uint32, scales *float32, zeros *int32, facts *fixedFact,
	plane, panels, segments, each, scaleStep, zeroStep, wordPanel, scalePanel, zeroPanel, add int)

// groupedKernels has them by bits/8.
var groupedKernels = [2]*perISA[groupedFunc]{implement[groupedFunc](nil), implement[groupedFunc](nil)}

// An unpackFunc sets dst [2·count, 32] to the bytes of words [count, 32] of 4
// bits.
type unpackFunc func(dst, words *uint32, count int)

var unpackKernel = implement[unpackFunc](unpackGeneric)

func unpackGeneric(dst, words *uint32, count int) {
	const nibbles = 0x0F0F0F0F
	out := unsafe.Slice(dst, 2*count*panelRows)
	for i, word := range unsafe.Slice(words, count*panelRows) {
		at := i/panelRows*2*panelRows + i%panelRows
		out[at], out[at+panelRows] = word&nibbles, word>>4&nibbles
	}
}
