package model

import "plumb/arch"

func init() {
	families.Add("Qwen2ForCausalLM", family{modelType: "qwen2", prefix: "model.", config: qwen2Config, source: llamaSource, spare: llamaSpare})
}

// qwen2Config has biases of queries, keys and values, and windows only where
// use_sliding_window says so, in the layers from max_window_layers on
// (configuration_qwen2.py of the transformers library).
func qwen2Config(r *hfConfig) arch.Config {
	c := llamaShape(r, arch.Config{Vocab: 151936, Context: 32768, Layers: 32, Width: 4096, Heads: 32, KVHeads: 32, Hidden: 22016})
	c.Activation = r.gatedActivation("hidden_act", "silu")
	c.QKVBias = true
	window, first := int(r.nullable("sliding_window", 4096)), r.integer("max_window_layers", 28)
	if r.flag("use_sliding_window", false) && first < c.Layers {
		c.Window, c.WindowFirst = window, first
	}
	r.layerTypes(&c)
	r.mustBe("use_mrope", false)
	return c
}
