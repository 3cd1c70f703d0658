package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/results"
)

// Rounds says how the models of a spec with recipes are timed when all else is
// done: in turn, one repetition of each in a round.
type Rounds struct {
	Repeat  int `toml:"repeat"`  // rounds; 0 times nothing
	Workers int `toml:"workers"` // goroutines that kernels may use meanwhile
}

// mostRounds is where repeating ends.
const mostRounds = 100

// checkSpeed reports impossible settings of [speed].
func (s *Spec) checkSpeed(r *report) {
	if s.Speed.Repeat < 0 || s.Speed.Repeat > mostRounds {
		r.at("speed.repeat", "%d rounds: the number is from 0, which times nothing, to %d", s.Speed.Repeat, mostRounds)
	}
	if s.Speed.Workers < 1 || s.Speed.Workers > 1024 {
		r.at("speed.workers", "%d workers: the number is from 1 to 1024", s.Speed.Workers)
	}
	if s.Speed.Repeat > 0 && len(s.Recipes) == 0 {
		r.at("speed.repeat", "only the models of a spec with [[recipe]] are timed")
	}
}

// A Timer measures what models in folders cost to run, on a number of workers
// of its own, one model in memory at a time.
type Timer interface {
	// Memory returns the bytes that a model holds when it is ready, and the most
	// that the process took for it while it loaded, scored and decoded; 0 where
	// the system does not tell.
	Memory(dir string) (resident, peak int, err error)
	// Repeat times everything once.
	Repeat(dir string) ([]Repetition, error)
	// Judge sums up the repetitions of one name.
	Judge(repetitions []Repetition) Judgement
}

// Names of repetitions.
const (
	LoadTime     = "load"     // from the folder to the first token
	PromptTime   = "prompt"   // scoring; work is tokens
	DecodingTime = "decoding" // work is tokens
)

// A Repetition is one timing of one thing that a model does.
type Repetition struct {
	Name   string  `json:"name"`
	Work   float64 `json:"work"`        // loads or tokens of doing it once
	Loops  int     `json:"loops"`       // how often it was done
	CPU    float64 `json:"cpu_seconds"` // processor time of doing it once
	Wall   float64 `json:"wall_seconds"`
	Joules float64 `json:"joules,omitempty"` // likewise, of the whole machine's processors; 0 where unknown
}

// A Judgement is a speed: work in a second of processor time.
type Judgement struct {
	Median, Low, High float64  // and the quartiles
	Wrong             []string // why it cannot be quoted; empty where it can
}

// A timedModel is what is timed for all trials that differ only by seed.
type timedModel struct {
	trial *identity
	stage string // ID of the stage whose model it is
	note  string // about other seeds
}

// timeModels measures memory and speed of the models of all trials, after they
// have their records and while nothing else runs in this process. What was
// measured earlier, here or elsewhere, is not measured again unless that is asked for.
func (r *runner) timeModels(ctx context.Context) error {
	if r.spec.Speed.Repeat == 0 || r.options.Timer == nil || r.refusal != nil || ctx.Err() != nil {
		return nil
	}
	if r.options.Only != "" || r.options.Failed {
		r.watch.say("speeds are timed by runs of all trials, and so not by this one")
		return nil
	}
	held, by, err := r.locks.take(speedLock)
	if err != nil {
		return err
	}
	if held == nil {
		r.watch.say(fmt.Sprintf("%s times the models", by))
		return nil
	}
	defer held.release()
	models, err := r.timedModels()
	if err != nil || len(models) == 0 {
		return err
	}
	t := &timekeeper{runner: r, models: models, timer: r.options.Timer(r.spec.Speed.Workers)}
	if err := t.open(); err != nil {
		return err
	}
	if err := t.measure(ctx); err != nil {
		return err
	}
	return t.conclude()
}

// speedLock is the name of the lock of who times.
const speedLock = speedStage

// timedModels lists the models to be timed: of trials that differ by their seed
// only, whose models are of one size, that of the first seed that did not diverge.
func (r *runner) timedModels() (models []timedModel, err error) {
	seen := map[string]bool{}
	for _, seed := range r.spec.Seeds {
		for _, t := range r.trials {
			n := r.graph.byID[t.score.ID]
			key := fmt.Sprint(t.trial.Keys)
			if t.trial.Seed != seed || seen[key] || n.state != nodeDone || n.outcome.Status != results.StatusOK {
				continue
			}
			stage, _, err := r.modelOf(t)
			if err != nil {
				return nil, err
			}
			note, err := r.otherSizes(t)
			if err != nil {
				return nil, err
			}
			seen[key] = true
			models = append(models, timedModel{t, stage.ID, note})
		}
	}
	slices.SortStableFunc(models, func(a, b timedModel) int { return a.trial.trial.Number - b.trial.trial.Number })
	return models, nil
}

