package arch

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumb/internal/registry"
)

// Largest sizes that a Config may have. They are far above any real model, and
// small enough that no count overflows an int.
const (
	maxWidth   = 1 << 20
	maxHidden  = 1 << 22
	maxLayers  = 1 << 11
	maxVocab   = 1 << 26
	maxContext = 1 << 24
)

// Validate reports everything that is wrong with c, joined into one error of
// one line a problem. Each line names the field as specs do, its value, and
// what would be right.
func (c Config) Validate() error {
	var p problems
	c.checkSizes(&p)
	c.checkHeads(&p)
	c.checkSharing(&p)
	c.checkKinds(&p)
	c.checkPosition(&p)
	c.checkRarer(&p)
	return errors.Join(p...)
}

// problems collects what is wrong.
type problems []error

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// within demands low <= value <= high.
func (p *problems) within(field string, value, low, high int) bool {
	switch {
	case value < low:
		p.addf("%s = %d is too small: it must be at least %d", field, value, low)
	case value > high:
		p.addf("%s = %d is too large: it must be at most %d", field, value, high)
	default:
		return true
	}
	return false
}

// oneOf demands that value is in names.
func (p *problems) oneOf(field, value string, names []string) {
	if slices.Contains(names, value) {
		return
	}
	hint := registry.Hint(value, names)
	p.addf("%s = %q is unknown (have %s)%s", field, value, strings.Join(names, ", "), hint)
}

// atLeastZero demands a finite number that is not negative.
func (p *problems) atLeastZero(field string, value float64) {
	if !(value >= 0) || math.IsInf(value, 0) {
		p.addf("%s = %v must be a finite number of 0 or more", field, value)
	}
}

func (c Config) checkSizes(p *problems) {
	p.within("vocab", c.Vocab, 2, maxVocab)
	p.within("context", c.Context, 1, maxContext)
	p.within("layers", c.Layers, 1, maxLayers)
	p.within("width", c.Width, 1, maxWidth)
	p.within("hidden", c.Hidden, 1, maxHidden)
}

func (c Config) checkHeads(p *problems) {
	heads := p.within("heads", c.Heads, 1, maxWidth)
	kv := p.within("kv_heads", c.KVHeads, 1, maxWidth)
	dim := p.within("head_dim", c.HeadDim, 1, maxWidth)
	if heads && kv && c.Heads%c.KVHeads != 0 {
		p.addf("heads = %d is no multiple of kv_heads = %d: each key-value head serves as many query heads as any other, so use kv_heads = %s",
			c.Heads, c.KVHeads, divisors(c.Heads))
	}
	if heads && dim && c.Heads*c.HeadDim > maxWidth {
		p.addf("heads × head_dim = %d × %d is too large: it must be at most %d", c.Heads, c.HeadDim, maxWidth)
	}
}

