package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"plumb/kernels"
)

// logitsOptions are the flags of inspect logits.
type logitsOptions struct {
	ids, text string
	top       int
	force     bool
}

func newInspectLogits(a *app) *cobra.Command {
	var o logitsOptions
	c := &cobra.Command{
		Use:   "logits MODEL",
		Short: "what a model expects after each token",
		Long: `Show what a model expects after each token of a text: the tokens it finds most
likely with their logits and ln p, in nats. With --json each position is one
object with the keys position, id and logits, which lists all of the vocabulary.

MODEL is a folder as for plumb eval, or a file. With --ids it needs no tokenizer.`,
		Example: `  plumb inspect logits MODEL --text "the cat sat"
  plumb inspect logits MODEL --ids 1,403,407 --json | jq '.logits[:8]'`,
		Args: exactly("the folder of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return inspectLogits(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.ids, "ids", "", "ids of the tokens, with commas between")
	f.StringVar(&o.text, "text", "", "the text; - reads stdin")
	f.IntVar(&o.top, "top", 5, "how many tokens to show after each")
	addForce(c, &o.force)
	return c
}

// check demands settings that make sense.
func (o logitsOptions) check() error {
	var wrong []error
	if (o.ids == "") == (o.text == "") {
		wrong = append(wrong, errors.New("give the tokens as --ids 1,2,3 or the text as --text TEXT, one of the two"))
	}
	if o.top < 1 {
		wrong = append(wrong, fmt.Errorf("--top=%d must be at least 1", o.top))
	}
	return errors.Join(wrong...)
}

func inspectLogits(a *app, path string, o logitsOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	t, ids, err := openForLogits(a, path, o)
	if err != nil {
		return err
	}
	logits, err := t.model.Logits(ids)
	if err != nil {
		return err
	}
	if !kernels.AllFinite(logits) {
		return fmt.Errorf("%s: its logits are not all finite: its weights are broken", path)
	}
	if a.json {
		return a.emitLogits(ids, logits)
	}
	g := grid{header: []string{"#position", "#id", "token", "#next", "token", "#logit", "#ln p"}}
	vocab := t.model.Config().Vocab
	for i := range ids {
		t.addLogits(&g, i, ids[i], logits[i*vocab:(i+1)*vocab], o.top)
	}
	return g.write(a.out)
}

// emitLogits prints the logits [len(ids), v] as objects, one a position.
func (a *app) emitLogits(ids []int32, logits []float32) error {
	vocab := len(logits) / len(ids)
	for i, id := range ids {
		if err := a.emit(positionLogits{i, id, logits[i*vocab : (i+1)*vocab]}); err != nil {
			return err
		}
	}
	return nil
}

// openForLogits opens a model, with its tokenizer if the tokens are a text or it
// has one that can be read.
func openForLogits(a *app, path string, o logitsOptions) (*trained, []int32, error) {
	if o.ids == "" {
		t, err := openModel(path)
		if err == nil {
			err = t.checkCanary(a, o.force)
		}
		if err == nil {
			o.text, err = textOrStdin(a, o.text)
		}
		if err != nil {
			return nil, nil, err
		}
		ids, err := t.promptTokens(o.text)
		return t, ids, err
	}
	ids, err := parseIDs(o.ids)
	if err != nil {
		return nil, nil, err
	}
	t, err := openWeights(path)
	if err == nil {
		t.tokenizer, _ = t.loadTokenizer() // ids need none
	}
	return t, ids, err
}

func parseIDs(text string) ([]int32, error) {
	var ids []int32
	for field := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(field), 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("--ids: %q is no token id: write numbers with commas between", field)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// positionLogits is what --json prints of a position.
type positionLogits struct {
	Position int       `json:"position"`
	ID       int32     `json:"id"`
	Logits   []float32 `json:"logits"`
}

// addLogits lists the most likely tokens after token id.
func (t *trained) addLogits(g *grid, position int, id int32, logits []float32, top int) {
	order := mostLikely(logits)
	place, from, token := strconv.Itoa(position), strconv.Itoa(int(id)), t.tokenText(id)
	for _, next := range order[:min(top, len(order))] {
		log := make([]float64, 1)
		kernels.LogProbs(log, nil, logits, []int32{next})
		g.add(place, from, token, strconv.Itoa(int(next)), t.tokenText(next), fmt.Sprintf("%.4f", logits[next]), fmt.Sprintf("%.4f", log[0]))
		place, from, token = "", "", ""
	}
}

// mostLikely lists tokens from the largest logit down, equal ones by id.
func mostLikely(logits []float32) []int32 {
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	return order
}

// tokenText is a token as people are shown it, "" without a tokenizer.
func (t *trained) tokenText(id int32) string {
	if t.tokenizer == nil || int(id) >= t.tokenizer.Vocab() {
		return ""
	}
	return visibleText(t.tokenizer.Token(id))
}
