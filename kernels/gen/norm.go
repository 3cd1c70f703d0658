package main

func init() { Ops = append(Ops, Op{"norm", emitNorms}) }

func emitNorms(a *Asm) {
	emitRMSNorm(a)
	emitRMSNormBack(a)
	emitLayerNorm(a)
	emitLayerNormBack(a)
}

// eachRow runs body while elements, which counts those left of all rows, is
// positive, and moves the pointers on by rows of c elements.
func (a *Asm) eachRow(elements, c Reg, pointers []Reg, body func()) {
	top, end := a.NewLabel("row"), a.NewLabel("end")
	a.Label(top)
	a.JumpIf(elements, "<=", 0, end)
	body()
	for _, p := range pointers {
		a.AddReg(p, c, 2)
	}
	a.SubReg(elements, c)
	a.Jump(top)
	a.Label(end)
}

// overWidth divides lane 0 of sum by the width c. t is lost.
func (a *Asm) overWidth(sum, t W, c Reg) {
	a.ScalarFromInt(t, c)
	a.Scalar("DIV", sum, sum, t)
}

// inverseRoot turns lane 0 of sum into 1/√(sum/c + eps). t is lost.
func (a *Asm) inverseRoot(sum, t W, c Reg) {
	a.overWidth(sum, t, c)
	a.ScalarArg(t, "eps")
	a.Scalar("ADD", sum, sum, t)
	a.ScalarInverseRoot(sum)
}

func emitRMSNorm(a *Asm) {
	a.FuncIn("rmsNorms", "rmsNorm", floats("dst"), floats("x"), floats("gain"), Param{"eps", "float32"})
	a.Slices("dst", "x", "gain")
	dst, x, gain, c, elements, left, i := R(0), R(1), R(2), R(3), R(4), R(5), R(6)
	a.Arg(c, "gain_len")
	a.Arg(elements, "x_len")
	s, v, t := W(0), W(1), W(2)
	a.eachRow(elements, c, []Reg{dst, x}, func() {
		a.Zero(s)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(v, Elem(x, i), tail)
			a.Fma(s, v, v)
		})
		a.Fold(s)
		a.inverseRoot(s, t, c)
		a.Spread(s, s)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(v, Elem(x, i), tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Mul(v, v, s)
			a.Mul(v, v, t)
			a.StorePart(Elem(dst, i), v, tail)
		})
	})
	a.Return()
}

func emitRMSNormBack(a *Asm) {
	a.FuncIn("rmsNormBacks", "rmsNormBack", floats("dx"), floats("dgain"), floats("dy"), floats("x"), floats("gain"), Param{"eps", "float32"})
	a.Slices("dx", "dgain", "dy", "x", "gain")
	dx, dgain, dy, x, gain := R(0), R(1), R(2), R(3), R(4)
	c, elements, left, i := R(5), R(6), R(7), R(8)
	a.Arg(c, "gain_len")
	a.Arg(elements, "x_len")
	s, k, v, d, t := W(0), W(1), W(2), W(3), W(4)
	a.eachRow(elements, c, []Reg{dx, dy, x}, func() {
		a.Zero(s)
		a.Zero(k)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(v, Elem(x, i), tail)
			a.LoadPart(d, Elem(dy, i), tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Fma(s, v, v)
			a.Mul(d, d, t)
			a.Fma(k, d, v)
		})
		a.Fold(s)
		a.Fold(k)
		a.inverseRoot(s, t, c)
		a.overWidth(k, t, c)
		a.Scalar("MUL", t, s, s)
		a.Scalar("MUL", t, t, s)
		a.Scalar("MUL", k, t, k)
		a.Spread(s, s)
		a.Spread(k, k)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(d, Elem(dy, i), tail)
			a.LoadPart(v, Elem(x, i), tail)
			a.emitRMSGain(dgain, i, t, v, d, s, tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Mul(d, d, t)
			a.Mul(d, d, s)
			a.Fnma(d, k, v)
			a.LoadPart(t, Elem(dx, i), tail)
			a.Add(t, t, d)
			a.StorePart(Elem(dx, i), t, tail)
		})
	})
	a.Return()
}

// emitRMSGain adds d·(v·s) to dgain, through t and one more vector.
func (a *Asm) emitRMSGain(dgain, i Reg, t, v, d, s W, tail bool) {
	n := W(5)
	a.Mul(n, v, s)
	a.LoadPart(t, Elem(dgain, i), tail)
	a.Fma(t, d, n)
	a.StorePart(Elem(dgain, i), t, tail)
}

