package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/internal/atomicfile"
	"plumb/internal/safetensors"
)

// A model lives in a folder: WeightsFile holds the weights and, in its
// metadata, the config and a checksum; ConfigFile repeats the config for
// people; the tokenizer stands beside them.
const (
	WeightsFile = "model.safetensors"
	ConfigFile  = "config.json"
)

// Format is the version of the files that Save writes.
const Format = "plumb-model-1"

// Keys of the metadata of a file of arrays.
const (
	formatKey   = "format"
	configKey   = "config"
	checksumKey = "sha256"
)

// Save writes m into the folder dir, which is made if absent. Each file is
// replaced whole or not at all, the weights last. A frozen model is refused.
func (m *Model) Save(dir string) error {
	if m.frozen {
		return errors.New("a frozen model cannot be saved: load it again and save it without Freeze")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	config, err := json.MarshalIndent(m.cfg, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(dir, ConfigFile), append(config, '\n')); err != nil {
		return err
	}
	compact, err := json.Marshal(m.cfg)
	if err != nil {
		return err
	}
	arrays := make([]Array, len(m.params))
	for i, p := range m.params {
		arrays[i] = Array{p.Name, p.Shape, p.Data}
	}
	return WriteArrays(filepath.Join(dir, WeightsFile), Format, map[string]string{configKey: string(compact)}, arrays)
}

// loadFolder reads a model from the folder dir: one that Save wrote, or one in
// the layout of Hugging Face.
func loadFolder(dir string) (*Model, error) {
	path := filepath.Join(dir, WeightsFile)
	f, err := safetensors.Read(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Metadata[formatKey] == "" || f.Metadata[configKey] == "" {
		return loadHF(dir)
	}
	var cfg arch.Config
	if err := strictJSON(f.Metadata[configKey], &cfg); err != nil {
		return nil, fmt.Errorf("%s: config in the metadata: %w", path, err)
	}
	arrays, err := ReadArrays(path, Format)
	if err != nil {
		return nil, err
	}
	return fromArrays(path, cfg, arrays.Data)
}

func strictJSON(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// fromArrays returns a model of the shape that cfg describes with the given
// weights. Memory is taken only after every weight was found in its shape, so
// that a config cannot ask for more than its file holds.
func fromArrays(path string, cfg arch.Config, arrays map[string]Array) (*Model, error) {
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	specs := layout(cfg)
	for _, s := range specs {
		a, ok := arrays[s.name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: no array %q, which this shape needs", path, s.name)
		case !slices.Equal(a.Shape, s.shape):
			return nil, fmt.Errorf("%s: array %q is %v, the config says %v", path, s.name, a.Shape, s.shape)
		}
	}
	if len(arrays) != len(specs) {
		return nil, fmt.Errorf("%s: %d arrays, but this shape has %d", path, len(arrays), len(specs))
	}
	m, err := empty(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range m.params {
		copy(p.Data, arrays[p.Name].Data)
	}
	return m, nil
}

// An Array is numbers with a name and a shape.
type Array struct {
	Name  string
	Shape []int
	Data  []float32
}

// Arrays is what ReadArrays found in a file.
type Arrays struct {
	Metadata map[string]string
	Data     map[string]Array
}

// WriteArrays replaces the file at path by one that holds arrays, the version
// of what they mean, metadata and a checksum over all of it. Its bytes depend
// on nothing else.
func WriteArrays(path, format string, metadata map[string]string, arrays []Array) error {
	full := map[string]string{formatKey: format}
	for key, value := range metadata {
		full[key] = value
	}
	tensors := make([]safetensors.Tensor, len(arrays))
	for i, a := range arrays {
		tensors[i] = safetensors.Tensor{Name: a.Name, DType: "F32", Shape: a.Shape, Data: safetensors.Float32Bytes(a.Data)}
	}
	full[checksumKey] = checksum(full, arrays)
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	if err := safetensors.Write(f, full, tensors); err != nil {
		f.Abort()
		return err
	}
	return f.Commit()
}

// ReadArrays reads a file that WriteArrays wrote with the same format, and
// checks that nothing in it has changed since.
func ReadArrays(path, format string) (Arrays, error) {
	f, err := safetensors.Read(path)
	if err != nil {
		return Arrays{}, err
	}
	defer f.Close()
	if got := f.Metadata[formatKey]; got != format {
		return Arrays{}, fmt.Errorf("%s: format %q; this version reads %q", path, got, format)
	}
	read := Arrays{Metadata: f.Metadata, Data: map[string]Array{}}
	var ordered []Array
	for _, name := range f.Names() {
		values, shape, err := f.Float32(name)
		if err != nil {
			return Arrays{}, err
		}
		a := Array{name, shape, values}
		read.Data[name] = a
		ordered = append(ordered, a)
	}
	if checksum(f.Metadata, ordered) != f.Metadata[checksumKey] {
		return Arrays{}, fmt.Errorf("%s: %w", path, ErrChecksum)
	}
	return read, nil
}

// ErrChecksum says that a file is not as it was written.
var ErrChecksum = fmt.Errorf("the checksum does not match: the file is damaged; delete it and run again")

// checksum hashes metadata, other than the checksum itself, and arrays in the
// order of their names.
func checksum(metadata map[string]string, arrays []Array) string {
	h := sha256.New()
	keys := make([]string, 0, len(metadata))
	for key := range metadata {
		if key != checksumKey {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(h, "%q %q\n", key, metadata[key])
	}
	arrays = slices.Clone(arrays)
	slices.SortFunc(arrays, func(a, b Array) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range arrays {
		fmt.Fprintf(h, "%q %v\n", a.Name, a.Shape)
		h.Write(safetensors.Float32Bytes(a.Data))
	}
	return hex.EncodeToString(h.Sum(nil))
}
