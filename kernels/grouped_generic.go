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

// groupedTiles multiplies rows with panels, which are unpacked to float32 in
// cache. Pieces number the panels of the first rows, then those of the next.
var groupedTiles = inPieces(func(a *groupedCall, from, to int) {
	w, panels := a.w, (a.w.n+panelRows-1)/panelRows
	each := w.perWord()
	blocks := (a.m + packedRows - 1) / packedRows
	rows := (a.m + blocks - 1) / blocks
	buf := scratches.get()
	space := buf.floats(w.rowWords()*each*panelRows + 2*rows*panelRows)
	for piece := from; piece < to; piece++ {
		row, panel := piece/panels*rows, piece%panels
		w.tile(a, space, row, min(rows, a.m-row), panel)
	}
	scratches.put(buf)
})

// tile adds the product of some rows with one panel to dst.
func (w *Grouped) tile(a *groupedCall, space []float32, row, rows, panel int) {
	groups, words, j := w.groups(), w.rowWords(), panel*panelRows
	dots, space := space[:rows*panelRows], space[rows*panelRows:]
	y, stride, cols := a.dst[row*w.n+j:], w.n, min(panelRows, w.n-j)
	if cols < panelRows { // whole vectors go through a buffer
		y, stride, space = space[:rows*panelRows], panelRows, space[rows*panelRows:]
		for r := range rows {
			copy(y[r*panelRows:], a.dst[(row+r)*w.n+j:][:cols])
		}
	}
	q := space[:words*w.perWord()*panelRows]
	unpackKernels[w.bits/8].on(a.shape.isa)(&q[0], &w.words[panel*words*panelRows], words)
	rescale := rescaleKernel.on(a.shape.isa)
	for g := range groups {
		first := g * w.group
		steps := min(w.group, w.k-first)
		a.shape.wide(matrix{dots, panelRows, 1}, matrix{a.x[row*w.k+first:], w.k, 1}, matrix{q[first*panelRows:], panelRows, 1},
			rows, steps, panelRows, false)
		at := (panel*groups + g) * panelRows
		var shifts, sums *float32
		if w.shifts != nil {
			shifts, sums = &w.shifts[at], &a.sums[row*groups+g]
		}
		rescale(&y[0], &dots[0], &w.scales[at], shifts, sums, 4*stride, 4*groups, rows)
	}
	if cols < panelRows {
		for r := range rows {
			copy(a.dst[(row+r)*w.n+j:][:cols], y[r*panelRows:])
		}
	}
}
