package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"plumb/kernels"
	"plumb/model"
)

// Rows is the text as training sees it. package corpus has it.
type Rows interface {
	// Row puts the i-th row of an endless sequence into dst, len(dst) tokens.
	// It depends on i and on the order's seed only.
	Row(i int64, dst []int32)
}

// Options are what a run is given beside its settings.
type Options struct {
	Config
	ID    string // names everything that could change the result; a checkpoint of another run is not used
	Dir   string // for checkpoints; "" keeps none
	Rows  Rows
	Seed  uint64 // of random weights, where a stage begins with some
	First int64  // row of Rows that the run begins with: behind those that the model has learned from

	Valid    func(*model.Model) (nats float64, err error) // loss on held-out text, nats per token; nil for none
	Progress func(Progress)                               // after every step; nil for none
	Warn     func(error)                                  // about a checkpoint that was set aside; nil drops it
}

// Progress says how far a run is.
type Progress struct {
	Step, Steps int
	Tokens      int     // learned from so far
	Loss        float64 // of this step, nats per token
}

// A Point is one place on the curves of a run.
type Point struct {
	Step   int      `json:"step"`
	Tokens int      `json:"tokens"`
	Loss   float64  `json:"loss"`            // mean over the steps since the point before, nats per token
	Label  float64  `json:"label,omitempty"` // of it the cross-entropy of the text, before its weight; 0 where Loss is just that
	Valid  *float64 `json:"valid,omitempty"` // on held-out text, nats per token
}

// Status is how a run ended.
type Status string

// The ends of a run.
const (
	Done     Status = "ok"
	Diverged Status = "diverged" // NaN, Inf or a loss beyond all reason
	Stopped  Status = "stopped"  // by its context, with a checkpoint
)

// Outcome is what a run came to.
type Outcome struct {
	Status Status
	Steps  int // taken
	Tokens int
	Next   int64 // row behind the last that was learned from
	Curve  []Point
	Note   string // why it diverged

	TeacherFLOPs float64 // operations of the teacher's forward passes, all steps together
}

// curvePoints is about how many points of loss a run records.
const curvePoints = 100

// explosion is how many times the loss of the first step, or of a uniform
// guess if that is more, counts as diverged.
const explosion = 2

// run is one training run under way.
type run struct {
	Options
	progress
	manner
	model   *model.Model
	opt     *optimizer
	tape    *model.Tape
	tokens  []int32 // [micro rows, context+1]
	context int
	steps   int
	holds   bool    // weights are put in the order of products once a step
	zeros   []zeros // by parameter; nil where none are kept
	slot    int     // of the next checkpoint
	saved   time.Time
}

// manner is what the stages of a recipe change about a run.
type manner struct {
	guide     *distiller // losses beside that of the text; nil for none
	label     float64    // weight of that
	rounding  *rounding  // of the weights that passes see; nil for none
	keepZeros bool       // weights of matrices that are 0 stay 0
}

// Run trains m in place. Where Dir holds a checkpoint of the same run it goes
// on from there, and the result has the same bits. When ctx ends, Run finishes
// the step, writes a checkpoint and returns Stopped.
func Run(ctx context.Context, m *model.Model, o Options) (Outcome, error) {
	return runIn(ctx, m, o, manner{label: 1})
}

