package tokenizer

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
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
	const level = `"pre_tokenizer":{"type":"ByteLevel"},"added_tokens":[{"id":1000000,"content":"</s>","special":true}],`
	const fuse = `"decoder":{"type":"Fuse"},"added_tokens":[{"id":1000000,"content":"</s>","special":true}],`
	longest := strings.Repeat("é", maxPiece/2)
	inputs := map[string][]byte{
		"dense vocabulary":  []byte(`{` + level + `"model":{"vocab":{` + vocab.String() + `"x":999999},"merges":[]}}`),
		"characters":        []byte(`{` + fuse + `"model":{"vocab":{` + vocab.String() + `"x":999999},"merges":[]}}`),
		"unigram":           []byte(`{` + fuse + `"model":{"type":"Unigram","vocab":[` + unigramRows.String() + `["x",0]]}}`),
		"merges":            fill(`{`+level+`"model":{"vocab":{"a":0},"merges":[`, `"a a",`, `"a a"]}}`),
		"merges of pairs":   fill(`{`+level+`"model":{"vocab":{"a":0},"merges":[`, `["a",""],`, `["",""]]}}`),
		"merges of nothing": fill(`{`+level+`"model":{"vocab":{"a":0},"merges":[`, `[],`, `[]]}}`),
		"rows of nothing":   fill(`{`+fuse+`"model":{"type":"Unigram","vocab":[`, `[],`, `[]]}}`),
		"nesting":           fill(`{"normalizer":`, `{"normalizers":[`, ``),
		"steps":             fill(`{"normalizer":{"type":"Sequence","normalizers":[`, `{},`, `{}]}}`),
		"added tokens":      fill(`{"added_tokens":[`, `{},`, `{}]}`),
		"model":             modelFile([]piece{{"<unk>", 0, unknownPiece}, {longest, 0, normalPiece}}, 2),
		"empty pieces":      fill("", "\x0a\x00", ""),
		"llama2.c":          fill("\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00<unk>", "\x00\x00\x00\x00\x00\x00\x00\x00", ""),
	}
	for name, data := range inputs {
		t.Run(name, func(t *testing.T) {
			if peak := peakMemory(func() { parseAny(data, nil) }); peak > 64<<20 {
				t.Errorf("%d MiB for %d bytes", peak>>20, len(data))
			}
		})
	}
	tok := parsedModel(t, tinyModel(2, keepSpaceRules...))
	for _, text := range []string{strings.Repeat("中", size/3), strings.Repeat("▁", size/3), strings.Repeat("the ", size/4)} {
		if peak := peakMemory(func() { tok.Encode(text) }); peak > 64<<20 {
			t.Errorf("%d MiB to encode 1 MiB of %q", peak>>20, text[:3])
		}
	}
}

// peakMemory returns how many bytes more of the heap were in use at any time,
// looked at every millisecond.
func peakMemory(run func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before, peak := heap(), uint64(0)
	done, looked := make(chan bool), make(chan bool)
	go func() {
		defer close(looked)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				peak = max(peak, heap())
			}
		}
	}()
	run()
	close(done)
	<-looked
	return max(peak, before) - before
}
