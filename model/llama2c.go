package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"plumb/arch"
	"plumb/internal/mapped"
)

// Checkpoints of llama2.c (its export.py): a header of seven int32, then
// float32 arrays without names. The legacy files have nothing before the
// header; those of version 1 have a magic number and a version, and their header
// takes 256 bytes.
const (
	llama2CMagic   = 0x616b3432 // "ak42"
	llama2CLegacy  = 7 * 4
	llama2CVersion = 256
)

// A llama2CFile is where the arrays of a checkpoint stand.
type llama2CFile struct {
	config  arch.Config
	offset  int      // bytes before the first array
	arrays  []string // names of ours, "*" for every block in turn; "" for the two rotary tables
	version int
}

// loadLlama2C reads the checkpoint at path.
func loadLlama2C(path string) (*Model, error) {
	file, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var m *Model
	if fault := file.Read(func() { m, err = parseLlama2C(file.Bytes()) }); fault != nil {
		return nil, fault
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.cfg.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return m, nil
}

func parseLlama2C(data []byte) (*Model, error) {
	f, err := llama2CHeader(data)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.config.Validate(), Runnable(f.config)); err != nil {
		return nil, fmt.Errorf("its header describes no model: %w", err)
	}
	if left, want := len(data)-f.offset, 4*f.numbers(); left != want {
		return nil, fmt.Errorf("%d bytes of weights, but its header describes %d; it is cut short or no checkpoint of llama2.c", left, want)
	}
	m, err := empty(f.config)
	if err != nil {
		return nil, err
	}
	f.fill(m, data[f.offset:])
	return m, nil
}

// llama2CHeader reads the shape, which is checked by the caller.
func llama2CHeader(data []byte) (f llama2CFile, err error) {
	if len(data) < llama2CLegacy {
		return f, fmt.Errorf("%d bytes are no checkpoint of llama2.c; its header alone takes %d", len(data), llama2CLegacy)
	}
	if binary.LittleEndian.Uint32(data) != llama2CMagic {
		f.config, f.offset = llama2CConfig(data), llama2CLegacy
		vocab := int(int32(binary.LittleEndian.Uint32(data[5*4:])))
		f.config.TiedHead = vocab > 0
		f.config.Vocab = max(vocab, -vocab)
		f.arrays = []string{
			"embedding.weight", "*.attention.norm.gain", "*.attention.q.weight", "*.attention.k.weight", "*.attention.v.weight", "*.attention.out.weight",
			"*.ffn.norm.gain", "*.ffn.gate.weight", "*.ffn.down.weight", "*.ffn.up.weight", "norm.gain", "", "head.weight",
		}
		return f, nil
	}
	if version := binary.LittleEndian.Uint32(data[4:]); version != 1 {
		return f, fmt.Errorf("llama2.c checkpoint of version %d is not supported (have the legacy form and 1)", version)
	}
	if len(data) < llama2CVersion {
		return f, fmt.Errorf("%d bytes are no checkpoint of version 1; its header alone takes %d", len(data), llama2CVersion)
	}
	f.config, f.offset, f.version = llama2CConfig(data[8:]), llama2CVersion, 1
	f.config.TiedHead = data[8+llama2CLegacy] != 0
	f.arrays = []string{
		"*.attention.norm.gain", "*.ffn.norm.gain", "norm.gain", "embedding.weight", "*.attention.q.weight", "*.attention.k.weight", "*.attention.v.weight",
		"*.attention.out.weight", "*.ffn.gate.weight", "*.ffn.down.weight", "*.ffn.up.weight", "head.weight",
	}
	return f, nil
}

// llama2CConfig reads width, feed-forward width, layers, heads, key-value
// heads, vocabulary and context. Epsilon and rotary base are llama2.c's own.
func llama2CConfig(header []byte) arch.Config {
	var n [7]int
	for i := range n {
		n[i] = int(int32(binary.LittleEndian.Uint32(header[4*i:])))
	}
	return arch.Config{
		Width: n[0], Hidden: n[1], Layers: n[2], Repeat: 1, Heads: n[3], KVHeads: n[4], Vocab: n[5], Context: n[6],
		HeadDim: n[0] / max(1, n[3]), Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
		Position: "rotary", RotaryTheta: 10000, RotaryShare: 1,
	}
}

// tables is how many numbers the two unused rotary tables of a legacy file have.
func (f llama2CFile) tables() int { return f.config.Context * f.config.HeadDim / 2 * 2 }

// numbers counts all that follow the header. The shape is valid, so that no
// product overflows.
func (f llama2CFile) numbers() int {
	n := 0
	for _, s := range layout(f.config) {
		n += s.size()
	}
	if f.version == 0 {
		n += f.tables()
	}
	return n
}

// fill copies the arrays into m.
func (f llama2CFile) fill(m *Model, data []byte) {
	params := map[string][]float32{}
	for _, p := range m.arrays {
		params[p.Name] = p.Data
	}
	take := func(dst []float32) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		data = data[4*len(dst):]
	}
	for _, name := range f.arrays {
		inner, blocks := strings.CutPrefix(name, "*")
		switch {
		case name == "":
			data = data[4*f.tables():]
		case blocks:
			for b := range f.config.Layers {
				take(params[fmt.Sprintf("blocks.%d%s", b, inner)])
			}
		default:
			take(params[name])
		}
	}
	f.turnBack(params)
}

// turnBack puts queries and keys, whose rotations turn neighbours, into our order.
func (f llama2CFile) turnBack(params map[string][]float32) {
	for b := range f.config.Layers {
		turnBack(params[fmt.Sprintf("blocks.%d.attention.q.weight", b)], f.config.Heads, f.config)
		turnBack(params[fmt.Sprintf("blocks.%d.attention.k.weight", b)], f.config.KVHeads, f.config)
	}
}
