package experiments

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"plumb/internal/machine"
	"plumb/kernels"
)

// A Timing is one attempt at a stage, or one run: what differs when work is
// repeated. It is appended to timings.jsonl when the attempt succeeds.
type Timing struct {
	Stage     string  `json:"stage"` // kind; "run" for a whole run
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"process_cpu_seconds"`       // all jobs together
	Own       float64 `json:"cpu_seconds,omitempty"`     // of this stage; absent where it is not known
	Memory    int     `json:"process_peak_memory_bytes"` // so far
	Tokens    int     `json:"tokens,omitempty"`          // trained on
	Jobs      int     `json:"jobs"`
	Workers   int     `json:"workers"`
	Kernels   string  `json:"kernels"`
	Processor string  `json:"processor"`
	Go        string  `json:"go"`
	Ended     string  `json:"ended"`
}

// A clock measures one attempt.
type clock struct {
	timing  Timing
	started time.Time
	cpu     time.Duration
	thread  time.Duration // of the thread that the stage runs on; 0 where it may run on several
	file    string
}

func startTiming(job *Job, jobs int) *clock {
	c := newClock(job.Kind, jobs, job.Workers, filepath.Join(job.Dir, timingsFile))
	if job.Kind == TrainStage {
		c.timing.Tokens = job.Train.Tokens
	}
	if job.Workers == 1 { // all of the stage is on this thread, which execute locks
		c.thread = machine.ThreadTime()
	}
	return c
}

func newClock(kind string, jobs, workers int, file string) *clock {
	return &clock{
		timing:  Timing{Stage: kind, Jobs: jobs, Workers: workers, Kernels: kernels.Chosen(), Processor: machine.Processor(), Go: runtime.Version()},
		started: time.Now(), cpu: machine.CPUTime(), file: file,
	}
}

// write appends the timing to its file, in one write.
func (c *clock) write(d disk) error {
	c.timing.Seconds, c.timing.CPU = time.Since(c.started).Seconds(), (machine.CPUTime() - c.cpu).Seconds()
	switch {
	case c.timing.Jobs == 1:
		c.timing.Own = c.timing.CPU
	case c.thread > 0:
		c.timing.Own = (machine.ThreadTime() - c.thread).Seconds()
	}
	c.timing.Memory, c.timing.Ended = machine.PeakMemory(), time.Now().UTC().Format(time.RFC3339)
	return appendTiming(d, c.file, c.timing)
}

func appendTiming(d disk, file string, t Timing) error {
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return d.do("append", file, func() error {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if _, err = f.Write(append(line, '\n')); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	})
}

// noteRun adds the whole run to the timings of the experiment, if it did anything.
func (r *runner) noteRun(s *Summary) error {
	if s.Ran == 0 {
		return nil
	}
	c := newClock("run", r.options.Jobs, r.workers, "")
	c.timing.Seconds, c.timing.CPU = s.Wall.Seconds(), s.CPU.Seconds()
	c.timing.Memory, c.timing.Ended = machine.PeakMemory(), time.Now().UTC().Format(time.RFC3339)
	return appendTiming(r.store.disk, filepath.Join(r.store.root, timingsFile), c.timing)
}
