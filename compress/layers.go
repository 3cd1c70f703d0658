package compress

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

func init() {
	Methods.Add("layers", Method{
		About: "the layers that change the residual stream least are removed (ShortGPT, Men et al. 2024; Gromov et al. 2024)",
		Text:  true,
		New:   func() any { return &layers{Keep: 0.75, By: "influence", Protect: 1} },
	})
}

// layers removes whole layers. Where layers share blocks it removes blocks with
// all the layers that run them, so that the way of sharing stays.
type layers struct {
	Keep float64 `stage:"keep"` // share of the layers, rounded to whole ones, halves down
	// By is influence: those go of which the mean of 1-cos(h, h') over all tokens is
	// least, where h is what a layer is given and h' what it gives (Men et al. 2024,
	// section 3). Or angular: the run goes of which the mean angle between h and h'
	// at the last token of a text is least (Gromov et al. 2024, section 3.2).
	By string `stage:"by"`
	// Protect is how many of the first layers stay in any case. Small models never
	// do without their first.
	Protect int `stage:"protect"`
}

func (l *layers) Check() error {
	if err := checkShare(l.Keep); err != nil {
		return err
	}
	if l.Protect < 0 {
		return fmt.Errorf("protect=%d: 0 or more is wanted", l.Protect)
	}
	return oneOf("by", l.By, []string{"influence", "angular"})
}

// Model implements ModelMethod.
func (l *layers) Model(m *model.Model, cal *Calibration) (*model.Model, Notes, error) {
	n, err := l.count(m.Config())
	if err != nil {
		return nil, nil, err
	}
	kept, notes, err := l.choose(m, cal, n)
	if err != nil {
		return nil, nil, err
	}
	p, err := takeApart(m)
	if err != nil {
		return nil, nil, err
	}
	if p.cfg, err = withBlocks(p.cfg, kept); err != nil {
		return nil, nil, err
	}
	p.moveBlocks(kept)
	smaller, err := p.assemble()
	return smaller, notes, err
}

// outline takes the first blocks for those that stay. Which do shows in the text,
// and so does whether windows and scales by layer allow it.
func (l *layers) outline(o model.Outline) (model.Outline, error) {
	n, err := l.count(o.Config)
	if err != nil {
		return o, err
	}
	cfg := o.Config
	cfg.Layers = n * cfg.Layers / cfg.BlockCount()
	return inBlocks(o, cfg, spread([]int{0}, n), n < o.Config.BlockCount()), nil
}

// inBlocks is o in a shape of which block b has the forms of block from[b], which
// are a guess where open.
func inBlocks(o model.Outline, cfg arch.Config, from []int, open bool) model.Outline {
	forms := map[string]model.Place{}
	for _, p := range o.Slots() {
		forms[p.Name] = p
	}
	next := model.OutlineOf(cfg)
	var places []model.Place
	for _, p := range next.Slots() {
		was := p.Name
		if p.Block >= 0 {
			was = blockSlot(from[p.Block], strings.TrimPrefix(p.Name, blockSlot(p.Block, "")))
		}
		p.Form, p.Open = forms[was].Form, forms[was].Open || open && forms[was].Form != nil && p.Block >= 0
		places = append(places, p)
	}
	return next.With(places...)
}

// count is how many blocks stay.
func (l *layers) count(cfg arch.Config) (int, error) {
	blocks := cfg.BlockCount()
	n, err := remaining(l.Keep, blocks, "layers with blocks of their own")
	if err == nil && n < l.Protect {
		err = fmt.Errorf("keep=%v of %d blocks leaves %d, but protect=%d of them stay", l.Keep, blocks, n, l.Protect)
	}
	return n, err
}

// choose lists the n blocks that stay.
func (l *layers) choose(m *model.Model, cal *Calibration, n int) ([]int, Notes, error) {
	order, blocks := m.Config().Blocks(), m.Config().BlockCount()
	var removed []int
	notes := Notes{"layers": float64(n * len(order) / blocks)}
	if l.By == "angular" {
		run, angle, err := straightest(m, cal, blocks-n, l.Protect)
		if err != nil {
			return nil, nil, err
		}
		removed = run
		notes["angle of those removed"] = angle
	} else {
		influence, err := influences(m, cal)
		if err != nil {
			return nil, nil, err
		}
		stay := spread([]int{0}, l.Protect)
		for _, b := range greatest(influence[l.Protect:], n-l.Protect) {
			stay = append(stay, l.Protect+b)
		}
		for b, v := range influence {
			if !slices.Contains(stay, b) {
				removed = append(removed, b)
				notes["influence of those removed"] += v
			}
		}
	}
	var kept []int
	for b := range blocks {
		if !slices.Contains(removed, b) {
			kept = append(kept, b)
		} else {
			notes[fmt.Sprintf("removed block %d", b)] = 1
		}
	}
	return kept, notes, nil
}

