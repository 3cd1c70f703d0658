package model

import (
	"fmt"
	"slices"
)

// A pattern says that of every M neighbouring inputs N have weights.
type pattern struct {
	N int `json:"n"`
	M int `json:"m"`
}

func (p pattern) check(out, in int) error {
	if p.M < 2 || p.M > 256 || p.N < 1 || p.N > p.M {
		return fmt.Errorf("%d of every %d inputs: 1 to M of M up to 256 are possible", p.N, p.M)
	}
	if out < 1 || in < 1 || in%p.M != 0 {
		return fmt.Errorf("a matrix [%d, %d] has rows that %d does not divide", out, in, p.M)
	}
	return nil
}

// kept is how many weights a row of in inputs keeps.
func (p pattern) kept(in int) int { return in / p.M * p.N }

// column is that of weight i of a row, at a place within M inputs.
func (p pattern) column(i int, place uint8) int { return i/p.N*p.M + int(place) }

// bits is how many bits the place within M inputs takes.
func (p pattern) bits() int {
	bits := 1
	for 1<<bits < p.M {
		bits++
	}
	return bits
}

// places lists in dst N places of every M inputs, in order: those with a weight
// in one of the rows, and where these are fewer the first others.
func (p pattern) places(dst []uint8, rows []float32, in int) error {
	dst = dst[:0]
	for block := 0; block < in; block += p.M {
		used := make([]bool, p.M)
		count := 0
		for i := range used {
			for r := block; r < len(rows); r += in {
				used[i] = used[i] || rows[r+i] != 0
			}
			if used[i] {
				count++
			}
		}
		if count > p.N {
			return fmt.Errorf("%d weights in inputs %d to %d, of which %d may have one", count, block, block+p.M-1, p.N)
		}
		for i := range used {
			if !used[i] && count < p.N {
				used[i] = true
				count++
			}
			if used[i] {
				dst = append(dst, uint8(i))
			}
		}
	}
	return nil
}

// unpack reads the places of a row and checks them.
func (p pattern) unpack(dst, src []uint8) error {
	unpackBits(dst, src, p.bits())
	for block := range slices.Chunk(dst, p.N) {
		for i, place := range block {
			if int(place) >= p.M || i > 0 && place <= block[i-1] {
				return fmt.Errorf("places %v of weights: %d increasing ones below %d are wanted", block, p.N, p.M)
			}
		}
	}
	return nil
}
