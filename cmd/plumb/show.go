package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"plumb/arch"
)

func init() { commands = append(commands, newShow) }

// A subject is one model that show can describe.
type subject struct {
	trial    int // of a spec, from 1; 0 for others
	config   arch.Config
	residual *arch.Residual // how near the shape came to its budget, where it has one
}

// A finder tries to read what `plumb show` was asked for, such as a folder with
// a model. It returns none where name is not of its kind, and an error where it
// is and cannot be read.
type finder func(name string, o showOptions) ([]subject, error)

// finders are tried in order, before presets.
var finders = []finder{specFile, modelFolder}

func newShow(a *app) *cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "shapes, counts and costs of a preset, spec, trial or model folder",
		Long: `Show the shape of a model, how many weights it stores, and what it costs to run
and to train. NAME is a preset (plumb list presets), a folder that holds a model
or a trained trial, or a spec: then all its trials are listed, or one is shown
with --trial.

Weights are counted once for each block, operations and caches for each layer.
The embedding is what grows with the vocabulary: the token table, and the
output matrix unless it is tied. The body is all the rest. A multiply-add is
two FLOPs, attention counts the keys that a causal model sees, and training is
three times the forward pass.`,
		Example: `  plumb show mobilellm-125m
  plumb show gpt2 --json | jq .params
  plumb show mobilellm-125m-ls --context 512 --rows 8
  plumb show experiments/specs/quickstart.toml --trial 2`,
		Args:              exactly("the NAME of a preset, a spec or a model folder"),
		ValidArgsFunction: completeFirst(arch.Presets.Names, true),
		RunE:              func(_ *cobra.Command, args []string) error { return runShow(a, args[0], o) },
	}
	c.Flags().IntVar(&o.context, "context", 0, "tokens of the sequence that costs are given for (default: the model's context)")
	c.Flags().IntVar(&o.rows, "rows", 1, "sequences of a micro-batch, for the memory that training takes")
	c.Flags().IntVar(&o.trial, "trial", 0, "of a spec, the number of the trial to show (default: list all)")
	c.Flags().StringArrayVar(&o.set, "set", nil, "of a spec, change a key, such as --set model.layers=4")
	return c
}

// showOptions are the flags of show.
type showOptions struct {
	context, rows int
	trial         int
	set           []string
}

func (o showOptions) check() error {
	var wrong []error
	if o.context < 0 || o.context > 1<<24 {
		wrong = append(wrong, fmt.Errorf("--context=%d must be from 1 to %d tokens", o.context, 1<<24))
	}
	if o.rows < 1 || o.rows > 1<<20 {
		wrong = append(wrong, fmt.Errorf("--rows=%d must be from 1 to %d sequences", o.rows, 1<<20))
	}
	return errors.Join(wrong...)
}

