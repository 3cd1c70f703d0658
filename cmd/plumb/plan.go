package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/experiments"
)

func init() { commands = append(commands, newPlan) }

// planOptions are the flags of plan.
type planOptions struct {
	spec specOptions
	out  string
	jobs int
	only string
}

func newPlan(a *app) *cobra.Command {
	var o planOptions
	c := &cobra.Command{
		Use:   "plan [SPEC]",
		Short: "show every trial of a spec, and what the run will cost and can tell",
		Long: `Show every trial of a spec with its solved shape, weights and operations; the
time, memory and disk that the run will take, from a measurement of about two
seconds on this machine; and the smallest difference between two models that the
items and seeds of each task can detect. Nothing is trained and nothing written.

SPEC is a TOML file, - for stdin, or the name of a spec that comes with the
program; without one the quickstart is planned. With --json each trial, each
task and the whole are one object, told apart by their kind.`,
		Example: `  plumb plan experiments/specs/depth-vs-width-novels.toml --data ../shared/data
  plumb plan quickstart --set budget.body=200_000
  plumb plan spec.toml --json | jq 'select(.kind == "trial") | {label, params}'`,
		Args:              atMost("a SPEC"),
		ValidArgsFunction: completeFirst(specNames, true),
		RunE:              func(_ *cobra.Command, args []string) error { return planSpec(a, strings.Join(args, ""), o) },
	}
	o.spec.add(c)
	c.Flags().StringVarP(&o.out, "out", "o", "runs", "folder for the results of all specs: what is there need not be done")
	c.Flags().IntVarP(&o.jobs, "jobs", "j", 0, "trials at a time (default: one a core)")
	c.Flags().StringVar(&o.only, "only", "", "only trials whose label, ID or number matches this pattern")
	return c
}

func planSpec(a *app, name string, o planOptions) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	spec, source, err := o.spec.load(a, name)
	if err != nil {
		return err
	}
	p, err := experiments.MakePlan(spec, experiments.Options{Out: o.out, Source: source, Jobs: o.jobs, Workers: a.workers, Only: o.only})
	if err != nil {
		return err
	}
	if err := a.ctx.Err(); err != nil {
		return err
	}
	if a.json {
		return a.emitPlan(p)
	}
	return a.writePlan(p)
}

// emitPlan writes a plan as objects: the trials, the tasks, the whole.
func (a *app) emitPlan(p *experiments.Plan) error {
	for _, t := range p.Trials {
		if err := a.emit(struct {
			Kind string `json:"kind"`
			experiments.PlannedTrial
		}{"trial", t}); err != nil {
			return err
		}
	}
	for _, t := range p.Tasks {
		if err := a.emit(struct {
			Kind string `json:"kind"`
			experiments.PlannedTask
		}{"task", t}); err != nil {
			return err
		}
	}
	return a.emit(struct {
		Kind string `json:"kind"`
		experiments.Plan
		Trials int  `json:"trials"` // in place of what was written above
		Tasks  *int `json:"tasks,omitempty"`
	}{Kind: "plan", Plan: *p, Trials: len(p.Trials)})
}

// writePlan prints a plan for people.
func (a *app) writePlan(p *experiments.Plan) error {
	fmt.Fprintf(a.out, "%s\n%s\n\n", a.bold(p.Name), p.Question)
	tables := []grid{plannedTrials(p), plannedCosts(p)}
	if len(p.Tasks) > 0 {
		tables = append(tables, plannedTasks(p))
	}
	for i, table := range tables {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := table.write(a.out); err != nil {
			return err
		}
	}
	if len(p.Tasks) > 0 {
		fmt.Fprintf(a.out, "\n%s\n", detectableNote(p))
	}
	return nil
}

