package compress

import (
	"fmt"
	"math"
	"strings"

	"plumb/arch"
	"plumb/model"
)

func init() {
	Methods.Add("share", Method{
		About: "layers with blocks of their own come to share them, as in MobileLLM (arXiv 2402.14905v2, figure 6)",
		New:   func() any { return &sharing{Sharing: "immediate", Repeat: 2, By: "average"} },
	})
}

// sharing ties the layers of a model that would run the same block if it had been
// trained with shared layers. As many layers are run as before.
type sharing struct {
	Sharing string `stage:"sharing"` // a name in arch.Sharings
	Repeat  int    `stage:"repeat"`  // layers that share a block
	// By is what becomes the block: the average of those of its layers, matrices
	// in forms taken as dense ones, or first, that of the first of them.
	By string `stage:"by"`
}

func (s *sharing) Check() error {
	if _, _, err := arch.ParseSharing(fmt.Sprintf("%s x%d", s.Sharing, s.Repeat)); err != nil {
		return err
	}
	return oneOf("by", s.By, []string{"average", "first"})
}

// shape is what becomes of that of a model.
func (s *sharing) shape(cfg arch.Config) (arch.Config, error) {
	if cfg.Repeat > 1 {
		return cfg, fmt.Errorf("layers of this model share blocks already (%s)", arch.FormatSharing(cfg.Sharing, cfg.Repeat))
	}
	cfg.Sharing, cfg.Repeat = s.Sharing, s.Repeat
	return cfg, cfg.Validate()
}

func (s *sharing) outline(o model.Outline) (model.Outline, error) {
	cfg, err := s.shape(o.Config)
	if err != nil {
		return o, err
	}
	first := make([]int, cfg.BlockCount())
	order := cfg.Blocks()
	for layer := len(order) - 1; layer >= 0; layer-- {
		first[order[layer]] = layer
	}
	next := inBlocks(o, cfg, first, false)
	if s.By != "average" {
		return next, nil
	}
	var dense []model.Place
	for _, p := range next.Slots() {
		if p.Block >= 0 {
			p.Form, p.Open = nil, false
			dense = append(dense, p)
		}
	}
	return next.With(dense...), nil
}

// Model implements ModelMethod.
func (s *sharing) Model(m *model.Model, _ *Calibration) (*model.Model, Notes, error) {
	p, err := takeApart(m)
	if err != nil {
		return nil, nil, err
	}
	if p.cfg, err = s.shape(p.cfg); err != nil {
		return nil, nil, err
	}
	tied := make([][]int, p.cfg.BlockCount())
	for layer, b := range p.cfg.Blocks() {
		tied[b] = append(tied[b], layer)
	}
	distance := p.tie(tied, s.By == "average")
	smaller, err := p.assemble()
	return smaller, Notes{"blocks": float64(len(tied)), "layers": float64(p.cfg.Layers), "relative change of weights": distance}, err
}

// tie makes block b of the layers tied[b], and returns the distance of these from
// it as a share of their norm.
func (p *parts) tie(tied [][]int, average bool) float64 {
	change, norm := 0.0, 0.0
	first := make([]int, len(tied))
	for b, layers := range tied {
		first[b] = layers[0]
		for _, name := range p.namesOf(layers[0]) {
			all := make([][]float32, len(layers))
			for i, layer := range layers {
				all[i] = p.arrays[blockSlot(layer, name)].Data
			}
			a := p.arrays[blockSlot(layers[0], name)]
			if average {
				a.Data = mean(all)
			}
			p.arrays[a.Name] = a
			for _, data := range all {
				for i, v := range data {
					d := float64(v) - float64(a.Data[i])
					change += float64(d * d)
					norm += float64(v) * float64(v)
				}
			}
		}
	}
	if average {
		for slot := range p.forms {
			if strings.HasPrefix(slot, "blocks.") {
				delete(p.forms, slot)
			}
		}
	}
	p.moveBlocks(first)
	return math.Sqrt(change / math.Max(norm, math.SmallestNonzeroFloat64))
}

// namesOf lists the arrays of a block, in order.
func (p *parts) namesOf(block int) (names []string) {
	for _, a := range p.dense.Arrays() {
		if name, ok := strings.CutPrefix(a.Name, blockSlot(block, "")); ok {
			names = append(names, name)
		}
	}
	return names
}

// mean is that of arrays of the same length, rounded once.
func mean(all [][]float32) []float32 {
	m := make([]float32, len(all[0]))
	for i := range m {
		sum := 0.0
		for _, data := range all {
			sum += float64(data[i])
		}
		m[i] = float32(sum / float64(len(all)))
	}
	return m
}
