package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The file, as far as it is understood. What a field asks for is checked in Parse.
type (
	fileJSON struct {
		AddedTokens   []addedToken    `json:"added_tokens"`
		Normalizer    json.RawMessage `json:"normalizer"`
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Decoder       json.RawMessage `json:"decoder"`
		Model         json.RawMessage `json:"model"`
	}
	modelJSON struct {
		Type         string          `json:"type"`
		Dropout      *float64        `json:"dropout"`
		Unknown      *string         `json:"unk_token"`
		UnknownID    *int64          `json:"unk_id"`
		FuseUnknown  bool            `json:"fuse_unk"`
		Prefix       string          `json:"continuing_subword_prefix"`
		Suffix       string          `json:"end_of_word_suffix"`
		ByteFallback bool            `json:"byte_fallback"`
		IgnoreMerges *bool           `json:"ignore_merges"`
		Vocab        json.RawMessage `json:"vocab"`
		Merges       mergeList       `json:"merges"`
	}
)

// Parse reads the content of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) { return parse(data, nil) }

// parse also believes what a tokenizer_config.json says of the ends, if there is one.
func parse(data []byte, config *configJSON) (*Tokenizer, error) {
	var file fileJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("no tokenizer.json: %w", err)
	}
	t, err := file.tokenizer()
	if err != nil {
		return nil, err
	}
	if err := t.setTemplate(file.PostProcessor); err != nil {
		return nil, err
	}
	if err := config.setEnds(t); err != nil {
		return nil, err
	}
	if err := t.setEnds(); err != nil {
		return nil, err
	}
	if !t.isCanonical(file.AddedTokens) {
		kept := slices.Clone(data)
		t.source = func() []byte { return kept }
	}
	return t.ready(), nil
}

// tokenizer builds all but the ends.
func (f *fileJSON) tokenizer() (*Tokenizer, error) {
	t := newTokenizer()
	var err error
	if t.normalize, err = parseNormalizers(f.Normalizer); err != nil {
		return nil, err
	}
	cuts, err := parsePreTokenizer(f.PreTokenizer)
	if err != nil {
		return nil, err
	}
	t.steps = cuts.steps
	d, err := parseDecoder(f.Decoder, cuts.byteLevel)
	if err != nil {
		return nil, err
	}
	t.front = d.front
	model, err := parseModel(f.Model)
	if err != nil {
		return nil, err
	}
	if model.Type == "Unigram" {
		err = t.setUnigramModel(model, f.AddedTokens, d)
	} else {
		err = t.setMergeModel(model, f.AddedTokens, d)
	}
	if err != nil {
		return nil, err
	}
	return t, t.setAdded(f.AddedTokens)
}

// setMergeModel builds a byte-pair model of bytes or of characters.
func (t *Tokenizer) setMergeModel(m *modelJSON, added []addedToken, d decoding) error {
	var vocab vocabulary
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := t.setTokens(vocab, added, d); err != nil {
		return err
	}
	ids := t.ordinary()
	if d.byteLevel {
		t.setBytes(ids, spellByte)
	} else {
		t.setRunes(ids)
		t.setBytes(ids, fallbackByte)
		t.symbols.bytes, t.symbols.fuse = m.ByteFallback, m.FuseUnknown
	}
	if err := t.setUnknown(m); err != nil {
		return err
	}
	if err := t.setMerges(ids, m.Merges); err != nil {
		return err
	}
	if m.takesWhole(t.steps) {
		t.takeWhole(ids)
	}
	if d.byteLevel {
		t.names = nil
	} else {
		t.cutAtSpaces(ids)
	}
	return nil
}

// takesWhole says whether words that are tokens need no merges. The first files
// of Llama 3 did not say so, but its own tokenizer takes words that way.
func (m *modelJSON) takesWhole(steps []step) bool {
	if m.IgnoreMerges != nil {
		return *m.IgnoreMerges
	}
	return slices.ContainsFunc(steps, func(s step) bool { return s.name == llama3Pattern })
}

