package arch

import (
	"errors"
	"fmt"
	"math"
)

// A Budget is what a fitted shape may cost. Exactly one field is above 0.
type Budget struct {
	Total int     `toml:"total" json:"total,omitempty"` // parameters, as Params.Total
	Body  int     `toml:"body" json:"body,omitempty"`   // parameters, as Params.Body
	FLOPs float64 `toml:"flops" json:"flops,omitempty"` // training operations a token at the shape's context, as TrainFLOPs
}

// Name says which field of b is set, by its name in specs: "total", "body",
// "flops", or "" when none is.
func (b Budget) Name() string {
	switch {
	case b.Total != 0:
		return "total"
	case b.Body != 0:
		return "body"
	case b.FLOPs != 0:
		return "flops"
	}
	return ""
}

// wanted returns the field that is set.
func (b Budget) wanted() float64 {
	switch b.Name() {
	case "total":
		return float64(b.Total)
	case "body":
		return float64(b.Body)
	}
	return b.FLOPs
}

// Of returns what c costs in the unit of b.
func (b Budget) Of(c Config) float64 {
	switch b.Name() {
	case "total":
		return float64(c.Params().Total)
	case "body":
		return float64(c.Params().Body)
	}
	return c.TrainFLOPs(c.Context)
}

// Largest budget: a million times what the largest models need.
const maxBudget = 1e15

