package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"plumb/internal/atomicfile"
)

// Limits of what is loaded. The largest published files have 262,144 ids, three
// hundred thousand merges and 35 MB.
const (
	maxVocab = 1 << 19
	maxFile  = 100 << 20 // bytes
)

// Load reads a tokenizer from a file (one of those below, or a GGUF file with
// its name's ending) or from the folder of a model. A folder is searched for
// tokenizer.json, tokenizer.model, vocab.json with merges.txt and tok512.bin, in
// this order; its tokenizer_config.json says which tokens begin and end a text.
// Whatever a file asks for that is not done here, be it a normalizer or another
// pattern of words, is an error that names it: ids that are nearly right would
// be worse.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return loadFolder(path)
	}
	switch base := filepath.Base(path); {
	case base == "vocab.json" || base == "merges.txt":
		return loadPair(filepath.Dir(path))
	case filepath.Ext(base) == ".gguf":
		return loadGGUF(path)
	default:
		return loadFile(path)
	}
}

// folderFiles are the files that a folder may have, each a tokenizer by itself,
// or in the case of vocab.json with the merges beside it.
var folderFiles = []string{"tokenizer.json", "tokenizer.model", "vocab.json", "tok512.bin"}

func loadFolder(folder string) (*Tokenizer, error) {
	for _, name := range folderFiles {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return Load(filepath.Join(folder, name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: no tokenizer: neither %s is there", folder, strings.Join(folderFiles, " nor "))
}

// loadFile reads one file, with the tokenizer_config.json beside it where its
// kind has one.
func loadFile(path string) (*Tokenizer, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	config, err := readConfig(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	t, err := parseAny(data, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// parseAny tells kinds of files by how they begin.
func parseAny(data []byte, config *configJSON) (*Tokenizer, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(data, []byte("GGUF")):
		return nil, errors.New("a GGUF file needs a name that ends in .gguf")
	case bytes.HasPrefix(trimmed, []byte("{")):
		return parse(trimmed, config)
	case isRanks(data):
		return nil, errors.New("a file of tiktoken ranks does not say how words are cut: convert it to a tokenizer.json")
	case isLlama2c(data):
		return parseLlama2c(data)
	case data[0] == 0x0a: // field 1 of a message: a piece
		return parseSentencePiece(data, config)
	}
	return nil, errors.New("no tokenizer: neither a tokenizer.json nor a SentencePiece model nor a tokenizer of llama2.c")
}

// isLlama2c says whether the first token is the unknown one of such a file.
func isLlama2c(data []byte) bool {
	const at, first = 8, "\x05\x00\x00\x00<unk>" // after the longest length and the first score
	return len(data) >= at+len(first) && string(data[at:at+len(first)]) == first
}

// isRanks says whether the first line is base64, a space and a rank.
func isRanks(data []byte) bool {
	line, _, _ := bytes.Cut(data[:min(len(data), 1024)], []byte("\n"))
	token, rank, ok := bytes.Cut(line, []byte(" "))
	return ok && len(token)%4 == 0 && len(bytes.Trim(rank, "0123456789\r")) == 0 && len(rank) > 0 &&
		len(bytes.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")) == 0
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

// loadPair reads GPT-2's own form: a vocabulary, and merges one a line.
func loadPair(folder string) (*Tokenizer, error) {
	vocabPath, mergesPath := filepath.Join(folder, "vocab.json"), filepath.Join(folder, "merges.txt")
	data, err := readLimited(vocabPath)
	if err != nil {
		return nil, err
	}
	lines, err := readLimited(mergesPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is a vocab.json without the merges.txt that belongs to it", folder)
	}
	if err != nil {
		return nil, err
	}
	var vocab vocabulary
	if err := json.Unmarshal(data, &vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", vocabPath, err)
	}
	merges, err := parseMerges(string(lines))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", mergesPath, err)
	}
	config, err := readConfig(folder)
	if err != nil {
		return nil, err
	}
	t, err := parsePair(vocab, merges, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return t, nil
}

// parseMerges reads a merges.txt, which may begin with a line of its version.
func parseMerges(lines string) (mergeList, error) {
	var merges mergeList
	i := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\n"), "\n") {
		i++
		line = strings.TrimSuffix(line, "\r")
		if i == 1 && strings.HasPrefix(line, "#version") || line == "" {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" {
			return nil, fmt.Errorf("%d: %.100q is no pair of tokens", i, line)
		}
		merges = append(merges, [2]string{left, right})
	}
	return merges, nil
}

// parsePair builds a byte-level tokenizer that cuts GPT-2's words. The tokens
// that config names are special, and without it the one that ends a text.
func parsePair(vocab vocabulary, merges mergeList, config *configJSON) (*Tokenizer, error) {
	t := newTokenizer()
	t.steps = gpt2Steps
	if config != nil && config.AddPrefixSpace {
		t.steps = []step{{name: gpt2Pattern, rewrite: spaceInFront, scan: gpt2Word}}
	}
	added := pairSpecials(vocab, config)
	if err := t.setTokens(vocab, added, decoding{byteLevel: true}); err != nil {
		return nil, err
	}
	ids := t.ordinary()
	t.setBytes(ids, spellByte)
	if err := t.setMerges(ids, merges); err != nil {
		return nil, err
	}
	if err := checkMade(ids, merges); err != nil {
		return nil, err
	}
	if err := config.setEnds(t); err != nil {
		return nil, err
	}
	t.names = nil
	if err := t.setAdded(added); err != nil {
		return nil, err
	}
	if err := t.setEnds(); err != nil {
		return nil, err
	}
	if !t.isCanonical(added) {
		t.source = t.writeJSON
	}
	return t.ready(), nil
}

// mostUnmade is the share of longer tokens that merges may leave unmade: names
// that a vocabulary reserves. GPT-2's leaves none.
const mostUnmade = 0.02

// checkMade refuses merges that are cut: whoever loses their end would go on with
// shorter tokens, and never know.
func checkMade(ids map[string]int32, merges mergeList) error {
	made := make(map[string]bool, len(merges))
	for _, parts := range merges {
		made[parts[0]+parts[1]] = true
	}
	longer, unmade := 0, 0
	for name := range ids {
		if _, single := onlyRune(name); single {
			continue
		}
		longer++
		if !made[name] {
			unmade++
		}
	}
	if float64(unmade) > max(1, mostUnmade*float64(longer)) {
		return fmt.Errorf("the merges make %d of %d tokens of more than one letter: they are cut, or belong to another vocabulary", longer-unmade, longer)
	}
	return nil
}

func pairSpecials(vocab vocabulary, config *configJSON) []addedToken {
	var added []addedToken
	known := map[string]bool{}
	add := func(name string) {
		if id, ok := vocab[name]; ok && !known[name] {
			known[name] = true
			added = append(added, addedToken{ID: id, Content: name, Special: true})
		}
	}
	if config != nil {
		for _, name := range []tokenName{config.BOS, config.EOS, config.Unknown, config.Pad} {
			add(string(name))
		}
	}
	for _, name := range endNames {
		if len(added) == 0 {
			add(name)
		}
	}
	return added
}
