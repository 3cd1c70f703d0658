package model

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/golden"
)

func TestSaveLoadRoundTrip(t *testing.T) {
	for name, cfg := range variants() {
		t.Run(name, func(t *testing.T) {
			m, dir := mustNew(t, cfg), t.TempDir()
			if err := m.Save(dir); err != nil {
				t.Fatal(err)
			}
			loaded, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Config() != m.Config() {
				t.Errorf("config %+v, want %+v", loaded.Config(), m.Config())
			}
			for i, p := range m.Params() {
				if !slices.Equal(p.Data, loaded.Params()[i].Data) {
					t.Errorf("%s differs", p.Name)
				}
			}
		})
	}
}

func TestSaveIsReproducible(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := mustNew(t, tiny()).Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	x, _ := os.ReadFile(filepath.Join(a, WeightsFile))
	y, _ := os.ReadFile(filepath.Join(b, WeightsFile))
	if len(x) == 0 || !bytes.Equal(x, y) {
		t.Error("two saves of one model differ")
	}
}

// Every flipped byte must be found, and none may panic.
func TestDamageIsDetected(t *testing.T) {
	dir := t.TempDir()
	if err := mustNew(t, tiny()).Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, WeightsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 1 + len(whole)/400 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil {
			t.Errorf("byte %d of %d flipped, and nobody noticed", at, len(whole))
		}
	}
	for _, length := range []int{0, 1, 7, 8, 100, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:length], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil {
			t.Errorf("cut to %d bytes, and nobody noticed", length)
		}
	}
}

func TestRunnableNamesWhatItCannotDo(t *testing.T) {
	cfg := tiny()
	cfg.Bidirectional = true
	_, err := New(cfg, Init{}, 1)
	if err == nil || !strings.Contains(err.Error(), "both directions") {
		t.Errorf("got %v", err)
	}
}

// The small checkpoints of the shelf that have a family here load and know
// what they were trained on better than a guess would.
func TestLoadsForeignFolders(t *testing.T) {
	root := golden.Shared(t, "goldens")
	folders, err := filepath.Glob(filepath.Join(root, "*", ConfigFile))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no models under %s: %v", root, err)
	}
	for _, path := range folders {
		m, err := Load(filepath.Dir(path))
		if err != nil {
			t.Error(err)
			continue
		}
		if name, ok := m.AllFinite(); !ok {
			t.Errorf("%s: %s is not finite", path, name)
		}
	}
}

func TestForeignConfigsNameWhatTheyAskFor(t *testing.T) {
	dir := t.TempDir()
	config := `{"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1,
		"num_attention_heads": 2, "intermediate_size": 8, "hidden_act": "gelu", "sliding_window": 5, "novelty": 1}`
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := ReadHFConfig(dir)
	for _, want := range []string{"hidden_act", "sliding_window", "novelty"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// Whatever a foreign config says, it is refused or describes a shape; nothing panics.
func FuzzForeignConfig(f *testing.F) {
	for _, p := range published {
		f.Add([]byte(p.config))
	}
	for _, config := range tinyForms {
		f.Add([]byte(config))
	}
	f.Add([]byte(`{"model_type": "gpt2", "vocab_size": 10, "n_embd": 8, "n_layer": 1, "n_head": 0, "n_inner": null}`))
	f.Add([]byte(`{"model_type": 7, "n_layer": 1e99}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, config []byte) {
		cfg, name, err := parseHFConfig(config)
		if err != nil || errors.Join(cfg.Validate(), Runnable(cfg)) != nil || cfg.Layers > 100 {
			return
		}
		for _, s := range layout(cfg) {
			if tensor, err := HFTensor(name, cfg, s.name); err != nil || tensor == "" {
				t.Errorf("%s: %s has no tensor (%v)", name, s.name, err)
			}
		}
	})
}

// A config that is cut anywhere is refused in one line.
func TestTruncatedForeignConfig(t *testing.T) {
	for _, p := range published {
		if _, _, err := parseHFConfig([]byte(p.config)); err != nil {
			t.Fatal(err)
		}
		config := strings.TrimSpace(p.config)
		for n := range config {
			if _, _, err := parseHFConfig([]byte(config[:n])); err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%d of %d bytes of %.60q: %v", n, len(config), config, err)
			}
		}
	}
}

// A config that asks for more than its file holds is refused before memory is
// taken for it.
func TestConfigLargerThanItsFile(t *testing.T) {
	m := mustNew(t, tiny())
	shapes := map[string][]int{}
	for _, p := range m.Params() {
		shapes[p.Name] = p.Shape
	}
	check := func(s spec) error {
		shape, ok := shapes[s.name]
		return s.mustBe(shape, ok, len(shapes))
	}
	read := func(spec, []float32) error { t.Error("memory was taken"); return nil }
	tests := []struct {
		name   string
		change func(c *arch.Config)
	}{
		{"vocabulary", func(c *arch.Config) { c.Vocab = 1 << 26 }},
		{"feed-forward width", func(c *arch.Config) { c.Hidden = 1 << 22 }},
		{"layers", func(c *arch.Config) { c.Layers = 1 << 14 }},
		{"rotations", func(c *arch.Config) { c.Context = 1<<24 + 1 }},
		{"context", func(c *arch.Config) { c.Context, c.HeadDim, c.Heads, c.KVHeads = 1<<24, 12, 1, 1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := tiny()
			test.change(&cfg)
			if _, err := build(cfg, check, read); err == nil {
				t.Error("no error")
			}
		})
	}
}
