package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"plumb/internal/atomicfile"
	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/results"
	"plumb/tasks"
)

// Options say where and how a spec is run.
type Options struct {
	Out      string       // folder of all experiments; the run's own is below it, under the spec's name
	Source   tasks.Source // where texts and task files lie
	Jobs     int          // trials at a time; 0 means one for each processor
	Workers  int          // goroutines that the kernels of each of them may use; 0 shares the processors out
	Only     string       // a pattern of path.Match for labels, IDs or numbers of trials; empty means all
	Failed   bool         // only trials that failed or diverged when they were last run; these are run again
	Observe  func(Event)  // told what happens, one event at a time; nil for nobody
	Executor Executor     // nil means the one that trains

	Timer  func(workers int) Timer // of specs with [speed]; nil times nothing
	Retime bool                    // models are timed again, whatever was measured

	disk   disk
	probe  *Probe // instead of a measurement; nil measures
	memory int    // bytes instead of what the machine has available; 0 asks it
}

// A Summary says what became of the trials of a run.
type Summary struct {
	Folder      string        `json:"folder"`
	Trials      int           `json:"trials"`   // chosen
	Done        int           `json:"done"`     // have their records, from this run or an earlier one
	Ran         int           `json:"ran"`      // stages done by this run
	Diverged    []TrialReport `json:"diverged"` // done, with records that say so
	Failed      []TrialReport `json:"failed"`   // have no records
	Interrupted bool          `json:"interrupted"`
	Wall        time.Duration `json:"wall_ns"`
	CPU         time.Duration `json:"cpu_ns"` // of this process
}

// A TrialReport names a trial and what went wrong with it.
type TrialReport struct {
	Trial  string `json:"trial"`
	Label  string `json:"label"`
	Reason string `json:"reason"`
}

// Complete says whether every trial has its records and none of them diverged.
func (s *Summary) Complete() bool {
	return !s.Interrupted && len(s.Failed) == 0 && len(s.Diverged) == 0
}

// A runner is one process at work on a run.
type runner struct {
	spec    *Spec
	options Options
	trials  []*identity
	store   *store
	locks   *locks
	sources *sources
	graph   *graph
	watch   *watch
	workers int

	mu      sync.Mutex
	changed *sync.Cond
	ran     int
	refusal error // of the environment: no use going on
	untimed bool  // timing was interrupted
}

// Run does whatever the trials of a spec still lack. When ctx ends, stages
// under way leave checkpoints and Run returns with Interrupted set. A trial that
// fails or diverges does not keep the others from being run. The error is about
// what concerns all of them: data that are missing, a disk that is full.
func Run(ctx context.Context, spec *Spec, options Options) (*Summary, error) {
	started, cpu := time.Now(), machine.CPUTime()
	r, err := newRunner(spec, options)
	if err != nil {
		return nil, err
	}
	r.watch.started()
	r.work(ctx)
	if err := r.timeModels(ctx); ctx.Err() != nil {
		r.untimed = true
	} else if err != nil {
		return nil, environment(err)
	}
	summary := r.summary(ctx)
	for _, failed := range summary.Failed {
		if r.refusal == nil {
			r.refusal = r.store.noteFailure(Failure{failed.Trial, ScoreStage, failed.Reason})
		}
	}
	summary.Wall, summary.CPU = time.Since(started), machine.CPUTime()-cpu
	if r.refusal == nil {
		r.refusal = r.noteRun(summary)
	}
	return summary, environment(r.refusal)
}

func newRunner(spec *Spec, o Options) (*runner, error) {
	r := &runner{spec: spec, options: o, sources: openSources(o.Source)}
	r.changed = sync.NewCond(&r.mu)
	if r.options.Executor == nil {
		r.options.Executor = trainer{}
	}
	all, err := identifyAll(spec.Trials(), r.sources)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(o.Out, spec.Name)
	r.store, r.locks = openStore(root, o.disk), openLocks(filepath.Join(root, lockFolder))
	if r.trials, err = r.choose(all); err != nil {
		return nil, err
	}
	if r.graph, err = newGraph(r.trials, r.store); err != nil {
		return nil, environment(err)
	}
	if err := r.describe(all); err != nil {
		return nil, environment(err)
	}
	if err := r.checkSpace(); err != nil {
		return nil, err
	}
	r.options.Jobs = jobsFor(r.options.Jobs, len(r.graph.nodes))
	if err := r.checkMemory(); err != nil {
		return nil, err
	}
	r.workers = cmp.Or(max(0, o.Workers), max(1, runtime.GOMAXPROCS(0)/r.options.Jobs))
	kernels.SetWorkers(r.workers)
	r.watch = newWatch(r)
	return r, nil
}

