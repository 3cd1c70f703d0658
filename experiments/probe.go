package experiments

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"plumb/arch"
	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/model"
)

// A Probe is how fast this machine trains and scores, measured just now with
// as many jobs at a time as the run will have.
type Probe struct {
	Kernels   string  `json:"kernels"`
	Seconds   float64 `json:"seconds"`    // that measuring took
	PerWeight float64 `json:"per_weight"` // processor seconds of the optimiser for each weight and step
	Parallel  float64 `json:"parallel"`   // processor seconds that a job gets in a second
	Speeds    []Speed `json:"speeds"`     // in the order of their widths
}

// A Speed is what one shape reached.
type Speed struct {
	Width    int     `json:"width"`
	Layers   int     `json:"layers"`
	Training float64 `json:"training"` // operations of arch's count in a processor second
	Scoring  float64 `json:"scoring"`
}

// Bounds of the probe.
const (
	probeShapes  = 4                      // at most so many shapes are measured
	probeTime    = 250 * time.Millisecond // each, for training
	scoreTime    = 80 * time.Millisecond
	probeFLOPs   = 1.5e9 // of one pass at most, where one row allows it
	probeWeights = 1 << 18
)

// probe measures some of the shapes, from the narrowest to the widest.
func probe(trials []*identity, jobs int) (Probe, error) {
	started := time.Now()
	workers := max(1, runtime.GOMAXPROCS(0)/jobs)
	before := kernels.Workers()
	kernels.SetWorkers(workers)
	defer kernels.SetWorkers(before)
	p := Probe{Kernels: kernels.Chosen(), Parallel: 1}
	for _, t := range spread(trials) {
		s, parallel, err := measureShape(t, jobs)
		if err != nil {
			return p, err
		}
		p.Speeds, p.Parallel = append(p.Speeds, s), parallel
	}
	p.PerWeight = measureOptimizer()
	p.Seconds = time.Since(started).Seconds()
	return p, nil
}

// spread picks trials of distinct shapes, evenly from narrow to wide.
func spread(trials []*identity) []*Trial {
	var distinct []*Trial
	for _, t := range trials {
		if !slices.ContainsFunc(distinct, func(d *Trial) bool { return d.Shape.Width == t.trial.Shape.Width }) {
			distinct = append(distinct, t.trial)
		}
	}
	slices.SortFunc(distinct, func(a, b *Trial) int { return cmp.Compare(a.Shape.Width, b.Shape.Width) })
	if len(distinct) <= probeShapes {
		return distinct
	}
	var some []*Trial
	for i := range probeShapes {
		some = append(some, distinct[i*(len(distinct)-1)/(probeShapes-1)])
	}
	return some
}

// A bench is a model that a probe runs.
type bench struct {
	model  *model.Model
	tape   *model.Tape
	tokens []int32 // [rows, context+1]
	rows   [][]int32
	from   []int
}

func newBench(t *Trial) (*bench, error) {
	m, err := model.New(t.Shape, t.Settings.Train.Init, 1)
	if err != nil {
		return nil, err
	}
	m.EnableTraining()
	context := t.Shape.Context
	fit := int(probeFLOPs / (t.Shape.TrainFLOPs(context) * float64(context)))
	rows := max(1, min(fit, t.Settings.Train.MicroRows(context)))
	b := &bench{model: m, tape: m.NewTape(rows, context), tokens: make([]int32, rows*(context+1))}
	for i := range b.tokens {
		b.tokens[i] = int32((i * 7919) % t.Shape.Vocab)
	}
	length := min(context, 48) + 1
	for range 4 {
		start := len(b.rows) * length % max(1, len(b.tokens)-length)
		b.rows, b.from = append(b.rows, b.tokens[start:start+length]), append(b.from, length-4)
	}
	return b, nil
}

// measureShape trains and scores with the trial's shape, jobs models at a time.
func measureShape(t *Trial, jobs int) (s Speed, parallel float64, err error) {
	benches := make([]*bench, jobs)
	for i := range benches {
		if benches[i], err = newBench(t); err != nil {
			return s, 0, err
		}
	}
	context := t.Shape.Context
	s = Speed{Width: t.Shape.Width, Layers: t.Shape.Layers}
	passes, cpu, wall := together(benches, probeTime, func(b *bench) error {
		b.tape.Backward(b.tokens, 1)
		return nil
	}, &err)
	tokens := float64(passes * len(benches[0].tokens) / (context + 1) * context)
	s.Training = tokens * t.Shape.TrainFLOPs(context) / cpu
	parallel = min(1, cpu/wall/float64(jobs))
	passes, cpu, _ = together(benches, scoreTime, func(b *bench) error {
		_, _, err := b.model.LogProbs(b.rows, b.from)
		return err
	}, &err)
	tokens = float64(passes * len(benches[0].rows) * (len(benches[0].rows[0]) - 1))
	s.Scoring = tokens * t.Shape.ForwardFLOPs(context) / cpu
	return s, parallel, err
}

// together does act with all benches at the same time until the time is up, at
// least once after a first time that does not count, and returns how often,
// the processor time of the process and the time on the wall, in seconds.
func together(benches []*bench, limit time.Duration, act func(*bench) error, failure *error) (passes int, cpu, wall float64) {
	var mu sync.Mutex
	each := func(until time.Time, count bool) {
		var all sync.WaitGroup
		for _, b := range benches {
			all.Go(func() {
				for first := true; first || time.Now().Before(until); first = false {
					err := act(b)
					mu.Lock()
					if err != nil {
						*failure = err
					}
					if count {
						passes++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
	}
	each(time.Now(), false)
	started, before := time.Now(), machine.CPUTime()
	each(started.Add(limit), true)
	wall = max(time.Since(started).Seconds(), 1e-9)
	cpu = (machine.CPUTime() - before).Seconds()
	if cpu <= 0 { // a system that does not tell
		cpu = wall * float64(len(benches))
	}
	return passes, cpu, wall
}

// measureOptimizer returns the processor seconds of AdamW for a weight, the
// norm of the gradient included.
func measureOptimizer() float64 {
	w, g, m, v := make([]float32, probeWeights), make([]float32, probeWeights), make([]float32, probeWeights), make([]float32, probeWeights)
	step := kernels.AdamW{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, GradScale: 1, Correction1: 1, Correction2: 1}
	step.Step(w, g, m, v)
	started := time.Now()
	const rounds = 8
	for range rounds {
		kernels.SumSquares(g)
		step.Step(w, g, m, v)
	}
	return time.Since(started).Seconds() * float64(kernels.Workers()) / (rounds * probeWeights)
}

// speed interpolates between the measured widths, in the logarithm of both.
func (p Probe) speed(shape arch.Config) Speed {
	i, exact := slices.BinarySearchFunc(p.Speeds, shape.Width, func(s Speed, width int) int { return cmp.Compare(s.Width, width) })
	switch {
	case exact || i == 0:
		return p.Speeds[i]
	case i == len(p.Speeds):
		return p.Speeds[i-1]
	}
	low, high := p.Speeds[i-1], p.Speeds[i]
	at := math.Log(float64(shape.Width)/float64(low.Width)) / math.Log(float64(high.Width)/float64(low.Width))
	between := func(a, b float64) float64 { return a * math.Pow(b/a, at) }
	return Speed{shape.Width, shape.Layers, between(low.Training, high.Training), between(low.Scoring, high.Scoring)}
}
