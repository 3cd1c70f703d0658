package tokenizer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"plumb/internal/golden"
)

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func loadGPT2(t testing.TB) *Tokenizer {
	t.Helper()
	return load(t, golden.Shared(t, "tokenizers", "gpt2", "vocab.json"))
}

func TestGPT2Layout(t *testing.T) {
	tok := loadGPT2(t)
	if tok.Vocab() != 50257 || tok.EndOfText() != 50256 || tok.Token(50256) != "<|endoftext|>" {
		t.Errorf("vocabulary of %d, end of text %d %q", tok.Vocab(), tok.EndOfText(), tok.Token(tok.EndOfText()))
	}
	again, err := Parse(tok.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != tok.Hash() {
		t.Error("saved and loaded, the hash differs")
	}
}

// Two merges of equal rank: the left one comes first.
func TestLeftmostFirst(t *testing.T) {
	tok := loadGPT2(t)
	got := make([]string, 0, 2)
	for _, id := range tok.Encode("33333") {
		got = append(got, tok.Token(id))
	}
	if !slices.Equal(got, []string{"33", "333"}) {
		t.Errorf("33333 became %q", got)
	}
}

// scan and heap are two ways to the same symbols.
func TestScanAndQueueAgree(t *testing.T) {
	tok := trained(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		word := make([]byte, 1+random.IntN(scanLimit))
		for i := range word {
			word[i] = "aabehlnorst"[random.IntN(11)]
		}
		symbols := func() []int32 {
			s := make([]int32, len(word))
			for i, b := range word {
				s[i] = tok.byteID[b]
			}
			return s
		}
		scan, queue := merger{merges: tok.merges}, merger{merges: tok.merges}
		if a, b := scan.scan(symbols()), queue.queue(symbols()); !slices.Equal(a, b) {
			t.Fatalf("%q: scan %v, queue %v", word, a, b)
		}
	}
}

// The scanner against the pattern itself, which Go can match once the
// look-ahead is done by hand.
func TestWordsFollowThePattern(t *testing.T) {
	pattern := regexp.MustCompile(`^(?:'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^` + spaces + `\p{L}\p{N}]+)`)
	run := regexp.MustCompile(`^[` + spaces + `]+`)
	next := func(text string) string {
		if m := pattern.FindString(text); m != "" {
			return m
		}
		m := run.FindString(text)
		if len(m) == len(text) || utf8.RuneCountInString(m) == 1 {
			return m
		}
		_, last := utf8.DecodeLastRuneInString(m)
		return m[:len(m)-last]
	}
	pieces := []string{" ", "  ", "\n", "\t", "\u00a0", "\u0085", "\u2028", "\u3000", "\u180e", "\x1c", "\u200b", "'", "s", "t", "re", "ll", "LL", "d", "é", "e\u0301", "ſ", "中", "1", "½", "²", "Ⅷ", "٣", "_", "\u007f", "\ufeff", "🚀", "-", "."}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var text strings.Builder
		for range random.IntN(12) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		rest := text.String()
		w := words{text: rest, scan: gpt2Word}
		for rest != "" {
			want, got := next(rest), w.next()
			if got != want {
				t.Fatalf("%q: %q of %q, want %q", text.String(), got, rest, want)
			}
			rest = rest[len(want):]
		}
		if w.next() != "" {
			t.Fatalf("%q: words after the end", text.String())
		}
	}
}

// spaces is the Unicode property White_Space, which is what \s means in the pattern.
var spaces = func() string {
	var set strings.Builder
	for r := range rune(unicode.MaxRune) {
		if unicode.Is(unicode.White_Space, r) {
			fmt.Fprintf(&set, `\x{%x}`, r)
		}
	}
	return set.String()
}()

const sample = `The rain had stopped before the others came down to the shore. "There," said
the oldest of them, "there's the boat; and where is the other one?" They're all looking
at the water, the stones, the other shore; and then they went on with the rest of the
things that they had brought there, 12 of these and 120 of those. It's not what we've
said, isn't it? The rest of the others were there with them, resting on the stones.`

var trainOnce = sync.OnceValues(func() (*Tokenizer, error) {
	return Train(slices.Values([]string{sample, sample}), 330)
})

