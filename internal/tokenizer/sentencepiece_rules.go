package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// spmRules are how SentencePiece rewrites a text (its normalizer.cc).
type spmRules struct {
	charsmap     []byte // rules for characters, as files have them
	dummyPrefix  bool   // a space is put in front
	trimSpaces   bool   // several spaces become one, those around the text none
	escapeSpaces bool   // spaces become metaspaces

	users   *matcher // tokens that the rules leave alone; nil for none
	trie    []uint32 // of charsmap: a double array
	results []byte   // of charsmap: texts that end with NUL
}

// readCharsmap parts charsmap into its trie and its results: the length of the
// trie in bytes, the trie, the results.
func (r *spmRules) readCharsmap() error {
	if len(r.charsmap) == 0 {
		return nil
	}
	bad := errors.New("the precompiled charsmap is damaged")
	if len(r.charsmap) < 4 {
		return bad
	}
	size, rest := binary.LittleEndian.Uint32(r.charsmap), r.charsmap[4:]
	if size%4 != 0 || size == 0 || uint64(size) > uint64(len(rest)) {
		return bad
	}
	r.trie = make([]uint32, size/4)
	for i := range r.trie {
		r.trie[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	r.results = rest[size:]
	if len(r.results) > 0 && r.results[len(r.results)-1] != 0 {
		return bad
	}
	for result := range bytes.SplitSeq(r.results, []byte{0}) {
		if len(result) > maxReplacement {
			return fmt.Errorf("the precompiled charsmap has a result of %d bytes; at most %d are allowed", len(result), maxReplacement)
		}
	}
	return nil
}

// normalize returns text with its characters mapped and its spaces put in order.
func (r *spmRules) normalize(text string) string {
	if r.onlySpaces() && utf8.ValidString(text) {
		return r.spaced(text)
	}
	var out strings.Builder
	out.Grow(len(text) + len(text)/4 + len(metaspace))
	inSpace := r.trimSpaces // spaces that come now are dropped, as they are at the start
	for len(text) > 0 {
		part, n := r.character(text)
		text = text[n:]
		if inSpace {
			part = strings.TrimLeft(part, " ")
		}
		if part == "" {
			continue
		}
		if out.Len() == 0 && r.dummyPrefix {
			out.WriteString(metaspace)
		}
		out.WriteString(strings.ReplaceAll(part, " ", metaspace))
		inSpace = r.trimSpaces && strings.HasSuffix(part, " ")
	}
	if r.trimSpaces {
		return trimMetaspace(out.String())
	}
	return out.String()
}

// onlySpaces says whether nothing but spaces changes, each by itself.
func (r *spmRules) onlySpaces() bool { return !r.trimSpaces && r.trie == nil && r.users == nil }

// spaced is normalize for that case.
func (r *spmRules) spaced(text string) string {
	if r.dummyPrefix && text != "" {
		text = " " + text
	}
	return strings.ReplaceAll(text, " ", metaspace)
}

// trimMetaspace takes metaspaces off the end of text.
func trimMetaspace(text string) string {
	for strings.HasSuffix(text, metaspace) {
		text = strings.TrimSuffix(text, metaspace)
	}
	return text
}

// character returns what stands for the start of text, which is not empty, and
// how many bytes of text it stands for.
func (r *spmRules) character(text string) (string, int) {
	if r.users != nil {
		if _, n := r.users.longest(text); n > 0 {
			return text[:n], n
		}
	}
	if part, n := r.mapped(text); n > 0 {
		return part, n
	}
	char, width := utf8.DecodeRuneInString(text)
	if char == utf8.RuneError && width == 1 {
		return string(utf8.RuneError), 1
	}
	return text[:width], width
}

// mapped returns what the longest match in the trie stands for, and its length,
// which is 0 without one. The trie is that of the library Darts-clone.
func (r *spmRules) mapped(text string) (string, int) {
	if len(r.trie) == 0 {
		return "", 0
	}
	result, length := uint32(0), 0
	at := childrenOf(0, r.trie[0])
	for i := 0; i < len(text) && text[i] != 0; i++ {
		at ^= uint32(text[i])
		if uint64(at) >= uint64(len(r.trie)) || r.trie[at]&(1<<31|0xff) != uint32(text[i]) {
			break
		}
		unit := r.trie[at]
		at = childrenOf(at, unit)
		if unit>>8&1 == 1 && uint64(at) < uint64(len(r.trie)) {
			result, length = r.trie[at]&^(1<<31), i+1
		}
	}
	if length == 0 || uint64(result) >= uint64(len(r.results)) {
		return "", 0
	}
	end := bytes.IndexByte(r.results[result:], 0)
	return string(r.results[result:][:end]), length
}

// childrenOf returns where the children of the unit at at are.
func childrenOf(at, unit uint32) uint32 {
	return at ^ unit>>10<<(unit>>9&1<<3)
}
