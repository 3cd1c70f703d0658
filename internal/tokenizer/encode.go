package tokenizer

import "unicode/utf8"

// An encoder appends the ids of one text.
type encoder struct {
	t        *Tokenizer
	dst      []int32
	merger   merger
	specials bool // are looked for in the text
}

// A step cuts words into smaller ones. It may rewrite them before.
type step struct {
	name    string
	rewrite func(text string, first bool) string // nil for none; first is true at the start of the whole text
	scan    scanner                              // nil where it only rewrites
}

// gpt2Steps cut GPT-2's words, as all tokenizers do that are trained here.
var gpt2Steps = []step{{name: gpt2Pattern, scan: gpt2Word}}

// text cuts a text at added tokens.
func (e *encoder) text(text string) {
	e.between(e.t.raw, text, true, e.section)
}

// section encodes what is between added tokens.
func (e *encoder) section(text string, first bool) {
	text = e.t.normalizeText(text)
	e.between(e.t.normalized, text, first, func(text string, first bool) { e.words(text, first, e.t.steps) })
}

// between passes the texts between the tokens of m on and appends the tokens.
func (e *encoder) between(m *matcher, text string, first bool, part func(text string, first bool)) {
	if m.idle(e.specials) {
		part(text, first)
		return
	}
	m.split(text, e.specials,
		func(text string, at int) { part(text, first && at == 0) },
		func(id int32) { e.dst = append(e.dst, id) })
}

// words takes text through the steps.
func (e *encoder) words(text string, first bool, steps []step) {
	if len(steps) == 0 {
		if text != "" {
			e.word(text)
		}
		return
	}
	if rewrite := steps[0].rewrite; rewrite != nil && text != "" {
		text = rewrite(text, first)
	}
	if steps[0].scan == nil {
		e.words(text, first, steps[1:])
		return
	}
	w := words{text: text, scan: steps[0].scan}
	for word := w.next(); word != ""; word = w.next() {
		if len(steps) == 1 {
			e.word(word)
		} else {
			e.words(word, first && w.at == len(word), steps[1:])
		}
	}
}

// word appends the ids of one word.
func (e *encoder) word(word string) {
	t := e.t
	if t.unigram != nil {
		e.dst = t.unigram.append(e.dst, word, t)
		return
	}
	if len(word) == 1 && t.symbols.runeID == nil {
		e.dst = t.appendSymbols(e.dst, word)
		return
	}
	if id, ok := t.whole[word]; ok {
		e.dst = append(e.dst, id)
		return
	}
	if ids, ok := t.cache.get(word); ok {
		e.dst = append(e.dst, ids...)
		return
	}
	start := len(e.dst)
	ids := e.merge(t.appendSymbols(e.dst, word), start)
	t.cache.put(word, ids[start:])
	e.dst = ids
}

// merge merges the symbols of ids from start on.
func (e *encoder) merge(ids []int32, start int) []int32 {
	t := e.t
	if t.unused != nil {
		return e.mergeUnused(ids, start)
	}
	merged := e.merger.apply(ids[start:])
	if len(t.symbols.spare) > 0 {
		return t.spell(ids[:start], merged)
	}
	return ids[:start+len(merged)]
}

// symbols says what a word is made of before anything merges.
type symbols struct {
	runeID  map[rune]int32 // ids of characters; nil where words are bytes
	bytes   bool           // characters without an id are spelled in the ids of their bytes
	unknown int32          // id of what has no other, or none
	fuse    bool           // neighbours without an id become one unknown
	spare   []string       // characters that only merges know; their ids follow those of the vocabulary
}

// appendSymbols appends the ids of the bytes or characters of word.
func (t *Tokenizer) appendSymbols(dst []int32, word string) []int32 {
	if t.symbols.runeID == nil {
		return t.symbols.appendBytes(dst, word, &t.byteID)
	}
	start := len(dst)
	for _, r := range word {
		if id, ok := t.symbols.runeID[r]; ok {
			dst = append(dst, id)
			continue
		}
		var buffer [utf8.UTFMax]byte
		dst = t.appendUnknown(dst, start, string(utf8.AppendRune(buffer[:0], r)))
	}
	return dst
}

// appendUnknown appends what stands for a character without an id in a word
// whose ids begin at start.
func (t *Tokenizer) appendUnknown(dst []int32, start int, char string) []int32 {
	if t.symbols.bytes && t.hasBytes(char) {
		for i := range len(char) {
			dst = append(dst, t.byteID[char[i]])
		}
		return dst
	}
	return t.symbols.appendUnknown(dst, start)
}

func (t *Tokenizer) hasBytes(text string) bool {
	for i := range len(text) {
		if t.byteID[text[i]] == none {
			return false
		}
	}
	return true
}

// appendBytes appends the ids of single bytes.
func (s *symbols) appendBytes(dst []int32, text string, ids *[256]int32) []int32 {
	start := len(dst)
	for i := range len(text) {
		if id := ids[text[i]]; id != none {
			dst = append(dst, id)
		} else {
			dst = s.appendUnknown(dst, start)
		}
	}
	return dst
}

func (s *symbols) appendUnknown(dst []int32, start int) []int32 {
	if s.unknown == none || s.fuse && len(dst) > start && dst[len(dst)-1] == s.unknown {
		return dst
	}
	return append(dst, s.unknown)
}

// spell appends merged to dst with the characters that have no id of their own
// spelled in others.
func (t *Tokenizer) spell(dst, merged []int32) []int32 {
	merged = append([]int32(nil), merged...)
	start := len(dst)
	for _, id := range merged {
		if spare := int(id) - len(t.tokens); spare >= 0 {
			dst = t.appendUnknown(dst, start, t.symbols.spare[spare])
		} else if id != t.symbols.unknown {
			dst = append(dst, id)
		} else {
			dst = t.symbols.appendUnknown(dst, start)
		}
	}
	return dst
}

// mergeUnused merges as SentencePiece does where tokens are marked as unused:
// merges go through them, and those that are left are taken apart again the way
// they were last seen to come about.
func (e *encoder) mergeUnused(ids []int32, start int) []int32 {
	e.merger.unused, e.merger.parts = e.t.unused, map[int32]pair{}
	merged := e.merger.queue(ids[start:])
	var apart []int32
	for _, id := range merged {
		apart = e.merger.takeApart(apart, id)
	}
	return e.t.spell(ids[:start], apart)
}
