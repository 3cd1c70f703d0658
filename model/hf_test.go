package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"plumb/arch"
	"plumb/internal/safetensors"
)

// published are configs of models on the hub, less what changes nothing, with
// the preset that each is or else its published count of weights.
var published = []struct {
	name, config, preset string
	weights              int
}{
	{"SmolLM2-135M", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"head_dim":64,"hidden_act":"silu","hidden_size":576,"intermediate_size":1536,
		"is_llama_config":true,"max_position_embeddings":8192,"mlp_bias":false,"model_type":"llama","num_attention_heads":9,"num_hidden_layers":30,
		"num_key_value_heads":3,"rms_norm_eps":1e-05,"rope_interleaved":false,"rope_scaling":null,"rope_theta":100000,"tie_word_embeddings":true,"vocab_size":49152}`,
		"smollm2-135m", 134515008},
	{"Llama-3.2-1B", `{"architectures":["LlamaForCausalLM"],"head_dim":64,"hidden_size":2048,"intermediate_size":8192,"max_position_embeddings":131072,
		"num_attention_heads":32,"num_hidden_layers":16,"num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,
		"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},"rope_theta":500000.0,"tie_word_embeddings":true,"vocab_size":128256}`,
		"llama-3.2-1b", 1235814400},
	{"MobileLLM-125M", mobileLLM(false), "mobilellm-125m", 124635456},
	{"MobileLLM-LS-125M", mobileLLM(true), "mobilellm-125m-ls", 124635456},
	{"Mistral-7B-v0.1", `{"architectures":["MistralForCausalLM"],"hidden_size":4096,"intermediate_size":14336,"max_position_embeddings":32768,"num_attention_heads":32,
		"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":10000.0,"sliding_window":4096,"tie_word_embeddings":false,"vocab_size":32000}`,
		"mistral-7b-v0.1", 7241732096},
	{"Mistral-7B-v0.3", `{"architectures":["MistralForCausalLM"],"hidden_size":4096,"intermediate_size":14336,"max_position_embeddings":32768,"num_attention_heads":32,
		"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":1000000.0,"sliding_window":null,"vocab_size":32768}`,
		"mistral-7b-v0.3", 7248023552},
	{"Qwen2-0.5B", `{"architectures":["Qwen2ForCausalLM"],"hidden_size":896,"intermediate_size":4864,"max_position_embeddings":131072,"max_window_layers":24,
		"num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,"rms_norm_eps":1e-06,"rope_theta":1000000.0,"sliding_window":131072,
		"tie_word_embeddings":true,"use_sliding_window":false,"vocab_size":151936}`, "qwen2-0.5b", 494032768},
	{"gemma-2-2b", `{"architectures":["Gemma2ForCausalLM"],"attn_logit_softcapping":50.0,"final_logit_softcapping":30.0,"head_dim":256,"hidden_act":"gelu_pytorch_tanh",
		"hidden_activation":"gelu_pytorch_tanh","hidden_size":2304,"intermediate_size":9216,"max_position_embeddings":8192,"num_attention_heads":8,
		"num_hidden_layers":26,"num_key_value_heads":4,"query_pre_attn_scalar":256,"rms_norm_eps":1e-06,"rope_theta":10000.0,"sliding_window":4096,
		"torch_dtype":"bfloat16","vocab_size":256000}`, "gemma-2-2b", 2614341888},
	{"gpt2", `{"activation_function":"gelu_new","architectures":["GPT2LMHeadModel"],"layer_norm_epsilon":1e-05,"n_ctx":1024,"n_embd":768,"n_head":12,"n_layer":12,
		"n_positions":1024,"task_specific_params":{"text-generation":{"do_sample":true}},"vocab_size":50257}`, "gpt2", 124439808},
	{"opt-125m", `{"activation_function":"relu","architectures":["OPTForCausalLM"],"do_layer_norm_before":true,"ffn_dim":3072,"hidden_size":768,
		"max_position_embeddings":2048,"num_attention_heads":12,"num_hidden_layers":12,"prefix":"</s>","vocab_size":50272,"word_embed_proj_dim":768}`, "opt-125m", 125239296},
	{"opt-350m", `{"_remove_final_layer_norm":false,"activation_function":"relu","architectures":["OPTForCausalLM"],"do_layer_norm_before":false,"ffn_dim":4096,
		"hidden_size":1024,"max_position_embeddings":2048,"num_attention_heads":16,"num_hidden_layers":24,"vocab_size":50272,"word_embed_proj_dim":512}`, "opt-350m", 331196416},
	{"gpt-neo-125m", `{"activation_function":"gelu_new","architectures":["GPTNeoForCausalLM"],"attention_types":[[["global","local"],6]],"hidden_size":768,
		"intermediate_size":null,"max_position_embeddings":2048,"num_heads":12,"num_layers":12,"vocab_size":50257,"window_size":256}`, "gpt-neo-125m", 125198592},
	{"pythia-160m", `{"architectures":["GPTNeoXForCausalLM"],"hidden_act":"gelu","hidden_size":768,"intermediate_size":3072,"layer_norm_eps":1e-05,
		"max_position_embeddings":2048,"num_attention_heads":12,"num_hidden_layers":12,"rotary_emb_base":10000,"rotary_pct":0.25,"tie_word_embeddings":false,
		"use_parallel_residual":true,"vocab_size":50304}`, "pythia-160m", 162322944},
	{"phi-2", `{"architectures":["PhiForCausalLM"],"hidden_act":"gelu_new","hidden_size":2560,"intermediate_size":10240,"layer_norm_eps":1e-05,
		"max_position_embeddings":2048,"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":32,"partial_rotary_factor":0.4,"qk_layernorm":false,
		"rope_theta":10000.0,"tie_word_embeddings":false,"vocab_size":51200}`, "phi-2", 2779683840},
	{"falcon-7b", `{"alibi":false,"architectures":["FalconForCausalLM"],"bias":false,"hidden_size":4544,"layer_norm_epsilon":1e-05,"multi_query":true,
		"new_decoder_architecture":false,"num_attention_heads":71,"num_hidden_layers":32,"parallel_attn":true,"vocab_size":65024}`, "falcon-7b", 6921720704},
	{"falcon-40b", `{"alibi":false,"architectures":["FalconForCausalLM"],"bias":false,"hidden_size":8192,"layer_norm_epsilon":1e-05,"new_decoder_architecture":true,
		"num_attention_heads":128,"num_hidden_layers":60,"num_kv_heads":8,"parallel_attn":true,"vocab_size":65024}`, "", 41303293952},
}

