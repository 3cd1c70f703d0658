package kernels

// Divergence adds the distance of each row of student from that of teacher,
// both logits [t, v], at a temperature T, and its gradient times scale:
//
//	p = softmax(teacher[r]/T)    q = softmax(student[r]/T)
//	losses[r]  += T² · Σ p·ln(p/q)                             (nats)
//	dlogits[r] += T · (q - p) · scale
//
// The factor T² keeps the size of the gradient when T changes (Hinton et al.
// 2015, section 2). t is len(targets); a row whose target is -1 is left out.
// Sums are taken in float64 over 16 lanes. Equal rows have loss and gradient 0;
// a row with a NaN or without a finite largest logit in either has loss NaN. No
// slices may overlap. Divergence panics if lengths do not fit.
func Divergence(dlogits []float32, losses []float64, student, teacher []float32, targets []int32, temperature, scale float32) {
	v := vocabulary(student, targets, "Divergence")
	mustFit(len(losses) == len(targets) && len(dlogits) == len(student) && len(teacher) == len(student) && temperature > 0, "Divergence")
	divergencePieces.run(len(targets), rowsPerTask(v), divergenceCall{dlogits, losses, student, teacher, targets, temperature, scale})
}

type divergenceCall struct {
	dlogits            []float32
	losses             []float64
	student, teacher   []float32
	targets            []int32
	temperature, scale float32
}

var divergencePieces = inPieces(func(a *divergenceCall, from, to int) {
	v := len(a.student) / len(a.targets)
	s := scratches.get()
	defer scratches.put(s)
	room := area{s.floats(3 * lines(v))}
	buffers := [3][]float32{room.take(v), room.take(v), room.take(v)}
	for r := from; r < to; r++ {
		if a.targets[r] >= 0 {
			a.losses[r] += a.row(r, v, &buffers)
		}
	}
})

func (a *divergenceCall) row(r, v int, buffers *[3][]float32) float64 {
	student, teacher, p := buffers[0], buffers[1], buffers[2]
	copy(student, a.student[r*v:(r+1)*v])
	copy(teacher, a.teacher[r*v:(r+1)*v])
	if a.temperature != 1 {
		scaleRow(student, 1/a.temperature)
		scaleRow(teacher, 1/a.temperature)
	}
	studentMax, teacherMax := rowMax(student), rowMax(teacher)
	teacherSum := expRow64(p, teacher, teacherMax)
	gap := gapSums.get()(p, teacher, student) / teacherSum
	q := student
	studentSum := expRow64(q, student, studentMax)
	weight := float64(a.temperature) * float64(a.scale)
	mixers.get()(a.dlogits[r*v:(r+1)*v], q, p, float32(weight/studentSum), float32(weight/teacherSum))
	normalised := float64(studentMax) - float64(teacherMax) + (Log64(studentSum) - Log64(teacherSum))
	return float64(a.temperature) * float64(a.temperature) * (gap + normalised)
}

// gapSums are the sums of w·(x-y), the difference in float32 and the rest in
// float64 over 16 lanes.
var gapSums = implement(gapSumGeneric)

func gapSumGeneric(w, x, y []float32) float64 {
	var sum [lanes]float64
	for i, v := range w {
		sum[i%lanes] += float64(v) * float64(x[i]-y[i]) // the product is exact, so fusing it changes nothing
	}
	return foldSum64(&sum)
}

// mixers add a·x - b·y to dst, each product rounded by itself.
var mixers = implement(mixGeneric)

func mixGeneric(dst, x, y []float32, a, b float32) {
	for i, v := range x {
		dst[i] += float32(a*v) - float32(b*y[i])
	}
}
