package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Change is what became of one line since an earlier report.
type Change struct {
	Section string `json:"section"`
	Shape   string `json:"shape,omitempty"`
	Name    string `json:"name"`
	Workers int    `json:"workers"`

	// Ratio is the speed now over that before, of medians in processor time, each
	// as a share of the limit that was timed in turn with it: the clock rate of the
	// processor is not the program's.
	Ratio     float64 `json:"ratio"`
	P         float64 `json:"p"`         // of a difference by chance, see mannWhitney and holm; 1 where it was not tested
	Threshold float64 `json:"threshold"` // the least change that counts, from the noise of both: 0.05 is 5 %
	Outcome   Outcome `json:"outcome"`
	Reason    string  `json:"reason,omitempty"` // why it could not be compared
}

// An Outcome says what a Change amounts to.
type Outcome string

// The outcomes.
const (
	Same     Outcome = "same"
	Slower   Outcome = "slower"
	Faster   Outcome = "faster"
	Untested Outcome = "untested"
)

// The level of the test, and the least change that counts: so many standard
// deviations of both lines together, and never less than a few percent, which a
// machine varies by from one run to the next.
const (
	level       = 0.05
	deviations  = 3
	leastChange = 0.04
)

// Compare says what became of every line that both reports have, except the
// limits: they are the machine's.
func Compare(before, now Report) (changes []Change) {
	var pairs [][2]Line
	for _, l := range now.Lines {
		at := slices.IndexFunc(before.Lines, func(b Line) bool { return b.Key() == l.Key() })
		if at >= 0 && l.Section != limitsSection.name {
			pairs = append(pairs, [2]Line{before.Lines[at], l})
		}
	}
	var tested []int
	var ps []float64
	for i, p := range pairs {
		c := change(p[0], p[1])
		if c.Reason = incomparable(p[0], p[1], len(pairs)); c.Reason == "" {
			tested, ps = append(tested, i), append(ps, mannWhitney(p[0].relative(), p[1].relative()))
		}
		changes = append(changes, c)
	}
	for i, p := range holm(ps) {
		changes[tested[i]].decide(p)
	}
	return changes
}

// change begins the comparison of two lines.
func change(before, now Line) Change {
	c := Change{Section: now.Section, Shape: now.Shape, Name: now.Name, Workers: now.Workers, P: 1, Outcome: Untested}
	if len(before.CPUSeconds) == 0 || len(now.CPUSeconds) == 0 {
		return c
	}
	c.Ratio = quartiles(before.relative())[2] / quartiles(now.relative())[2]
	c.Threshold = math.Max(leastChange, deviations*math.Hypot(deviation(before.CPUSeconds), deviation(now.CPUSeconds)))
	return c
}

// decide judges c by its probability.
func (c *Change) decide(p float64) {
	c.P, c.Outcome = p, Same
	switch {
	case p >= level:
	case c.Ratio < 1-c.Threshold:
		c.Outcome = Slower
	case c.Ratio > 1+c.Threshold:
		c.Outcome = Faster
	}
}

// relative returns what a unit of work took in each repetition, in processor
// time and, where there is a limit, in what the limit does meanwhile.
func (l Line) relative() (all []float64) {
	speed := l.LimitSpeed
	if speed == 0 {
		speed = 1
	}
	for _, s := range l.CPUSeconds {
		all = append(all, s/l.Work*speed)
	}
	return all
}

// deviation is a standard deviation as a share of the median, from the quartiles
// so that single outliers do not count.
func deviation(values []float64) float64 { return spread(values) / 1.349 }

// incomparable says why two lines of so many cannot be told apart, or nothing. A
// test that could not fail is none.
func incomparable(before, now Line, lines int) string {
	switch {
	case !before.CPU.Valid:
		return "INVALID before: " + strings.Join(before.CPU.Reasons, ", ")
	case !now.CPU.Valid:
		return "INVALID now: " + strings.Join(now.CPU.Reasons, ", ")
	case (before.LimitSpeed == 0) != (now.LimitSpeed == 0):
		return "only one of them has a limit"
	}
	n, m := len(before.CPUSeconds), len(now.CPUSeconds)
	if 2/binomial(n+m, n)*float64(lines) >= level {
		return fmt.Sprintf("%d and %d repetitions could not tell a difference among %d lines: raise --repeat", n, m, lines)
	}
	return ""
}

// Differences says in which respects two reports are not of one machine and
// setting, such that speeds cannot be compared.
func Differences(before, now Header) (all []string) {
	a, b := before.Machine, now.Machine
	for _, f := range []struct{ name, before, now string }{
		{"system", a.System, b.System},
		{"processor", a.Processor, b.Processor},
		{"instruction sets", strings.Join(a.Features, " "), strings.Join(b.Features, " ")},
		{"cores", fmt.Sprint(a.Cores), fmt.Sprint(b.Cores)},
		{"memory", fmt.Sprintf("%d bytes", a.Memory), fmt.Sprintf("%d bytes", b.Memory)},
		{"kernels", before.Kernels, now.Kernels},
		{"workers", fmt.Sprint(before.Workers), fmt.Sprint(now.Workers)},
		{"processor time known", fmt.Sprint(before.CPUTime), fmt.Sprint(now.CPUTime)},
	} {
		if f.before != f.now {
			all = append(all, fmt.Sprintf("%s: %s before, %s now", f.name, f.before, f.now))
		}
	}
	return all
}

// A Gate is what came of comparing a run with an earlier one.
type Gate struct {
	Changes   []Change `json:"changes"`
	Confirmed bool     `json:"confirmed"` // something was slower and has been measured a second time
}

// Count returns how many changes have the outcome.
func (g Gate) Count(o Outcome) (n int) {
	for _, c := range g.Changes {
		if c.Outcome == o {
			n++
		}
	}
	return n
}

// Check compares now with before. What is slower is measured a second time, by
// measure, and only what is slower again stays so: once in a while something
// else on the machine slows a line down for as long as it takes to time it.
func Check(ctx context.Context, before, now Report, o Options, measure func(context.Context, Options) (Report, error)) (Gate, error) {
	g := Gate{Changes: Compare(before, now)}
	if len(g.Changes) == 0 {
		return g, errors.New("the earlier report has none of the lines measured now: give the same sections and shapes")
	}
	if g.Count(Slower) == 0 {
		return g, nil
	}
	again, err := measure(ctx, g.suspects(o))
	if err != nil {
		return g, err
	}
	second := Compare(before, again)
	g.Confirmed = true
	for i, c := range g.Changes {
		same := func(d Change) bool { return d.key() == c.key() }
		if at := slices.IndexFunc(second, same); c.Outcome == Slower && (at < 0 || second[at].Outcome != Slower) {
			g.Changes[i].Outcome, g.Changes[i].Reason = Same, "slower once, not a second time"
		}
	}
	return g, nil
}

func (c Change) key() Key { return Key{c.Section, c.Shape, c.Name, c.Workers} }

// suspects narrows o to the sections and shapes that have become slower.
func (g Gate) suspects(o Options) Options {
	o.Only, o.Shapes = nil, nil
	for _, c := range g.Changes {
		if c.Outcome != Slower {
			continue
		}
		if !slices.Contains(o.Only, c.Section) {
			o.Only = append(o.Only, c.Section)
		}
		if !slices.Contains(o.Shapes, c.Shape) {
			o.Shapes = append(o.Shapes, c.Shape)
		}
	}
	return o
}
