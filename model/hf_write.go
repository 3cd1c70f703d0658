package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/internal/safetensors"
)

// An HF is what a folder of the transformers library holds of a model, its
// tokenizer apart.
type HF struct {
	Architecture string         // such as LlamaForCausalLM
	Config       map[string]any // config.json, to which the ids of special tokens may be added
	Metadata     map[string]string
	Tensors      []HFSource
	Notes        []string // what is otherwise in the folder than in the model
}

// An HFSource is a tensor to be written; Tensor encodes it.
type HFSource struct {
	Name   string
	Shape  []int
	Tensor func() safetensors.Tensor
}

// hfWords describe a shape in the words of each architecture that is written;
// what they leave out is as in the families' own readers.
var hfWords = map[string]func(c arch.Config) map[string]any{
	"GPT2LMHeadModel":    gpt2Words,
	"GPTNeoXForCausalLM": neoxWords,
	"Gemma2ForCausalLM":  gemma2Words,
	"LlamaForCausalLM":   llamaWords,
	"MistralForCausalLM": mistralWords,
	"OPTForCausalLM":     optWords,
	"PhiForCausalLM":     phiWords,
	"Qwen2ForCausalLM":   qwen2Words,
}

// HF describes m as a folder that the transformers library loads, its weights
// in typ: F32, F16 or BF16. It is an error if no architecture that is written
// here computes what m does.
func (m *Model) HF(typ gguf.Type) (HF, error) {
	m.mustNotBeFrozen("HF")
	if typ.Quantised() {
		return HF{}, fmt.Errorf("safetensors folders hold F32, F16 or BF16, not %s", typ.Name)
	}
	l, r, err := m.layered(func(c arch.Config) (reading, error) { return hfReading(c, typ) })
	if err != nil {
		return HF{}, err
	}
	family, err := families.Get(r.architecture)
	if err != nil {
		return HF{}, err
	}
	folder := HF{Architecture: r.architecture, Config: hfConfigOf(r.architecture, family, r.config, typ), Metadata: map[string]string{formatKey: "pt"}}
	for _, t := range family.tensors(r.config) {
		folder.Tensors = append(folder.Tensors, HFSource{t.name, t.shape, func() safetensors.Tensor { return l.hfTensor(family, r.config, t, typ) }})
	}
	folder.Notes = l.notes(r)
	return folder, nil
}

// hfReading finds the architecture that holds c.
func hfReading(c arch.Config, typ gguf.Type) (reading, error) {
	var all []reading
	for _, name := range slices.Sorted(maps.Keys(hfWords)) {
		family, err := families.Get(name)
		if err != nil {
			return reading{}, err
		}
		config, err := json.Marshal(hfConfigOf(name, family, c, typ))
		if err != nil {
			return reading{}, err
		}
		said, _, err := parseHFConfig(config)
		all = append(all, understand(name, said, c, err))
	}
	return best("the transformers library", all)
}

