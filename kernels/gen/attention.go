package main

func init() { Ops = append(Ops, Op{"attention", emitAttention}) }

// emitAttention writes what attention does between its products.
func emitAttention(a *Asm) {
	emitSoftmaxRows(a)
	emitScoreGradientRows(a)
	emitScaleRows(a)
	emitDotRows(a)
	emitLogSums(a)
}

func pointer(name string) Param { return Param{name, "*float32"} }

func number(name string) Param { return Param{name, "int"} }

// loadArgs loads parameters into R(0), R(1), ... in order.
func (a *Asm) loadArgs(names ...string) {
	for i, name := range names {
		a.Arg(R(i), name)
	}
}

// clearLow clears the low four bits of r.
func (a *Asm) clearLow(r Reg) {
	if a.amd64() {
		a.Ins("ANDQ $-16, %s", a.Reg(r))
	} else {
		a.Ins("AND $-16, %s, %s", a.Reg(r), a.Reg(r))
	}
}

// storeLane stores lane 0 of w.
func (a *Asm) storeLane(m Mem, w W) {
	if a.amd64() {
		a.Ins("VMOVSS X%d, %s", a.first(w), a.address(m))
	} else {
		a.Ins("FMOVS F%d, %s", a.first(w), a.resolve(m, 0))
	}
}

// An expWriter writes exp with its constants in registers where there are
// enough of them.
type expWriter struct {
	*Asm
	kept map[float32]W
}

// newExp keeps the constants in registers from first on.
func newExp(a *Asm, first int) expWriter {
	e := expWriter{Asm: a, kept: map[float32]W{}}
	if a.T.Wides() < 24 {
		return e
	}
	for _, c := range append([]float32{expLow, expHigh, expLog2E, expMagic, expLn2Hi, expLn2Lo}, expPoly...) {
		if _, twice := e.kept[c]; !twice {
			e.kept[c] = W(first + len(e.kept))
			a.Const(e.kept[c], c)
		}
	}
	return e
}

// exp sets dst = exp(x), as Exp does. x and t are lost.
func (e expWriter) exp(dst, x, t W) {
	if len(e.kept) == 0 {
		e.Exp(dst, x, t)
		return
	}
	e.Max(x, e.kept[expLow], x)
	e.Min(x, e.kept[expHigh], x)
	e.Copy(t, e.kept[expLog2E])
	e.MulAdd(t, x, e.kept[expMagic])
	e.Sub(dst, t, e.kept[expMagic])
	e.Fnma(x, dst, e.kept[expLn2Hi])
	e.Fnma(x, dst, e.kept[expLn2Lo])
	e.Copy(dst, e.kept[expPoly[0]])
	for _, c := range expPoly[1:] {
		e.MulAdd(dst, x, e.kept[c])
	}
	e.ShiftLeft(t, t, 23)
	e.Mul(dst, dst, t)
}

// emitSoftmaxRows writes softmaxRows: the maximum of a row, then one pass of
// exponentials and their sum. Rows are stored in whole vectors, zeros beyond n.
func emitSoftmaxRows(a *Asm) {
	a.FuncIn("softmaxRows", "softmaxRows", pointer("x"), number("row"), number("rows"), number("n"), number("end"),
		pointer("tops"), pointer("sums"))
	a.loadArgs("x", "row", "rows", "n", "end", "tops", "sums")
	x, row, rows, n, end, tops, sums, left, index := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8)
	top, sum, v, t, e, low := W(0), W(1), W(2), W(3), W(4), W(5)
	writer := newExp(a, 6)
	a.Const(low, minusInf)
	next := a.NewLabel("row")
	a.Label(next)
	a.Copy(top, low)
	a.RowLoop(n, left, index, func(tail bool) {
		a.LoadOr(v, Elem(x, index), low, tail)
		a.Max(top, v, top)
	})
	a.FoldMax(top)
	a.storeLane(At(tops, 0), top)
	a.Spread(top, top)
	a.Zero(sum)
	a.RowLoop(n, left, index, func(tail bool) {
		a.LoadOr(v, Elem(x, index), low, tail)
		a.Sub(v, v, top)
		writer.exp(e, v, t)
		a.Store(Elem(x, index), e)
		a.Add(sum, sum, e)
	})
	a.Fold(sum)
	a.storeLane(At(sums, 0), sum)
	a.zerosAfter(n, end, left, index, t, x)
	a.AddReg(x, row, 0)
	a.AddImm(n, 1)
	a.AddImm(tops, 4)
	a.AddImm(sums, 4)
	a.AddImm(rows, -1)
	a.JumpIf(rows, ">", 0, next)
	a.Return()
}

