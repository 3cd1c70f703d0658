package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/internal/atomicfile"
)

// Limits of what is loaded. The largest published files have 262,144 ids, three
// hundred thousand merges and 35 MB.
const (
	maxVocab = 1 << 20
	maxFile  = 100 << 20 // bytes
)

// Load reads a tokenizer from a Hugging Face tokenizer.json, or from a folder
// with such a file or with vocab.json and merges.txt. Whatever the file asks for
// that is not done here, be it a normalizer or another pattern of words, is an
// error that names it: ids that are nearly right would be worse.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return loadFile(path)
	}
	t, err := loadFile(filepath.Join(path, "tokenizer.json"))
	if !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	t, err = loadPair(filepath.Join(path, "vocab.json"), filepath.Join(path, "merges.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no tokenizer: neither tokenizer.json nor vocab.json with merges.txt is there", path)
	}
	return t, err
}

func loadFile(path string) (*Tokenizer, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func readLimited(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes are no tokenizer", path, maxFile)
	}
	return data, err
}

// Save writes the tokenizer as a tokenizer.json at path.
func (t *Tokenizer) Save(path string) error {
	return atomicfile.Write(path, t.JSON())
}

// The file, as far as it is understood. What a field asks for is checked in Parse.
type (
	fileJSON struct {
		AddedTokens   []addedToken    `json:"added_tokens"`
		Normalizer    *component      `json:"normalizer"`
		PreTokenizer  *component      `json:"pre_tokenizer"`
		PostProcessor *component      `json:"post_processor"`
		Decoder       *component      `json:"decoder"`
		Model         json.RawMessage `json:"model"`
	}
	addedToken struct {
		ID      int64  `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	}
	component struct {
		Type           string `json:"type"`
		AddPrefixSpace bool   `json:"add_prefix_space"`
		UseRegex       *bool  `json:"use_regex"`
		Pattern        struct {
			Regex string `json:"Regex"`
		} `json:"pattern"`
		PreTokenizers []component `json:"pretokenizers"`
	}
	modelJSON struct {
		Type         string     `json:"type"`
		Dropout      *float64   `json:"dropout"`
		Unknown      string     `json:"unk_token"`
		Prefix       string     `json:"continuing_subword_prefix"`
		Suffix       string     `json:"end_of_word_suffix"`
		ByteFallback bool       `json:"byte_fallback"`
		IgnoreMerges bool       `json:"ignore_merges"`
		Vocab        vocabulary `json:"vocab"`
		Merges       mergeList  `json:"merges"`
	}
)

// Parse reads the content of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	var file fileJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("no tokenizer.json: %w", err)
	}
	if err := file.check(); err != nil {
		return nil, err
	}
	model, err := parseModel(file.Model)
	if err != nil {
		return nil, err
	}
	t, err := build(model.Vocab, file.AddedTokens, model.Merges)
	if err != nil {
		return nil, err
	}
	if model.Unknown != "" && slices.Contains(t.byteID[:], none) {
		return nil, fmt.Errorf("model: unk_token %q with a vocabulary that lacks bytes is not supported", model.Unknown)
	}
	if model.IgnoreMerges {
		t.takeWhole()
	}
	return t.ready(), nil
}

// check refuses what would change ids or text and is not done here.
func (f *fileJSON) check() error {
	if f.Normalizer != nil {
		return fmt.Errorf("normalizer %q is not supported (have none)", f.Normalizer.Type)
	}
	if err := f.PreTokenizer.checkWords(); err != nil {
		return err
	}
	// Post-processors add special tokens, which Encode never does.
	if p := f.PostProcessor; p != nil && p.Type != "ByteLevel" && p.Type != "TemplateProcessing" {
		return fmt.Errorf("post-processor %q is not supported (have ByteLevel, TemplateProcessing)", p.Type)
	}
	if d := f.Decoder; d != nil && d.Type != "ByteLevel" {
		return fmt.Errorf("decoder %q is not supported (have ByteLevel)", d.Type)
	}
	return nil
}

// checkWords wants a pre-tokenizer that cuts words by GPT-2's pattern.
func (c *component) checkWords() error {
	switch {
	case c == nil:
		return errors.New("no pre-tokenizer is not supported (have ByteLevel)")
	case c.Type == "Sequence" && len(c.PreTokenizers) == 2 && c.PreTokenizers[0].Type == "Split":
		split, level := c.PreTokenizers[0], c.PreTokenizers[1]
		if split.Pattern.Regex != gpt2Pattern {
			return fmt.Errorf("word pattern %q is not supported (have %q)", split.Pattern.Regex, gpt2Pattern)
		}
		level.UseRegex = nil // GPT-2's words stay whole when cut a second time
		return level.checkWords()
	case c.Type != "ByteLevel":
		return fmt.Errorf("pre-tokenizer %q is not supported (have ByteLevel)", c.Type)
	case c.AddPrefixSpace:
		return errors.New("pre-tokenizer ByteLevel with add_prefix_space is not supported (have false)")
	case c.UseRegex != nil && !*c.UseRegex:
		return errors.New("pre-tokenizer ByteLevel without use_regex is not supported (have true)")
	}
	return nil
}

func parseModel(data []byte) (*modelJSON, error) {
	var kind struct{ Type string }
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if kind.Type != "BPE" && kind.Type != "" {
		return nil, fmt.Errorf("model %q is not supported (have BPE)", kind.Type)
	}
	var m modelJSON
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("model: dropout %v is not supported (have none)", *m.Dropout)
	case m.Prefix != "" || m.Suffix != "":
		return nil, fmt.Errorf("model: subword prefix %q and word suffix %q are not supported (have none)", m.Prefix, m.Suffix)
	case m.ByteFallback:
		return nil, errors.New("model: byte_fallback is not supported (have byte-level vocabularies)")
	}
	return &m, nil
}

// A vocabulary is ids by spelled token. Decoding it refuses a token that is
// there twice, which a map would swallow.
type vocabulary map[string]int64

func (v *vocabulary) UnmarshalJSON(data []byte) error {
	*v = vocabulary{}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.New("vocab is no object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		token := key.(string) // the decoder sees to it
		var id *int64
		if err := d.Decode(&id); err != nil {
			return fmt.Errorf("token %q: %w", token, err)
		}
		if id == nil {
			return fmt.Errorf("token %q has no id", token)
		}
		if _, twice := (*v)[token]; twice {
			return fmt.Errorf("token %q is in the vocabulary twice", token)
		}
		(*v)[token] = *id
	}
	return nil
}

// A mergeList is pairs of spelled tokens. Files have them as "a b" or as ["a", "b"].
type mergeList [][2]string

func (m *mergeList) UnmarshalJSON(data []byte) error {
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err != nil {
		var lines []string
		if err := json.Unmarshal(data, &lines); err != nil {
			return fmt.Errorf("merges are neither strings nor pairs of strings: %w", err)
		}
		pairs = make([][]string, len(lines))
		for i, line := range lines {
			pairs[i] = strings.Split(line, " ")
		}
	}
	*m = make(mergeList, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merge %d has %d parts, want 2", i, len(p))
		}
		(*m)[i] = [2]string{p[0], p[1]}
	}
	return nil
}

// loadPair reads GPT-2's own form: a vocabulary, and merges one a line.
func loadPair(vocabPath, mergesPath string) (*Tokenizer, error) {
	data, err := readLimited(vocabPath)
	if err != nil {
		return nil, err
	}
	lines, err := readLimited(mergesPath)
	if err != nil {
		return nil, err
	}
	var vocab vocabulary
	if err := json.Unmarshal(data, &vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", vocabPath, err)
	}
	var merges mergeList
	for i, line := range strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if i == 0 && strings.HasPrefix(line, "#version") || line == "" {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q is no pair of tokens", mergesPath, i+1, line)
		}
		merges = append(merges, [2]string{left, right})
	}
	var added []addedToken
	if id, ok := vocab[endOfText]; ok {
		added = []addedToken{{ID: id, Content: endOfText, Special: true}}
	}
	t, err := build(vocab, added, merges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(vocabPath), err)
	}
	return t.ready(), nil
}

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
	names := make(map[int64]string, len(vocab)) // spelled
	most := int64(-1)
	take := func(id int64, name string) error {
		switch other, taken := names[id]; {
		case id < 0 || id >= maxVocab:
			return fmt.Errorf("token %q has id %d; ids are from 0 to %d", name, id, maxVocab-1)
		case name == "":
			return fmt.Errorf("id %d has an empty token", id)
		case taken && other != name:
			return fmt.Errorf("tokens %q and %q both have id %d", min(other, name), max(other, name), id)
		}
		names[id] = name
		most = max(most, id)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(vocab)) {
		if err := take(vocab[name], name); err != nil {
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
		if err := take(a.ID, a.Content); err != nil {
			return err
		}
		t.special[int32(a.ID)] = true
	}
	t.tokens = make([]string, most+1)
	seen := make(map[string]int64, len(names))
	for id := range most + 1 {
		name, ok := names[id]
		if !ok {
			continue
		}
		raw, err := unspell(name)
		if t.special[int32(id)] {
			raw, err = name, nil
		}
		if err != nil {
			return err
		}
		t.tokens[id] = raw
		if other, twice := seen[name]; twice {
			return fmt.Errorf("token %q has ids %d and %d", name, other, id)
		}
		seen[name] = id
	}
	return nil
}

func (t *Tokenizer) setMerges(ids map[string]int32, merges mergeList) error {
	if len(merges) > 4*maxVocab {
		return fmt.Errorf("%d merges; at most %d are allowed", len(merges), 4*maxVocab)
	}
	for i, parts := range merges {
		var sides [2]int32
		var raw [2]string
		for j, spelled := range parts {
			var err error
			if raw[j], err = unspell(spelled); err != nil {
				return fmt.Errorf("merge %d: %w", i, err)
			}
			id, ok := ids[raw[j]]
			if !ok {
				return fmt.Errorf("merge %d: %q is not in the vocabulary", i, spelled)
			}
			sides[j] = id
		}
		id, ok := ids[raw[0]+raw[1]]
		if !ok {
			return fmt.Errorf("merge %d: %q is not in the vocabulary", i, parts[0]+parts[1])
		}
		p := makePair(sides[0], sides[1])
		if _, twice := t.merges[p]; twice {
			return fmt.Errorf("merge %d: %q %q is there twice", i, parts[0], parts[1])
		}
		t.addMerge(p, id)
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