// plannedTrials lists the trials. The time of one is that of its own training,
// recipe and scoring, without what a trial above it has too and without the
// candidates that it tunes with.
func plannedTrials(p *experiments.Plan) grid {
	g := grid{header: []string{
		"#trial", "name", "#layers", "#blocks", "#width", "#heads", "#kv", "#ffn", "#total", "#body", "#embedding", "#off budget",
		"#FLOPs/token", "#FLOPs", "#tuning runs", "#CPU time", "#memory", "state",
	}}
	for _, t := range p.Trials {
		c := t.Shape
		g.add(fmt.Sprint(t.Number), t.Label, fmt.Sprint(c.Layers), fmt.Sprint(t.Blocks), fmt.Sprint(c.Width), fmt.Sprint(c.Heads), fmt.Sprint(c.KVHeads),
			fmt.Sprint(c.Hidden), grouped(t.Params.Total), grouped(t.Params.Body), grouped(t.Params.Embedding), offBudget(t.Residual),
			countText(t.PerToken), countText(t.FLOPs), fmt.Sprint(t.Tries), secondsText(t.CPU), bytesText(t.Memory.Total), choose(t.Done, "done", ""))
	}
	return g
}

// plannedTasks says what differences the tasks can show.
func plannedTasks(p *experiments.Plan) grid {
	g := grid{header: []string{"task", "#items", "#chance", "#detectable difference, points"}}
	for _, t := range p.Tasks {
		g.add(t.Name, grouped(t.Items), fmt.Sprintf("%.3f", t.Chance), fmt.Sprintf("%.1f", 100*t.Detectable))
	}
	return g
}

// plannedCosts adds up the run.
func plannedCosts(p *experiments.Plan) grid {
	g := grid{header: []string{"the whole run", ""}}
	g.add("stages", fmt.Sprintf("%d, %d done", p.Stages, p.Done))
	g.add("training", fmt.Sprintf("%s tokens, %sFLOPs", countText(float64(p.Tokens)), spaced(countText(p.FLOPs))))
	if s := p.Speed; s != nil {
		g.add("speeds", fmt.Sprintf("%d models, %d rounds, %s%s", s.Models, s.Rounds, secondsText(s.CPU), choose(s.Done, ", done", "")))
	}
	if p.Teaching > 0 {
		g.add("teachers", fmt.Sprintf("%sFLOPs of forward passes beside that", spaced(countText(p.Teaching))))
	}
	g.add("processor time", fmt.Sprintf("%s, %s of it left", secondsText(p.CPU), secondsText(p.Left)))
	g.add("time left", fmt.Sprintf("%s with %d %s at a time", timeText(p.WallTime()), p.Jobs, plural(p.Jobs, "trial")))
	g.add("memory", plannedMemory(p))
	g.add("disk", fmt.Sprintf("%s below %s", bytesText(p.Disk), p.Folder))
	g.add("measured", fmt.Sprintf("for %.1f s, with %s kernels", p.Probe.Seconds, p.Probe.Kernels))
	return g
}

// plannedMemory is the peak, with what is available where it is known.
func plannedMemory(p *experiments.Plan) string {
	switch {
	case p.Room == 0:
		return bytesText(p.Memory)
	case p.Memory > p.Room:
		return fmt.Sprintf("%s, more than the %s available", bytesText(p.Memory), bytesText(p.Room))
	}
	return fmt.Sprintf("%s of %s available", bytesText(p.Memory), bytesText(p.Room))
}

// spaced puts a space between a number without a prefix and its unit.
func spaced(count string) string {
	if strings.ContainsRune(count, ' ') {
		return count
	}
	return count + " "
}

// secondsText writes a time, with a decimal where it is short: 0.4s, 3m20s.
func secondsText(seconds float64) string {
	if seconds < 9.95 {
		return fmt.Sprintf("%.1fs", seconds)
	}
	return timeText(time.Duration(seconds * float64(time.Second)))
}

// detectableNote says what the detectable differences rest on.
func detectableNote(p *experiments.Plan) string {
	return fmt.Sprintf("A difference of two means over seeds, each model on the same items, found with 80 %% power at the 5 %% level,\n"+
		"where two models disagree on %.0f %% of the items and seeds spread a score by %.1f points.",
		100*p.Assumed.Disagreement, 100*p.Assumed.SeedSpread)
}
