package kernels

import "unsafe"

// offset is the element so many bytes behind p.
func offset[E any](p *E, bytes int) *E { return (*E)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// groupedGeneric is the definition of every groupedFunc.
func groupedGeneric(bits, panels int) groupedFunc {
	return func(y, x *float32, words *uint32, scales, shifts, sums *float32, wordsPanel, scalesPanel, groups, each int) {
		for panel := range panels {
			out := unsafe.Slice(offset(y, 4*panelRows*panel), panelRows)
			for g := range groups {
				var dots [panelRows]float32
				q := make([]float32, 32/bits*panelRows)
				for i := range each {
					at := g*each + i
					unpackGeneric(bits)(&q[0], offset(words, wordsPanel*panel+4*panelRows*at), 1)
					for p := range 32 / bits {
						e := *offset(x, 4*(at*32/bits+p))
						for j := range dots {
							dots[j] = fma32(e, q[p*panelRows+j], dots[j])
						}
					}
				}
				for j := range dots {
					at := scalesPanel*panel + 4*(g*panelRows+j)
					if shifts != nil {
						dots[j] = fma32(*offset(shifts, at), *offset(sums, 4*g), dots[j])
					}
					out[j] = fma32(dots[j], *offset(scales, at), out[j])
				}
			}
		}
	}
}

// An unpackFunc writes q-h of so many words of a panel as float32: dst is
// [words·32/bits, 32].
type unpackFunc func(dst *float32, words *uint32, count int)

// unpackKernels has them by bits/8.
var unpackKernels = [2]*perISA[unpackFunc]{implement(unpackGeneric(4)), implement(unpackGeneric(8))}

func unpackGeneric(bits int) unpackFunc {
	mask, middle := uint32(1)<<bits-1, float32(uint8(1)<<(bits-1))
	return func(dst *float32, words *uint32, count int) {
		out := unsafe.Slice(dst, count*32/bits*panelRows)
		for i, word := range unsafe.Slice(words, count*panelRows) {
			at := i/panelRows*panelRows*32/bits + i%panelRows
			for p := range 32 / bits {
				out[at+p*panelRows] = float32(word>>(bits*p)&mask) - middle
			}
		}
	}
}

// A rescaleFunc adds the dots [rows, 32] of a group, times its scales [32], to y:
//
//	y = fma(dot + shift·sum, scale, y)
//
// where the part with the shifts [32] is fused too, and left out where they are
// nil. yRow and sumRow are the distances of rows in bytes.
type rescaleFunc func(y, dots, scales, shifts, sums *float32, yRow, sumRow, rows int)

var rescaleKernel = implement[rescaleFunc](rescaleGeneric)

func rescaleGeneric(y, dots, scales, shifts, sums *float32, yRow, sumRow, rows int) {
	scale := unsafe.Slice(scales, panelRows)
	for r := range rows {
		out, dot := unsafe.Slice(offset(y, r*yRow), panelRows), unsafe.Slice(offset(dots, 4*panelRows*r), panelRows)
		for j, d := range dot {
			if shifts != nil {
				d = fma32(*offset(shifts, 4*j), *offset(sums, r*sumRow), d)
			}
			out[j] = fma32(d, scale[j], out[j])
		}
	}
}
