package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Products row by row are those of MatMulBackX, to the bit, with every
// instruction set and number of workers.
func TestMatMulEach(t *testing.T) {
	defer func(isa string, workers int) { _ = Use(isa); SetWorkers(workers) }(Chosen(), Workers())
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	for _, size := range [][4]int{{1, 1, 1, 1}, {3, 4, 8, 48}, {5, 2, 2, 35}, {2, 33, 5, 16}, {700, 4, 8, 40}, {2, 3, 400, 17}} {
		rows, p, q, n := size[0], size[1], size[2], size[3]
		s, x := fill(p*q), fill(rows*q*n)
		want := make([]float32, rows*p*n)
		for r := range rows {
			MatMulBackX(want[r*p*n:][:p*n], s, x[r*q*n:][:q*n], p, n, q)
		}
		for _, name := range Names() {
			for _, workers := range []int{1, 3} {
				t.Run(fmt.Sprint(name, workers, size), func(t *testing.T) {
					if err := Use(name); err != nil {
						t.Fatal(err)
					}
					SetWorkers(workers)
					got := fill(rows * p * n)
					if MatMulEach(got, s, x, rows, p, q, n); !slices.Equal(got, want) {
						t.Error("differs from the product")
					}
				})
			}
		}
	}
}

func TestGather(t *testing.T) {
	for _, rows := range []int{0, 1, 4, 7, 3000} {
		src := make([]float32, rows*5)
		for i := range src {
			src[i] = float32(i)
		}
		index := []int32{4, 0, 0, 3}
		dst := make([]float32, rows*4)
		Gather(dst, src, index, rows)
		for i, v := range dst {
			if v != src[i/4*5+int(index[i%4])] {
				t.Fatalf("%d rows: element %d is %v", rows, i, v)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an index beyond the row was taken")
		}
	}()
	Gather(make([]float32, 1), make([]float32, 3), []int32{3}, 1)
}

func TestTranspose(t *testing.T) {
	onEach(t, func(t *testing.T) {
		for _, size := range [][2]int{{1, 1}, {2, 16}, {48, 2}, {4, 32}, {64, 4}, {2, 2}, {3, 16}, {20, 4}, {2, 17}, {700, 2}} {
			for _, rows := range []int{0, 1, 5, 300} {
				n1, n2 := size[0], size[1]
				src := make([]float32, rows*n1*n2)
				for i := range src {
					src[i] = float32(i)
				}
				got := newGuarded(len(src))
				Transpose(got.data, src, rows, n1, n2)
				got.check(t, "Transpose")
				for i, v := range got.data {
					row, at := i/(n1*n2), i%(n1*n2)
					if want := src[row*n1*n2+at%n1*n2+at/n1]; v != want {
						t.Fatalf("%d of [%d, %d]: element %d is %v, want %v", rows, n1, n2, i, v, want)
					}
				}
			}
		}
	})
}