func mobileLLM(sharing bool) string {
	return fmt.Sprintf(`{"architectures":["MobileLLMForCausalLM"],"model_type":"mobilellm","hidden_act":"silu","hidden_size":576,"intermediate_size":1536,
		"max_position_embeddings":2048,"num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,"rms_norm_eps":1e-05,
		"rope_theta":10000.0,"tie_word_embeddings":false,"share_embedding":true,"layer_sharing":%v,"vocab_size":32000}`, sharing)
}

func TestPublishedConfigs(t *testing.T) {
	for _, p := range published {
		t.Run(p.name, func(t *testing.T) {
			cfg, _, err := parseHFConfig([]byte(p.config))
			if err := errors.Join(err, cfg.Validate(), Runnable(cfg)); err != nil {
				t.Fatal(err)
			}
			if got := cfg.Params().Total; got != p.weights || sizeOf(cfg) != p.weights {
				t.Errorf("%d weights by the counts, %d by the layout, published %d", got, sizeOf(cfg), p.weights)
			}
			if p.preset == "" {
				return
			}
			want, err := arch.Presets.Get(p.preset)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := writtenOut(cfg), writtenOut(want); got != want || cfg.BlockCount() != cfg.Layers/max(1, cfg.Repeat) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// Whatever would change what a model computes, and is not done here, is named.
func TestConfigsNameWhatIsNotSupported(t *testing.T) {
	tests := []struct{ family, fields, want string }{
		{"LlamaForCausalLM", `"rope_scaling":{"type":"yarn","factor":2}`, `rope_scaling: type "yarn" is not supported (have default, linear, llama3)`},
		{"LlamaForCausalLM", `"rope_scaling":{"type":"linear","factor":2,"twist":1}`, `rope_scaling: unknown key twist = 1`},
		{"LlamaForCausalLM", `"hidden_act":"relu"`, `hidden_act "relu" is not supported`},
		{"LlamaForCausalLM", `"quantization_config":{"bits":4}`, `unknown key quantization_config = {"bits":4}`},
		{"LlamaForCausalLM", `"num_experts":8`, `unknown key num_experts`},
		{"LlamaForCausalLM", `"pruned_heads":{"1":[2]}`, `pruned_heads`},
		{"LlamaForCausalLM", `"vocab_size":"many"`, `vocab_size: `},
		{"MistralForCausalLM", `"num_hidden_layers":3,"layer_types":["full_attention","sliding_attention","odd"]`, `layer_types: layer 2 is "odd"`},
		{"Qwen2ForCausalLM", `"num_hidden_layers":2,"layer_types":["full_attention"]`, `layer_types is for 1 layers, the model has 2`},
		{"Gemma2ForCausalLM", `"num_hidden_layers":4,"layer_types":["sliding_attention","sliding_attention","full_attention","sliding_attention"]`, `equal distances`},
		{"GPT2LMHeadModel", `"activation_function":"mish"`, `activation_function "mish"`},
		{"GPT2LMHeadModel", `"add_cross_attention":true`, `add_cross_attention = true is not supported`},
		{"GPT2LMHeadModel", `"n_head":7`, `n_embd = 768 is no multiple of the number of heads, 7`},
		{"OPTForCausalLM", `"layer_norm_elementwise_affine":false`, `layer_norm_elementwise_affine`},
		{"GPTNeoForCausalLM", `"num_layers":2,"attention_types":[[["global","blocked"],1]]`, `layer 1 is "blocked"`},
		{"GPTNeoForCausalLM", `"attention_types":[[["global"],"x"]]`, `attention_types`},
		{"GPTNeoForCausalLM", `"num_layers":1000000000000,"attention_types":[[["global"],1000000000000]]`, `attention_types is for 0 layers`},
		{"GPTNeoXForCausalLM", `"rotary_pct":0.25,"partial_rotary_factor":0.5`, `rotary_pct = 0.25 and partial_rotary_factor = 0.5 must be equal`},
		{"PhiForCausalLM", `"qk_layernorm":true`, `qk_layernorm = true is not supported`},
		{"FalconForCausalLM", `"alibi":true`, `alibi = true is not supported`},
		{"BloomForCausalLM", ``, `no architecture named "BloomForCausalLM"`},
	}
	for _, test := range tests {
		t.Run(test.family+" "+test.want, func(t *testing.T) {
			fields := test.fields
			if fields != "" {
				fields = "," + fields
			}
			_, _, err := parseHFConfig(fmt.Appendf(nil, `{"architectures":[%q]%s}`, test.family, fields))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v does not say %s", err, test.want)
			}
		})
	}
}

// tinyForms are the forms of families that the shelf has no checkpoint of.
var tinyForms = map[string]string{
	"OPT 350M": `{"architectures":["OPTForCausalLM"],"do_layer_norm_before":false,"ffn_dim":20,"hidden_size":12,"max_position_embeddings":9,
		"num_attention_heads":3,"num_hidden_layers":2,"vocab_size":23,"word_embed_proj_dim":8}`,
	"OPT without biases": `{"architectures":["OPTForCausalLM"],"enable_bias":false,"_remove_final_layer_norm":true,"ffn_dim":20,"hidden_size":12,
		"max_position_embeddings":9,"num_attention_heads":3,"num_hidden_layers":2,"vocab_size":23}`,
	"Falcon 40B": `{"architectures":["FalconForCausalLM"],"hidden_size":16,"num_attention_heads":4,"num_kv_heads":2,"num_hidden_layers":2,
		"new_decoder_architecture":true,"vocab_size":23,"max_position_embeddings":9,"bias":true}`,
	"Falcon 11B": `{"architectures":["FalconForCausalLM"],"hidden_size":16,"num_attention_heads":4,"num_kv_heads":2,"num_hidden_layers":2,
		"new_decoder_architecture":true,"num_ln_in_parallel_attn":1,"vocab_size":23,"max_position_embeddings":9}`,
	"Falcon in sequence": `{"architectures":["FalconForCausalLM"],"hidden_size":16,"num_attention_heads":4,"num_hidden_layers":2,"parallel_attn":false,
		"multi_query":false,"vocab_size":23,"max_position_embeddings":9}`,
	"GPT-2 with its own width and scales": `{"architectures":["GPT2LMHeadModel"],"n_embd":12,"n_head":3,"n_layer":2,"n_inner":20,"n_positions":9,"vocab_size":23,
		"scale_attn_by_inverse_layer_idx":true,"tie_word_embeddings":false}`,
	"Qwen2 with windows": `{"architectures":["Qwen2ForCausalLM"],"hidden_size":12,"intermediate_size":20,"max_position_embeddings":9,"num_attention_heads":3,
		"num_key_value_heads":1,"num_hidden_layers":4,"use_sliding_window":true,"sliding_window":3,"max_window_layers":2,"vocab_size":23}`,
	"MobileLLM that shares": `{"architectures":["MobileLLMForCausalLM"],"hidden_size":12,"intermediate_size":20,"max_position_embeddings":9,"num_attention_heads":3,
		"num_hidden_layers":2,"share_embedding":true,"layer_sharing":true,"vocab_size":23}`,
}

// writeForeign writes m as a folder of its family: every array where its
// source says that it stands. The sources are those that reading uses, so this
// shows that they fill each tensor once and whole; that their names are right
// is shown by the shelf's checkpoints.
func writeForeign(t testing.TB, dir string, config []byte, m *Model) {
	_, name, err := parseHFConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	f, err := families.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	values, shapes := map[string][]float32{}, map[string][]int{}
	for _, p := range m.Params() {
		src := f.source(m.cfg, p.Name)
		shape := src.shape(p.Shape)
		if values[src.tensor] == nil {
			size := 1
			for _, n := range shape {
				size *= n
			}
			values[src.tensor], shapes[src.tensor] = make([]float32, size), shape
		}
		scatter(values[src.tensor], p, src)
	}
	var tensors []safetensors.Tensor
	for name, v := range values {
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: "F32", Shape: shapes[name], Data: safetensors.Float32Bytes(v)})
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, nil, tensors); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, WeightsFile), file.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, ConfigFile), config, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// scatter adds p to the tensor that it is part of, one number at a time.
func scatter(tensor []float32, p Param, src source) {
	c, cols := src.cut, 1
	if c.groups == 0 {
		c = cut{1, p.Shape[0], 0, p.Shape[0]}
	}
	if len(p.Shape) == 2 {
		cols = p.Shape[1]
	}
	for o := range p.Shape[0] {
		row := o/c.take*c.stride + c.first + o%c.take
		for i := range cols {
			at := row*cols + i
			if src.transposed {
				at = i*c.groups*c.stride + row
			}
			tensor[at] += p.Data[o*cols+i] - src.plus
		}
	}
}

