package main

import (
	"fmt"
	"strings"

	"plumb/bench"
)

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
		for _, l := range r.Lines {
			if l.Section == section {
				g.add(benchCells(a, l)...)
			}
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
