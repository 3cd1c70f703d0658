package kernels

import "math"

// AdamW holds the numbers of one optimiser step (Loshchilov and Hutter 2019,
// "Decoupled weight decay regularization"), the same for all weights of a group.
type AdamW struct {
	LearningRate float32 // of this step, decay included
	Beta1, Beta2 float32 // memory of the first and second moment
	Eps          float32 // added to the root of the second moment
	Decay        float32 // weight decay, multiplied by the learning rate; 0 for none
	GradScale    float32 // gradients are multiplied by it first: clipping, accumulation
	Correction1  float32 // 1 - Beta1^t for step t = 1, 2, ...
	Correction2  float32 // 1 - Beta2^t
}

// Step updates weights w with gradients g and moments m and v, all of one
// length, and sets g to zero in the same pass:
//
//	g ← g·GradScale;  m ← Beta1·m + (1-Beta1)·g;  v ← Beta2·v + (1-Beta2)·g²
//	w ← w - LearningRate·( (m/Correction1) / (√(v/Correction2) + Eps) + Decay·w )
//
// It panics if lengths differ.
func (a AdamW) Step(w, g, m, v []float32) {
	mustFit(len(g) == len(w) && len(m) == len(w) && len(v) == len(w), "AdamW.Step")
	adamWPieces.run(len(w), grain, adamWCall{w, g, m, v, a.numbers()})
}

type adamWCall struct {
	w, g, m, v []float32
	numbers    adamWNumbers
}

var adamWPieces = inPieces(func(a *adamWCall, from, to int) {
	adamWs.get()(a.w[from:to], a.g[from:to], a.m[from:to], a.v[from:to], &a.numbers)
})

// adamWNumbers are the factors of a step as the kernels read them, in order.
type adamWNumbers struct {
	gradScale          float32
	beta1, oneMinus1   float32
	beta2, oneMinus2   float32
	inverse1, inverse2 float32 // 1/Correction
	eps, decay, rate   float32
}

func (a AdamW) numbers() adamWNumbers {
	return adamWNumbers{
		gradScale: a.GradScale,
		beta1:     a.Beta1, oneMinus1: 1 - a.Beta1,
		beta2: a.Beta2, oneMinus2: 1 - a.Beta2,
		inverse1: 1 / a.Correction1, inverse2: 1 / a.Correction2,
		eps: a.Eps, decay: a.Decay, rate: a.LearningRate,
	}
}

var adamWs = implement(adamWGeneric)

func adamWGeneric(w, g, m, v []float32, a *adamWNumbers) {
	for i, weight := range w {
		grad := g[i] * a.gradScale
		first := fma32(a.oneMinus1, grad, float32(a.beta1*m[i]))
		second := fma32(float32(a.oneMinus2*grad), grad, float32(a.beta2*v[i]))
		root := float32(math.Sqrt(float64(float32(second * a.inverse2)))) // correctly rounded
		step := float32(first*a.inverse1) / (root + a.eps)
		step = fma32(a.decay, weight, step)
		w[i] = fma32(-a.rate, step, weight)
		g[i], m[i], v[i] = 0, first, second
	}
}
