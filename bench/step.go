package bench

import (
	"context"
	"fmt"
	"math"

	"plumb/model"
	"plumb/train"
)

var stepSection = section{
	name:   "step",
	about:  "whole training steps, by the operations that the model needs: nothing that is computed again or beyond it counts",
	shapes: []string{"1m", "10m", "mobilellm-125m", "124m"},
	groups: func(r *runner, s Shape) []group { return []group{r.steps(s)} },
}

// steps times training of s with one worker and with all, step by step in turn
// within one run of train.
func (r *runner) steps(s Shape) group {
	g := group{section: "step", shape: s.Name, model: true}
	operations := stepOperations(s)
	for range r.counts() {
		g.costs = append(g.costs, operations)
	}
	g.open = func() (probes []probe, drop func(), err error) {
		t, err := newTrainee(s, 0)
		if err != nil {
			return nil, nil, err
		}
		for _, workers := range r.counts() {
			probes = append(probes, probe{
				Line: Line{
					Section: "step", Shape: s.Name, Name: fmt.Sprintf("training step, %d×%d tokens", s.Batch, s.Context),
					Workers: workers, Unit: "tokens", Work: float64(s.tokens()), Limit: PeakLimit,
				},
				Task:  on(workers, t.step),
				needs: operations,
			})
		}
		return probes, t.stop, nil
	}
	return g
}

// stepOperations is what arch counts for one training step.
func stepOperations(s Shape) float64 { return float64(s.tokens()) * s.TrainFLOPs(s.Context) }

// A trainee is a run of train that takes one step whenever it is told to.
type trainee struct {
	cancel  context.CancelFunc
	asked   chan struct{} // a step is wanted
	stepped chan struct{} // it has been taken
	ended   chan error    // the run is over
}

// newTrainee starts a run that waits before its first step. micro tokens pass
// through the model at a time, 0 for as many as training takes by itself.
func newTrainee(s Shape, micro int) (*trainee, error) {
	m, err := model.New(s.Config, model.Init{}, 1)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &trainee{cancel: cancel, asked: make(chan struct{}), stepped: make(chan struct{}), ended: make(chan error, 1)}
	o := train.Options{Config: train.Defaults(), Rows: someRows(s.Vocab), Progress: func(train.Progress) {
		select {
		case t.stepped <- struct{}{}:
			t.wait(ctx)
		case <-ctx.Done():
		}
	}}
	o.Tokens, o.BatchTokens, o.MicroTokens = math.MaxInt32, s.tokens(), micro
	o.LearningRate, o.WarmupSteps, o.ValidEvery = 1e-4, 1, 0
	go func() {
		t.wait(ctx)
		outcome, err := train.Run(ctx, m, o)
		if err == nil && outcome.Status == train.Diverged {
			err = fmt.Errorf("training of %s diverged: %s", s.Name, outcome.Note)
		}
		t.ended <- err
		close(t.ended)
	}()
	return t, nil
}

// wait blocks until a step is asked for.
func (t *trainee) wait(ctx context.Context) {
	select {
	case <-t.asked:
	case <-ctx.Done():
	}
}

// step takes one step.
func (t *trainee) step() error {
	select {
	case t.asked <- struct{}{}:
	case err := <-t.ended:
		return over(err)
	}
	select {
	case <-t.stepped:
		return nil
	case err := <-t.ended:
		return over(err)
	}
}

// over says that a run has ended before its time.
func over(err error) error {
	if err == nil {
		err = fmt.Errorf("the training run ended by itself")
	}
	return err
}

// stop ends the run and waits for it.
func (t *trainee) stop() {
	t.cancel()
	<-t.ended
}

// someRows is text without sense: tokens below it that depend on their place.
type someRows int

// Row implements train.Rows.
func (vocab someRows) Row(i int64, dst []int32) {
	state := uint32(i)*2654435761 + 1
	for j := range dst {
		state = state*1664525 + 1013904223
		dst[j] = int32((state >> 8) % uint32(vocab))
	}
}
