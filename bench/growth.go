package bench

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"plumb/internal/machine"
	"plumb/kernels"
)

// A Growth says how much more a training step costs where one size is doubled,
// beside what the counts of arch say that it should.
type Growth struct {
	Size string `json:"size"` // what is doubled: "layers", "width", …
	From int    `json:"from"`
	To   int    `json:"to"`

	Time       float64 `json:"time"`        // of the processor, as a multiple of that of the base shape
	Operations float64 `json:"operations"`  // likewise, by arch.TrainFLOPs
	TimeExcess float64 `json:"time_excess"` // Time over Operations: above 1 it grows faster than the operations
	Memory     float64 `json:"memory"`      // 0 where it is not known
	Bytes      float64 `json:"bytes"`       // likewise, by arch.TrainMemory
	Excess     float64 `json:"memory_excess"`

	Verdict          // of the times
	Marks   []string `json:"marks,omitempty"` // what grows faster than its count
}

// A GrowthReport is the table of them.
type GrowthReport struct {
	Header
	Base    Shape    `json:"base"`
	Seconds float64  `json:"seconds"`       // of the processor for a step of the base
	Held    int      `json:"held_bytes"`    // memory that the base takes
	Counted int      `json:"counted_bytes"` // likewise, by arch.TrainMemory
	Growth  []Growth `json:"growth"`
}

// mostExcess is how much faster than its count a cost may grow without a mark:
// what two good measurements differ by.
const mostExcess = 1.05

// growthBase is the shape whose sizes are doubled: small enough for a table
// within a minute, and large enough for products to dominate.
func growthBase() Shape {
	c := llama(8192, 128, 192, 4, 6, 6, 512)
	c.Name = "base"
	return Shape{c, 8}
}

// A size is one of what is doubled.
type size struct {
	name   string
	of     func(Shape) int
	double func(*Shape)
}

// sizes lists what is doubled. Width takes heads and hidden width with it.
var sizes = []size{
	{"layers", func(s Shape) int { return s.Layers }, func(s *Shape) { s.Layers *= 2 }},
	{"width", func(s Shape) int { return s.Width }, func(s *Shape) {
		s.Width, s.Heads, s.KVHeads, s.Hidden = 2*s.Width, 2*s.Heads, 2*s.KVHeads, 2*s.Hidden
	}},
	{"context", func(s Shape) int { return s.Context }, func(s *Shape) { s.Context *= 2 }},
	{"vocabulary", func(s Shape) int { return s.Vocab }, func(s *Shape) { s.Vocab *= 2 }},
	{"batch", func(s Shape) int { return s.Batch }, func(s *Shape) { s.Batch *= 2 }},
}

// Grow times training steps of a small shape and of those with one size doubled,
// on one worker and all in turn, and what memory each takes alone.
func Grow(ctx context.Context, o Options) (GrowthReport, error) {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	kernels.SetWorkers(1)
	o.Workers = 1
	return o.runner().grow(ctx, growthBase())
}

func (r *runner) grow(ctx context.Context, base Shape) (GrowthReport, error) {
	shapes := doubled(base)
	held := make([]int, len(shapes))
	for i, s := range shapes {
		var err error
		if held[i], err = trainingMemory(s); err != nil {
			return GrowthReport{}, err
		}
		if err := ctx.Err(); err != nil {
			return GrowthReport{}, err
		}
	}
	times, err := r.growthTimes(ctx, shapes)
	if err != nil {
		return GrowthReport{}, err
	}
	return r.growthTable(shapes, times, held), nil
}

// doubled returns base and, for each of sizes, base with that doubled.
func doubled(base Shape) []Shape {
	shapes := []Shape{base}
	for _, z := range sizes {
		s := base
		z.double(&s)
		s.Name = z.name
		shapes = append(shapes, s)
	}
	return shapes
}

// trainingMemory returns how much more the process holds at the peak of two
// steps than before, or 0 where that is not known.
func trainingMemory(s Shape) (int, error) {
	debug.FreeOSMemory()
	forgets, before := machine.ForgetPeak(), machine.Resident()
	t, err := newTrainee(s, s.tokens())
	if err != nil {
		return 0, err
	}
	defer t.stop()
	for range 2 {
		if err := t.step(); err != nil {
			return 0, err
		}
	}
	if !forgets {
		return 0, nil
	}
	return machine.RecentPeak() - before, nil
}

// growthTimes times a step of each shape in turn.
func (r *runner) growthTimes(ctx context.Context, shapes []Shape) ([]Times, error) {
	g := group{section: "growth"}
	var probes []probe
	for _, s := range shapes {
		t, err := newTrainee(s, s.tokens())
		if err != nil {
			return nil, err
		}
		defer t.stop()
		g.costs = append(g.costs, stepOperations(s))
		probes = append(probes, probe{Line: Line{Shape: s.Name, Name: "training step"}, Task: on(1, t.step)})
	}
	r.estimate = r.seconds(g)
	return r.interleave(ctx, g, probes)
}

// growthTable compares what was measured of shapes, the base first and then one
// for each of sizes, with what arch counts.
func (r *runner) growthTable(shapes []Shape, times []Times, held []int) GrowthReport {
	base := shapes[0]
	report := GrowthReport{Header: r.report.Header, Base: base, Seconds: quartiles(times[0].CPU)[0], Held: held[0], Counted: stepMemory(base)}
	for i, z := range sizes {
		s := shapes[i+1]
		g := Growth{
			Size: z.name, From: z.of(base), To: z.of(s),
			Time:       quartiles(times[i+1].CPU)[0] / report.Seconds,
			Operations: stepOperations(s) / stepOperations(base),
			Bytes:      float64(stepMemory(s)) / float64(report.Counted),
		}
		g.TimeExcess = g.Time / g.Operations
		if report.Held > 0 && held[i+1] > 0 {
			g.Memory = float64(held[i+1]) / float64(report.Held)
			g.Excess = g.Memory / g.Bytes
		}
		cpu, _ := times[0].judge(1, r.cores, r.known)
		g.Verdict, _ = times[i+1].judge(1, r.cores, r.known)
		if !cpu.Valid {
			g.Valid, g.Reasons = false, append(g.Reasons, "base: "+strings.Join(cpu.Reasons, ", "))
		}
		g.mark()
		report.Growth = append(report.Growth, g)
	}
	return report
}

// mark notes what grows faster than its count.
func (g *Growth) mark() {
	if g.TimeExcess > mostExcess {
		g.Marks = append(g.Marks, fmt.Sprintf("time grows %.0f %% faster than the operations", 100*(g.TimeExcess-1)))
	}
	if g.Excess > mostExcess {
		g.Marks = append(g.Marks, fmt.Sprintf("memory grows %.0f %% faster than its count", 100*(g.Excess-1)))
	}
}

// stepMemory is what arch counts for the memory of training s.
func stepMemory(s Shape) int { return s.TrainMemory(s.Batch, s.Context).Total }
