package main

import (
	"cmp"
	"errors"
	"fmt"
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
	work     string
	tokens   int
	seed     uint64
	dry      bool
	force    bool
	progress string
}

func newCompress(a *app) *cobra.Command {
	var o compressOptions
	c := &cobra.Command{
		Use:   "compress MODEL --recipe RECIPE --out FOLDER",
		Short: "make a smaller model of a trained one",
		Long: `Make a smaller model of a trained one by a recipe: stages with | between them,
each a name and settings, in the same words as in a spec. Stages are methods of
compression, and training (plumb list methods). The recipe is followed on the
shape of the model before anything is done: what cannot work, or would not fit into
memory, is refused with the reason. A model that exists is not written over.

--text gives the text that methods which calibrate are shown, --tokens of it, and
that training learns from; each stage that trains reads on where the one before it
stopped, and a text that is shorter than what is asked for is read again, in
another order. A model from plumb run is trained with the settings that it had,
any other with the defaults of a spec.

What is done is kept in the folder --work: a command that was stopped, and is given
again, goes on from there to the same bytes. At the end the folder is removed.

What became of every matrix is told: its form, how far it is from what it was, and
how far its output on the text is; both are relative, in the Frobenius norm.
--dry-run says what each stage would do.`,
		Example: `  plumb compress MODEL --recipe "svd keep=0.5" --out small
  plumb compress MODEL --recipe "svd keep=0.5 | distil tokens=2e6 | rtn bits=4" --text novels --out small
  plumb compress MODEL --recipe "svd keep=0.5 on=ffn.*" --dry-run
  plumb compress MODEL --recipe "svd keep=0.8 | svd keep=0.5 on=ffn.down" --out small --json | jq .after`,
		Args: exactly("the folder or file of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runCompress(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVarP(&o.recipe, "recipe", "r", "", "stages with | between them, such as \"svd keep=0.5\"")
	f.StringVar(&o.text, "text", "", "file or folder of text to calibrate on and to learn from")
	f.StringVar(&o.split, "documents", "file", "how --text falls into documents")
	f.StringVarP(&o.out, "out", "o", "", "folder to write, which must not hold a model yet")
	f.StringVar(&o.work, "work", "", "folder for what is done until all is (default: that of --out with .work behind it)")
	f.IntVar(&o.tokens, "tokens", 16384, "of the text to calibrate on")
	f.Uint64Var(&o.seed, "seed", 1, "of the choice of text to calibrate on, and of the order of training")
	f.BoolVar(&o.dry, "dry-run", false, "say what would be done, and what cannot be, and write nothing")
	addForce(c, &o.force)
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
	if o.out != "" && model.CheckWeights(o.out) == nil && !experiments.Unfinished(o.workFolder()) {
		wrong = append(wrong, o.taken())
	}
	return recipe, errors.Join(wrong...)
}

func (o compressOptions) taken() error {
	return fmt.Errorf("%s holds a model already: give another folder, or delete it", o.out)
}

// workFolder is for what is done until all is.
func (o compressOptions) workFolder() string {
	return cmp.Or(o.work, filepath.Clean(o.out)+".work")
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
	if err := m.checkCanary(a, o.force); err != nil {
		return err
	}
	c := &compression{app: a, trained: m, options: o}
	if err := c.prepare(recipe); err != nil {
		return err
	}
	foreseen, err := c.making.Foresee()
	if o.dry {
		return errors.Join(writeForeseen(a, foreseen), inRecipe(err))
	}
	if err != nil {
		return inRecipe(err)
	}
	if err := c.run(); err != nil {
		return err
	}
	if a.json {
		return a.emit(c.told())
	}
	return c.write()
}

// inRecipe says where a recipe that cannot work was given.
func inRecipe(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--recipe: %w", err)
}

// A compression is a recipe at work on a model.
type compression struct {
	*app
	*trained
	options compressOptions
	making  *experiments.Making
	small   *model.Model
	stages  []experiments.Made
}

// prepare readies the making.
func (c *compression) prepare(recipe experiments.Recipe) error {
	base, known, err := experiments.TrainedConfig(c.dir)
	if err != nil {
		return err
	}
	if !known {
		base = train.Defaults()
	}
	c.making = &experiments.Making{
		Recipe: recipe, Model: c.model, Tokenizer: c.tokenizer, Training: base,
		Tokens: c.options.tokens, Seed: c.options.seed, Folder: c.options.workFolder(),
	}
	if c.options.text != "" {
		c.making.Text = corpus.Documents(c.options.text, c.options.split)
	}
	return nil
}

// run goes through the stages and keeps what comes out. The folder of what is done
// stays where something else is still wanted of it.
func (c *compression) run() error {
	meter, err := c.newMeter(c.options.progress)
	if err != nil {
		return err
	}
	defer meter.finish()
	c.making.Note = func(text string) {
		meter.say(standing{"plumb: " + text, struct {
			Note string `json:"note"`
		}{text}})
	}
	c.making.Progress = c.progress(meter)
	c.small, c.stages, err = c.making.Run(c.ctx)
	meter.finish()
	if err != nil {
		return c.stopped(err)
	}
	if err := c.save(); err != nil {
		return err
	}
	if err := os.RemoveAll(c.making.Folder); err != nil {
		return unwritten(err)
	}
	return nil
}

// stopped says what is left of a making that did not come to its end, and removes
// the folder where that is nothing.
func (c *compression) stopped(err error) error {
	kept, wrong := c.making.Kept()
	switch {
	case !kept || wrong != nil:
		err = errors.Join(err, wrong)
	case c.ctx.Err() != nil:
		c.notef("plumb: stopped; the same command goes on from here")
	default:
		c.notef("plumb: what is done is kept in %s; a recipe that begins alike goes on from there", c.making.Folder)
	}
	return err
}

// progress shows how far a stage is, and when it will be done.
func (c *compression) progress(meter *meter) func(step, done, all int) {
	current, began, from := -1, time.Now(), 0
	return func(step, done, all int) {
		if step != current {
			current, began, from = step, time.Now(), done-1
		}
		stage := c.making.Recipe.Steps[step].Stage.String()
		object := struct {
			Stage   string  `json:"stage"`
			Number  int     `json:"number"`
			Of      int     `json:"of"`
			Done    int     `json:"done"`
			All     int     `json:"all"`
			Seconds float64 `json:"seconds_left,omitempty"`
		}{Stage: stage, Number: step + 1, Of: len(c.making.Recipe.Steps), Done: done, All: all}
		line := fmt.Sprintf("stage %d of %d, %s: %s of %s", object.Number, object.Of, stage, grouped(done), grouped(all))
		if done > from+1 {
			object.Seconds = time.Since(began).Seconds() / float64(done-from-1) * float64(all-done)
			line += "  " + timeText(time.Duration(object.Seconds*float64(time.Second))) + " left"
		}
		meter.show(standing{line, object})
	}
}

// save writes the smaller model with its tokenizer and its origin beside it, the
// weights last. What an interrupted save has left is written anew.
func (c *compression) save() error {
	out := c.options.out
	if origin, err := experiments.ReadOrigin(out); model.CheckWeights(out) == nil && (err != nil || origin == nil || origin.ID != c.making.ID()) {
		return c.options.taken()
	}
	text, err := c.tokenizerText()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return unwritten(err)
	}
	if err := atomicfile.Write(filepath.Join(out, tokenizerFile), text); err != nil {
		return unwritten(err)
	}
	origin := experiments.Origin{Model: c.name, Recipe: c.making.Recipe.String(), ID: c.making.ID(), Foreign: !c.ours, World: c.world}
	if err := origin.Write(out); err != nil {
		return unwritten(err)
	}
	if err := c.small.Save(out); err != nil {
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
	MACs          int     `json:"macs_per_token,omitempty"` // averaged over a full context; of a model that is there
}

func sizeOf(m *model.Model) modelSize {
	s := m.Size()
	return modelSize{s.Params.Total, s.Params.Body, s.Params.Embedding, s.Bytes, bitsPerWeight(s.Bytes, s.Params.Total), m.MACs(m.Context())}
}

func bitsPerWeight(bytes, weights int) float64 { return 8 * float64(bytes) / float64(max(1, weights)) }

// compressed is what --json prints.
type compressed struct {
	Model       string             `json:"model"`
	Path        string             `json:"path"`
	Recipe      string             `json:"recipe"`
	Calibration *calibrated        `json:"calibration,omitempty"`
	Stages      []experiments.Made `json:"stages"`
	Before      modelSize          `json:"before"`
	After       modelSize          `json:"after"`
}

// calibrated names the text that methods were shown.
type calibrated struct {
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	Seed   uint64 `json:"seed"`
	Hash   string `json:"hash"`
}

func (c *compression) told() compressed {
	told := compressed{Model: c.name, Path: c.options.out, Recipe: c.making.Recipe.String(), Stages: c.stages, Before: sizeOf(c.model), After: sizeOf(c.small)}
	if cal := c.making.Calibration(); cal != nil {
		told.Calibration = &calibrated{c.options.text, cal.Tokens(), c.options.seed, cal.Hash}
	}
	return told
}

// write tells what became of the matrices, stage by stage, and of the sizes.
func (c *compression) write() error {
	for _, s := range c.stages {
		if _, err := fmt.Fprintf(c.out, "%s\n\n", c.bold(s.Stage)); err != nil {
			return err
		}
		if err := writeStage(c.app, s); err != nil {
			return err
		}
		fmt.Fprintln(c.out)
	}
	if told := c.told().Calibration; told != nil {
		fmt.Fprintf(c.out, "shown: %s tokens of %s (%s)\n\n", grouped(told.Tokens), told.Text, told.Hash)
	}
	return writeSizes(c.app, sizeOf(c.model), sizeOf(c.small))
}

// writeStage tells of a stage what became of the matrices, or how training went.
func writeStage(a *app, s experiments.Made) error {
	if t := s.Learned; t != nil {
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
