package tokenizer

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// charsmapRules map a to b, ab to NUL's nothing and é to e: a double array of
// Darts-clone, laid out by hand.
func charsmap(rules map[string]string) []byte {
	results, at := []byte{}, map[string]uint32{}
	for _, from := range slices.Sorted(func(yield func(string) bool) {
		for from := range rules {
			if !yield(from) {
				return
			}
		}
	}) {
		at[from] = uint32(len(results))
		results = append(append(results, rules[from]...), 0)
	}
	units := make([]uint32, 256)
	var place func(prefix string, unit uint32)
	place = func(prefix string, unit uint32) {
		var next []byte
		_, leaf := at[prefix]
		for from := range at {
			if len(from) > len(prefix) && strings.HasPrefix(from, prefix) && !slices.Contains(next, from[len(prefix)]) {
				next = append(next, from[len(prefix)])
			}
		}
		slices.Sort(next)
		base := uint32(len(units))
		units = append(units, make([]uint32, 256)...)
		units[unit] |= (base ^ unit) << 10
		if leaf {
			units[unit] |= 1 << 8
			units[base] = at[prefix] | 1<<31
		}
		for _, b := range next {
			units[base^uint32(b)] |= uint32(b)
			place(prefix+string([]byte{b}), base^uint32(b))
		}
	}
	place("", 0)
	file := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, unit := range units {
		file = binary.LittleEndian.AppendUint32(file, unit)
	}
	return append(file, results...)
}

func charsmapModel() []byte {
	file := modelFile(tinyPieces(), 1)
	return appendBytes(file, 3, appendBytes(nil, 2, charsmap(map[string]string{"Ａ": "a", "Ａ\u0301": "é", "\u3000": " ", "\u200b": "", "①": "1"})))
}