// divisors lists the divisors of n in words: "1, 3 or 9".
func divisors(n int) string {
	var all []string
	for d := 1; d <= n; d++ {
		if n%d == 0 {
			all = append(all, fmt.Sprint(d))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func (c Config) checkSharing(p *problems) {
	name := cmp.Or(c.Sharing, NoSharing)
	if _, err := Sharings.Get(name); err != nil {
		p.addf("sharing: %w", err)
		return
	}
	switch {
	case c.Repeat < 0:
		p.addf("repeat = %d is too small: it must be at least 1", c.Repeat)
	case name == NoSharing && c.Repeat > 1:
		p.addf("repeat = %d with sharing %q: it takes no repeat count, so use repeat = 1 or another sharing (%s)",
			c.Repeat, name, strings.Join(Sharings.Names(), ", "))
	case c.Layers > 0 && c.Repeat > 1 && c.Layers%c.Repeat != 0:
		p.addf("layers = %d is no multiple of repeat = %d: every block runs %d times, so use layers = %d or %d",
			c.Layers, c.Repeat, c.Repeat, max(1, c.Layers/c.Repeat)*c.Repeat, (c.Layers/c.Repeat+1)*c.Repeat)
	}
}

func (c Config) checkKinds(p *problems) {
	p.oneOf("activation", c.Activation, Activations)
	p.oneOf("norm", c.Norm, Norms)
	p.oneOf("position", c.Position, Positions)
	if !(c.NormEps > 0) || c.NormEps >= 1 {
		p.addf("norm_eps = %v must be above 0 and below 1, such as 1e-5", c.NormEps)
	}
	p.atLeastZero("embedding_scale", c.EmbeddingScale)
}

func (c Config) checkPosition(p *problems) {
	if c.Position != "rotary" {
		return
	}
	if !(c.RotaryTheta > 1) || math.IsInf(c.RotaryTheta, 0) {
		p.addf("rotary_theta = %v must be a finite number above 1, such as 10000", c.RotaryTheta)
	}
	if !(c.RotaryShare > 0 && c.RotaryShare <= 1) {
		p.addf("rotary_share = %v must be above 0 and at most 1: 1 rotates all of each head", c.RotaryShare)
	} else if c.HeadDim > 0 && c.RotaryChannels() == 0 {
		p.addf("rotary_share = %v of head_dim = %d leaves no pair of channels to rotate: use at least %v",
			c.RotaryShare, c.HeadDim, min(1, 2/float64(c.HeadDim)))
	} else if c.RotaryShare == 1 && c.HeadDim%2 != 0 {
		p.addf("head_dim = %d is odd: rotary positions turn pairs of channels, so use %d", c.HeadDim, c.HeadDim+1)
	}
}

func (c Config) checkRarer(p *problems) {
	c.checkNorms(p)
	p.within("embedding_width", c.EmbeddingWidth, 0, max(0, c.Width))
	p.within("window", c.Window, 0, maxContext)
	p.within("window_first", c.WindowFirst, 0, maxLayers)
	p.within("window_every", c.WindowEvery, 0, maxLayers)
	p.within("position_offset", c.PositionOffset, 0, maxContext)
	p.within("token_types", c.TokenTypes, 0, maxVocab)
	p.atLeastZero("attention_scale", c.AttentionScale)
	p.atLeastZero("attention_soft_cap", c.AttentionSoftCap)
	p.atLeastZero("final_soft_cap", c.FinalSoftCap)
	c.RotaryScaling.check(p)
}

func (c Config) checkNorms(p *problems) {
	if !slices.Contains([]int{0, 1, 2, 4}, c.NormsPerLayer) {
		p.addf("norms_per_layer = %d is none of 1, 2 and 4", c.NormsPerLayer)
	}
	if c.NormsPerLayer == 1 && !c.ParallelResidual {
		p.addf("norms_per_layer = 1 without parallel_residual: attention and feed-forward each read a norm of their own, so use 2")
	}
	if c.ParallelResidual && (c.NormsPerLayer == 4 || c.PostNorm) {
		p.addf("parallel_residual with norms behind attention or the sums: use norms_per_layer = 1 or 2, and no post_norm")
	}
	if c.PostNorm && c.NormsPerLayer == 4 {
		p.addf("post_norm with norms_per_layer = 4: norms follow either the sums or what is added, so use norms_per_layer = 2")
	}
}

func (s RotaryScaling) check(p *problems) {
	linear := s == RotaryScaling{Factor: s.Factor}
	bands := s.LowFrequency > 0 && s.HighFrequency > s.LowFrequency && s.Context > 0 && !math.IsInf(s.HighFrequency, 0)
	if s != (RotaryScaling{}) && (!(s.Factor >= 1) || math.IsInf(s.Factor, 0) || !linear && !bands) {
		p.addf("rotary_scaling = %+v needs a factor of 1 or more and either nothing else or 0 < low_frequency < high_frequency and the context it starts from", s)
	}
}
