package model

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/internal/hostile"
)

// A checkpoint of llama2.c takes its own size and little more, whatever its
// header says.
func TestMemoryOfLlama2C(t *testing.T) {
	sized := func(header []byte) []byte { return append(header, make([]byte, hostile.Size-len(header))...) }
	versioned := func(numbers ...int) []byte {
		data := append([]byte("24ka\x01\x00\x00\x00"), header(numbers...)...)
		return append(data, make([]byte, llama2CVersion-len(data))...)
	}
	exact := func(start []byte) []byte {
		f, err := llama2CHeader(start)
		if err != nil {
			t.Fatal(err)
		}
		return append(start, make([]byte, 4*f.numbers())...)
	}
	hostile.Bounded(t, map[string][]byte{
		"the largest":       sized(header(1<<20, 1<<22, 1<<14, 1, 1, 1<<26, 1<<24)),
		"many layers":       sized(header(2, 1, 1<<11, 1, 1, 2, 1)),
		"as many as fit":    exact(header(2, 1, 1<<11, 1, 1, 2, 1)),
		"a long context":    exact(versioned(2, 1, 1, 1, 1, 2, 1<<24)),
		"a wide vocabulary": exact(versioned(2, 1, 1, 1, 1, 1<<16, 1)),
		"wide heads":        exact(header(256, 1, 1, 1, 1, 2, 1)),
		"2^31 of all":       sized(header(-1<<31, -1<<31, -1<<31, -1<<31, -1<<31, -1<<31, -1<<31)),
	}, func(data []byte) error {
		_, err := parseLlama2C(data)
		return err
	})
}

// A GGUF file of 1 MiB makes a model within 64 MiB: numbers of a few bits grow to
// float32, and metadata may promise anything.
func TestMemoryOfGGUF(t *testing.T) {
	files := map[string][]byte{}
	for typ, vocab := range map[string]int{"F32": 9, "F16": 800, "Q8_0": 2000, "Q4_0": 5000, "Q4_K": 5000} {
		cfg := tiny()
		cfg.Width, cfg.Heads, cfg.KVHeads, cfg.HeadDim, cfg.Hidden = 256, 1, 1, 64, 256
		cfg.Layers, cfg.Vocab = 1, vocab
		files["of "+typ] = ggufOf(t, cfg, typ)
	}
	deep := tiny()
	deep.Width, deep.Heads, deep.KVHeads, deep.HeadDim, deep.Hidden, deep.Layers = 2, 1, 1, 2, 1, 1300
	files["many layers"] = ggufOf(t, deep, "F32")
	rotations := tiny()
	rotations.Context = 1 << 24
	files["a long context"] = ggufOf(t, rotations, "F32")
	files["layers of nothing"] = ggufWith(t, tiny(), "llama.block_count", uint32(1<<11))
	files["keys of another"] = ggufWith(t, tiny(), "", nil)
	hostile.Bounded(t, files, func(data []byte) error {
		if len(data) > hostile.Size+hostile.Size/16 {
			t.Errorf("%d bytes", len(data))
		}
		_, err := parseGGUF(data)
		return err
	})
}

func parseGGUF(data []byte) (*Model, error) {
	f, err := gguf.Parse("x.gguf", data)
	if err != nil {
		return nil, err
	}
	return modelOfGGUF(f)
}

