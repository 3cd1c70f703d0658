package experiments

import (
	"cmp"
	"fmt"

	"plumb/arch"
	"plumb/internal/machine"
)

// baseMemory is what the program holds before it trains anything, in bytes.
// garbageShare is what the collector lets pile up before it runs, as a share of what
// is in use (cmd/plumb/memory.go). With these the plans of five runs are 10 % less
// to 17 % more than the peaks that were measured.
const (
	baseMemory   = 40 << 20
	garbageShare = 0.2
)

// A footprint is the memory that the largest stages of a run take, in bytes.
type footprint struct {
	training int    // of the largest stage that trains or compresses
	trial    string // whose it is
	stream   int    // of token ids
}

// add counts the stage of n, if it is larger than those before it.
func (f *footprint) add(n *node, src *sources) error {
	t := n.serves[0].trial
	switch n.kind {
	case DataStage:
		length, err := src.textBytes(t)
		f.stream = max(f.stream, int(4*float64(length)/bytesPerToken(t.Settings.Data))) // 32-bit ids
		return err
	case TrainStage:
		f.train(t.Settings.Train.Memory(t.Shape).Total, t)
	case CompressStage:
		tokens := 0
		if n.stage != nil && n.stage.Step.Calibrates() {
			tokens = t.Calibration.Tokens
		}
		f.train(compressMemory(t.Shape, tokens), t)
	case HealStage:
		total := t.Settings.Train.Memory(t.Shape).Total
		if n.stage != nil {
			total = n.stage.Train.Memory(t.Shape).Total
			if n.stage.Step.learner.Teacher() {
				total += teacherMemory(n.stage.Train, t.Shape)
			}
		}
		f.train(total, t)
	}
	return nil
}

// compressMemory is about what a step that compresses takes, in bytes: the model
// before and after, the matrix at work in float64, and of a calibration text the
// stream and the inputs of a feed-forward part, of both models.
func compressMemory(shape arch.Config, tokens int) int {
	return 4*4*shape.Params().Total + 4*2*tokens*(shape.Width+shape.Hidden)
}

// train counts a stage of some bytes.
func (f *footprint) train(total int, t *Trial) {
	if total > f.training {
		f.training, f.trial = total, t.Label()
	}
}

// bytes is the peak with so many jobs, all of them at the largest stage.
func (f footprint) bytes(jobs int) int {
	return withGarbage(baseMemory + jobs*(f.training+f.stream))
}

// withGarbage adds what the collector lets pile up beside so many bytes.
func withGarbage(used int) int { return used + int(garbageShare*float64(used)) }

// availableMemory is how much a run may take, in bytes; 0 where it is not known.
func (o Options) availableMemory() int {
	if o.memory > 0 {
		return o.memory
	}
	facts := machine.Look()
	return cmp.Or(facts.Available, facts.Memory)
}

// A MemoryError says that a run does not fit into the memory of the machine.
type MemoryError struct {
	Need, Have int    // bytes
	Jobs       int    // that Need is for
	Fit        int    // jobs that would fit; 0 where not even one does
	Trial      string // that takes most
}

// Error gives the figures and what would help.
func (e *MemoryError) Error() string {
	help := "smaller train.micro_tokens or train.recompute = true need less"
	if e.Fit > 0 {
		help = fmt.Sprintf("--jobs=%d fits, and %s", e.Fit, help)
	}
	return fmt.Sprintf("the run needs about %d MB of memory with %d at a time (most for %s) and %d MB are available; %s",
		e.Need>>20, e.Jobs, e.Trial, e.Have>>20, help)
}

// checkMemory refuses a run that would not fit into memory.
func (r *runner) checkMemory() error {
	var f footprint
	for _, n := range r.graph.nodes {
		if ok, err := r.store.complete(n.id); err != nil || !ok {
			if err := f.add(n, r.sources); err != nil {
				return err
			}
		}
	}
	have, jobs := r.options.availableMemory(), r.options.Jobs
	if have == 0 || f.training == 0 || f.bytes(jobs) <= have {
		return nil
	}
	fit := jobs
	for fit > 0 && f.bytes(fit) > have {
		fit--
	}
	return &EnvironmentError{&MemoryError{Need: f.bytes(jobs), Have: have, Jobs: jobs, Fit: fit, Trial: f.trial}}
}
