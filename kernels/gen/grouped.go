package main

import (
	"fmt"
	"math"
)

func init() { Ops = append(Ops, Op{"grouped", emitGrouped}) }

// emitGrouped writes products with whole numbers of 4 and 8 bits that are
// multiplied as float32.
func emitGrouped(a *Asm) {
	for _, bits := range []int{4, 8} {
		for panels := 1; panels <= 4; panels *= 2 {
			if panels < 4 || a.T.Name == "avx512" {
				emitGroupedVector(a, bits, panels)
			}
		}
		emitUnpack(a, bits)
	}
	emitRescale(a)
}

const (
	panelBytes = 4 * 32 // of a step of a panel
	wordsAhead = 4096   // bytes ahead at which words are fetched
)

// An unpacker turns the numbers of words into float32. A number whose bits lie
// within the fraction is made the fraction of a power of two, at which a step of
// the fraction's bit is 1, and that power and h are subtracted. Numbers beyond
// are shifted there.
type unpacker struct {
	*Asm
	bits, direct        int
	mask, power, middle func(place int) N
}

// newUnpacker fills the native vectors from first on with constants.
func newUnpacker(a *Asm, bits, first int) unpacker {
	u := unpacker{Asm: a, bits: bits, direct: 1}
	if a.T.Name == "avx512" {
		u.direct = 23 / bits
	}
	constant := func(kind int) func(place int) N {
		return func(place int) N { return N(first + 3*place + kind) }
	}
	u.mask, u.power, u.middle = constant(0), constant(1), constant(2)
	for place := range u.direct {
		power := float32(math.Ldexp(1, 23-bits*place))
		a.ConstBits(u.mask(place), (uint32(1)<<bits-1)<<(bits*place))
		a.Const(u.power(place), power)
		a.Const(u.middle(place), power+float32(int(1)<<(bits-1)))
	}
	return u
}

// unpack sets each of dst to the numbers i of the words at from.
func (u unpacker) unpack(dst []N, from []Mem, i int) {
	place := i
	if i >= u.direct {
		place = max(0, i-(32/u.bits-u.direct))
		if u.direct == 1 {
			place = 0
		}
	}
	by := u.bits * (i - place)
	for v, t := range dst {
		switch {
		case by > 0 && u.T.Name == "avx512":
			u.Ins("VPSRLD $%d, %s, %s", by, u.address(from[v]), u.reg(int(t)))
		default:
			u.Load(t, from[v])
			if by > 0 {
				u.ShiftRight(t, t, by)
			}
		}
	}
	for _, t := range dst {
		if u.T.Name == "avx512" {
			u.Ins("VPTERNLOGD $0xEA, %s, %s, %s", u.reg(int(u.power(place))), u.reg(int(u.mask(place))), u.reg(int(t)))
			continue
		}
		u.And(t, t, u.mask(place))
		u.Or(t, t, u.power(place))
	}
	for _, t := range dst {
		u.Sub(t, t, u.middle(place))
	}
}

// vectorsOf are the native vectors of a panel.
func (a *Asm) vectorsOf() int { return 32 / a.T.Lanes }

// fetch asks for the two lines so many bytes behind m.
func (a *Asm) fetch(m Mem) {
	if a.amd64() {
		a.Ins("PREFETCHT0 %s", a.address(m))
		a.Ins("PREFETCHT0 %s", a.address(m.plus(64)))
	}
}

