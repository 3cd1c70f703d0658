package main

func init() { Ops = append(Ops, Op{"activation", emitActivations}) }

// Constants of the activations, the same as in kernels/activation.go.
const (
	geluTwice = 0x1.988454p+0
	geluCubic = 0x1.6e4e26p-5
	geluSlope = 0x1.12ba9cp-3
	normPeak  = 0x1.988454p-2
	tailStep  = 0x1.666666p-2
)

var tailPoly = []float32{
	-0.02955867163836956, 0.14598526060581207, -0.2598673701286316,
	0.1638842076063156, -0.02630685083568096, 0.10683098435401917,
	0.11950867623090744, 0.1399046629667282, 0.13961908221244812,
}

func emitActivations(a *Asm) {
	emitGated(a, "swiGLUs", "swiGLU", a.sigmoid)
	emitGatedBack(a, "swiGLUBacks", "swiGLUBack", a.sigmoid, a.swishSlope)
	emitGated(a, "geGLUs", "geGLU", a.geluShare)
	emitGatedBack(a, "geGLUBacks", "geGLUBack", a.geluShare, a.geluSlopeAt)
	emitPlain(a, "geluTanhs", "geluTanh", a.geluShare)
	emitPlainBack(a, "geluTanhBacks", "geluTanhBack", func(slope, x, t, u W) {
		a.geluShare(slope, x, t, u)
		a.geluSlopeAt(slope, x, t, u)
	})
	emitPlain(a, "geluErfs", "geluErf", a.normalCDF)
	emitPlainBack(a, "geluErfBacks", "geluErfBack", func(slope, x, t, u W) {
		a.normalCDF(slope, x, t, u) // u is exp(-x²/2)
		a.MulConst(t, x, normPeak)
		a.MulAdd(t, u, slope)
		a.Copy(slope, t)
	})
	emitReLU(a)
	emitReLUBack(a)
}

// A share computes s from x and keeps x; t and u are lost.
type share func(s, x, t, u W)

// sigmoid sets s = 1/(1+exp(-x)).
func (a *Asm) sigmoid(s, x, t, u W) {
	a.ConstBits(t, 1<<31)
	a.Xor(t, t, x)
	a.Exp(s, t, u)
	a.AddConst(s, s, 1)
	a.ConstDiv(s, s, 1)
}

// swishSlope turns s = sigmoid(x) into s·(1 + x·(1-s)).
func (a *Asm) swishSlope(s, x, t, u W) {
	a.ConstSub(t, s, 1)
	a.MulAddConst(t, x, 1)
	a.Mul(s, s, t)
}

func (a *Asm) geluShare(s, x, t, u W) {
	a.Mul(s, x, x)
	a.MulConst(s, s, geluCubic)
	a.MulAdd(s, x, x)
	a.MulConst(s, s, -geluTwice)
	a.Exp(t, s, u)
	a.AddConst(t, t, 1)
	a.ConstDiv(s, t, 1)
}

// geluSlopeAt turns s = geluShare(x) into s + x·(s-s²)·d(2u)/dx.
func (a *Asm) geluSlopeAt(s, x, t, u W) {
	a.Copy(t, s)
	a.Fnma(t, s, s)
	a.Mul(t, x, t)
	a.Mul(u, x, x)
	a.slopePoly(u)
	a.MulAdd(t, u, s)
	a.Copy(s, t)
}

// slopePoly sets u = geluTwice·(geluSlope·u + 1).
func (a *Asm) slopePoly(u W) {
	a.MulConstAddConst(u, geluSlope, 1)
	a.MulConst(u, u, geluTwice)
}

// normalCDF sets s to the share of a normal distribution below x and u to
// exp(-x²/2).
func (a *Asm) normalCDF(s, x, t, u W) {
	a.MulConst(t, x, -0.5)
	a.Mul(t, t, x)
	a.Exp(u, t, s)
	a.ConstBits(t, 1<<31-1)
	a.And(t, t, x) // |x|
	a.Const(s, tailStep)
	a.MulAddConst(t, s, 1)
	a.ConstDiv(t, t, 1)
	a.Const(s, tailPoly[0])
	for _, c := range tailPoly[1:] {
		a.MulAddConst(s, t, c)
	}
	a.Mul(t, u, t)
	a.Mul(s, t, s) // the tail
	a.ConstSub(t, s, 1)
	a.selectPositive(s, x, t, s)
}

// selectPositive sets dst = x > 0 ? yes : no. dst may be any operand.
func (a *Asm) selectPositive(dst, x, yes, no W) {
	zero := map[string]int{"avx512": 31, "avx2": 14, "neon": 30}[a.T.Name]
	a.Zero(N(zero))
	a.each(func(_ int, r []int) { a.Select(N(r[0]), N(r[1]), ">", N(zero), N(r[2]), N(r[3])) }, dst, x, yes, no)
}

