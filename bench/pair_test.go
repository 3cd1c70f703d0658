package bench

import (
	"math"
	"path/filepath"
	"testing"

	"plumb/model"
)

func TestPairLine(t *testing.T) {
	r := &runner{cores: 2, known: true}
	line := func(work float64) probe {
		return probe{Line: Line{Name: "decoding", Unit: "tokens", Work: work, Workers: 1}}
	}
	a, b := steadily(2), steadily(1)
	b.CPU, b.Wall = b.CPU[:5], b.Wall[:5]
	l := r.pairLine(line(10), line(20), a, b)
	if l.N != 5 || math.Abs(l.Ratio-4) > 1e-9 || l.Low > l.Ratio || l.High < l.Ratio || l.High-l.Low > 1e-6 || !l.Valid {
		t.Errorf("twice the work in half the time: %+v", l)
	}
	b.CPU = scaled(b.CPU, 1)
	b.CPU[0] *= 1.5
	if l := r.pairLine(line(10), line(20), a, b); l.High/l.Low < 1.1 {
		t.Errorf("an interval of %v to %v for uneven pairs", l.Low, l.High)
	}
}

func TestPairMeasures(t *testing.T) {
	var folders [2]string
	for i := range folders {
		m, err := model.New(tiny().Config, model.Init{}, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		folders[i] = filepath.Join(t.TempDir(), "model")
		if err := m.Save(folders[i]); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Pair(t.Context(), folders, Options{Workers: 1, Effort: Effort{Repeat: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"load", "prompts of 512, next token", "decoding", "hellaswag"} {
		if l := r.Lines[i]; l.Name != name || l.N != 1 || l.Ratio <= 0 || l.Valid {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	if _, err := Pair(t.Context(), [2]string{folders[0], t.TempDir()}, Options{}); err == nil {
		t.Error("an empty folder is timed")
	}
}
