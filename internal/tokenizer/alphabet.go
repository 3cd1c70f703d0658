package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// Tokenizer files spell the 256 bytes in printable characters: those that are
// printable in Latin-1 stand for themselves, the others are counted up from
// U+0100 in the order of their values (Radford et al. 2019, encoder.py).
var byteToRune = func() (runes [256]rune) {
	next := rune(0x100)
	for b := range runes {
		r := rune(b)
		if printable := b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae; !printable {
			r = next
			next++
		}
		runes[b] = r
	}
	return runes
}()

var runeToByte = func() map[rune]byte {
	bytes := map[rune]byte{}
	for b, r := range byteToRune {
		bytes[r] = byte(b)
	}
	return bytes
}()

// spell writes raw bytes in the characters of tokenizer files.
func spell(raw string) string {
	spelled := make([]byte, 0, 2*len(raw))
	for i := range len(raw) {
		spelled = utf8.AppendRune(spelled, byteToRune[raw[i]])
	}
	return string(spelled)
}

// unspell is the inverse of spell. A character that stands for no byte is an error.
func unspell(spelled string) (string, error) {
	raw := make([]byte, 0, len(spelled))
	for _, r := range spelled {
		b, ok := runeToByte[r]
		if !ok {
			return "", fmt.Errorf("token %q has %q, which stands for no byte", spelled, r)
		}
		raw = append(raw, b)
	}
	return string(raw), nil
}
