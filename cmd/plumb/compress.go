package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/compress"
	"plumb/experiments"
	"plumb/internal/atomicfile"
	"plumb/internal/corpus"
	"plumb/model"
	"plumb/train"
)

func init() { commands = append(commands, newCompress) }

// compressOptions are the flags of compress.
type compressOptions struct {
	recipe   string
	text     string
	split    string
	out      string
	tokens   int
	seed     uint64
	dry      bool
	progress string
}

func newCompress(a *app) *cobra.Command {
	var o compressOptions
	c := &cobra.Command{
		Use:   "compress MODEL --recipe RECIPE --out FOLDER",
		Short: "make a smaller model of a trained one",
		Long: `Make a smaller model of a trained one by a recipe: stages with | between them,
each a name and settings, in the same words as in a spec. Stages are methods of
compression, and training (plumb list methods). All of the recipe is checked
before anything is done, and a model that exists is not written over.

--text gives the text that methods which calibrate are shown, --tokens of it,
and that training learns from. What became of every matrix is told: its form, how
far it is from what it was, and how far its output on the text is; both are
relative, in the Frobenius norm. --dry-run says what each stage would do.`,
		Example: `  plumb compress MODEL --recipe "svd keep=0.5" --out small
  plumb compress MODEL --recipe "svd keep=0.5 on=ffn.*" --out small --dry-run
  plumb compress MODEL --recipe "svd keep=0.8 | svd keep=0.5 on=ffn.down" --out small --json | jq .after`,
		Args: exactly("the folder or file of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runCompress(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVarP(&o.recipe, "recipe", "r", "", "stages with | between them, such as \"svd keep=0.5\"")
	f.StringVar(&o.text, "text", "", "file or folder of text to calibrate on and to learn from")
	f.StringVar(&o.split, "documents", "file", "how --text falls into documents")
	f.StringVarP(&o.out, "out", "o", "", "folder to write, which must not hold a model yet")
	f.IntVar(&o.tokens, "tokens", 16384, "of the text to calibrate on")
	f.Uint64Var(&o.seed, "seed", 1, "of the choice of text to calibrate on, and of the order of training")
	f.BoolVar(&o.dry, "dry-run", false, "say what would be done, and what cannot be, and write nothing")
	addProgress(c, &o.progress)
	complete(c, "recipe", recipeStages())
	return c
}

// recipeStages lists what a stage can be called.
func recipeStages() []string {
	return slices.Sorted(slices.Values(append(compress.Methods.Names(), train.Stages.Names()...)))
}

// check demands flags that make sense, all at once, and reads the recipe.
func (o compressOptions) check() (experiments.Recipe, error) {
	var wrong []error
	recipe, err := experiments.ReadRecipe(o.recipe)
	if o.recipe == "" {
		err = errors.New("--recipe is missing: say which stages (plumb list methods)")
	} else if err != nil {
		err = fmt.Errorf("--recipe: %w", err)
	}
	wrong = append(wrong, err)
	if o.out == "" && !o.dry {
		wrong = append(wrong, errors.New("--out is missing: say where to write"))
	}
	if o.tokens < 1 {
		wrong = append(wrong, fmt.Errorf("--tokens=%d must be at least 1", o.tokens))
	}
	if err == nil && o.text == "" && !o.dry {
		for _, s := range recipe.Steps {
			if s.Calibrates() || s.Trains() {
				wrong = append(wrong, fmt.Errorf("stage %q learns from text: give some by --text", s.Stage))
			}
		}
	}
	if o.out != "" && model.CheckWeights(o.out) == nil {
		wrong = append(wrong, fmt.Errorf("%s holds a model already: give another folder, or delete it", o.out))
	}
	return recipe, errors.Join(wrong...)
}

func runCompress(a *app, path string, o compressOptions) error {
	recipe, err := o.check()
	if err != nil {
		return err
	}
	m, err := openThawed(path)
	if err != nil {
		return err
	}
	if err := recipe.Try(m.model.Config()); err != nil {
		return fmt.Errorf("--recipe: %w", err)
	}
	if o.dry {
		return foresee(a, m, recipe)
	}
	if err := recipe.Steps[0].Impossible(m.model); err != nil {
		return fmt.Errorf("--recipe: %w", err)
	}
	c := &compression{app: a, trained: m, options: o, recipe: recipe}
	if err := c.run(); err != nil {
		return err
	}
	if err := c.save(); err != nil {
		return err
	}
	if a.json {
		return a.emit(c.told())
	}
	return c.write()
}

// A compression is a recipe at work on a model.
type compression struct {
	*app
	*trained
	options compressOptions
	recipe  experiments.Recipe
	text    *corpus.Stream
	cal     *compress.Calibration
	small   *model.Model
	stages  []stageReport
}

// A stageReport says what a stage did.
type stageReport struct {
	Stage   string          `json:"stage"`
	Seconds float64         `json:"seconds"`
	Changes []changeReport  `json:"changes,omitempty"`
	Trained *trainingReport `json:"trained,omitempty"`
}

// A changeReport is what became of one matrix. Error and Output are shares; null
// where they are not known.
type changeReport struct {
	Slot    string         `json:"slot"`
	Form    string         `json:"form"`
	Error   *float64       `json:"error"`
	Output  *float64       `json:"output_error"`
	Notes   compress.Notes `json:"notes,omitempty"`
	Seconds float64        `json:"seconds"`
}

// A trainingReport says how a stage of training went.
type trainingReport struct {
	Steps  int     `json:"steps"`
	Tokens int     `json:"tokens"`
	First  float64 `json:"first_loss"` // nats per token of the first stretch of the curve
	Last   float64 `json:"last_loss"`
}

// run goes through the stages.
func (c *compression) run() error {
	meter, err := c.newMeter(c.options.progress)
	if err != nil {
		return err
	}
	defer meter.finish()
	if err := c.readText(); err != nil {
		return err
	}
	c.small = c.model
	for i, s := range c.recipe.Steps {
		start := time.Now()
		report := stageReport{Stage: s.Stage.String()}
		if s.Trains() {
			report.Trained, err = c.train(i, s, meter)
		} else {
			report.Changes, err = c.compress(i, s, meter)
		}
		if err != nil {
			return err
		}
		report.Seconds = time.Since(start).Seconds()
		c.stages = append(c.stages, report)
	}
	return nil
}

// readText reads --text into tokens, and chooses what methods are shown of it.
func (c *compression) readText() error {
	if c.options.text == "" {
		return nil
	}
	folder, err := os.MkdirTemp("", "plumb-compress-")
	if err != nil {
		return unwritten(err)
	}
	defer os.RemoveAll(folder)
	if c.text, err = corpus.Build(corpus.Documents(c.options.text, c.options.split), c.tokenizer, folder); err != nil {
		return fmt.Errorf("--text: %w", err)
	}
	c.cal, err = experiments.Calibrate(c.text, c.options.tokens, c.model.Context(), c.options.seed)
	return err
}

// compress applies a step that does not train.
func (c *compression) compress(number int, s experiments.Step, meter *meter) ([]changeReport, error) {
	smaller, changes, err := s.Compress(c.ctx, c.small, c.cal, func(done, all int) {
		c.progress(meter, number, s, done, all)
	})
	if err != nil {
		return nil, err
	}
	c.small = smaller
	reports := make([]changeReport, len(changes))
	for i, x := range changes {
		reports[i] = changeReport{x.Slot, x.Form, known(x.Error), known(x.Output), x.Notes, x.Time.Seconds()}
	}
	return reports, nil
}

// progress shows how far a stage is.
func (c *compression) progress(meter *meter, number int, s experiments.Step, done, all int) {
	meter.show(standing{fmt.Sprintf("stage %d of %d, %s: %d of %d", number+1, len(c.recipe.Steps), s.Stage, done, all), struct {
		Stage string `json:"stage"`
		Done  int    `json:"done"`
		All   int    `json:"all"`
	}{s.Stage.String(), done, all}})
}

// train applies a step that trains.
func (c *compression) train(number int, s experiments.Step, meter *meter) (*trainingReport, error) {
	config := s.Config(train.Defaults())
	if err := config.Check(c.model.Context()); err != nil {
		return nil, fmt.Errorf("stage %q: %w", s.Stage, err)
	}
	rows, err := corpus.NewRows(c.text, c.model.Context()+1, "document", c.options.seed+uint64(number))
	if err != nil {
		return nil, err
	}
	trained, outcome, err := s.Train(c.ctx, c.small.Clone(), c.model, train.Options{
		Config: config, Rows: rows, Progress: func(p train.Progress) { c.progress(meter, number, s, p.Step, p.Steps) },
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("stage %q: %w", s.Stage, err)
	case outcome.Status == train.Stopped:
		return nil, c.ctx.Err()
	case outcome.Status != train.Done:
		return nil, fmt.Errorf("stage %q %s: %s", s.Stage, outcome.Status, outcome.Note)
	}
	c.small = trained
	report := &trainingReport{Steps: outcome.Steps, Tokens: outcome.Tokens}
	if n := len(outcome.Curve); n > 0 {
		report.First, report.Last = outcome.Curve[0].Loss, outcome.Curve[n-1].Loss
	}
	return report, nil
}

// known is nil where a figure is not known.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// save writes the smaller model with its tokenizer beside it.
func (c *compression) save() error {
	if err := c.small.Save(c.options.out); err != nil {
		return unwritten(err)
	}
	text, err := c.tokenizerText()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(c.options.out, tokenizerFile), text); err != nil {
		return unwritten(err)
	}
	return nil
}

// tokenizerFile stands beside the weights of a model.
const tokenizerFile = "tokenizer.json"

// tokenizerText is the tokenizer's file as it stands beside the model, or what
// says the same of a model that keeps it otherwise.
func (c *compression) tokenizerText() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, tokenizerFile))
	if err == nil {
		return text, nil
	}
	tok, err := c.exportedTokenizer()
	if err != nil {
		return nil, err
	}
	return tok.JSON(), nil
}