func parsedModel(t testing.TB, data []byte) *Tokenizer {
	t.Helper()
	tok, err := parseSentencePiece(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// SentencePiece's rules for spaces and characters.
func TestSentencePieceRules(t *testing.T) {
	mapped := charsmap(map[string]string{"Ａ": "a", "Ａ\u0301": "é", "\u3000": " ", "\u200b": "", "①": "1"})
	all := spmRules{dummyPrefix: true, trimSpaces: true, escapeSpaces: true, charsmap: mapped}
	keep := spmRules{dummyPrefix: true, escapeSpaces: true}
	bare := spmRules{escapeSpaces: true}
	tests := []struct {
		rules      spmRules
		text, want string
	}{
		{all, "", ""},
		{all, "   ", ""},
		{all, "  a  b  ", "▁a▁b"},
		{all, "\u3000Ａ\u3000 \u3000ＡＡ\u0301\u0301", "▁a▁aé\u0301"},
		{all, "\u200ba\u200b①", "▁a1"},
		{all, "a\xffb", "▁a\ufffdb"},
		{keep, "", ""},
		{keep, "   ", "▁▁▁▁"},
		{keep, " a  b ", "▁▁a▁▁b▁"},
		{keep, "\u3000Ａ", "▁\u3000Ａ"},
		{bare, " a", "▁a"},
		{bare, "a\xe4\xb8", "a\ufffd\ufffd"},
	}
	for _, test := range tests {
		if err := test.rules.readCharsmap(); err != nil {
			t.Fatal(err)
		}
		if got := test.rules.normalize(test.text); got != test.want {
			t.Errorf("%+v: %q became %q, want %q", test.rules.trimSpaces, test.text, got, test.want)
		}
	}
}

// A model that puts spaces in order does so too after a detour through JSON.
func TestTrimmingModelAsJSON(t *testing.T) {
	for _, model := range []uint64{1, 2} {
		tok := parsedModel(t, tinyModel(model))
		again := reload(t, tok)
		for _, text := range []string{"", " ", "  the   inn ", "a  b", "\n t"} {
			if a, b := tok.Encode(text), again.Encode(text); !slices.Equal(a, b) {
				t.Errorf("model %d: %q became %v, and from JSON %v", model, text, a, b)
			}
		}
	}
}

// The best cut by trying all.
func TestUnigramAgainstAllCuts(t *testing.T) {
	pieces := []piece{{"<unk>", 0, unknownPiece}, {"<s>", 0, controlPiece}, {"</s>", 0, controlPiece}}
	for i, text := range []string{"▁", "a", "b", "c", "ab", "bc", "abc", "▁a", "ca", "cab", "bb"} {
		pieces = append(pieces, piece{text, -1 - float32(i*i%7)/3, normalPiece})
	}
	tok := parsedModel(t, modelFile(pieces, 1, keepSpaceRules...))
	var best func(text string) float64
	best = func(text string) float64 {
		if text == "" {
			return 0
		}
		top := -1e9
		for _, p := range pieces[3:] {
			if strings.HasPrefix(text, p.text) {
				top = max(top, float64(p.score)+best(text[len(p.text):]))
			}
		}
		return top
	}
	for _, text := range []string{"a", "abc", "cabbc", "abcabcab", "bbbb a", "ccab bca"} {
		sum := 0.0
		for _, id := range tok.Encode(text) {
			sum += float64(pieces[id].score)
		}
		if want := best("▁" + strings.ReplaceAll(text, " ", "▁")); sum < want-1e-5 || tok.Decode(tok.Encode(text)) != text {
			t.Errorf("%q: %v has %v, want %v", text, tok.Encode(text), sum, want)
		}
	}
	if got := tok.Encode("a中文b"); !slices.Equal(got, []int32{10, 0, 5}) {
		t.Errorf("two unknown characters became %v, want one id between", got)
	}
}

// Symbols of every kind.
func TestSentencePieceKinds(t *testing.T) {
	pieces := append(tinyPieces(), piece{"\n\n", 0, userPiece}, piece{"st", 50, unusedPiece}, piece{"stg", 40, normalPiece})
	user, through := int32(len(pieces)-3), int32(len(pieces)-1)
	tok := parsedModel(t, modelFile(pieces, 2, keepSpaceRules...))
	id := func(text string) int32 {
		return int32(slices.IndexFunc(pieces, func(p piece) bool { return p.text == text }))
	}
	tests := []struct {
		text string
		ids  []int32
	}{
		{"a\n\n\n", []int32{id("▁a"), user, id("<0x0A>")}},
		{"</s>", []int32{id("▁"), id("<0x3C>"), id("<0x2F>"), id("s"), id("<0x3E>")}},
		{"<0x41>", append([]int32{id("▁")}, byteIDs("<0x41>", pieces)...)},
		{"中é", []int32{id("▁"), id("中"), id("é")}},
		{"ñ", []int32{id("▁"), id("<0xC3>"), id("<0xB1>")}},
		{"stg", []int32{id("▁"), through}}, // through the unused one
		{"st", []int32{id("▁"), id("s"), id("t")}},
	}
	for _, test := range tests {
		if got := tok.Encode(test.text); !slices.Equal(got, test.ids) {
			t.Errorf("%q became %v, want %v", test.text, got, test.ids)
		}
		if back := tok.Decode(tok.Encode(test.text)); back != test.text {
			t.Errorf("%q came back as %q", test.text, back)
		}
	}
	if got := tok.EncodeSpecial("<s>a</s>"); !slices.Equal(got, []int32{1, id("▁a"), 2}) {
		t.Errorf("with special tokens: %v", got)
	}
}

func byteIDs(text string, pieces []piece) []int32 {
	var ids []int32
	for _, r := range text {
		at := slices.IndexFunc(pieces, func(p piece) bool { return p.text == string(r) })
		if at < 0 {
			at = 3 + int(r)
		}
		ids = append(ids, int32(at))
	}
	return ids
}

func TestRefusedModels(t *testing.T) {
	good := tinyPieces()
	with := func(p piece) []piece { return append(slices.Clone(good), p) }
	tests := []struct {
		name, want string
		file       []byte
	}{
		{"words", `"word" (3)`, modelFile(good, 3)},
		{"another type", `(9)`, modelFile(good, 9)},
		{"no pieces", "no pieces", modelFile(nil, 2)},
		{"empty piece", "it is empty", modelFile(with(piece{"", 0, normalPiece}), 2)},
		{"piece twice", `"he" has ids`, modelFile(with(piece{"he", 0, normalPiece}), 2)},
		{"byte twice", `"<0x41>" has ids`, modelFile(with(piece{"<0x41>", 0, bytePiece}), 2)},
		{"no byte", "names no byte", modelFile(with(piece{"<0xZZ>", 0, bytePiece}), 2)},
		{"some bytes", "256 bytes", modelFile(slices.Delete(slices.Clone(good), 40, 41), 2)},
		{"two unknowns", "both the unknown", modelFile(with(piece{"<u>", 0, unknownPiece}), 2)},
		{"neither", "neither an unknown", modelFile(good[259:], 2)},
		{"type", "has type 7", modelFile(with(piece{"q", 0, 7}), 2)},
		{"score", "has score", modelFile(with(piece{"q", nan(), normalPiece}), 2)},
		{"long piece", "600 bytes", modelFile(with(piece{strings.Repeat("q", 600), 0, normalPiece}), 2)},
		{"suffix", "treat_whitespace_as_suffix", appendBytes(tinyModel(2), 2, appendNumber(nil, 24, 1))},
		{"escape", "escape_whitespaces", tinyModel(2, [2]uint64{5, 0})},
		{"charsmap", "charsmap is damaged", appendBytes(tinyModel(2), 3, appendBytes(nil, 2, []byte("\xff\xff\xff\x7f")))},
		{"denormalizer", "denormalizer", appendBytes(tinyModel(2), 5, appendBytes(nil, 2, []byte("x")))},
		{"wire type", "wire type", appendNumber(tinyModel(2), 1, 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parseSentencePiece(test.file, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func nan() float32 {
	zero := float32(0)
	return zero / zero
}
