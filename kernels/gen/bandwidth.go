package main

func init() { Ops = append(Ops, Op{"bandwidth", emitRead}) }

// readVectors is how many native vectors a round of the loop reads, so that
// loads and not the loop are the limit. 8 vectors of 16 lanes are the readBlock
// of kernels/bandwidth.go.
const readVectors = 8

// emitRead writes a loop of loads. What was loaded is joined, by an operation
// of one cycle, into as many sums as it takes to keep two loads a cycle busy.
func emitRead(a *Asm) {
	const sums = 4
	a.FuncIn("readers", "read", floats("x"))
	pointers := a.Slices("x")
	a.Arg(R(1), "x_len")
	for i := range sums {
		a.Zero(N(i))
	}
	loop, done := a.NewLabel("loop"), a.NewLabel("done")
	a.Label(loop)
	a.JumpIf(R(1), "<", readVectors*a.T.Lanes, done)
	for i := range readVectors {
		a.Load(N(sums+i), At(pointers[0], i*a.T.Lanes*4))
	}
	for i := range readVectors {
		a.Or(N(i%sums), N(i%sums), N(sums+i))
	}
	a.AddImm(pointers[0], readVectors*a.T.Lanes*4)
	a.AddImm(R(1), -readVectors*a.T.Lanes)
	a.Jump(loop)
	a.Label(done)
	a.Return()
}
