package tokenizer

import (
	"encoding/json"
	"fmt"
)

// templateJSON is a post-processor of a tokenizer.json, or several.
type templateJSON struct {
	Type          string              `json:"type"`
	Processors    short[templateJSON] `json:"processors"`
	Single        short[templatePart] `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens"`
}

// A templatePart is a special token, or else a text.
type templatePart struct {
	SpecialToken *struct {
		ID string `json:"id"`
	}
}

// setTemplate takes from a post-processor which tokens stand around a text.
func (t *Tokenizer) setTemplate(data json.RawMessage) error {
	if isNull(data) {
		return nil
	}
	var p templateJSON
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("post-processor: %w", err)
	}
	return t.addTemplate(p, 0)
}

func (t *Tokenizer) addTemplate(p templateJSON, depth int) error {
	switch {
	case depth > maxNesting:
		return fmt.Errorf("post-processors are nested more than %d deep", maxNesting)
	case p.Type == "ByteLevel": // is about offsets
		return nil
	case p.Type == "TemplateProcessing":
		return t.addSingle(p)
	case p.Type != "Sequence":
		return fmt.Errorf("post-processor %q is not supported (have ByteLevel, Sequence, TemplateProcessing)", p.Type)
	}
	for _, inner := range p.Processors {
		if err := t.addTemplate(inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// addSingle wants at most one special token on either side of the text.
func (t *Tokenizer) addSingle(p templateJSON) error {
	before, after := int32(none), int32(none)
	side, texts := &before, 0
	for _, part := range p.Single {
		if part.SpecialToken == nil {
			side = &after
			texts++
			continue
		}
		named := p.SpecialTokens[part.SpecialToken.ID].IDs
		if len(named) != 1 || *side != none {
			return fmt.Errorf("post-processor: token %q stands for %d ids or is not alone on its side of the text, which is not supported", part.SpecialToken.ID, len(named))
		}
		if named[0] < 0 || named[0] >= int64(len(t.tokens)) || t.tokens[named[0]] == "" {
			return fmt.Errorf("post-processor: token %q has id %d, which is not in the vocabulary", part.SpecialToken.ID, named[0])
		}
		*side = int32(named[0])
	}
	if texts != 1 {
		return fmt.Errorf("post-processor: a template with %d texts for one is not supported", texts)
	}
	if before != none {
		t.ends.bos, t.ends.addBOS = before, true
	}
	if after != none {
		t.ends.eos, t.ends.addEOS = after, true
	}
	return nil
}