func runShow(a *app, name string, o showOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	found, err := find(name, o)
	if err != nil {
		return err
	}
	if len(found) > 1 && !a.json {
		return writeTrials(a, found, o)
	}
	for _, s := range found {
		d := newDescription(s, cmp.Or(o.context, s.config.Context), o.rows)
		if a.json {
			err = a.emit(d)
		} else {
			err = d.write(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find returns the models that name stands for.
func find(name string, o showOptions) ([]subject, error) {
	for _, try := range finders {
		found, err := try(name, o)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	if o.trial != 0 || len(o.set) > 0 {
		return nil, fmt.Errorf("--trial and --set are for specs, and %q is none (a spec is a .toml file)", name)
	}
	c, err := arch.Presets.Get(name)
	if err != nil {
		return nil, unknown("preset, spec or model folder", name, arch.Presets.Names())
	}
	return []subject{{config: c}}, nil
}

// A description is what show says about one model.
type description struct {
	Name        string         `json:"name"`
	Trial       int            `json:"trial,omitempty"` // of a spec, from 1
	Config      arch.Config    `json:"config"`
	Blocks      []int          `json:"blocks"` // that each layer runs
	Params      arch.Params    `json:"params"`
	Residual    *arch.Residual `json:"residual,omitempty"` // how near the shape came to its budget
	Tensors     []tensorCount  `json:"tensors"`
	Context     int            `json:"context"` // tokens of the sequence that costs are given for
	Cost        cost           `json:"cost"`
	WeightBytes map[string]int `json:"weight_bytes"`          // by data type
	CacheBytes  map[string]int `json:"cache_bytes_per_token"` // by data type
	TrainRows   int            `json:"train_rows"`
	TrainMemory arch.Memory    `json:"train_memory_bytes"`
}

// cost is per token.
type cost struct {
	ForwardMACs  int     `json:"forward_macs"`
	ForwardFLOPs float64 `json:"forward_flops"`
	TrainFLOPs   float64 `json:"train_flops"`
}

type tensorCount struct {
	Name   string `json:"name"`
	Group  string `json:"group"`
	Rows   int    `json:"rows"`
	Cols   int    `json:"cols"`
	Copies int    `json:"copies"`
	Count  int    `json:"count"`
}

func newDescription(s subject, context, rows int) description {
	c := s.config
	d := description{
		Name: c.Name, Trial: s.trial, Config: c, Blocks: c.Blocks(), Params: c.Params(), Residual: s.residual, Context: context,
		Cost:        cost{c.ForwardMACs(context), c.ForwardFLOPs(context), c.TrainFLOPs(context)},
		WeightBytes: map[string]int{}, CacheBytes: map[string]int{},
		TrainRows: rows, TrainMemory: c.TrainMemory(rows, context),
	}
	for _, t := range c.Tensors() {
		d.Tensors = append(d.Tensors, tensorCount{t.Name, t.Group, t.Rows, t.Cols, t.Copies, t.Count()})
	}
	for _, dtype := range arch.DTypes {
		d.WeightBytes[dtype.Name] = c.WeightBytes(dtype)
		if dtype.Bits >= 4 && !c.Bidirectional {
			d.CacheBytes[dtype.Name] = c.CacheBytes(dtype)
		}
	}
	return d
}

// write prints d for people.
func (d description) write(a *app) error {
	fmt.Fprintf(a.out, "%s\n\n", a.bold(d.Name))
	for _, table := range []grid{d.shape(), d.counts(), d.costs(), d.bytes()} {
		if err := table.write(a.out); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	return nil
}

func (d description) shape() grid {
	c := d.Config
	g := grid{header: []string{"shape", ""}}
	g.add("layers", fmt.Sprintf("%d, %d blocks, sharing %s", c.Layers, c.BlockCount(), arch.FormatSharing(c.Sharing, c.Repeat)))
	g.add("width", fmt.Sprint(c.Width))
	g.add("heads", fmt.Sprintf("%d of %d, on %d key-value heads", c.Heads, c.HeadDim, c.KVHeads))
	g.add("feed-forward", fmt.Sprintf("%d (%.2f × width), %s", c.Hidden, float64(c.Hidden)/float64(c.Width), c.Activation))
	g.add("norm", fmt.Sprintf("%s, eps %g", c.Norm, c.NormEps))
	g.add("positions", d.positions())
	g.add("vocabulary", fmt.Sprintf("%d, head %s", c.Vocab, choose(c.TiedHead, "tied", "of its own")))
	g.add("context", fmt.Sprint(c.Context))
	if biases := d.biases(); biases != "" {
		g.add("biases", biases)
	}
	if d.Residual != nil {
		g.add("budget", d.Residual.String())
	}
	if c.Window > 0 {
		g.add("window", d.window())
	}
	return g
}

// window says which layers see how much.
func (d description) window() string {
	c, windowed := d.Config, 0
	for layer := range c.Layers {
		if c.LayerWindow(layer) > 0 {
			windowed++
		}
	}
	return fmt.Sprintf("%d keys, in %d of %d layers", c.Window, windowed, c.Layers)
}

func (d description) positions() string {
	c := d.Config
	switch {
	case c.Position != "rotary":
		return c.Position
	case c.RotaryChannels() == c.HeadDim:
		return fmt.Sprintf("rotary, theta %g", c.RotaryTheta)
	}
	return fmt.Sprintf("rotary on %d of %d channels, theta %g", c.RotaryChannels(), c.HeadDim, c.RotaryTheta)
}

func (d description) biases() string {
	var where []string
	for _, b := range []struct {
		has  bool
		name string
	}{{d.Config.QKVBias, "queries, keys, values"}, {d.Config.OutBias, "attention output"}, {d.Config.FFNBias, "feed-forward"}, {d.Config.HeadBias, "head"}} {
		if b.has {
			where = append(where, b.name)
		}
	}
	return strings.Join(where, "; ")
}

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func (d description) counts() grid {
	g := grid{header: []string{"weights", "shape", "#copies", "#parameters", "#share"}}
	share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(d.Params.Total)) }
	for _, t := range d.Tensors {
		g.add(t.Name, fmt.Sprintf("%d × %d", t.Rows, t.Cols), fmt.Sprint(t.Copies), grouped(t.Count), share(t.Count))
	}
	g.add("embedding", "", "", grouped(d.Params.Embedding), share(d.Params.Embedding))
	g.add("body", "", "", grouped(d.Params.Body), share(d.Params.Body))
	g.add("total", "", "", grouped(d.Params.Total), share(d.Params.Total))
	return g
}

func (d description) costs() grid {
	g := grid{header: []string{fmt.Sprintf("per token of %d", d.Context), "#operations"}}
	g.add("forward, multiply-adds", countText(float64(d.Cost.ForwardMACs)))
	g.add("forward, FLOPs", countText(d.Cost.ForwardFLOPs))
	g.add("training, FLOPs", countText(d.Cost.TrainFLOPs))
	return g
}

func (d description) bytes() grid {
	g := grid{header: []string{"bytes", "#weights", "#cache of a token", "#cache of the context"}}
	for _, dtype := range arch.DTypes {
		if cache, ok := d.CacheBytes[dtype.Name]; ok {
			g.add(dtype.Name, bytesText(d.WeightBytes[dtype.Name]), bytesText(cache), bytesText(cache*d.Context))
		} else {
			g.add(dtype.Name, bytesText(d.WeightBytes[dtype.Name]), "", "")
		}
	}
	g.add(fmt.Sprintf("training, micro-batch of %d × %d tokens", d.TrainRows, d.Context), bytesText(d.TrainMemory.Total), "", "")
	return g
}
