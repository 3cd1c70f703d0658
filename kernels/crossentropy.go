package kernels

import "math"

// CrossEntropy computes the loss of each row of logits [t, v] against its
// target, and turns the logits into their gradient:
//
//	losses[r] = -ln softmax(logits[r])[targets[r]]                (nats, float64)
//	logits[r] = (softmax(logits[r]) - onehot(targets[r])) · scale
//
// t is len(targets). A row whose target is -1 is left out: its loss and its
// gradient are 0. The sum of exp is taken in float64 over 16 lanes; losses are
// the negated numbers of LogProbs, bit for bit. A row with a NaN, or without a
// finite largest logit, has loss NaN. CrossEntropy panics if lengths do not fit
// or a target is not below v.
func CrossEntropy(logits []float32, losses []float64, targets []int32, scale float32) {
	v := vocabulary(logits, targets, "CrossEntropy")
	mustFit(len(losses) == len(targets), "CrossEntropy")
	crossEntropyPieces.run(len(targets), rowsPerTask(v), crossEntropyCall{logits, losses, targets, scale})
}

type crossEntropyCall struct {
	logits  []float32
	losses  []float64
	targets []int32
	scale   float32
}

var crossEntropyPieces = inPieces(func(a *crossEntropyCall, from, to int) {
	v := len(a.logits) / len(a.targets)
	for r := from; r < to; r++ {
		a.losses[r] = crossEntropyRow(a.logits[r*v:(r+1)*v], int(a.targets[r]), a.scale)
	}
})

func crossEntropyRow(row []float32, target int, scale float32) float64 {
	if target < 0 {
		clear(row)
		return 0
	}
	largest, logit := rowMax(row), row[target]
	sum := expRow64(row, row, largest)
	scaleRow(row, float32(float64(scale)/sum))
	row[target] -= scale
	return -logShare(logit, largest, sum)
}

// LogProbs stores in dst[r] the natural logarithm of the probability that
// logits [t, v] give to targets[r], in nats: the largest logit is subtracted in
// float32, exp is summed in float64 over 16 lanes. greedy[r] says that the
// target is the most likely token, the first one where several are equally
// likely; greedy may be nil. Where the target is -1 they are 0 and false. t is
// len(targets). LogProbs panics if lengths do not fit or a target is not below v.
func LogProbs(dst []float64, greedy []bool, logits []float32, targets []int32) {
	v := vocabulary(logits, targets, "LogProbs")
	mustFit(len(dst) == len(targets) && (greedy == nil || len(greedy) == len(targets)), "LogProbs")
	logProbPieces.run(len(targets), rowsPerTask(v), logProbCall{dst, greedy, logits, targets})
}

type logProbCall struct {
	dst     []float64
	greedy  []bool
	logits  []float32
	targets []int32
}

var logProbPieces = inPieces(func(a *logProbCall, from, to int) {
	v := len(a.logits) / len(a.targets)
	for r := from; r < to; r++ {
		best := false
		a.dst[r], best = logProbRow(a.logits[r*v:(r+1)*v], int(a.targets[r]))
		if a.greedy != nil {
			a.greedy[r] = best
		}
	}
})

func logProbRow(row []float32, target int) (logProb float64, best bool) {
	if target < 0 {
		return 0, false
	}
	largest := rowMax(row)
	sum := expSum64(row, largest)
	best = sum == sum && row[target] == largest && rowMax(row[:target]) < largest
	return logShare(row[target], largest, sum), best
}

// logShare is ln(exp(logit-largest) / sum).
func logShare(logit, largest float32, sum float64) float64 {
	if math.IsInf(float64(largest), 0) {
		return math.NaN()
	}
	return float64(logit) - float64(largest) - Log64(sum)
}

// vocabulary returns the width of logits and checks that every target is in it.
func vocabulary(logits []float32, targets []int32, kernel string) int {
	if len(targets) == 0 {
		mustFit(len(logits) == 0, kernel)
		return 0
	}
	mustFit(len(logits) > 0 && len(logits)%len(targets) == 0, kernel)
	v := len(logits) / len(targets)
	for _, target := range targets {
		mustBelow(target, -1, v, kernel)
	}
	return v
}
