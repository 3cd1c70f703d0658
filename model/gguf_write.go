package model

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"plumb/arch"
	"plumb/internal/gguf"
)

// A GGUF is what a file of that format holds of a model, its tokenizer apart.
type GGUF struct {
	Metadata []gguf.Pair
	Tensors  []gguf.Source // their values are taken from the model when they are written
	Notes    []string      // what is otherwise in the file than in the model
}

// GGUF describes m as a GGUF file that llama.cpp loads, its matrices in typ or,
// where their rows do not fill typ's blocks, in what llama.cpp takes in its
// place. Norms, biases and learned positions are F32. It is an error if no
// architecture of the format computes what m does.
func (m *Model) GGUF(typ gguf.Type) (GGUF, error) {
	m.mustNotBeFrozen("GGUF")
	l, r, err := m.layered(ggufReading)
	if err != nil {
		return GGUF{}, err
	}
	family, err := ggufFamilies.Get(r.architecture)
	if err != nil {
		return GGUF{}, err
	}
	file := GGUF{Metadata: ggufMetadata(m.cfg, r, family, typ)}
	for _, t := range family.tensors(r.config) {
		file.Tensors = append(file.Tensors, l.ggufSource(family, r.config, t, typ))
	}
	if family.headIsThere && r.config.TiedHead {
		head := file.Tensors[0]
		head.Name = ggufHead
		file.Tensors = append(file.Tensors, head)
	}
	if factors := rotaryFactors(r.config); factors != nil {
		file.Tensors = append(file.Tensors, gguf.Source{Name: ropeFactors, Type: plainType(), Shape: []int{len(factors)}, Values: func() []float32 { return factors }})
	}
	file.Notes = l.ggufNotes(file.Tensors, r, family, typ)
	return file, nil
}

// ggufReading finds the architecture that holds c.
func ggufReading(c arch.Config) (reading, error) {
	var all []reading
	for _, name := range slices.Backward(ggufFamilies.Names()) { // qwen2 first, as llama can say the same
		family, err := ggufFamilies.Get(name)
		if err != nil {
			return reading{}, err
		}
		keys := &ggufKeys{arch: name, pairs: prefixed(name, family.metadata(c)), rows: family.rows(c), tied: c.TiedHead,
			factors: func() []float32 { return rotaryFactors(c) }}
		said := family.config(keys)
		all = append(all, understand(name, said, c, keys.problems()))
	}
	return best("GGUF", all)
}

// rows returns how many rows each tensor of c has.
func (a ggufFamily) rows(c arch.Config) func(tensor string) int {
	rows := map[string]int{}
	for _, t := range a.tensors(c) {
		rows[t.name] = t.shape[0]
	}
	return func(tensor string) int { return rows[tensor] }
}

func prefixed(architecture string, pairs []gguf.Pair) []gguf.Pair {
	pairs = slices.Clone(pairs)
	for i := range pairs {
		pairs[i].Key = architecture + "." + pairs[i].Key
	}
	return pairs
}

func ggufMetadata(c arch.Config, r reading, family ggufFamily, typ gguf.Type) []gguf.Pair {
	pairs := []gguf.Pair{
		{Key: "general.architecture", Value: r.architecture},
		{Key: "general.name", Value: cmp.Or(c.Name, "plumb")},
		{Key: "general.file_type", Value: typ.FileType()},
	}
	if typ.Quantised() {
		pairs = append(pairs, gguf.Pair{Key: "general.quantization_version", Value: uint32(2)})
	}
	return append(pairs, prefixed(r.architecture, family.metadata(r.config))...)
}

func plainType() gguf.Type { return typeNamed("F32") }