// A modelSize is what a model takes.
type modelSize struct {
	Total         int     `json:"parameters"`
	Body          int     `json:"body_parameters"`
	Embedding     int     `json:"embedding_parameters"`
	Bytes         int     `json:"bytes"` // of all arrays as they are stored
	BitsPerWeight float64 `json:"bits_per_weight"`
	MACs          int     `json:"macs_per_token"` // averaged over a full context
}

func sizeOf(m *model.Model) modelSize {
	s := m.Size()
	return modelSize{s.Params.Total, s.Params.Body, s.Params.Embedding, s.Bytes, 8 * float64(s.Bytes) / float64(max(1, s.Params.Total)), m.MACs(m.Context())}
}

// compressed is what --json prints.
type compressed struct {
	Model       string        `json:"model"`
	Path        string        `json:"path"`
	Recipe      string        `json:"recipe"`
	Calibration *calibrated   `json:"calibration,omitempty"`
	Stages      []stageReport `json:"stages"`
	Before      modelSize     `json:"before"`
	After       modelSize     `json:"after"`
}

// calibrated names the text that methods were shown.
type calibrated struct {
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	Seed   uint64 `json:"seed"`
	Hash   string `json:"hash"`
}

func (c *compression) told() compressed {
	told := compressed{Model: c.name, Path: c.options.out, Recipe: c.recipe.String(), Stages: c.stages, Before: sizeOf(c.model), After: sizeOf(c.small)}
	if c.cal != nil {
		told.Calibration = &calibrated{c.options.text, c.cal.Tokens(), c.options.seed, c.cal.Hash}
	}
	return told
}

