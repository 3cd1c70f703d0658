package tokenizer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// JSON returns the tokenizer as the content of a Hugging Face tokenizer.json. The
// same tokenizer always gives the same bytes. Those of a tokenizer.json that asks
// for more than GPT-2's words are returned as they were read.
func (t *Tokenizer) JSON() []byte {
	if t.source != nil {
		return t.source()
	}
	return t.writeJSON()
}

// writeJSON writes a byte-level tokenizer.
func (t *Tokenizer) writeJSON() []byte {
	var w bytes.Buffer
	w.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	users := t.userTokens()
	added := slices.Concat(slices.Collect(maps.Keys(t.special)), slices.Collect(maps.Keys(users)))
	slices.Sort(added)
	for i, id := range added {
		separate(&w, i, "\n    ")
		w.WriteString(`{"id": `)
		writeJSON(&w, id)
		w.WriteString(`, "content": `)
		writeJSON(&w, t.tokens[id])
		w.WriteString(`, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": `)
		writeJSON(&w, t.special[id])
		w.WriteString("}")
	}
	const level = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	w.WriteString("\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": ")
	if t.isPlainWords() {
		w.WriteString(level)
	} else {
		writeJSON(&w, t.stepsJSON())
	}
	w.WriteString(",\n  \"post_processor\": ")
	writeJSON(&w, t.templateJSON())
	w.WriteString(",\n  \"decoder\": " + level)
	w.WriteString(",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n    \"continuing_subword_prefix\": \"\",\n    \"end_of_word_suffix\": \"\",\n    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": ")
	writeJSON(&w, t.whole != nil)
	w.WriteString(",\n    \"vocab\": {")
	t.writeVocab(&w, users)
	w.WriteString("\n    },\n    \"merges\": [")
	for i, p := range t.order {
		left, right := p.ids()
		separate(&w, i, "\n      ")
		writeJSON(&w, spell(t.tokens[left])+" "+spell(t.tokens[right]))
	}
	w.WriteString("\n    ]\n  }\n}\n")
	return w.Bytes()
}

// stepsJSON writes the steps as a pre-tokenizer.
func (t *Tokenizer) stepsJSON() object {
	steps := []object{}
	for _, s := range t.steps {
		switch {
		case s.rewrite != nil: // spaceInFront
			steps = append(steps, object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})
			return object{"type": "Sequence", "pretokenizers": steps}
		case s.name == eachNumberName:
			steps = append(steps, object{"type": "Digits", "individual_digits": true})
		case s.name == punctuationName:
			steps = append(steps, object{"type": "Punctuation", "behavior": "Contiguous"})
		default:
			steps = append(steps, object{"type": "Split", "pattern": object{"Regex": s.name}, "behavior": "Isolated", "invert": false})
		}
	}
	steps = append(steps, object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
	return object{"type": "Sequence", "pretokenizers": steps}
}

// writeVocab writes tokens by id.
func (t *Tokenizer) writeVocab(w *bytes.Buffer, added map[int32]bool) {
	written := 0
	for id, token := range t.tokens {
		if token == "" {
			continue
		}
		if !t.special[int32(id)] && !added[int32(id)] {
			token = spell(token)
		}
		separate(w, written, "\n      ")
		writeJSON(w, token)
		w.WriteString(": ")
		writeJSON(w, id)
		written++
	}
}

// separate writes a comma before all but the first of a list.
func separate(w *bytes.Buffer, i int, space string) {
	if i > 0 {
		w.WriteByte(',')
	}
	w.WriteString(space)
}

// writeJSON writes a string, number or truth value, all of which have a JSON form.
func writeJSON(w *bytes.Buffer, value any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("tokenizer: writeJSON: " + err.Error())
	}
	w.Truncate(w.Len() - 1) // the line end
}
