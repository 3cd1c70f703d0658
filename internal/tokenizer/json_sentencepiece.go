package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sync"
)

// json returns what writes s as a tokenizer.json, in the terms of the Hugging
// Face library: it has merges for pairs where SentencePiece has scores for
// pieces, and wants rules as normalizers.
func (s *spm) json(t *Tokenizer) func() []byte {
	return sync.OnceValue(func() []byte {
		var w bytes.Buffer
		e := json.NewEncoder(&w)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		file := map[string]any{
			"version": "1.0", "truncation": nil, "padding": nil,
			"added_tokens": s.addedJSON(), "normalizer": s.rules.json(), "pre_tokenizer": nil,
			"post_processor": t.templateJSON(), "decoder": s.decoderJSON(t), "model": s.modelJSON(t),
		}
		if err := e.Encode(file); err != nil {
			panic("tokenizer: json: " + err.Error())
		}
		return w.Bytes()
	})
}

func (s *spm) addedJSON() []addedToken {
	added := []addedToken{}
	for id, p := range s.pieces {
		switch p.kind {
		case controlPiece, unknownPiece:
			added = append(added, addedToken{ID: int64(id), Content: p.text, Special: true})
		case userPiece:
			added = append(added, addedToken{ID: int64(id), Content: p.text, Normalized: true})
		}
	}
	return added
}

type object = map[string]any

func replaceJSON(old, new string) object {
	return object{"type": "Replace", "pattern": object{"String": old}, "content": new}
}

// json writes the rules in the order in which SentencePiece applies them.
func (r *spmRules) json() object {
	steps := []object{}
	if len(r.charsmap) > 0 {
		steps = append(steps, object{"type": "Precompiled", "precompiled_charsmap": r.charsmap})
	}
	if r.trimSpaces {
		for _, rule := range []spaceRule{{`\A +`, ""}, {` +\z`, ""}, {" {2,}", " "}} {
			steps = append(steps, object{"type": "Replace", "pattern": object{"Regex": rule.pattern}, "content": rule.content})
		}
	}
	if r.dummyPrefix {
		steps = append(steps, object{"type": "Prepend", "prepend": metaspace})
	}
	return object{"type": "Sequence", "normalizers": append(steps, replaceJSON(" ", metaspace))}
}

// templateJSON writes the ends that the tokenizer asks for.
func (t *Tokenizer) templateJSON() any {
	single, tokens := []object{}, object{}
	add := func(id int32) {
		name := t.tokens[id]
		single = append(single, object{"SpecialToken": object{"id": name, "type_id": 0}})
		tokens[name] = object{"id": name, "ids": []int32{id}, "tokens": []string{name}}
	}
	if t.ends.addBOS {
		add(t.ends.bos)
	}
	single = append(single, object{"Sequence": object{"id": "A", "type_id": 0}})
	if t.ends.addEOS {
		add(t.ends.eos)
	}
	if len(single) == 1 {
		return nil
	}
	pair := append(slices.Clone(single), object{"Sequence": object{"id": "B", "type_id": 1}})
	return object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}
}

func (s *spm) decoderJSON(t *Tokenizer) object {
	steps := []object{replaceJSON(metaspace, " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if t.front != keepSpaces {
		steps = append(steps, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	return object{"type": "Sequence", "decoders": steps}
}

func (s *spm) modelJSON(t *Tokenizer) object {
	if s.unigram {
		rows := make([][2]any, len(s.pieces))
		for id, p := range s.pieces {
			rows[id] = [2]any{p.text, p.score}
		}
		return object{"type": "Unigram", "unk_id": t.symbols.unknown, "vocab": rows, "byte_fallback": t.symbols.bytes}
	}
	vocab := make(map[string]int, len(s.pieces))
	for id, p := range s.pieces {
		vocab[p.text] = id
	}
	var unknown any
	if t.symbols.unknown != none {
		unknown = t.names[t.symbols.unknown]
	}
	return object{
		"type": "BPE", "dropout": nil, "unk_token": unknown, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": true, "byte_fallback": t.symbols.bytes, "ignore_merges": false, "vocab": vocab, "merges": t.rankedMerges(),
	}
}

// rankedMerges returns the merges by rank, those of equal rank by their ids.
// Merges of characters without an id have no place in such a file.
func (t *Tokenizer) rankedMerges() [][2]string {
	pairs := make([]pair, 0, len(t.merges))
	for p := range t.merges {
		if left, right := p.ids(); int(left) < len(t.names) && int(right) < len(t.names) {
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(t.merges[a].rank, t.merges[b].rank), cmp.Compare(a, b))
	})
	merges := make([][2]string, len(pairs))
	for i, p := range pairs {
		left, right := p.ids()
		merges[i] = [2]string{t.names[left], t.names[right]}
	}
	return merges
}
