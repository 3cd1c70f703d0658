package model

import (
	"reflect"
	"testing"

	"plumb/arch"
)

// The plan's figure for the memory of training must be that of the buffers.
func TestTrainMemoryIsWhatTheBuffersTake(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			const batch = 3
			m := mustNew(t, cfg)
			m.EnableTraining()
			weights := 0
			for _, p := range m.Params() {
				weights += 4 * len(p.Data)
			}
			if want := cfg.TrainMemory(batch, cfg.Context).Weights; weights != want {
				t.Errorf("weights take %d bytes, the plan says %d", weights, want)
			}
			checkBuffers(t, m, m.NewTape(batch, cfg.Context), cfg.TrainMemory(batch, cfg.Context))
			checkBuffers(t, m, m.NewLeanTape(batch, cfg.Context), cfg.LeanTrainMemory(batch, cfg.Context))
			panels := 0
			for _, h := range m.heldMatrices() {
				panels += bytesIn(reflect.ValueOf(h.panels), map[uintptr]bool{})
			}
			if want := cfg.PanelMemory(); panels != want {
				t.Errorf("panels take %d bytes, the plan says %d", panels, want)
			}
		})
	}
}

func checkBuffers(t *testing.T, m *Model, tape *Tape, want arch.Memory) {
	t.Helper()
	buffers := bytesIn(reflect.ValueOf(tape), map[uintptr]bool{reflect.ValueOf(m).Pointer(): true})
	if planned := want.Activations + want.Scratch + want.Logits; buffers != planned {
		t.Errorf("buffers take %d bytes, the plan says %d (lean: %v)", buffers, planned, tape.lean)
	}
}

// bytesIn adds up the numbers in the slices that v reaches, each array once,
// leaving out what seen holds and tables that do not grow with the batch.
func bytesIn(v reflect.Value, seen map[uintptr]bool) int {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] || v.Type().String() == "*kernels.RotaryTable" {
			return 0
		}
		seen[v.Pointer()] = true
		return bytesIn(v.Elem(), seen)
	case reflect.Struct:
		sum := 0
		for i := range v.NumField() {
			sum += bytesIn(v.Field(i), seen)
		}
		return sum
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Pointer {
			if v.Len() == 0 || seen[v.Pointer()] {
				return 0
			}
			seen[v.Pointer()] = true
			return v.Len() * int(v.Type().Elem().Size())
		}
		sum := 0
		for i := range v.Len() {
			sum += bytesIn(v.Index(i), seen)
		}
		return sum
	}
	return 0
}
