package arch

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFitMeetsBudgets(t *testing.T) {
	tests := []struct {
		name    string
		layers  int
		sharing string
		budget  Budget
		rule    FitRule
	}{
		{"two layers, total", 2, "none", Budget{Total: 2_000_000}, FitRule{KVHeads: 2, FFNRatio: 2.667}},
		{"sixteen layers, total", 16, "none", Budget{Total: 2_000_000}, FitRule{KVHeads: 2, FFNRatio: 2.667}},
		{"sixteen layers, body", 16, "none", Budget{Body: 1_000_000}, FitRule{KVHeads: 2, FFNRatio: 2.667}},
		{"shared, total", 8, "cyclic x2", Budget{Total: 2_000_000}, FitRule{KVGroup: 2, FFNRatio: 2.667}},
		{"shared, operations", 8, "reverse x2", Budget{FLOPs: 1.2e7}, FitRule{FFNRatio: 2.667}},
		{"a hundred million", 30, "none", Budget{Body: 106_203_456}, FitRule{KVGroup: 3, FFNRatio: 8.0 / 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			shape := fitBase(test.layers, test.sharing)
			c, residual, err := Fit(shape, test.budget, test.rule)
			if err != nil {
				t.Fatal(err)
			}
			checkFit(t, shape, c, test.budget, test.rule, residual)
			if ratio := residual.FFNRatio / test.rule.FFNRatio; ratio < 0.5 || ratio > 2 {
				t.Errorf("feed-forward ratio %.3f, asked %.3f", residual.FFNRatio, test.rule.FFNRatio)
			}
		})
	}
}

// TestFitFindsAPublishedShape fits the body of MobileLLM-125M to its own count.
func TestFitFindsAPublishedShape(t *testing.T) {
	want, _ := Presets.Get("mobilellm-125m")
	got, residual, err := Fit(want, Budget{Total: want.Params().Total}, FitRule{KVGroup: 3, FFNRatio: 8.0 / 3})
	if err != nil || got != want || residual.Got != residual.Wanted {
		t.Errorf("%+v\n%v, %v", got, residual, err)
	}
}

func TestFitNamesTheNearestFeasibleBudget(t *testing.T) {
	tests := []struct {
		name   string
		shape  Config
		budget Budget
		want   string
	}{
		{"too small", fitBase(4, "none"), Budget{Total: 1000}, "the smallest shape needs 37200"},
		{"too small a body", fitBase(4, "none"), Budget{Body: 100}, "the smallest shape needs"},
		{"too coarse", fitBase(512, "none"), Budget{Body: 1_191_952}, "the nearest budgets that a shape meets are"},
		{"too large", fitBase(1, "none"), Budget{Body: 1e15}, "the largest shape reaches"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "too large" {
				test.shape.HeadDim = 1 << 14
			}
			c, _, err := Fit(test.shape, test.budget, FitRule{FFNRatio: 2})
			var infeasible *InfeasibleError
			if !errors.As(err, &infeasible) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q; shape %+v", err, test.want, c)
			}
			for _, near := range []float64{infeasible.Below, infeasible.Above} {
				if near == 0 || test.budget.Body == 1e15 {
					continue
				}
				b := test.budget
				if b.Total > 0 {
					b.Total = int(near)
				} else {
					b.Body = int(near)
				}
				if _, r, err := Fit(test.shape, b, FitRule{FFNRatio: 2}); err != nil || math.Abs(r.Share) > FitTolerance {
					t.Errorf("the budget of %v that the error names is met by %v, %v", near, r, err)
				}
			}
		})
	}
}