// withBlocks is the shape of a model of some blocks of one of shape cfg. Where
// the number of a layer says what it does, those that stay must go on doing it.
func withBlocks(cfg arch.Config, kept []int) (arch.Config, error) {
	var layers []int // that stay, by their numbers before
	for layer, b := range cfg.Blocks() {
		if slices.Contains(kept, b) {
			layers = append(layers, layer)
		}
	}
	next := cfg
	next.Layers = len(layers)
	for i, b := range next.Blocks() {
		if kept[b] != cfg.Blocks()[layers[i]] {
			return cfg, fmt.Errorf("sharing %s does not stay what it is without some blocks", arch.FormatSharing(cfg.Sharing, cfg.Repeat))
		}
	}
	if cfg.ScaleByLayer && layers[len(layers)-1] != len(layers)-1 {
		return cfg, errors.New("attention scores of this model are divided by the number of the layer: it cannot do without some")
	}
	return windowed(cfg, next, layers)
}

// windowed finds the first window and the distance of windows by which layer i of
// next has that of layers[i] of cfg.
func windowed(cfg, next arch.Config, layers []int) (arch.Config, error) {
	if cfg.Window == 0 {
		return next, nil
	}
	for first := range len(layers) + 1 {
		for every := 1; every <= len(layers); every++ {
			next.WindowFirst, next.WindowEvery = first, every
			same := true
			for i, layer := range layers {
				same = same && next.LayerWindow(i) == cfg.LayerWindow(layer)
			}
			if same {
				return next, nil
			}
		}
	}
	return next, fmt.Errorf("without the chosen layers windows of %d tokens do not follow at even distances any more: choose another keep", cfg.Window)
}

// influences is the block influence of each block, the sum of that of its layers.
func influences(m *model.Model, cal *Calibration) ([]float64, error) {
	order := m.Config().Blocks()
	sums := make([]float64, m.Config().BlockCount())
	width := m.Config().Width
	err := cal.eachStates(m, func(states [][]float32) {
		for layer, b := range order {
			x, y := states[layer], states[layer+1]
			for from := 0; from < len(x); from += width {
				sums[b] += (1 - cosine(x[from:from+width], y[from:from+width])) / float64(cal.Tokens())
			}
		}
	})
	return sums, err
}

// straightest lists the run of n blocks, not before block first, over which the
// last token of a text turns least, and by which share of half a turn in the mean.
func straightest(m *model.Model, cal *Calibration, n, first int) (run []int, angle float64, err error) {
	order, blocks := m.Config().Blocks(), m.Config().BlockCount()
	angles := make([]float64, blocks-n+1)
	width := m.Config().Width
	err = cal.eachStates(m, func(states [][]float32) {
		last := func(layer int) []float32 { return states[layer][len(states[layer])-width:] }
		for begin := range angles {
			for layer := 0; layer < len(order); layer++ {
				from := layer
				for layer < len(order) && order[layer] >= begin && order[layer] < begin+n {
					layer++
				}
				if layer > from {
					angles[begin] += arccos(cosine(last(from), last(layer))) / math.Pi / float64(len(cal.Texts))
				}
			}
		}
	})
	if err != nil || n == 0 {
		return nil, 0, err
	}
	best := first
	for begin := first; begin < len(angles); begin++ {
		if angles[begin] < angles[best] {
			best = begin
		}
	}
	for b := best; b < best+n; b++ {
		run = append(run, b)
	}
	return run, angles[best], nil
}

// eachStates shows see the residual stream [layers+1][tokens, width] of every text.
func (c *Calibration) eachStates(m *model.Model, see func(states [][]float32)) error {
	for _, text := range c.Texts {
		if len(text) == 0 {
			return errors.New("a calibration text is empty")
		}
		states, err := m.States(text)
		if err != nil {
			return err
		}
		for _, x := range states {
			if !kernels.AllFinite(x) {
				return errBroken
			}
		}
		see(states)
	}
	return nil
}

// cosine is that of the angle between a and b. Zero is at a right angle to all.
func cosine(a, b []float32) float64 {
	dot, aa, bb := 0.0, 0.0, 0.0
	for i, v := range a {
		x, y := float64(v), float64(b[i]) // products of float32 are exact
		dot += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return max(-1, min(1, dot/(math.Sqrt(aa)*math.Sqrt(bb))))
}

// arccos is the angle in radians of which c in [-1, 1] is the cosine, the same
// on every processor: twice the arc whose tangent is √((1-c)/(1+c)), which is
// halved until its series is short.
func arccos(c float64) float64 {
	if c <= -1 {
		return math.Pi
	}
	const halvings = 6
	t := math.Sqrt((1 - c) / (1 + c))
	for range halvings {
		t /= 1 + math.Sqrt(1+float64(t*t))
	}
	square, series := float64(t*t), 0.0
	for k := 13; k > 0; k -= 2 {
		series = 1/float64(k) - float64(square*series)
	}
	return (2 << halvings) * float64(t*series)
}
