package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/arch"
	"plumb/internal/tokenizer"
	"plumb/model"
)

// makeModel is the script command "tinymodel DIR": a model of bytes with random
// weights, the same each time.
func makeModel(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tinymodel DIR")
	}
	m, err := model.New(arch.Config{
		Name: "tiny", Vocab: 256, Context: 96, Layers: 2, Sharing: "none", Repeat: 1, Width: 16, Heads: 2, KVHeads: 1, HeadDim: 8, Hidden: 32,
		Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5, Position: "rotary", RotaryTheta: 10_000, RotaryShare: 1, TiedHead: true,
	}, model.Init{}, 1)
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(m.Save(dir))
	ts.Check(os.WriteFile(filepath.Join(dir, "tokenizer.json"), tokenizer.Bytes().JSON(), 0o644))
}
