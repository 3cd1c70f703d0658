package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"plumb/arch"
)

// hfConfig reads the fields of a foreign config.json and keeps count of them,
// so that a field which nobody understood is an error and not an oversight.
type hfConfig struct {
	raw  map[string]json.RawMessage
	used map[string]bool
	errs []error
	more int // mistakes that are not among errs
}

// maxReported is how many mistakes of a config or of metadata are named.
const maxReported = 30

// has reports whether key is there and not null.
func (r *hfConfig) has(key string) bool {
	raw, ok := r.raw[key]
	return ok && string(raw) != "null"
}

func (r *hfConfig) get(key string, into any) bool {
	r.ignore(key)
	if !r.has(key) {
		return false
	}
	if err := json.Unmarshal(r.raw[key], into); err != nil {
		r.addf("%s: %w", key, err)
		return false
	}
	return true
}

func (r *hfConfig) addf(format string, args ...any) {
	if len(r.errs) == maxReported {
		r.more++
		return
	}
	r.errs = append(r.errs, fmt.Errorf(format, args...))
}

// integer returns the number under key, and what is usual in its family where
// it is not there.
func (r *hfConfig) integer(key string, usual int) int {
	v := usual
	r.get(key, &v)
	return v
}

func (r *hfConfig) number(key string, usual float64) float64 {
	v := usual
	r.get(key, &v)
	return v
}

func (r *hfConfig) flag(key string, usual bool) bool {
	v := usual
	r.get(key, &v)
	return v
}

func (r *hfConfig) textOr(key, usual string) string {
	v := usual
	r.get(key, &v)
	return v
}

// nullable returns the number under key, 0 where it is null, which means that
// there is none, and what is usual where it is not there.
func (r *hfConfig) nullable(key string, usual float64) float64 {
	v := 0.0
	if _, ok := r.raw[key]; !ok {
		v = usual
	}
	r.get(key, &v)
	return v
}

// headDim divides the width, which stands under key, among the heads.
func (r *hfConfig) headDim(key string, c arch.Config) int {
	if c.Heads < 1 || c.Width%c.Heads != 0 {
		r.addf("%s = %d is no multiple of the number of heads, %d", key, c.Width, c.Heads)
		return 0
	}
	return c.Width / c.Heads
}

// plainActivation returns our name for the activation under key.
func (r *hfConfig) plainActivation(key, usual string) string {
	return r.activation(key, usual, map[string]string{
		"gelu": "gelu_erf", "gelu_python": "gelu_erf", "gelu_new": "gelu", "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu",
	})
}

// gatedActivation returns our name for the gated kind of the activation under key.
func (r *hfConfig) gatedActivation(key, usual string) string {
	return r.activation(key, usual, map[string]string{
		"silu": "swiglu", "swish": "swiglu", "gelu_new": "geglu", "gelu_pytorch_tanh": "geglu",
	})
}

