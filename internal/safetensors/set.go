package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IndexSuffix ends the name of a file that says which tensor stands in which
// of several files.
const IndexSuffix = ".safetensors.index.json"

// maxShards is how many files an index may name. The largest published models
// have a few hundred.
const maxShards = 4096

// A Set is the tensors of one file, or of several that belong together. It may
// be used by several goroutines at once.
type Set struct {
	Metadata map[string]string // of a single file

	path  string
	files map[string]*File // by base name
	of    map[string]*File // by tensor
}

// Open opens the file at path or, where its name ends with IndexSuffix, the
// files beside it that it names, all of them. Every tensor must be in the file
// that the index gives for it, and in no other.
func Open(path string) (*Set, error) {
	s := &Set{path: path, files: map[string]*File{}, of: map[string]*File{}}
	var err error
	if strings.HasSuffix(path, IndexSuffix) {
		err = s.openIndex()
	} else {
		err = s.openOne()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Set) openOne() error {
	f, err := Read(s.path)
	if err != nil {
		return err
	}
	s.files[filepath.Base(s.path)], s.Metadata = f, f.Metadata
	for name := range f.tensors {
		s.of[name] = f
	}
	return nil
}

func (s *Set) openIndex() error {
	data, err := readIndex(s.path)
	if err != nil {
		return err
	}
	places, err := parseIndex(data)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	for _, shard := range slices.Compact(slices.Sorted(maps.Values(places))) {
		f, err := Read(filepath.Join(filepath.Dir(s.path), shard))
		if err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		s.files[shard] = f
	}
	return s.place(places)
}

// readIndex reads the file at path unless it is larger than any index.
func readIndex(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxHeader:
		return nil, fmt.Errorf("%s: an index of %d bytes; at most %d are allowed", path, info.Size(), maxHeader)
	}
	return os.ReadFile(path)
}

// place notes the file of every tensor, and compares the index with what the
// files hold.
func (s *Set) place(places map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		f := s.files[places[name]]
		if _, ok := f.tensors[name]; !ok {
			return fmt.Errorf("%s: tensor %q is not in %s, where the index has it", s.path, name, places[name])
		}
		s.of[name] = f
	}
	for _, shard := range slices.Sorted(maps.Keys(s.files)) {
		for _, name := range s.files[shard].Names() {
			if places[name] != shard {
				return fmt.Errorf("%s: tensor %q is in %s, but the index does not have it there", s.path, clip(name), shard)
			}
		}
	}
	return nil
}

// parseIndex returns the file of every tensor by its name.
func parseIndex(data []byte) (map[string]string, error) {
	p := &parser{json.NewDecoder(bytes.NewReader(data))}
	var places map[string]string
	err := p.object(func(key string) (err error) {
		switch {
		case key != "weight_map":
			var skipped json.RawMessage
			return p.Decode(&skipped)
		case places != nil:
			return errors.New("weight_map is there twice")
		}
		places, err = p.weightMap()
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("index: %w", err)
	case len(places) == 0:
		return nil, errors.New("index: no weight_map, which names the file of each tensor")
	}
	return places, p.end()
}

func (p *parser) weightMap() (map[string]string, error) {
	places, shards := map[string]string{}, map[string]bool{}
	err := p.object(func(name string) error {
		shard, err := p.text()
		switch _, twice := places[name]; {
		case err != nil:
			return err
		case twice:
			return fmt.Errorf("tensor %q is there twice", clip(name))
		case len(name) > maxName:
			return fmt.Errorf("tensor %q: a name of %d bytes; at most %d are allowed", clip(name), len(name), maxName)
		case !plainName(shard):
			return fmt.Errorf("tensor %q is in %q, which is no .safetensors file beside the index", clip(name), clip(shard))
		}
		places[name], shards[shard] = shard, true
		if len(places) > maxTensors || len(shards) > maxShards {
			return fmt.Errorf("more than %d tensors or %d files", maxTensors, maxShards)
		}
		return nil
	})
	return places, err
}

// plainName wants a file of the same folder.
func plainName(name string) bool {
	return len(name) <= maxName && strings.HasSuffix(name, ".safetensors") && filepath.IsLocal(name) && !strings.ContainsAny(name, `/\:`+"\x00")
}

// Close releases the files.
func (s *Set) Close() error {
	var all []error
	for _, f := range s.files {
		all = append(all, f.Close())
	}
	return errors.Join(all...)
}

// Names lists the tensors in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.of)) }

// Info returns data type and shape of the tensor called name without reading it.
func (s *Set) Info(name string) (dtype string, shape []int, ok bool) {
	if f := s.of[name]; f != nil {
		return f.Info(name)
	}
	return "", nil, false
}

// Decode fills dst with values of the tensor called name; see File.Decode.
func (s *Set) Decode(dst []float32, name string, first int) error {
	f := s.of[name]
	if f == nil {
		return fmt.Errorf("%s: no tensor named %q among its %d", s.path, name, len(s.of))
	}
	return f.Decode(dst, name, first)
}

// Tensor reads the tensor called name as it is stored; see File.Tensor.
func (s *Set) Tensor(name string) (Tensor, error) {
	f := s.of[name]
	if f == nil {
		return Tensor{}, fmt.Errorf("%s: no tensor named %q among its %d", s.path, name, len(s.of))
	}
	return f.Tensor(name)
}

// Forget says that the tensor called name will not be read again soon; see
// File.Forget.
func (s *Set) Forget(name string) {
	if f := s.of[name]; f != nil {
		f.Forget(name)
	}
}
