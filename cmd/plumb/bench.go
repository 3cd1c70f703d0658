package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"plumb/bench"
	"plumb/tasks"
)

func init() { commands = append(commands, newBench) }

// benchOptions are the flags of bench.
type benchOptions struct {
	only, shapes []string
	repeat       int
	time         time.Duration
	data         string
	baseline     string
	force        bool
	growth       bool
	progress     string
}

func newBench(a *app) *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench [A B]",
		Short: "measure this machine's limits and how much of them the program reaches",
		Long: `Measure what this machine can do (multiply-adds a core, bytes read from memory
and cache), and then kernels, training steps, scoring and decoding as shares of
that, in processor time and in time on the wall. What is compared is timed in
turn. Every line says whether it is VALID, and if not, why. docs/bench.md says
what each line means.

` + sectionsText() + `
The limits are always measured.

With the folders of two models, A and B, loading, scoring and decoding of both
are timed in turn. With --baseline a report of an earlier --json is compared
with; the status is 4 where a line has become slower, measured twice, or where
nothing could be compared. With --growth each size of a small model is doubled,
and what a training step then costs is put beside what its counts say.`,
		Example: `  plumb bench --workers 1
  plumb bench --only step --shapes 1m,10m
  plumb bench --workers 1 --json > before.jsonl
  plumb bench --workers 1 --baseline before.jsonl
  plumb bench runs/quickstart/A/model runs/quickstart/B/model
  plumb bench --growth`,
		Args: o.checkArgs,
		RunE: func(_ *cobra.Command, args []string) error { return o.run(a, args) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.only, "only", nil, "sections to measure, with commas between (default: all)")
	f.StringSliceVar(&o.shapes, "shapes", nil, "shapes to measure, with commas between (default: those of each section)")
	f.IntVar(&o.repeat, "repeat", 8, "repetitions of each line, at least")
	f.DurationVar(&o.time, "time", 500*time.Millisecond, "processor time for each line, at least")
	f.StringVar(&o.data, "data", "", "folder with HellaSwag's file (default: made items of the same lengths)")
	f.StringVar(&o.baseline, "baseline", "", "earlier report to compare with, a file that --json wrote")
	f.BoolVar(&o.force, "force", false, "compare with the report of another machine or setting all the same")
	f.BoolVar(&o.growth, "growth", false, "how training grows with each size of a model, against its counts")
	addProgress(c, &o.progress)
	for flag, names := range map[string][]string{"only": bench.Sections(), "shapes": bench.Shapes.Names()} {
		if err := c.RegisterFlagCompletionFunc(flag, completeList(names)); err != nil {
			panic("plumb: " + err.Error())
		}
	}
	return c
}

// options checks the flags.
func (o *benchOptions) options(a *app) (bench.Options, error) {
	b := bench.Options{
		Only: o.only, Shapes: o.shapes, Workers: a.workers, Version: version(),
		Effort: bench.Effort{Repeat: o.repeat, Time: o.time},
	}
	if o.repeat < 1 || o.repeat > bench.MostRepetitions {
		return b, fmt.Errorf("--repeat=%d must be from 1 to %d", o.repeat, bench.MostRepetitions)
	}
	if o.time < 0 || o.time > time.Hour {
		return b, fmt.Errorf("--time=%v must be from 0 to 1h", o.time)
	}
	if o.data == "" {
		return b, nil
	}
	if err := checkFolder(o.data); err != nil {
		return b, err
	}
	items, _, err := tasks.Load("hellaswag", tasks.Source{Dir: o.data})
	b.Items = items
	return b, err
}

