package model

import (
	"cmp"
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
	formsKey    = "forms" // of a model that is not dense throughout
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
	metadata := map[string]string{configKey: string(compact)}
	if len(m.forms) > 0 {
		forms, err := encodeForms(m.forms)
		if err != nil {
			return err
		}
		metadata[formsKey] = string(forms)
	}
	return WriteArrays(filepath.Join(dir, WeightsFile), Format, metadata, m.contents())
}

// IndexFile names the files of weights where there are several.
const IndexFile = "model" + safetensors.IndexSuffix

// CheckWeights reports whether dir holds weights in a file that Load reads, and
// why not: ErrPickle if all it has is of PyTorch's own kind.
func CheckWeights(dir string) error {
	_, err := weightsIn(dir)
	return err
}

// weightsIn returns the path of the weights in dir, or of their index.
func weightsIn(dir string) (string, error) {
	for _, name := range []string{WeightsFile, IndexFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, name), nil
		}
	}
	for _, pattern := range []string{"pytorch_model*.bin*", "*.pt", "*.pth"} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(found) > 0 {
			return "", fmt.Errorf("%s: %w", found[0], ErrPickle)
		}
	}
	return "", fmt.Errorf("%s holds no model: it has neither %s nor %s", dir, WeightsFile, IndexFile)
}

// loadFolder reads a model from the folder dir: one that Save wrote, or one in
// the layout of Hugging Face (see hf.go).
func loadFolder(dir string) (*Model, error) {
	path, err := weightsIn(dir)
	if err != nil {
		return nil, err
	}
	weights, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	if weights.Metadata[formatKey] == "" || weights.Metadata[configKey] == "" {
		return loadHF(dir, weights)
	}
	m, err := loadOwn(weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// loadOwn reads what Save wrote, and checks that nothing in it has changed.
func loadOwn(weights *safetensors.Set) (*Model, error) {
	if got := weights.Metadata[formatKey]; got != Format {
		return nil, fmt.Errorf("format %q; this version reads %q", got, Format)
	}
	var cfg arch.Config
	if err := strictJSON(weights.Metadata[configKey], &cfg); err != nil {
		return nil, fmt.Errorf("config in the metadata: %w", err)
	}
	var forms map[string]Form
	if text, ok := weights.Metadata[formsKey]; ok {
		var err error
		if forms, err = decodeForms(text); err != nil {
			return nil, fmt.Errorf("forms in the metadata: %w", err)
		}
	}
	names := weights.Names()
	m, err := buildIn(cfg, forms, func(s spec) error {
		dtype, shape, ok := weights.Info(s.name)
		return s.mustBe(shape, ok && dtype == cmp.Or(s.dtype, "F32"), len(names))
	}, func(p Param) error {
		defer weights.Forget(p.Name)
		if p.dtype == "" {
			return weights.Decode(p.Data, p.Name, 0)
		}
		t, err := weights.Tensor(p.Name)
		copy(p.bytes, t.Data)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(names) != len(m.arrays) {
		return nil, fmt.Errorf("%d arrays, but this shape has %d", len(names), len(m.arrays))
	}
	if checksum(weights.Metadata, m.contents()) != weights.Metadata[checksumKey] {
		return nil, ErrChecksum
	}
	return m, nil
}

func strictJSON(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// build returns a model of the shape that cfg describes, whose arrays read
// fills one by one. Memory is taken only after check has found every array in
// its shape, so that a config cannot ask for more than its file holds.
func build(cfg arch.Config, check func(spec) error, read func(s spec, dst []float32) error) (*Model, error) {
	return buildIn(cfg, nil, check, func(p Param) error {
		return read(spec{name: p.Name, group: p.Group, shape: p.Shape, into: p.Into}, p.Data)
	})
}

// buildIn is build for a model with matrices in forms. They are bound after all
// arrays are read, so that a form can check what it is given.
func buildIn(cfg arch.Config, forms map[string]Form, check func(spec) error, read func(p Param) error) (*Model, error) {
	if err := errors.Join(cfg.Validate(), Runnable(cfg)); err != nil {
		return nil, err
	}
	specs, err := layoutIn(cfg, forms)
	if err != nil {
		return nil, err
	}
	for _, s := range specs {
		if err := check(s); err != nil {
			return nil, err
		}
	}
	m, err := unbound(cfg, forms)
	if err != nil {
		return nil, err
	}
	for _, p := range m.arrays {
		if err := read(p); err != nil {
			return nil, err
		}
	}
	return m, m.bind()
}

// mustBe wants the array of s, one of so many, to be there in its shape.
func (s spec) mustBe(got []int, ok bool, arrays int) error {
	switch {
	case !ok:
		return fmt.Errorf("no array %q, which this shape needs, among its %d", s.name, arrays)
	case !slices.Equal(got, s.shape):
		return fmt.Errorf("array %q is %v, the config says %v", s.name, got, s.shape)
	}
	return nil
}

// contents lists all that m stores.
func (m *Model) contents() []Array {
	all := make([]Array, len(m.arrays))
	for i, p := range m.arrays {
		all[i] = Array{Name: p.Name, Shape: p.Shape, Data: p.Data, DType: p.dtype, Bytes: p.bytes}
	}
	return all
}

// An Array is numbers with a name and a shape.
type Array struct {
	Name  string
	Shape []int
	Data  []float32
	DType string // of other numbers than float32: their type as safetensors calls it,
	Bytes []byte // and what they are
}

// tensor is a as it stands in a file.
func (a Array) tensor() safetensors.Tensor {
	if a.DType != "" {
		return safetensors.Tensor{Name: a.Name, DType: a.DType, Shape: a.Shape, Data: a.Bytes}
	}
	return safetensors.Tensor{Name: a.Name, DType: "F32", Shape: a.Shape, Data: safetensors.Float32Bytes(a.Data)}
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
		tensors[i] = a.tensor()
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
		a := Array{Name: name, Shape: shape, Data: values}
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
		fmt.Fprintf(h, "%q %v%s\n", a.Name, a.Shape, a.DType)
		h.Write(a.Bytes)
		for part := range slices.Chunk(a.Data, 1<<14) {
			h.Write(safetensors.Float32Bytes(part))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
