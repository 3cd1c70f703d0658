package model

import (
	"strings"

	"plumb/arch"
	"plumb/internal/safetensors"
)

// A source says where one of our arrays stands in a foreign file.
type source struct {
	tensor     string
	transposed bool    // stored as [in, out]
	cut        cut     // of the outputs of a fused matrix
	plus       float32 // what is added to each value
}

// A cut is some of the rows of a fused matrix, whose rows come in groups of
// stride: from every group, take rows from first on. Its zero value is all rows.
type cut struct{ groups, stride, first, take int }

// shape returns that of the whole tensor, given that of our array.
func (s source) shape(ours []int) []int {
	rows := ours[0]
	if s.cut.groups > 0 {
		rows = s.cut.groups * s.cut.stride
	}
	switch {
	case len(ours) == 1:
		return []int{rows}
	case s.transposed:
		return []int{ours[1], rows}
	}
	return []int{rows, ours[1]}
}

// read fills dst, of the given shape, from the tensor called name.
func (s source) read(f *safetensors.Set, name string, dst []float32, shape []int) error {
	c := s.cut
	if c.groups == 0 {
		c = cut{1, shape[0], 0, shape[0]}
	}
	if s.transposed {
		return readTransposed(f, name, dst, shape[1], c)
	}
	cols := len(dst) / (c.groups * c.take)
	for g := range c.groups {
		n := c.take * cols
		if err := f.Decode(dst[g*n:(g+1)*n], name, (g*c.stride+c.first)*cols); err != nil {
			return err
		}
	}
	for i := range dst {
		dst[i] += s.plus
	}
	return nil
}

// readTransposed fills dst [groups·take, in] from a tensor [in, groups·stride].
func readTransposed(f *safetensors.Set, name string, dst []float32, in int, c cut) error {
	values := make([]float32, in*c.groups*c.stride)
	if err := f.Decode(values, name, 0); err != nil {
		return err
	}
	for g := range c.groups {
		for o := range c.take {
			row, at := dst[(g*c.take+o)*in:][:in], g*c.stride+c.first+o
			for i := range row {
				row[i] = values[i*c.groups*c.stride+at]
			}
		}
	}
	return nil
}

// names are the tensors of a family by our names: those outside the blocks, and
// those of a block behind a prefix with its number.
type names struct {
	outer map[string]string
	block string // such as "model.layers.%"
	inner map[string]string
}

// find returns the tensor of our array called name, whole.
func (n names) find(name string) source {
	block, rest, ok := blockName(name)
	if !ok {
		return source{tensor: n.outer[name]}
	}
	return source{tensor: strings.ReplaceAll(n.block, "%", block) + n.inner[rest]}
}

// blockName splits "blocks.3.ffn.up.weight" into "3" and "ffn.up.weight".
func blockName(name string) (block, rest string, ok bool) {
	after, ok := strings.CutPrefix(name, "blocks.")
	if !ok {
		return "", "", false
	}
	return strings.Cut(after, ".")
}

// fusedByGroup is the cut of an array of queries, keys or values from a matrix
// in which the query heads of each key-value head are followed by its key and
// its value (GPT-NeoX, Falcon). It is the whole of every other array.
func fusedByGroup(c arch.Config, name string) cut {
	queries := c.Heads / max(1, c.KVHeads) * c.HeadDim
	fused := cut{groups: c.KVHeads, stride: queries + 2*c.HeadDim, take: c.HeadDim}
	_, rest, _ := blockName(name)
	switch {
	case strings.HasPrefix(rest, "attention.q."):
		fused.take = queries
	case strings.HasPrefix(rest, "attention.k."):
		fused.first = queries
	case strings.HasPrefix(rest, "attention.v."):
		fused.first = queries + c.HeadDim
	default:
		return cut{}
	}
	return fused
}
