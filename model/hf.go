package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/internal/registry"
	"plumb/internal/safetensors"
)

// A family is a class of models on the Hugging Face hub: how its config and the
// names and layouts of its tensors translate into ours. Families are known by
// the architectures of config.json, such as LlamaForCausalLM.
type family struct {
	modelType string // by which configs without architectures name it
	prefix    string // that files of the bare model leave out of tensor names
	config    func(r *hfConfig) arch.Config
	source    func(c arch.Config, name string) source
	spare     []string // ends of the names of tensors that hold no weights
}

var families = registry.New[family]("architecture")

// familyOf finds the family of a config by its architectures or, where it has
// none, by its model type.
func familyOf(r *hfConfig) (name string, f family, err error) {
	var names []string
	r.get("architectures", &names)
	if len(names) > 0 {
		f, err := families.Get(names[0])
		return names[0], f, err
	}
	modelType := r.textOr("model_type", "")
	for _, name := range families.Names() {
		if f, err := families.Get(name); err == nil && f.modelType == modelType && modelType != "" {
			return name, f, nil
		}
	}
	return "", family{}, fmt.Errorf("no architectures, and model_type %q is none that is known (have %s)", modelType, strings.Join(families.Names(), ", "))
}

// loadHF reads a folder with config.json and weights as the transformers
// library writes them.
func loadHF(dir string, weights *safetensors.Set) (*Model, error) {
	cfg, name, err := ReadHFConfig(dir)
	if err != nil {
		return nil, err
	}
	f, err := families.Get(name)
	if err != nil {
		return nil, err
	}
	file := hfFile{weights, f, cfg}
	m, err := build(cfg, file.check, file.read)
	if err == nil {
		err = file.checkRest()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// maxConfig is the most bytes that a config.json may have.
const maxConfig = 16 << 20

// ReadHFConfig translates the config.json of dir and names its family.
func ReadHFConfig(dir string) (cfg arch.Config, family string, err error) {
	path := filepath.Join(dir, ConfigFile)
	data, err := readSmall(path, maxConfig)
	if err != nil {
		return arch.Config{}, "", err
	}
	if cfg, family, err = parseHFConfig(data); err != nil {
		return arch.Config{}, "", fmt.Errorf("%s: %w", path, err)
	}
	cfg.Name = filepath.Base(filepath.Clean(dir))
	return cfg, family, nil
}

// readSmall reads the file at path unless it has more than most bytes.
func readSmall(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}

func parseHFConfig(data []byte) (cfg arch.Config, name string, err error) {
	r := &hfConfig{}
	if err := json.Unmarshal(data, &r.raw); err != nil {
		return cfg, "", err
	}
	name, f, err := familyOf(r)
	if err != nil {
		return cfg, "", err
	}
	cfg = f.config(r)
	cfg.Repeat = max(1, cfg.Repeat)
	r.ignoreCommon()
	return cfg, name, r.problems()
}

// ReadHFArrays reads the tensors of a model of the given family and shape under
// our names and in our layout. The file may hold gradients or moments in place
// of weights.
func ReadHFArrays(path, family string, cfg arch.Config) (map[string]Array, error) {
	f, err := families.Get(family)
	if err != nil {
		return nil, err
	}
	weights, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	file, arrays := hfFile{weights, f, cfg}, map[string]Array{}
	for _, s := range layout(cfg) {
		if err := file.check(s); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		a := Array{Name: s.name, Shape: s.shape, Data: make([]float32, s.size())}
		if err := file.read(s, a.Data); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		arrays[s.name] = a
	}
	return arrays, nil
}

// HFTensor names the tensor of a foreign file that our array called name of a
// model of shape cfg is, or is a part of.
func HFTensor(family string, cfg arch.Config, name string) (string, error) {
	f, err := families.Get(family)
	if err != nil {
		return "", err
	}
	return f.source(cfg, name).tensor, nil
}

// An hfFile is the tensors of a model of a family and a shape.
type hfFile struct {
	*safetensors.Set
	family family
	cfg    arch.Config
}

// find returns the name under which the file has a tensor, with the prefix of
// the family or without, and its shape.
func (h hfFile) find(tensor string) (name string, shape []int, ok bool) {
	for _, name := range []string{tensor, strings.TrimPrefix(tensor, h.family.prefix)} {
		if _, shape, ok := h.Info(name); ok {
			return name, shape, true
		}
	}
	return "", nil, false
}

// check wants the tensor of s in the shape that the config asks for.
func (h hfFile) check(s spec) error {
	src := h.family.source(h.cfg, s.name)
	name, got, ok := h.find(src.tensor)
	if !ok && s.name == "head.weight" {
		return fmt.Errorf("no tensor %q, and the config does not tie the output matrix to the token table: if they are one, set tie_word_embeddings", src.tensor)
	}
	if !ok {
		return fmt.Errorf("no tensor %q, which the config asks for as %s", src.tensor, s.name)
	}
	if want := src.shape(s.shape); !slices.Equal(got, want) {
		return fmt.Errorf("tensor %q is %v, the config asks for %v", name, got, want)
	}
	if dtype, _, _ := h.Info(name); !slices.Contains([]string{"F32", "F16", "BF16"}, dtype) {
		return fmt.Errorf("tensor %q is %s; weights are read from F32, F16 or BF16", name, dtype)
	}
	return nil
}

// read fills dst with the array of s.
func (h hfFile) read(s spec, dst []float32) error {
	src := h.family.source(h.cfg, s.name)
	name, _, _ := h.find(src.tensor)
	err := src.read(h.Set, name, dst, s.shape)
	h.Forget(name)
	return err
}

// checkRest refuses tensors that nobody has read, other than a copy of the
// token table that stands for a tied output matrix.
func (h hfFile) checkRest() error {
	known := map[string]bool{}
	for _, s := range layout(h.cfg) {
		name, _, _ := h.find(h.family.source(h.cfg, s.name).tensor)
		known[name] = true
	}
	head := h.family.source(h.cfg, "head.weight").tensor
	for _, name := range h.Names() {
		switch {
		case known[name] || h.isSpare(name):
		case name == head && h.cfg.TiedHead:
			if err := h.checkTied(head); err != nil {
				return err
			}
		default:
			return fmt.Errorf("tensor %q has no place in the model that %s describes", name, ConfigFile)
		}
	}
	return nil
}

func (h hfFile) isSpare(name string) bool {
	return slices.ContainsFunc(h.family.spare, func(end string) bool { return strings.HasSuffix(name, end) })
}

// checkTied compares a stored output matrix with the token table that the
// config ties it to, row by row.
func (h hfFile) checkTied(head string) error {
	table, shape, _ := h.find(h.family.source(h.cfg, "embedding.weight").tensor)
	if _, got, _ := h.Info(head); !slices.Equal(got, shape) {
		return fmt.Errorf("tensor %q is %v, the token table it is tied to %v", head, got, shape)
	}
	a, b := make([]float32, shape[1]), make([]float32, shape[1])
	for row := range shape[0] {
		if err := errors.Join(h.Decode(a, head, row*len(a)), h.Decode(b, table, row*len(b))); err != nil {
			return err
		}
		if !slices.Equal(a, b) {
			return fmt.Errorf("tensor %q differs from the token table, and the config says that they are one: tie_word_embeddings must be false, or the file is broken", head)
		}
	}
	h.Forget(head)
	h.Forget(table)
	return nil
}
