package tokenizer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// JSON returns the tokenizer as the content of a Hugging Face tokenizer.json. The
// same tokenizer always gives the same bytes.
func (t *Tokenizer) JSON() []byte {
	var w bytes.Buffer
	w.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	for i, id := range slices.Sorted(maps.Keys(t.special)) {
		separate(&w, i, "\n    ")
		w.WriteString(`{"id": `)
		writeJSON(&w, id)
		w.WriteString(`, "content": `)
		writeJSON(&w, t.tokens[id])
		w.WriteString(`, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`)
	}
	const level = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	w.WriteString("\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": " + level + ",\n  \"post_processor\": null,\n  \"decoder\": " + level)
	w.WriteString(",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n    \"continuing_subword_prefix\": \"\",\n    \"end_of_word_suffix\": \"\",\n    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": ")
	writeJSON(&w, t.whole != nil)
	w.WriteString(",\n    \"vocab\": {")
	t.writeVocab(&w)
	w.WriteString("\n    },\n    \"merges\": [")
	for i, p := range t.order {
		left, right := p.ids()
		separate(&w, i, "\n      ")
		writeJSON(&w, spell(t.tokens[left])+" "+spell(t.tokens[right]))
	}
	w.WriteString("\n    ]\n  }\n}\n")
	return w.Bytes()
}

// writeVocab writes tokens by id.
func (t *Tokenizer) writeVocab(w *bytes.Buffer) {
	written := 0
	for id, token := range t.tokens {
		if token == "" {
			continue
		}
		if !t.special[int32(id)] {
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
