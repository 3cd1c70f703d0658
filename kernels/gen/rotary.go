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
	a.eachRow(elements, dim, []Reg{x}, func() {
		a.Move(second, x)
		a.AddReg(second, half, 2)
		a.Move(left, half)
		a.SetImm(i, 0)
		a.Loop16(left, nil, func(tail bool) {
			if tail {
				a.lastPairs(left, i, x, second, cos, sin)
				return
			}
			a.turnPairs([5]Vec{W(0), W(1), W(2), W(3), W(4)}, a.Load, a.Store,
				Elem(x, i), Elem(second, i), Elem(cos, i), Elem(sin, i))
			a.AddImm(i, 16)
		})
	})
	a.Return()
}

// turnPairs turns the pairs at first and second, using vectors v.
func (a *Asm) turnPairs(v [5]Vec, load func(Vec, Mem), store func(Mem, Vec), first, second, cos, sin Mem) {
	load(v[0], first)
	load(v[1], second)
	load(v[2], cos)
	load(v[3], sin)
	a.Mul(v[4], v[0], v[2])
	a.Fnma(v[4], v[1], v[3])
	store(first, v[4])
	a.Mul(v[4], v[1], v[2])
	a.Fma(v[4], v[0], v[3])
	store(second, v[4])
}

// lastPairs turns the last pairs, fewer than 16: 8, then 4, then what is left by
// masks. A masked store covers memory that the next load reads, and holds it up.
func (a *Asm) lastPairs(left, i, x, second, cos, sin Reg) {
	end := a.NewLabel("turned")
	for _, step := range []int{8, 4} {
		less := a.NewLabel("less")
		a.JumpIf(left, "<", step, less)
		a.narrowly(step, func(at int) {
			part := func(base Reg) Mem { return Elem(base, i).plus(4 * at) }
			a.turnPairs([5]Vec{N(0), N(1), N(2), N(3), N(4)}, a.Load, a.Store, part(x), part(second), part(cos), part(sin))
		})
		a.AddImm(i, step)
		a.AddImm(left, -step)
		a.Label(less)
	}
	a.JumpIf(left, "<=", 0, end)
	a.SetTail(left)
	a.turnPairs([5]Vec{W(0), W(1), W(2), W(3), W(4)}, a.LoadTail, a.StoreTail,
		Elem(x, i), Elem(second, i), Elem(cos, i), Elem(sin, i))
	a.Label(end)
}

// narrowly runs body with native vectors of at most n lanes, 4 or 8, as often as
// n lanes take, from lane at.
func (a *Asm) narrowly(n int, body func(at int)) {
	target := a.T
	if a.amd64() { // AVX-512 has the registers and instructions of AVX2
		a.T = Target{Name: "avx2", Arch: "amd64", Lanes: n}
	}
	for at := 0; at < n; at += a.T.Lanes {
		body(at)
	}
	a.T = target
}
