package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumb/internal/atomicfile"
	"plumb/internal/gguf"
	"plumb/internal/safetensors"
	"plumb/internal/tokenizer"
	"plumb/model"
)

func init() { commands = append(commands, newExport) }

// exportOptions are the flags of export.
type exportOptions struct {
	format string
	typ    string
	out    string
}

// exportFormats write a model in the form of others.
var exportFormats = map[string]func(*trained, gguf.Type, string) (exported, error){
	"gguf":        exportGGUF,
	"safetensors": exportHF,
}

func newExport(a *app) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export MODEL --format FORMAT --out PATH",
		Short: "write a model for other programs",
		Long: `Write a model as other programs read it: a folder with config.json,
model.safetensors and tokenizer.json for the transformers library, or a GGUF file
with its tokenizer for llama.cpp. MODEL is a folder or a file as for plumb eval.

Which architecture of the format computes what the model does is found out; if
none does, the error says what it cannot hold. Layers that share weights are
written out. In GGUF, norms, biases and learned positions stay f32, and a matrix
whose rows do not fill the blocks of --type takes the type that llama.cpp falls
back to. All of this is reported.`,
		Example: `  plumb export runs/quickstart/0123456789abcdef --format gguf --type q8_0 --out model.gguf
  plumb export MODEL --format safetensors --type bf16 --out folder
  plumb export MODEL --format gguf --type q4_k --out model.gguf --json | jq .notes`,
		Args: exactly("the folder or file of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runExport(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", "", "of what is written: "+strings.Join(formatNames(), ", "))
	f.StringVar(&o.typ, "type", "f32", "of the matrices: "+strings.Join(typeNames(), ", ")+"; safetensors has the first three")
	f.StringVarP(&o.out, "out", "o", "", "file to write, or folder, which must not hold a model yet")
	complete(c, "format", formatNames())
	complete(c, "type", typeNames())
	return c
}

func formatNames() []string { return []string{"gguf", "safetensors"} }

func typeNames() []string {
	var names []string
	for _, name := range gguf.Types() {
		names = append(names, strings.ToLower(name))
	}
	return names
}

// check demands flags that make sense, all at once, and returns the type.
func (o exportOptions) check() (gguf.Type, error) {
	var wrong []error
	if exportFormats[o.format] == nil {
		wrong = append(wrong, fmt.Errorf("--format=%s is none of %s", o.format, strings.Join(formatNames(), ", ")))
	}
	if o.out == "" {
		wrong = append(wrong, errors.New("--out is missing: say where to write"))
	}
	typ, err := gguf.TypeNamed(o.typ)
	if err != nil {
		wrong = append(wrong, fmt.Errorf("--type=%s is none of %s", o.typ, strings.Join(typeNames(), ", ")))
	} else if typ.Quantised() && o.format == "safetensors" {
		wrong = append(wrong, fmt.Errorf("--type=%s: safetensors folders hold f32, f16 or bf16; use --format gguf", o.typ))
	}
	return typ, errors.Join(wrong...)
}

// exported is what --json prints.
type exported struct {
	Model        string           `json:"model"`
	Path         string           `json:"path"`
	Format       string           `json:"format"`
	Architecture string           `json:"architecture"`
	Bytes        int              `json:"bytes"` // of all files
	Types        []exportedType   `json:"types"`
	Tensors      []exportedTensor `json:"tensors"`
	Notes        []string         `json:"notes"`
}

// An exportedTensor is one tensor as it stands in the file.
type exportedTensor struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"` // outermost first
	Bytes int    `json:"bytes"`
}

// An exportedType is what all tensors of one type take.
type exportedType struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Weights int    `json:"weights"`
	Bytes   int    `json:"bytes"`
}

// add counts a tensor.
func (e *exported) add(t exportedTensor) {
	t.Type = strings.ToLower(t.Type)
	e.Tensors = append(e.Tensors, t)
	i := slices.IndexFunc(e.Types, func(known exportedType) bool { return known.Type == t.Type })
	if i < 0 {
		i = len(e.Types)
		e.Types = append(e.Types, exportedType{Type: t.Type})
	}
	e.Types[i].Tensors++
	e.Types[i].Weights += elements(t.Shape)
	e.Types[i].Bytes += t.Bytes
}

func runExport(a *app, path string, o exportOptions) error {
	typ, err := o.check()
	if err != nil {
		return err
	}
	m, err := openThawed(path)
	if err != nil {
		return err
	}
	e, err := exportFormats[o.format](m, typ, o.out)
	if err != nil {
		return err
	}
	e.Model, e.Path, e.Format = m.name, o.out, o.format
	e.Notes = append([]string{}, e.Notes...)
	if a.json {
		return a.emit(e)
	}
	return e.write(a)
}

