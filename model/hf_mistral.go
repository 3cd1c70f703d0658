package model

import "plumb/arch"

func init() {
	families.Add("MistralForCausalLM", family{modelType: "mistral", prefix: "model.", config: mistralConfig, source: llamaSource, spare: llamaSpare})
}

// mistralConfig is Llama's with a window in every layer.
func mistralConfig(r *hfConfig) arch.Config {
	c := llamaShape(r, arch.Config{Vocab: 32000, Context: 131072, Layers: 32, Width: 4096, Heads: 32, KVHeads: 8, Hidden: 14336})
	c.Activation = r.gatedActivation("hidden_act", "silu")
	c.Window = int(r.nullable("sliding_window", 4096))
	r.layerTypes(&c)
	return c
}
