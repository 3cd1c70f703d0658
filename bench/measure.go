package bench

import (
	"context"
	"math"
	"time"
)

// A Task can be done again and again at the same cost.
type Task struct {
	Before   func() // sets the stage for each repetition and is not timed; may be nil
	Do       func() error
	Shortest time.Duration // of a repetition: quicker tasks are done several times in one
}

// An Effort says how long to measure. A task is repeated until both Repeat and
// Time are reached.
type Effort struct {
	Repeat int           `json:"repeat"`  // repetitions at least
	Time   time.Duration `json:"time_ns"` // of the processor, for each task at least
}

// mostLoops is how often a task is done in one repetition at most.
const mostLoops = 1 << 20

// MostRepetitions is where repeating a task ends, whatever the effort.
const MostRepetitions = 100

// Times are those of one task: seconds of one Do in each repetition.
type Times struct {
	CPU, Wall []float64
	Loops     int           // times that Do ran in a repetition
	Spent     time.Duration // of the processor, over all repetitions
}

// Interleave times tasks in turn, so that what changes on the machine meanwhile
// meets all of them alike: one repetition of each, the next in the opposite
// order, and so on. Each task first runs once without being timed. After every
// repetition step is told which task it was and what it took.
func Interleave(ctx context.Context, clock Clock, tasks []Task, e Effort, step func(task int, took Reading)) ([]Times, error) {
	times := make([]Times, len(tasks))
	for i, task := range tasks {
		took, err := times[i].calibrate(clock, task)
		if err != nil {
			return nil, err
		}
		step(i, took)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	for round, left := 0, true; left; round++ {
		left = false
		for i := range tasks {
			if round%2 == 1 {
				i = len(tasks) - 1 - i
			}
			if times[i].enough(e) {
				continue
			}
			left = true
			took, err := times[i].repeat(clock, tasks[i])
			if err != nil {
				return nil, err
			}
			step(i, took)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return times, nil
}

// calibrate runs task for the first time, then more often until it is known how
// many runs make a repetition of sensible length.
func (t *Times) calibrate(clock Clock, task Task) (took Reading, err error) {
	t.Loops = 1
	if took, err = t.run(clock, task); err != nil || took.CPU >= task.Shortest {
		return took, err
	}
	// A first run pays for memory and caches and tells little: run again.
	for t.Loops < mostLoops {
		if took, err = t.run(clock, task); err != nil || took.CPU >= task.Shortest {
			return took, err
		}
		t.grow(task, took)
	}
	return took, nil
}

// grow raises the loops of a repetition that took too little.
func (t *Times) grow(task Task, took Reading) {
	factor := 1.2 * float64(task.Shortest) / math.Max(1, float64(took.CPU))
	t.Loops = min(mostLoops, int(math.Ceil(float64(t.Loops)*math.Min(factor, 100))))
}

// run does task Loops times.
func (t *Times) run(clock Clock, task Task) (took Reading, err error) {
	if task.Before != nil {
		task.Before()
	}
	start := clock()
	for range t.Loops {
		if err := task.Do(); err != nil {
			return took, err
		}
	}
	end := clock()
	return Reading{end.CPU - start.CPU, end.Wall - start.Wall}, nil
}

// repeat times one repetition. Where it shows that something disturbed the
// calibration, which then asked for too few loops, all begins again.
func (t *Times) repeat(clock Clock, task Task) (Reading, error) {
	took, err := t.run(clock, task)
	if err != nil {
		return took, err
	}
	if took.CPU < task.Shortest/2 && t.Loops < mostLoops {
		t.CPU, t.Wall, t.Spent = nil, nil, 0
		t.grow(task, took)
		return took, nil
	}
	loops := float64(t.Loops)
	t.CPU = append(t.CPU, took.CPU.Seconds()/loops)
	t.Wall = append(t.Wall, took.Wall.Seconds()/loops)
	t.Spent += took.CPU
	return took, nil
}

// enough says whether t needs no more repetitions.
func (t *Times) enough(e Effort) bool {
	n := len(t.CPU)
	return n >= MostRepetitions || n >= max(1, e.Repeat) && t.Spent >= e.Time
}
