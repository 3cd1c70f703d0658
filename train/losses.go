package train

import (
	"plumb/internal/registry"
	"plumb/kernels"
)

// A LogitLoss adds to losses [t] how far each row of the student's logits [t, v]
// is from the teacher's, and to dlogits its gradient times scale. Rows whose
// target is -1 are left out, here and in the losses below.
type LogitLoss func(dlogits []float32, losses []float64, student, teacher []float32, targets []int32, temperature, scale float32)

// LogitLosses are the losses of logits by name.
var LogitLosses = registry.New[LogitLoss]("loss of logits")

// A StateLoss adds to losses [t] how far each row of the student's states x
// [t, c] is from the teacher's y, and to dx its gradient times scale.
type StateLoss func(dx []float32, losses []float64, x, y []float32, targets []int32, scale float32)

// StateLosses are the losses of hidden states by name.
var StateLosses = registry.New[StateLoss]("loss of hidden states")

// An AttentionLoss adds to losses [t, h] how far each head's attention is from
// the teacher's, and to dq and dk its gradient times scale.
type AttentionLoss func(dq, dk []float32, losses []float64, student, teacher kernels.Attended, targets []int32, batch int, scale float32)

// AttentionLosses are the losses of attention by name.
var AttentionLosses = registry.New[AttentionLoss]("loss of attention")

func init() {
	LogitLosses.Add("kl", kernels.Divergence)
	LogitLosses.Add("mse", squaredLogits)
	StateLosses.Add("cosine", kernels.CosineDistance)
	StateLosses.Add("mse", kernels.SquaredDistance)
	AttentionLosses.Add("kl", kernels.AttentionDivergence)
	AttentionLosses.Add("mse", kernels.AttentionDistance)
}

// squaredLogits is the mean over the vocabulary of the squared difference, which
// has no temperature.
func squaredLogits(dlogits []float32, losses []float64, student, teacher []float32, targets []int32, _, scale float32) {
	kernels.SquaredDistance(dlogits, losses, student, teacher, targets, scale)
}
