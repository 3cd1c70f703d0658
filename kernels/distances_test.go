package kernels

import (
	"fmt"
	"math"
	"testing"
)

// softmax64 is softmax(x/temperature).
func softmax64(x []float32, temperature float64) []float64 {
	p, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		p[i] = math.Exp(float64(v) / temperature)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

func divergence64(p, q []float64) (sum float64) {
	for i := range p {
		sum += p[i] * math.Log(p[i]/q[i])
	}
	return sum
}

// The distances of rows of x from those of y, by their formulas.
var distances = []struct {
	name    string
	run     func(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32)
	formula func(x, y []float32) float64
}{
	{"divergence", func(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32) {
		Divergence(dx, losses, x, y, targets, 1, scale)
	}, func(x, y []float32) float64 { return divergence64(softmax64(y, 1), softmax64(x, 1)) }},
	{"divergence at temperature 3", func(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32) {
		Divergence(dx, losses, x, y, targets, 3, scale)
	}, func(x, y []float32) float64 { return 9 * divergence64(softmax64(y, 3), softmax64(x, 3)) }},
	{"squared", SquaredDistance, func(x, y []float32) (sum float64) {
		for i := range x {
			sum += math.Pow(float64(x[i])-float64(y[i]), 2) / float64(len(x))
		}
		return sum
	}},
	{"cosine", CosineDistance, func(x, y []float32) float64 {
		var xx, yy, xy float64
		for i := range x {
			xx, yy, xy = xx+float64(x[i])*float64(x[i]), yy+float64(y[i])*float64(y[i]), xy+float64(x[i])*float64(y[i])
		}
		return 1 - xy/math.Sqrt(xx*yy)
	}},
}

func TestDistancesMatchTheirFormulas(t *testing.T) {
	const rows, c, scale = 3, 19, 0.25
	targets := []int32{0, -1, 2}
	for _, d := range distances {
		t.Run(d.name, func(t *testing.T) {
			x, y, before := random(1, rows*c, 1), random(2, rows*c, 1), random(3, rows*c, 1)
			dx, losses := append([]float32(nil), before...), []float64{1, 1, 1}
			d.run(dx, losses, x, y, targets, scale)
			for r := range rows {
				row, other := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
				want := 1.0
				if targets[r] >= 0 {
					want += d.formula(row, other)
				}
				near(t, fmt.Sprintf("loss of row %d", r), []float32{float32(losses[r])}, []float64{want}, 1e-5)
				for i := range row {
					slope := float64(before[r*c+i])
					if targets[r] >= 0 {
						slope += scale * slopeOf(&row[i], func() float64 { return d.formula(row, other) })
					}
					near(t, fmt.Sprintf("slope %d of row %d", i, r), dx[r*c+i:r*c+i+1], []float64{slope}, 1e-4)
				}
			}
		})
	}
}

// slopeOf is how f changes with x, by a central difference.
func slopeOf(x *float32, f func() float64) float64 {
	was := *x
	*x = was + 1.0/512
	up, upper := f(), *x
	*x = was - 1.0/512
	down, lower := f(), *x
	*x = was
	return (up - down) / (float64(upper) - float64(lower))
}

// What is the same has no distance and no gradient, to the bit.
func TestNoDistanceFromItself(t *testing.T) {
	for _, d := range distances {
		for _, c := range []int{1, 7, 64, 501} {
			x, dx, losses := random(uint64(c), 2*c, 3), make([]float32, 2*c), make([]float64, 2)
			d.run(dx, losses, x, x, []int32{0, 0}, 1)
			if losses[0] != 0 || losses[1] != 0 || SumSquares(dx) != 0 {
				t.Errorf("%s of %d numbers: losses %v, squared gradient %v", d.name, c, losses, SumSquares(dx))
			}
		}
	}
}

// attentionMaps are the probabilities of each row and head, by the formula.
func attentionMaps(a Attended, batch, t int) [][]float64 {
	var maps [][]float64
	for row := range batch * t {
		for head := range a.Query {
			first, seen := row/t*t, row%t+1
			scores := make([]float32, seen)
			for j := range scores {
				dot := 0.0
				for i, q := range a.query(a.Q, row, head) {
					dot += float64(q) * float64(a.key(a.K, first+j, head)[i])
				}
				scores[j] = float32(dot * float64(a.Scale))
			}
			maps = append(maps, softmax64(scores, 1))
		}
	}
	return maps
}

func attended(h Heads, batch, t int, seed uint64) Attended {
	c := newAttentionCase(h, batch, t, seed)
	c.run()
	return Attended{h, c.q, c.k, c.lse}
}

var attentionDistances = []struct {
	name    string
	run     func(dq, dk []float32, losses []float64, student, teacher Attended, targets []int32, batch int, scale float32)
	formula func(p, q []float64) float64
}{
	{"divergence", AttentionDivergence, divergence64},
	{"distance", AttentionDistance, func(p, q []float64) (sum float64) {
		for i := range p {
			sum += (p[i] - q[i]) * (p[i] - q[i])
		}
		return sum
	}},
}

func TestAttentionDistances(t *testing.T) {
	const batch, length, scale = 2, 5, 0.5
	student := attended(Heads{Query: 4, KV: 2, Dim: 6, Scale: 0.7}, batch, length, 1)
	teacher := attended(Heads{Query: 4, KV: 1, Dim: 9, Scale: 0.5}, batch, length, 2)
	targets := []int32{0, 1, 2, -1, 4, 0, 1, 2, 3, -1}
	for _, d := range attentionDistances {
		t.Run(d.name, func(t *testing.T) {
			total := func() (sum float64) {
				p, q := attentionMaps(teacher, batch, length), attentionMaps(student, batch, length)
				for i := range p {
					if targets[i/student.Query] >= 0 {
						sum += d.formula(p[i], q[i])
					}
				}
				return sum
			}
			dq, dk := make([]float32, len(student.Q)), make([]float32, len(student.K))
			losses := make([]float64, len(student.LogSums))
			d.run(dq, dk, losses, student, teacher, targets, batch, scale)
			sum := 0.0
			for _, loss := range losses {
				sum += loss
			}
			near(t, "loss", []float32{float32(sum)}, []float64{total()}, 1e-5)
			for i := range dq {
				near(t, fmt.Sprintf("dq[%d]", i), dq[i:i+1], []float64{scale * slopeOf(&student.Q[i], total)}, 3e-4)
			}
			for i := range dk {
				near(t, fmt.Sprintf("dk[%d]", i), dk[i:i+1], []float64{scale * slopeOf(&student.K[i], total)}, 3e-4)
			}
		})
	}
}

func TestAttentionDistancesSameBitsEverywhere(t *testing.T) {
	h := Heads{Query: 6, KV: 3, Dim: 20, Scale: 0.3}
	const batch, length = 2, 35
	student, teacher := attended(h, batch, length, 1), attended(h, batch, length, 2)
	for _, d := range attentionDistances {
		var want []float32
		onEach(t, func(t *testing.T) {
			for _, workers := range []int{1, 3} {
				withWorkers(workers, func() {
					dq, dk := random(1, len(student.Q), 1), random(2, len(student.K), 1)
					d.run(dq, dk, make([]float64, len(student.LogSums)), student, teacher, make([]int32, batch*length), batch, 0.1)
					if got := append(dq, dk...); want == nil {
						want = got
					} else {
						sameBits(t, fmt.Sprintf("%s with %d workers", d.name, workers), got, want)
					}
				})
			}
		})
	}
}

func TestAttentionHasNoDistanceFromItself(t *testing.T) {
	a := attended(Heads{Query: 4, KV: 2, Dim: 8, Scale: 0.3}, 1, 20, 1)
	for _, d := range attentionDistances {
		dq, dk, losses := make([]float32, len(a.Q)), make([]float32, len(a.K)), make([]float64, len(a.LogSums))
		d.run(dq, dk, losses, a, a, make([]int32, 20), 1, 1)
		for _, loss := range losses {
			if loss != 0 {
				t.Fatalf("%s: loss %v", d.name, loss)
			}
		}
		if SumSquares(dq)+SumSquares(dk) != 0 {
			t.Errorf("%s: a gradient", d.name)
		}
	}
}
