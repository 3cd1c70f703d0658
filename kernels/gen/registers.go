package main

import "fmt"

var (
	amd64Regs = []string{"AX", "BX", "CX", "DX", "SI", "DI", "R8", "R9", "R10", "R11"}
	arm64Regs = []string{"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"}
)

// Reg is the assembler's name of r. On amd64 R12, R13 and R15 and on arm64
// R10 to R17 are scratch of the back end or free for hand-written lines.
func (a *Asm) Reg(r Reg) string {
	if a.amd64() {
		return amd64Regs[r]
	}
	return arm64Regs[r]
}

// Arg loads a parameter of 8 bytes into r.
func (a *Asm) Arg(r Reg, name string) {
	op := "MOVD"
	if a.amd64() {
		op = "MOVQ"
	}
	a.Ins("%s %s, %s", op, a.arg(name), a.Reg(r))
}

func (a *Asm) arg(name string) string {
	offset, ok := a.params[name]
	if !ok {
		panic("gen: no parameter " + name)
	}
	return fmt.Sprintf("%s+%d(FP)", name, offset)
}

// SetImm sets dst to value. Like Move, AddImm, AddReg, SubReg and ShiftImm it
// works on 64-bit registers.
func (a *Asm) SetImm(dst Reg, value int) {
	if a.amd64() {
		a.Ins("MOVQ $%d, %s", value, a.Reg(dst))
	} else {
		a.Ins("MOVD $%d, %s", value, a.Reg(dst))
	}
}

// Move copies src to dst.
func (a *Asm) Move(dst, src Reg) {
	if a.amd64() {
		a.Ins("MOVQ %s, %s", a.Reg(src), a.Reg(dst))
	} else {
		a.Ins("MOVD %s, %s", a.Reg(src), a.Reg(dst))
	}
}

// AddImm adds value to dst.
func (a *Asm) AddImm(dst Reg, value int) {
	if a.amd64() {
		a.Ins("ADDQ $%d, %s", value, a.Reg(dst))
	} else {
		a.Ins("ADD $%d, %s", value, a.Reg(dst))
	}
}

// AddReg adds src<<shift to dst, with shift 0 to 3.
func (a *Asm) AddReg(dst, src Reg, shift int) {
	d, s := a.Reg(dst), a.Reg(src)
	switch {
	case a.amd64() && shift == 0:
		a.Ins("ADDQ %s, %s", s, d)
	case a.amd64():
		a.Ins("LEAQ (%s)(%s*%d), %s", d, s, 1<<shift, d)
	default:
		a.Ins("ADD %s<<%d, %s, %s", s, shift, d, d)
	}
}

// SubReg subtracts src from dst.
func (a *Asm) SubReg(dst, src Reg) {
	if a.amd64() {
		a.Ins("SUBQ %s, %s", a.Reg(src), a.Reg(dst))
	} else {
		a.Ins("SUB %s, %s, %s", a.Reg(src), a.Reg(dst), a.Reg(dst))
	}
}

// ShiftImm shifts dst left by left bits.
func (a *Asm) ShiftImm(dst Reg, left int) {
	if a.amd64() {
		a.Ins("SHLQ $%d, %s", left, a.Reg(dst))
	} else {
		a.Ins("LSL $%d, %s, %s", left, a.Reg(dst), a.Reg(dst))
	}
}

// NewLabel returns a label that no other has.
func (a *Asm) NewLabel(name string) string {
	a.labels++
	return fmt.Sprintf("%s_%d", name, a.labels)
}

// Label marks a place in the code.
func (a *Asm) Label(label string) { fmt.Fprintf(&a.text, "%s:\n", label) }

// Jump goes to label.
func (a *Asm) Jump(label string) {
	if a.amd64() {
		a.Ins("JMP %s", label)
	} else {
		a.Ins("B %s", label)
	}
}

// JumpIf goes to label if "r cond value", signed; cond is one of < <= > >= == !=.
func (a *Asm) JumpIf(r Reg, cond string, value int, label string) {
	amd := map[string]string{"<": "JLT", "<=": "JLE", ">": "JGT", ">=": "JGE", "==": "JEQ", "!=": "JNE"}
	arm := map[string]string{"<": "BLT", "<=": "BLE", ">": "BGT", ">=": "BGE", "==": "BEQ", "!=": "BNE"}
	if a.amd64() {
		a.Ins("CMPQ %s, $%d", a.Reg(r), value)
		a.Ins("%s %s", amd[cond], label)
	} else {
		a.Ins("CMP $%d, %s", value, a.Reg(r))
		a.Ins("%s %s", arm[cond], label)
	}
}

// Loop16 runs body for every 16 of the n elements, then once more with tail
// true if up to 15 are left. n is counted down. body loads and stores wide
// vectors with LoadPart and StorePart, giving them its own argument. The
// pointers, in elements of 4 bytes, advance by themselves.
func (a *Asm) Loop16(n Reg, pointers []Reg, body func(tail bool)) {
	top, last, end := a.NewLabel("loop"), a.NewLabel("tail"), a.NewLabel("done")
	a.Label(top)
	a.JumpIf(n, "<", 16, last)
	body(false)
	for _, p := range pointers {
		a.AddImm(p, 64)
	}
	a.AddImm(n, -16)
	a.Jump(top)
	a.Label(last)
	a.JumpIf(n, "<=", 0, end)
	a.SetTail(n)
	body(true)
	a.Label(end)
}

// LoadPart loads a wide vector, or its first elements where tail is set.
func (a *Asm) LoadPart(dst W, m Mem, tail bool) {
	if tail {
		a.LoadTail(dst, m)
	} else {
		a.Load(dst, m)
	}
}

// StorePart stores a wide vector, or its first elements where tail is set.
func (a *Asm) StorePart(m Mem, src W, tail bool) {
	if tail {
		a.StoreTail(m, src)
	} else {
		a.Store(m, src)
	}
}
