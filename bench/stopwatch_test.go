package bench

import (
	"path/filepath"
	"testing"

	"plumb/model"
)

// A stopwatch times a model line by line, repetitions of equal length, and
// judges them as a report's lines are judged.
func TestStopwatch(t *testing.T) {
	m, err := model.New(tiny().Config, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	s := NewStopwatch(1)
	lines := map[string][]Repetition{}
	for range 2 {
		all, err := s.Repeat(dir)
		if err != nil || len(all) != 3 {
			t.Fatalf("%v, %v", all, err)
		}
		for _, r := range all {
			if r.CPU <= 0 || r.Wall <= 0 || r.Loops < 1 || r.Work < 1 {
				t.Errorf("%+v", r)
			}
			lines[r.Name] = append(lines[r.Name], r)
		}
	}
	for _, name := range []string{LoadLine, PromptLine, DecodingLine} {
		cpu, _ := s.Judge(lines[name])
		if cpu.Median <= 0 || cpu.Low > cpu.High || cpu.Valid {
			t.Errorf("two repetitions of %s: %+v", name, cpu)
		}
	}
	resident, peak, err := s.Memory(dir)
	if stored := m.Size().Bytes; err != nil || resident < stored || resident > 2*stored+1<<20 || peak < 0 {
		t.Errorf("%d bytes held and %d at the peak, %d stored: %v", resident, peak, stored, err)
	}
	if _, err := s.Repeat(t.TempDir()); err == nil {
		t.Error("an empty folder is timed")
	}
}
