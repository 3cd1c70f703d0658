package main

import (
	"fmt"
	"math"
	"slices"
)

// reg is the assembler's name of native vector i.
func (a *Asm) reg(i int) string {
	switch a.T.Name {
	case "avx512":
		return fmt.Sprintf("Z%d", i)
	case "avx2":
		if a.T.Lanes == 4 {
			return fmt.Sprintf("X%d", i)
		}
		return fmt.Sprintf("Y%d", i)
	}
	return fmt.Sprintf("V%d", i)
}

// scratch is the back end's own vector: Z31, Y15 or V31. Y14, V28, V29 and
// V30 are its too.
func (a *Asm) scratch() int {
	return map[string]int{"avx512": 31, "avx2": 15, "neon": 31}[a.T.Name]
}

// each calls f with the native registers of every part of the operands.
func (a *Asm) each(f func(part int, r []int), operands ...Vec) {
	all := make([][]int, len(operands))
	for i, v := range operands {
		all[i] = v.natives(a.T.Parts())
	}
	for part := range all[0] {
		r := make([]int, len(operands))
		for i := range operands {
			r[i] = all[i][part]
		}
		f(part, r)
	}
}

func (a *Asm) address(m Mem) string {
	text := ""
	if m.Disp != 0 {
		text = fmt.Sprint(m.Disp)
	}
	text += "(" + a.Reg(m.Base) + ")"
	if m.Scale != 0 {
		if !a.amd64() {
			panic("gen: address not resolved")
		}
		text += fmt.Sprintf("(%s*%d)", a.Reg(m.Index), m.Scale)
	}
	return text
}

// resolve returns an operand for m on arm64, with R16 as scratch when m has an index.
func (a *Asm) resolve(m Mem, disp int) string {
	base := a.Reg(m.Base)
	if m.Scale != 0 {
		shift := map[int]int{1: 0, 2: 1, 4: 2, 8: 3}[m.Scale]
		a.Ins("ADD %s<<%d, %s, R16", a.Reg(m.Index), shift, base)
		base = "R16"
	}
	if m.Disp+disp == 0 {
		return "(" + base + ")"
	}
	return fmt.Sprintf("%d(%s)", m.Disp+disp, base)
}

func (m Mem) plus(bytes int) Mem { m.Disp += bytes; return m }

// Load fills dst from memory; addresses need no alignment.
func (a *Asm) Load(dst Vec, m Mem) {
	a.each(func(part int, r []int) {
		at := part * a.T.Lanes * 4
		if a.amd64() {
			a.Ins("VMOVUPS %s, %s", a.address(m.plus(at)), a.reg(r[0]))
		} else {
			a.Ins("FMOVQ %s, F%d", a.resolve(m, at), r[0])
		}
	}, dst)
}

// Store writes src to memory.
func (a *Asm) Store(m Mem, src Vec) {
	a.each(func(part int, r []int) {
		at := part * a.T.Lanes * 4
		if a.amd64() {
			a.Ins("VMOVUPS %s, %s", a.reg(r[0]), a.address(m.plus(at)))
		} else {
			a.Ins("FMOVQ F%d, %s", r[0], a.resolve(m, at))
		}
	}, src)
}

// SetTail prepares LoadTail and StoreTail for the first n elements, 0 < n <
// 16 for W and 0 < n < Lanes for N. n must keep its value while they are used.
func (a *Asm) SetTail(n Reg) {
	a.tail = n
	switch a.T.Name {
	case "avx512":
		a.Ins("MOVL $-1, R13")
		a.Ins("BZHIL %s, R13, R13", a.Reg(n))
		a.Ins("KMOVW R13, K1")
	case "avx2":
		a.Ins("LEAQ tailMask<>(SB), R13")
		a.Ins("MOVQ %s, R12", a.Reg(n))
		a.Ins("NEGQ R12")
	}
}

// LoadTail loads the first n elements and zeros the others. Memory beyond
// them is not touched.
func (a *Asm) LoadTail(dst Vec, m Mem) {
	switch a.T.Name {
	case "avx512":
		a.each(func(_ int, r []int) { a.Ins("VMOVUPS.Z %s, K1, Z%d", a.address(m), r[0]) }, dst)
	case "avx2":
		a.each(func(part int, r []int) {
			a.Ins("VMOVUPS %d(R13)(R12*4), Y15", 64+32*part)
			a.Ins("VMASKMOVPS %s, Y15, Y%d", a.address(m.plus(32*part)), r[0])
		}, dst)
	default:
		a.Zero(dst)
		a.lanes(dst, func(element, r, lane int) {
			a.Ins("MOVWU %s, R17", a.resolve(m, 4*element))
			a.Ins("VMOV R17, V%d.S[%d]", r, lane)
		})
	}
}