// zerosAfter clears rows from the first whole vector after n elements to end.
func (a *Asm) zerosAfter(n, end, left, index Reg, zero W, bases ...Reg) {
	loop, done := a.NewLabel("zeros"), a.NewLabel("zeroed")
	a.Zero(zero)
	a.Move(index, n)
	a.AddImm(index, 15)
	a.clearLow(index)
	a.Move(left, end)
	a.SubReg(left, index)
	a.Label(loop)
	a.JumpIf(left, "<=", 0, done)
	for _, base := range bases {
		a.Store(Elem(base, index), zero)
	}
	a.AddImm(index, 16)
	a.AddImm(left, -16)
	a.Jump(loop)
	a.Label(done)
}

// emitScoreGradientRows writes scoreGradientRows.
func emitScoreGradientRows(a *Asm) {
	a.FuncIn("scoreGradientRows", "scoreGradientRows", pointer("p"), pointer("ds"), number("row"), number("rows"),
		number("n"), number("end"), pointer("lse"), pointer("means"))
	a.loadArgs("p", "ds", "row", "rows", "n", "end", "lse", "means")
	p, ds, row, rows, n, end, lse, means, left, index := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9)
	shift, mean, v, t, e, low := W(0), W(1), W(2), W(3), W(4), W(5)
	writer := newExp(a, 6)
	a.Const(low, minusInf)
	next := a.NewLabel("row")
	a.Label(next)
	a.Broadcast(shift, At(lse, 0))
	a.Broadcast(mean, At(means, 0))
	a.RowLoop(n, left, index, func(tail bool) {
		a.LoadOr(v, Elem(p, index), low, tail)
		a.Sub(v, v, shift)
		writer.exp(e, v, t)
		a.Store(Elem(p, index), e)
		a.LoadOr(v, Elem(ds, index), mean, tail)
		a.Sub(v, v, mean)
		a.Mul(v, v, e)
		a.Store(Elem(ds, index), v)
	})
	a.zerosAfter(n, end, left, index, t, p, ds)
	a.AddReg(p, row, 0)
	a.AddReg(ds, row, 0)
	a.AddImm(n, 1)
	a.AddImm(lse, 4)
	a.AddImm(means, 4)
	a.AddImm(rows, -1)
	a.JumpIf(rows, ">", 0, next)
	a.Return()
}

// emitScaleRows writes scaleRows.
func emitScaleRows(a *Asm) {
	a.FuncIn("scaleRows", "scaleRows", pointer("dst"), pointer("src"), number("dstRow"), number("srcRow"),
		number("rows"), number("cols"), pointer("scales"), number("step"))
	a.loadArgs("dst", "src", "dstRow", "srcRow", "rows", "cols", "scales", "step")
	dst, src, dstRow, srcRow, rows, cols, scales, step, left, index := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8), R(9)
	scale, v, zero := W(0), W(1), W(2)
	a.Zero(zero)
	next := a.NewLabel("row")
	a.Label(next)
	a.Broadcast(scale, At(scales, 0))
	a.Move(left, src)
	a.AddReg(left, srcRow, 3)
	a.fetchRow(left, 256) // of 64 elements, eight rows ahead
	a.RowLoop(cols, left, index, func(tail bool) {
		a.LoadPart(v, Elem(src, index), tail)
		a.Mul(v, v, scale)
		a.Add(v, v, zero)
		a.StorePart(Elem(dst, index), v, tail)
	})
	a.AddReg(dst, dstRow, 0)
	a.AddReg(src, srcRow, 0)
	a.AddReg(scales, step, 0)
	a.AddImm(rows, -1)
	a.JumpIf(rows, ">", 0, next)
	a.Return()
}

