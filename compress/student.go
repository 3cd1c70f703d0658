package compress

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/model"
)

func init() {
	Methods.Add("skip-layers", Method{
		About: "some layers of the model at even distances, the first and the last among them, as a student begins (DistilBERT, section 3)",
		New:   func() any { return &skipLayers{Keep: 0.5} },
	})
}

// skipLayers takes layers out of a model, which makes the student that a recipe
// goes on to distil. DistilBERT's choice, 0,2,4,7,9,11 of 12, is the rule for
// any number of them: the whole numbers nearest to even steps from the first to
// the last.
type skipLayers struct {
	Keep   float64 `stage:"keep"`   // share of the layers, rounded to the nearest number of them, at least 1
	Layers string  `stage:"layers"` // those that stay, such as 0,2,4; in place of keep
}

func (s *skipLayers) Check() error {
	if !(s.Keep > 0 && s.Keep <= 1) {
		return fmt.Errorf("keep=%v: a share above 0 and up to 1 is wanted", s.Keep)
	}
	_, err := s.listed()
	return err
}

// listed reads Layers.
func (s *skipLayers) listed() ([]int, error) {
	var layers []int
	if s.Layers == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s.Layers, ",") {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || len(layers) > 0 && int(n) <= layers[len(layers)-1] {
			return nil, fmt.Errorf("layers=%s: numbers of layers from 0 up are wanted, in order, such as 0,2,4", s.Layers)
		}
		layers = append(layers, int(n))
	}
	return layers, nil
}

// Model implements ModelMethod.
func (s *skipLayers) Model(m *model.Model, _ *Calibration) (*model.Model, Notes, error) {
	layers, err := s.chosen(m.Config().Layers)
	if err != nil {
		return nil, nil, err
	}
	student, err := onlyLayers(m, layers)
	return student, Notes{"layers": float64(len(layers))}, err
}

// chosen lists the layers that stay of so many.
func (s *skipLayers) chosen(all int) ([]int, error) {
	layers, err := s.listed()
	switch {
	case err != nil:
		return nil, err
	case layers == nil:
		return evenLayers(all, max(1, int(s.Keep*float64(all)+0.5))), nil
	case layers[len(layers)-1] >= all:
		return nil, fmt.Errorf("layers=%s: the model has %d layers, of which the first is 0", s.Layers, all)
	}
	return layers, nil
}

func (s *skipLayers) outline(o model.Outline) (model.Outline, error) {
	layers, err := s.chosen(o.Config.Layers)
	if err == nil {
		err = skippable(o)
	}
	if err != nil {
		return o, err
	}
	return model.OutlineOf(withLayers(o.Config, len(layers))), nil
}

// withLayers is the shape with so many layers, each with a block of its own.
func withLayers(cfg arch.Config, layers int) arch.Config {
	cfg.Name, cfg.Layers, cfg.Sharing, cfg.Repeat = "", layers, arch.NoSharing, 1
	return cfg
}

// skippable reports why a model cannot do without some layers.
func skippable(o model.Outline) error {
	cfg := o.Config
	if cfg.ScaleByLayer || cfg.Window > 0 && (cfg.WindowEvery > 1 || cfg.WindowFirst > 0) {
		return errors.New("the layers of this model know their numbers: it cannot do without some")
	}
	for _, p := range o.Slots() {
		if p.Form != nil {
			return fmt.Errorf("%s is in form %s: take layers out before matrices are changed", p.Name, p.Kind())
		}
	}
	return nil
}

// evenLayers returns keep of the layers 0 to all-1: round(i·(all-1)/(keep-1)).
func evenLayers(all, keep int) []int {
	layers := make([]int, keep)
	for i := range layers {
		if keep > 1 {
			layers[i] = (2*i*(all-1) + keep - 1) / (2 * (keep - 1))
		}
	}
	return layers
}

// onlyLayers returns a model of some layers of m, each with a block of its own.
func onlyLayers(m *model.Model, layers []int) (*model.Model, error) {
	if err := skippable(m.Outline()); err != nil {
		return nil, err
	}
	cfg := withLayers(m.Config(), len(layers))
	blocks := m.Config().Blocks()
	var arrays []model.Array
	for _, a := range m.Arrays() {
		rest, ok := strings.CutPrefix(a.Name, "blocks.")
		if !ok {
			arrays = append(arrays, a)
			continue
		}
		number, name, _ := strings.Cut(rest, ".")
		for i, layer := range layers {
			if number == strconv.Itoa(blocks[layer]) {
				moved := a
				moved.Name = fmt.Sprintf("blocks.%d.%s", i, name)
				arrays = append(arrays, moved)
			}
		}
	}
	return model.Reshaped(cfg, arrays)
}
