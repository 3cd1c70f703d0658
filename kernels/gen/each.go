package main

import "fmt"

func init() { Ops = append(Ops, Op{"each", emitEach}) }

// emitEach writes products of a small matrix with the matrices of rows, and the
// copying of rows in another order.
func emitEach(a *Asm) {
	for p := 1; p <= 8; p *= 2 {
		if p < 8 || a.T.Name == "avx512" {
			emitEachRows(a, p)
		}
	}
	emitGather(a)
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
