package kernels

// Attended is what an attention layer read of sequences of equal length, one
// below the other: queries [t, Query*Dim] and keys [t, KV*Dim] as they were
// multiplied, and the logarithms of the softmax's sums [t, Query], as
// AttentionBatch leaves them. Windows and soft caps are not for the functions
// here.
type Attended struct {
	Heads
	Q, K, LogSums []float32
}

// AttentionDivergence adds how far the attention of each query head of a student
// is from that of the same head of a teacher, and its gradient times scale. For
// the probabilities that a row gives to the keys up to its own, p the teacher's
// and q the student's,
//
//	losses[r, head] += Σ p·ln(p/q)                  (nats)
//	dscore          =  (q - p) · scale
//
// which goes on to dq [t, Query*Dim] and dk [t, KV*Dim]. There are batch
// sequences; t is len(targets), and rows whose target is -1 are left out. losses
// is [t, Query]. The heads may be of other widths, and share their keys
// otherwise, but must be as many. AttentionDivergence panics if lengths do not
// fit.
func AttentionDivergence(dq, dk []float32, losses []float64, student, teacher Attended, targets []int32, batch int, scale float32) {
	compareAttention("AttentionDivergence", attentionCall{dq: dq, dk: dk, losses: losses, student: student, teacher: teacher, targets: targets, scale: scale, compare: divergenceOfRow}, batch)
}

// AttentionDistance is AttentionDivergence for the squared distance of the
// probabilities of a row, Σ (q-p)².
func AttentionDistance(dq, dk []float32, losses []float64, student, teacher Attended, targets []int32, batch int, scale float32) {
	compareAttention("AttentionDistance", attentionCall{dq: dq, dk: dk, losses: losses, student: student, teacher: teacher, targets: targets, scale: scale, compare: distanceOfRow}, batch)
}

type attentionCall struct {
	dq, dk           []float32
	losses           []float64
	student, teacher Attended
	targets          []int32
	length           int // of a sequence
	scale            float32

	// compare turns the student's scores of a row, less their logarithm of the
	// sum, into the gradient of the loss, which it returns. The teacher's are lost.
	compare func(student, teacher []float32) float64
}

func compareAttention(kernel string, a attentionCall, batch int) {
	t, s, other := len(a.targets), a.student, a.teacher
	if t == 0 {
		return
	}
	mustFit(batch > 0 && t%batch == 0 && s.Query == other.Query && len(a.losses) == t*s.Query &&
		s.Window == 0 && other.Window == 0 && s.SoftCap == 0 && other.SoftCap == 0, kernel)
	s.must(kernel, t, t, len(s.Q), t*s.Query*s.Dim, len(s.K), t*s.KV*s.Dim, len(s.LogSums), t*s.Query,
		len(a.dq), len(s.Q), len(a.dk), len(s.K))
	other.must(kernel, t, t, len(other.Q), t*other.Query*other.Dim, len(other.K), t*other.KV*other.Dim, len(other.LogSums), t*other.Query)
	a.length = t / batch
	attentionPieces.run(batch*s.KV, 1, a)
}

// attentionPieces does one key-value head of the student in one sequence after
// another: its keys' gradients are summed in the order of heads and rows.
var attentionPieces = inPieces(func(a *attentionCall, from, to int) {
	s := scratches.get()
	defer scratches.put(s)
	room := area{s.floats(2 * lines(a.length))}
	student, teacher := room.take(a.length), room.take(a.length)
	group := a.student.Query / a.student.KV
	for task := from; task < to; task++ {
		first, kv := task/a.student.KV*a.length, task%a.student.KV
		for head := kv * group; head < (kv+1)*group; head++ {
			for row := range a.length {
				if a.targets[first+row] >= 0 {
					a.row(first, row, head, student[:row+1], teacher[:row+1])
				}
			}
		}
	}
})

// row compares one row of one head in the sequence that begins at first.
func (a *attentionCall) row(first, row, head int, student, teacher []float32) {
	a.student.scores(student, first, row, head)
	a.teacher.scores(teacher, first, row, head)
	a.losses[(first+row)*a.student.Query+head] += a.compare(student, teacher)
	s := a.student
	q, dq := s.query(s.Q, first+row, head), s.query(a.dq, first+row, head)
	for j, d := range student {
		d = float32(float32(d*a.scale) * s.Scale)
		addScaled(dq, s.key(s.K, first+j, head), d)
		addScaled(s.key(a.dk, first+j, head), q, d)
	}
}

// scores sets dst to the logarithms of the probabilities that a row of a head
// gives to the keys up to its own.
func (a *Attended) scores(dst []float32, first, row, head int) {
	q, logSum := a.query(a.Q, first+row, head), a.LogSums[(first+row)*a.Query+head]
	for j := range dst {
		dst[j] = float32(dot(q, a.key(a.K, first+j, head))*a.Scale) - logSum
	}
}

// query is the part of row r of x [t, Query*Dim] that belongs to a head.
func (h Heads) query(x []float32, r, head int) []float32 {
	return x[(r*h.Query+head)*h.Dim:][:h.Dim]
}

// key is the part of row r of x [t, KV*Dim] that a query head reads.
func (h Heads) key(x []float32, r, head int) []float32 {
	return x[(r*h.KV+head/(h.Query/h.KV))*h.Dim:][:h.Dim]
}

// addScaled adds s·x to dst, the product rounded by itself.
func addScaled(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] += float32(s * v)
	}
}

func divergenceOfRow(student, teacher []float32) float64 {
	loss := 0.0
	for j, ln := range student {
		p, q := exp32(teacher[j]), exp32(ln)
		loss += float64(p) * float64(teacher[j]-ln)
		student[j] = q - p
	}
	return loss
}

func distanceOfRow(student, teacher []float32) float64 {
	loss, along := 0.0, 0.0 // along: Σ dq·q
	for j, ln := range student {
		q := exp32(ln)
		gap := q - exp32(teacher[j])
		loss += float64(gap) * float64(gap)
		along += float64(2*gap) * float64(q)
		student[j], teacher[j] = q, 2*gap
	}
	for j, q := range student {
		student[j] = float32(q * (teacher[j] - float32(along)))
	}
	return loss
}
