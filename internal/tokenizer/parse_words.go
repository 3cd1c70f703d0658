package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// wordsJSON is a pre-tokenizer of a tokenizer.json, or several.
type wordsJSON struct {
	Type           string           `json:"type"`
	PreTokenizers  short[wordsJSON] `json:"pretokenizers"`
	AddPrefixSpace *bool            `json:"add_prefix_space"`
	UseRegex       *bool            `json:"use_regex"`
	Pattern        patternJSON      `json:"pattern"`
	Behavior       string           `json:"behavior"`
	Invert         bool             `json:"invert"`
	EachDigit      bool             `json:"individual_digits"`
	Replacement    string           `json:"replacement"`
	PrependScheme  string           `json:"prepend_scheme"`
	Split          *bool            `json:"split"`
}

// patterns are the regular expressions that have a scanner. Each matches any
// text without a gap, but falconDigits, whose scanner returns gaps as words.
var patterns = map[string]scanner{
	gpt2Pattern:   gpt2Word,
	llama3Pattern: llama3Word,
	cl100kPattern: llama3Word,
	qwen2Pattern:  qwen2Word,
	falconDigits:  threeDigits,
}

// Names of steps that are written again in other files.
const (
	eachNumberName  = "each number"
	punctuationName = "punctuation"
)

// cuts are what a pre-tokenizer asks for.
type cuts struct {
	steps     []step
	byteLevel bool // words are spelled in bytes, from some step on
}

// parsePreTokenizer returns no steps for none: then a text is one word.
func parsePreTokenizer(data json.RawMessage) (cuts, error) {
	var c cuts
	if isNull(data) {
		return c, nil
	}
	var w wordsJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return c, fmt.Errorf("pre-tokenizer: %w", err)
	}
	return c, c.add(w, 0)
}

func (c *cuts) add(w wordsJSON, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("pre-tokenizers are nested more than %d deep", maxNesting)
	}
	if w.Type == "Sequence" {
		for _, inner := range w.PreTokenizers {
			if err := c.add(inner, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := c.step(w)
	if err != nil {
		return err
	}
	if last := len(c.steps) - 1; s.rewrite == nil && (s.scan == nil || last >= 0 && c.steps[last].name == s.name) {
		return nil // cutting a second time changes nothing
	}
	if len(c.steps) == maxSteps {
		return fmt.Errorf("more than %d pre-tokenizers", maxSteps)
	}
	c.steps = append(c.steps, s)
	return nil
}

// step returns the step of one pre-tokenizer that is no sequence.
func (c *cuts) step(w wordsJSON) (step, error) {
	if c.byteLevel {
		return spelledStep(w)
	}
	switch w.Type {
	case "ByteLevel":
		c.byteLevel = true
		return byteLevelStep(w), nil
	case "Split":
		return splitStep(w)
	case "Digits":
		if w.EachDigit {
			return step{name: eachNumberName, scan: eachNumber}, nil
		}
		return step{name: "numbers", scan: numberRuns}, nil
	case "Punctuation":
		return punctuationStep(w)
	case "Metaspace":
		return metaspaceStep(w)
	}
	return step{}, fmt.Errorf("pre-tokenizer %q is not supported (have ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split)", w.Type)
}

func byteLevelStep(w wordsJSON) step {
	var s step
	if w.AddPrefixSpace != nil && *w.AddPrefixSpace {
		s.rewrite = spaceInFront
	}
	if w.UseRegex == nil || *w.UseRegex {
		s.name, s.scan = gpt2Pattern, gpt2Word
	}
	return s
}

// spelledStep returns a step after ByteLevel, which sees words as tokenizer
// files spell them. Falcon has two such steps.
func spelledStep(w wordsJSON) (step, error) {
	switch {
	case w.Type == "Digits" && !w.EachDigit:
		return step{name: "spelled numbers", scan: spelledNumberRuns}, nil
	case w.Type == "Split" && w.Pattern.text() == falconDigits:
		return splitStep(w)
	}
	return step{}, fmt.Errorf("pre-tokenizer %q after ByteLevel is not supported (have Digits and Split by %q)", w.Type, falconDigits)
}

func splitStep(w wordsJSON) (step, error) {
	text := w.Pattern.text()
	if w.Pattern.Regex == nil {
		return literalStep(w, text)
	}
	scan, ok := patterns[text]
	if !ok {
		known := slices.Sorted(maps.Keys(patterns))
		return step{}, fmt.Errorf("word pattern %q is not supported (have %q)", text, known)
	}
	keepsAll := w.Behavior == "Isolated" && !w.Invert || w.Behavior == "Removed" && w.Invert && text != falconDigits
	if !keepsAll {
		return step{}, fmt.Errorf("pre-tokenizer Split with behavior %q and invert %v is not supported (have Isolated)", w.Behavior, w.Invert)
	}
	return step{name: text, scan: scan}, nil
}

func literalStep(w wordsJSON, text string) (step, error) {
	scan, ok := literalScanners[w.Behavior]
	switch {
	case text == "":
		return step{}, errors.New("pre-tokenizer Split has no pattern")
	case !ok || w.Invert:
		known := strings.Join(slices.Sorted(maps.Keys(literalScanners)), ", ")
		return step{}, fmt.Errorf("pre-tokenizer Split at %q with behavior %q and invert %v is not supported (have %s)", text, w.Behavior, w.Invert, known)
	}
	return step{name: w.Behavior + " " + text, scan: scan(text)}, nil
}

func punctuationStep(w wordsJSON) (step, error) {
	switch w.Behavior {
	case "Contiguous":
		return step{name: punctuationName, scan: punctuationRuns}, nil
	case "Isolated", "":
		return step{name: "each punctuation", scan: eachPunctuation}, nil
	}
	return step{}, fmt.Errorf("pre-tokenizer Punctuation with behavior %q is not supported (have Contiguous, Isolated)", w.Behavior)
}

func metaspaceStep(w wordsJSON) (step, error) {
	if _, single := onlyRune(w.Replacement); !single {
		return step{}, fmt.Errorf("pre-tokenizer Metaspace has replacement %q; it must be one character", w.Replacement)
	}
	s := spacer{mark: w.Replacement, front: w.PrependScheme}
	if s.front == "" {
		s.front = "always"
		if w.AddPrefixSpace != nil && !*w.AddPrefixSpace {
			s.front = "never"
		}
	}
	if s.front != "always" && s.front != "first" && s.front != "never" {
		return step{}, fmt.Errorf("pre-tokenizer Metaspace has prepend_scheme %q (have always, first, never)", s.front)
	}
	made := step{name: "metaspace", rewrite: s.rewrite}
	if w.Split == nil || *w.Split {
		made.scan = literal{s.mark}.withNext
	}
	return made, nil
}
