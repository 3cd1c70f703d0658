package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"plumb/model"
)

func init() { commands = append(commands, newGenerate) }

// generateOptions are the flags of generate.
type generateOptions struct {
	prompt   string
	tokens   int
	sampling model.Sampling
	force    bool
}

func newGenerate(a *app) *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:   "generate MODEL",
		Short: "let a trained model continue a text",
		Long: `Let a trained model continue a text, token by token on stdout, until it ends the
text, its context is full, or --tokens are written. MODEL is a folder as for
plumb eval. At temperature 0 the most likely token is taken each time; otherwise
the same --seed gives the same text on every machine.`,
		Example: `  plumb generate MODEL --prompt "from the hall you go to"
  plumb generate MODEL --prompt "Once" --tokens 200 --temperature 0.8 --top-p 0.95 --seed 7
  plumb generate MODEL --prompt - < beginning.txt`,
		Args: exactly("the folder of a MODEL"),
		RunE: func(_ *cobra.Command, args []string) error { return runGenerate(a, args[0], o) },
	}
	f := c.Flags()
	f.StringVarP(&o.prompt, "prompt", "p", "", "text to continue; - reads stdin (default: the model begins a text)")
	f.IntVarP(&o.tokens, "tokens", "n", 100, "most tokens to write")
	f.Float64Var(&o.sampling.Temperature, "temperature", 0, "0 takes the most likely token; 1 draws as the model predicts")
	f.IntVar(&o.sampling.TopK, "top-k", 0, "draw only from so many most likely tokens (default: all)")
	f.Float64Var(&o.sampling.TopP, "top-p", 0, "draw only from the most likely tokens that reach this share together (default: all)")
	f.Uint64Var(&o.sampling.Seed, "seed", 1, "of the draws")
	addForce(c, &o.force)
	return c
}

// check demands settings that make sense, all at once.
func (o generateOptions) check() error {
	var wrong []error
	if o.tokens < 1 {
		wrong = append(wrong, fmt.Errorf("--tokens=%d must be at least 1", o.tokens))
	}
	if err := o.sampling.Check(); err != nil {
		wrong = append(wrong, fmt.Errorf("--%w", err))
	}
	if o.sampling.Temperature == 0 && (o.sampling.TopK > 0 || o.sampling.TopP > 0) {
		wrong = append(wrong, errors.New("--top-k and --top-p choose among draws, and at --temperature 0 nothing is drawn: give a temperature"))
	}
	return errors.Join(wrong...)
}

// Why a generated text ends.
const (
	endOfText   = "end of text"
	endOfTokens = "tokens"
	endOfRoom   = "context"
)

// generated is what --json prints.
type generated struct {
	Model  string `json:"model"`
	Prompt string `json:"prompt"`
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	End    string `json:"end"` // "end of text", "tokens" or "context"
}

func runGenerate(a *app, path string, o generateOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	m, err := openModel(path)
	if err != nil {
		return err
	}
	if err := m.checkCanary(a, o.force); err != nil {
		return err
	}
	if o.prompt, err = textOrStdin(a, o.prompt); err != nil {
		return err
	}
	prompt, err := m.promptTokens(o.prompt)
	if err != nil {
		return err
	}
	w := &textWriter{w: a.out, visible: isTerminal(a.out.w)}
	if a.json {
		w.w = io.Discard
	}
	end, err := m.generate(a.ctx, prompt, o, w)
	if err == nil && a.json {
		return a.emit(generated{m.name, o.prompt, w.text, w.tokens, end})
	}
	w.finish()
	if err == nil && end == endOfRoom {
		a.notef("plumb: the context of %d tokens is full", m.model.Context())
	}
	return err
}

// promptTokens returns the tokens that the model continues.
func (t *trained) promptTokens(text string) ([]int32, error) {
	prompt := append(t.beginning(text == ""), t.tokenizer.Encode(text)...)
	if room := t.model.Context(); len(prompt) > room {
		return nil, fmt.Errorf("the prompt has %d tokens and the context of %s holds %d: shorten it", len(prompt), t.name, room)
	}
	return prompt, nil
}

// beginning is what stands before a text: with a model that was trained here the
// end of the text before it, with others the token that their tokenizer asks
// for. Where there must be a token, there is one.
func (t *trained) beginning(must bool) []int32 {
	id, add, ok := t.tokenizer.BOS()
	switch {
	case !t.ours && ok && (add || must):
		return []int32{id}
	case t.ours || must:
		return []int32{t.tokenizer.EndOfText()}
	}
	return nil
}

// generate writes what follows prompt to w, and says why it ends.
func (t *trained) generate(ctx context.Context, prompt []int32, o generateOptions, w *textWriter) (end string, err error) {
	end = endOfRoom
	words := t.tokenizer.Stream(prompt)
	err = t.model.Generate(ctx, prompt, o.tokens, o.sampling, func(token int32) bool {
		if token == t.tokenizer.EndOfText() {
			end = endOfText
			return false
		}
		w.add(words.Add(token))
		if w.tokens == o.tokens {
			end = endOfTokens
		}
		return w.err == nil
	})
	w.text += words.Rest()
	return end, errors.Join(err, w.err)
}

// A textWriter passes text on in whole characters, which tokens may cut.
type textWriter struct {
	w       io.Writer
	visible bool   // control characters are written as codes, for terminals
	text    string // all of it
	passed  int    // bytes of text that were written
	tokens  int
	err     error
}

// add appends the bytes of a token.
func (w *textWriter) add(piece string) {
	w.text += piece
	w.tokens++
	whole := len(w.text)
	for back := 1; back <= min(3, len(w.text)-w.passed); back++ {
		if start := len(w.text) - back; utf8.RuneStart(w.text[start]) {
			if !utf8.FullRuneInString(w.text[start:]) {
				whole = start
			}
			break
		}
	}
	w.pass(whole)
}

func (w *textWriter) pass(to int) {
	if to > w.passed && w.err == nil {
		text := w.text[w.passed:to]
		if w.visible {
			text = withoutControls(text)
		}
		_, w.err = io.WriteString(w.w, text)
		w.passed = to
	}
}

// withoutControls writes control characters as codes, except line breaks and
// tabs: a model may have learnt what makes a terminal obey.
func withoutControls(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, "\\x%02x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// finish writes what is left, and ends the line.
func (w *textWriter) finish() {
	w.pass(len(w.text))
	if w.err == nil {
		_, w.err = io.WriteString(w.w, "\n")
	}
}
