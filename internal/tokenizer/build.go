package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// newTokenizer returns one without tokens.
func newTokenizer() *Tokenizer {
	t := &Tokenizer{special: map[int32]bool{}, merges: map[pair]merge{}, ends: noEnds}
	t.symbols.unknown = none
	for b := range t.byteID {
		t.byteID[b] = none
	}
	return t
}

// setTokens fills tokens, names and special of parts that are not yet believed.
func (t *Tokenizer) setTokens(vocab vocabulary, added []addedToken, d decoding) error {
	names := make(nameTable, len(vocab))
	for _, name := range slices.Sorted(maps.Keys(vocab)) {
		if err := names.put(vocab[name], name); err != nil {
			return err
		}
	}
	asIs := map[int64]bool{}
	for _, a := range added {
		if id, known := vocab[a.Content]; known && id != a.ID {
			return fmt.Errorf("added token %q has id %d, but %d in the vocabulary", a.Content, a.ID, id)
		}
		if err := names.put(a.ID, a.Content); err != nil {
			return err
		}
		asIs[a.ID] = a.Special || d.byteLevel
		if a.Special {
			t.special[int32(a.ID)] = true
		}
	}
	return t.decodeAll(names, asIs, d)
}

// maxGaps is how many ids may stand for nothing in a vocabulary, besides as many
// as there are tokens: a Llama 3 vocabulary cut down to a few words keeps its
// special tokens from id 128,000 on.
const maxGaps = 1 << 17

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

// decodeAll turns names into what they decode to. Those that are asIs stand for
// themselves: special tokens, and tokens added to a vocabulary that spells bytes.
func (t *Tokenizer) decodeAll(names nameTable, asIs map[int64]bool, d decoding) error {
	ids := slices.Sorted(maps.Keys(names))
	if len(ids) == 0 {
		return errors.New("the vocabulary is empty")
	}
	if last := ids[len(ids)-1]; last > int64(2*len(ids)+maxGaps) {
		return fmt.Errorf("token %q has id %d in a vocabulary of %d; ids stand side by side, with few gaps", names[last], last, len(ids))
	}
	t.tokens = make([]string, ids[len(ids)-1]+1)
	t.names = make([]string, len(t.tokens))
	seen := make(map[string]int64, len(names))
	for _, id := range ids {
		name := names[id]
		if other, twice := seen[name]; twice {
			return fmt.Errorf("token %q has ids %d and %d", name, other, id)
		}
		seen[name] = id
		t.names[id], t.tokens[id] = name, name
		if asIs[id] {
			continue
		}
		raw, err := d.decode(name)
		if err != nil {
			return err
		}
		t.tokens[id] = raw
	}
	return nil
}

// ordinary returns the ids of tokens that are text, by name.
func (t *Tokenizer) ordinary() map[string]int32 {
	ids := make(map[string]int32, len(t.names))
	for id, name := range t.names {
		if name != "" && !t.special[int32(id)] {
			ids[name] = int32(id)
		}
	}
	return ids
}

// setBytes fills byteID from the spelling of each byte.
func (t *Tokenizer) setBytes(ids map[string]int32, spelling func(b byte) string) {
	for b := range t.byteID {
		if id, ok := ids[spelling(byte(b))]; ok {
			t.byteID[b] = id
		}
	}
}

func spellByte(b byte) string { return string(byteToRune[b]) }

// fallbackByte is how vocabularies of characters spell a byte.
func fallbackByte(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// setRunes makes characters the symbols of words.
func (t *Tokenizer) setRunes(ids map[string]int32) {
	t.symbols.runeID = map[rune]int32{}
	for name, id := range ids {
		if r, ok := onlyRune(name); ok {
			t.symbols.runeID[r] = id
		}
	}
}

// setMerges fills merges and order. Both sides of a merge and what they become
// must be in the vocabulary. A merge of special tokens never comes about.
func (t *Tokenizer) setMerges(ids map[string]int32, merges mergeList) error {
	if len(merges) > 4*maxVocab {
		return fmt.Errorf("%d merges; at most %d are allowed", len(merges), 4*maxVocab)
	}
	specials := make(map[string]bool, len(t.special))
	for id := range t.special {
		specials[t.names[id]] = true
	}
	t.merges = make(map[pair]merge, len(merges))
	for i, parts := range merges {
		var found [3]int32 // left, right, both
		ok, special := true, false
		for j, name := range []string{parts[0], parts[1], parts[0] + parts[1]} {
			if specials[name] {
				special = true
			} else if found[j], ok = ids[name]; !ok {
				return fmt.Errorf("merge %d: %q is not in the vocabulary", i, name)
			}
		}
		p := makePair(found[0], found[1])
		if special {
			continue
		}
		if _, twice := t.merges[p]; twice {
			return fmt.Errorf("merge %d: %q %q is there twice", i, parts[0], parts[1])
		}
		t.addMerge(p, found[2])
	}
	return nil
}

// takeWhole makes words that are tokens need no merges.
func (t *Tokenizer) takeWhole(ids map[string]int32) {
	t.whole = make(map[string]int32, len(ids))
	for name, id := range ids {
		if t.symbols.runeID == nil {
			name = t.tokens[id]
		}
		t.whole[name] = id
	}
}

// setAdded makes the matchers of added tokens.
func (t *Tokenizer) setAdded(added []addedToken) (err error) {
	var raw, normalized []addedToken
	for _, a := range added {
		if a.Normalized {
			normalized = append(normalized, a)
		} else {
			raw = append(raw, a)
		}
	}
	if t.raw, err = newMatcher(raw, func(a addedToken) string { return a.Content }); err != nil {
		return err
	}
	t.normalized, err = newMatcher(normalized, func(a addedToken) string { return t.normalizeText(a.Content) })
	return err
}

func (t *Tokenizer) normalizeText(text string) string {
	for _, normalize := range t.normalize {
		text = normalize.apply(text)
	}
	return text
}
