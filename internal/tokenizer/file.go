package tokenizer

import (
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