// sectionsText says what each section times, a line each and broken where it
// gets too long for a terminal.
func sectionsText() string {
	const margin, width = 12, 78
	var text strings.Builder
	for _, name := range bench.Sections() {
		line := fmt.Sprintf("  %-*s", margin-2, name)
		for word := range strings.FieldsSeq(bench.About(name)) {
			if utf8.RuneCountInString(line)+utf8.RuneCountInString(word) > width {
				text.WriteString(strings.TrimRight(line, " ") + "\n")
				line = strings.Repeat(" ", margin)
			}
			line += word + " "
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

// checkArgs demands no folder or two, and that no more than one thing is asked for.
func (o *benchOptions) checkArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 1 || len(args) > 2:
		return fmt.Errorf("%s compares two model folders, not %d (%s --help has examples)", c.CommandPath(), len(args), c.CommandPath())
	case len(args) == 2 && (o.growth || o.baseline != ""), o.growth && o.baseline != "":
		return errors.New("two folders, --growth and --baseline exclude each other: give one of them")
	case (len(args) == 2 || o.growth) && (len(o.only) > 0 || len(o.shapes) > 0):
		return errors.New("--only and --shapes choose lines of a whole report: leave them out with two folders or --growth")
	case o.force && o.baseline == "":
		return errors.New("--force is about --baseline: give both")
	}
	return nil
}

// run does what was asked for.
func (o *benchOptions) run(a *app, args []string) error {
	b, err := o.options(a)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2:
		return o.pair(a, args, b)
	case o.growth:
		return o.grow(a, b)
	case o.baseline != "":
		return o.compare(a, b)
	}
	report, err := o.measure(a)(a.ctx, b)
	if err != nil {
		return err
	}
	return a.emitOrWriteBench(report)
}

// measure returns a run of the benchmark that shows progress.
func (o *benchOptions) measure(a *app) func(context.Context, bench.Options) (bench.Report, error) {
	return func(ctx context.Context, b bench.Options) (bench.Report, error) {
		return measured(a, o.progress, func(watch func(bench.Progress)) (bench.Report, error) {
			b.Watch = watch
			return bench.Run(ctx, b)
		})
	}
}

// compare measures and compares with an earlier report.
func (o *benchOptions) compare(a *app, b bench.Options) error {
	before, err := bench.ReadFile(o.baseline)
	if err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	if differ := bench.Differences(before.Header, bench.HeaderOf(b)); len(differ) > 0 {
		text := fmt.Sprintf("--baseline=%s was measured elsewhere:\n  %s", o.baseline, strings.Join(differ, "\n  "))
		if !o.force {
			return fmt.Errorf("%s\nspeeds cannot be compared; --force does it all the same", text)
		}
		a.notef("%s", text)
	}
	measure := o.measure(a)
	now, err := measure(a.ctx, b)
	if err != nil {
		return err
	}
	gate, err := bench.Check(a.ctx, before, now, b, measure)
	if err != nil {
		return err
	}
	if err := a.emitOrWriteBench(now); err != nil {
		return err
	}
	if err := a.emitOrWriteGate(gate); err != nil {
		return err
	}
	return gateFailure(gate, o.baseline)
}

// gateFailure says what must not be missed about a comparison.
func gateFailure(g bench.Gate, baseline string) error {
	slower, untested := g.Count(bench.Slower), g.Count(bench.Untested)
	switch {
	case slower > 0:
		return withStatus(statusIncomplete, fmt.Errorf("%d of %d lines are slower than in %s", slower, len(g.Changes), baseline))
	case untested == len(g.Changes):
		return withStatus(statusIncomplete, fmt.Errorf("none of %d lines could be compared with %s: measure longer, on a quieter machine", untested, baseline))
	}
	return nil
}

// pair compares two model folders.
func (o *benchOptions) pair(a *app, args []string, b bench.Options) error {
	var folders [2]string
	for i, path := range args {
		dir, err := modelDir(path)
		if err != nil {
			return err
		}
		folders[i] = dir
	}
	report, err := measured(a, o.progress, func(watch func(bench.Progress)) (bench.PairReport, error) {
		b.Watch = watch
		return bench.Pair(a.ctx, folders, b)
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(report)
	}
	return a.writePair(report)
}

// grow shows how training grows.
func (o *benchOptions) grow(a *app, b bench.Options) error {
	report, err := measured(a, o.progress, func(watch func(bench.Progress)) (bench.GrowthReport, error) {
		b.Watch = watch
		return bench.Grow(a.ctx, b)
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(report)
	}
	return a.writeGrowth(report)
}

// measured shows progress while measure runs.
func measured[R any](a *app, progress string, measure func(watch func(bench.Progress)) (R, error)) (r R, err error) {
	m, err := a.newMeter(progress)
	if err != nil {
		return r, err
	}
	defer m.finish()
	return measure(func(p bench.Progress) {
		line := fmt.Sprintf("%3.0f %%  %s left  %s %s %s", 100*p.Share, timeText(p.Left), p.Section, p.Shape, p.Name)
		m.show(standing{line, p})
	})
}
