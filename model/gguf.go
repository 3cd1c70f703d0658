package model

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/internal/gguf"
	"plumb/internal/registry"
)

// A ggufFamily is an architecture of GGUF files: how their metadata describe a
// shape and the other way round, and how their tensors differ from ours.
type ggufFamily struct {
	config   func(k *ggufKeys) arch.Config
	metadata func(c arch.Config) []gguf.Pair // keys without the architecture's name

	fused       bool // queries, keys and values are one matrix, in this order
	interleaved bool // rotary positions turn channels 2i and 2i+1 of a head in place of i and i+d/2
	headIsThere bool // a tied head is written a second time, because llama.cpp asks for it
}

var ggufFamilies = registry.New[ggufFamily]("GGUF architecture")

// loadGGUF reads a model from the GGUF file at path. Its matrices are expanded
// to float32.
func loadGGUF(path string) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := modelOfGGUF(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.cfg.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return m, nil
}

func modelOfGGUF(f *gguf.File) (*Model, error) {
	keys := fileKeys(f)
	family, err := ggufFamilies.Get(keys.arch)
	if err != nil {
		return nil, fmt.Errorf("general.architecture: %w", err)
	}
	cfg := family.config(keys)
	if err := keys.problems(); err != nil {
		return nil, err
	}
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, err
	}
	if err := family.checkTensors(f, cfg); err != nil {
		return nil, err
	}
	m, err := empty(cfg)
	if err != nil {
		return nil, err
	}
	for _, p := range m.arrays {
		if err := family.read(f, cfg, p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// checkTensors wants every tensor of cfg in its shape, and no other, before
// memory is taken for any.
func (a ggufFamily) checkTensors(f *gguf.File, cfg arch.Config) error {
	known := map[string]bool{ropeFactors: true}
	for _, want := range a.tensors(cfg) {
		got, ok := f.Tensor(want.name)
		switch {
		case !ok:
			return fmt.Errorf("no tensor named %q, which this shape needs", want.name)
		case !slices.Equal(got.Shape, want.shape):
			return fmt.Errorf("tensor %q is %v, the metadata say %v", want.name, got.Shape, want.shape)
		}
		known[want.name] = true
	}
	for _, t := range f.Tensors() {
		if !known[t.Name] && !(cfg.TiedHead && t.Name == ggufHead) {
			return fmt.Errorf("tensor %q has no place in this shape", t.Name)
		}
	}
	return nil
}

// read fills p.
func (a ggufFamily) read(f *gguf.File, cfg arch.Config, p Param) error {
	name, row := a.source(cfg, p.Name)
	defer f.Forget(name)
	if err := f.Float32(p.Data, name, row*(len(p.Data)/p.Shape[0])); err != nil {
		return err
	}
	if heads := a.turned(cfg, p.Name); heads > 0 {
		turnBack(p.Data, heads, cfg)
	}
	return nil
}

// A ggufTensor is a tensor of a file and the arrays of ours that it consists of,
// one below the other.
type ggufTensor struct {
	name  string
	shape []int
	parts []spec
}

// tensors lists the tensors of a model of shape c, which shares no blocks.
func (a ggufFamily) tensors(c arch.Config) []ggufTensor {
	var list []ggufTensor
	index := map[string]int{}
	for _, s := range layout(c) {
		name, _ := a.source(c, s.name)
		i, ok := index[name]
		if !ok {
			index[name] = len(list)
			list = append(list, ggufTensor{name, slices.Clone(s.shape), []spec{s}})
			continue
		}
		list[i].shape[0] += s.shape[0]
		list[i].parts = append(list[i].parts, s)
	}
	return list
}

// The names of the arrays that stand outside of blocks, by ours.
var ggufOuter = map[string]string{
	"embedding.weight": ggufTokens,
	"position.weight":  ggufPositions,
	"norm.gain":        "output_norm.weight",
	"norm.bias":        "output_norm.bias",
	"head.weight":      ggufHead,
	"head.bias":        "output.bias",
}

const (
	ggufTokens    = "token_embd.weight"
	ggufPositions = "position_embd.weight"
	ggufHead      = "output.weight"
	ropeFactors   = "rope_freqs.weight" // divisors of the rotary frequencies
)

// The names of the parts of a block, by ours.
var ggufInner = map[string]string{
	"attention.norm":      "attn_norm",
	"attention.q":         "attn_q",
	"attention.k":         "attn_k",
	"attention.v":         "attn_v",
	"attention.out":       "attn_output",
	"attention.post_norm": "post_attention_norm",
	"ffn.norm":            "ffn_norm",
	"ffn.gate":            "ffn_gate",
	"ffn.up":              "ffn_up",
	"ffn.down":            "ffn_down",
	"ffn.post_norm":       "post_ffw_norm",
}

// source names the tensor that holds our array called name, and the row of it
// where the array begins.
func (a ggufFamily) source(c arch.Config, name string) (tensor string, first int) {
	if outer, ok := ggufOuter[name]; ok {
		return outer, 0
	}
	block, rest, _ := blockName(name)
	part, kind := cutLast(rest)
	if kind == "gain" {
		kind = "weight"
	}
	inner := ggufInner[part]
	if rows, ok := fusedRows(c, part); a.fused && ok {
		inner, first = "attn_qkv", rows
	}
	return "blk." + block + "." + inner + "." + kind, first
}

// fusedRows returns how many rows stand above part in a fused matrix.
func fusedRows(c arch.Config, part string) (rows int, ok bool) {
	switch part {
	case "attention.q":
		return 0, true
	case "attention.k":
		return c.Heads * c.HeadDim, true
	case "attention.v":
		return (c.Heads + c.KVHeads) * c.HeadDim, true
	}
	return 0, false
}

// cutLast splits "ffn.up.weight" into "ffn.up" and "weight".
func cutLast(name string) (part, kind string) {
	i := max(0, strings.LastIndexByte(name, '.'))
	return name[:i], strings.TrimPrefix(name[i:], ".")
}

// turned returns how many heads the array called name has whose rows stand in
// the interleaved order, 0 if it stands as it does here.
func (a ggufFamily) turned(c arch.Config, name string) int {
	_, rest, _ := blockName(name)
	switch part, _ := cutLast(rest); {
	case !a.interleaved:
		return 0
	case part == "attention.q":
		return c.Heads
	case part == "attention.k":
		return c.KVHeads
	}
	return 0
}

// turn puts the rows of a matrix or bias of queries or keys, [heads·d, in],
// into the order of rotations that turn neighbours: of the r channels that
// rotate in each head, i and i+r/2 become 2i and 2i+1.
func turn[E any](values []E, heads int, c arch.Config) {
	reorder(values, heads, c, func(dst, src [][]E, i, half int) {
		copy(dst[2*i], src[i])
		copy(dst[2*i+1], src[i+half])
	})
}

// turnBack undoes turn.
func turnBack[E any](values []E, heads int, c arch.Config) {
	reorder(values, heads, c, func(dst, src [][]E, i, half int) {
		copy(dst[i], src[2*i])
		copy(dst[i+half], src[2*i+1])
	})
}

// reorder calls move for each pair of rotating rows of each head.
func reorder[E any](values []E, heads int, c arch.Config, move func(dst, src [][]E, i, half int)) {
	head := len(values) / heads
	width, half := head/c.HeadDim, c.RotaryChannels()/2
	for h := range heads {
		dst := values[h*head:][:head]
		src := slices.Clone(dst)
		dstRows, srcRows := rowsOf(dst, width), rowsOf(src, width)
		for i := range half {
			move(dstRows, srcRows, i, half)
		}
	}
}

func rowsOf[E any](values []E, width int) [][]E {
	return slices.Collect(slices.Chunk(values, width))
}

// fileKeys reads the metadata of f.
func fileKeys(f *gguf.File) *ggufKeys {
	name, _ := f.Value("general.architecture").(string)
	return &ggufKeys{
		arch: name, pairs: f.Metadata,
		rows: func(tensor string) int {
			t, ok := f.Tensor(tensor)
			if !ok {
				return 0
			}
			return t.Shape[0]
		},
		tied:    !hasTensor(f, ggufHead) || f.Same(ggufTokens, ggufHead),
		factors: func() []float32 { return factorsOf(f) },
	}
}

func hasTensor(f *gguf.File, name string) bool {
	_, ok := f.Tensor(name)
	return ok
}

// factorsOf returns the divisors of the rotary frequencies, nil if there are none.
func factorsOf(f *gguf.File) []float32 {
	t, ok := f.Tensor(ropeFactors)
	if !ok || len(t.Shape) != 1 {
		return nil
	}
	factors := make([]float32, t.Elements())
	if f.Float32(factors, ropeFactors, 0) != nil {
		return nil
	}
	return factors
}
