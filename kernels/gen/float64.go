package main

// Two vectors of float64 lanes hold what one float32 vector does.

// Widen converts to float64: lo gets lanes 0 to 7, hi lanes 8 to 15. Neither
// may be x. Vectors are wide.
func (a *Asm) Widen(lo, hi, x W) {
	parts := a.T.Parts()
	both := append(lo.natives(parts), hi.natives(parts)...)
	for part, r := range x.natives(parts) {
		a.widen(both[2*part], both[2*part+1], r)
	}
}

func (a *Asm) widen(lo, hi, x int) {
	switch a.T.Name {
	case "avx512":
		a.Ins("VEXTRACTF32X8 $1, Z%d, Y31", x)
		a.Ins("VCVTPS2PD Y%d, Z%d", x, lo)
		a.Ins("VCVTPS2PD Y31, Z%d", hi)
	case "avx2":
		a.Ins("VEXTRACTF128 $1, Y%d, X15", x)
		a.Ins("VCVTPS2PD X%d, Y%d", x, lo)
		a.Ins("VCVTPS2PD X15, Y%d", hi)
	default:
		a.word(0x0E617800, lo, x, 0)
		a.word(0x4E617800, hi, x, 0)
	}
}

// Add64 is Add in float64.
func (a *Asm) Add64(dst, x, y Vec) { a.three("VADDPD", 0x4E60D400, dst, x, y) }

// Mul64 is Mul in float64.
func (a *Asm) Mul64(dst, x, y Vec) { a.three("VMULPD", 0x6E60DC00, dst, x, y) }

// Fma64 is Fma in float64.
func (a *Asm) Fma64(acc, x, y Vec) { a.three("VFMADD231PD", 0x4E60CC00, acc, x, y) }