// ggufSource describes tensor t of a file with the weights of m.
func (l layered) ggufSource(family ggufFamily, c arch.Config, t ggufTensor, typ gguf.Type) gguf.Source {
	s := gguf.Source{Name: t.name, Shape: t.shape, Type: plainType()}
	if len(t.shape) == 2 && t.name != ggufPositions {
		s.Type = typ.For(t.shape[1])
	}
	if parts := l.blocks(t); parts != nil {
		s.Type = parts[0].typ
		s.Blocks = func() []byte { return ggufBlocks(family, c, t, parts) }
		return s
	}
	s.Values = func() []float32 {
		if len(t.parts) == 1 {
			return l.ggufPart(family, c, t.parts[0])
		}
		var all []float32
		for _, part := range t.parts {
			all = append(all, l.ggufPart(family, c, part)...)
		}
		return all
	}
	return s
}

// ggufPart returns the values of one array in the order of the file.
func (l layered) ggufPart(family ggufFamily, c arch.Config, part spec) []float32 {
	values := l.array(part.name)
	if values == nil {
		return make([]float32, part.size())
	}
	if heads := family.turned(c, part.name); heads > 0 {
		values = slices.Clone(values)
		turn(values, heads, c)
	}
	return values
}

// blocks returns the parts of t where all are in blocks of one type of the format,
// which are written as they are; otherwise nil.
func (l layered) blocks(t ggufTensor) []*Blocks {
	var parts []*Blocks
	for _, part := range t.parts {
		place := l.place(part.name)
		b, ok := l.formed[slotOf(place)].(*Blocks)
		if !ok || !strings.HasSuffix(place, ".weight") || part.name == "embedding.weight" && l.scale != 1 || len(parts) > 0 && b.typ.Name != parts[0].typ.Name {
			return nil
		}
		parts = append(parts, b)
	}
	for _, part := range t.parts {
		l.copied[slotOf(l.place(part.name))] = true
	}
	return parts
}

// ggufBlocks returns the blocks of t in the order of the file.
func ggufBlocks(family ggufFamily, c arch.Config, t ggufTensor, parts []*Blocks) []byte {
	var all []byte
	for i, b := range parts {
		blocks := b.blocks
		if heads := family.turned(c, t.parts[i].name); heads > 0 {
			blocks = slices.Clone(blocks)
			turn(blocks, heads, c)
		}
		all = append(all, blocks...)
	}
	return all
}

// ggufNotes says what is not as asked for or as it was.
func (l layered) ggufNotes(tensors []gguf.Source, r reading, family ggufFamily, typ gguf.Type) []string {
	notes := l.notes(r)
	if family.headIsThere && r.config.TiedHead {
		notes = append(notes, fmt.Sprintf("%s repeats %s, %d bytes: llama.cpp asks for it in %s models", ggufHead, ggufTokens, tensors[0].Bytes(), r.architecture))
	}
	if c := r.config; c.QKVBias && c.Heads*c.HeadDim != c.Width {
		notes = append(notes, fmt.Sprintf("biases of queries are %d wide and the model %d: llama.cpp of 2025 refuses such a file", c.Heads*c.HeadDim, c.Width))
	}
	if r.config.Activation == "gelu_erf" {
		notes = append(notes, fmt.Sprintf("llama.cpp computes the GELU of %s in its tanh form, this model has the exact one: logits differ by thousandths", r.architecture))
	}
	return append(notes, fallbackNotes(tensors, typ)...)
}

// fallbackNotes names the matrices that are not in typ, those of all layers together.
func fallbackNotes(tensors []gguf.Source, typ gguf.Type) []string {
	var reasons []string
	names := map[string][]string{}
	for _, t := range tensors {
		row := t.Shape[len(t.Shape)-1]
		if len(t.Shape) != 2 || t.Name == ggufPositions || t.Type.Name == typ.Name || t.Blocks != nil {
			continue
		}
		reason := fmt.Sprintf("%s in place of %s, as rows of %d do not fill blocks of %d", t.Type.Name, typ.Name, row, typ.Block)
		name := anyLayer.ReplaceAllString(t.Name, "blk.*.")
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
		if !slices.Contains(names[reason], name) {
			names[reason] = append(names[reason], name)
		}
	}
	for i, reason := range reasons {
		reasons[i] = reason + ": " + strings.Join(names[reason], ", ")
	}
	return reasons
}

var anyLayer = regexp.MustCompile(`^blk\.\d+\.`)
