package main

import "fmt"

func init() { Ops = append(Ops, Op{"each", emitEach}) }

// emitEach writes products of a small matrix with the matrices of rows, and what
// puts rows in another order.
func emitEach(a *Asm) {
	for p := 1; p <= 8; p *= 2 {
		if p < 8 || a.T.Name == "avx512" {
			emitEachRows(a, p)
		}
	}
	emitGather(a)
	emitSplit(a)
	emitJoin(a)
}

// pairs writes a function that runs body for every native vector of n numbers of
// one and two and for the pairs of them.
func (a *Asm) pairs(name string, body func(one, two, pairs Reg)) {
	a.FuncIn("", name, Param{"one", "*float32"}, Param{"two", "*float32"}, Param{"pairs", "*float32"}, Param{"n", "int"})
	one, two, pairs, n := R(0), R(1), R(2), R(3)
	for i, name := range []string{"one", "two", "pairs", "n"} {
		a.Arg(R(i), name)
	}
	next := a.NewLabel("vector")
	a.Label(next)
	body(one, two, pairs)
	a.AddImm(one, 4*a.T.Lanes)
	a.AddImm(two, 4*a.T.Lanes)
	a.AddImm(pairs, 8*a.T.Lanes)
	a.AddImm(n, -a.T.Lanes)
	a.JumpIf(n, ">", 0, next)
	a.Return()
}

// emitSplit parts pairs into their first and second numbers.
func emitSplit(a *Asm) {
	a.pairs("split", func(one, two, pairs Reg) {
		a.Load(N(0), At(pairs, 0))
		a.Load(N(1), At(pairs, 4*a.T.Lanes))
		switch a.T.Name { // amd64: even and odd quarters or halves first, then numbers
		case "avx512":
			a.Ins("VSHUFF64X2 $0x88, Z1, Z0, Z2")
			a.Ins("VSHUFF64X2 $0xDD, Z1, Z0, Z3")
			a.Ins("VSHUFPS $0x88, Z3, Z2, Z0")
			a.Ins("VSHUFPS $0xDD, Z3, Z2, Z1")
		case "avx2":
			a.Ins("VPERM2F128 $0x20, Y1, Y0, Y2")
			a.Ins("VPERM2F128 $0x31, Y1, Y0, Y3")
			a.Ins("VSHUFPS $0x88, Y3, Y2, Y0")
			a.Ins("VSHUFPS $0xDD, Y3, Y2, Y1")
		default:
			a.word(0x4E801800, 2, 0, 1) // UZP1
			a.word(0x4E805800, 1, 0, 1) // UZP2
			a.move(0, 2)
		}
		a.Store(At(one, 0), N(0))
		a.Store(At(two, 0), N(1))
	})
}

// emitJoin makes pairs of two vectors.
func emitJoin(a *Asm) {
	a.pairs("join", func(one, two, pairs Reg) {
		a.Load(N(0), At(one, 0))
		a.Load(N(1), At(two, 0))
		switch a.T.Name { // amd64: pairs within quarters or halves, which then move
		case "avx512":
			a.Ins("VUNPCKLPS Z1, Z0, Z2")
			a.Ins("VUNPCKHPS Z1, Z0, Z3")
			a.Ins("VSHUFF64X2 $0x44, Z3, Z2, Z0")
			a.Ins("VSHUFF64X2 $0xEE, Z3, Z2, Z1")
			a.Ins("VSHUFF64X2 $0xD8, Z0, Z0, Z0")
			a.Ins("VSHUFF64X2 $0xD8, Z1, Z1, Z1")
		case "avx2":
			a.Ins("VUNPCKLPS Y1, Y0, Y2")
			a.Ins("VUNPCKHPS Y1, Y0, Y3")
			a.Ins("VPERM2F128 $0x20, Y3, Y2, Y0")
			a.Ins("VPERM2F128 $0x31, Y3, Y2, Y1")
		default:
			a.word(0x4E803800, 2, 0, 1) // ZIP1
			a.word(0x4E807800, 1, 0, 1) // ZIP2
			a.move(0, 2)
		}
		a.Store(At(pairs, 0), N(0))
		a.Store(At(pairs, 4*a.T.Lanes), N(1))
	})
}

