package experiments

import "math"

// An estimator puts numbers on stages.
type estimator struct {
	plan    *Plan
	sources *sources
	loads   map[string]float64 // tokens that scoring a trial's tasks reads, by its score stage
}

func (e *estimator) trials(g *graph, trials []*identity) error {
	for _, t := range trials {
		shape := t.trial.Shape
		done, err := g.store.complete(t.score.ID)
		if err != nil {
			done = false // damaged: it will be done again
		}
		if err := e.load(t); err != nil {
			return err
		}
		trained, healed, teaching := float64(e.trained(t.trial)), 0., 0.
		for _, n := range g.chainOf(t) {
			healed += n.stage.Train.FLOPs(shape) * float64(n.healed())
			teaching += n.teaching()
		}
		planned := PlannedTrial{
			Number: t.trial.Number, ID: t.score.ID, Label: t.trial.Label(), Keys: t.trial.Keys, Seed: t.trial.Seed,
			Shape: shape, Blocks: shape.BlockCount(), Params: shape.Params(), Residual: t.trial.Residual,
			PerToken: t.trial.Settings.Train.FLOPs(shape), FLOPs: t.trial.Settings.Train.FLOPs(shape)*trained + healed, Teaching: teaching, Tries: len(t.candidates),
			Memory: t.trial.Settings.Train.Memory(shape), Done: done,
		}
		if planned.CPU, err = e.own(g, t); err != nil {
			return err
		}
		e.plan.Trials = append(e.plan.Trials, planned)
	}
	return nil
}

