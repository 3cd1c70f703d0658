package main

func init() { Ops = append(Ops, Op{"adamw", emitAdamW}) }

// The factors of a step, in the order of adamWNumbers in kernels/adamw.go.
const (
	gradScale = iota
	beta1
	oneMinus1
	beta2
	oneMinus2
	inverse1
	inverse2
	eps
	decay
	rate
	adamWFactors
)

// emitAdamW writes one optimiser step over w, g, m and v, and zeros g.
func emitAdamW(a *Asm) {
	a.FuncIn("adamWs", "adamW", floats("w"), floats("g"), floats("m"), floats("v"), Param{"a", "*adamWNumbers"})
	pointers := a.Slices("w", "g", "m", "v")
	w, g, m, v := pointers[0], pointers[1], pointers[2], pointers[3]
	n, numbers := R(4), R(5)
	a.Arg(n, "w_len")
	a.Arg(numbers, "a")
	weight, grad, first, second, t := W(0), W(1), W(2), W(3), W(4)
	factor := a.factors(numbers, W(5))
	a.Loop16(n, pointers, func(tail bool) {
		a.LoadPart(grad, At(g, 0), tail)
		a.Mul(grad, grad, factor(gradScale))
		a.LoadPart(first, At(m, 0), tail)
		a.Mul(first, first, factor(beta1))
		a.Fma(first, grad, factor(oneMinus1))
		a.StorePart(At(m, 0), first, tail)
		a.LoadPart(second, At(v, 0), tail)
		a.Mul(second, second, factor(beta2))
		a.Mul(t, grad, factor(oneMinus2))
		a.Fma(second, t, grad)
		a.StorePart(At(v, 0), second, tail)
		a.Mul(second, second, factor(inverse2))
		a.Sqrt(second, second)
		a.Add(second, second, factor(eps))
		a.Mul(first, first, factor(inverse1))
		a.Div(first, first, second)
		a.LoadPart(weight, At(w, 0), tail)
		a.Fma(first, weight, factor(decay))
		a.Fnma(weight, first, factor(rate))
		a.StorePart(At(w, 0), weight, tail)
		a.Zero(grad)
		a.StorePart(At(g, 0), grad, tail)
	})
	a.Return()
}

// factors returns a function that gives factor number k in all lanes of a
// vector: one of its own where there are enough, else loaded to t each time.
func (a *Asm) factors(numbers Reg, t W) func(k int) W {
	if a.T.Wides() < int(t)+adamWFactors {
		return func(k int) W {
			a.Broadcast(t, At(numbers, 4*k))
			return t
		}
	}
	for k := range adamWFactors {
		a.Broadcast(t+W(k), At(numbers, 4*k))
	}
	return func(k int) W { return t + W(k) }
}