func emitGroupedVector(a *Asm, bits, panels int) {
	a.FuncIn(fmt.Sprintf("groupedKernels[%d][%d]", bits/8, panels), fmt.Sprintf("grouped%dx%d", bits, panels),
		Param{"y", "*float32"}, Param{"x", "*float32"}, Param{"words", "*uint32"},
		Param{"scales", "*float32"}, Param{"shifts", "*float32"}, Param{"sums", "*float32"},
		Param{"wordsPanel", "int"}, Param{"scalesPanel", "int"}, Param{"groups", "int"}, Param{"each", "int"})
	y, x, words, stride, stride3 := R(0), R(1), R(2), R(3), R(4)
	scales, scalesPanel, count, at, groups := R(5), R(6), R(7), R(8), R(9)
	for i, name := range []string{"y", "x", "words", "wordsPanel", "wordsPanel", "scales", "scalesPanel"} {
		a.Arg(R(i), name)
	}
	a.Arg(groups, "groups")
	a.AddReg(stride3, stride, 1)

	vectors := a.vectorsOf()
	sums := panels * vectors
	temps := map[string]int{"avx512": 6, "avx2": 2, "neon": 4}[a.T.Name]
	element := N(sums + temps)
	u := newUnpacker(a, bits, sums+temps+1)
	word := func(sum int) Mem {
		m := At(words, sum%vectors*a.T.Lanes*4)
		switch panel := sum / vectors; panel {
		case 1, 2:
			m.Index, m.Scale = stride, panel
		case 3:
			m.Index, m.Scale = stride3, 1
		}
		return m
	}

	group, next := a.NewLabel("group"), a.NewLabel("word")
	a.Label(group)
	for i := range sums {
		a.Zero(N(i))
	}
	a.Arg(count, "each")
	a.Label(next)
	for panel := range panels {
		a.fetch(word(panel * vectors).plus(wordsAhead))
	}
	for i := range 32 / bits {
		a.Broadcast(element, At(x, 4*i))
		for first := 0; first < sums; first += temps {
			var dst []N
			var from []Mem
			for s := first; s < min(sums, first+temps); s++ {
				dst, from = append(dst, N(sums+s-first)), append(from, word(s))
			}
			u.unpack(dst, from, i)
			for v, t := range dst {
				a.Fma(N(first+v), element, t)
			}
		}
	}
	a.AddImm(x, 4*32/bits)
	a.AddImm(words, panelBytes)
	a.AddImm(count, -1)
	a.JumpIf(count, "!=", 0, next)

	each := func(from Reg, f func(sum int, m Mem)) {
		for panel := range panels {
			for v := range vectors {
				f(panel*vectors+v, At(from, v*a.T.Lanes*4))
			}
			a.AddReg(from, scalesPanel, 0)
		}
	}
	t, s := N(sums), N(sums+1)
	plain := a.NewLabel("plain")
	a.Arg(at, "shifts")
	a.JumpIf(at, "==", 0, plain)
	a.Arg(count, "sums")
	a.Broadcast(element, At(count, 0))
	a.AddImm(count, 4)
	a.StoreArg("sums", count)
	each(at, func(sum int, m Mem) {
		a.Load(t, m)
		a.Fma(N(sum), t, element)
	})
	a.Arg(at, "shifts")
	a.AddImm(at, panelBytes)
	a.StoreArg("shifts", at)
	a.Label(plain)
	a.Move(at, scales)
	each(at, func(sum int, m Mem) {
		a.Load(t, At(y, sum*a.T.Lanes*4))
		a.Load(s, m)
		a.Fma(t, N(sum), s)
		a.Store(At(y, sum*a.T.Lanes*4), t)
	})
	a.AddImm(scales, panelBytes)
	a.AddImm(groups, -1)
	a.JumpIf(groups, "!=", 0, group)
	a.Return()
}

func emitUnpack(a *Asm, bits int) {
	a.FuncIn(fmt.Sprintf("unpackKernels[%d]", bits/8), fmt.Sprintf("unpack%d", bits),
		Param{"dst", "*float32"}, Param{"words", "*uint32"}, Param{"count", "int"})
	dst, words, count := R(0), R(1), R(2)
	for i, name := range []string{"dst", "words", "count"} {
		a.Arg(R(i), name)
	}
	vectors := a.vectorsOf()
	u := newUnpacker(a, bits, vectors)
	var temps []N
	var from []Mem
	for v := range vectors {
		temps, from = append(temps, N(v)), append(from, At(words, v*a.T.Lanes*4))
	}
	next := a.NewLabel("word")
	a.Label(next)
	a.fetch(At(words, wordsAhead))
	for i := range 32 / bits {
		u.unpack(temps, from, i)
		for v, t := range temps {
			a.Store(At(dst, i*panelBytes+v*a.T.Lanes*4), t)
		}
	}
	a.AddImm(dst, 32/bits*panelBytes)
	a.AddImm(words, panelBytes)
	a.AddImm(count, -1)
	a.JumpIf(count, "!=", 0, next)
	a.Return()
}

func emitRescale(a *Asm) {
	a.FuncIn("rescaleKernel", "rescale",
		Param{"y", "*float32"}, Param{"dots", "*float32"}, Param{"scales", "*float32"}, Param{"shifts", "*float32"}, Param{"sums", "*float32"},
		Param{"yRow", "int"}, Param{"sumRow", "int"}, Param{"rows", "int"})
	y, dots, sums, yRow, sumRow, rows, from := R(0), R(1), R(2), R(3), R(4), R(5), R(6)
	for i, name := range []string{"y", "dots", "sums", "yRow", "sumRow", "rows"} {
		a.Arg(R(i), name)
	}
	vectors := a.vectorsOf()
	scale, shift := func(v int) N { return N(v) }, func(v int) N { return N(vectors + v) }
	t, out, sum := N(2*vectors), N(2*vectors+1), N(2*vectors+2)
	load := func(name string, to func(v int) N) {
		a.Arg(from, name)
		for v := range vectors {
			a.Load(to(v), At(from, v*a.T.Lanes*4))
		}
	}
	load("scales", scale)
	loop := func(shifted bool) {
		next := a.NewLabel("row")
		a.Label(next)
		if shifted {
			a.Broadcast(sum, At(sums, 0))
		}
		for v := range vectors {
			at := v * a.T.Lanes * 4
			a.Load(t, At(dots, at))
			if shifted {
				a.Fma(t, shift(v), sum)
			}
			a.Load(out, At(y, at))
			a.Fma(out, t, scale(v))
			a.Store(At(y, at), out)
		}
		a.AddReg(y, yRow, 0)
		a.AddReg(sums, sumRow, 0)
		a.AddImm(dots, panelBytes)
		a.AddImm(rows, -1)
		a.JumpIf(rows, "!=", 0, next)
		a.Return()
	}
	plain := a.NewLabel("plain")
	a.Arg(from, "shifts")
	a.JumpIf(from, "==", 0, plain)
	load("shifts", shift)
	loop(true)
	a.Label(plain)
	loop(false)
}
