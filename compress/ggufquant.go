package compress

import (
	"fmt"
	"strings"

	"plumb/internal/gguf"
	"plumb/model"
)

func init() {
	for _, name := range gguf.Types() {
		typ, err := gguf.TypeNamed(name)
		if err != nil {
			panic("compress: " + err.Error())
		}
		if typ.Quantised() {
			Methods.Add(strings.ToLower(name), Method{
				About: fmt.Sprintf("blocks of GGUF's type %s, %.4g bits a weight", name, bitsOf(typ)),
				New:   func() any { return &ggufquant{typ} },
			})
		}
	}
}

// bitsOf is how many bits a weight takes.
func bitsOf(t gguf.Type) float64 { return 8 * float64(t.Bytes(t.Block)) / float64(t.Block) }

// ggufquant rounds weights as ggml's reference quantisers do, without weights of
// importance, and keeps the blocks, which are then copied into files of GGUF. Rows
// that do not fill blocks are in the type that llama.cpp takes in its place, F16
// at last; the form of a matrix tells which.
type ggufquant struct{ typ gguf.Type }

func (g *ggufquant) Needs() Needs { return Nothing }

// Form implements Foreseer.
func (g *ggufquant) Form(_, in int) (model.Form, bool, error) {
	return model.BlocksForm(g.typ.For(in)), true, nil
}

func (g *ggufquant) Matrix(w *model.Dense, _ *Inputs) (model.Linear, Notes, error) {
	typ := g.typ.For(w.In)
	blocks := make([]byte, typ.Bytes(len(w.Weight)))
	typ.Encode(blocks, w.Weight)
	notes := Notes{"bits": bitsOf(typ)}
	if typ.Name != g.typ.Name {
		notes["in place of bits"] = bitsOf(g.typ)
	}
	b, err := model.NewBlocks(typ, blocks, w.Bias, w.Out, w.In)
	return b, notes, err
}