// ggufOf writes a model of shape cfg and random weights.
func ggufOf(t testing.TB, cfg arch.Config, typ string) []byte {
	t.Helper()
	m, err := New(cfg, Init{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	named, err := gguf.TypeNamed(typ)
	if err != nil {
		t.Fatal(err)
	}
	file, err := m.GGUF(named)
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := gguf.Write(&data, file.Metadata, file.Tensors); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// ggufWith is ggufOf with another value of a key, or with 30,000 keys more.
func ggufWith(t *testing.T, cfg arch.Config, key string, value any) []byte {
	m := mustNew(t, cfg)
	file, err := m.GGUF(mustType(t, "F32"))
	if err != nil {
		t.Fatal(err)
	}
	pairs := file.Metadata
	if key != "" {
		pairs, _ = set(key, value)(pairs, nil)
	} else {
		for i := range 30_000 {
			pairs = append(pairs, gguf.Pair{Key: fmt.Sprintf("llama.%x", i), Value: true})
		}
	}
	var data bytes.Buffer
	if err := gguf.Write(&data, pairs, file.Tensors); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// A config.json of 1 MiB takes less than 64 MiB.
func TestMemoryOfConfigs(t *testing.T) {
	numbered := func(format string) func(int) string {
		return func(i int) string { return fmt.Sprintf(format, i) }
	}
	hostile.Bounded(t, map[string][]byte{
		"unknown keys":       hostile.FillEach(`{"model_type":"llama",`, numbered(`"%x":0,`), `"a":0}`),
		"one key":            hostile.Fill(`{"model_type":"llama",`, `"a":0,`, `"a":0}`),
		"nesting":            hostile.Fill(`{"model_type":`, `[`, ``),
		"objects":            hostile.Fill(`{"model_type":"llama","rope_scaling":`, `{"a":`, ``),
		"labels":             hostile.FillEach(`{"model_type":"llama","id2label":{`, numbered(`"%x":0,`), `"a":0}}`),
		"scaling":            hostile.FillEach(`{"model_type":"llama","rope_scaling":{`, numbered(`"%x":0,`), `"a":0}}`),
		"pruned heads":       hostile.FillEach(`{"model_type":"llama","pruned_heads":{`, numbered(`"%x":0,`), `"a":0}}`),
		"layer types":        hostile.Fill(`{"model_type":"mistral","layer_types":[`, `"",`, `""]}`),
		"architectures":      hostile.Fill(`{"architectures":[`, `"",`, `""]}`),
		"attention":          hostile.Fill(`{"model_type":"gpt_neo","num_layers":2048,"attention_types":[`, `[[""],9],`, `[["global"],9]]}`),
		"much attention":     hostile.Fill(`{"model_type":"gpt_neo","num_layers":2048,"attention_types":[`, `[["global","local"],1024],`, `[["global"],2048]]}`),
		"kinds":              hostile.Fill(`{"model_type":"gpt_neo","num_layers":2048,"attention_types":[[[`, `"",`, `"local"],2048]]}`),
		"empty kinds":        hostile.Fill(`{"model_type":"gpt_neo","attention_types":[`, `[],`, `[]]}`),
		"attention by layer": hostile.Fill(`{"model_type":"gpt_neo","attention_layers":[`, `"",`, `""]}`),
	}, func(data []byte) error {
		cfg, _, err := parseHFConfig(data)
		return errors.Join(err, cfg.Validate(), Runnable(cfg))
	})
}

// A folder whose weights have 1 MiB loads within 64 MiB, whatever its config
// asks for.
func TestMemoryOfFolders(t *testing.T) {
	const llama = `{"model_type":"llama","hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":%d,"num_attention_heads":1,"vocab_size":%d,
		"max_position_embeddings":%d,"tie_word_embeddings":true}`
	small, err := parsedShape(fmt.Sprintf(llama, 2, 1, 700, 2, 1<<24))
	if err != nil {
		t.Fatal(err)
	}
	folder := func(name, config string, m *Model) string {
		dir := t.TempDir()
		writeForeign(t, dir, []byte(config), m)
		return dir
	}
	many := mustNew(t, small)
	good := fmt.Sprintf(llama, 2, 1, 700, 2, 1<<24)
	folders := map[string]string{"many layers": folder("", good, many)}
	for name, config := range map[string]string{
		"more layers": fmt.Sprintf(llama, 2, 1, 1<<11, 2, 9), "wider": fmt.Sprintf(llama, 1<<20, 1<<22, 1<<11, 1<<26, 1<<24), "a vocabulary": fmt.Sprintf(llama, 2, 1, 1, 1<<26, 9),
	} {
		dir := folder(name, good, many)
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		folders[name] = dir
	}
	gpt2 := `{"model_type":"gpt2","n_embd":128,"n_head":1,"n_layer":1,"n_inner":512,"vocab_size":200,"n_positions":9}`
	shape, err := parsedShape(gpt2)
	if err != nil {
		t.Fatal(err)
	}
	folders["transposed"] = folder("", gpt2, mustNew(t, shape))
	hostile.Bounded(t, folders, func(dir string) error {
		_, err := Load(dir)
		return err
	})
}

func parsedShape(config string) (arch.Config, error) {
	cfg, _, err := parseHFConfig([]byte(config))
	return cfg, err
}

// Nor does a file of our own, whose metadata say in which forms its matrices are.
func TestMemoryOfForms(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat(`{"kind":"lowrank","settings":{"rank":1,"left":`, n) + "null" + strings.Repeat("}}", n)
	}
	hostile.Bounded(t, map[string]string{
		"nested":       `{"head":` + nested(4_900) + `}`,
		"nested often": string(hostile.FillEach("{", func(i int) string { return fmt.Sprintf(`"%x":%s,`, i, nested(maxNesting)) }, `"a":{"kind":"csr","settings":{"kept":0}}}`)),
		"many":         string(hostile.FillEach("{", func(i int) string { return fmt.Sprintf(`"%x":{"kind":"csr","settings":{}},`, i) }, `"a":{"kind":"csr","settings":{"kept":0}}}`)),
		"deep":         string(hostile.Fill(`{"a":`, "[", "")),
	}, func(text string) error {
		_, err := decodeForms(text)
		return err
	})
}

// Whatever metadata say of forms, they are refused or a model can be laid out in
// them, and binding its arrays, which are zeros here, ends with a model or an
// error.
func FuzzForms(f *testing.F) {
	cfg := tiny()
	cfg.TiedHead = false
	m, err := New(cfg, Init{}, 1)
	if err != nil {
		f.Fatal(err)
	}
	for _, other := range withForms(f, m) {
		text, err := encodeForms(other.forms)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		forms, err := decodeForms(text)
		if err != nil {
			return
		}
		specs, err := layoutIn(cfg, forms)
		if err != nil {
			return
		}
		size := 0
		for _, s := range specs {
			if s.size() < 0 {
				t.Fatalf("%s: %v", s.name, s.shape)
			}
			size += s.size()
		}
		if size > 1<<16 {
			return
		}
		if m, err := unbound(cfg, forms); err == nil {
			m.bind()
		}
	})
}