// Validate reports what is wrong with b.
func (b Budget) Validate() error {
	set := 0
	for _, v := range []float64{float64(b.Total), float64(b.Body), b.FLOPs} {
		if v < 0 || math.IsNaN(v) || v > maxBudget {
			return fmt.Errorf("budget of %v must be above 0 and at most %.0g", v, float64(maxBudget))
		}
		if v > 0 {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("budget sets %d of total, body and flops: set exactly one", set)
	}
	return nil
}

// A FitRule says how the free sizes of a shape hang together.
type FitRule struct {
	// KVHeads is the number of key-value heads. Where it is 0, KVGroup query
	// heads share one; where that is 0 too, each query head has its own.
	KVHeads int
	KVGroup int

	// FFNRatio is the feed-forward width for each width that is asked for, such as
	// 8/3 for gated kinds and 4 for others.
	FFNRatio float64

	// HiddenStep is what the feed-forward width is a multiple of; 0 means 4, or 2
	// or 1 at widths where 4 misses the budget by more than FitTolerance.
	HiddenStep int
}

const (
	maxHiddenStep = 4

	// FitTolerance is the share by which a fitted shape may miss its budget.
	FitTolerance = 0.01
)

// Validate reports everything that is wrong with r.
func (r FitRule) Validate() error {
	var p problems
	p.within("kv_heads", r.KVHeads, 0, maxWidth)
	p.within("kv_group", r.KVGroup, 0, maxWidth)
	if r.KVHeads > 0 && r.KVGroup > 0 {
		p.addf("kv_heads = %d and kv_group = %d: set one of them", r.KVHeads, r.KVGroup)
	}
	if !(r.FFNRatio > 0) || r.FFNRatio > 1024 {
		p.addf("ffn_ratio = %v must be above 0 and at most 1024, such as 2.667", r.FFNRatio)
	}
	p.within("hidden_step", r.HiddenStep, 0, maxHiddenStep)
	return errors.Join(p...)
}

// steps lists the units of the feed-forward width that may be tried, in order.
func (r FitRule) steps() []int {
	if r.HiddenStep == 0 {
		return []int{4, 2, 1}
	}
	return []int{r.HiddenStep}
}

// headStep returns what the number of query heads must be a multiple of.
func (r FitRule) headStep() int { return max(1, r.KVHeads, r.KVGroup) }

// kvHeads returns the key-value heads of a shape with heads query heads.
func (r FitRule) kvHeads(heads int) int {
	if r.KVHeads > 0 {
		return r.KVHeads
	}
	return heads / max(1, r.KVGroup)
}

// A Residual says how near a fitted shape came to its budget.
type Residual struct {
	Budget string  `json:"budget"` // "total", "body" or "flops"
	Wanted float64 `json:"wanted"` // parameters, or operations a token
	Got    float64 `json:"got"`
	Share  float64 `json:"share"` // (Got - Wanted) / Wanted

	// FFNRatio is the feed-forward width for each width that came out.
	FFNRatio float64 `json:"ffn_ratio"`
}

// String says it in words: "total 2000000 wanted, 1999616 got (-0.02 %)".
func (r Residual) String() string {
	return fmt.Sprintf("%s %.0f wanted, %.0f got (%+.2f %%)", r.Budget, r.Wanted, r.Got, 100*r.Share)
}

// An InfeasibleError says that no shape is within FitTolerance of a budget, and
// which budgets near it are met.
type InfeasibleError struct {
	Budget       string
	Wanted       float64
	Below, Above float64 // nearest costs of real shapes, 0 where there is none
}

// Error names the budget and the nearest ones that can be met.
func (e *InfeasibleError) Error() string {
	near := fmt.Sprintf("the nearest budgets that a shape meets are %.0f and %.0f", e.Below, e.Above)
	if e.Below == 0 {
		near = fmt.Sprintf("the smallest shape needs %.0f", e.Above)
	} else if e.Above == 0 {
		near = fmt.Sprintf("the largest shape reaches %.0f", e.Below)
	}
	return fmt.Sprintf("budget %s = %.0f is met by no shape within %g %%: %s", e.Budget, e.Wanted, 100*FitTolerance, near)
}

// Fit returns shape with the width, heads, key-value heads and feed-forward
// width that bring it to budget b. Layers, sharing, head width, vocabulary,
// context and the kinds are those of shape.
//
// The width is a multiple of head_dim, with as many heads as fit; the
// feed-forward width is a multiple of the rule's step. Of all widths at which
// some feed-forward width comes within FitTolerance of the budget, Fit takes the
// one whose feed-forward ratio is nearest to the asked one (as a factor), and at
// that width the feed-forward width that is nearest to the budget. If there is
// none the error is an *InfeasibleError.
func Fit(shape Config, b Budget, r FitRule) (Config, Residual, error) {
	if err := errors.Join(b.Validate(), r.Validate(), fitShape(shape, r)); err != nil {
		return Config{}, Residual{}, err
	}
	s := search{budget: b, rule: r, wanted: b.wanted()}
	for heads := r.headStep(); heads*shape.HeadDim <= maxWidth; heads += r.headStep() {
		if !s.try(withHeads(shape, r, heads)) {
			break
		}
	}
	if !s.found {
		return Config{}, Residual{}, &InfeasibleError{b.Name(), s.wanted, s.below, s.above}
	}
	return s.best, s.residual(s.best), nil
}

// fitShape checks what Fit leaves alone, with the smallest sizes for the rest.
func fitShape(shape Config, r FitRule) error {
	if shape.HeadDim < 1 || shape.HeadDim > maxWidth || r.headStep() > maxWidth {
		return fmt.Errorf("head_dim = %d must be at least 1 and at most %d", shape.HeadDim, maxWidth)
	}
	c := withHeads(shape, r, r.headStep())
	c.Hidden = maxHiddenStep
	return c.Validate()
}

// withHeads returns shape with heads query heads and the width that they fill.
func withHeads(shape Config, r FitRule, heads int) Config {
	shape.Heads, shape.KVHeads, shape.Width = heads, r.kvHeads(heads), heads*shape.HeadDim
	return shape
}

// search keeps the best shape so far and the costs nearest to the budget.
type search struct {
	budget       Budget
	rule         FitRule
	wanted       float64
	best         Config
	drift        float64 // |ln(ratio / asked ratio)| of best
	found        bool
	below, above float64
}

// try considers the feed-forward widths of c, whose other sizes are set. It
// returns false when c is too costly with the smallest one, as all wider shapes
// are then too.
//
// Cost grows by the same amount with each unit of the feed-forward width, so
// the widths around the budget follow from two counts.
func (s *search) try(c Config) bool {
	c.Hidden = 1
	smallest := s.budget.Of(c)
	c.Hidden = 2
	slope := s.budget.Of(c) - smallest
	fitting := 1 + (s.wanted-smallest)/slope
	for _, step := range s.rule.steps() {
		if c.Hidden = s.nearest(c, step, fitting); s.consider(c) {
			break
		}
	}
	return smallest <= s.wanted*(1+FitTolerance)
}

// nearest returns the multiple of step whose cost is nearest to the budget,
// which a feed-forward width of fitting would meet exactly.
func (s *search) nearest(c Config, step int, fitting float64) int {
	narrow, wide := c, c
	narrow.Hidden = step * min(max(int(fitting)/step, 1), maxHidden/step)
	wide.Hidden = min(narrow.Hidden+step, maxHidden/step*step)
	if s.miss(wide) < s.miss(narrow) {
		return wide.Hidden
	}
	return narrow.Hidden
}

// miss returns how far the cost of c is from the budget, and remembers the
// costs on both sides that are nearest to it.
func (s *search) miss(c Config) float64 {
	cost := s.budget.Of(c)
	if cost <= s.wanted {
		s.below = max(s.below, cost)
	}
	if cost >= s.wanted && (s.above == 0 || cost < s.above) {
		s.above = cost
	}
	return math.Abs(cost - s.wanted)
}

// consider reports whether c is within tolerance, and takes it as best if its
// feed-forward ratio is nearer to the asked one.
func (s *search) consider(c Config) bool {
	if s.miss(c) > FitTolerance*s.wanted {
		return false
	}
	drift := math.Abs(math.Log(float64(c.Hidden) / float64(c.Width) / s.rule.FFNRatio))
	if !s.found || drift < s.drift {
		s.best, s.drift, s.found = c, drift, true
	}
	return true
}

// residual compares the cost of c with the budget.
func (s *search) residual(c Config) Residual {
	got := s.budget.Of(c)
	return Residual{
		Budget: s.budget.Name(), Wanted: s.wanted, Got: got, Share: (got - s.wanted) / s.wanted,
		FFNRatio: float64(c.Hidden) / float64(c.Width),
	}
}
