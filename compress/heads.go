package compress

import (
	"fmt"

	"plumb/arch"
	"plumb/model"
)

func init() {
	Methods.Add("heads", Method{
		About: "the least important attention heads of every block are removed, with their keys and values",
		Text:  true,
		New:   func() any { return &heads{Keep: 0.75, Unit: "group", worth: worth{By: "taylor"}} },
	})
}

// heads removes as many heads from each block, those of least importance in it.
// The others keep their width, and each key-value head goes on serving as many
// query heads as any other. The result is a smaller model of the same kind.
type heads struct {
	Keep float64 `stage:"keep"` // share of the units of each block, rounded to whole ones, halves down
	// Unit is group, a key-value head with all query heads that it serves, or
	// query: as many query heads of each key-value head, all of which stay.
	Unit string `stage:"unit"`
	worth
}

func (h *heads) Check() error {
	if err := checkShare(h.Keep); err != nil {
		return err
	}
	if err := oneOf("unit", h.Unit, []string{"group", "query"}); err != nil {
		return err
	}
	return h.worth.Check()
}

// Model implements ModelMethod.
func (h *heads) Model(m *model.Model, cal *Calibration) (*model.Model, Notes, error) {
	p, err := takeApart(m)
	if err != nil {
		return nil, nil, err
	}
	before := p.cfg
	if p.cfg, err = h.shape(before); err != nil {
		return nil, nil, err
	}
	queries, groups, share, err := h.choose(p, before, cal)
	if err != nil {
		return nil, nil, err
	}
	for b := range queries {
		if err := cutHeads(p, b, queries[b], groups[b]); err != nil {
			return nil, nil, err
		}
	}
	smaller, err := p.assemble()
	return smaller, Notes{
		"heads": float64(p.cfg.Heads), "key-value heads": float64(p.cfg.KVHeads),
		"removed of each block": float64(before.Heads - p.cfg.Heads), "kept importance": share,
	}, err
}

func (h *heads) outline(o model.Outline) (model.Outline, error) {
	cfg, err := h.shape(o.Config)
	if err != nil {
		return o, err
	}
	return cutOutline(o, cfg, "attention.")
}

// shape is what becomes of that of a model.
func (h *heads) shape(cfg arch.Config) (arch.Config, error) {
	each := cfg.Heads / cfg.KVHeads
	if h.Unit == "query" {
		kept, err := remaining(h.Keep, each, "query heads of each key-value head")
		if err != nil {
			return cfg, fmt.Errorf("%w: unit=group removes whole groups", err)
		}
		cfg.Heads = cfg.KVHeads * kept
		return cfg, nil
	}
	kept, err := remaining(h.Keep, cfg.KVHeads, "key-value heads")
	if err != nil {
		return cfg, fmt.Errorf("%w: unit=query removes query heads of each", err)
	}
	cfg.KVHeads, cfg.Heads = kept, kept*each
	return cfg, nil
}

// choose lists the query heads and key-value heads that stay of each block, and
// the share of importance that is kept. p.cfg is the shape to come.
func (h *heads) choose(p *parts, before arch.Config, cal *Calibration) (queries, groups [][]int, share float64, err error) {
	each, channels := before.Heads/before.KVHeads, before.HeadDim
	if h.Unit == "group" {
		channels *= each
	}
	all, err := h.of(p.dense, cal, "attention.out", channels)
	if err != nil {
		return nil, nil, 0, err
	}
	queries, groups = make([][]int, len(all)), make([][]int, len(all))
	for b, units := range all {
		if h.Unit == "group" {
			groups[b] = greatest(units, p.cfg.KVHeads)
			queries[b] = spread(groups[b], each)
			continue
		}
		for g := range before.KVHeads {
			for _, q := range greatest(units[g*each:(g+1)*each], p.cfg.Heads/p.cfg.KVHeads) {
				queries[b] = append(queries[b], g*each+q)
			}
		}
	}
	kept := queries
	if h.Unit == "group" {
		kept = groups
	}
	return queries, groups, h.kept(all, kept), nil
}

// cutHeads keeps some query heads and key-value heads of a block; nil keeps all.
func cutHeads(p *parts, block int, queries, groups []int) error {
	q, kv := spread(queries, p.cfg.HeadDim), []int(nil)
	if groups != nil {
		kv = spread(groups, p.cfg.HeadDim)
	}
	for _, part := range []struct {
		name            string
		outputs, inputs []int
	}{{"q", q, nil}, {"k", kv, nil}, {"v", kv, nil}, {"out", nil, q}} {
		if part.outputs == nil && part.inputs == nil {
			continue
		}
		if err := p.cut(blockSlot(block, "attention."+part.name), part.outputs, part.inputs); err != nil {
			return err
		}
	}
	return nil
}