// own is the processor time of those stages of a trial that no trial before it has,
// candidates and data left out.
func (e *estimator) own(g *graph, t *identity) (float64, error) {
	sum := 0.
	for _, n := range append(g.chainOf(t), g.byID[t.finals[0].ID], g.byID[t.score.ID]) {
		if n == nil || n.serves[0] != t { // of a tuned trial the best candidate may be its training
			continue
		}
		cpu, err := e.stage(n)
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

// trained is how many tokens a trial learns from, in whole steps.
func (e *estimator) trained(t *Trial) int {
	c, context := t.Settings.Train, t.Shape.Context
	return c.Steps(context) * c.Rows(context) * context
}

// training is the processor time of one training with its validation, in seconds.
func (e *estimator) training(t *Trial) float64 {
	c := t.Settings.Train
	speed := e.plan.Probe.speed(t.Shape)
	steps := float64(c.Steps(t.Shape.Context))
	learning := float64(e.trained(t))*c.FLOPs(t.Shape)/speed.Training + steps*float64(t.Shape.Params().Total)*e.plan.Probe.PerWeight
	validations := 1.
	if c.ValidEvery > 0 {
		validations += math.Floor(steps / float64(c.ValidEvery))
	}
	return learning + validations*e.validTokens(t)*t.Shape.ForwardFLOPs(t.Shape.Context)/speed.Scoring
}

// validTokens guesses how many tokens are held out, where the spec sets no bound.
func (e *estimator) validTokens(t *Trial) float64 {
	if n := t.Settings.Data.ValidTokens; n > 0 {
		return float64(n)
	}
	return 200_000
}

// scoring is the processor time of scoring a trial's tasks, in seconds.
func (e *estimator) scoring(t *identity) float64 {
	shape := t.trial.Shape
	return e.loads[t.score.ID] * shape.ForwardFLOPs(shape.Context) / e.plan.Probe.speed(shape).Scoring
}

// bytesPerToken guesses how long tokens are before there is a tokenizer.
func bytesPerToken(d Data) float64 {
	switch {
	case d.Vocab.Bytes:
		return 1
	case d.Train == WorldText:
		return 4.5 // its few words are one token each
	}
	return math.Log2(float64(d.Vocab.Size)) / 3.4 // 3.2 at 2,048 ids, on English novels
}

// load counts the tokens that scoring reads: of choices that share a context,
// the context once, and of each continuation all.
func (e *estimator) load(t *identity) error {
	length := 0
	for _, name := range t.trial.Tasks {
		items, _, err := e.sources.load(t.trial, name)
		if err != nil {
			return err
		}
		for _, item := range items {
			before := ""
			for i, c := range item.Choices {
				if i == 0 || c.Context != before {
					length += len(item.Before) + len(c.Context)
				}
				before = c.Context
				length += len(c.Continuation)
			}
		}
	}
	e.loads[t.score.ID] = float64(length) / bytesPerToken(t.trial.Settings.Data)
	return nil
}

// dataSecondsPerByte is what a tokenizer's training and the encoding of text take.
const dataSecondsPerByte = 0.12e-6

// totals adds up the stages, shared ones once.
func (e *estimator) totals(g *graph) error {
	p := e.plan
	longest, needs := 0., footprint{}
	for _, n := range g.nodes {
		t := n.serves[0].trial
		if err := needs.add(n, e.sources); err != nil {
			return err
		}
		size, err := e.sources.diskBytes(n)
		if err != nil {
			return err
		}
		p.Disk += size
		if n.kind == HealStage {
			p.Tokens += n.healed()
			p.FLOPs += n.stage.Train.FLOPs(t.Shape) * float64(n.healed())
			p.Teaching += n.teaching()
		}
		if n.kind == TrainStage {
			p.Tokens += e.trained(t)
			p.FLOPs += t.Settings.Train.FLOPs(t.Shape) * float64(e.trained(t))
		}
		cpu, err := e.stage(n)
		if err != nil {
			return err
		}
		p.CPU += cpu
		if done, err := g.store.complete(n.id); done && err == nil {
			p.Done++
			continue
		}
		p.Left += cpu
		longest = max(longest, cpu)
	}
	p.Disk += checkpointBytes * p.largest() * p.Jobs
	p.Memory = needs.bytes(p.Jobs)
	p.Wall = max(p.Left/(float64(p.Jobs)*p.Probe.Parallel), longest)
	return nil
}

// stage is the processor time of a stage, in seconds.
func (e *estimator) stage(n *node) (float64, error) {
	switch t := n.serves[0]; n.kind {
	case TrainStage:
		return e.training(t.trial), nil
	case ScoreStage:
		return e.scoring(t) + e.remeasuring(t.trial), nil
	case HealStage:
		return e.healing(n), nil
	case CompressStage:
		return e.compressing(n), nil
	default:
		length, err := e.sources.textBytes(t.trial)
		return dataSecondsPerByte * float64(length), err
	}
}

// checkpointBytes is what the two checkpoints of a training hold of a weight.
const checkpointBytes = 2 * 12

// largest is the most weights of any trial.
func (p *Plan) largest() int {
	most := 0
	for _, t := range p.Trials {
		most = max(most, t.Params.Total)
	}
	return most
}

// diskBytes is about what a stage leaves on the disk.
func (s *sources) diskBytes(n *node) (int, error) {
	t := n.serves[0].trial
	switch n.kind {
	case DataStage:
		length, err := s.textBytes(t)
		perToken := 2. // bytes of an id in a shard
		if t.Settings.Data.Vocab.Size > 1<<16 {
			perToken = 4
		}
		return int(perToken * float64(length) / bytesPerToken(t.Settings.Data)), err
	case TrainStage, CompressStage, HealStage: // of a compressed model at most
		return 4 * t.Shape.Params().Total, nil
	}
	return s.itemBytes(t)
}

// textBytes is how much text a data stage reads or makes.
func (s *sources) textBytes(t *Trial) (int, error) {
	d := t.Settings.Data
	if d.Train == WorldText {
		learn, valid := t.worldBytes()
		return learn + valid, nil
	}
	total, err := s.textSize(d.Train)
	if err == nil && d.Valid != "" {
		var valid int
		valid, err = s.textSize(d.Valid)
		total += valid
	}
	return total, err
}

// itemBytes is about the size of the items files of a trial: a line an item.
func (s *sources) itemBytes(t *Trial) (int, error) {
	size := 50_000 // the validation text's, and the records
	for _, name := range t.Tasks {
		items, _, err := s.load(t, name)
		if err != nil {
			return size, err
		}
		for _, item := range items {
			size += 130 + 60*len(item.Choices)
		}
	}
	return size, nil
}