// write tells what became of the matrices, stage by stage, and of the sizes.
func (c *compression) write() error {
	for _, s := range c.stages {
		if _, err := fmt.Fprintf(c.out, "%s\n\n", c.bold(s.Stage)); err != nil {
			return err
		}
		if err := s.write(c.app); err != nil {
			return err
		}
		fmt.Fprintln(c.out)
	}
	if told := c.told().Calibration; told != nil {
		fmt.Fprintf(c.out, "shown: %s tokens of %s (%s)\n\n", grouped(told.Tokens), told.Text, told.Hash)
	}
	return writeSizes(c.app, sizeOf(c.model), sizeOf(c.small))
}

// write tells of a stage what became of the matrices, or how training went.
func (s stageReport) write(a *app) error {
	if t := s.Trained; t != nil {
		_, err := fmt.Fprintf(a.out, "%s tokens in %d steps, loss %.3f to %.3f nats/token\n", grouped(t.Tokens), t.Steps, t.First, t.Last)
		return err
	}
	g := grid{header: []string{"matrix", "form", "#error", "#output error", "notes"}}
	for _, x := range s.Changes {
		g.add(x.Slot, x.Form, shareText(x.Error), shareText(x.Output), notesText(x.Notes))
	}
	return g.write(a.out)
}

func shareText(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.4f", *v)
}

// notesText writes what a method tells, by name.
func notesText(n compress.Notes) string {
	names := make([]string, 0, len(n))
	for name, value := range n {
		names = append(names, fmt.Sprintf("%s %.4g", name, value))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// writeSizes puts what the model took and takes beside each other.
func writeSizes(a *app, before, after modelSize) error {
	g := grid{header: []string{"", "#before", "#after", "#share"}}
	count := func(name string, b, n int) {
		g.add(name, grouped(b), grouped(n), fmt.Sprintf("%.3f", float64(n)/float64(max(1, b))))
	}
	count("bytes", before.Bytes, after.Bytes)
	count("parameters", before.Total, after.Total)
	count("  body", before.Body, after.Body)
	count("  embedding", before.Embedding, after.Embedding)
	count("multiply-adds a token", before.MACs, after.MACs)
	g.add("bits a weight", fmt.Sprintf("%.3f", before.BitsPerWeight), fmt.Sprintf("%.3f", after.BitsPerWeight), fmt.Sprintf("%.3f", after.BitsPerWeight/before.BitsPerWeight))
	return g.write(a.out)
}
