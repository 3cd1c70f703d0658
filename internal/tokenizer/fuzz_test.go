package tokenizer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// tinyPieces are a SentencePiece vocabulary of characters, bytes and a few words.
func tinyPieces() []piece {
	pieces := []piece{{"<unk>", 0, unknownPiece}, {"<s>", 0, controlPiece}, {"</s>", 0, controlPiece}}
	for b := range 256 {
		pieces = append(pieces, piece{fallbackByte(byte(b)), 0, bytePiece})
	}
	for i, text := range []string{"▁t", "he", "▁the", "er", "in", "▁a", "▁▁", "▁▁▁▁", "ing", "▁", "e", "t", "a", "o", "n", "i", "h", "s", "r", "g", "中", "é"} {
		pieces = append(pieces, piece{text, -float32(i), normalPiece})
	}
	return pieces
}

// modelFile writes a SentencePiece model; model is its type, rules fields of its
// normalizer.
func modelFile(pieces []piece, model uint64, rules ...[2]uint64) []byte {
	var file []byte
	for _, p := range pieces {
		message := appendBytes(nil, 1, []byte(p.text))
		message = binary.LittleEndian.AppendUint32(append(message, 2<<3|wire32), math.Float32bits(p.score))
		message = appendNumber(message, 3, uint64(p.kind))
		file = appendBytes(file, 1, message)
	}
	file = appendBytes(file, 2, appendNumber(nil, 3, model))
	var spec []byte
	for _, rule := range rules {
		spec = appendNumber(spec, rule[0], rule[1])
	}
	return appendBytes(file, 3, spec)
}

func appendNumber(dst []byte, field, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, field<<3|wireVarint), value)
}

func appendBytes(dst []byte, field uint64, data []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, field<<3|wireBytes), uint64(len(data)))
	return append(dst, data...)
}

var keepSpaceRules = [][2]uint64{{3, 1}, {4, 0}}

func tinyModel(model uint64, rules ...[2]uint64) []byte {
	return modelFile(tinyPieces(), model, rules...)
}

// llama2cFile writes pieces as llama2.c does.
func llama2cFile(pieces []piece) []byte {
	longest, body := 0, []byte{}
	for _, p := range pieces {
		text := strings.ReplaceAll(p.text, metaspace, " ")
		if p.kind == controlPiece {
			text = "\n" + text + "\n"
		}
		longest = max(longest, len(text))
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(p.score))
		body = binary.LittleEndian.AppendUint32(body, uint32(len(text)))
		body = append(body, text...)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(longest)), body...)
}

// tinyJSONs are small files that use what larger ones use.
func tinyJSONs(t testing.TB) [][]byte {
	const added = `"added_tokens":[{"id":3,"content":"</s>","special":true},{"id":4,"content":"ab","lstrip":true,"rstrip":true,"single_word":true,"normalized":true}]`
	spm, err := parseSentencePiece(tinyModel(2, keepSpaceRules...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{
		trained(t).JSON(),
		Bytes().JSON(),
		spm.JSON(),
		[]byte(`{"model":{"vocab":{"a":0},"merges":[["a","b"]]},"pre_tokenizer":{"type":"ByteLevel"}}`),
		[]byte(`{` + added + `,"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"StripAccents"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},` +
			`"pre_tokenizer":null,"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],"special_tokens":{"</s>":{"ids":[3]}}}]},` +
			`"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},` +
			`"model":{"type":"BPE","unk_token":"?","fuse_unk":true,"byte_fallback":true,"vocab":{"a":0,"b":1,"▁":2,"▁a":5,"?":6,"<0x41>":7},"merges":["▁ a"]}}`),
		[]byte(`{` + added + `,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},"decoder":{"type":"Metaspace","replacement":"▁"},` +
			`"model":{"type":"Unigram","unk_id":0,"vocab":[["?",0],["a",-1],["▁",-2.5]]}}`),
		[]byte(`{` + added + `,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious"},{"type":"Punctuation","behavior":"Contiguous"},{"type":"ByteLevel","add_prefix_space":true},{"type":"Digits"},{"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated"}]},` +
			`"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","ignore_merges":true,"vocab":{"a":0,"b":1,"Ġ":2},"merges":[]}}`),
	}
}

// tryAll encodes and decodes with a tokenizer of unknown origin.
func tryAll(t *testing.T, tok *Tokenizer) {
	const text = sample + "\n ab ▁ 123 é中\xff </s>"
	for _, ids := range [][]int32{tok.Encode(text), tok.EncodeSpecial(text), tok.Encode("")} {
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Vocab() {
				t.Fatalf("id %d of a vocabulary of %d", id, tok.Vocab())
			}
		}
		stream, streamed := tok.Stream(nil), ""
		for _, id := range ids {
			streamed += stream.Add(id)
		}
		if whole := tok.Decode(ids); streamed+stream.Rest() != whole {
			t.Fatalf("streamed %q, decoded %q", streamed, whole)
		}
	}
	if end := tok.EndOfText(); end < 0 || int(end) >= tok.Vocab() {
		t.Fatalf("end of text %d of a vocabulary of %d", end, tok.Vocab())
	}
	if tok.Vocab() > maxVocab {
		t.Fatalf("vocabulary of %d", tok.Vocab())
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range tinyJSONs(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(tok.JSON())
		if err != nil || !bytes.Equal(again.JSON(), tok.JSON()) {
			t.Fatalf("loaded, but not after saving: %v", err)
		}
		if back := tok.Decode(tok.Encode(sample)); tok.isPlain() && back != sample && !slices.Contains(tok.byteID[:], none) {
			t.Errorf("text came back as %q", back)
		}
		tryAll(t, tok)
	})
}

func FuzzSentencePiece(f *testing.F) {
	f.Add(tinyModel(1))
	f.Add(tinyModel(2, keepSpaceRules...))
	pieces := append(tinyPieces(), piece{"\n\n", 0, userPiece}, piece{"▁the▁", -1, unusedPiece})
	f.Add(modelFile(pieces, 2))
	f.Add(modelFile(pieces, 1, [2]uint64{3, 0}))
	f.Add(modelFile(slices.Concat(pieces[:3], pieces[259:]), 1))
	f.Add(charsmapModel())
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := parseSentencePiece(data, nil); err == nil {
			tryAll(t, tok)
			tok.Hash()
			if parts, err := tok.Parts(); err == nil {
				if _, err := New(parts); err != nil {
					t.Fatalf("read, but not as parts: %v", err)
				}
			}
		}
	})
}

