package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"plumb/arch"
)

func init() {
	for name, ordered := range map[string]bool{"kronecker": true, "kronecker, plain": false} {
		formed[name] = func(s Slot, out, in int) Linear {
			shape := arch.Kronecker{Terms: 3, M1: out / 2, N1: in / 2, M2: 2, N2: 2}
			if s.Name == "embedding" || out%2 == 1 {
				shape = arch.Kronecker{Terms: 2, M1: out, N1: in / 2, M2: 1, N2: 2}
			}
			var rows, columns []int32
			if ordered {
				rows, columns = shuffled(out), shuffled(in)
			}
			return NewKronecker(shape, numbers(shape.Terms*shape.M1*shape.N1), numbers(shape.Terms*shape.M2*shape.N2), biasOf(s.Matrix), rows, columns)
		}
	}
}

func shuffled(n int) []int32 {
	random := rand.New(rand.NewPCG(9, uint64(n)))
	order := make([]int32, n)
	for i, v := range random.Perm(n) {
		order[i] = int32(v)
	}
	return order
}

// A sum of Kronecker products is the matrix that its definition says, whichever
// factor comes first.
func TestKroneckerIsItsDefinition(t *testing.T) {
	for _, s := range []arch.Kronecker{
		{Terms: 1, M1: 5, N1: 7, M2: 1, N2: 2}, {Terms: 4, M1: 24, N1: 12, M2: 4, N2: 2}, {Terms: 4, M1: 12, N1: 24, M2: 2, N2: 4},
		{Terms: 2, M1: 1, N1: 3, M2: 8, N2: 5}, {Terms: 3, M1: 6, N1: 1, M2: 3, N2: 8}, {Terms: 1, M1: 3, N1: 3, M2: 17, N2: 18},
	} {
		out, in := s.M1*s.M2, s.N1*s.N2
		a, b, bias := numbers(s.Terms*s.M1*s.N1), numbers(s.Terms*s.M2*s.N2), numbers(out)
		for _, orders := range [][2][]int32{{nil, nil}, {shuffled(out), nil}, {shuffled(out), shuffled(in)}} {
			k := NewKronecker(s, a, b, bias, orders[0], orders[1])
			dense := k.Expand()
			at := func(order []int32, i int) int {
				if order == nil {
					return i
				}
				return int(order[i])
			}
			for i := range out {
				for j := range in {
					p, q, want := at(orders[0], i), at(orders[1], j), 0.0
					for term := range s.Terms {
						want += float64(a[(term*s.M1+p/s.M2)*s.N1+q/s.N2]) * float64(b[(term*s.M2+p%s.M2)*s.N2+q%s.N2])
					}
					if got := float64(dense.Weight[i*in+j]); math.Abs(got-want) > 1e-6 {
						t.Fatalf("%+v: weight [%d, %d] is %v, want %v", s, i, j, got, want)
					}
				}
			}
			rows := 131 // more than a block
			x, got, want := numbers(rows*in), make([]float32, rows*out), make([]float32, rows*out)
			k.Forward(got, x, rows)
			dense.Forward(want, x, rows)
			k.ForwardAdd(got, x, rows)
			for i := range got {
				if math.Abs(float64(got[i]-2*want[i])) > 1e-5 {
					t.Fatalf("%+v: output %d is %v, want twice %v", s, i, got[i], want[i])
				}
			}
			if s.AFirst() != (s.MultiplyAdds(true) < s.MultiplyAdds(false)) {
				t.Error("the dearer factor comes first")
			}
		}
	}
}

// Orders that are no permutations are refused when a file is read.
func TestOrdersArePermutations(t *testing.T) {
	form := &kroneckerForm{Terms: 1, M2: 2, N2: 1, Rows: true}
	for name, order := range map[string][]int32{"twice": {0, 0, 1, 2}, "beyond": {0, 1, 2, 4}, "below": {0, 1, 2, -1}} {
		arrays, err := form.Arrays(4, 3)
		if err != nil {
			t.Fatal(err)
		}
		arrays[0].Data, arrays[1].Data, arrays[2].Bytes = make([]float32, 6), make([]float32, 2), orderBytes(order)
		if _, err := form.Bind(4, 3, arrays, Bias{}); err == nil {
			t.Errorf("an order with a number %s was taken", name)
		}
	}
	for _, bad := range []kroneckerForm{{Terms: 1, M2: 3, N2: 1}, {Terms: 0, M2: 2, N2: 1}, {Terms: 3, M2: 2, N2: 1}, {Terms: 1, M2: 0, N2: 1}} {
		if _, err := bad.Arrays(4, 3); err == nil {
			t.Errorf("%+v of a matrix [4, 3] was taken", bad)
		}
	}
}
