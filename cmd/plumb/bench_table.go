package main

import (
	"fmt"
	"slices"
	"strings"

	"plumb/bench"
)

// emitOrWriteBench puts out a report.
func (a *app) emitOrWriteBench(r bench.Report) error {
	if a.json {
		return r.Write(a.out)
	}
	return a.writeBench(r)
}

// writeBench prints a report for people.
func (a *app) writeBench(r bench.Report) error {
	machine := benchHeader(r.Header)
	if err := machine.write(a.out); err != nil {
		return err
	}
	for _, section := range bench.Sections() {
		g := grid{header: []string{
			section, "", "#workers", "unit", "#CPU: best", "#median", "#spread", "#of the limit",
			"#wall: best", "#median", "#spread", "#CPU time of one worker", "#memory", "#n", "verdict",
		}}
		compared := false
		for _, l := range r.Lines {
			if l.Section == section {
				g.add(benchCells(a, l)...)
				compared = compared || l.Against != ""
			}
		}
		if compared {
			g = comparedForms(g, section, r.Lines)
		}
		if len(g.rows) == 0 {
			continue
		}
		fmt.Fprintln(a.out)
		if err := g.write(a.out); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.out, "\nSpeeds are per second of processor time (CPU) and on the wall; spread is between the quartiles, in time.\ndocs/bench.md says what each line means and when it is VALID.")
	return err
}

// comparedForms puts what lines say about another line behind the share of the
// limit.
func comparedForms(g grid, section string, lines []bench.Line) grid {
	const behind = 8
	g.header = slices.Insert(g.header, behind, "#× float32", "#95 %", "#time for its needs, × float32")
	at := 0
	for _, l := range lines {
		if l.Section != section {
			continue
		}
		cells := []string{"", "", ""}
		if l.Ratio > 0 {
			cells = []string{fmt.Sprintf("%.3f", l.Ratio), fmt.Sprintf("%.3f to %.3f", l.RatioLow, l.RatioHigh), fmt.Sprintf("×%.3f", l.Excess)}
		}
		g.rows[at] = slices.Insert(g.rows[at], behind, cells...)
		at++
	}
	return g
}

func benchHeader(h bench.Header) grid {
	g := grid{header: []string{"machine", ""}}
	g.add("processor", h.Machine.Processor)
	g.add("cores", fmt.Sprintf("%d, %d %s at most", h.Machine.Cores, h.Workers, plural(h.Workers, "worker")))
	g.add("kernels", h.Kernels)
	g.add("load", fmt.Sprintf("%.2f when it began", h.Machine.Load))
	return g
}

func benchCells(a *app, l bench.Line) []string {
	share, ratio, memory := "", "", ""
	if l.Share > 0 {
		share = fmt.Sprintf("%.1f %%", 100*l.Share)
	}
	if l.CPURatio > 0 {
		ratio = fmt.Sprintf("×%.3f", l.CPURatio)
	}
	if l.PeakBytes > 0 {
		memory = bytesText(l.PeakBytes)
	}
	name := l.Name
	if l.Note != "" {
		name += " (" + l.Note + ")"
	}
	unit, scale := rateUnit(l.CPU.Best, l.Unit)
	speed := func(v float64) string { return speedText(v / scale) }
	return []string{
		choose(l.Shape != "", l.Shape, l.Section), name, fmt.Sprint(l.Workers), unit,
		speed(l.CPU.Best), speed(l.CPU.Median), percent(l.CPU.Spread), share,
		speed(l.Wall.Best), speed(l.Wall.Median), percent(l.Wall.Spread), ratio, memory,
		fmt.Sprint(l.N), verdictText(a, l),
	}
}

// rateUnit is the unit of a speed in units of work a second, with a decimal
// prefix for operations and bytes, and how many a second it is.
func rateUnit(speed float64, work string) (unit string, scale float64) {
	if work == "tokens" || work == "items" {
		return work + "/s", 1
	}
	for _, prefix := range []struct {
		sign  string
		scale float64
	}{{"T", 1e12}, {"G", 1e9}, {"M", 1e6}} {
		if speed >= 2*prefix.scale {
			return prefix.sign + work + "/s", prefix.scale
		}
	}
	return work + "/s", 1
}