// diskReserve is what a run leaves free beyond what it needs itself, in bytes.
const diskReserve = 32 << 20

// checkSpace refuses a run that would fill the disk.
func (r *runner) checkSpace() error {
	free, err := machine.FreeDisk(r.store.root)
	if err != nil || free == 0 { // not every system tells
		return nil
	}
	need := diskReserve
	for _, n := range r.graph.nodes {
		if ok, err := r.store.complete(n.id); err == nil && !ok {
			size, err := r.sources.diskBytes(n)
			if err != nil {
				return err
			}
			need += size
		}
	}
	if free < need {
		return &EnvironmentError{fmt.Errorf("%s: the run needs about %d MB of disk and %d MB are free; make room, or choose another folder by --out", r.store.root, need>>20, free>>20)}
	}
	return nil
}

// jobsFor is how many stages are worked on at a time: one for each processor
// where nothing is asked, since small models train best on one each.
func jobsFor(asked, stages int) int {
	if asked <= 0 {
		asked = runtime.GOMAXPROCS(0)
	}
	return max(1, min(asked, stages))
}

func identifyAll(trials []*Trial, src *sources) ([]*identity, error) {
	all := make([]*identity, len(trials))
	for i, t := range trials {
		var err error
		if all[i], err = t.identify(src); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// work does the stages, Jobs at a time.
func (r *runner) work(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	var jobs sync.WaitGroup
	for range r.options.Jobs {
		jobs.Go(func() {
			for n := r.claim(ctx); n != nil; n = r.claim(ctx) {
				r.finish(ctx, n, r.do(ctx, n))
			}
		})
	}
	jobs.Wait()
}

// busyPause is how long a stage that another process holds is left alone.
const busyPause = 200 * time.Millisecond

// claim waits for a node that can be worked on; nil means there is none left.
func (r *runner) claim(ctx context.Context) *node {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if ctx.Err() != nil || r.refusal != nil {
			return nil
		}
		n, later := r.graph.next()
		if n != nil {
			n.state = nodeRuns
			return n
		}
		if !later {
			return nil
		}
		r.changed.Wait()
	}
}

// errBusy says that another living process, or another trial of this one, works
// on a stage.
var errBusy = errors.New("busy")

// finish notes how a node ended and wakes those that wait for it. What fails
// after ctx has ended was interrupted.
func (r *runner) finish(ctx context.Context, n *node, err error) {
	err = environment(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.changed.Broadcast()
	var refusal *EnvironmentError
	switch {
	case err == nil:
		n.state = nodeDone
	case errors.Is(err, errBusy):
		n.state = nodeBusy
		time.AfterFunc(busyPause, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			n.state = nodeWaits
			r.changed.Broadcast()
		})
	case errors.As(err, &refusal):
		n.state, r.refusal = nodeWaits, err
	case ctx.Err() != nil:
		n.state = nodeWaits
	default:
		n.state, n.err = nodeFailed, err
		r.refusal = r.store.noteFailure(Failure{n.name(), n.kind, err.Error()})
		r.watch.failed(n, err)
	}
}

// do does the stage of a node unless it is complete.
func (r *runner) do(ctx context.Context, n *node) error {
	if n.choose != nil {
		s, err := n.choose()
		if err != nil {
			return err
		}
		n.stage = s
	}
	ok, err := r.store.complete(n.stage.ID)
	if err == nil && ok {
		return r.found(n)
	}
	held, by, err := r.locks.take(n.stage.ID)
	if err != nil {
		return err
	}
	if held == nil {
		r.watch.busy(n, *by)
		return errBusy
	}
	defer held.release()
	return r.doLocked(ctx, n, held)
}

// found takes over the outcome of a stage that is complete already.
func (r *runner) found(n *node) error {
	n.outcome = Outcome{Status: results.StatusOK}
	if n.kind != DataStage {
		record, err := readMetric(r.store.folder(n.stage.ID), outcomeMetric(n.kind))
		if err != nil {
			return err
		}
		n.outcome = Outcome{record.Status, record.Note}
	}
	r.watch.found(n)
	return r.store.forgetFailure(n.name())
}

func (r *runner) doLocked(ctx context.Context, n *node, held *lock) error {
	id := n.stage.ID
	ok, err := r.store.complete(id) // another process may just have done it
	var damaged *atomicfile.DamagedError
	switch {
	case errors.As(err, &damaged):
		aside, moved := r.store.setAside(id)
		if moved != nil {
			return moved
		}
		r.watch.warn(n, fmt.Errorf("%w; it is kept in %s and the work is done again", damaged, aside))
	case err != nil:
		return err
	case ok:
		return r.found(n)
	}
	if err := r.store.begin(id); err != nil {
		return err
	}
	if err := r.execute(ctx, n); err != nil {
		return err
	}
	if err := held.whileMine(func() error { return r.store.commit(n.stage) }); err != nil {
		return err
	}
	r.mu.Lock()
	r.ran++
	r.mu.Unlock()
	r.watch.ended(n)
	return r.store.forgetFailure(n.name())
}

// execute lets the executor do the work. A panic there fails the stage only.
func (r *runner) execute(ctx context.Context, n *node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug in the program: %v\n%s", p, debug.Stack())
		}
	}()
	job := r.job(n)
	runtime.LockOSThread() // so that the time of the thread is that of the stage
	defer runtime.UnlockOSThread()
	clock := startTiming(job, r.options.Jobs)
	do := map[string]func(context.Context, *Job) (Outcome, error){
		DataStage: r.options.Executor.Prepare, TrainStage: r.options.Executor.Train, ScoreStage: r.options.Executor.Score,
		CompressStage: r.options.Executor.Compress, HealStage: r.options.Executor.Heal,
	}[n.kind]
	r.watch.begun(n)
	n.outcome, err = do(ctx, job)
	if err != nil {
		return err
	}
	if n.kind == TrainStage {
		debug.FreeOSMemory() // the next model is allocated anew
	}
	return clock.write(r.store.disk)
}

