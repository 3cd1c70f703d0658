package bench

import (
	"runtime"
	"runtime/debug"
	"time"

	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/model"
)

// Names of what a Stopwatch times.
const (
	LoadLine     = "load"     // from the folder to the first token: reading, packing, one token
	PromptLine   = "prompt"   // of two rows of 512 tokens, or the context, the next token is scored
	DecodingLine = "decoding" // of one sequence, one token after the other
)

// A Repetition is one timing of one thing that a model does.
type Repetition struct {
	Name   string  `json:"name"`
	Work   float64 `json:"work"` // loads or tokens of doing it once
	Loops  int     `json:"loops"`
	CPU    float64 `json:"cpu_seconds"` // of doing it once, processor time
	Wall   float64 `json:"wall_seconds"`
	Joules float64 `json:"joules,omitempty"` // likewise, of all processors of the machine; 0 where it does not tell
}

// A Stopwatch times one model at a time, a repetition at a call, so that a
// caller can take many models in turn without holding more than one of them,
// and keep what each repetition came to.
type Stopwatch struct {
	workers int
	clock   Clock
	known   bool
	loops   map[string]int // of a folder and a line: how often it is done in a repetition
}

// NewStopwatch times on so many workers.
func NewStopwatch(workers int) *Stopwatch {
	s := &Stopwatch{workers: workers, loops: map[string]int{}}
	s.clock, s.known = SystemClock()
	return s
}

// shortestRepetition is the processor time that a repetition of anything but
// loading takes at least.
const shortestRepetition = 80 * time.Millisecond

// Loading is done again until it took so long, or so often.
const (
	shortestLoading = 150 * time.Millisecond
	mostLoadings    = 50
)

// Repeat times every line once with the model in dir, alone in memory. What has
// just been loaded runs once before it is timed.
func (s *Stopwatch) Repeat(dir string) ([]Repetition, error) {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	kernels.SetWorkers(s.workers)
	first, err := s.load(dir)
	if err != nil {
		return nil, err
	}
	m, err := ready(dir)
	if err != nil {
		return nil, err
	}
	all := []Repetition{first}
	for _, job := range modelJobs(m) {
		runtime.GC() // of what was left behind before, not while the clock runs
		one, err := s.repeat(dir, m, job)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// load times loading, each time into memory that the system has to give anew, as
// it does to a process that has just begun.
func (s *Stopwatch) load(dir string) (Repetition, error) {
	r := Repetition{Name: LoadLine, Work: 1}
	for spent := time.Duration(0); spent < shortestLoading && r.Loops < mostLoadings; r.Loops++ {
		debug.FreeOSMemory()
		start := s.clock()
		if _, err := ready(dir); err != nil {
			return r, err
		}
		end := s.clock()
		spent += end.CPU - start.CPU
		r.CPU, r.Wall = r.CPU+(end.CPU-start.CPU).Seconds(), r.Wall+(end.Wall-start.Wall).Seconds()
	}
	r.CPU, r.Wall = r.CPU/float64(r.Loops), r.Wall/float64(r.Loops)
	return r, nil
}

// ready loads the model in dir to its first token.
func ready(dir string) (*model.Model, error) {
	m, err := model.Load(dir)
	if err != nil {
		return nil, err
	}
	m.Freeze()
	return m, decode(m, 1)
}

// modelJobs are the lines of a model that is loaded.
func modelJobs(m *model.Model) []scoringJob {
	length := min(promptTokens, m.Context())
	prompt, decoding := promptJob(m.Config(), length, length, PromptLine), decodingJob(m)
	decoding.name = DecodingLine
	return []scoringJob{prompt, decoding}
}

// repeat times one line, as often as it was done before in a repetition or else
// often enough.
func (s *Stopwatch) repeat(dir string, m *model.Model, job scoringJob) (Repetition, error) {
	task := Task{Do: func() error { return job.do(m) }, Shortest: shortestRepetition}
	key := dir + "\x00" + job.name
	t := Times{Loops: s.loops[key]}
	if t.Loops == 0 {
		if _, err := t.calibrate(s.clock, task); err != nil {
			return Repetition{}, err
		}
	} else {
		if err := task.Do(); err != nil {
			return Repetition{}, err
		}
	}
	energy := machine.ReadEnergy()
	for len(t.CPU) == 0 {
		energy = machine.ReadEnergy()
		if _, err := t.repeat(s.clock, task); err != nil {
			return Repetition{}, err
		}
	}
	joules, _ := machine.ReadEnergy().Since(energy)
	s.loops[key] = t.Loops
	return Repetition{job.name, job.work, t.Loops, t.CPU[0], t.Wall[0], joules / float64(t.Loops)}, nil
}

// Judge sums up repetitions of one line: work in a second of processor time and
// in a second on the wall.
func (s *Stopwatch) Judge(repetitions []Repetition) (cpu, wall Figure) {
	t, work := Times{}, 0.0
	for _, r := range repetitions {
		work = r.Work
		t.CPU, t.Wall = append(t.CPU, r.CPU), append(t.Wall, r.Wall)
		t.Spent += time.Duration(r.CPU * float64(r.Loops) * float64(time.Second))
	}
	forCPU, forWall := t.judge(s.workers, machine.Look().Cores, s.known)
	return figure(work, t.CPU, forCPU), figure(work, t.Wall, forWall)
}

// Memory returns the bytes that the model in dir holds when it is loaded and
// packed, and the most that the process held above what it held before, while
// it loaded, scored a prompt and decoded; 0 where the system does not tell.
func (s *Stopwatch) Memory(dir string) (resident, peak int, err error) {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	kernels.SetWorkers(s.workers)
	if peak, err = loadedMemory(dir); err != nil {
		return 0, 0, err
	}
	held := liveBytes()
	m, err := model.Load(dir)
	if err != nil {
		return 0, 0, err
	}
	m.Freeze()
	resident = liveBytes() - held
	runtime.KeepAlive(m)
	return resident, peak, nil
}

// liveBytes is what is reachable in memory.
func liveBytes() int {
	runtime.GC()
	runtime.GC() // what the first one only marked as finished
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