// write lists what was written, types first, then notes.
func (e exported) write(a *app) error {
	if _, err := fmt.Fprintf(a.out, "%s: %s, %s, %s bytes\n\n", e.Path, e.Format, e.Architecture, grouped(e.Bytes)); err != nil {
		return err
	}
	g := grid{header: []string{"type", "#tensors", "#weights", "#bytes"}}
	for _, t := range e.Types {
		g.add(t.Type, grouped(t.Tensors), grouped(t.Weights), grouped(t.Bytes))
	}
	if err := g.write(a.out); err != nil {
		return err
	}
	for i, note := range e.Notes {
		if i == 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintf(a.out, "note: %s\n", note)
	}
	return nil
}

// exportGGUF writes one file, tokenizer included.
func exportGGUF(m *trained, typ gguf.Type, out string) (exported, error) {
	file, err := m.model.GGUF(typ)
	if err != nil {
		return exported{}, err
	}
	tok, err := m.exportedTokenizer()
	if err != nil {
		return exported{}, err
	}
	parts, err := tok.Parts()
	if err != nil {
		return exported{}, err
	}
	metadata := append(file.Metadata, parts.Padded(m.model.Config().Vocab).GGUF()...)
	size, err := writeFile(out, func(w io.Writer) error { return gguf.Write(w, metadata, file.Tensors) })
	if err != nil {
		return exported{}, err
	}
	e := exported{Architecture: file.Metadata[0].Value.(string), Bytes: size, Notes: file.Notes}
	for _, t := range file.Tensors {
		e.add(exportedTensor{t.Name, t.Type.Name, t.Shape, t.Bytes()})
	}
	return e, nil
}

// exportHF writes a folder, weights first and config.json last, so that an
// interrupted one holds no model.
func exportHF(m *trained, typ gguf.Type, out string) (exported, error) {
	folder, err := m.model.HF(typ)
	if err != nil {
		return exported{}, err
	}
	tok, err := m.exportedTokenizer()
	if err != nil {
		return exported{}, err
	}
	if model.CheckWeights(out) == nil {
		return exported{}, fmt.Errorf("%s holds a model already: give another folder, or delete it", out)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return exported{}, unwritten(err)
	}
	e := exported{Architecture: folder.Architecture, Notes: folder.Notes}
	tensors := make([]safetensors.Tensor, len(folder.Tensors))
	for i, t := range folder.Tensors {
		tensors[i] = t.Tensor()
		e.add(exportedTensor{t.Name, typ.Name, t.Shape, len(tensors[i].Data)})
	}
	e.Bytes, err = writeFile(filepath.Join(out, model.WeightsFile), func(w io.Writer) error { return safetensors.Write(w, folder.Metadata, tensors) })
	if err != nil {
		return exported{}, err
	}
	small, err := writeSmall(out, tok, folder.Config)
	e.Bytes += small
	return e, err
}

// exportedTokenizer is the tokenizer of t as other programs are to use it.
// Texts that a model of ours was trained on began with the end of the text
// before, so that token is to be put in front of every text.
func (t *trained) exportedTokenizer() (*tokenizer.Tokenizer, error) {
	if !t.ours {
		return t.tokenizer, nil
	}
	parts, err := t.tokenizer.Parts()
	if err != nil {
		return nil, err
	}
	add, end := true, t.tokenizer.EndOfText()
	parts.BOS, parts.EOS, parts.AddBOS = end, end, &add
	return tokenizer.New(parts)
}

// writeSmall writes the tokenizer and the config, and returns their bytes.
func writeSmall(dir string, tok *tokenizer.Tokenizer, config map[string]any) (int, error) {
	eos, addEOS := tok.EOS()
	bos, addBOS, hasBOS := tok.BOS()
	ends := map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"eos_token": tok.Token(eos), "add_bos_token": addBOS, "add_eos_token": addEOS,
	}
	config["eos_token_id"] = eos
	if hasBOS {
		ends["bos_token"], config["bos_token_id"] = tok.Token(bos), bos
	}
	total := 0
	for _, file := range []struct {
		name    string
		content func() ([]byte, error)
	}{
		{"tokenizer.json", func() ([]byte, error) { return tok.JSON(), nil }},
		{"tokenizer_config.json", func() ([]byte, error) { return indented(ends) }},
		{model.ConfigFile, func() ([]byte, error) { return indented(config) }},
	} {
		content, err := file.content()
		if err != nil {
			return 0, err
		}
		if err := atomicfile.Write(filepath.Join(dir, file.name), content); err != nil {
			return 0, unwritten(err)
		}
		total += len(content)
	}
	return total, nil
}

// indented is v as JSON for people, keys in order.
func indented(v map[string]any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return text.Bytes(), err
}

// writeFile replaces the file at path by what write writes, and returns its size.
func writeFile(path string, write func(io.Writer) error) (int, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return 0, unwritten(err)
	}
	counted := &counter{w: f}
	if err := write(counted); err != nil {
		f.Abort()
		return 0, err
	}
	return counted.n, unwritten(f.Commit())
}

// A counter counts what goes through it, and marks failures to write.
type counter struct {
	w io.Writer
	n int
}

// Write writes to the underlying writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, unwritten(err)
}

// elements multiplies a shape out.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
