package experiments

import "plumb/arch"

// A shapeFact is a number of a shape that is recorded beside its scores.
type shapeFact struct {
	metric, unit string
	of           func(c arch.Config) float64
}

// shapeFacts are recorded of every trial, so that tables can show what was
// compared.
var shapeFacts = []shapeFact{
	{"params/total", "parameters", func(c arch.Config) float64 { return float64(c.Params().Total) }},
	{"params/body", "parameters", func(c arch.Config) float64 { return float64(c.Params().Body) }},
	{"params/embedding", "parameters", func(c arch.Config) float64 { return float64(c.Params().Embedding) }},
	{"flops/training", "operations/token", func(c arch.Config) float64 { return c.TrainFLOPs(c.Context) }},
	{"shape/width", "channels", func(c arch.Config) float64 { return float64(c.Width) }},
	{"shape/layers", "layers", func(c arch.Config) float64 { return float64(c.Layers) }},
	{"shape/blocks", "blocks", func(c arch.Config) float64 { return float64(c.BlockCount()) }},
}