func trained(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := trainOnce()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTrainGolden(t *testing.T) {
	golden.Check(t, "testdata/trained.json", trained(t).JSON())
}

// testdata/official holds what the official library (tokenizers, npm) learns
// from the text beside it; see the README there.
func TestTrainAsOfficialLibrary(t *testing.T) {
	text, err := os.ReadFile("testdata/official/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/official/merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines := strings.SplitAfter(string(text), "\n") // the library trains line by line
	tok, err := Train(slices.Values(lines), 257+len(want))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range want {
		left, right := tok.order[i].ids()
		if got := spell(tok.tokens[left]) + " " + spell(tok.tokens[right]); got != line {
			t.Fatalf("merge %d is %q, want %q", i, got, line)
		}
	}
}

func TestTrainIgnoresOrderOfTexts(t *testing.T) {
	lines := strings.SplitAfter(strings.Repeat(sample, 2), "\n")
	first, err := Train(slices.Values(lines), 300)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(lines)
	second, err := Train(slices.Values(lines), 300)
	if err != nil {
		t.Fatal(err)
	}
	if first.Hash() != second.Hash() {
		t.Error("the order of the texts changed the vocabulary")
	}
}

func TestTrainRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		vocab      int
		want       string
	}{
		{"fewer than the bytes", sample, 256, "from 257"},
		{"huge", sample, 1 << 30, "from 257"},
		{"more than the text has", "abababab", 300, "ask for at most 259"},
		{"no text", "", 258, "ask for at most 257"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Train(slices.Values([]string{test.text}), test.vocab)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A plain trainer: count all pairs anew for every merge.
func TestTrainAgainstPlainCounting(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 30 {
		var text strings.Builder
		for range 200 {
			for range 1 + random.IntN(7) {
				text.WriteByte("aab"[random.IntN(3)])
			}
			text.WriteByte(' ')
		}
		tok, err := Train(slices.Values([]string{text.String()}), 277)
		if err != nil {
			t.Fatal(err)
		}
		if want := plainMerges(tok, text.String()); !reflect.DeepEqual(tok.order, want) {
			t.Fatalf("round %d: merges %v, want %v", round, tok.order, want)
		}
	}
}

func plainMerges(tok *Tokenizer, text string) []pair {
	var list [][]int32
	w := words{text: text, scan: gpt2Word}
	for word := w.next(); word != ""; word = w.next() {
		var symbols []int32
		for i := range len(word) {
			symbols = append(symbols, tok.byteID[word[i]])
		}
		list = append(list, symbols)
	}
	ids := map[string]int32{}
	for id := 1; id < tok.Vocab(); id++ {
		ids[tok.tokens[id]] = int32(id)
	}
	var order []pair
	for range len(tok.order) {
		counts := map[pair]int{}
		for _, symbols := range list {
			for i := range len(symbols) - 1 {
				// of aaa the second pair overlaps the first and still counts
				counts[makePair(symbols[i], symbols[i+1])]++
			}
		}
		var best pair
		for p, n := range counts {
			if n > counts[best] || n == counts[best] && p < best {
				best = p
			}
		}
		order = append(order, best)
		left, right := best.ids()
		for i, symbols := range list {
			var merged []int32
			for j := 0; j < len(symbols); j++ {
				if j+1 < len(symbols) && symbols[j] == left && symbols[j+1] == right {
					merged = append(merged, ids[tok.tokens[left]+tok.tokens[right]])
					j++
				} else {
					merged = append(merged, symbols[j])
				}
			}
			list[i] = merged
		}
	}
	return order
}

func TestBytes(t *testing.T) {
	tok := Bytes()
	text := "a\x00é\xff"
	if got := tok.Encode(text); !slices.Equal(got, []int32{'a', 0, 0xc3, 0xa9, 0xff}) {
		t.Errorf("ids %v", got)
	}
	if tok.Vocab() != 256 || tok.EndOfText() != 0 {
		t.Errorf("vocabulary of %d, end of text %d", tok.Vocab(), tok.EndOfText())
	}
}

func TestSaveAndLoad(t *testing.T) {
	for name, tok := range map[string]*Tokenizer{"bytes": Bytes(), "trained": trained(t)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{dir, filepath.Join(dir, "tokenizer.json")} {
				again, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				if again.Hash() != tok.Hash() || again.EndOfText() != tok.EndOfText() || !slices.Equal(again.Encode(sample), tok.Encode(sample)) {
					t.Error("the loaded tokenizer differs")
				}
			}
		})
	}
}

// Both forms of the folder's tokenizer give the same ids.
func TestTinyRandomGPT2(t *testing.T) {
	folder := golden.Shared(t, "models", "tiny-random-gpt2")
	one, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	two, err := loadPair(folder)
	if err != nil {
		t.Fatal(err)
	}
	if one.Hash() != two.Hash() || !slices.Equal(one.Encode(sample), two.Encode(sample)) {
		t.Error("tokenizer.json and vocab.json with merges.txt differ")
	}
}

func TestSpecialsAreText(t *testing.T) {
	tok := trained(t)
	text := "a<|endoftext|>b"
	ids := tok.Encode(text)
	if slices.Contains(ids, tok.EndOfText()) {
		t.Error("text became the end of text")
	}
	if tok.Decode(ids) != text {
		t.Errorf("decoded %q", tok.Decode(ids))
	}
	if got := tok.Decode([]int32{tok.EndOfText(), -1, 1 << 20}); got != "<|endoftext|>\ufffd\ufffd" {
		t.Errorf("decoded %q", got)
	}
	if tok.Token(-1) != "" || tok.Token(1<<20) != "" {
		t.Error("an id outside the vocabulary has a token")
	}
}

func TestRefusedFiles(t *testing.T) {
	good := string(trained(t).JSON())
	const level = `"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`
	tests := []struct{ name, old, new, want string }{
		{"normalizer", `"normalizer": null`, `"normalizer": {"type": "Nmt"}`, `normalizer "Nmt"`},
		{"normalizer in a sequence", `"normalizer": null`, `"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled"}]}`, `normalizer "Precompiled"`},
		{"replace by pattern", `"normalizer": null`, `"normalizer": {"type": "Replace", "pattern": {"Regex": "[ab]"}, "content": " "}`, `pattern "[ab]"`},
		{"replace that grows", `"normalizer": null`, `"normalizer": {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "bbbbbbbbb"}, {"type": "Replace", "pattern": {"String": "b"}, "content": "aaaaaaaaa"}]}`, "times as long"},
		{"nested", `"normalizer": null`, `"normalizer": ` + strings.Repeat(`{"type": "Sequence", "normalizers": [`, 9) + strings.Repeat(`]}`, 9), "nested"},
		{"pre-tokenizer", level, `"pre_tokenizer": {"type": "BertPreTokenizer"}`, `pre-tokenizer "BertPreTokenizer"`},
		{"no pre-tokenizer", level, `"pre_tokenizer": null`, "does not fit"},
		{"behavior", level, `"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"String": " "}, "behavior": "Removed"}, {"type": "ByteLevel"}]}`, `behavior "Removed"`},
		{"after ByteLevel", level, `"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Punctuation"}]}`, `"Punctuation" after ByteLevel`},
		{"pattern", level, `"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\d+"}}, {"type": "ByteLevel"}]}`, `word pattern "\\d+"`},
		{"post-processor", `"post_processor": null`, `"post_processor": {"type": "BertProcessing"}`, `post-processor "BertProcessing"`},
		{"decoder", `"decoder": {"type": "ByteLevel"`, `"decoder": {"type": "WordPiece"`, `decoder "WordPiece"`},
		{"model", `"type": "BPE"`, `"type": "WordPiece"`, `model "WordPiece"`},
		{"dropout", `"dropout": null`, `"dropout": 0.1`, "dropout 0.1"},
		{"suffix", `"end_of_word_suffix": ""`, `"end_of_word_suffix": "</w>"`, `</w>`},
		{"byte fallback for a missing byte", `"byte_fallback": false`, `"byte_fallback": true`, "byte_fallback"},
		{"no special token", `"special": true`, `"special": false`, "no special token ends a text"},
		{"template of two", `"post_processor": null`, `"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}]}`, `token "x" stands for 0 ids`},
		{"template of a stranger", `"post_processor": null`, `"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}], "special_tokens": {"x": {"ids": [4000]}}}`, "not in the vocabulary"},
		{"long added token", `"added_tokens": [`, `"added_tokens": [{"id": 400, "content": "` + strings.Repeat("x", 600) + `"},`, "600 bytes"},
		{"added id", `[
    {"id": 0`, `[
    {"id": 9`, "has id 9, but 0 in the vocabulary"},
		{"huge id", `"!": 1,`, `"!": 1099511627776,`, "ids are from 0 to"},
		{"negative id", `"!": 1,`, `"!": -1,`, "ids are from 0 to"},
		{"fraction", `"!": 1,`, `"!": 1.5,`, `token "!"`},
		{"null id", `"!": 1,`, `"!": null,`, `token "!" has no id`},
		{"id twice", `"!": 1,`, `"!": 2,`, "both have id 2"},
		{"token twice", `"!": 1,`, `"!": 1, "!": 1,`, "twice"},
		{"unknown token for a missing byte", `"unk_token": null`, `"unk_token": "!"`, `unk_token "!"`},
		{"merge of strangers", `"merges": [`, `"merges": ["qq z",`, `"qq" is not in the vocabulary`},
		{"merge into a stranger", `"merges": [`, `"merges": ["! z",`, `"!z" is not in the vocabulary`},
		{"merge of three", `"merges": [`, `"merges": ["a b c",`, "3 parts"},
		{"merges of numbers", `"merges": [`, `"merges": [1,`, "merges are neither"},
		{"no such byte", `"!": 1,`, `"!": 1, "中": 400,`, "stands for no byte"},
		{"no end of text", `"content": "<|endoftext|>"`, `"content": "<|stop|>"`, "both have id 0"},
		{"cut", `"merges"`, ``, "no tokenizer.json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := strings.Replace(good, test.old, test.new, 1)
			if strings.Contains(test.name, "a missing byte") {
				bad = strings.Replace(bad, `"Z": 58,`, ``, 1)
			}
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(bad))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestRefusedFolders(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "neither tokenizer.json nor") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "absent")); err == nil {
		t.Error("absent folder loads")
	}
	for name, content := range map[string]string{"vocab.json": `{"a":0}`, "merges.txt": "#version: 0.2\nab\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), `merges.txt:2: "ab" is no pair`) {
		t.Errorf("bad merges: %v", err)
	}
}