// emitGated writes dst = gate·share(gate)·up.
func emitGated(a *Asm, table, name string, f share) {
	a.FuncIn(table, name, floats("dst"), floats("gate"), floats("up"))
	pointers := a.Slices("dst", "gate", "up")
	a.Arg(R(3), "gate_len")
	a.PinExp()
	a.Pin(1)
	x, s, t, u := W(0), W(1), W(2), W(3)
	a.Loop16(R(3), pointers, func(tail bool) {
		a.LoadPart(x, At(R(1), 0), tail)
		f(s, x, t, u)
		a.Mul(s, x, s)
		a.LoadPart(t, At(R(2), 0), tail)
		a.Mul(s, s, t)
		a.StorePart(At(R(0), 0), s, tail)
	})
	a.Return()
}

// emitGatedBack writes dst = gate·share(gate)·up, dup = dy·gate·share(gate) and
// dgate = dy·up·slope(gate).
func emitGatedBack(a *Asm, table, name string, f, slope share) {
	a.FuncIn(table, name, floats("dst"), floats("dgate"), floats("dup"), floats("dy"), floats("gate"), floats("up"))
	pointers := a.Slices("dst", "dgate", "dup", "dy", "gate", "up")
	a.Arg(R(6), "gate_len")
	a.PinExp()
	a.Pin(1)
	x, s, t, u, d, up := W(0), W(1), W(2), W(3), W(4), W(5)
	a.Loop16(R(6), pointers, func(tail bool) {
		a.LoadPart(x, At(R(4), 0), tail)
		f(s, x, t, u)
		a.LoadPart(d, At(R(3), 0), tail)
		a.LoadPart(up, At(R(5), 0), tail)
		a.Mul(t, x, s)
		a.Mul(u, t, up)
		a.StorePart(At(R(0), 0), u, tail)
		a.Mul(t, d, t)
		a.StorePart(At(R(2), 0), t, tail)
		slope(s, x, t, u)
		a.Mul(up, d, up)
		a.Mul(s, up, s)
		a.StorePart(At(R(1), 0), s, tail)
	})
	a.Return()
}

// emitPlain writes dst = x·share(x).
func emitPlain(a *Asm, table, name string, f share) {
	a.FuncIn(table, name, floats("dst"), floats("x"))
	pointers := a.Slices("dst", "x")
	a.Arg(R(2), "x_len")
	a.PinExp()
	a.Pin(1)
	x, s, t, u := W(0), W(1), W(2), W(3)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(x, At(R(1), 0), tail)
		f(s, x, t, u)
		a.Mul(s, x, s)
		a.StorePart(At(R(0), 0), s, tail)
	})
	a.Return()
}

// emitPlainBack writes dx = dy·slope(x).
func emitPlainBack(a *Asm, table, name string, slope share) {
	a.FuncIn(table, name, floats("dx"), floats("dy"), floats("x"))
	pointers := a.Slices("dx", "dy", "x")
	a.Arg(R(3), "x_len")
	a.PinExp()
	a.Pin(1)
	x, s, t, u := W(0), W(1), W(2), W(3)
	a.Loop16(R(3), pointers, func(tail bool) {
		a.LoadPart(x, At(R(2), 0), tail)
		slope(s, x, t, u)
		a.LoadPart(t, At(R(1), 0), tail)
		a.Mul(s, t, s)
		a.StorePart(At(R(0), 0), s, tail)
	})
	a.Return()
}

// emitReLU writes dst = x <= 0 ? 0 : x, so that NaN stays.
func emitReLU(a *Asm) {
	a.FuncIn("relus", "relu", floats("dst"), floats("x"))
	pointers := a.Slices("dst", "x")
	a.Arg(R(2), "x_len")
	x, zero := W(0), W(1)
	a.Zero(zero)
	a.Loop16(R(2), pointers, func(tail bool) {
		a.LoadPart(x, At(R(1), 0), tail)
		a.Select(x, x, "<=", zero, zero, x)
		a.StorePart(At(R(0), 0), x, tail)
	})
	a.Return()
}

// emitReLUBack writes dx = x > 0 ? dy : 0.
func emitReLUBack(a *Asm) {
	a.FuncIn("reluBacks", "reluBack", floats("dx"), floats("dy"), floats("x"))
	pointers := a.Slices("dx", "dy", "x")
	a.Arg(R(3), "x_len")
	x, d, zero := W(0), W(1), W(2)
	a.Zero(zero)
	a.Loop16(R(3), pointers, func(tail bool) {
		a.LoadPart(x, At(R(2), 0), tail)
		a.LoadPart(d, At(R(1), 0), tail)
		a.Select(d, x, ">", zero, d, zero)
		a.StorePart(At(R(0), 0), d, tail)
	})
	a.Return()
}
