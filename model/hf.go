package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plumb/arch"
	"plumb/internal/registry"
	"plumb/internal/safetensors"
)

// A family is a kind of model on the Hugging Face hub, by the model_type of
// its config.json: how its config and the names and layouts of its tensors
// translate into ours.
type family struct {
	config func(raw map[string]json.RawMessage) (arch.Config, error)
	source func(name string) source
}

// A source says where one of our arrays stands in a foreign file.
type source struct {
	tensor     string
	transposed bool // stored as [in, out]
	part, of   int  // of the outputs of a fused matrix, the part-th of equal parts
}

var families = registry.New[family]("model type")

func init() {
	families.Add("llama", family{llamaConfig, llamaSource})
	families.Add("gpt2", family{gpt2Config, gpt2Source})
}

// loadHF reads a folder with config.json and model.safetensors as the
// transformers library writes them.
func loadHF(dir string) (*Model, error) {
	cfg, modelType, err := ReadHFConfig(dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	path := filepath.Join(dir, WeightsFile)
	arrays, err := ReadHFArrays(path, modelType, cfg)
	if err != nil {
		return nil, err
	}
	return fromArrays(path, cfg, arrays)
}

// ReadHFConfig translates the config.json of dir and names its model type.
func ReadHFConfig(dir string) (cfg arch.Config, modelType string, err error) {
	path := filepath.Join(dir, ConfigFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return arch.Config{}, "", err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return arch.Config{}, "", fmt.Errorf("%s: %w", path, err)
	}
	json.Unmarshal(raw["model_type"], &modelType)
	f, err := families.Get(modelType)
	if err != nil {
		return arch.Config{}, "", fmt.Errorf("%s: %w", path, err)
	}
	if cfg, err = f.config(raw); err != nil {
		return arch.Config{}, "", fmt.Errorf("%s: %w", path, err)
	}
	cfg.Name = filepath.Base(filepath.Clean(dir))
	return cfg, modelType, nil
}

// ReadHFArrays reads the tensors of a model of the given type and shape under
// our names and in our layout. The file may hold gradients or moments in place
// of weights.
func ReadHFArrays(path, modelType string, cfg arch.Config) (map[string]Array, error) {
	f, err := families.Get(modelType)
	if err != nil {
		return nil, err
	}
	file, err := safetensors.Read(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	arrays := map[string]Array{}
	for _, s := range layout(cfg) {
		values, err := f.source(s.name).read(file, s.shape)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, s.name, err)
		}
		arrays[s.name] = Array{s.name, s.shape, values}
	}
	return arrays, nil
}

// HFTensor names the tensor of a foreign file that our array called name is,
// or is a part of.
func HFTensor(modelType, name string) (string, error) {
	f, err := families.Get(modelType)
	if err != nil {
		return "", err
	}
	return f.source(name).tensor, nil
}

// read takes an array of the wanted shape from its source.
func (s source) read(f *safetensors.File, shape []int) ([]float32, error) {
	name := s.tensor
	if _, _, ok := f.Info(name); !ok {
		name = "transformer." + name // the newer names of GPT-2
		if _, _, ok := f.Info(name); !ok {
			return nil, fmt.Errorf("no tensor named %q", s.tensor)
		}
	}
	values, got, err := f.Float32(name)
	if err != nil {
		return nil, err
	}
	out, in := shape[0], 1
	if len(shape) == 2 {
		in = shape[1]
	}
	if len(values) != out*s.of*in || len(got) != len(shape) {
		return nil, fmt.Errorf("tensor %q is %v, the config asks for %v in %d parts", name, got, shape, s.of)
	}
	if s.transposed && got[0] == in && got[len(got)-1] == out*s.of {
		return s.columns(values, out, in), nil
	}
	if got[0] != out*s.of {
		return nil, fmt.Errorf("tensor %q is %v, the config asks for %v in %d parts", name, got, shape, s.of)
	}
	return values[s.part*out*in : (s.part+1)*out*in], nil
}

// columns returns the part of values [in, of·out] as [out, in].
func (s source) columns(values []float32, out, in int) []float32 {
	dst := make([]float32, out*in)
	for i := range in {
		row := values[i*out*s.of+s.part*out:]
		for o := range out {
			dst[o*in+i] = row[o]
		}
	}
	return dst
}

// blockName splits "blocks.3.ffn.up.weight" into "3" and "ffn.up.weight".
func blockName(name string) (block, rest string, ok bool) {
	after, ok := strings.CutPrefix(name, "blocks.")
	if !ok {
		return "", "", false
	}
	return strings.Cut(after, ".")
}

func whole(tensor string) source { return source{tensor: tensor, of: 1} }