// emitMoments leaves the mean of a row in all lanes of mean and
// 1/√(variance + eps) in all lanes of s. v and t are lost.
func (a *Asm) emitMoments(mean, s, v, t W, x, c, left, i Reg) {
	a.Zero(mean)
	a.RowLoop(c, left, i, func(tail bool) {
		a.LoadPart(v, Elem(x, i), tail)
		a.Add(mean, mean, v)
	})
	a.Fold(mean)
	a.overWidth(mean, t, c)
	a.Spread(mean, mean)
	a.Zero(s)
	a.RowLoop(c, left, i, func(tail bool) {
		a.LoadOr(v, Elem(x, i), mean, tail)
		a.Sub(v, v, mean)
		a.Fma(s, v, v)
	})
	a.Fold(s)
	a.inverseRoot(s, t, c)
	a.Spread(s, s)
}

func emitLayerNorm(a *Asm) {
	a.FuncIn("layerNorms", "layerNorm", floats("dst"), floats("x"), floats("gain"), floats("bias"), Param{"eps", "float32"})
	a.Slices("dst", "x", "gain", "bias")
	dst, x, gain, bias := R(0), R(1), R(2), R(3)
	c, elements, left, i := R(4), R(5), R(6), R(7)
	a.Arg(c, "gain_len")
	a.Arg(elements, "x_len")
	mean, s, v, t, b := W(0), W(1), W(2), W(3), W(4)
	a.eachRow(elements, c, []Reg{dst, x}, func() {
		a.emitMoments(mean, s, v, t, x, c, left, i)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(v, Elem(x, i), tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.LoadPart(b, Elem(bias, i), tail)
			a.Sub(v, v, mean)
			a.Mul(v, v, s)
			a.Fma(b, v, t)
			a.StorePart(Elem(dst, i), b, tail)
		})
	})
	a.Return()
}

func emitLayerNormBack(a *Asm) {
	a.FuncIn("layerNormBacks", "layerNormBack", floats("dx"), floats("dgain"), floats("dbias"), floats("dy"), floats("x"), floats("gain"), Param{"eps", "float32"})
	a.Slices("dx", "dgain", "dbias", "dy", "x", "gain")
	dx, dgain, dbias, dy, x, gain := R(0), R(1), R(2), R(3), R(4), R(5)
	c, elements, left, i := R(6), R(7), R(8), R(9)
	a.Arg(c, "gain_len")
	a.Arg(elements, "x_len")
	mean, s, meanA, meanAN, d, n, t := W(0), W(1), W(2), W(3), W(4), W(5), W(6)
	a.eachRow(elements, c, []Reg{dx, dy, x}, func() {
		a.Zero(mean)
		a.Zero(meanA)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(n, Elem(x, i), tail)
			a.Add(mean, mean, n)
			a.LoadPart(d, Elem(dy, i), tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Mul(d, d, t)
			a.Add(meanA, meanA, d)
		})
		for _, sum := range []W{mean, meanA} {
			a.Fold(sum)
			a.overWidth(sum, t, c)
			a.Spread(sum, sum)
		}
		a.Zero(s)
		a.Zero(meanAN)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadOr(n, Elem(x, i), mean, tail)
			a.Sub(n, n, mean)
			a.Fma(s, n, n)
			a.LoadPart(d, Elem(dy, i), tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Mul(d, d, t)
			a.Fma(meanAN, d, n)
		})
		a.Fold(s)
		a.Fold(meanAN)
		a.inverseRoot(s, t, c)
		a.Scalar("MUL", meanAN, meanAN, s)
		a.overWidth(meanAN, t, c)
		a.Spread(meanAN, meanAN)
		a.Spread(s, s)
		a.RowLoop(c, left, i, func(tail bool) {
			a.LoadPart(d, Elem(dy, i), tail)
			a.LoadPart(n, Elem(x, i), tail)
			a.Sub(n, n, mean)
			a.Mul(n, n, s)
			a.LoadPart(t, Elem(dbias, i), tail)
			a.Add(t, t, d)
			a.StorePart(Elem(dbias, i), t, tail)
			a.LoadPart(t, Elem(dgain, i), tail)
			a.Fma(t, d, n)
			a.StorePart(Elem(dgain, i), t, tail)
			a.LoadPart(t, Elem(gain, i), tail)
			a.Mul(t, d, t)
			a.Sub(t, t, meanA)
			a.Fnma(t, meanAN, n)
			a.LoadPart(d, Elem(dx, i), tail)
			a.Fma(d, t, s)
			a.StorePart(Elem(dx, i), d, tail)
		})
	})
	a.Return()
}