// emitDotRows writes dotRows.
func emitDotRows(a *Asm) {
	a.FuncIn("dotRows", "dotRows", pointer("dst"), pointer("x"), pointer("y"), number("xRow"), number("yRow"),
		number("rows"), number("cols"))
	a.loadArgs("dst", "x", "y", "xRow", "yRow", "rows", "cols")
	dst, x, y, xRow, yRow, rows, cols, left, index := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8)
	sum, v, w := W(0), W(1), W(2)
	next := a.NewLabel("row")
	a.Label(next)
	a.Zero(sum)
	a.RowLoop(cols, left, index, func(tail bool) {
		a.LoadPart(v, Elem(x, index), tail)
		a.LoadPart(w, Elem(y, index), tail)
		a.Fma(sum, v, w)
	})
	a.Fold(sum)
	a.storeLane(At(dst, 0), sum)
	a.AddReg(x, xRow, 0)
	a.AddReg(y, yRow, 0)
	a.AddImm(dst, 4)
	a.AddImm(rows, -1)
	a.JumpIf(rows, ">", 0, next)
	a.Return()
}

// Coefficients of the logarithm, the same as in kernels/attention.go, which
// explains them.
var logPoly = []float32{7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
	-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1}

const logHalfRoot = 0x3F3504F3

// Log sets dst = ln x for positive normal numbers. f and t are lost, x is kept.
func (a *Asm) Log(dst, x, f, t W) {
	bits := N(a.scratch())
	a.ConstBits(bits, logHalfRoot)
	a.each(func(_ int, r []int) { a.IntSub(N(r[0]), N(r[1]), bits) }, t, x)
	a.ConstBits(bits, 1<<23-1)
	a.each(func(_ int, r []int) { a.And(N(r[0]), N(r[1]), bits) }, f, t)
	a.ConstBits(bits, logHalfRoot)
	a.each(func(_ int, r []int) { a.IntAdd(N(r[0]), N(r[0]), bits) }, f)
	a.SubConst(f, f, 1)
	a.ShiftRightSigned(t, t, 23)
	a.ToFloat(t, t) // the exponent
	a.Const(dst, logPoly[0])
	for _, c := range logPoly[1:] {
		a.MulAddConst(dst, f, c)
	}
	a.logFinish(dst, f, t)
}

// logFinish sets p = f + f³p - f²/2 + e·ln 2, given the exponent e. All are lost.
func (a *Asm) logFinish(p, f, e W) {
	square := W(a.T.Wides() - 1)
	a.Mul(square, f, f)
	a.each(func(_ int, r []int) {
		s := N(a.scratch())
		a.Mul(s, N(r[1]), N(r[2]))
		a.Mul(N(r[0]), s, N(r[0]))
	}, p, square, f)
	a.addProduct(p, e, -2.12194440e-4)
	a.addProduct(p, square, -0.5)
	a.Add(p, p, f)
	a.addProduct(p, e, 0.693359375)
}

// addProduct sets acc = acc + x·c, rounded once.
func (a *Asm) addProduct(acc, x Vec, c float32) {
	s := N(a.scratch())
	a.Const(s, c)
	a.each(func(_ int, r []int) { a.Fma(N(r[0]), N(r[1]), s) }, acc, x)
}

// emitLogSums writes logSums.
func emitLogSums(a *Asm) {
	a.FuncIn("logSums", "logSums", pointer("tops"), pointer("sums"), number("n"))
	a.loadArgs("tops", "sums", "n")
	tops, sums, n := R(0), R(1), R(2)
	x, y, f, t, one := W(0), W(1), W(2), W(3), W(4)
	a.Loop16(n, []Reg{tops, sums}, func(tail bool) {
		a.Const(one, 1)
		a.LoadOr(x, At(sums, 0), one, tail)
		a.Log(y, x, f, t)
		a.Sub(f, x, x)
		a.Add(y, y, f)
		a.LoadPart(t, At(tops, 0), tail)
		a.Add(t, t, y)
		a.StorePart(At(tops, 0), t, tail)
		a.Div(x, one, x)
		a.StorePart(At(sums, 0), x, tail)
	})
	a.Return()
}
