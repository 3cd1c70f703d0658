package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"plumb/model"
)

// checkpointFormat is the version of what a checkpoint holds.
const checkpointFormat = "plumb-checkpoint-1"

// checkpointFiles take turns, so that a whole one is left if the newer turns
// out to be damaged.
var checkpointFiles = [2]string{"checkpoint-a.safetensors", "checkpoint-b.safetensors"}

// progress is what a run must know to go on, beside the arrays.
type progress struct {
	Step     int     `json:"step"`                // steps taken
	Curve    []Point `json:"curve"`               // what was measured so far
	Sum      float64 `json:"sum"`                 // of losses since the last point, nats per token
	LabelSum float64 `json:"label_sum,omitempty"` // of the text's cross-entropy alone, likewise
	Count    int     `json:"count"`               // of losses since the last point
	Ceiling  float64 `json:"ceiling"`             // loss above which the run has diverged
}

const (
	runKey      = "run"
	progressKey = "progress"
	firstPart   = "first."
	secondPart  = "second."
)

// saveCheckpoint replaces the older of the two checkpoints in dir.
func (r *run) saveCheckpoint() error {
	state, err := json.Marshal(r.progress)
	if err != nil {
		return err
	}
	var arrays []model.Array
	for i, p := range r.model.Params() {
		arrays = append(arrays, model.Array{Name: p.Name, Shape: p.Shape, Data: p.Data},
			model.Array{Name: firstPart + p.Name, Shape: p.Shape, Data: r.opt.first[i]},
			model.Array{Name: secondPart + p.Name, Shape: p.Shape, Data: r.opt.second[i]})
	}
	path := filepath.Join(r.Dir, checkpointFiles[r.slot])
	metadata := map[string]string{runKey: r.ID, progressKey: string(state)}
	if err := model.WriteArrays(path, checkpointFormat, metadata, arrays); err != nil {
		return err
	}
	r.slot = 1 - r.slot
	return nil
}

// restore continues from the newest whole checkpoint of this run in dir, if
// there is one. What cannot be used is reported through Warn.
func (r *run) restore() error {
	var best model.Arrays
	var state progress
	for slot, name := range checkpointFiles {
		arrays, found, err := r.readCheckpoint(filepath.Join(r.Dir, name))
		if err != nil {
			r.Warn(err)
			continue
		}
		if arrays.Data != nil && (best.Data == nil || found.Step > state.Step) {
			best, state, r.slot = arrays, found, 1-slot
		}
	}
	if best.Data == nil {
		return nil
	}
	r.progress = state
	for i, p := range r.model.Params() {
		copy(p.Data, best.Data[p.Name].Data)
		copy(r.opt.first[i], best.Data[firstPart+p.Name].Data)
		copy(r.opt.second[i], best.Data[secondPart+p.Name].Data)
	}
	return nil
}

// readCheckpoint reads and checks one file; no file is no error.
func (r *run) readCheckpoint(path string) (model.Arrays, progress, error) {
	arrays, err := model.ReadArrays(path, checkpointFormat)
	if errors.Is(err, fs.ErrNotExist) {
		return model.Arrays{}, progress{}, nil
	}
	if err != nil {
		return model.Arrays{}, progress{}, fmt.Errorf("checkpoint set aside: %w", err)
	}
	if got := arrays.Metadata[runKey]; got != r.ID {
		return model.Arrays{}, progress{}, fmt.Errorf("checkpoint %s set aside: it belongs to run %s, this is %s", path, got, r.ID)
	}
	var state progress
	if err := json.Unmarshal([]byte(arrays.Metadata[progressKey]), &state); err != nil {
		return model.Arrays{}, progress{}, fmt.Errorf("checkpoint %s set aside: %w", path, err)
	}
	for _, p := range r.model.Params() {
		for _, name := range []string{p.Name, firstPart + p.Name, secondPart + p.Name} {
			if len(arrays.Data[name].Data) != len(p.Data) {
				return model.Arrays{}, progress{}, fmt.Errorf("checkpoint %s set aside: array %q does not fit", path, name)
			}
		}
	}
	return arrays, state, nil
}
