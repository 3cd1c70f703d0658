package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMannWhitney(t *testing.T) {
	// Exact values: 2·(orders at least as extreme)/(n+m choose n).
	tests := []struct {
		name string
		a, b []float64
		want float64
	}{
		{"apart", []float64{1, 2, 3}, []float64{4, 5, 6}, 2. / 20},
		{"one step from it", []float64{1, 2, 4}, []float64{3, 5, 6}, 4. / 20},
		{"two steps", []float64{1, 2, 5}, []float64{3, 4, 6}, 8. / 20},
		{"mixed", []float64{1, 4, 5}, []float64{2, 3, 6}, 1},
		{"either way round", []float64{4, 5, 6}, []float64{1, 2, 3}, 2. / 20},
		{"eight and eight", []float64{1, 2, 3, 4, 5, 6, 7, 8}, []float64{9, 10, 11, 12, 13, 14, 15, 16}, 2. / 12870},
		{"all equal", []float64{1, 1, 1}, []float64{1, 1}, 1},
		{"nothing", nil, []float64{1}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mannWhitney(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	// With ties the approximation is near the exact value without them.
	tied := mannWhitney([]float64{1, 2, 3, 3, 4, 5, 6, 7}, []float64{3, 8, 9, 10, 11, 12, 13, 14})
	if exact := mannWhitney([]float64{1, 2, 3.2, 3.3, 4, 5, 6, 7}, []float64{3.1, 8, 9, 10, 11, 12, 13, 14}); math.Abs(tied-exact) > 0.002 {
		t.Errorf("%v with ties, %v without", tied, exact)
	}
}

func TestHolm(t *testing.T) {
	got := holm([]float64{0.04, 0.01, 0.03, 0.5})
	if want := []float64{0.09, 0.04, 0.09, 0.5}; !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("%v, want %v", got, want)
	}
}

// made is a report of n lines timed by a machine whose repetitions spread by
// noise to the slow side. Line 0 takes slower times as long.
func made(seed uint64, n int, noise, slower, clock float64) Report {
	random := rand.New(rand.NewPCG(seed, 1))
	r := Report{Header: Header{Format: Format}}
	run := &runner{cores: 2, known: true}
	for i := range n {
		times := Times{Spent: time.Second}
		for range 10 {
			s := 0.1 / clock * math.Exp(noise*math.Abs(random.NormFloat64()))
			if i == 0 {
				s *= slower
			}
			times.CPU, times.Wall = append(times.CPU, s), append(times.Wall, s)
		}
		l := run.line(probe{Line: Line{Section: "step", Shape: "1m", Name: fmt.Sprint(i), Workers: 1, Unit: "tokens", Work: 100, Limit: PeakLimit}}, times)
		l.LimitSpeed = 2e11 * clock
		r.Lines = append(r.Lines, l)
	}
	return r
}

// The gate must be able to fail: a planted slowdown is caught, and equal
// measurements are not flagged, over many pairs of runs.
func TestGateCatchesPlantedSlowdown(t *testing.T) {
	const lines, runs = 40, 60
	tests := []struct {
		name                string
		noise, slower       float64
		clock               float64 // rate of the processor in the second run
		leastHits, mostHits int     // of runs, on line 0
	}{
		{"equal", 0.01, 1, 1, 0, 0},
		{"equal, noisy", 0.04, 1, 1, 0, 0},
		{"equal, another clock rate", 0.01, 1, 0.85, 0, 0},
		{"10 % slower", 0.01, 1.10, 1, runs, runs},
		{"10 % slower at another clock rate", 0.01, 1.10, 1.15, runs, runs},
		{"25 % slower, noisy", 0.04, 1.25, 1, runs * 9 / 10, runs},
		{"1 % slower", 0.01, 1.01, 1, 0, 0},
		{"10 % faster", 0.01, 0.90, 1, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hits, others := 0, 0
			for seed := range uint64(runs) {
				for i, c := range Compare(made(2*seed, lines, test.noise, 1, 1), made(2*seed+1, lines, test.noise, test.slower, test.clock)) {
					switch {
					case c.Outcome == Slower && i == 0:
						hits++
					case c.Outcome == Slower || c.Outcome == Faster && i > 0:
						others++
					}
				}
			}
			if hits < test.leastHits || hits > test.mostHits || others > 0 {
				t.Errorf("caught in %d of %d runs; %d of the %d other lines flagged", hits, runs, others, runs*(lines-1))
			}
		})
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	good := made(1, 3, 0.01, 1, 1)
	short := made(2, 3, 0.01, 1, 1)
	short.Lines[0].CPU.Valid, short.Lines[0].CPU.Reasons = false, []string{"4 repetitions of 5"}
	short.Lines[1].CPUSeconds = short.Lines[1].CPUSeconds[:1]
	short.Lines[2].LimitSpeed = 0
	want := []string{
		"INVALID now: 4 repetitions of 5",
		"10 and 1 repetitions could not tell a difference among 3 lines: raise --repeat",
		"only one of them has a limit",
	}
	for i, c := range Compare(good, short) {
		if c.Outcome != Untested || c.Reason != want[i] {
			t.Errorf("%s, %q, want %q", c.Outcome, c.Reason, want[i])
		}
	}
	good.Lines[0].Section = "limits"
	if got := Compare(good, good); len(got) != 2 {
		t.Errorf("%d changes, want those of two lines without the limit", len(got))
	}
}

func TestGateConfirms(t *testing.T) {
	before := made(1, 5, 0.01, 1, 1)
	slow := made(2, 5, 0.01, 1.3, 1)
	tests := []struct {
		name   string
		now    Report
		second Report
		slower int
		reason string
	}{
		{"slow twice", slow, made(3, 5, 0.01, 1.3, 1), 1, ""},
		{"slow once", slow, made(3, 5, 0.01, 1, 1), 0, "slower once, not a second time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := Check(t.Context(), before, test.now, Options{}, func(_ context.Context, o Options) (Report, error) {
				if !slices.Equal(o.Only, []string{"step"}) || !slices.Equal(o.Shapes, []string{"1m"}) {
					t.Errorf("measures %v of %v again", o.Only, o.Shapes)
				}
				return test.second, nil
			})
			if err != nil || !g.Confirmed || g.Count(Slower) != test.slower || g.Changes[0].Reason != test.reason {
				t.Errorf("%v %+v", err, g)
			}
		})
	}
	never := func(context.Context, Options) (Report, error) { return Report{}, errors.New("measured again") }
	if g, err := Check(t.Context(), before, made(4, 5, 0.01, 1, 1), Options{}, never); err != nil || g.Confirmed {
		t.Errorf("equal runs: %v %+v", err, g)
	}
	if _, err := Check(t.Context(), Report{}, before, Options{}, never); err == nil || !strings.Contains(err.Error(), "none of the lines") {
		t.Errorf("nothing in common: %v", err)
	}
}

func TestDifferences(t *testing.T) {
	a := sample().Header
	b := a
	b.Machine.Load, b.Machine.Available, b.Version, b.Started = 7, 1, "v2", time.Now()
	if d := Differences(a, b); len(d) > 0 {
		t.Errorf("%v", d)
	}
	b.Machine.Processor, b.Kernels = "Other Processor", "generic"
	want := []string{"processor: Some Processor before, Other Processor now", "kernels: avx2 before, generic now"}
	if d := Differences(a, b); !slices.Equal(d, want) {
		t.Errorf("%v, want %v", d, want)
	}
}
