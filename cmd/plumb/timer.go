package main

import (
	"plumb/bench"
	"plumb/experiments"
)

// A timer lets a run of a spec time its models with the machinery of bench.
type timer struct{ watch *bench.Stopwatch }

func newTimer(workers int) experiments.Timer { return timer{bench.NewStopwatch(workers)} }

// Memory implements experiments.Timer.
func (t timer) Memory(dir string) (resident, peak int, err error) { return t.watch.Memory(dir) }

// Repeat implements experiments.Timer.
func (t timer) Repeat(dir string) (all []experiments.Repetition, err error) {
	repetitions, err := t.watch.Repeat(dir)
	for _, r := range repetitions {
		all = append(all, experiments.Repetition(r))
	}
	return all, err
}

// Judge implements experiments.Timer.
func (t timer) Judge(repetitions []experiments.Repetition) experiments.Judgement {
	all := make([]bench.Repetition, len(repetitions))
	for i, r := range repetitions {
		all[i] = bench.Repetition(r)
	}
	cpu, _ := t.watch.Judge(all)
	return experiments.Judgement{Median: cpu.Median, Low: cpu.Low, High: cpu.High, Wrong: cpu.Reasons}
}
