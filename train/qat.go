package train

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"plumb/kernels"
	"plumb/model"
)

func init() {
	Stages.Add("qat", Stage{
		About: "training with weights rounded in every pass; rtn with the same settings then gives what was trained (LLM-QAT)",
		New: func() Learner {
			q := &qat{healing: newHealing(), teaching: newTeaching(), Bits: 4, Symmetric: true, Clip: "none"}
			q.Label, q.Logits = 1, 0
			return q
		},
	})
}

// qat trains weights for what rounding leaves of them: passes see the rounded
// ones, and their gradients move the others as if nothing had been rounded
// (straight-through, Bengio et al. 2013). What it returns are the others: rtn
// with the same settings rounds them to just what the last passes saw. LLM-QAT
// (Liu et al. 2023) learns from the teacher alone: logits=1 label=0.
type qat struct {
	healing
	teaching
	Bits      int    `stage:"bits"`      // this and the next three as of rtn
	Symmetric bool   `stage:"symmetric"` //
	Group     int    `stage:"group"`     //
	Clip      string `stage:"clip"`      //
	On        string `stage:"on"`        // patterns of slots; none means all matrices of blocks
}

// Check reports settings that make no sense.
func (q *qat) Check() error {
	problems := []error{q.healing.Check(), q.teaching.Check()}
	switch {
	case q.Bits < 2 || q.Bits > 8:
		problems = append(problems, fmt.Errorf("bits=%d: 2 to 8 are possible", q.Bits))
	case q.Group < 0 || q.Group%8 != 0:
		problems = append(problems, fmt.Errorf("group=%d: a multiple of 8 is wanted, or 0 for a scale for each row", q.Group))
	case q.Clip != "none" && q.Clip != "mse":
		problems = append(problems, fmt.Errorf("clip=%s: mse or none is wanted", q.Clip))
	}
	for _, pattern := range q.patterns() {
		if _, err := path.Match(pattern, ""); err != nil {
			problems = append(problems, fmt.Errorf("on=%s: %w", pattern, err))
		}
	}
	return errors.Join(problems...)
}

// patterns are those of On.
func (q *qat) patterns() []string {
	if q.On == "" {
		return nil
	}
	return strings.Split(q.On, ",")
}

// Teacher implements Learner.
func (q *qat) Teacher() bool { return q.uses() }

// Foresee implements Learner.
func (q *qat) Foresee(student model.Outline) (model.Outline, error) {
	_, err := q.slots(student)
	return student, errors.Join(err, student.Trainable())
}

// Rounds reports whether the stage trains the matrix in a slot for rounding, which
// a later stage then has to do.
func (q *qat) Rounds(p model.Place) bool { return p.Matches(q.patterns()) }

// Learn implements Learner.
func (q *qat) Learn(ctx context.Context, student, teacher *model.Model, o Options) (*model.Model, Outcome, error) {
	guide, err := q.distiller(student, teacher)
	if err != nil {
		return nil, Outcome{}, err
	}
	rounding := &rounding{levels: kernels.Levels{Bits: q.Bits, Symmetric: q.Symmetric}, group: q.Group, clip: q.Clip == "mse"}
	if rounding.slots, err = q.slots(student.Outline()); err != nil {
		return nil, Outcome{}, err
	}
	return q.learn(ctx, student, o, manner{guide: guide, label: q.Label, rounding: rounding})
}

// slots names the matrices of o that are rounded. They must be stored as weights.
func (q *qat) slots(o model.Outline) (map[string]bool, error) {
	slots := map[string]bool{}
	for _, p := range o.Slots() {
		if !q.Rounds(p) {
			continue
		}
		if p.Kind() != "dense" && p.Kind() != "masked" {
			return nil, fmt.Errorf("%s is in form %s, without weights to round: leave it out with on=, or put qat before the stage that formed it", p.Name, p.Kind())
		}
		slots[p.Name] = true
	}
	if len(slots) == 0 {
		return nil, fmt.Errorf("no matrix has a name that matches on=%s", q.On)
	}
	return slots, nil
}

// weightSuffix follows a slot in the name of its weights.
const weightSuffix = ".weight"

// A rounding puts rounded weights in the place of those of a model for the time
// of a pass.
type rounding struct {
	levels kernels.Levels
	group  int // of a row that share a scale; 0: all
	clip   bool
	slots  map[string]bool
	places []rounded
}

// rounded is a matrix [out, in] whose weights come and go.
type rounded struct {
	in, group    int
	weight, kept []float32
}

// bind finds the matrices in m.
func (r *rounding) bind(m *model.Model) {
	for _, p := range m.Params() {
		if slot, ok := strings.CutSuffix(p.Name, weightSuffix); ok && r.slots[slot] {
			in := p.Shape[1]
			group := in
			if r.group != 0 {
				group = min(r.group, in)
			}
			r.places = append(r.places, rounded{in, group, p.Data, make([]float32, len(p.Data))})
		}
	}
}

// apply rounds; it does nothing where r is nil.
func (r *rounding) apply() {
	if r == nil {
		return
	}
	for _, p := range r.places {
		copy(p.kept, p.weight)
		r.levels.Round(p.weight, p.weight, p.in, p.group, r.levels.Grids(p.weight, p.in, p.group, r.clip))
	}
}

// undo brings back what was there before apply.
func (r *rounding) undo() {
	if r == nil {
		return
	}
	for _, p := range r.places {
		copy(p.weight, p.kept)
	}
}