// StoreTail stores the first n elements and leaves memory beyond them alone.
func (a *Asm) StoreTail(m Mem, src Vec) {
	switch a.T.Name {
	case "avx512":
		a.each(func(_ int, r []int) { a.Ins("VMOVUPS Z%d, K1, %s", r[0], a.address(m)) }, src)
	case "avx2":
		a.each(func(part int, r []int) {
			a.Ins("VMOVUPS %d(R13)(R12*4), Y15", 64+32*part)
			a.Ins("VMASKMOVPS Y%d, Y15, %s", r[0], a.address(m.plus(32*part)))
		}, src)
	default:
		a.lanes(src, func(element, r, lane int) {
			a.Ins("VMOV V%d.S[%d], R17", r, lane)
			a.Ins("MOVW R17, %s", a.resolve(m, 4*element))
		})
	}
}

// lanes calls f for each lane of v below the tail's length (NEON).
func (a *Asm) lanes(v Vec, f func(element, r, lane int)) {
	end := a.NewLabel("lanes")
	a.each(func(part int, r []int) {
		for lane := range 4 {
			a.JumpIf(a.tail, "<=", 4*part+lane, end)
			f(4*part+lane, r[0], lane)
		}
	}, v)
	a.Label(end)
}

// Broadcast fills all lanes of dst with the float32 at m.
func (a *Asm) Broadcast(dst Vec, m Mem) {
	if a.amd64() {
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.address(m), a.reg(r[0])) }, dst)
		return
	}
	a.Ins("MOVWU %s, R17", a.resolve(m, 0))
	a.duplicate(dst)
}

// BroadcastArg fills all lanes of dst with a float32 parameter.
func (a *Asm) BroadcastArg(dst Vec, name string) {
	if a.amd64() {
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.arg(name), a.reg(r[0])) }, dst)
		return
	}
	a.Ins("MOVWU %s, R17", a.arg(name))
	a.duplicate(dst)
}

// Const fills all lanes of dst with value.
func (a *Asm) Const(dst Vec, value float32) { a.ConstBits(dst, math.Float32bits(value)) }

// ConstBits fills all 32-bit lanes of dst with bits.
func (a *Asm) ConstBits(dst Vec, bits uint32) {
	pin, isPinned := a.pinned[bits]
	switch {
	case isPinned:
		a.each(func(_ int, r []int) { a.move(r[0], pin) }, dst)
	case bits == 0:
		a.Zero(dst)
	case a.amd64():
		a.each(func(_ int, r []int) { a.Ins("VBROADCASTSS %s, %s", a.constant(bits), a.reg(r[0])) }, dst)
	default:
		a.Ins("MOVD $0x%08X, R17", bits)
		a.duplicate(dst)
	}
}

// Pin keeps constants in native vectors of their own for the rest of the
// function, from the last one down, where the target has vectors to spare.
func (a *Asm) Pin(values ...float32) {
	if a.T.Name != "avx512" {
		return
	}
	for _, v := range values {
		bits := math.Float32bits(v)
		if _, twice := a.pinned[bits]; !twice {
			v := a.T.Native - 1 - len(a.pinned)
			a.ConstBits(N(v), bits)
			a.pinned[bits] = v
		}
	}
}

// operand returns a native vector with value in all lanes: a pinned one or the
// scratch vector.
func (a *Asm) operand(value float32) int {
	if pin, ok := a.pinned[math.Float32bits(value)]; ok {
		return pin
	}
	s := a.scratch()
	a.Const(N(s), value)
	return s
}

// constant is the address of a float32 in read-only data (amd64).
func (a *Asm) constant(bits uint32) string {
	if !slices.Contains(a.consts, bits) {
		a.consts = append(a.consts, bits)
	}
	return fmt.Sprintf("const%08X<>(SB)", bits)
}

func (a *Asm) duplicate(dst Vec) {
	a.each(func(_ int, r []int) { a.Ins("VDUP R17, V%d.S4", r[0]) }, dst)
}

// Zero clears dst.
func (a *Asm) Zero(dst Vec) { a.Xor(dst, dst, dst) }

// Copy sets dst to src.
func (a *Asm) Copy(dst, src Vec) {
	a.each(func(_ int, r []int) { a.move(r[0], r[1]) }, dst, src)
}

func (a *Asm) move(dst, src int) {
	switch {
	case dst == src:
	case a.amd64():
		a.Ins("VMOVAPS %s, %s", a.reg(src), a.reg(dst))
	default:
		a.word(0x4EA01C00, dst, src, src)
	}
}
