package bench

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"plumb/internal/machine"
	"plumb/kernels"
	"plumb/model"
	"plumb/results"
	"plumb/tasks"
)

// A PairLine is one thing that two models were timed with in turn.
type PairLine struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	A     Line   `json:"a"`
	B     Line   `json:"b"`
	N     int    `json:"n"` // pairs of repetitions
	Valid bool   `json:"valid"`

	// Ratio is the speed of B over that of A in processor time: the geometric mean
	// over pairs, with its 95 % interval by Student's t of the logarithms.
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// A PairReport compares two model folders.
type PairReport struct {
	Header
	Folders [2]string  `json:"folders"`
	Memory  [2]int     `json:"peak_bytes"` // most that the process held with the model alone, above what it held before; 0 where it is not known
	Lines   []PairLine `json:"lines"`
}

// Pair times the models in two folders in turn: loading, prompts, HellaSwag's
// items and decoding, with o.Workers.
func Pair(ctx context.Context, folders [2]string, o Options) (PairReport, error) {
	before := kernels.Workers()
	defer kernels.SetWorkers(before)
	r := o.runner()
	report := PairReport{Header: r.report.Header, Folders: folders}
	for i, dir := range folders {
		var err error
		if report.Memory[i], err = loadedMemory(dir); err != nil {
			return report, err
		}
	}
	probes, err := r.pairProbes(folders)
	if err != nil {
		return report, err
	}
	g := group{section: "pair"}
	for _, p := range probes {
		g.costs = append(g.costs, p.needs)
	}
	r.estimate = r.seconds(g)
	for i := 0; i < len(probes); i += 2 {
		g.costs = []float64{probes[i].needs, probes[i+1].needs}
		times, err := r.interleave(ctx, g, probes[i:i+2])
		if err != nil {
			return report, err
		}
		report.Lines = append(report.Lines, r.pairLine(probes[i], probes[i+1], times[0], times[1]))
	}
	return report, nil
}

// loadedMemory returns how much more the process holds at the peak of loading,
// scoring and decoding than before.
func loadedMemory(dir string) (int, error) {
	debug.FreeOSMemory()
	forgets, before := machine.ForgetPeak(), machine.Resident()
	m, err := model.Load(dir)
	if err != nil {
		return 0, err
	}
	m.Freeze()
	length := min(promptTokens, m.Context())
	if err := promptJob(m.Config(), length, length, "").do(m); err != nil {
		return 0, err
	}
	if err := decode(m, pairTokens(m)); err != nil || !forgets {
		return 0, err
	}
	return machine.RecentPeak() - before, nil
}

// pairTokens is how many tokens a model decodes in a repetition.
func pairTokens(m *model.Model) int { return max(1, min(32, m.Context()-1)) }

// pairProbes lists what both models are timed with, that of the first model
// before that of the second.
func (r *runner) pairProbes(folders [2]string) (probes []probe, err error) {
	var models [2]*model.Model
	for i, dir := range folders {
		if models[i], err = model.Load(dir); err != nil {
			return nil, err
		}
		models[i].Freeze()
	}
	length := min(promptTokens, models[0].Context(), models[1].Context())
	items := r.pairItems(models)
	for i, m := range models {
		name := fmt.Sprintf("prompts of %d, next token", length)
		jobs := []scoringJob{loadJob(folders[i]), promptJob(m.Config(), length, length, name), decodingJob(m)}
		if len(items[i]) > 0 {
			jobs = append(jobs, r.itemJob(m.Config(), items[i]))
		}
		for j, job := range jobs {
			p := job.probe(folders[i], r.Workers, m)
			p.Section = "pair"
			probes = slices.Insert(probes, j*(i+1)+i, p)
		}
	}
	return probes, nil
}

// pairItems returns the items that both models have room for, as each of them
// reads it.
func (r *runner) pairItems(models [2]*model.Model) (items [2][]tasks.Item) {
	for i, m := range models {
		items[i] = r.itemsFor(m.Config())
	}
	a, b := items[0], items[1]
	for i, other := range [2][]tasks.Item{b, a} {
		items[i] = slices.DeleteFunc(slices.Clone(items[i]), func(x tasks.Item) bool {
			return !slices.ContainsFunc(other, func(y tasks.Item) bool { return x.ID == y.ID })
		})
	}
	return items
}

// loadJob reads the model in dir.
func loadJob(dir string) scoringJob {
	return scoringJob{name: "load", unit: "loads", work: 1, needs: 1, do: func(*model.Model) error {
		_, err := model.Load(dir)
		return err
	}}
}

func decodingJob(m *model.Model) scoringJob {
	tokens := pairTokens(m)
	return scoringJob{
		name: "decoding", unit: "tokens", work: float64(tokens), needs: float64(tokens) * decodingBytes(m.Config()),
		do: func(m *model.Model) error { return decode(m, tokens) },
	}
}

// pairLine compares the times of one thing.
func (r *runner) pairLine(a, b probe, ta, tb Times) PairLine {
	l := PairLine{Name: a.Name, Unit: a.Unit, A: r.line(a, ta), B: r.line(b, tb)}
	l.Valid = l.A.CPU.Valid && l.B.CPU.Valid
	l.N = min(len(ta.CPU), len(tb.CPU))
	ratio := speedRatio(l.A, l.B)
	l.Ratio, l.Low, l.High = math.Exp(ratio.Mean), math.Exp(ratio.Low), math.Exp(ratio.High)
	return l
}

// speedRatio returns the logarithm of the speed of b over that of a in processor
// time: its mean over pairs of repetitions, with an interval.
func speedRatio(a, b Line) results.Interval {
	logs := make([]float64, min(len(a.CPUSeconds), len(b.CPUSeconds)))
	for i := range logs {
		logs[i] = math.Log((a.CPUSeconds[i] / a.Work) / (b.CPUSeconds[i] / b.Work))
	}
	return results.MeanInterval(logs)
}
