package main

func init() { Ops = append(Ops, Op{"softcap", emitSoftCaps}) }

// Constants of the soft cap, the same as in kernels/softcap.go.
const capSeries = 0.125

var capPoly = []float32{-0.008863235529902197, 0.021869488536155203, -0.05396825396825397,
	0.13333333333333333, -0.3333333333333333, 1}

func emitSoftCaps(a *Asm) {
	emitSoftCap(a)
	emitSoftCapBack(a)
}

// emitSoftCap writes x = limit·tanh(x/limit): both forms of tanh, and the
// choice between them.
func emitSoftCap(a *Asm) {
	a.FuncIn("softCaps", "softCap", floats("x"), Param{"limit", "float32"}, Param{"inverse", "float32"})
	pointers := a.Slices("x")
	a.Arg(R(1), "x_len")
	x, s, t, square, limit, inverse, bound := W(0), W(1), W(2), W(3), W(4), W(5), W(6)
	a.BroadcastArg(limit, "limit")
	a.BroadcastArg(inverse, "inverse")
	a.PinExp()
	a.Pin(1)
	a.Const(bound, capSeries)
	a.Loop16(R(1), pointers, func(tail bool) {
		a.LoadPart(x, At(R(0), 0), tail)
		a.Mul(t, x, inverse)
		a.Mul(square, t, t)
		a.MulConst(t, t, -2)
		a.Exp(s, t, x)
		a.AddConst(s, s, 1)
		a.ConstDiv(s, s, 1)
		a.MulConstAddConst(s, 2, -1)
		a.Mul(s, s, limit)
		a.LoadPart(x, At(R(0), 0), tail)
		a.Const(t, capPoly[0])
		for _, c := range capPoly[1:] {
			a.MulAddConst(t, square, c)
		}
		a.Mul(t, x, t)
		a.Select(s, square, "<", bound, t, s)
		a.StorePart(At(R(0), 0), s, tail)
	})
	a.Return()
}

// emitSoftCapBack writes dy = dy·(1 - (y·inverse)²).
func emitSoftCapBack(a *Asm) {
	a.FuncIn("softCapBacks", "softCapBack", floats("dy"), floats("y"), Param{"inverse", "float32"})
	pointers := a.Slices("dy", "y")
	a.Arg(R(2), "y_len")
	d, u, one, slope, inverse := W(0), W(1), W(2), W(3), W(4)
	a.BroadcastArg(inverse, "inverse")
	a.Const(one, 1)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(u, At(R(1), 0), tail)
		a.Mul(u, u, inverse)
		a.Copy(slope, one)
		a.Fnma(slope, u, u)
		a.LoadPart(d, At(R(0), 0), tail)
		a.Mul(d, d, slope)
		a.StorePart(At(R(0), 0), d, tail)
	})
	a.Return()
}