// setUnknown finds the unknown token, which byte-level models must not need.
func (t *Tokenizer) setUnknown(m *modelJSON) error {
	lacks := slices.Contains(t.byteID[:], none)
	switch {
	case t.symbols.runeID == nil && m.ByteFallback && lacks:
		return errors.New("model: byte_fallback with a byte-level vocabulary that lacks bytes is not supported")
	case m.Unknown == nil || *m.Unknown == "":
		return nil
	case t.symbols.runeID == nil && lacks:
		return fmt.Errorf("model: unk_token %q with a vocabulary that lacks bytes is not supported", *m.Unknown)
	case t.symbols.runeID == nil:
		return nil
	}
	id := slices.Index(t.names, *m.Unknown)
	if id < 0 {
		return fmt.Errorf("model: unk_token %q is not in the vocabulary", *m.Unknown)
	}
	t.symbols.unknown = int32(id)
	return nil
}

// cutAtSpaces cuts whole texts into words where that changes nothing: it makes
// the cache useful, and long texts cheap.
func (t *Tokenizer) cutAtSpaces(ids map[string]int32) {
	if _, known := ids[metaspace]; !known || len(t.steps) > 0 || t.whole != nil {
		return
	}
	for _, m := range t.merges {
		if crossesWords(t.names[m.id]) {
			return
		}
	}
	t.steps = []step{{name: metaspace, scan: metaspaceWord}}
}

// isCanonical says whether the file that JSON makes of t's tokens and merges
// stands for t.
func (t *Tokenizer) isCanonical(added []addedToken) bool {
	for _, a := range added {
		if !a.Special || a.Lstrip || a.Rstrip || a.SingleWord {
			return false
		}
	}
	return t.isPlain() && t.symbols.unknown == none && !t.ends.addBOS && !t.ends.addEOS
}

func parseModel(data []byte) (*modelJSON, error) {
	var kind struct{ Type string }
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if kind.Type != "BPE" && kind.Type != "Unigram" && kind.Type != "" {
		return nil, fmt.Errorf("model %q is not supported (have BPE, Unigram)", kind.Type)
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
	case m.Vocab == nil:
		return nil, errors.New("model: no vocab")
	}
	return &m, nil
}

// onlyRune returns the character of a text that has one.
func onlyRune(text string) (rune, bool) {
	r, width := utf8.DecodeRuneInString(text)
	return r, width == len(text) && width > 0
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
	*m = nil
	return eachElement(data, func(d *json.Decoder) error {
		first, err := d.Token()
		if err != nil {
			return err
		}
		var parts []string
		switch first := first.(type) {
		case string:
			parts = strings.SplitN(first, " ", 4)
		case json.Delim:
			if parts, err = textsUntilEnd(d); err != nil {
				return fmt.Errorf("merge %d: %w", len(*m), err)
			}
		default:
			return fmt.Errorf("merge %d is %v: merges are neither strings nor pairs of strings", len(*m), first)
		}
		if len(parts) != 2 {
			return fmt.Errorf("merge %d has %d parts, want 2", len(*m), len(parts))
		}
		*m = append(*m, [2]string{parts[0], parts[1]})
		return nil
	})
}

// eachElement calls read for every element of a list, or of null, which has none.
func eachElement(data []byte, read func(d *json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	switch open, err := d.Token(); {
	case err != nil:
		return err
	case open == nil:
		return nil
	case open != json.Delim('['):
		return fmt.Errorf("%v is no list", open)
	}
	for d.More() {
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

// textsUntilEnd reads the rest of a list of at most a few texts.
func textsUntilEnd(d *json.Decoder) ([]string, error) {
	var texts []string
	for {
		token, err := d.Token()
		if err != nil || token == json.Delim(']') {
			return texts, err
		}
		text, ok := token.(string)
		if !ok || len(texts) == 3 {
			return nil, fmt.Errorf("%v is no text or one too many", token)
		}
		texts = append(texts, text)
	}
}

// A short is a list of components, of which there may only be a few.
type short[T any] []T

func (s *short[T]) UnmarshalJSON(data []byte) error {
	*s = nil
	return eachElement(data, func(d *json.Decoder) error {
		if len(*s) == maxSteps {
			return fmt.Errorf("more than %d components", maxSteps)
		}
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		*s = append(*s, one)
		return nil
	})
}
