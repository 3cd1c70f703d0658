package main

import "math"

func init() { Ops = append(Ops, Op{"exp", emitRows}) }

// Coefficients of exp, the same as in kernels/exp.go, which explains them.
const (
	expLow, expHigh = -87.5, 89
	expLog2E        = 0x1.715476p+0
	expMagic        = 12582912 + 126
	expLn2Hi        = 0x1.62e43p-1
	expLn2Lo        = -0x1.05c61p-29
)

var expPoly = []float32{0x1.6d444ap-9, 0x1.123eb6p-6, 0x1.5554e8p-4, 0x1.55547ap-2, 0x1.0p+0, 2, 2}

// PinExp keeps the constants of Exp in vectors where there are enough.
func (a *Asm) PinExp() {
	a.Pin(expLow, expHigh, expLog2E, expMagic, expLn2Hi, expLn2Lo)
	a.Pin(expPoly...)
}

// Exp sets dst = exp(x). x and t are lost.
func (a *Asm) Exp(dst, x, t W) {
	a.Clamp(x, expLow, expHigh)
	a.Const(t, expLog2E)
	a.MulAddConst(t, x, expMagic)
	a.SubConst(dst, t, expMagic)
	a.FnmaConst(x, dst, expLn2Hi)
	a.FnmaConst(x, dst, expLn2Lo) // x is now r
	a.Const(dst, expPoly[0])
	for _, c := range expPoly[1:] {
		a.MulAddConst(dst, x, c)
	}
	a.ShiftLeft(t, t, 23) // 2^(n-1)
	a.Mul(dst, dst, t)
}

var minusInf = float32(math.Inf(-1))

func emitRows(a *Asm) {
	emitExpRow(a)
	emitExp64(a, "expRows64", "expRow64", true)
	emitExp64(a, "expSums64", "expSum64", false)
	emitRowMax(a)
	emitDot(a)
}

func emitExpRow(a *Asm) {
	a.FuncIn("expRows", "expRow", floats("dst"), floats("x"), Param{"shift", "float32"}, Param{"ret", "float32"})
	pointers := a.Slices("dst", "x")
	n := R(2)
	a.Arg(n, "x_len")
	sum, shift, x, t, e := W(0), W(1), W(2), W(3), W(4)
	a.Zero(sum)
	a.BroadcastArg(shift, "shift")
	a.PinExp()
	a.Loop16(n, pointers, func(tail bool) {
		a.loadShifted(x, At(R(1), 0), shift, e, tail)
		a.Exp(e, x, t)
		a.StorePart(At(R(0), 0), e, tail)
		a.Add(sum, sum, e)
	})
	a.Fold(sum)
	a.Result(sum)
	a.Return()
}

// loadShifted sets x = memory - shift, and -Inf beyond a tail. t is lost.
func (a *Asm) loadShifted(x W, m Mem, shift, t W, tail bool) {
	if tail {
		a.Const(t, minusInf)
	}
	a.LoadOr(x, m, t, tail)
	a.Sub(x, x, shift)
}

func emitExp64(a *Asm, table, name string, store bool) {
	params := []Param{floats("x"), {"shift", "float32"}, {"ret", "float64"}}
	if store {
		params = append([]Param{floats("dst")}, params...)
	}
	a.FuncIn(table, name, params...)
	pointers := []Reg{R(0)}
	a.Arg(R(0), "x_base")
	if store {
		pointers = append(pointers, R(1))
		a.Arg(R(1), "dst_base")
	}
	n := R(2)
	a.Arg(n, "x_len")
	lo, hi, shift, x, t, e := W(0), W(1), W(2), W(3), W(4), W(5)
	a.Zero(lo)
	a.Zero(hi)
	a.BroadcastArg(shift, "shift")
	a.PinExp()
	a.Loop16(n, pointers, func(tail bool) {
		a.loadShifted(x, At(R(0), 0), shift, e, tail)
		a.Exp(e, x, t)
		if store {
			a.StorePart(At(R(1), 0), e, tail)
		}
		a.Widen(x, t, e)
		a.Add64(lo, lo, x)
		a.Add64(hi, hi, t)
	})
	a.Fold64(lo, hi)
	a.Result64(lo)
	a.Return()
}

func emitRowMax(a *Asm) {
	a.FuncIn("rowMaxes", "rowMax", floats("x"), Param{"ret", "float32"})
	pointers := a.Slices("x")
	a.Arg(R(2), "x_len")
	largest, x, least := W(0), W(1), W(2)
	a.Const(largest, minusInf)
	a.Const(least, minusInf)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadOr(x, At(R(0), 0), least, tail)
		a.Max(largest, x, largest)
	})
	a.FoldMax(largest)
	a.Result(largest)
	a.Return()
}

func emitDot(a *Asm) {
	a.FuncIn("dots", "dot", floats("a"), floats("b"), Param{"ret", "float32"})
	pointers := a.Slices("a", "b")
	a.Arg(R(2), "a_len")
	sum, x, y := W(0), W(1), W(2)
	a.Zero(sum)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(x, At(R(0), 0), tail)
		a.LoadPart(y, At(R(1), 0), tail)
		a.Fma(sum, x, y)
	})
	a.Fold(sum)
	a.Result(sum)
	a.Return()
}
