package main

import (
	"fmt"
	"strings"
	"time"

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
	progress     string
}

func newBench(a *app) *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench",
		Short: "measure this machine's limits and how much of them the program reaches",
		Long: `Measure what this machine can do (multiply-adds a core, bytes read from memory
and cache), and then kernels, training steps, scoring and decoding as shares of
that, in processor time and in time on the wall. What is compared is timed in
turn. Every line says whether it is VALID, and if not, why.

The sections are ` + strings.Join(bench.Sections(), ", ") + `; the limits are always measured.`,
		Example: `  plumb bench --workers 1
  plumb bench --only step --shapes 1m,10m
  plumb bench --only scoring,decoding --data ../shared/data --json > before.jsonl`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error { return runBench(a, o) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.only, "only", nil, "sections to measure, with commas between (default: all)")
	f.StringSliceVar(&o.shapes, "shapes", nil, "shapes to measure, with commas between (default: those of each section)")
	f.IntVar(&o.repeat, "repeat", 8, "repetitions of each line, at least")
	f.DurationVar(&o.time, "time", 500*time.Millisecond, "processor time for each line, at least")
	f.StringVar(&o.data, "data", "", "folder with HellaSwag's file (default: made items of the same lengths)")
	addProgress(c, &o.progress)
	for flag, names := range map[string][]string{"only": bench.Sections(), "shapes": bench.Shapes.Names()} {
		if err := c.RegisterFlagCompletionFunc(flag, completeList(names)); err != nil {
			panic("plumb: " + err.Error())
		}
	}
	return c
}

// options checks the flags.
func (o benchOptions) options(a *app) (bench.Options, error) {
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

func runBench(a *app, o benchOptions) error {
	b, err := o.options(a)
	if err != nil {
		return err
	}
	report, err := measured(a, o.progress, func(watch func(bench.Progress)) (bench.Report, error) {
		b.Watch = watch
		return bench.Run(a.ctx, b)
	})
	if err != nil {
		return err
	}
	if a.json {
		return report.Write(a.out)
	}
	return a.writeBench(report)
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