// hfConfigOf returns a whole config.json.
func hfConfigOf(name string, family family, c arch.Config, typ gguf.Type) map[string]any {
	config := hfWords[name](c)
	maps.Copy(config, map[string]any{
		"architectures": []string{name}, "model_type": family.modelType, "vocab_size": c.Vocab, "tie_word_embeddings": c.TiedHead, "use_cache": true,
		"torch_dtype": map[string]string{"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[typ.Name],
	})
	return config
}

// A written tensor consists of arrays of ours.
type written struct {
	name  string
	shape []int
	parts []spec
}

// tensors lists the tensors of a model of shape c, which shares no blocks.
func (f family) tensors(c arch.Config) []written {
	var list []written
	index := map[string]int{}
	for _, s := range layout(c) {
		from := f.source(c, s.name)
		if i, ok := index[from.tensor]; ok {
			list[i].parts = append(list[i].parts, s)
			continue
		}
		index[from.tensor] = len(list)
		list = append(list, written{from.tensor, from.shape(s.shape), []spec{s}})
	}
	return list
}

// hfTensor encodes t with the weights of l, zeros where it has none.
func (l layered) hfTensor(f family, c arch.Config, t written, typ gguf.Type) safetensors.Tensor {
	size := 1
	for _, d := range t.shape {
		size *= d
	}
	values := make([]float32, size)
	for _, part := range t.parts {
		if weights := l.array(part.name); weights != nil {
			f.source(c, part.name).write(values, weights, part.shape)
		}
	}
	data := make([]byte, typ.Bytes(size))
	typ.Encode(data, values)
	return safetensors.Tensor{Name: t.name, DType: typ.Name, Shape: t.shape, Data: data}
}

// write puts an array of the given shape where read takes it from.
func (s source) write(tensor, array []float32, shape []int) {
	c := s.cut
	if c.groups == 0 {
		c = cut{1, shape[0], 0, shape[0]}
	}
	in, rows := len(array)/shape[0], c.groups*c.stride
	for g := range c.groups {
		for o := range c.take {
			row, at := array[(g*c.take+o)*in:][:in], g*c.stride+c.first+o
			for i, v := range row {
				if s.transposed {
					tensor[i*rows+at] = v - s.plus
				} else {
					tensor[at*in+i] = v - s.plus
				}
			}
		}
	}
}

// hfGates and hfPlain are the names of activations in configs, by ours.
var (
	hfGates = map[string]string{"swiglu": "silu", "geglu": "gelu_pytorch_tanh"}
	hfPlain = map[string]string{"gelu": "gelu_new", "gelu_erf": "gelu", "relu": "relu"}
)

// llamaLike are the words of Llama and its kin.
func llamaLike(c arch.Config) map[string]any {
	return map[string]any{
		"hidden_size": c.Width, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads, "head_dim": c.HeadDim,
		"max_position_embeddings": c.Context, "rms_norm_eps": c.NormEps, "hidden_act": hfGates[c.Activation],
		"rope_theta": c.RotaryTheta, "rope_scaling": hfScaling(c.RotaryScaling),
	}
}

func hfScaling(s arch.RotaryScaling) any {
	switch {
	case s == arch.RotaryScaling{}:
		return nil
	case s.Context == 0:
		return map[string]any{"rope_type": "linear", "factor": s.Factor}
	}
	return map[string]any{
		"rope_type": "llama3", "factor": s.Factor, "low_freq_factor": s.LowFrequency, "high_freq_factor": s.HighFrequency,
		"original_max_position_embeddings": s.Context,
	}
}

func llamaWords(c arch.Config) map[string]any {
	words := llamaLike(c)
	words["attention_bias"], words["mlp_bias"] = c.QKVBias || c.OutBias, c.FFNBias
	return words
}

func mistralWords(c arch.Config) map[string]any {
	words := llamaLike(c)
	words["sliding_window"] = orNull(float64(c.Window))
	return words
}

// qwen2Words leave the width of heads out, which is the width over their number.
func qwen2Words(c arch.Config) map[string]any {
	words := llamaLike(c)
	delete(words, "head_dim")
	words["use_sliding_window"], words["sliding_window"], words["max_window_layers"] = c.Window > 0, orNull(float64(c.Window)), c.WindowFirst
	return words
}

func gemma2Words(c arch.Config) map[string]any {
	words := llamaLike(c)
	delete(words, "hidden_act")
	delete(words, "rope_scaling")
	words["hidden_activation"] = hfGates[c.Activation]
	words["attention_bias"] = c.QKVBias || c.OutBias
	words["query_pre_attn_scalar"] = scalarOf(c)
	words["sliding_window"] = orNull(float64(c.Window))
	words["attn_logit_softcapping"], words["final_logit_softcapping"] = orNull(c.AttentionSoftCap), orNull(c.FinalSoftCap)
	return words
}

// scalarOf returns the number to whose root scores are divided, a whole number
// where it is nearly one.
func scalarOf(c arch.Config) float64 {
	if c.AttentionScale == 0 {
		return float64(c.HeadDim)
	}
	exact := 1 / (c.AttentionScale * c.AttentionScale)
	short, err := strconv.ParseFloat(strconv.FormatFloat(exact, 'g', 6, 64), 64)
	if err != nil {
		return exact
	}
	return short
}

// orNull is v, or null where 0 says that there is none.
func orNull(v float64) any {
	if v == 0 {
		return nil
	}
	return v
}

func gpt2Words(c arch.Config) map[string]any {
	return map[string]any{
		"n_embd": c.Width, "n_inner": c.Hidden, "n_layer": c.Layers, "n_head": c.Heads, "n_positions": c.Context, "n_ctx": c.Context,
		"layer_norm_epsilon": c.NormEps, "activation_function": hfPlain[c.Activation],
		"scale_attn_weights": c.AttentionScale != 1, "scale_attn_by_inverse_layer_idx": c.ScaleByLayer,
	}
}

func neoxWords(c arch.Config) map[string]any {
	return map[string]any{
		"hidden_size": c.Width, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"max_position_embeddings": c.Context, "layer_norm_eps": c.NormEps, "hidden_act": hfPlain[c.Activation],
		"rotary_pct": c.RotaryShare, "rotary_emb_base": c.RotaryTheta, "rope_theta": c.RotaryTheta, "rope_scaling": hfScaling(c.RotaryScaling),
		"use_parallel_residual": c.ParallelResidual, "attention_bias": c.QKVBias || c.OutBias,
	}
}

func phiWords(c arch.Config) map[string]any {
	return map[string]any{
		"hidden_size": c.Width, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"num_key_value_heads": c.KVHeads, "max_position_embeddings": c.Context, "layer_norm_eps": c.NormEps, "hidden_act": hfPlain[c.Activation],
		"partial_rotary_factor": c.RotaryShare, "rope_theta": c.RotaryTheta, "rope_scaling": hfScaling(c.RotaryScaling),
	}
}

func optWords(c arch.Config) map[string]any {
	return map[string]any{
		"hidden_size": c.Width, "ffn_dim": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"max_position_embeddings": c.Context, "activation_function": hfPlain[c.Activation], "do_layer_norm_before": !c.PostNorm,
		"_remove_final_layer_norm": c.NoOuterNorm, "word_embed_proj_dim": c.TokenWidth(), "enable_bias": c.QKVBias || c.OutBias || c.FFNBias,
	}
}