func TestForeignFormsComeBack(t *testing.T) {
	for name, config := range tinyForms {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := parseHFConfig([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			m := mustNew(t, cfg)
			shake(m)
			dir := t.TempDir()
			writeForeign(t, dir, []byte(config), m)
			loaded := mustLoad(t, dir)
			for i, p := range m.Params() {
				for j, v := range p.Data {
					if loaded.Params()[i].Data[j] != v {
						t.Fatalf("%s[%d] is %v, was %v", p.Name, j, loaded.Params()[i].Data[j], v)
					}
				}
			}
		})
	}
}

// TestForeignFolderRefuses changes the tensors of a good folder.
func TestForeignFolderRefuses(t *testing.T) {
	config := tinyForms["MobileLLM that shares"]
	cfg, _, err := parseHFConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	m := mustNew(t, cfg)
	tests := []struct {
		name   string
		change func(map[string]safetensors.Tensor)
		want   string
	}{
		{"missing", func(f map[string]safetensors.Tensor) { delete(f, "model.norm.weight") }, `no tensor "model.norm.weight"`},
		{"shape", func(f map[string]safetensors.Tensor) {
			tensor := f["model.norm.weight"]
			tensor.Shape = []int{3, 4}
			f["model.norm.weight"] = tensor
		}, `tensor "model.norm.weight" is [3 4], the config asks for [12]`},
		{"integers", func(f map[string]safetensors.Tensor) {
			tensor := f["model.norm.weight"]
			tensor.DType = "I32"
			f["model.norm.weight"] = tensor
		}, `is I32; weights are read from F32, F16 or BF16`},
		{"more", func(f map[string]safetensors.Tensor) {
			f["model.extra.weight"] = f["model.norm.weight"]
		}, `tensor "model.extra.weight" has no place`},
		{"another head", func(f map[string]safetensors.Tensor) {
			head := f["model.embed_tokens.weight"]
			head.Data = bytes.Clone(head.Data)
			head.Data[2] ^= 1
			f["lm_head.weight"] = head
		}, `tensor "lm_head.weight" differs from the token table`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeForeign(t, dir, []byte(config), m)
			rewrite(t, filepath.Join(dir, WeightsFile), test.change)
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v does not say %s", err, test.want)
			}
		})
	}
	t.Run("the same head, and old tables", func(t *testing.T) {
		dir := t.TempDir()
		writeForeign(t, dir, []byte(config), m)
		rewrite(t, filepath.Join(dir, WeightsFile), func(f map[string]safetensors.Tensor) {
			f["lm_head.weight"] = f["model.embed_tokens.weight"]
			f["model.layers.0.self_attn.rotary_emb.inv_freq"] = f["model.norm.weight"]
		})
		mustLoad(t, dir)
	})
}

