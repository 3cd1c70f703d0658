package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/arch"
	"plumb/internal/safetensors"
	"plumb/internal/tokenizer"
	"plumb/model"
)

// makeModel is the script command "tinymodel DIR": a model of bytes with random
// weights, the same each time.
func makeModel(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tinymodel DIR")
	}
	m, err := model.New(arch.Config{
		Name: "tiny", Vocab: 256, Context: 96, Layers: 2, Sharing: "none", Repeat: 1, Width: 16, Heads: 2, KVHeads: 1, HeadDim: 8, Hidden: 32,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5, Position: "rotary", RotaryTheta: 10_000, RotaryShare: 1, TiedHead: true,
	}, model.Init{}, 1)
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(m.Save(dir))
	ts.Check(os.WriteFile(filepath.Join(dir, "tokenizer.json"), tokenizer.Bytes().JSON(), 0o644))
}

// makeForeign is the script command "foreignmodel DIR SPREAD": a model of bytes
// as the transformers library writes them, with random weights of that spread.
func makeForeign(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: foreignmodel DIR SPREAD")
	}
	spread, err := strconv.ParseFloat(args[1], 32)
	ts.Check(err)
	random := rand.New(rand.NewPCG(1, 2))
	var tensors []safetensors.Tensor
	add := func(name string, rows, cols int) {
		values := make([]float32, rows*max(1, cols))
		shape := []int{rows, cols}
		if cols == 0 {
			shape = shape[:1]
		}
		for i := range values {
			values[i] = float32(spread * random.NormFloat64())
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: "F32", Shape: shape, Data: safetensors.Float32Bytes(values)})
	}
	add("model.embed_tokens.weight", 256, 8)
	add("model.norm.weight", 8, 0)
	layer := "model.layers.0."
	for _, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} {
		add(layer+name+".weight", 8, 8)
	}
	add(layer+"input_layernorm.weight", 8, 0)
	add(layer+"post_attention_layernorm.weight", 8, 0)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	var file bytes.Buffer
	ts.Check(safetensors.Write(&file, nil, tensors))
	ts.Check(os.WriteFile(filepath.Join(dir, model.WeightsFile), file.Bytes(), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, model.ConfigFile), []byte(foreignConfig), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "tokenizer.json"), tokenizer.Bytes().JSON(), 0o644))
}

const foreignConfig = `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 256, "max_position_embeddings": 64,
	"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "tie_word_embeddings": true}
`
