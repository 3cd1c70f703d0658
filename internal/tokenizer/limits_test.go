package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/internal/gguf"
	"plumb/internal/hostile"
)

// Work is counted, not timed: twice the text may take little more than twice the steps.
func TestLinear(t *testing.T) {
	tok := trained(t)
	scanners := map[string]scanner{
		"gpt2": gpt2Word, "llama3": llama3Word, "qwen2": qwen2Word, "each number": eachNumber, "numbers": numberRuns,
		"three digits": threeDigits, "punctuation": punctuationRuns, "each punctuation": eachPunctuation,
		"spelled numbers": spelledNumberRuns, "metaspace": metaspaceWord,
		"with previous": literal{" "}.withPrevious, "with next": literal{" "}.withNext, "isolated": literal{" "}.isolated,
	}
	for _, unit := range []string{"a", "th", " ", "\n", " \n", "é", "'", "'s", "1", " the", "\xff", "\u00a0", "\u2003x", "!?", "▁", "▁▁a"} {
		t.Run(fmt.Sprintf("%q", unit), func(t *testing.T) {
			for name, scan := range scanners {
				work := func(n int) int {
					text := strings.Repeat(unit, n)
					m := merger{merges: tok.merges}
					w := words{text: text, scan: scan}
					length := 0
					for word := w.next(); word != ""; word = w.next() {
						m.apply(tok.appendSymbols(nil, word))
						length += len(word)
					}
					if length != len(text) {
						t.Errorf("%s: the words have %d of %d bytes", name, length, len(text))
					}
					return w.looks + m.ops
				}
				once, twice := work(5_000), work(10_000)
				if bytes := 10_000 * len(unit); twice > 2*once+once/10+100 || twice > 16*bytes {
					t.Errorf("%s: %d steps for 5,000 repeats, %d for 10,000", name, once, twice)
				}
			}
		})
	}
}

// 100,000 repeats of anything come back, in time that no one waits for.
func TestRepeats(t *testing.T) {
	toks := map[string]*Tokenizer{
		"bytes":      trained(t),
		"characters": parsedModel(t, tinyModel(2, keepSpaceRules...)),
		"unigram":    parsedModel(t, tinyModel(1, keepSpaceRules...)),
		"one word":   parsedModel(t, modelFile(append(tinyPieces(), piece{"a▁a", -1, normalPiece}), 2, keepSpaceRules...)),
	}
	for name, tok := range toks {
		t.Run(name, func(t *testing.T) {
			for _, unit := range []string{"a", "e", " ", "\n", "é", "中", "'", "1", " the", "\u0301", "a ", "he"} {
				text := strings.Repeat(unit, 100_000)
				if back := tok.Decode(tok.Encode(text)); back != text {
					t.Errorf("%d bytes of %q came back as %d", len(text), unit, len(back))
				}
			}
		})
	}
}

// No file of 1 MiB, be it nonsense, takes 64 MiB of memory.
func TestMemory(t *testing.T) {
	const size = 1 << 20
	fill := func(before, unit, after string) []byte {
		return []byte(before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after)
	}
	var vocab, unigramRows strings.Builder
	for i := 0; vocab.Len() < size/2; i++ {
		fmt.Fprintf(&vocab, `"%x":%d,`, i, i)
		fmt.Fprintf(&unigramRows, `["%x",-1],`, i)
	}
	const level = `"pre_tokenizer":{"type":"ByteLevel"},"added_tokens":[{"id":200000,"content":"</s>","special":true}],`
	const fuse = `"decoder":{"type":"Fuse"},"added_tokens":[{"id":200000,"content":"</s>","special":true}],`
	longest := strings.Repeat("é", maxPiece/2)
	inputs := map[string][]byte{
		"dense vocabulary":  []byte(`{` + level + `"model":{"vocab":{` + vocab.String() + `"x":199999},"merges":[]}}`),
		"characters":        []byte(`{` + fuse + `"model":{"vocab":{` + vocab.String() + `"x":199999},"merges":[]}}`),
		"unigram":           []byte(`{` + fuse + `"model":{"type":"Unigram","vocab":[` + unigramRows.String() + `["x",0]]}}`),
		"merges":            fill(`{`+strings.Replace(level, "200000", "1", 1)+`"model":{"vocab":{"a":0,"aa":2},"merges":[`, `"a a",`, `"a a"]}}`),
		"merges of pairs":   fill(`{`+strings.Replace(level, "200000", "1", 1)+`"model":{"vocab":{"a":0,"aa":2},"merges":[`, `["a",""],`, `["",""]]}}`),
		"merges of nothing": fill(`{`+strings.Replace(level, "200000", "1", 1)+`"model":{"vocab":{"a":0,"aa":2},"merges":[`, `[],`, `[]]}}`),
		"rows of nothing":   fill(`{`+fuse+`"model":{"type":"Unigram","vocab":[`, `[],`, `[]]}}`),
		"nesting":           fill(`{"normalizer":`, `{"normalizers":[`, ``),
		"steps":             fill(`{"normalizer":{"type":"Sequence","normalizers":[`, `{},`, `{}]}}`),
		"added tokens":      fill(`{"added_tokens":[`, `{},`, `{}]}`),
		"model":             modelFile([]piece{{"<unk>", 0, unknownPiece}, {longest, 0, normalPiece}}, 2),
		"empty pieces":      fill("", "\x0a\x00", ""),
		"llama2.c":          fill("\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00<unk>", "\x00\x00\x00\x00\x00\x00\x00\x00", ""),
	}
	hostile.Bounded(t, inputs, func(data []byte) error {
		_, err := parseAny(data, nil)
		return err
	})
	tok := parsedModel(t, tinyModel(2, keepSpaceRules...))
	for _, text := range []string{strings.Repeat("中", size/3), strings.Repeat("▁", size/3), strings.Repeat("the ", size/4)} {
		if peak := hostile.Peak(func() { tok.Encode(text) }); peak > hostile.Most {
			t.Errorf("%d MiB to encode 1 MiB of %q", peak>>20, text[:3])
		}
	}
}

