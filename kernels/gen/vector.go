package main

func init() { Ops = append(Ops, Op{"vector", emitVector}) }

func emitVector(a *Asm) {
	emitAdd(a)
	emitScale(a)
	emitSumSquares(a)
	emitSumZero(a)
	emitGap(a)
	emitMix(a)
}

func emitAdd(a *Asm) {
	a.FuncIn("adders", "add", floats("dst"), floats("x"))
	pointers := a.Slices("dst", "x")
	a.Arg(R(2), "x_len")
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(W(0), At(R(0), 0), tail)
		a.LoadPart(W(1), At(R(1), 0), tail)
		a.Add(W(0), W(0), W(1))
		a.StorePart(At(R(0), 0), W(0), tail)
	})
	a.Return()
}

func emitScale(a *Asm) {
	a.FuncIn("scalers", "scale", floats("x"), Param{"s", "float32"})
	pointers := a.Slices("x")
	a.Arg(R(2), "x_len")
	a.BroadcastArg(W(1), "s")
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(W(0), At(R(0), 0), tail)
		a.Mul(W(0), W(0), W(1))
		a.StorePart(At(R(0), 0), W(0), tail)
	})
	a.Return()
}

func emitSumSquares(a *Asm) {
	a.FuncIn("squareSums", "sumSquares", floats("x"), Param{"ret", "float64"})
	pointers := a.Slices("x")
	a.Arg(R(2), "x_len")
	lo, hi, x, xlo, xhi := W(0), W(1), W(2), W(3), W(4)
	a.Zero(lo)
	a.Zero(hi)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(x, At(R(0), 0), tail)
		a.Widen(xlo, xhi, x)
		a.Fma64(lo, xlo, xlo)
		a.Fma64(hi, xhi, xhi)
	})
	a.Fold64(lo, hi)
	a.Result64(lo)
	a.Return()
}

func emitSumZero(a *Asm) {
	a.FuncIn("zeroSums", "sumZero", floats("x"), Param{"ret", "float32"})
	pointers := a.Slices("x")
	a.Arg(R(2), "x_len")
	sum, x, zero := W(0), W(1), W(2)
	a.Zero(sum)
	a.Zero(zero)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(x, At(R(0), 0), tail)
		a.Fma(sum, x, zero)
	})
	a.Fold(sum)
	a.Result(sum)
	a.Return()
}

func emitGap(a *Asm) {
	a.FuncIn("gapSums", "gapSum", floats("w"), floats("x"), floats("y"), Param{"ret", "float64"})
	pointers := a.Slices("w", "x", "y")
	a.Arg(R(3), "w_len")
	lo, hi, w, x, wlo, whi := W(0), W(1), W(2), W(3), W(4), W(5)
	a.Zero(lo)
	a.Zero(hi)
	a.Loop16(R(3), pointers, func(tail bool) {
		a.LoadPart(x, At(R(1), 0), tail)
		a.LoadPart(w, At(R(2), 0), tail)
		a.Sub(x, x, w)
		a.LoadPart(w, At(R(0), 0), tail)
		a.Widen(wlo, whi, w)
		xlo, xhi := w, W(6)
		a.Widen(xlo, xhi, x)
		a.Fma64(lo, wlo, xlo)
		a.Fma64(hi, whi, xhi)
	})
	a.Fold64(lo, hi)
	a.Result64(lo)
	a.Return()
}

func emitMix(a *Asm) {
	a.FuncIn("mixers", "mix", floats("dst"), floats("x"), floats("y"), Param{"a", "float32"}, Param{"b", "float32"})
	pointers := a.Slices("dst", "x", "y")
	a.Arg(R(3), "x_len")
	p, q, x, y := W(0), W(1), W(2), W(3)
	a.BroadcastArg(p, "a")
	a.BroadcastArg(q, "b")
	a.Loop16(R(3), pointers, func(tail bool) {
		a.LoadPart(x, At(R(1), 0), tail)
		a.LoadPart(y, At(R(2), 0), tail)
		a.Mul(x, x, p)
		a.Mul(y, y, q)
		a.Sub(x, x, y)
		a.LoadPart(y, At(R(0), 0), tail)
		a.Add(y, y, x)
		a.StorePart(At(R(0), 0), y, tail)
	})
	a.Return()
}
