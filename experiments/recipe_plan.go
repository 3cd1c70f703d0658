package experiments

// healed is how many tokens a stage that heals learns from.
func (n *node) healed() int {
	if n.stage == nil || n.kind != HealStage {
		return 0
	}
	c, context := n.stage.Train, n.serves[0].trial.Shape.Context
	return c.Steps(context) * c.Rows(context) * context
}

// teaching is the operations of the teacher of a stage that heals.
func (n *node) teaching() float64 {
	if n.stage == nil || n.kind != HealStage || !n.stage.Step.learner.Teacher() {
		return 0
	}
	shape := n.serves[0].trial.Shape
	return float64(n.healed()) * shape.ForwardFLOPs(shape.Context)
}

// chainOf lists the stages of a trial's recipe.
func (g *graph) chainOf(t *identity) (all []*node) {
	if len(t.chains) == 0 {
		return nil
	}
	for _, s := range t.chains[0] {
		if n := g.byID[s.ID]; n != nil {
			all = append(all, n)
		}
	}
	return all
}

// teacherShare is what a teacher's forward pass adds to a step of training.
const teacherShare = 1. / 3

// healing is the processor time of a stage that heals, in seconds.
func (e *estimator) healing(n *node) float64 {
	t := n.serves[0].trial
	cost := n.stage.Train.FLOPs(t.Shape)
	if n.stage.Step.learner.Teacher() {
		cost *= 1 + teacherShare
	}
	speed := e.plan.Probe.speed(t.Shape)
	steps := float64(n.stage.Train.Steps(t.Shape.Context))
	return float64(n.healed())*cost/speed.Training + steps*float64(t.Shape.Params().Total)*e.plan.Probe.PerWeight
}

// compressPerWeight is about what a method does with a weight of the body, in
// processor seconds, beside the passes over its calibration text.
const compressPerWeight = 4e-7

// passes is how often the calibration text goes through a layer: once for each of
// the four groups of its matrices that see the same inputs, once to come to the
// next one, and once to begin.
const passes = 6

// compressing is the processor time of a stage that compresses, in seconds.
func (e *estimator) compressing(n *node) float64 {
	t := n.serves[0].trial
	cost := compressPerWeight * float64(t.Shape.Params().Body)
	if n.stage.Step.Calibrates() {
		cost += passes * float64(t.Calibration.Tokens) * t.Shape.ForwardFLOPs(t.Shape.Context) / e.plan.Probe.speed(t.Shape).Scoring
	}
	return cost
}

// remeasuring is the processor time that a compressed model's validation takes.
func (e *estimator) remeasuring(t *Trial) float64 {
	if t.Recipe == nil {
		return 0
	}
	tokens := e.validTokens(t) + 2*comparedTokens
	return tokens * t.Shape.ForwardFLOPs(t.Shape.Context) / e.plan.Probe.speed(t.Shape).Scoring
}
