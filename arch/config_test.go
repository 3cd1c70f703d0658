package arch

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestValidateNamesFieldValueAndRemedy(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // all in one line
	}{
		{"vocab", func(c *Config) { c.Vocab = 1 }, []string{"vocab = 1", "at least 2"}},
		{"context", func(c *Config) { c.Context = 0 }, []string{"context = 0", "at least 1"}},
		{"layers", func(c *Config) { c.Layers = -3 }, []string{"layers = -3", "at least 1"}},
		{"width too large", func(c *Config) { c.Width = 1 << 30 }, []string{"width = 1073741824", "at most"}},
		{"hidden", func(c *Config) { c.Hidden = 0 }, []string{"hidden = 0"}},
		{"kv heads", func(c *Config) { c.KVHeads = 3 }, []string{"heads = 4", "kv_heads = 3", "1, 2 or 4"}},
		{"no kv heads", func(c *Config) { c.KVHeads = 0 }, []string{"kv_heads = 0", "at least 1"}},
		{"head product", func(c *Config) { c.Heads, c.HeadDim = 1<<19, 1<<19 }, []string{"heads × head_dim", "at most"}},
		{"unknown sharing", func(c *Config) { c.Sharing = "cylic" }, []string{`"cylic"`, `did you mean "cyclic"?`}},
		{"repeat of none", func(c *Config) { c.Repeat = 2 }, []string{"repeat = 2", "none", "repeat = 1"}},
		{"layers and repeat", func(c *Config) { c.Layers, c.Sharing, c.Repeat = 7, "cyclic", 3 }, []string{"layers = 7", "repeat = 3", "6 or 9"}},
		{"negative repeat", func(c *Config) { c.Repeat = -1 }, []string{"repeat = -1"}},
		{"activation", func(c *Config) { c.Activation = "swigl" }, []string{`activation = "swigl"`, `"swiglu"?`}},
		{"norm", func(c *Config) { c.Norm = "batchnorm" }, []string{`norm = "batchnorm"`, "rmsnorm, layernorm"}},
		{"norm eps", func(c *Config) { c.NormEps = 0 }, []string{"norm_eps = 0", "1e-5"}},
		{"position", func(c *Config) { c.Position = "" }, []string{`position = ""`, "rotary, learned"}},
		{"theta", func(c *Config) { c.RotaryTheta = 0 }, []string{"rotary_theta = 0", "10000"}},
		{"rotary share", func(c *Config) { c.RotaryShare = 1.5 }, []string{"rotary_share = 1.5", "at most 1"}},
		{"tiny rotary share", func(c *Config) { c.RotaryShare = 0.1 }, []string{"rotary_share = 0.1", "head_dim = 16", "0.125"}},
		{"odd head", func(c *Config) { c.HeadDim = 15 }, []string{"head_dim = 15", "16"}},
		{"embedding scale", func(c *Config) { c.EmbeddingScale = -1 }, []string{"embedding_scale = -1"}},
		{"norms", func(c *Config) { c.NormsPerLayer = 3 }, []string{"norms_per_layer = 3", "1, 2 and 4"}},
		{"one norm", func(c *Config) { c.NormsPerLayer = 1 }, []string{"norms_per_layer = 1", "use 2"}},
		{"parallel between norms", func(c *Config) { c.ParallelResidual, c.NormsPerLayer = true, 4 }, []string{"parallel_residual"}},
		{"norms behind both", func(c *Config) { c.PostNorm, c.NormsPerLayer = true, 4 }, []string{"post_norm", "norms_per_layer = 4"}},
		{"wide embedding", func(c *Config) { c.EmbeddingWidth = c.Width + 1 }, []string{"embedding_width", "at most"}},
		{"attention scale", func(c *Config) { c.AttentionScale = -1 }, []string{"attention_scale = -1"}},
		{"window", func(c *Config) { c.Window = -1 }, []string{"window = -1"}},
		{"rotary scaling", func(c *Config) { c.RotaryScaling.Context = 2 }, []string{"rotary_scaling", "factor"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := tinyLlama()
			test.change(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if n := strings.Count(err.Error(), "\n"); n != 0 {
				t.Errorf("one mistake, %d lines:\n%v", n+1, err)
			}
		})
	}
}

func TestValidateReportsAllProblemsAtOnce(t *testing.T) {
	c := tinyLlama()
	c.Vocab, c.Layers, c.Width, c.Norm, c.Activation, c.Sharing = 0, 0, 0, "x", "y", "z"
	err := c.Validate()
	if n := len(strings.Split(err.Error(), "\n")); n != 6 {
		t.Errorf("6 mistakes, %d lines:\n%v", n, err)
	}
	if err := (Config{}).Validate(); err == nil {
		t.Error("the zero Config is valid")
	}
}

func TestConfigSurvivesJSONAndTOML(t *testing.T) {
	for _, name := range Presets.Names() {
		t.Run(name, func(t *testing.T) {
			want, _ := Presets.Get(name)
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got Config
			if err := json.Unmarshal(text, &got); err != nil || got != want {
				t.Errorf("JSON gives %+v, %v", got, err)
			}
			if text, err = toml.Marshal(want); err != nil {
				t.Fatal(err)
			}
			got = Config{}
			if err := toml.Unmarshal(text, &got); err != nil || got != want {
				t.Errorf("TOML gives %+v, %v", got, err)
			}
		})
	}
}

func TestZeroValuesMeanNoSharing(t *testing.T) {
	c := tinyLlama()
	c.Sharing, c.Repeat = "", 0
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.BlockCount() != 4 || len(c.Blocks()) != 4 {
		t.Errorf("%d blocks for %d layers", c.BlockCount(), len(c.Blocks()))
	}
}