// rewrite changes the tensors of a file.
func rewrite(t *testing.T, path string, change func(map[string]safetensors.Tensor)) {
	f, err := safetensors.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := map[string]safetensors.Tensor{}
	for _, name := range f.Names() {
		if tensors[name], err = f.Tensor(name); err != nil {
			t.Fatal(err)
		}
	}
	change(tensors)
	var all []safetensors.Tensor
	for name, tensor := range tensors {
		tensor.Name = name
		all = append(all, tensor)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, nil, all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A file is not copied on its way into the model.
func TestLoadingTakesLittleMore(t *testing.T) {
	var cfg map[string]any
	if err := json.Unmarshal([]byte(tinyForms["MobileLLM that shares"]), &cfg); err != nil {
		t.Fatal(err)
	}
	cfg["hidden_size"], cfg["intermediate_size"], cfg["vocab_size"] = 384, 1024, 8000
	config, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shape, _, err := parseHFConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	foreign, own := t.TempDir(), t.TempDir()
	m := mustNew(t, shape)
	writeForeign(t, foreign, config, m)
	if err := m.Save(own); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{foreign, own} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mustLoad(t, dir)
		runtime.ReadMemStats(&after)
		size := uint64(4 * sizeOf(shape))
		if taken := after.TotalAlloc - before.TotalAlloc; taken > size+size/4 && dir == foreign || taken > 5*size/2 {
			t.Errorf("%s: loading %d bytes took %d", dir, size, taken)
		}
	}
}
