package model

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/kernels"
)

// Formats of others know no shared blocks, so a model is written to them layer
// by layer. Which of a format's architectures can hold it is found by trial: its
// shape is described in the words of each and read back, and whatever is not the
// same then is what that architecture cannot say. Only biases may be more than
// before, as zeros, and embeddings may be scaled beforehand.

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

// A layered is a model as it is written to formats of others: of dense matrices,
// layer by layer, and where they know no scale of embeddings, with the token
// table multiplied.
type layered struct {
	*Model
	scale  float32           // of the token table, 1 for none
	formed map[string]Formed // matrices that were in other forms, by slot
	copied map[string]bool   // those of them that are written as they are
}

// layered finds how m can be written: as it is, or else with its embeddings
// scaled beforehand, which changes no bit of what the model computes. A tied
// head then needs a matrix of its own.
func (m *Model) layered(find func(arch.Config) (reading, error)) (layered, reading, error) {
	c := writtenOut(m.cfg)
	scale := float32(1)
	r, err := find(c)
	if err != nil && c.EmbeddingScale != 0 && !c.Projected() {
		c.EmbeddingScale, c.TiedHead = 0, false
		if folded, nothing := find(c); nothing == nil {
			scale, r, err = float32(m.cfg.EmbeddingScale), folded, nil
		}
	}
	if err != nil {
		return layered{}, r, err
	}
	dense, formed, err := m.expanded()
	return layered{dense, scale, formed, map[string]bool{}}, r, err
}

// expanded returns m with all of its matrices dense, and those that were not.
func (m *Model) expanded() (dense *Model, formed map[string]Formed, err error) {
	matrices := map[string]Linear{}
	formed = map[string]Formed{}
	for _, s := range m.Slots() {
		if f, ok := s.Matrix.(Formed); ok {
			matrices[s.Name], formed[s.Name] = f.Expand(), f
		}
	}
	if len(matrices) == 0 {
		return m, nil, nil
	}
	dense, err = m.With(matrices)
	return dense, formed, err
}

// array returns the weights of the array called name in a model without shared
// blocks; nil if it has none of that name, as with a bias that it lacks.
func (l layered) array(name string) []float32 {
	values := l.stored(l.place(name))
	if name == "embedding.weight" && l.scale != 1 {
		values = slices.Clone(values)
		kernels.Scale(values, l.scale)
	}
	return values
}

// place is the name that m has for the array called name in a model without shared
// blocks.
func (l layered) place(name string) string {
	if layer, rest, ok := blockName(name); ok {
		n, err := strconv.Atoi(layer)
		if err != nil {
			panic("model: layered.place: " + err.Error())
		}
		return fmt.Sprintf("blocks.%d.%s", l.order[n], rest)
	}
	if name == "head.weight" && l.cfg.TiedHead {
		return "embedding.weight"
	}
	return name
}

// stored returns the array that m has under name, nil if it has none.
func (m *Model) stored(name string) []float32 {
	i := slices.IndexFunc(m.arrays, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return m.arrays[i].Data
}

// notes say what is otherwise in the file than in the model.
func (l layered) notes(r reading) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if note := l.sharingNote(); note != "" {
		notes = append(notes, note)
	}
	if n := len(l.formed) - len(l.copied); n > 0 {
		add("%d matrices are in other forms than dense, which the format cannot say: they are expanded", n)
	}
	if n := len(l.copied); n > 0 {
		add("%d matrices are in blocks of the format and are written as they are", n)
	}
	switch size := len(l.stored("embedding.weight")); {
	case l.scale != 1 && l.cfg.TiedHead:
		add("embeddings are scaled by %v, which %s cannot say: the token table is multiplied by it, and the output matrix, no longer the same, takes %d weights more", l.scale, r.architecture, size)
	case l.scale != 1:
		add("embeddings are scaled by %v, which %s cannot say: the token table is multiplied by it", l.scale, r.architecture)
	}
	if r.zeros > 0 {
		add("%s has biases that this model lacks: %d zeros are written", r.architecture, r.zeros)
	}
	return notes
}

// sharingNote says what writing layers out costs, "" if m shares none.
func (m *Model) sharingNote() string {
	blocks := m.cfg.BlockCount()
	if blocks == m.cfg.Layers {
		return ""
	}
	block := 0
	for _, s := range blockLayout(m.cfg, "") {
		block += s.size()
	}
	return fmt.Sprintf("%d layers share %d blocks, which the format cannot say: each layer is written out, and the %d weights of the blocks become %d",
		m.cfg.Layers, blocks, block*blocks, block*m.cfg.Layers)
}
