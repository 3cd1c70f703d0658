package arch

import (
	"slices"
	"testing"
)

// The totals are published, or follow from published configuration files:
// arXiv 2402.14905v2 table 9, and the models' own pages. cache is the bytes a
// token leaves in a float16 cache; 0 for encoders, which have none.
var published = []struct {
	name                           string
	total, embedding, layer, cache int
}{
	{"mobilellm-125m", 124_635_456, 18_432_000, 3_540_096, 23_040},
	{"mobilellm-350m", 345_355_200, 30_720_000, 9_832_320, 40_960},
	{"mobilellm-600m", 603_188_352, 36_864_000, 14_158_080, 61_440},
	{"mobilellm-1b", 1_005_461_760, 40_960_000, 17_861_120, 69_120},
	{"mobilellm-1.5b", 1_511_188_800, 51_200_000, 27_036_800, 69_120},
	{"mobilellm-125m-ls", 124_635_456, 18_432_000, 3_540_096, 46_080},
	{"mobilellm-350m-ls", 345_355_200, 30_720_000, 9_832_320, 81_920},
	{"mobilellm-600m-ls", 603_188_352, 36_864_000, 14_158_080, 122_880},
	{"mobilellm-1b-ls", 1_005_461_760, 40_960_000, 17_861_120, 138_240},
	{"mobilellm-1.5b-ls", 1_511_188_800, 51_200_000, 27_036_800, 138_240},
	{"gpt2", 124_439_808, 38_597_376, 7_087_872, 36_864},
	{"distilgpt2", 81_912_576, 38_597_376, 7_087_872, 18_432},
	{"opt-125m", 125_239_296, 38_608_896, 7_087_872, 36_864},
	{"opt-350m", 331_196_416, 50272 * 512, 12_596_224, 98_304},
	{"gpt-neo-125m", 125_198_592, 38_597_376, 7_085_568, 36_864},
	{"phi-2", 2_779_683_840, 2*51200*2560 + 51200, 78_671_360, 327_680},
	{"falcon-7b", 6_921_720_704, 65024 * 4544, 207_070_080, 8_192},
	{"pythia-160m", 162_322_944, 2 * 38_633_472, 7_087_872, 36_864},
	{"smollm2-135m", 134_515_008, 28_311_552, 3_540_096, 23_040},
	{"smollm2-360m", 361_821_120, 47_185_920, 9_832_320, 40_960},
	{"smollm2-1.7b", 1_711_376_384, 100_663_296, 67_112_960, 196_608},
	{"qwen2-0.5b", 494_032_768, 136_134_656, 14_912_384, 12_288},
	{"qwen2-1.5b", 1_543_714_304, 233_373_696, 46_797_824, 28_672},
	{"qwen2-7b", 7_615_616_512, 2 * 544_997_376, 233_057_792, 57_344},
	{"tinyllama-1.1b", 1_100_048_384, 2 * 65_536_000, 44_044_288, 22_528},
	{"llama-3.2-1b", 1_235_814_400, 262_668_288, 60_821_504, 32_768},
	{"llama-3.1-8b", 8_030_261_248, 2 * 525_336_576, 218_112_000, 131_072},
	{"mistral-7b-v0.1", 7_241_732_096, 2 * 131_072_000, 218_112_000, 131_072},
	{"mistral-7b-v0.3", 7_248_023_552, 2 * 134_217_728, 218_112_000, 131_072},
	{"gemma-2-2b", 2_614_341_888, 589_824_000, 77_865_984, 106_496},
	{"gemma-2-9b", 9_241_705_984, 917_504_000, 198_195_200, 344_064},
	{"bert-base", 109_482_240, 30522 * 768, 7_087_872, 0},
	{"distilbert", 66_362_880, 30522 * 768, 7_087_872, 0},
}

func TestPresetsCountToTheirPublishedTotals(t *testing.T) {
	if got, want := len(Presets.Names()), len(published); got != want {
		t.Errorf("%d presets but %d published counts", got, want)
	}
	for _, want := range published {
		t.Run(want.name, func(t *testing.T) {
			c, err := Presets.Get(want.name)
			if err != nil {
				t.Fatal(err)
			}
			got := c.Params()
			if got.Total != want.total {
				t.Errorf("total %d, published %d", got.Total, want.total)
			}
			if got.Embedding != want.embedding || got.Body != want.total-want.embedding {
				t.Errorf("embedding %d and body %d, want %d and %d", got.Embedding, got.Body, want.embedding, want.total-want.embedding)
			}
			if got := layerParams(c); got != want.layer {
				t.Errorf("%d weights a block, published %d", got, want.layer)
			}
			if got := c.CacheBytes(dtype(t, "f16")); got != want.cache && !c.Bidirectional {
				t.Errorf("cache of %d bytes a token, want %d", got, want.cache)
			}
		})
	}
}

func TestPresetsAreValidAndNamed(t *testing.T) {
	for _, name := range Presets.Names() {
		t.Run(name, func(t *testing.T) {
			c, _ := Presets.Get(name)
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
			if c.Name != name {
				t.Errorf("its config is named %q", c.Name)
			}
		})
	}
}

// layerParams returns the weights of one block.
func layerParams(c Config) int {
	n := 0
	for _, tensor := range c.Tensors() {
		if tensor.Runs == c.Layers && tensor.Group == Body && tensor.Copies == c.BlockCount() {
			n += tensor.Rows * tensor.Cols
		}
	}
	return n
}

func dtype(t *testing.T, name string) DType {
	t.Helper()
	i := slices.IndexFunc(DTypes, func(d DType) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("no data type named %q", name)
	}
	return DTypes[i]
}