func FuzzLlama2c(f *testing.F) {
	f.Add(llama2cFile(tinyPieces()))
	f.Add(llama2cFile(tinyPieces()[:259]))
	f.Fuzz(func(t *testing.T, data []byte) {
		if tok, err := parseLlama2c(data); err == nil {
			tryAll(t, tok)
		}
	})
}

func FuzzVocabAndMerges(f *testing.F) {
	vocab, merges := tinyPair(f)
	f.Add(vocab, merges, []byte(`{"eos_token":"<|endoftext|>","add_prefix_space":true}`))
	f.Add(vocab, merges, []byte(`{"bos_token":{"content":"th"},"eos_token":null,"add_bos_token":true,"tokenizer_class":"LlamaTokenizer"}`))
	f.Add([]byte(`{"a":0,"</s>":1}`), "#version: 0.2\na a\n", []byte(`{}`))
	f.Fuzz(func(t *testing.T, vocabFile []byte, mergesFile string, configFile []byte) {
		var vocab vocabulary
		var config configJSON
		if json.Unmarshal(vocabFile, &vocab) != nil || json.Unmarshal(configFile, &config) != nil {
			return
		}
		merges, err := parseMerges(mergesFile)
		if err != nil {
			return
		}
		if tok, err := parsePair(vocab, merges, &config); err == nil {
			tryAll(t, tok)
			if _, err := Parse(tok.JSON()); err != nil {
				t.Fatalf("loaded, but not after saving: %v", err)
			}
		}
	})
}

// tinyPair returns the trained tokenizer as vocab.json and merges.txt.
func tinyPair(t testing.TB) ([]byte, string) {
	var file struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []string
		}
	}
	if err := json.Unmarshal(trained(t).JSON(), &file); err != nil {
		t.Fatal(err)
	}
	return file.Model.Vocab, "#version: 0.2\n" + strings.Join(file.Model.Merges, "\n") + "\n"
}

func FuzzRoundTrip(f *testing.F) {
	tok := trained(f)
	spm, err := parseSentencePiece(tinyModel(2, keepSpaceRules...), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add(" \n\n 's <|endoftext|>\x00\xff é½")
	f.Add("  the  ▁the\t中\xe4\xb8 </s><0x41>")
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text)
		if back := tok.Decode(ids); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
		if slices.Contains(ids, tok.EndOfText()) {
			t.Errorf("%q has the end of text", text)
		}
		if !slices.Equal(ids, tok.Append([]int32{}, text)) {
			t.Errorf("%q: the second encoding differs", text)
		}
		want := strings.ReplaceAll(string([]rune(text)), metaspace, " ")
		if back := spm.Decode(spm.Encode(text)); back != want || !utf8.ValidString(back) {
			t.Errorf("%q came back from characters as %q", text, back)
		}
	})
}

// What is cut anywhere is refused in one line.
func TestEveryTruncation(t *testing.T) {
	any := func(data []byte) error {
		_, err := parseAny(data, nil)
		return err
	}
	longest := piece{"the longest of all", -99, normalPiece}
	files := []struct {
		name string
		data []byte
		read func(data []byte) error
	}{
		{"tokenizer.json", tinyJSONs(t)[4], any},
		{"tokenizer.model", tinyModel(2, keepSpaceRules...), any},
		{"tok512.bin", llama2cFile(append(tinyPieces(), longest)), any},
		{"vocab.json", []byte(`{"a": 0, "b": 1, "ab": 2, "</s>": 3}`), readPair},
	}
	for _, file := range files {
		t.Run(file.name, func(t *testing.T) {
			if err := file.read(file.data); err != nil {
				t.Fatal(err)
			}
			for n := range file.data {
				if err := file.read(file.data[:n]); err == nil || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%d of %d bytes: %v", n, len(file.data), err)
				}
			}
		})
	}
}

// Merges whose end is cut off, by whole lines, are told by the tokens that nothing
// makes any more. A few of those may be names that a vocabulary reserves.
func TestCutMerges(t *testing.T) {
	vocab, merges := vocabulary{"</s>": 0, "<reserved>": 1}, mergeList{}
	for c := 'a'; c <= 'z'; c++ {
		vocab[string(c)] = int64(len(vocab))
	}
	for left := 'a'; left < 'e'; left++ {
		for right := 'a'; right <= 'z'; right++ {
			merges = append(merges, [2]string{string(left), string(right)})
			vocab[string(left)+string(right)] = int64(len(vocab))
		}
	}
	if _, err := parsePair(vocab, merges, nil); err != nil {
		t.Fatal(err)
	}
	want := "the merges make 100 of 105 tokens of more than one letter"
	if _, err := parsePair(vocab, merges[:100], nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want something about %q", err, want)
	}
}

func readPair(vocabFile []byte) error {
	var vocab vocabulary
	if err := json.Unmarshal(vocabFile, &vocab); err != nil {
		return err
	}
	_, err := parsePair(vocab, mergeList{{"a", "b"}}, nil)
	return err
}