// Nor do the files that come in pairs, of 1 MiB each or both together, nor the
// tokenizer that stands in a GGUF file.
func TestMemoryOfPairs(t *testing.T) {
	type pair struct {
		vocab  []byte
		merges string
		config string
	}
	half := func(before string, unit func(i int) string, after string) []byte {
		data := []byte(before)
		for i := 0; len(data) < hostile.Size/2; i++ {
			data = append(data, unit(i)...)
		}
		return append(data, after...)
	}
	entry := func(i int) string { return fmt.Sprintf(`"%x":%d,`, i, i) }
	good := half("{", entry, `"</s>":200000}`)
	hostile.Bounded(t, map[string]pair{
		"entries":         {hostile.FillEach("{", entry, `"</s>":200000}`), "", ""},
		"one entry":       {hostile.Fill("{", `"a":0,`, `"a":0}`), "", ""},
		"huge ids":        {hostile.FillEach("{", func(i int) string { return fmt.Sprintf(`"%x":%d,`, i, 1<<60+i) }, `"</s>":0}`), "", ""},
		"nested":          {hostile.Fill(`{"a":`, "[", ""), "", ""},
		"objects":         {hostile.Fill(`{"a":[`, "{},", "{}]}"), "", ""},
		"empty lines":     {good, strings.Repeat("\n", hostile.Size/2), ""},
		"merges":          {good, strings.Repeat("1 2\n", hostile.Size/8), ""},
		"merges of none":  {good, strings.Repeat(" \n", hostile.Size/4), ""},
		"merges alone":    {[]byte(`{"a":0}`), strings.Repeat(" \n", hostile.Size/2), ""},
		"one long merge":  {[]byte(`{"a":0}`), strings.Repeat("a", hostile.Size/2) + " " + strings.Repeat("a", hostile.Size/2), ""},
		"a nested config": {[]byte(`{"a":0}`), "", string(hostile.Fill(`{"bos_token":`, "[", ""))},
		"a full config":   {[]byte(`{"a":0}`), "", string(hostile.FillEach("{", entry, `"bos_token":"a"}`))},
	}, func(p pair) error {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "vocab.json"), p.vocab, 0o644), os.WriteFile(filepath.Join(dir, "merges.txt"), []byte(p.merges), 0o644)); err != nil {
			t.Fatal(err)
		}
		if p.config != "" {
			if err := os.WriteFile(filepath.Join(dir, configFile), []byte(p.config), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(dir)
		return err
	})
}

func TestMemoryOfGGUF(t *testing.T) {
	texts := func(n int, text func(i int) string) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = text(i)
		}
		return all
	}
	short := func(i int) string { return fmt.Sprintf("%x", i) }
	pairs := func(model string, tokens, merges []string, scores []float32) []byte {
		all := []gguf.Pair{{Key: ggufModel, Value: model}, {Key: ggufPre, Value: "gpt-2"}, {Key: ggufTokens, Value: tokens}}
		if merges != nil {
			all = append(all, gguf.Pair{Key: ggufMerges, Value: merges})
		}
		if scores != nil {
			all = append(all, gguf.Pair{Key: ggufTypes, Value: make([]int32, len(scores))})
			all = append(all, gguf.Pair{Key: ggufScores, Value: scores})
		}
		all = append(all, gguf.Pair{Key: ggufEOS, Value: uint32(1)})
		var data bytes.Buffer
		if err := gguf.Write(&data, all, nil); err != nil {
			t.Fatal(err)
		}
		return data.Bytes()
	}
	hostile.Bounded(t, map[string][]byte{
		"tokens":       pairs("gpt2", texts(80_000, short), []string{}, nil),
		"one token":    pairs("gpt2", texts(110_000, func(int) string { return "a" }), []string{}, nil),
		"empty tokens": pairs("gpt2", texts(130_000, func(int) string { return "" }), []string{}, nil),
		"merges":       pairs("gpt2", []string{"a", "</s>", "aa"}, texts(90_000, func(int) string { return "a a" }), nil),
		"bare merges":  pairs("gpt2", []string{"a", "</s>", "aa"}, texts(110_000, func(int) string { return " " }), nil),
		"pieces":       pairs("llama", texts(50_000, short), nil, make([]float32, 50_000)),
		"long pieces":  pairs("llama", texts(15, func(i int) string { return strings.Repeat(short(i), 60_000/len(short(i))) }), nil, make([]float32, 15)),
	}, func(data []byte) error {
		_, err := parseGGUF(data)
		return err
	})
}

func parseGGUF(data []byte) (*Tokenizer, error) {
	f, err := gguf.Parse("x.gguf", data)
	if err != nil {
		return nil, err
	}
	p, err := partsOfGGUF(f)
	if err != nil {
		return nil, err
	}
	return New(p)
}

// Whatever the metadata of a GGUF file say, they are refused or make a tokenizer.
func FuzzGGUF(f *testing.F) {
	for _, tok := range []*Tokenizer{trained(f), parsedModel(f, tinyModel(2, keepSpaceRules...)), parsedModel(f, tinyModel(1, keepSpaceRules...))} {
		parts, err := tok.Parts()
		if err != nil {
			continue // there is no such kind in GGUF files
		}
		var data bytes.Buffer
		if err := gguf.Write(&data, parts.GGUF(), nil); err != nil {
			f.Fatal(err)
		}
		f.Add(data.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := parseGGUF(data); err == nil {
			tryAll(t, tok)
		}
	})
}