// modelOf returns the stage whose model a trial scores, and those of its recipe.
func (r *runner) modelOf(t *identity) (last *Stage, chain []*Stage, err error) {
	best := 0
	if len(t.candidates) > 0 {
		tuning, err := r.graph.tuning(t)
		if err != nil {
			return nil, nil, err
		}
		best = tuning.Best
	}
	if len(t.chains) == 0 {
		return t.finals[best], nil, nil
	}
	chain = t.chains[best]
	return chain[len(chain)-1], chain, nil
}

// otherSizes says that models of other seeds are of other sizes than that of t.
func (r *runner) otherSizes(t *identity) (string, error) {
	own, err := readMetric(r.store.folder(t.score.ID), macsPerToken)
	if err != nil || own.Value == nil {
		return "", err
	}
	for _, other := range r.trials {
		if n := r.graph.byID[other.score.ID]; fmt.Sprint(other.trial.Keys) != fmt.Sprint(t.trial.Keys) || n.state != nodeDone || n.outcome.Status != results.StatusOK {
			continue
		}
		macs, err := readMetric(r.store.folder(other.score.ID), macsPerToken)
		if err != nil {
			return "", err
		}
		if macs.Value != nil && *macs.Value != *own.Value {
			return fmt.Sprintf("seeds have models of different sizes; that of seed %d was timed", t.trial.Seed), nil
		}
	}
	return "", nil
}

// A timekeeper is the measurement of all models under way.
type timekeeper struct {
	*runner
	models  []timedModel
	timer   Timer
	file    *speedFile
	session *speedSession
	began   time.Time
}

// Conditions are what speeds depend on beside the models: who measures under
// others begins anew.
type Conditions struct {
	Processor string   `json:"processor"`
	System    string   `json:"system"`
	Cores     int      `json:"cores"`
	Kernels   string   `json:"kernels"`
	Workers   int      `json:"workers"`
	Go        string   `json:"go"`
	Models    []string `json:"models"`  // IDs of the stages that they are of
	Attempt   int      `json:"attempt"` // from 1
}

func (t *timekeeper) conditions() Conditions {
	facts := machine.Look()
	c := Conditions{Processor: facts.Processor, System: facts.System, Cores: facts.Cores, Kernels: kernels.Chosen(),
		Workers: t.spec.Speed.Workers, Go: runtime.Version(), Attempt: 1}
	for _, m := range t.models {
		c.Models = append(c.Models, m.stage)
	}
	return c
}

// open finds the measurement to go on with, or begins one.
func (t *timekeeper) open() error {
	var err error
	if t.file, err = openSpeedFile(filepath.Join(t.store.root, roundsFile), t.store.disk); err != nil {
		return err
	}
	now := t.conditions()
	now.Attempt = max(1, t.file.attempts(now))
	if t.options.Retime {
		now.Attempt = t.file.attempts(now) + 1
	}
	rounds := t.spec.Speed.Repeat
	if here := t.file.session(now); (here == nil || !here.complete(rounds)) && !t.options.Retime {
		if elsewhere := t.file.completeElsewhere(now, rounds); elsewhere != nil {
			t.watch.say(fmt.Sprintf("speeds were measured on %s with %s kernels and are kept; --retime measures them here", elsewhere.Conditions.Processor, elsewhere.Conditions.Kernels))
			t.session = elsewhere
			return nil
		}
	}
	t.session, err = t.file.begin(now)
	return err
}

// measure does the rounds that are missing, in turn: every second one goes
// through the models from the last to the first.
func (t *timekeeper) measure(ctx context.Context) error {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	rounds := t.spec.Speed.Repeat
	missing := t.session.missing(rounds)
	all := missing
	t.began = time.Now()
	for round := range rounds + 1 { // round 0 is memory
		order := slices.Clone(t.models)
		if round%2 == 0 {
			slices.Reverse(order)
		}
		for _, m := range order {
			if t.session.has(m.stage, round) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			t.watch.timing(m.trial, all-missing, all, t.began)
			if err := t.once(m, round); err != nil {
				return fmt.Errorf("the model of %s cannot be timed: %w", m.trial.trial.Label(), err)
			}
			missing--
		}
	}
	if all > 0 {
		t.watch.timed(all, t.began)
	}
	return nil
}

// once measures one model once.
func (t *timekeeper) once(m timedModel, round int) (err error) {
	line := speedLine{Session: t.session.ID, Model: m.stage, Round: round, Load: machine.Look().Load}
	dir := filepath.Join(t.store.folder(m.stage), modelFolder)
	if _, err := os.Stat(dir); err != nil {
		line.Lost = "its model is no longer there"
		return t.file.append(line)
	}
	if round == 0 {
		line.Resident, line.Peak, err = t.timer.Memory(dir)
	} else {
		line.Repetitions, err = t.timer.Repeat(dir)
	}
	if err != nil {
		return err
	}
	line.Ended = time.Now().UTC().Truncate(time.Second)
	return t.file.append(line)
}
