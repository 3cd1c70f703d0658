package model

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumb/arch"
	"plumb/internal/gguf"
)

// ggufKeys reads the metadata of one architecture and keeps count of them, so
// that a key which nobody understood is an error and not an oversight.
type ggufKeys struct {
	arch    string
	pairs   []gguf.Pair
	rows    func(tensor string) int // how many rows a tensor has, 0 if it is not there
	tied    bool                    // the output matrix is the token table
	factors func() []float32        // divisors of the rotary frequencies, nil if there are none

	used map[string]bool
	errs []error
	more int // mistakes that are not among errs
}

// get returns the value under the architecture's key, nil if there is none.
func (k *ggufKeys) get(key string) any {
	k.ignore(key)
	i := slices.IndexFunc(k.pairs, func(p gguf.Pair) bool { return p.Key == k.arch+"."+key })
	if i < 0 {
		return nil
	}
	return k.pairs[i].Value
}

func (k *ggufKeys) refuse(format string, args ...any) {
	if len(k.errs) == maxReported {
		k.more++
		return
	}
	k.errs = append(k.errs, fmt.Errorf(format, args...))
}

// integer demands a natural number below 2^31.
func (k *ggufKeys) integer(key string) int {
	if k.get(key) == nil {
		k.refuse("%s.%s is missing", k.arch, key)
	}
	return k.integerOr(key, 0)
}

func (k *ggufKeys) integerOr(key string, otherwise int) int {
	value := k.get(key)
	if value == nil {
		return otherwise
	}
	v, n := reflect.ValueOf(value), int64(-1)
	switch {
	case v.CanInt():
		n = v.Int()
	case v.CanUint() && v.Uint() <= math.MaxInt32:
		n = int64(v.Uint())
	}
	if n < 0 || n > math.MaxInt32 {
		k.refuse("%s.%s = %v is no natural number below 2^31", k.arch, key, clipped(value))
		return otherwise
	}
	return int(n)
}

// number returns a float32 as the shortest decimal number that it stands for,
// so that 1e-5 stays 1e-5.
func (k *ggufKeys) number(key string, otherwise float64) float64 {
	switch v := k.get(key).(type) {
	case nil:
		return otherwise
	case float64:
		return v
	case float32:
		return shortest(v)
	default:
		k.refuse("%s.%s = %v is no number", k.arch, key, clipped(v))
		return otherwise
	}
}

func shortest(v float32) float64 {
	n, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

func (k *ggufKeys) flag(key string, otherwise bool) bool {
	switch v := k.get(key).(type) {
	case nil:
		return otherwise
	case bool:
		return v
	default:
		k.refuse("%s.%s = %v is neither true nor false", k.arch, key, clipped(v))
		return otherwise
	}
}

// mustBe refuses values of key other than want.
func (k *ggufKeys) mustBe(key string, want int) {
	if got := k.integerOr(key, want); got != want {
		k.refuse("%s.%s = %d is not supported (have %d)", k.arch, key, got, want)
	}
}

// ignore names keys that change nothing.
func (k *ggufKeys) ignore(keys ...string) {
	if k.used == nil {
		k.used = map[string]bool{}
	}
	for _, key := range keys {
		k.used[k.arch+"."+key] = true
	}
}

// problems returns everything that was wrong, unknown keys of the architecture included.
func (k *ggufKeys) problems() error {
	for _, p := range k.pairs {
		if strings.HasPrefix(p.Key, k.arch+".") && !k.used[p.Key] {
			k.refuse("unknown key %s = %v", p.Key, clipped(p.Value))
		}
	}
	return reported(k.errs, k.more)
}

// clipped is a value as a message shows it.
func clipped(value any) string {
	text := fmt.Sprint(value)
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	return text
}

// common reads the keys that all architectures have.
func (k *ggufKeys) common() arch.Config {
	c := arch.Config{
		Vocab: k.rows(ggufTokens), Context: k.integer("context_length"), Layers: k.layers(), Repeat: 1,
		Width: k.integer("embedding_length"), Heads: k.integer("attention.head_count"), Hidden: k.integer("feed_forward_length"),
		TiedHead: k.tied,
	}
	c.KVHeads = k.integerOr("attention.head_count_kv", c.Heads)
	c.HeadDim = k.integerOr("attention.key_length", c.Width/max(1, c.Heads))
	k.mustBe("attention.value_length", c.HeadDim)
	if rows := k.integerOr("vocab_size", c.Vocab); rows != c.Vocab {
		k.refuse("%s.vocab_size = %d, but %s has %d rows", k.arch, rows, ggufTokens, c.Vocab)
	}
	return c
}

// layers reads how many there are, and wants the last of them to be there
// before anybody counts on so many.
func (k *ggufKeys) layers() int {
	n := k.integer("block_count")
	if last := fmt.Sprintf("blk.%d.attn_norm.weight", n-1); n > 0 && k.rows(last) == 0 {
		k.refuse("%s.block_count = %d, but there is no tensor %q", k.arch, n, last)
		return 1
	}
	return n
}

// rotary reads the keys of rotary positions into c.
func (k *ggufKeys) rotary(c *arch.Config) {
	c.Position = "rotary"
	c.RotaryTheta = k.number("rope.freq_base", 10000)
	c.RotaryShare = float64(k.integerOr("rope.dimension_count", c.HeadDim)) / float64(max(1, c.HeadDim))
	k.ignore("rope.scaling.original_context_length", "rope.scaling.finetuned")
	switch kind := k.get("rope.scaling.type"); kind {
	case nil, "none", "linear":
		if factor := k.number("rope.scaling.factor", 1); factor != 1 && kind != "none" {
			c.RotaryScaling = arch.RotaryScaling{Factor: factor}
		}
	default:
		k.ignore("rope.scaling.factor")
		k.refuse("%s.rope.scaling.type = %v is not supported (have none, linear, and Llama 3's by %s)", k.arch, clipped(kind), ropeFactors)
	}
	if factors := k.factors(); factors != nil {
		k.llama3(c, factors)
	}
}

// has reports whether the first layer has a tensor of this name, such as "attn_q.bias".
func (k *ggufKeys) has(tensor string) bool { return k.rows("blk.0."+tensor) > 0 }
