package bench

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumb/internal/golden"
	"plumb/model"
	"plumb/tasks"
)

// Shapes count what their names say, and every section can be asked for each.
func TestShapes(t *testing.T) {
	counts := map[string]float64{"1m": 1.0e6, "10m": 10e6, "mobilellm-125m": 124.6e6, "124m": 123.5e6, "gpt2": 124.4e6, "stories260k": 0.26e6}
	for _, name := range Shapes.Names() {
		s := mustShape(name)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want, got := counts[name], float64(s.Params().Total); math.Abs(got/want-1) > 0.05 || s.Name != name {
			t.Errorf("%s called %q has %v weights, not about %v", name, s.Name, got, want)
		}
	}
}

// Over a whole sequence with every token scored, operations are those of arch.
func TestSpanFLOPs(t *testing.T) {
	for _, name := range Shapes.Names() {
		c := mustShape(name).Config
		whole := spanFLOPs(c, 0, 256, 256)
		if want := 256 * c.ForwardFLOPs(256); whole != want {
			t.Errorf("%s: %v operations, arch counts %v", name, whole, want)
		}
		if parts := spanFLOPs(c, 0, 100, 0) + spanFLOPs(c, 100, 256, 256); parts != whole {
			t.Errorf("%s: %v operations in two parts, %v in one", name, parts, whole)
		}
	}
}

func TestProductsCountTheModel(t *testing.T) {
	for _, name := range []string{"1m", "10m", "124m"} {
		s, weights := mustShape(name), 0
		for _, p := range products(s) {
			weights += p.n * p.k * len(p.names)
		}
		matrices := 0
		for _, x := range s.Tensors() {
			if x.Rows > 4 && x.Runs > 0 {
				matrices += x.Rows * x.Cols
			}
		}
		if weights != matrices+s.Vocab*s.Width {
			t.Errorf("%s: products of %d weights, the model has %d in a block and in its head", name, weights, matrices+s.Vocab*s.Width)
		}
	}
}

// Made items have the lengths that they are said to have.
func TestMadeItems(t *testing.T) {
	for column, vocab := range map[int]int{0: 50257, 1: 512} {
		tok := tokenizer{vocab, pieceLength(vocab)}
		for i, item := range madeItems(vocab) {
			lengths := []int{len(tok.Encode(item.Choices[0].Context))}
			for _, c := range item.Choices {
				lengths = append(lengths, len(tok.Encode(c.Continuation)))
				if n := len(tok.Encode(c.Context + c.Continuation)); n != lengths[0]+lengths[len(lengths)-1] {
					t.Errorf("item %d: %d tokens in one piece", i, n)
				}
			}
			for j, n := range lengths {
				if n != itemLengths[i][j][column] {
					t.Errorf("item %d: %v tokens, want %v", i, lengths, itemLengths[i])
					break
				}
			}
		}
	}
}

// The stand-in tokenizer has about as many tokens for HellaSwag's texts as those
// that made itemLengths: 103 and 232 in this sample, which has more of ActivityNet.
func TestTokenizerIsAboutAsLong(t *testing.T) {
	items, _, err := tasks.Load("hellaswag", tasks.Source{Dir: golden.Shared(t, "data")})
	if err != nil {
		t.Fatal(err)
	}
	for vocab, want := range map[int]float64{50257: 113, 512: 296} {
		c := mustShape("gpt2").Config
		c.Vocab, c.Context = vocab, 4096
		total := 0
		for _, item := range items {
			n, _ := itemCost(c, tokenizer{vocab, pieceLength(vocab)}, item)
			total += n
		}
		if got := float64(total) / float64(len(items)); math.Abs(got/want-1) > 0.05 {
			t.Errorf("vocabulary of %d: %.1f tokens an item, want about %.0f", vocab, got, want)
		}
	}
}

func TestOptionsThatDoNotExist(t *testing.T) {
	tests := map[string]Options{
		`no section named "step2" (have limits, kernels, step, scoring, decoding, forms); did you mean "step"?`: {Only: []string{"step2"}},
		`no shape to time named "2m"`: {Shapes: []string{"2m"}},
	}
	for want, o := range tests {
		if _, err := Run(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// tiny is a shape of every section's kind that runs at once.
func tiny() Shape {
	c := llama(64, 512, 16, 2, 2, 1, 24)
	c.Name = "tiny"
	return Shape{c, 1}
}

// Every probe of every section does what it says, on any number of workers.
func TestProbesRun(t *testing.T) {
	r := &runner{Options: Options{Workers: 2}}
	for _, s := range sections {
		if s.name == limitsSection.name {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for _, g := range s.groups(r, tiny()) {
				probes, drop, err := g.open()
				if err != nil {
					t.Fatal(err)
				}
				if len(probes) != len(g.costs) {
					t.Errorf("%d probes, %d costs", len(probes), len(g.costs))
				}
				for range 2 {
					if err := warm(probes); err != nil {
						t.Error(err)
					}
				}
				for _, p := range probes {
					if p.Work <= 0 || p.Limit != "" && p.needs <= 0 || p.Unit == "" || p.Section != s.name || p.Shape != "tiny" {
						t.Errorf("%+v", p.Line)
					}
				}
				drop()
				drop()
			}
		})
	}
}

// A form that takes half the time for half of the operations is twice as fast, as
// its operations promise.
func TestCompareForms(t *testing.T) {
	line := func(name, against string, workers int, seconds ...float64) Line {
		return Line{Section: "forms", Name: name, Against: against, Workers: workers, Work: 10, CPUSeconds: seconds}
	}
	lines := []Line{line("a", "", 1, 4, 4), line("a", "", 2, 1, 1), line("b", "a", 1, 2, 2), line("c", "d", 1, 1)}
	compareForms(lines, []probe{{needs: 8}, {needs: 8}, {needs: 4}, {needs: 1}})
	if b := lines[2]; math.Abs(b.Ratio-2) > 1e-12 || math.Abs(b.Excess-1) > 1e-12 || b.RatioLow > b.Ratio || b.RatioHigh < b.Ratio {
		t.Errorf("%+v", b)
	}
	for _, i := range []int{0, 1, 3} {
		if lines[i].Ratio != 0 || lines[i].Excess != 0 {
			t.Errorf("compared with nothing: %+v", lines[i])
		}
	}
}

// A run of train that fails says so at the next step, and can still be stopped.
func TestTraineeThatEnds(t *testing.T) {
	trained, err := newTrainee(tiny(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := trained.step(); err != nil {
		t.Fatal(err)
	}
	trained.cancel()
	for range 3 {
		if err = trained.step(); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("a stopped run takes steps")
	}
	trained.stop()
}

func TestDecodeCountsTokens(t *testing.T) {
	m, err := model.New(tiny().Config, model.Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := decode(m, 20); err != nil {
		t.Error(err)
	}
	if err := decode(m, 600); err == nil {
		t.Error("more tokens than the context holds")
	}
}

func TestSpaced(t *testing.T) {
	items := make([]tasks.Item, 10)
	for i := range items {
		items[i].Gold = i
	}
	var got []int
	for _, item := range spaced(items, 4) {
		got = append(got, item.Gold)
	}
	if !slices.Equal(got, []int{0, 2, 5, 7}) || len(spaced(items[:3], 4)) != 3 {
		t.Errorf("%v", got)
	}
}
