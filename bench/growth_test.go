package bench

import (
	"math"
	"slices"
	"testing"
	"time"
)

// steadily is what a task took that took so many seconds every time, nearly.
func steadily(seconds float64) Times {
	t := Times{Spent: time.Second, Loops: 1}
	for i := range 6 {
		t.CPU = append(t.CPU, seconds*(1+0.001*float64(i)))
	}
	t.Wall = t.CPU
	return t
}

func TestGrowthTable(t *testing.T) {
	shapes := doubled(growthBase())
	base := stepOperations(shapes[0])
	times, held := []Times{steadily(1)}, []int{1 << 30}
	for _, s := range shapes[1:] {
		times = append(times, steadily(stepOperations(s)/base))
		held = append(held, int(float64(1<<30)*float64(stepMemory(s))/float64(stepMemory(shapes[0]))))
	}
	r := &runner{cores: 2, known: true}
	for _, g := range r.growthTable(shapes, times, held).Growth {
		if g.To != 2*g.From || math.Abs(g.TimeExcess-1) > 1e-9 || math.Abs(g.Excess-1) > 1e-6 || len(g.Marks) > 0 || !g.Valid {
			t.Errorf("what grows as it is counted: %+v", g)
		}
	}
	times[3] = steadily(3 * times[3].CPU[0])
	held[4] *= 2
	growth := r.growthTable(shapes, times, held).Growth
	if want := []string{"time grows 200 % faster than the operations"}; !slices.Equal(growth[2].Marks, want) {
		t.Errorf("%v, want %v", growth[2].Marks, want)
	}
	if want := []string{"memory grows 100 % faster than its count"}; !slices.Equal(growth[3].Marks, want) {
		t.Errorf("%v, want %v", growth[3].Marks, want)
	}
	times[0].CPU = times[0].CPU[:4]
	if g := r.growthTable(shapes, times, held).Growth[0]; g.Valid || g.Reasons[0] != "base: 4 repetitions of 5" {
		t.Errorf("%+v", g.Verdict)
	}
}

// Operations and bytes grow as the shapes say.
func TestDoubledShapes(t *testing.T) {
	shapes := doubled(growthBase())
	for i, s := range shapes {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if i > 0 && stepOperations(s) <= stepOperations(shapes[0]) {
			t.Errorf("%s doubled costs nothing more", s.Name)
		}
	}
	if grown := stepOperations(shapes[5]) / stepOperations(shapes[0]); grown != 2 {
		t.Errorf("twice the batch is %v times the operations", grown)
	}
}

func TestGrowMeasures(t *testing.T) {
	small := tiny()
	small.Context = 16
	o := Options{Workers: 1, Effort: Effort{Repeat: 1}}
	report, err := o.runner().grow(t.Context(), small)
	if err != nil || len(report.Growth) != len(sizes) || report.Seconds <= 0 {
		t.Fatalf("%v %+v", err, report)
	}
	for _, g := range report.Growth {
		if g.Time <= 0 || g.Valid {
			t.Errorf("one repetition gives %+v", g)
		}
	}
}