// speedText writes a speed: 2.61, 224, 24,111.
func speedText(v float64) string {
	if v >= 999.5 {
		return grouped(int(v + 0.5))
	}
	return significant(v)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// verdictText says what a line is worth.
func verdictText(a *app, l bench.Line) string {
	switch {
	case l.Valid():
		return "VALID"
	case l.CPU.Valid:
		return "VALID, wall " + a.red("INVALID") + ": " + strings.Join(l.Wall.Reasons, ", ")
	}
	return a.red("INVALID") + ": " + strings.Join(l.CPU.Reasons, ", ")
}

// emitOrWriteGate puts out what became of each line.
func (a *app) emitOrWriteGate(g bench.Gate) error {
	if !a.json {
		return a.writeGate(g)
	}
	for _, c := range g.Changes {
		if err := a.emit(struct {
			Kind string `json:"kind"`
			bench.Change
		}{"change", c}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) writeGate(g bench.Gate) error {
	table := grid{header: []string{"since then", "", "#workers", "#speed, × before", "#least that counts", "#p", "outcome"}}
	for _, c := range g.Changes {
		outcome := string(c.Outcome)
		if c.Outcome == bench.Slower {
			outcome = a.red("SLOWER")
		}
		if c.Reason != "" {
			outcome += ": " + c.Reason
		}
		table.add(choose(c.Shape != "", c.Shape, c.Section), c.Name, fmt.Sprint(c.Workers), fmt.Sprintf("%.3f", c.Ratio),
			percent(c.Threshold), fmt.Sprintf("%.2g", c.P), outcome)
	}
	fmt.Fprintln(a.out)
	if err := table.write(a.out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "\nMedians in processor time, each as a share of its limit; p by Mann and Whitney, corrected by Holm for all lines.")
	return err
}

// writePair prints what two models took.
func (a *app) writePair(r bench.PairReport) error {
	machine := benchHeader(r.Header)
	machine.add("A", memoryOf(r.Folders[0], r.Memory[0]))
	machine.add("B", memoryOf(r.Folders[1], r.Memory[1]))
	if err := machine.write(a.out); err != nil {
		return err
	}
	table := grid{header: []string{"in turn", "unit", "#A: median", "#spread", "#B: median", "#spread", "#B, × A", "#95 %", "#n", "verdict"}}
	for _, l := range r.Lines {
		verdict := verdictText(a, l.A)
		if l.A.Valid() || l.A.CPU.Valid && !l.B.CPU.Valid {
			verdict = verdictText(a, l.B)
		}
		name := l.Name
		for _, note := range []string{l.A.Note, l.B.Note} {
			if note != "" && !strings.Contains(name, note) {
				name += " (" + note + ")"
			}
		}
		table.add(name, l.Unit+"/s", speedText(l.A.CPU.Median), percent(l.A.CPU.Spread), speedText(l.B.CPU.Median), percent(l.B.CPU.Spread),
			fmt.Sprintf("%.3f", l.Ratio), fmt.Sprintf("%.3f to %.3f", l.Low, l.High), fmt.Sprint(l.N), verdict)
	}
	fmt.Fprintln(a.out)
	if err := table.write(a.out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "\nPer second of processor time. The ratio is a geometric mean over pairs of repetitions, with a 95 % interval.")
	return err
}

// memoryOf names a folder and what its model takes.
func memoryOf(dir string, bytes int) string {
	if bytes <= 0 {
		return dir
	}
	return fmt.Sprintf("%s, %s of memory at the peak", dir, bytesText(bytes))
}

// writeGrowth prints how training grows.
func (a *app) writeGrowth(r bench.GrowthReport) error {
	machine, b := benchHeader(r.Header), r.Base
	machine.add("base", fmt.Sprintf("%d layers, width %d, %d×%d tokens, vocabulary %d: %.1f ms a step", b.Layers, b.Width, b.Batch, b.Context, b.Vocab, 1e3*r.Seconds))
	if r.Held > 0 {
		machine.add("memory", fmt.Sprintf("%s, counted %s", bytesText(r.Held), bytesText(r.Counted)))
	}
	if err := machine.write(a.out); err != nil {
		return err
	}
	table := grid{header: []string{"doubled", "#from", "#to", "#time", "#operations", "#ratio", "#memory", "#counted", "#ratio", "verdict"}}
	for _, g := range r.Growth {
		verdict := "VALID"
		if !g.Valid {
			verdict = a.red("INVALID") + ": " + strings.Join(g.Reasons, ", ")
		}
		if len(g.Marks) > 0 {
			verdict += "; " + a.bold(strings.Join(g.Marks, "; "))
		}
		memory, excess := "", ""
		if g.Memory > 0 {
			memory, excess = times(g.Memory), fmt.Sprintf("%.3f", g.Excess)
		}
		table.add(g.Size, fmt.Sprint(g.From), fmt.Sprint(g.To), times(g.Time), times(g.Operations), fmt.Sprintf("%.3f", g.TimeExcess),
			memory, times(g.Bytes), excess, verdict)
	}
	fmt.Fprintln(a.out)
	if err := table.write(a.out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "\nA training step on one worker, best in processor time, and the memory that it takes, as multiples of the base.\nA ratio above 1 grows faster than the counts of operations and bytes say.")
	return err
}

func times(factor float64) string { return fmt.Sprintf("×%.2f", factor) }
