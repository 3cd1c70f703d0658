package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The file, as far as it is understood. What a field asks for is checked in Parse.
type (
	fileJSON struct {
		AddedTokens   []addedToken    `json:"added_tokens"`
		Normalizer    *component      `json:"normalizer"`
		PreTokenizer  *component      `json:"pre_tokenizer"`
		PostProcessor *component      `json:"post_processor"`
		Decoder       *component      `json:"decoder"`
		Model         json.RawMessage `json:"model"`
	}
	addedToken struct {
		ID      int64  `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	}
	component struct {
		Type           string `json:"type"`
		AddPrefixSpace bool   `json:"add_prefix_space"`
		UseRegex       *bool  `json:"use_regex"`
		Pattern        struct {
			Regex string `json:"Regex"`
		} `json:"pattern"`
		PreTokenizers []component `json:"pretokenizers"`
	}
	modelJSON struct {
		Type         string     `json:"type"`
		Dropout      *float64   `json:"dropout"`
		Unknown      string     `json:"unk_token"`
		Prefix       string     `json:"continuing_subword_prefix"`
		Suffix       string     `json:"end_of_word_suffix"`
		ByteFallback bool       `json:"byte_fallback"`
		IgnoreMerges bool       `json:"ignore_merges"`
		Vocab        vocabulary `json:"vocab"`
		Merges       mergeList  `json:"merges"`
	}
)

// Parse reads the content of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	var file fileJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("no tokenizer.json: %w", err)
	}
	if err := file.check(); err != nil {
		return nil, err
	}
	model, err := parseModel(file.Model)
	if err != nil {
		return nil, err
	}
	t, err := build(model.Vocab, file.AddedTokens, model.Merges)
	if err != nil {
		return nil, err
	}
	if model.Unknown != "" && slices.Contains(t.byteID[:], none) {
		return nil, fmt.Errorf("model: unk_token %q with a vocabulary that lacks bytes is not supported", model.Unknown)
	}
	if model.IgnoreMerges {
		t.takeWhole()
	}
	return t.ready(), nil
}

// check refuses what would change ids or text and is not done here.
func (f *fileJSON) check() error {
	if f.Normalizer != nil {
		return fmt.Errorf("normalizer %q is not supported (have none)", f.Normalizer.Type)
	}
	if err := f.PreTokenizer.checkWords(); err != nil {
		return err
	}
	// Post-processors add special tokens, which Encode never does.
	if p := f.PostProcessor; p != nil && p.Type != "ByteLevel" && p.Type != "TemplateProcessing" {
		return fmt.Errorf("post-processor %q is not supported (have ByteLevel, TemplateProcessing)", p.Type)
	}
	if d := f.Decoder; d != nil && d.Type != "ByteLevel" {
		return fmt.Errorf("decoder %q is not supported (have ByteLevel)", d.Type)
	}
	return nil
}

// checkWords wants a pre-tokenizer that cuts words by GPT-2's pattern.
func (c *component) checkWords() error {
	switch {
	case c == nil:
		return errors.New("no pre-tokenizer is not supported (have ByteLevel)")
	case c.Type == "Sequence" && len(c.PreTokenizers) == 2 && c.PreTokenizers[0].Type == "Split":
		split, level := c.PreTokenizers[0], c.PreTokenizers[1]
		if split.Pattern.Regex != gpt2Pattern {
			return fmt.Errorf("word pattern %q is not supported (have %q)", split.Pattern.Regex, gpt2Pattern)
		}
		level.UseRegex = nil // GPT-2's words stay whole when cut a second time
		return level.checkWords()
	case c.Type != "ByteLevel":
		return fmt.Errorf("pre-tokenizer %q is not supported (have ByteLevel)", c.Type)
	case c.AddPrefixSpace:
		return errors.New("pre-tokenizer ByteLevel with add_prefix_space is not supported (have false)")
	case c.UseRegex != nil && !*c.UseRegex:
		return errors.New("pre-tokenizer ByteLevel without use_regex is not supported (have true)")
	}
	return nil
}

func parseModel(data []byte) (*modelJSON, error) {
	var kind struct{ Type string }
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if kind.Type != "BPE" && kind.Type != "" {
		return nil, fmt.Errorf("model %q is not supported (have BPE)", kind.Type)
	}
	var m modelJSON
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("model: dropout %v is not supported (have none)", *m.Dropout)
	case m.Prefix != "" || m.Suffix != "":
		return nil, fmt.Errorf("model: subword prefix %q and word suffix %q are not supported (have none)", m.Prefix, m.Suffix)
	case m.ByteFallback:
		return nil, errors.New("model: byte_fallback is not supported (have byte-level vocabularies)")
	}
	return &m, nil
}

// A vocabulary is ids by spelled token. Decoding it refuses a token that is
// there twice, which a map would swallow.
type vocabulary map[string]int64

func (v *vocabulary) UnmarshalJSON(data []byte) error {
	*v = vocabulary{}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.New("vocab is no object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		token := key.(string) // the decoder sees to it
		var id *int64
		if err := d.Decode(&id); err != nil {
			return fmt.Errorf("token %q: %w", token, err)
		}
		if id == nil {
			return fmt.Errorf("token %q has no id", token)
		}
		if _, twice := (*v)[token]; twice {
			return fmt.Errorf("token %q is in the vocabulary twice", token)
		}
		(*v)[token] = *id
	}
	return nil
}

// A mergeList is pairs of spelled tokens. Files have them as "a b" or as ["a", "b"].
type mergeList [][2]string

func (m *mergeList) UnmarshalJSON(data []byte) error {
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err != nil {
		var lines []string
		if err := json.Unmarshal(data, &lines); err != nil {
			return fmt.Errorf("merges are neither strings nor pairs of strings: %w", err)
		}
		pairs = make([][]string, len(lines))
		for i, line := range lines {
			pairs[i] = strings.Split(line, " ")
		}
	}
	*m = make(mergeList, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merge %d has %d parts, want 2", i, len(p))
		}
		(*m)[i] = [2]string{p[0], p[1]}
	}
	return nil
}
