package model

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"plumb/arch"
)

// Formats of others know no shared blocks, so a model is written to them layer
// by layer. Which of a format's architectures can hold it is found by trial: its
// shape is described in the words of each and read back, and whatever is not the
// same then is what that architecture cannot say. Only biases may be more than
// before: those that a model lacks are written as zeros.

// writtenOut returns c without what changes nothing, its layers each with a
// block of their own. Norm gains hold their offset while a model runs.
func writtenOut(c arch.Config) arch.Config {
	c.Name, c.Sharing, c.Repeat, c.NormOffset = "", "", 1, 0
	if c.Position != "rotary" {
		c.RotaryTheta, c.RotaryShare, c.RotaryScaling = 0, 0, arch.RotaryScaling{}
	}
	if c.EmbeddingScale == 1 {
		c.EmbeddingScale = 0
	}
	if c.NormsPerLayer == 2 {
		c.NormsPerLayer = 0
	}
	if float32(c.AttentionScale) == float32(1/math.Sqrt(float64(max(1, c.HeadDim)))) {
		c.AttentionScale = 0
	}
	if c.WindowEvery == 1 {
		c.WindowEvery = 0
	}
	if c.Window == 0 {
		c.WindowFirst, c.WindowEvery = 0, 0
	}
	return c
}

// A reading is how an architecture of a format understands a shape.
type reading struct {
	architecture string
	config       arch.Config // what a reader of the file would run
	wrong        []string    // what is not as it was
	zeros        int         // numbers that are written as zero biases
}

// understand compares what an architecture says with what was meant.
func understand(architecture string, said, meant arch.Config, problem error) reading {
	r := reading{architecture: architecture, config: said}
	if problem != nil {
		r.wrong = strings.Split(problem.Error(), "\n")
	}
	said = writtenOut(said)
	for _, bias := range []struct {
		said  *bool
		meant bool
	}{{&said.QKVBias, meant.QKVBias}, {&said.OutBias, meant.OutBias}, {&said.FFNBias, meant.FFNBias}, {&said.HeadBias, meant.HeadBias}} {
		*bias.said = *bias.said && bias.meant
	}
	r.wrong = append(r.wrong, differences(said, meant)...)
	r.zeros = sizeOf(r.config) - sizeOf(meant)
	return r
}

func sizeOf(c arch.Config) int {
	n := 0
	for _, s := range layout(c) {
		n += s.size()
	}
	return n
}

// differences names the fields of two shapes that differ by more than float32
// can tell.
func differences(said, meant arch.Config) []string {
	var list []string
	a, b := reflect.ValueOf(said), reflect.ValueOf(meant)
	for i := range a.NumField() {
		x, y := a.Field(i), b.Field(i)
		if x.Equal(y) || x.CanFloat() && float32(x.Float()) == float32(y.Float()) {
			continue
		}
		key, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("toml"), ",")
		list = append(list, fmt.Sprintf("%s = %v there and %v here", key, x, y))
	}
	return list
}

// best returns the first of the readings that say all with the fewest zeros. If
// none does, the error says what the nearest lacks.
func best(format string, readings []reading) (reading, error) {
	r := slices.MinFunc(readings, func(a, b reading) int {
		return cmp.Or(cmp.Compare(len(a.wrong), len(b.wrong)), cmp.Compare(a.zeros, b.zeros))
	})
	if len(r.wrong) > 0 {
		return r, fmt.Errorf("no architecture of %s has this shape; the nearest is %s, but %s", format, r.architecture, strings.Join(r.wrong, ", "))
	}
	return r, nil
}

// layerArray returns the weights of the array called name in a model without
// shared blocks; nil if m has none of that name, as with a bias that it lacks.
func (m *Model) layerArray(name string) []float32 {
	if layer, rest, ok := blockName(name); ok {
		var n int
		fmt.Sscan(layer, &n)
		name = fmt.Sprintf("blocks.%d.%s", m.order[n], rest)
	}
	i := slices.IndexFunc(m.arrays, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return m.arrays[i].Data
}

// sharingNote says what writing layers out costs, "" if m shares none.
func (m *Model) sharingNote(written arch.Config) string {
	blocks := m.cfg.BlockCount()
	if blocks == m.cfg.Layers {
		return ""
	}
	meant := m.cfg
	meant.Layers, meant.Sharing, meant.Repeat = blocks, "", 1
	own, all := sizeOf(meant), sizeOf(written)
	return fmt.Sprintf("%d layers share %d blocks, which the format cannot say: each layer is written out, %d weights in place of %d (%.2f times)",
		m.cfg.Layers, blocks, all, own, float64(all)/float64(own))
}