func (r *runner) job(n *node) *Job {
	s := n.stage
	job := &Job{Stage: s, Experiment: r.spec.Name, Dir: r.store.folder(s.ID), Workers: r.workers, sources: r.sources, disk: r.store.disk}
	job.Progress = func(p Progress) { r.watch.progress(n, p) }
	job.Warn = func(err error) { r.watch.warn(n, err) }
	if s.Data != "" {
		job.DataDir = r.store.folder(s.Data)
	}
	if s.Model != "" {
		job.ModelDir = r.store.folder(s.Model)
	}
	if s.Base != "" {
		job.BaseDir = r.store.folder(s.Base)
	}
	if s.Tuning != nil {
		for _, id := range s.Tuning.Stages {
			job.TuningDirs = append(job.TuningDirs, r.store.folder(id))
		}
	}
	return job
}

// summary counts what became of the chosen trials.
func (r *runner) summary(ctx context.Context) *Summary {
	s := &Summary{Folder: r.store.root, Trials: len(r.trials), Ran: r.ran}
	for _, t := range r.trials {
		n := r.graph.byID[t.score.ID]
		report := TrialReport{Trial: t.score.ID, Label: t.trial.Label()}
		switch {
		case n.state == nodeFailed:
			report.Reason = n.err.Error()
			s.Failed = append(s.Failed, report)
		case n.state == nodeDone:
			s.Done++
			if n.outcome.Status == results.StatusDiverged {
				report.Reason = n.outcome.Note
				s.Diverged = append(s.Diverged, report)
			}
		}
	}
	s.Interrupted = ctx.Err() != nil && (s.Done+len(s.Failed) < s.Trials || r.untimed && r.spec.Speed.Repeat > 0)
	return s
}
