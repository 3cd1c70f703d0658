package experiments

import (
	"fmt"
	"path/filepath"
	"time"

	"plumb/arch"
	"plumb/results"
	"plumb/tasks"
)

// A Plan says what a run will do and cost, before it does anything.
type Plan struct {
	Name     string         `json:"name"`
	Question string         `json:"question,omitempty"`
	Folder   string         `json:"folder"`
	Trials   []PlannedTrial `json:"trials"`
	Tasks    []PlannedTask  `json:"tasks"`
	Stages   int            `json:"stages"`                  // pieces of work, shared ones once
	Done     int            `json:"stages_done"`             // of these, in an earlier run
	Tokens   int            `json:"tokens"`                  // trained on, in all stages
	FLOPs    float64        `json:"flops"`                   // of training, in all stages, what is computed again included
	Teaching float64        `json:"teacher_flops,omitempty"` // of the forward passes of teachers; not in FLOPs
	CPU      float64        `json:"cpu_seconds"`             // of all stages; estimated
	Left     float64        `json:"cpu_seconds_left"`
	Wall     float64        `json:"wall_seconds_left"`
	Jobs     int            `json:"jobs"`
	Memory   int            `json:"memory_bytes"`              // at the peak, with so many jobs
	Room     int            `json:"available_bytes,omitempty"` // of memory, right now
	Disk     int            `json:"disk_bytes"`
	Speed    *PlannedSpeed  `json:"speed,omitempty"` // of a spec with [speed]; in the times above
	Probe    Probe          `json:"probe"`
	Assumed  Assumed        `json:"assumed"`
}

// Assumed is what the smallest detectable differences rest on.
type Assumed struct {
	Disagreement float64 `json:"disagreement"` // share of items on which two models differ in correctness
	SeedSpread   float64 `json:"seed_spread"`  // standard deviation between seeds, as a share
}

// assumed are the middle values that studies of small models report: two models
// differ in a fifth of the items, and seeds move a score by half a point.
var assumed = Assumed{Disagreement: 0.2, SeedSpread: 0.005}

// A PlannedTrial is one model of a plan.
type PlannedTrial struct {
	Number   int               `json:"number"`
	ID       string            `json:"id"`
	Label    string            `json:"label"`
	Keys     map[string]string `json:"keys"`
	Seed     uint64            `json:"seed"`
	Shape    arch.Config       `json:"shape"`
	Blocks   int               `json:"blocks"`
	Params   arch.Params       `json:"params"`
	Residual *arch.Residual    `json:"residual,omitempty"`
	PerToken float64           `json:"training_flops_per_token"` // what is computed again included
	FLOPs    float64           `json:"training_flops"`           // of its own training and that of its recipe, without tuning
	Teaching float64           `json:"teacher_flops,omitempty"`  // of the forward passes of its teacher; not in FLOPs
	Tries    int               `json:"tuning_runs"`              // candidates at the first seed
	CPU      float64           `json:"cpu_seconds"`              // of its own training, recipe and scoring, without stages that a trial above has too; estimated
	Memory   arch.Memory       `json:"memory"`                   // of training
	Done     bool              `json:"done"`
}

// A PlannedTask says what a task can show.
type PlannedTask struct {
	Name       string  `json:"name"`
	Items      int     `json:"items"`
	Chance     float64 `json:"chance"`
	From       string  `json:"from"`
	Detectable float64 `json:"detectable"` // smallest difference of accuracy, as a share, found with 80 % power at the 5 % level
}

// MakePlan solves and counts everything, and measures for about two seconds how
// fast this machine trains such shapes.
func MakePlan(spec *Spec, o Options) (*Plan, error) {
	src := openSources(o.Source)
	all, err := identifyAll(spec.Trials(), src)
	if err != nil {
		return nil, err
	}
	trials, err := matching(all, o.Only)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(o.Out, spec.Name)
	g, err := newGraph(nil, openStore(root, disk{}))
	if err != nil {
		return nil, err
	}
	for _, t := range trials {
		g.addWhole(t)
	}
	jobs := jobsFor(o.Jobs, len(g.nodes))
	p := &Plan{Name: spec.Name, Question: spec.Question, Folder: root, Jobs: jobs, Assumed: assumed, Stages: len(g.nodes), Room: o.availableMemory()}
	if p.Probe, err = o.measure(trials, jobs); err != nil {
		return nil, err
	}
	if p.Tasks, err = planTasks(trials, src, len(spec.Seeds)); err != nil {
		return nil, err
	}
	e := &estimator{plan: p, sources: src, loads: map[string]float64{}}
	if err := e.trials(g, trials); err != nil {
		return nil, err
	}
	if err := e.totals(g); err != nil {
		return nil, err
	}
	e.speeds(spec, trials)
	return p, nil
}

// measure returns how fast the machine is.
func (o Options) measure(trials []*identity, jobs int) (Probe, error) {
	if o.probe != nil {
		return *o.probe, nil
	}
	return probe(trials, jobs)
}

// addWhole adds all stages of a trial as if nothing were done, with one training
// in place of those that tuning chooses from.
func (g *graph) addWhole(t *identity) {
	data := g.add(t.data, t)
	training := []*node{data}
	for _, c := range t.candidates {
		training = append(training, g.add(c, t, data))
	}
	if len(t.candidates) == 0 || t.trial.Seed != t.trial.First {
		training = append(training, g.add(t.finals[0], t, data))
	}
	if len(t.chains) > 0 {
		for _, s := range t.chains[0] {
			training = append(training, g.add(s, t, training...))
		}
	}
	g.add(t.score, t, training...)
}

func planTasks(trials []*identity, src *sources, seeds int) ([]PlannedTask, error) {
	var planned []PlannedTask
	seen := map[string]bool{}
	for _, t := range trials {
		for _, name := range t.trial.Tasks {
			items, from, err := src.load(t.trial, name)
			if err != nil {
				return nil, err
			}
			if key := fmt.Sprint(name, from.Digest); !seen[key] {
				seen[key] = true
				planned = append(planned, PlannedTask{name, len(items), chanceOf(items), from.File,
					results.Detectable(assumed.Disagreement, len(items), assumed.SeedSpread, seeds)})
			}
		}
	}
	return planned, nil
}

// chanceOf is the accuracy of guessing; 0 where nothing is chosen.
func chanceOf(items []tasks.Item) float64 {
	sum := 0.
	for _, item := range items {
		if len(item.Choices) < 2 {
			return 0
		}
		sum += 1 / float64(len(item.Choices))
	}
	return sum / float64(max(1, len(items)))
}

// WallTime is the estimate of the time that the run still takes.
func (p *Plan) WallTime() time.Duration { return time.Duration(p.Wall * float64(time.Second)) }
