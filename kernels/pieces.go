package kernels

// A pieces is a kernel whose work can be cut anywhere: do handles elements or
// rows from a.from to a.to. What a call needs to know travels in a value of type
// A and not in a closure, because a closure that other goroutines run lives on
// the heap and would be garbage after every call.
type pieces[A any] struct {
	do   func(a *A, from, to int)
	free freeList[pieceCall[A]]
}

// A pieceCall is one call, cut into tasks of each elements or rows.
type pieceCall[A any] struct {
	args    A
	n, each int
	run     func(task int) // the method task, bound once
}

// inPieces makes a kernel of do.
func inPieces[A any](do func(a *A, from, to int)) *pieces[A] {
	p := &pieces[A]{do: do}
	p.free.fresh = func() *pieceCall[A] {
		c := &pieceCall[A]{}
		c.run = func(task int) { p.do(&c.args, task*c.each, min(c.n, (task+1)*c.each)) }
		return c
	}
	return p
}

// run does 0..n in pieces of each, of which the last may be smaller, on as many
// goroutines as SetWorkers allows. The cut depends on n and each alone, never
// on the number of workers.
func (p *pieces[A]) run(n, each int, args A) {
	c := p.free.get()
	c.args, c.n, c.each = args, n, each
	parallel((n+each-1)/each, c.run)
	c.args = *new(A) // the caller's memory is its own again
	p.free.put(c)
}
