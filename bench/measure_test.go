package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// A fakeMachine is a clock that only tasks move, and a record of what ran.
type fakeMachine struct {
	now Reading
	ran []int
}

func (f *fakeMachine) clock() Reading { return f.now }

// task takes each of costs in turn, then the last one for ever, and twice as
// long on the wall.
func (f *fakeMachine) task(name int, shortest time.Duration, costs ...time.Duration) Task {
	runs := 0
	return Task{Shortest: shortest, Do: func() error {
		cost := costs[min(runs, len(costs)-1)]
		runs++
		f.now.CPU += cost
		f.now.Wall += 2 * cost
		f.ran = append(f.ran, name)
		return nil
	}}
}

func none(int, Reading) {}

func TestInterleaveTakesTurnsAndTurnsRound(t *testing.T) {
	f := &fakeMachine{}
	const ms = time.Millisecond
	times, err := Interleave(context.Background(), f.clock, []Task{f.task(0, ms, ms), f.task(1, ms, 5*ms)}, Effort{Repeat: 3}, none)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 1, 0, 1, 1, 0, 0, 1}; !slices.Equal(f.ran, want) {
		t.Errorf("ran %v, want %v", f.ran, want)
	}
	if !slices.Equal(times[1].CPU, []float64{0.005, 0.005, 0.005}) || !slices.Equal(times[1].Wall, []float64{0.01, 0.01, 0.01}) {
		t.Errorf("times %+v", times[1])
	}
}

func TestInterleaveEfforts(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name        string
		cost        []time.Duration
		effort      Effort
		repetitions int
		loops       int
	}{
		{"as often as asked", []time.Duration{20 * ms}, Effort{Repeat: 4}, 4, 1},
		{"as long as asked", []time.Duration{20 * ms}, Effort{Repeat: 4, Time: 200 * ms}, 10, 1},
		{"no more than the most", []time.Duration{20 * ms}, Effort{Time: time.Hour}, MostRepetitions, 1},
		{"quick work is looped", []time.Duration{ms}, Effort{Repeat: 3}, 3, 12},
		{"a slow first run does not mislead", []time.Duration{9 * ms, ms}, Effort{Repeat: 3}, 3, 12},
		{"nor does a disturbed second one", []time.Duration{ms, 30 * ms, ms}, Effort{Repeat: 3}, 3, 12},
		{"what takes no time at all", []time.Duration{0}, Effort{Repeat: 1}, 1, mostLoops},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := &fakeMachine{}
			times, err := Interleave(context.Background(), f.clock, []Task{f.task(0, 10*ms, test.cost...)}, test.effort, none)
			if err != nil {
				t.Fatal(err)
			}
			if got := times[0]; len(got.CPU) != test.repetitions || got.Loops != test.loops {
				t.Errorf("%d repetitions of %d loops, want %d of %d", len(got.CPU), got.Loops, test.repetitions, test.loops)
			}
		})
	}
}

func TestInterleaveStops(t *testing.T) {
	f := &fakeMachine{}
	fault := errors.New("no such weight")
	broken := Task{Do: func() error { return fault }}
	if _, err := Interleave(context.Background(), f.clock, []Task{f.task(0, 0, 1), broken}, Effort{Repeat: 1}, none); !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err := Interleave(ctx, f.clock, []Task{f.task(0, 0, 1)}, Effort{Repeat: 50}, func(int, Reading) {
		if steps++; steps == 5 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || steps != 5 {
		t.Errorf("%v after %d steps", err, steps)
	}
}

func TestFigure(t *testing.T) {
	f := figure(120, []float64{3, 1, 2, 5, 4}, Verdict{Valid: true})
	want := Figure{Best: 120, High: 60, Median: 40, Low: 30, Spread: 2. / 3, Verdict: Verdict{Valid: true}}
	if fmt.Sprint(f) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", f, want)
	}
	if q := quartiles([]float64{1, 2}); q != [4]float64{1, 1.25, 1.5, 1.75} {
		t.Errorf("quartiles of two: %v", q)
	}
	if f := figure(120, nil, Verdict{}); f.Best != 0 || f.Spread != 0 {
		t.Errorf("without repetitions: %+v", f)
	}
}

func TestVerdicts(t *testing.T) {
	steady := []float64{1, 1.01, 1.01, 1.02, 1.02, 1.03}
	tests := []struct {
		name      string
		times     Times
		workers   int
		unknown   bool
		cpu, wall string // the first reason, or empty
	}{
		{name: "steady", times: Times{CPU: steady, Wall: steady, Spent: 6 * time.Second}, workers: 1},
		{name: "two workers kept busy", times: Times{CPU: scaled(steady, 2), Wall: steady, Spent: 12 * time.Second}, workers: 2},
		{name: "few", times: Times{CPU: steady[:4], Wall: steady[:4], Spent: 4 * time.Second}, workers: 1, cpu: "4 repetitions of 5", wall: "4 repetitions of 5"},
		{name: "brief", times: Times{CPU: scaled(steady, 1e-5), Wall: scaled(steady, 1e-5), Spent: 60 * time.Microsecond}, workers: 1,
			cpu: "repetitions of 10µs, below 1ms", wall: "repetitions of 10µs, below 1ms"},
		{name: "unsteady", times: Times{CPU: steady, Wall: []float64{1, 1.02, 1.1, 1.2, 1.3, 1.4}, Spent: 6 * time.Second}, workers: 1, wall: "spread of 20 %, above 10"},
		{name: "a lucky one", times: Times{CPU: []float64{0.8, 1, 1, 1, 1, 1}, Wall: steady, Spent: 6 * time.Second}, workers: 1, cpu: "best 25 % ahead of the next, above 5"},
		{name: "busy", times: Times{CPU: steady, Wall: scaled(steady, 1.5), Spent: 6 * time.Second}, workers: 1, wall: "got 0.67 of 1 processors"},
		{name: "one processor for two workers", times: Times{CPU: steady, Wall: steady, Spent: 6 * time.Second}, workers: 2, wall: "got 1.00 of 2 processors"},
		{name: "more workers than cores", times: Times{CPU: scaled(steady, 4), Wall: steady, Spent: 24 * time.Second}, workers: 8},
		{name: "no clock", times: Times{CPU: steady, Wall: steady, Spent: 6 * time.Second}, workers: 1, unknown: true, cpu: "this system does not tell processor time"},
	}
	first := func(v Verdict) string {
		if len(v.Reasons) == 0 {
			return ""
		}
		return v.Reasons[0]
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cpu, wall := test.times.judge(test.workers, 4, !test.unknown)
			if first(cpu) != test.cpu || first(wall) != test.wall {
				t.Errorf("%q and %q, want %q and %q", first(cpu), first(wall), test.cpu, test.wall)
			}
			if cpu.Valid != (test.cpu == "") || wall.Valid != (test.wall == "") {
				t.Errorf("valid: %t and %t", cpu.Valid, wall.Valid)
			}
		})
	}
}

func scaled(values []float64, by float64) (all []float64) {
	for _, v := range values {
		all = append(all, v*by)
	}
	return all
}
