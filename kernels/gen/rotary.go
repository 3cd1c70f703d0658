package main

func init() { Ops = append(Ops, Op{"rotary", emitRotary}) }

// emitRotary turns the pairs (i, i+half) of each head of one row of x, where
// half is the length of cos and sin.
func emitRotary(a *Asm) {
	a.FuncIn("rotations", "rotate", floats("x"), floats("cos"), floats("sin"), Param{"dim", "int"})
	a.Slices("x", "cos", "sin")
	x, cos, sin := R(0), R(1), R(2)
	half, elements, dim, second, left, i := R(3), R(4), R(5), R(6), R(7), R(8)
	a.Arg(half, "cos_len")
	a.Arg(elements, "x_len")
	a.Arg(dim, "dim")
	first, other, c, s, t := W(0), W(1), W(2), W(3), W(4)
	a.eachRow(elements, dim, []Reg{x}, func() {
		a.Move(second, x)
		a.AddReg(second, half, 2)
		a.RowLoop(half, left, i, func(tail bool) {
			a.LoadPart(first, Elem(x, i), tail)
			a.LoadPart(other, Elem(second, i), tail)
			a.LoadPart(c, Elem(cos, i), tail)
			a.LoadPart(s, Elem(sin, i), tail)
			a.Mul(t, first, c)
			a.Fnma(t, other, s)
			a.StorePart(Elem(x, i), t, tail)
			a.Mul(t, other, c)
			a.Fma(t, first, s)
			a.StorePart(Elem(second, i), t, tail)
		})
	})
	a.Return()
}