// emitEachRows multiplies p rows of the small matrix, of which s has p numbers
// for each step, with columns of x.
func emitEachRows(a *Asm, p int) {
	a.FuncIn(fmt.Sprintf("eachKernels[%d]", p), fmt.Sprintf("each%d", p), Param{"dst", "*float32"}, Param{"s", "*float32"}, Param{"x", "*float32"},
		Param{"row", "int"}, Param{"n", "int"}, Param{"steps", "int"})
	dst, s, x, row, n, steps, count, from, weight := R(0), R(1), R(2), R(3), R(4), R(5), R(6), R(7), R(8)
	for i, name := range []string{"dst", "s", "x", "row", "n", "steps"} {
		a.Arg(R(i), name)
	}
	v, w := W(p), W(p+1)
	a.Loop16(n, []Reg{dst, x}, func(tail bool) {
		for i := range p {
			a.Zero(W(i))
		}
		a.Move(count, steps)
		a.Move(from, x)
		a.Move(weight, s)
		next := a.NewLabel("step")
		a.Label(next)
		a.LoadPart(v, At(from, 0), tail)
		for i := range p {
			a.Broadcast(w, At(weight, 4*i))
			a.Fma(W(i), v, w)
		}
		a.AddReg(from, row, 0)
		a.AddImm(weight, 4*p)
		a.AddImm(count, -1)
		a.JumpIf(count, "!=", 0, next)
		a.Move(from, dst)
		for i := range p {
			a.StorePart(At(from, 0), W(i), tail)
			a.AddReg(from, row, 0)
		}
	})
	a.Return()
}

// emitGather copies four rows: R0 is dst, R1 and R2 are one and three of its
// rows, R3 to R6 rows of src, R7 the index and R8 what is left of it.
func emitGather(a *Asm) {
	a.FuncIn("gatherKernel", "gather", Param{"dst", "*float32"}, Param{"src", "*float32"}, Param{"index", "*int32"},
		Param{"dstRow", "int"}, Param{"srcRow", "int"}, Param{"n", "int"})
	dst, row, row3, index, n := R(0), R(1), R(2), R(7), R(8)
	for i, name := range []string{"dst", "dstRow", "dstRow", "src"} {
		a.Arg(R(i), name)
	}
	a.AddReg(row3, row, 1)
	a.Arg(n, "srcRow")
	for i := range 3 {
		a.Move(R(4+i), R(3+i))
		a.AddReg(R(4+i), n, 0)
	}
	a.Arg(index, "index")
	a.Arg(n, "n")
	to := [4]Mem{At(dst, 0), {Base: dst, Index: row, Scale: 1}, {Base: dst, Index: row, Scale: 2}, {Base: dst, Index: row3, Scale: 1}}
	next := a.NewLabel("element")
	a.Label(next)
	if a.amd64() {
		a.Ins("MOVLQSX (%s), R12", a.Reg(index))
	} else {
		a.Ins("MOVW (%s), R10", a.Reg(index))
	}
	for i, m := range to {
		if a.amd64() {
			a.Ins("MOVL (%s)(R12*4), R13", a.Reg(R(3+i)))
			a.Ins("MOVL R13, %s", a.address(m))
		} else {
			a.Ins("ADD R10<<2, %s, R11", a.Reg(R(3+i)))
			a.Ins("MOVWU (R11), R12")
			a.Ins("MOVW R12, %s", a.resolve(m, 0))
		}
	}
	a.AddImm(index, 4)
	a.AddImm(dst, 4)
	a.AddImm(n, -1)
	a.JumpIf(n, "!=", 0, next)
	a.Return()
}