func runIn(ctx context.Context, m *model.Model, o Options, how manner) (Outcome, error) {
	if err := o.Check(m.Context()); err != nil {
		return Outcome{}, err
	}
	if err := m.Trainable(); err != nil {
		return Outcome{}, err
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	r := newRun(m, o, how)
	if r.Dir != "" {
		if err := r.restore(); err != nil {
			return Outcome{}, err
		}
	}
	return r.loop(ctx)
}

// newRun takes the memory of a run, all that it will need.
func newRun(m *model.Model, o Options, how manner) *run {
	m.EnableTraining()
	length := m.Context()
	micro := o.MicroRows(length)
	tape := m.NewTape
	if o.Recompute {
		tape = m.NewLeanTape
	}
	r := &run{
		Options: o, manner: how, model: m, opt: newOptimizer(o.Config, m.Params()), tape: tape(micro, length),
		tokens: make([]int32, micro*(length+1)), context: length, steps: o.Steps(length), saved: time.Now(),
		holds: o.HoldsPanels(m.Config()),
	}
	if how.keepZeros {
		r.zeros = zerosOf(m.Params())
	}
	if how.rounding != nil {
		how.rounding.bind(m)
	}
	if how.guide != nil {
		how.guide.attend(r.tape, m.Config().Heads, micro, length)
	}
	return r
}

func (r *run) loop(ctx context.Context) (Outcome, error) {
	for r.Step < r.steps {
		if ctx.Err() != nil {
			return r.stop()
		}
		both, err := r.step()
		var bad *divergence
		if errors.As(err, &bad) {
			return r.outcome(Diverged, bad.Error()), nil
		}
		if err := r.note(both); err != nil {
			return Outcome{}, err
		}
		if err := r.maybeCheckpoint(); err != nil {
			return Outcome{}, err
		}
	}
	if name, ok := r.model.AllFinite(); !ok {
		return r.outcome(Diverged, fmt.Sprintf("array %s holds a NaN or Inf after step %d", name, r.Step)), nil
	}
	return r.outcome(Done, ""), nil
}

func (r *run) stop() (Outcome, error) {
	if r.Dir != "" {
		if err := r.saveCheckpoint(); err != nil {
			return Outcome{}, err
		}
	}
	return r.outcome(Stopped, ""), nil
}

func (r *run) outcome(status Status, note string) Outcome {
	out := Outcome{
		Status: status, Steps: r.Step, Tokens: r.learned(), Curve: r.Curve, Note: note,
		Next: r.First + int64(r.Step)*int64(r.Config.Rows(r.context)),
	}
	if r.guide != nil {
		out.TeacherFLOPs = float64(out.Tokens) * r.guide.flops()
	}
	return out
}

func (r *run) learned() int { return r.Step * r.Config.Rows(r.context) * r.context }

// divergence says why a run cannot go on. The weights are those before the
// step that failed.
type divergence struct{ reason string }

func (d *divergence) Error() string { return d.reason }

// losses are those of one step, in nats per token.
type losses struct {
	all   float64 // that is made small
	label float64 // cross-entropy of the text
}

// step takes one optimiser step and returns its losses.
func (r *run) step() (losses, error) {
	r.rounding.apply()
	both := r.gradients()
	r.rounding.undo()
	r.keep()
	loss := both.all
	norm := r.opt.gradientNorm()
	if r.Step == 0 {
		r.Ceiling = explosion * max(loss, kernels.Log64(float64(r.model.Config().Vocab)))
	}
	switch {
	case math.IsNaN(loss) || math.IsInf(loss, 0):
		return both, &divergence{fmt.Sprintf("the loss of step %d is %v", r.Step+1, loss)}
	case math.IsNaN(norm) || math.IsInf(norm, 0):
		return both, &divergence{fmt.Sprintf("the gradient of step %d has norm %v", r.Step+1, norm)}
	case loss > r.Ceiling:
		return both, &divergence{fmt.Sprintf("the loss of step %d is %.3g nats per token, %d times that of the start or of a guess", r.Step+1, loss, explosion)}
	}
	r.opt.step(r.Step+1, r.Rate(r.Step, r.steps), norm)
	r.Step++
	return both, nil
}

// keep takes the gradients of weights that are to stay 0.
func (r *run) keep() {
	for i, z := range r.zeros {
		z.clear(r.opt.params[i].Grad)
	}
}

// gradients runs the rows of the next step through the model, some at a time,
// and returns the mean losses.
func (r *run) gradients() losses {
	rows, micro := r.Config.Rows(r.context), r.MicroRows(r.context)
	scale := 1 / float64(rows*r.context)
	first := r.First + int64(r.Step)*int64(rows)
	label, taught := 0.0, 0.0
	if r.holds {
		r.tape.Hold()
		defer r.tape.Release()
	}
	for from := 0; from < rows; from += micro {
		for i := range micro {
			row := r.tokens[i*(r.context+1) : (i+1)*(r.context+1)]
			if from+i < rows {
				r.Options.Rows.Row(first+int64(from+i), row)
				continue
			}
			for j := range row {
				row[j] = -1 // no row is left
			}
		}
		if r.guide != nil {
			r.guide.read(r.tokens, scale)
		}
		label += r.tape.Backward(r.tokens, float32(scale*r.label))
		if r.guide != nil {
			taught += r.guide.loss()
		}
	}
	label *= scale
	return losses{all: float64(r.label*label) + taught, label: label}
}

// note adds the losses of the step just taken to the curve.
func (r *run) note(both losses) error {
	r.Sum += both.all
	r.LabelSum += both.label
	r.Count++
	every := max(1, r.steps/curvePoints)
	validates := r.Valid != nil && r.ValidEvery > 0 && r.Step%r.ValidEvery == 0
	if r.Step%every == 0 || validates || r.Step == r.steps {
		point := Point{Step: r.Step, Tokens: r.learned(), Loss: r.Sum / float64(r.Count)}
		if r.guide != nil {
			point.Label = r.LabelSum / float64(r.Count)
		}
		if validates {
			r.rounding.apply()
			nats, err := r.Valid(r.model)
			r.rounding.undo()
			if err != nil {
				return err
			}
			point.Valid = &nats
		}
		r.Curve = append(r.Curve, point)
		r.Sum, r.LabelSum, r.Count = 0, 0, 0
	}
	if r.Options.Progress != nil {
		r.Options.Progress(Progress{Step: r.Step, Steps: r.steps, Tokens: r.learned(), Loss: both.all})
	}
	return nil
}

func (r *run) maybeCheckpoint() error {
	if r.Dir == "" || r.Step == r.steps || time.Since(r.saved) < time.Duration(r.CheckpointSeconds*float64(time.Second)) {
		return nil
	}
	r.saved = time.Now()
	return r.saveCheckpoint()
}
