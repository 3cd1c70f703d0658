package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// build makes a tokenizer of parts that are not yet believed.
func build(vocab vocabulary, added []addedToken, merges mergeList) (*Tokenizer, error) {
	t := &Tokenizer{special: map[int32]bool{}, merges: make(map[pair]merge, min(len(merges), maxVocab))}
	if err := t.setTokens(vocab, added); err != nil {
		return nil, err
	}
	ids := make(map[string]int32, len(t.tokens))
	for id, token := range t.tokens {
		if token != "" && !t.special[int32(id)] {
			ids[token] = int32(id)
		}
	}
	for b := range t.byteID {
		t.byteID[b] = none
		if id, ok := ids[string([]byte{byte(b)})]; ok {
			t.byteID[b] = id
		}
	}
	if err := t.setMerges(ids, merges); err != nil {
		return nil, err
	}
	return t, t.setEndOfText(added)
}

// setTokens fills tokens and special.
func (t *Tokenizer) setTokens(vocab vocabulary, added []addedToken) error {
	names := make(nameTable, len(vocab))
	for _, name := range slices.Sorted(maps.Keys(vocab)) {
		if err := names.put(vocab[name], name); err != nil {
			return err
		}
	}
	for _, a := range added {
		if !a.Special {
			return fmt.Errorf("added token %q is not special; such tokens are not supported", a.Content)
		}
		if id, known := vocab[a.Content]; known && id != a.ID {
			return fmt.Errorf("added token %q has id %d, but %d in the vocabulary", a.Content, a.ID, id)
		}
		if err := names.put(a.ID, a.Content); err != nil {
			return err
		}
		t.special[int32(a.ID)] = true
	}
	return t.unspellAll(names)
}

// A nameTable holds the spelled token of each id.
type nameTable map[int64]string

func (n nameTable) put(id int64, name string) error {
	switch other, taken := n[id]; {
	case id < 0 || id >= maxVocab:
		return fmt.Errorf("token %q has id %d; ids are from 0 to %d", name, id, maxVocab-1)
	case name == "":
		return fmt.Errorf("id %d has an empty token", id)
	case taken && other != name:
		return fmt.Errorf("tokens %q and %q both have id %d", min(other, name), max(other, name), id)
	}
	n[id] = name
	return nil
}

// unspellAll turns names into bytes. Special tokens are not spelled.
func (t *Tokenizer) unspellAll(names nameTable) error {
	ids := slices.Sorted(maps.Keys(names))
	if len(ids) == 0 {
		return errors.New("the vocabulary is empty")
	}
	t.tokens = make([]string, ids[len(ids)-1]+1)
	seen := make(map[string]int64, len(names))
	for _, id := range ids {
		name := names[id]
		if other, twice := seen[name]; twice {
			return fmt.Errorf("token %q has ids %d and %d", name, other, id)
		}
		seen[name] = id
		t.tokens[id] = name
		if t.special[int32(id)] {
			continue
		}
		raw, err := unspell(name)
		if err != nil {
			return err
		}
		t.tokens[id] = raw
	}
	return nil
}

// setMerges fills merges and order. Both sides of a merge and what they become
// must be in the vocabulary, whose ordinary tokens are ids.
func (t *Tokenizer) setMerges(ids map[string]int32, merges mergeList) error {
	if len(merges) > 4*maxVocab {
		return fmt.Errorf("%d merges; at most %d are allowed", len(merges), 4*maxVocab)
	}
	for i, parts := range merges {
		var found [3]int32 // left, right, both
		for j, spelled := range []string{parts[0], parts[1], parts[0] + parts[1]} {
			raw, err := unspell(spelled)
			if err != nil {
				return fmt.Errorf("merge %d: %w", i, err)
			}
			id, ok := ids[raw]
			if !ok {
				return fmt.Errorf("merge %d: %q is not in the vocabulary", i, spelled)
			}
			found[j] = id
		}
		p := makePair(found[0], found[1])
		if _, twice := t.merges[p]; twice {
			return fmt.Errorf("merge %d: %q %q is there twice", i, parts[0], parts[1])
		}
		t.addMerge(p, found[2])
	}
	return nil
}

// endNames are what published vocabularies call the end of a text.
var endNames = []string{endOfText, "<|end_of_text|>", "</s>"}

// setEndOfText finds the end of text among the special tokens. A vocabulary that
// is just the bytes in order ends texts with byte 0, as Bytes does.
func (t *Tokenizer) setEndOfText(added []addedToken) error {
	for _, name := range endNames {
		for _, a := range added {
			if a.Content == name {
				t.endOfTextID = int32(a.ID)
				return nil
			}
		}
	}
	if t.isBytes() {
		t.endOfTextID = 0
		return nil
	}
	return fmt.Errorf("no special token ends a text (looked for %s)", strings.Join(endNames, ", "))
}

func (t *Tokenizer) isBytes() bool {
	if len(t.tokens) != 256 || len(t.order) > 0 {
		return false
	}
	for b, id := range t.byteID {
		if int(id) != b {
			return false
		}
	}
	return true
}

// takeWhole makes words that are tokens need no merges.
func (t *Tokenizer) takeWhole() {
	t.whole = make(map[string]int32, len(t.tokens))
	for id, token := range t.tokens {
		if token != "" && !t.special[int32(id)] {
			t.whole[token] = int32(id)
		}
	}
}
