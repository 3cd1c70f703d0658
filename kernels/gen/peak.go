package main

func init() { Ops = append(Ops, Op{"peak", emitPeak}) }

// peakChains is how many independent sums keep both multipliers busy; it is
// also in kernels/peak.go.
const peakChains = 12

// emitPeak writes a loop of nothing but fused multiply-adds.
func emitPeak(a *Asm) {
	a.Func("peak", Param{"rounds", "int"})
	a.Arg(R(0), "rounds")
	for i := range peakChains + 2 {
		a.Zero(N(i))
	}
	loop := a.NewLabel("loop")
	a.Label(loop)
	for range 4 {
		for i := range peakChains {
			a.Fma(N(i), N(peakChains), N(peakChains+1))
		}
	}
	a.AddImm(R(0), -1)
	a.JumpIf(R(0), "!=", 0, loop)
	a.Return()
}