// A byte without a token is left out, as the official library leaves it out.
func TestMissingByte(t *testing.T) {
	tok, err := Parse([]byte(strings.Replace(string(trained(t).JSON()), `"Z": 58,`, ``, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"Z": "", "aZb Z": "ab ", strings.Repeat("Za", 200): strings.Repeat("a", 200)} {
		if got := tok.Decode(tok.Encode(text)); got != want {
			t.Errorf("%q came back as %q, want %q", text, got, want)
		}
	}
}

// ignore_merges: a word that is a token is that token, whatever its merges give.
func TestIgnoreMerges(t *testing.T) {
	file := strings.Replace(string(trained(t).JSON()), `"ignore_merges": false`, `"ignore_merges": true`, 1)
	file = strings.Replace(file, `"vocab": {`, `"vocab": {"zqz": 330,`, 1)
	tok, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode("zqz"); !slices.Equal(got, []int32{330}) {
		t.Errorf("ids %v", got)
	}
	again, err := Parse(tok.JSON())
	if err != nil || again.Hash() != tok.Hash() {
		t.Errorf("saved and loaded, the hash differs (%v)", err)
	}
}

// Many goroutines share a tokenizer whose cache overflows.
func TestConcurrentEncode(t *testing.T) {
	tok := trained(t)
	var text strings.Builder
	random := rand.New(rand.NewPCG(7, 8))
	for range 2 * cacheParts * partWords {
		fmt.Fprintf(&text, " w%x", random.Uint32())
	}
	want := Bytes().Decode(Bytes().Encode(text.String()))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if tok.Decode(tok.Encode(text.String())) != want {
				t.Error("text did not come back")
			}
		})
	}
	group.Wait()
	for i := range tok.cache.parts {
		if n := len(tok.cache.parts[i].ids); n > partWords {
			t.Errorf("part %d of the cache holds %d words", i, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := trained(b)
	text := strings.Repeat(sample, 1000)
	b.SetBytes(int64(len(text)))
	var ids []int32
	for b.Loop() {
		ids = tok.Append(ids[:0], text)
	}
}

// Half of a novel with published vocabularies; the cache of words is warm.
func BenchmarkEncodeNovel(b *testing.B) {
	for _, path := range []string{"gpt2", "mini-llama3-json", "llama-spm"} {
		b.Run(path, func(b *testing.B) {
			tok := load(b, golden.Shared(b, "tokenizers", path))
			data, err := os.ReadFile(golden.Shared(b, "tokenizers", "war-and-peace.txt"))
			if err != nil {
				b.Fatal(err)
			}
			text := string(data[:len(data)/2])
			b.SetBytes(int64(len(text)))
			var ids []int32
			for b.Loop() {
				ids = tok.Append(ids[:0], text)
			}
		})
	}
}
