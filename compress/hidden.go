package compress

import "plumb/model"

func init() {
	Methods.Add("hidden", Method{
		About: "the least important hidden units of every feed-forward part are removed",
		Text:  true,
		New:   func() any { return &hidden{Keep: 0.75, worth: worth{By: "taylor"}} },
	})
}

// hidden removes as many hidden units from each block, those of least importance
// in it: an output of gate and up, an input of down. The result is a smaller
// model of the same kind.
type hidden struct {
	Keep float64 `stage:"keep"` // share of the units of each block, rounded to whole ones, halves down
	worth
}

func (h *hidden) Check() error {
	if err := checkShare(h.Keep); err != nil {
		return err
	}
	return h.worth.Check()
}

// Model implements ModelMethod.
func (h *hidden) Model(m *model.Model, cal *Calibration) (*model.Model, Notes, error) {
	p, err := takeApart(m)
	if err != nil {
		return nil, nil, err
	}
	units, err := remaining(h.Keep, p.cfg.Hidden, "hidden units")
	if err != nil {
		return nil, nil, err
	}
	all, err := h.of(p.dense, cal, "ffn.down", 1)
	if err != nil {
		return nil, nil, err
	}
	kept := make([][]int, len(all))
	for b := range all {
		kept[b] = greatest(all[b], units)
		if err := h.cut(p, b, kept[b]); err != nil {
			return nil, nil, err
		}
	}
	before := p.cfg.Hidden
	p.cfg.Hidden = units
	smaller, err := p.assemble()
	return smaller, Notes{
		"hidden units": float64(units), "removed of each block": float64(before - units),
		"kept importance": h.kept(all, kept),
	}, err
}

func (h *hidden) outline(o model.Outline) (model.Outline, error) {
	units, err := remaining(h.Keep, o.Config.Hidden, "hidden units")
	if err != nil {
		return o, err
	}
	cfg := o.Config
	cfg.Hidden = units
	return cutOutline(o, cfg, "ffn.")
}

func (h *hidden) cut(p *parts, block int, units []int) error {
	if p.cfg.Gated() {
		if err := p.cut(blockSlot(block, "ffn.gate"), units, nil); err != nil {
			return err
		}
	}
	if err := p.cut(blockSlot(block, "ffn.up"), units, nil); err != nil {
		return err
	}
	return p.cut(blockSlot(block, "ffn.down"), nil, units)
}
