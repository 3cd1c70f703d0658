package train

import "plumb/model"

// zeros marks the weights of an array that were 0 at the start, 64 a word; nil
// where there were none. A weight without a gradient stays 0 under AdamW, for
// decay shrinks nothing of it.
type zeros []uint64

// zerosOf marks those of every matrix: what a method has pruned. Gains and
// biases are free to leave 0.
func zerosOf(params []model.Param) []zeros {
	all := make([]zeros, len(params))
	for i, p := range params {
		if !p.Matrix() {
			continue
		}
		for j, w := range p.Data {
			if w == 0 {
				all[i] = all[i].mark(j, len(p.Data))
			}
		}
	}
	return all
}

// mark adds element j of n.
func (z zeros) mark(j, n int) zeros {
	if z == nil {
		z = make(zeros, (n+63)/64)
	}
	z[j/64] |= 1 << (j % 64)
	return z
}

// clear sets the marked elements of g to 0.
func (z zeros) clear(g []float32) {
	for i, word := range z {
		for j := range 64 {
			if word>>j&1 != 0 {
				g[64*i+j] = 0
			}
		}
	}
}
