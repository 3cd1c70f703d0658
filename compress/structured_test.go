package compress

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/model"
)

var structured = []string{"heads by=taylor", "heads by=activation", "hidden by=taylor", "hidden by=activation"}

// shaped is a random model of the shape of small, changed.
func shaped(t *testing.T, change func(*arch.Config)) *model.Model {
	t.Helper()
	cfg := small(t).Config()
	change(&cfg)
	m, err := model.New(cfg, model.Init{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range m.Arrays() {
		if strings.HasSuffix(a.Name, "bias") { // they begin as zeros
			for i := range a.Data {
				a.Data[i] = float32(i%7) / 70
			}
		}
	}
	return m
}

func array(t *testing.T, m *model.Model, name string) model.Array {
	t.Helper()
	for _, a := range m.Arrays() {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no array %s", name)
	return model.Array{}
}

// silence sets the weights [out, in] of some inputs to zero.
func silence(a model.Array, inputs []int) {
	for row := 0; row < len(a.Data); row += a.Shape[1] {
		for _, i := range inputs {
			a.Data[row+i] = 0
		}
	}
}

func logitsOf(t *testing.T, m *model.Model) []float32 {
	t.Helper()
	text := someText().Texts[0]
	return m.NewTape(1, len(text)).Logits(append(slices.Clone(text), 0))
}

func nearLogits(t *testing.T, what string, got, want *model.Model, tolerance float64) {
	t.Helper()
	a, b := logitsOf(t, got), logitsOf(t, want)
	worst := 0.0
	for i, v := range a {
		worst = max(worst, math.Abs(float64(v)-float64(b[i])))
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: logits differ by %v", what, worst)
	}
}

var shapesToCut = map[string]func(*arch.Config){
	"grouped": func(c *arch.Config) { c.Heads, c.KVHeads, c.HeadDim = 8, 4, 4 },
	"gpt2-like": func(c *arch.Config) {
		c.KVHeads, c.Norm, c.Activation, c.Position = 4, "layernorm", "gelu", "learned"
		c.QKVBias, c.OutBias, c.FFNBias = true, true, true
	},
	"shared": func(c *arch.Config) { c.KVHeads, c.Layers, c.Sharing, c.Repeat = 4, 4, "immediate", 2 },
}

// Units that add nothing to the stream are those that go, and without them the
// model computes the same.
func TestUnitsThatDoNothingAreRemoved(t *testing.T) {
	for name, shape := range shapesToCut {
		for _, stage := range structured {
			m := shaped(t, shape)
			cfg := m.Config()
			for b := range cfg.BlockCount() {
				if strings.HasPrefix(stage, "heads") {
					each := cfg.Heads / cfg.KVHeads
					silence(array(t, m, blockSlot(b, "attention.out.weight")), spread([]int{1 + b%2}, each*cfg.HeadDim))
				} else {
					silence(array(t, m, blockSlot(b, "ffn.down.weight")), spread([]int{b, 5, 9, 14 - b}, 4))
				}
			}
			smaller, changes, err := apply(t, stage, m)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, stage, err)
			}
			nearLogits(t, name+", "+stage, smaller, m, 1e-5)
			notes, now := changes[0].Notes, smaller.Config()
			if notes["kept importance"] != 1 {
				t.Errorf("%s, %s: notes %v", name, stage, notes)
			}
			if strings.HasPrefix(stage, "heads") && (now.KVHeads != 3 || now.Heads != cfg.Heads*3/4 || now.HeadDim != cfg.HeadDim) {
				t.Errorf("%s, %s: shape %+v", name, stage, now)
			}
			if strings.HasPrefix(stage, "hidden") && now.Hidden != 48 {
				t.Errorf("%s, %s: %d hidden units", name, stage, now.Hidden)
			}
			if want := now.Params().Total; smaller.Size().Params.Total != want {
				t.Errorf("%s, %s: %d weights, want %d", name, stage, smaller.Size().Params.Total, want)
			}
		}
	}
}

// Query heads go one from each key-value head, other ones in each.
func TestQueryHeads(t *testing.T) {
	m := shaped(t, shapesToCut["grouped"])
	for b := range 2 {
		silence(array(t, m, blockSlot(b, "attention.out.weight")), spread([]int{1, 2, 5, 6}, 4))
	}
	smaller, _, err := apply(t, "heads unit=query keep=0.5", m)
	if err != nil {
		t.Fatal(err)
	}
	nearLogits(t, "query heads", smaller, m, 1e-5)
	if cfg := smaller.Config(); cfg.Heads != 4 || cfg.KVHeads != 4 {
		t.Errorf("%d heads, %d key-value heads", cfg.Heads, cfg.KVHeads)
	}
}

// The slope of the loss in what scales a hidden unit is what taylor says.
func TestTaylorIsTheSlopeOfTheLoss(t *testing.T) {
	m, cal := small(t), someText()
	cal.Texts = cal.Texts[:1]
	by := worth{By: "taylor"}
	all, err := by.of(m, cal, "ffn.down", 1)
	if err != nil {
		t.Fatal(err)
	}
	heads, err := by.of(m, cal, "attention.out", 8)
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []struct {
		part     string
		channels []int
		want     float64
	}{{"ffn.down.weight", []int{11}, all[1][11]}, {"attention.out.weight", spread([]int{2}, 8), heads[1][2]}} {
		loss := func(scale float32) float64 {
			changed := m.Clone()
			a := array(t, changed, "blocks.1."+unit.part)
			for row := 0; row < len(a.Data); row += a.Shape[1] {
				for _, i := range unit.channels {
					a.Data[row+i] *= scale
				}
			}
			text := cal.Texts[0]
			changed.EnableTraining()
			return changed.NewTape(1, len(text)-1).Backward(text, 1) / float64(len(text)-1)
		}
		const h = 1.0 / 8
		slope := math.Abs(loss(1+h)-loss(1-h)) / (2 * h)
		if math.Abs(slope-unit.want) > 1e-5+0.05*slope {
			t.Errorf("%s: importance %v, slope %v", unit.part, unit.want, slope)
		}
	}
}

// What a unit adds is measured as it is added.
func TestActivationIsWhatIsAdded(t *testing.T) {
	w, in := randomDense(5, 12, 1), correlated(12, 50, 1)
	for _, channels := range []int{1, 4} {
		want := 0.0
		for row := range 50 {
			x := in.X[row*12 : (row+1)*12]
			for r := range 5 {
				sum := 0.0
				for i := channels; i < 2*channels; i++ {
					sum += float64(w.Row(r)[i]) * float64(x[i])
				}
				want += sum * sum / 50
			}
		}
		if got := added(w, in, channels, channels); math.Abs(got-want) > 1e-5*want {
			t.Errorf("%d channels add %v, want %v", channels, got, want)
		}
	}
}

// Without some layers a model is the one that runs the others.
func TestLayersThatStayAreRun(t *testing.T) {
	m := shaped(t, func(c *arch.Config) { c.Layers = 5 })
	for _, b := range []int{1, 3} { // hardly change the stream, the third less
		for _, name := range []string{"attention.out.weight", "ffn.down.weight"} {
			a := array(t, m, blockSlot(b, name))
			for i := range a.Data {
				a.Data[i] *= float32(0.2 - 0.05*float64(b))
			}
		}
	}
	for _, test := range []struct {
		stage string
		want  []int
	}{
		{"layers keep=0.6", []int{0, 2, 4}},
		{"layers keep=0.8", []int{0, 1, 2, 4}},
		{"layers keep=0.8 by=angular", []int{0, 1, 2, 4}},
		{"layers keep=0.2", []int{0}},
	} {
		smaller, changes, err := apply(t, test.stage, m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := onlyLayers(m, test.want)
		if err != nil {
			t.Fatal(err)
		}
		nearLogits(t, fmt.Sprint(test.stage, changes[0].Notes), smaller, want, 0)
	}
}

// Layers that share blocks go together, and those that do nothing are not missed.
func TestSharedLayers(t *testing.T) {
	for _, sharing := range []string{"immediate", "cyclic", "reverse"} {
		for _, by := range []string{"influence", "angular"} {
			m := shaped(t, func(c *arch.Config) { c.Layers, c.Sharing, c.Repeat = 8, sharing, 2 })
			for _, name := range []string{"attention.out.weight", "ffn.down.weight"} {
				clear(array(t, m, blockSlot(2, name)).Data)
			}
			smaller, changes, err := apply(t, "layers keep=0.75 by="+by, m)
			if err != nil {
				t.Fatal(err)
			}
			if cfg := smaller.Config(); cfg.Layers != 6 || cfg.BlockCount() != 3 || cfg.Sharing != sharing || changes[0].Notes["removed block 2"] != 1 {
				t.Errorf("%s: %+v, %v", sharing, cfg, changes[0].Notes)
			}
			nearLogits(t, sharing+" "+by, smaller, m, 0)
		}
	}
}

func TestWindowsStay(t *testing.T) {
	cfg := arch.Config{Layers: 6, Sharing: "none", Repeat: 1, Window: 4, WindowEvery: 2}
	next, err := withBlocks(cfg, []int{0, 1, 4, 5})
	if err != nil || next.LayerWindow(0) != 4 || next.LayerWindow(1) != 0 || next.LayerWindow(2) != 4 || next.LayerWindow(3) != 0 {
		t.Errorf("%+v, %v", next, err)
	}
	if _, err := withBlocks(cfg, []int{0, 1, 2, 3, 5}); err == nil || !strings.Contains(err.Error(), "windows of 4 tokens") {
		t.Errorf("windows at uneven distances: %v", err)
	}
	if _, err := withBlocks(arch.Config{Layers: 3, Repeat: 1, ScaleByLayer: true}, []int{0, 2}); err == nil || !strings.Contains(err.Error(), "number of the layer") {
		t.Errorf("scores by layer: %v", err)
	}
}

func TestArccos(t *testing.T) {
	for _, c := range []float64{-1, -0.999999, -0.5, 0, 1e-9, 0.3, 0.99, 1 - 1e-12, 1} {
		if got := arccos(c); math.Abs(got-math.Acos(c)) > 1e-14 {
			t.Errorf("arccos(%v) = %v, want %v", c, got, math.Acos(c))
		}
	}
}

// Blocks that are the same already lose nothing when they become one.
func TestSharingEqualBlocks(t *testing.T) {
	for _, how := range []string{"immediate", "cyclic", "reverse"} {
		shared := shaped(t, func(c *arch.Config) { c.Layers, c.Sharing, c.Repeat = 6, how, 3 })
		p, err := takeApart(shared)
		if err != nil {
			t.Fatal(err)
		}
		p.moveBlocks(p.cfg.Blocks())
		p.cfg.Sharing, p.cfg.Repeat = "none", 1
		m, err := p.assemble()
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"average", "first"} {
			smaller, changes, err := apply(t, fmt.Sprintf("share sharing=%s repeat=3 by=%s", how, by), m)
			if err != nil {
				t.Fatal(err)
			}
			nearLogits(t, how+" "+by, smaller, m, 0)
			if smaller.Size() != shared.Size() || changes[0].Notes["relative change of weights"] != 0 {
				t.Errorf("%s: size %+v, notes %v", how, smaller.Size(), changes[0].Notes)
			}
		}
	}
}

func TestSharingByHand(t *testing.T) {
	m := shaped(t, func(c *arch.Config) { c.Layers = 4 })
	at := func(m *model.Model, b int) float32 { return array(t, m, blockSlot(b, "ffn.up.weight")).Data[3] }
	for _, test := range []struct {
		stage string
		want  float32
	}{
		{"share", (at(m, 2) + at(m, 3)) / 2},
		{"share sharing=cyclic", (at(m, 1) + at(m, 3)) / 2},
		{"share sharing=reverse by=first", at(m, 1)},
		{"share by=first", at(m, 2)},
	} {
		smaller, changes, err := apply(t, test.stage, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := at(smaller, 1); math.Abs(float64(got-test.want)) > 1e-8 || !(changes[0].Notes["relative change of weights"] > 0.1) {
			t.Errorf("%s: %v, want %v; %v", test.stage, got, test.want, changes[0].Notes)
		}
	}
}

// Matrices in forms stay in them where they are only moved, masks are cut, and
// what cannot be cut is told.
func TestStructureOfFormedModels(t *testing.T) {
	plain := shaped(t, func(c *arch.Config) { c.Layers, c.KVHeads = 4, 4 })
	quantised, _, err := apply(t, "svd keep=0.5 on=ffn.up", plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"layers keep=0.5", "share by=first", "heads"} {
		smaller, _, err := apply(t, stage, quantised)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range smaller.Slots() {
			if _, formed := s.Matrix.(model.Formed); formed != strings.HasSuffix(s.Name, "ffn.up") {
				t.Errorf("%s: %s is a %T", stage, s.Name, s.Matrix)
			}
		}
	}
	if _, _, err := apply(t, "hidden", quantised); err == nil || !strings.Contains(err.Error(), "blocks.0.ffn.up is in form lowrank, which cannot be cut") {
		t.Errorf("cutting factors: %v", err)
	}
	masked, _, err := apply(t, "magnitude", plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"hidden", "heads"} {
		smaller, _, err := apply(t, stage, masked)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range smaller.Slots()[1:] {
			l, ok := s.Matrix.(*model.Masked)
			if out, in := s.Matrix.Shape(); !ok || l.Kept() == out*in {
				t.Errorf("%s: %s is a %T", stage, s.Name, s.Matrix)
			}
		}
	}
}

func TestStructureThatIsRefused(t *testing.T) {
	shared := shaped(t, func(c *arch.Config) { c.Layers, c.Sharing, c.Repeat = 4, "immediate", 2 })
	one := shaped(t, func(c *arch.Config) { c.KVHeads = 1 })
	broken := small(t)
	array(t, broken, "blocks.1.ffn.norm.gain").Data[0] = float32(math.Inf(1))
	for _, test := range []struct {
		stage   string
		m       *model.Model
		problem string
	}{
		{"heads keep=0", small(t), "a share above 0 and up to 1"},
		{"hidden keep=2", small(t), "a share above 0 and up to 1"},
		{"layers keep=-1", small(t), "a share above 0 and up to 1"},
		{"heads unit=kv", small(t), "wanted is one of group, query"},
		{"hidden by=hessian", small(t), "wanted is one of taylor, activation"},
		{"layers by=size", small(t), "wanted is one of influence, angular"},
		{"layers protect=-1", small(t), "0 or more"},
		{"layers protect=2 keep=0.5", small(t), "protect=2 of them stay"},
		{"layers keep=0.9", small(t), "keep=0.9 of 2 layers with blocks of their own removes none"},
		{"heads", one, "keep=0.75 of 1 key-value heads removes none: unit=query"},
		{"hidden keep=0.999", small(t), "removes none"},
		{"share repeat=3", small(t), "no multiple of repeat = 3"},
		{"share repeat=1", small(t), "2 or more"},
		{"share sharing=none", small(t), "none takes no repeat count"},
		{"share sharing=imediate", small(t), `did you mean "immediate"?`},
		{"share", shared, "share blocks already (immediate x2)"},
		{"heads", broken, "NaN or Inf"},
		{"hidden", broken, "NaN or Inf"},
		{"hidden by=activation", broken, "NaN or Inf"},
		{"layers", broken, "NaN or Inf"},
		{"layers by=angular", broken, "NaN or Inf"},
	} {
		s, err := ParseStage(test.stage)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Worker(); err == nil {
			_, _, err = apply(t, test.stage, test.m)
		}
		if err == nil || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %v; want something about %q", test.stage, err, test.problem)
		}
	}
}

// Where all is kept the model is the same.
func TestKeepingAll(t *testing.T) {
	m := small(t)
	for _, stage := range []string{"heads keep=1", "heads keep=1 unit=query", "hidden keep=1", "layers keep=1", "layers keep=1 by=angular"} {
		smaller, _, err := apply(t, stage, m)
		if err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		nearLogits(t, stage, smaller, m, 0)
	}
}