func (r *hfConfig) activation(key, usual string, known map[string]string) string {
	name := r.textOr(key, usual)
	ours, ok := known[name]
	if !ok {
		r.addf("%s %q is not supported here (have %s)", key, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return ours
}

// rotary reads base and scaling of rotary positions: rope_theta and
// rope_scaling, or rope_parameters of newer files, which has both.
func (r *hfConfig) rotary(c *arch.Config) {
	c.Position = "rotary"
	c.RotaryTheta = r.number("rope_theta", 10000)
	if c.RotaryShare == 0 {
		c.RotaryShare = 1
	}
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		s := hfConfig{}
		if !r.get(key, &s.raw) {
			continue
		}
		c.RotaryTheta = s.number("rope_theta", c.RotaryTheta)
		c.RotaryShare = s.number("partial_rotary_factor", c.RotaryShare)
		s.scaling(&c.RotaryScaling)
		if err := s.problems(); err != nil {
			r.addf("%s: %w", key, err)
		}
	}
}

// scaling reads the fields of rope_scaling.
func (r *hfConfig) scaling(s *arch.RotaryScaling) {
	switch kind := r.textOr("type", r.textOr("rope_type", "default")); kind {
	case "default":
		r.ignore("factor")
	case "linear":
		s.Factor = r.number("factor", 1)
	case "llama3":
		*s = arch.RotaryScaling{
			Factor: r.number("factor", 0), LowFrequency: r.number("low_freq_factor", 0),
			HighFrequency: r.number("high_freq_factor", 0), Context: r.integer("original_max_position_embeddings", 0),
		}
	default:
		r.addf("type %q is not supported (have default, linear, llama3)", kind)
		r.ignore(slices.Collect(maps.Keys(r.raw))...)
	}
	r.ignore("rope_type")
	if *s == (arch.RotaryScaling{Factor: 1}) {
		*s = arch.RotaryScaling{}
	}
}

// layerTypes reads which layers see a window, where the file says so by layer.
func (r *hfConfig) layerTypes(c *arch.Config) {
	var kinds []string
	if !r.get("layer_types", &kinds) {
		return
	}
	r.windows(c, "layer_types", kinds, "sliding_attention", "full_attention")
}

// windows turns a kind for each layer into the first windowed layer and the
// distance to the next.
func (r *hfConfig) windows(c *arch.Config, key string, kinds []string, windowed, full string) {
	var at []int
	for layer, kind := range kinds {
		switch kind {
		case windowed:
			at = append(at, layer)
		case full:
		default:
			r.addf("%s: layer %d is %q; only %s and %s are supported", key, layer, kind, windowed, full)
			return
		}
	}
	if len(kinds) != c.Layers {
		r.addf("%s is for %d layers, the model has %d", key, len(kinds), c.Layers)
		return
	}
	switch len(at) {
	case 0:
		c.Window, c.WindowFirst, c.WindowEvery = 0, 0, 0
		return
	case 1:
		c.WindowFirst, c.WindowEvery = at[0], c.Layers
	default:
		c.WindowFirst, c.WindowEvery = at[0], at[1]-at[0]
	}
	for layer, kind := range kinds {
		if (c.LayerWindow(layer) > 0) != (kind == windowed && c.Window > 0) {
			r.addf("%s: windowed layers must be at equal distances; layer %d is not", key, layer)
			return
		}
	}
}

// agree refuses a file that says one thing twice and differently.
func (r *hfConfig) agree(key, other string) {
	if r.has(key) && r.has(other) && string(r.raw[key]) != string(r.raw[other]) {
		r.addf("%s = %s and %s = %s must be equal", key, r.raw[key], other, r.raw[other])
	}
}

// mustBe refuses any other flag under key than want.
func (r *hfConfig) mustBe(key string, want bool) {
	if r.flag(key, want) != want {
		r.addf("%s = %v is not supported", key, !want)
	}
}

// ignore names keys that change nothing.
func (r *hfConfig) ignore(keys ...string) {
	if r.used == nil {
		r.used = map[string]bool{}
	}
	for _, key := range keys {
		r.used[key] = true
	}
}

// commonKeys stand in the configs of all families and change nothing that a
// model computes: names, tokens with a meaning, dropout, first weights,
// settings for generating text, and what older versions wrote.
var commonKeys = strings.Fields(`
	_attn_implementation_autoset _commit_hash _name_or_path _num_labels architectures auto_map dtype
	finetuning_task id2label label2id model_max_length model_type name_or_path problem_type task_specific_params tokenizer_class
	torch_dtype transformers_version
	bos_token_id decoder_start_token_id eos_token_id pad_token_id sep_token_id unk_token_id
	attention_dropout attention_probs_dropout_prob attn_pdrop classifier_dropout dropout embd_pdrop embed_dropout
	hidden_dropout hidden_dropout_prob layerdrop resid_dropout resid_pdrop
	init_std initializer_range
	cache_implementation gradient_checkpointing output_attentions output_hidden_states pretraining_tp return_dict
	return_dict_in_generate torchscript use_bfloat16 use_cache
	summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
	do_sample max_length min_length num_beams num_return_sequences prefix repetition_penalty temperature top_k top_p`)

// ignoreCommon passes over the keys that change nothing, and refuses those
// that every family has and none here supports.
func (r *hfConfig) ignoreCommon() {
	r.ignore(commonKeys...)
	r.mustBe("add_cross_attention", false)
	r.mustBe("is_encoder_decoder", false)
	var heads map[string]json.RawMessage
	if r.get("pruned_heads", &heads); len(heads) > 0 {
		r.addf("pruned_heads is not supported")
	}
}

// problems returns everything that was wrong, unknown keys included.
func (r *hfConfig) problems() error {
	for _, key := range slices.Sorted(maps.Keys(r.raw)) {
		if !r.used[key] {
			r.addf("unknown key %s = %.100s: nothing here does what it asks for", key, r.raw[key])
		}
	}
	return reported(r.errs, r.more)
}

// reported joins errs and says how many more there are.
func reported(errs []error, more int) error {
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more mistakes", more))
	}
	return errors.Join(errs...)
}

// stored rounds v to the type that the weights were saved in, as the
// transformers library does with constants of the model.
func (r *hfConfig) stored(v float64) float64 {
	switch r.textOr("dtype", r.textOr("torch_dtype", "float32")) {
	case "bfloat16":
		return roundTo(v, 8)
	case "float16":
		return roundTo(v, 11)
	}
	return float64(float32(v))
}

// roundTo keeps bits significant bits of v, to even.
func roundTo(v float64, bits int) float64 {
	fraction, exponent := math.Frexp(v)
	return math.Ldexp(math.RoundToEven(math.Ldexp(fraction, bits)), exponent-bits)
}