func TestFitRefusesBadInput(t *testing.T) {
	good, rule, budget := fitBase(4, "none"), FitRule{FFNRatio: 2.5}, Budget{Total: 1_000_000}
	tests := []struct {
		name  string
		shape func(*Config)
		rule  func(*FitRule)
		b     func(*Budget)
		want  string
	}{
		{name: "no budget", b: func(b *Budget) { *b = Budget{} }, want: "sets 0 of total, body and flops"},
		{name: "two budgets", b: func(b *Budget) { b.Body = 3 }, want: "sets 2 of"},
		{name: "negative budget", b: func(b *Budget) { b.Total = -3 }, want: "budget of -3"},
		{name: "endless budget", b: func(b *Budget) { *b = Budget{FLOPs: math.Inf(1)} }, want: "at most"},
		{name: "no ratio", rule: func(r *FitRule) { r.FFNRatio = 0 }, want: "ffn_ratio = 0"},
		{name: "ratio not a number", rule: func(r *FitRule) { r.FFNRatio = math.NaN() }, want: "ffn_ratio = NaN"},
		{name: "coarse step", rule: func(r *FitRule) { r.HiddenStep = 64 }, want: "hidden_step = 64"},
		{name: "both kv", rule: func(r *FitRule) { r.KVHeads, r.KVGroup = 2, 2 }, want: "set one of them"},
		{name: "negative kv", rule: func(r *FitRule) { r.KVHeads = -2 }, want: "kv_heads = -2"},
		{name: "head width", shape: func(c *Config) { c.HeadDim = 0 }, want: "head_dim = 0"},
		{name: "layers", shape: func(c *Config) { c.Layers = 0 }, want: "layers = 0"},
		{name: "layers and repeat", shape: func(c *Config) { c.Sharing, c.Repeat = "cyclic", 3 }, want: "layers = 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, r, b := good, rule, budget
			if test.shape != nil {
				test.shape(&c)
			}
			if test.rule != nil {
				test.rule(&r)
			}
			if test.b != nil {
				test.b(&b)
			}
			if _, _, err := Fit(c, b, r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestFitHoldsItsPromises draws shapes and budgets and checks that what comes
// out keeps the rule and the tolerance, and that a budget which some shape meets
// is never called infeasible.
func TestFitHoldsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sharing := rapid.SampledFrom([]string{"none", "immediate x2", "cyclic x3", "reverse x4"}).Draw(t, "sharing")
		_, repeat, _ := ParseSharing(sharing)
		shape := fitBase(rapid.IntRange(1, 12).Draw(t, "blocks")*repeat, sharing)
		shape.HeadDim = rapid.SampledFrom([]int{8, 16, 32, 64}).Draw(t, "head_dim")
		shape.Vocab = rapid.IntRange(2, 40000).Draw(t, "vocab")
		shape.TiedHead = rapid.Bool().Draw(t, "tied")
		shape.Activation = rapid.SampledFrom(Activations).Draw(t, "activation")
		rule := FitRule{FFNRatio: rapid.Float64Range(0.5, 8).Draw(t, "ratio"), HiddenStep: rapid.IntRange(0, 4).Draw(t, "step")}
		if rapid.Bool().Draw(t, "grouped") {
			rule.KVHeads = rapid.IntRange(0, 4).Draw(t, "kv_heads")
		} else {
			rule.KVGroup = rapid.IntRange(0, 4).Draw(t, "kv_group")
		}
		target := withHeads(shape, rule, rule.headStep()*rapid.IntRange(1, 12).Draw(t, "groups"))
		target.Hidden = rule.steps()[0] * rapid.IntRange(1, 500).Draw(t, "hidden")
		budget := drawBudget(t, target)
		got, residual, err := Fit(shape, budget, rule)
		if err != nil {
			t.Fatalf("%+v meets the budget, but: %v", target, err)
		}
		checkFit(t, shape, got, budget, rule, residual)
		if drift(got, rule) > drift(target, rule)+1e-9 && got.Width == target.Width && got.Hidden != target.Hidden {
			t.Fatalf("missed the exact shape %+v for %+v", target, got)
		}
	})
}

// drawBudget returns one that target meets exactly.
func drawBudget(t *rapid.T, target Config) Budget {
	switch rapid.SampledFrom([]string{"total", "body", "flops"}).Draw(t, "kind") {
	case "total":
		return Budget{Total: target.Params().Total}
	case "body":
		return Budget{Body: target.Params().Body}
	}
	return Budget{FLOPs: target.TrainFLOPs(target.Context)}
}

// drift is how far the feed-forward ratio of c is from the asked one.
func drift(c Config, r FitRule) float64 {
	return math.Abs(math.Log(float64(c.Hidden) / float64(c.Width) / r.FFNRatio))
}

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Errorf(format string, args ...any)
}

// checkFit demands that c is valid, keeps the rule and what shape fixes, and
// that residual tells the truth and is within tolerance.
func checkFit(t failer, shape, c Config, b Budget, r FitRule, residual Residual) {
	if err := c.Validate(); err != nil {
		t.Errorf("%v", err)
	}
	switch {
	case c.Width != c.Heads*c.HeadDim:
		t.Errorf("width %d, %d heads of %d", c.Width, c.Heads, c.HeadDim)
	case r.KVHeads > 0 && c.KVHeads != r.KVHeads:
		t.Errorf("%d kv heads, asked %d", c.KVHeads, r.KVHeads)
	case r.KVGroup > 0 && c.Heads != c.KVHeads*r.KVGroup:
		t.Errorf("%d heads on %d kv heads, asked for groups of %d", c.Heads, c.KVHeads, r.KVGroup)
	case r.HiddenStep > 0 && c.Hidden%r.HiddenStep != 0:
		t.Errorf("feed-forward width %d is no multiple of %d", c.Hidden, r.HiddenStep)
	}
	if got := b.Of(c); got != residual.Got || math.Abs(got-b.wanted()) > FitTolerance*b.wanted() {
		t.Errorf("costs %v, residual %v", got, residual)
	}
	c.Width, c.Heads, c.KVHeads, c.Hidden = shape.Width, shape.Heads, shape.KVHeads, shape.Hidden
	if c != shape {
		t.Errorf("the fit changed what the shape fixes:\n%+v\n%+v", c, shape)
	}
}

// fitBase is a shape without the sizes that Fit chooses.
func fitBase(layers int, sharing string) Config {
	name, repeat, err := ParseSharing(sharing)
	if err != nil {
		panic(err)
	}
	c := llama(layers, 0, 0, 0, 16, 0)
	c.Vocab, c.Context, c.RotaryTheta, c.TiedHead = 2048, 256, 1e4, true
	c.Sharing, c.Repeat = name, repeat
	return c
}

func ExampleFit() {
	shape := Config{
		Vocab: 4096, Context: 256, Layers: 8, Sharing: "immediate", Repeat: 2, HeadDim: 16,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5, Position: "rotary", RotaryTheta: 1e4, RotaryShare: 1, TiedHead: true,
	}
	c, residual, err := Fit(shape, Budget{Total: 2_000_000}, FitRule{KVHeads: 2, FFNRatio: 2.667})
	fmt.Println(c.Width, c.Heads, c.KVHeads, c.Hidden, err)
	fmt.Println(residual)
	// Output:
	// 160 10 2 572 <nil>
	// total 2000000 wanted, 2000800 got (+0.04 %)
}
