package arch

import "fmt"

// A Kronecker is the shape of a sum of Kronecker products, A ⊗ B with A [M1, N1]
// and B [M2, N2], in place of a matrix [M1·M2, N1·N2]:
//
//	W[a·M2+u, b·N2+v] = Σ over Terms of A[a, b]·B[u, v]
type Kronecker struct {
	Terms, M1, N1, M2, N2 int
}

// Validate reports what no matrix [out, in] can have.
func (k Kronecker) Validate(out, in int) error {
	if k.M1 < 1 || k.N1 < 1 || k.M2 < 1 || k.N2 < 1 || out%k.M2 != 0 || in%k.N2 != 0 || out/k.M2 != k.M1 || in/k.N2 != k.N1 {
		return fmt.Errorf("[%d, %d] ⊗ [%d, %d] is no matrix [%d, %d]", k.M1, k.N1, k.M2, k.N2, out, in)
	}
	if most := min(k.M1*k.N1, k.M2*k.N2); k.Terms < 1 || k.Terms > most {
		return fmt.Errorf("%d terms of [%d, %d] ⊗ [%d, %d]: from 1 to %d make a difference", k.Terms, k.M1, k.N1, k.M2, k.N2, most)
	}
	return nil
}

// Weights is how many weights the factors have.
func (k Kronecker) Weights() int { return k.Terms * (k.M1*k.N1 + k.M2*k.N2) }

// MultiplyAdds is how many a product with one row takes, with A first or B first.
func (k Kronecker) MultiplyAdds(aFirst bool) int {
	if aFirst {
		return k.Terms * k.M1 * k.N2 * (k.N1 + k.M2)
	}
	return k.Terms * k.N1 * k.M2 * (k.N2 + k.M1)
}

// AFirst reports whether it is cheaper to multiply with A first: the factor that
// shrinks its input most.
func (k Kronecker) AFirst() bool { return k.MultiplyAdds(true) < k.MultiplyAdds(false) }
