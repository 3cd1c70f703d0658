package kernels

import (
	"fmt"
	"sync"
)

// A RotaryTable holds the cosines and sines by which rotary position embedding
// (Su et al. 2021) turns channel pairs. Pair i of a position turns by
// position · theta^(-2i/rot) radians. The numbers come from the package's own
// sine, cosine and power, so they are the same on every processor.
//
// Positions are computed when they are first asked for, so that a table for a
// context of a million tokens costs nothing until a text is that long. Several
// goroutines may use it at once.
type RotaryTable struct {
	context     int
	frequencies []float64 // radians a position, [rot/2]

	growing sync.Mutex
	turns   turns // of the first positions
}

// turns are cosines and sines, each [positions, rot/2]; minused is -sin.
type turns struct{ cos, sin, minused []float32 }

// NewRotaryTable makes the table for positions 0 to context-1, where rot
// channels of each head turn (rot is even; channels i and i+rot/2 are a pair).
// It panics when context or rot is negative or rot is odd.
func NewRotaryTable(context, rot int, theta float64) *RotaryTable {
	return NewRotaryTableOf(context, RotaryFrequencies(rot, theta))
}

// RotaryFrequencies returns the angle in radians by which each of the rot/2
// pairs turns from one position to the next, theta^(-2i/rot). It panics when
// rot is negative or odd.
func RotaryFrequencies(rot int, theta float64) []float64 {
	if rot < 0 || rot%2 != 0 {
		panic(fmt.Sprintf("kernels.RotaryFrequencies: rot %d: need rot even and >= 0", rot))
	}
	frequencies := make([]float64, rot/2)
	for i := range frequencies {
		frequencies[i] = Pow(theta, -2*float64(i)/float64(rot))
	}
	return frequencies
}

// NewRotaryTableOf makes the table for positions 0 to context-1, where pair i
// turns by frequencies[i] radians a position. It panics when context is
// negative.
func NewRotaryTableOf(context int, frequencies []float64) *RotaryTable {
	if context < 0 {
		panic(fmt.Sprintf("kernels.NewRotaryTableOf: context %d: need context >= 0", context))
	}
	return &RotaryTable{context: context, frequencies: frequencies}
}

// upTo returns the turns of at least n positions; n is at most the context.
func (t *RotaryTable) upTo(n int) turns {
	t.growing.Lock()
	defer t.growing.Unlock()
	half := len(t.frequencies)
	if have := len(t.turns.cos) / max(1, half); n > have {
		const first = 64 // positions
		t.turns = t.turns.grown(have, min(t.context, max(n, 2*have, first)), t.frequencies)
	}
	return t.turns
}

// grown returns the turns of positions 0 to to-1, of which old holds the first from.
func (old turns) grown(from, to int, frequencies []float64) turns {
	half := len(frequencies)
	memory := make([]float32, 3*to*half)
	t := turns{memory[:to*half], memory[to*half : 2*to*half], memory[2*to*half:]}
	copy(t.cos, old.cos)
	copy(t.sin, old.sin)
	copy(t.minused, old.minused)
	for p := from; p < to; p++ {
		for i, frequency := range frequencies {
			angle := float64(p) * frequency
			sine := float32(Sin(angle))
			t.cos[p*half+i], t.sin[p*half+i], t.minused[p*half+i] = float32(Cos(angle)), sine, -sine
		}
	}
	return t
}

// Rotary turns the channel pairs of every head of x [t, heads·dim] in place, as
// the Llama models of Hugging Face do: with pairs (a, b) = (i, i+rot/2) of the
// first rot channels of a head and the angle of positions[row],
//
//	a, b = a·cos - b·sin, b·cos + a·sin
//
// t is len(positions). The other channels are left as they are. Rotary panics
// if lengths do not fit or a position is not in the table.
func Rotary(x []float32, positions []int32, heads, dim int, tab *RotaryTable) {
	rotary(x, positions, heads, dim, tab, false, "Rotary")
}

// RotaryBack turns the pairs of dx back by the same angles, which is the
// gradient of Rotary, in place. It panics as Rotary does.
func RotaryBack(dx []float32, positions []int32, heads, dim int, tab *RotaryTable) {
	rotary(dx, positions, heads, dim, tab, true, "RotaryBack")
}

func rotary(x []float32, positions []int32, heads, dim int, tab *RotaryTable, back bool, kernel string) {
	half := len(tab.frequencies)
	mustFit(heads >= 0 && dim >= 2*half && len(x) == len(positions)*heads*dim, kernel)
	last := int32(-1)
	for _, p := range positions {
		mustBelow(p, 0, tab.context, kernel)
		last = max(last, p)
	}
	if half == 0 || heads == 0 {
		return
	}
	t := tab.upTo(int(last) + 1)
	sin := t.sin
	if back {
		sin = t.minused
	}
	rotaryPieces.run(len(positions), rowsPerTask(heads*dim), rotaryCall{x, positions, heads * dim, dim, half, t.cos, sin})
}

type rotaryCall struct {
	x                []float32
	positions        []int32
	width, dim, half int
	cos, sin         []float32
}

var rotaryPieces = inPieces(func(a *rotaryCall, from, to int) {
	turn := rotations.get()
	for r := from; r < to; r++ {
		at := int(a.positions[r]) * a.half
		turn(a.x[r*a.width:(r+1)*a.width], a.cos[at:at+a.half], a.sin[at:at+a.half], a.dim)
	}
})

var rotations = implement(rotateGeneric)

// rotateGeneric turns the pairs of all heads of one row; cos and sin are [rot/2].
func rotateGeneric(x, cos, sin []float32, dim int) {
	for ; len(x) > 0; x = x[dim:] {
		first, second := x[:len(cos)], x[len(cos):2*len(cos)]
		for i, c := range cos {
			a, b := first[i], second[i]
			first[i] = fma32(-b, sin[i], float32(a*c))
			second[i] = fma32(a, sin[i], float32(b*c))
		}
	}
}
