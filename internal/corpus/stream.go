package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"plumb/internal/atomicfile"
	"plumb/internal/tokenizer"
)

// A Stream is documents as tokens, one after the other, each preceded by the
// end-of-text token. Its slices must not be changed.
type Stream struct {
	Tokens    []int32
	Starts    []int  // of each document, the index in Tokens of the end of text before it
	Bytes     []int  // of each document, the bytes of its text
	Hash      string // SHA-256, in hex, of Tokens as little-endian 32-bit numbers
	Tokenizer string // the hash of the tokenizer that made it
	Rebuilt   string // the damaged file that made Build write the stream anew, "" for none
}

// Document returns the tokens of document i, the first of which is the end of text.
func (s *Stream) Document(i int) []int32 { return s.Tokens[s.Starts[i]:s.end(i)] }

// end returns the index in Tokens after the last token of document i.
func (s *Stream) end(i int) int {
	if i+1 < len(s.Starts) {
		return s.Starts[i+1]
	}
	return len(s.Tokens)
}

// Build returns the stream of docs, with its shards in folder. Shards that are
// there already, of the same texts and tokenizer, are used again after their
// checksums are verified; damaged or other ones are written anew, and Rebuilt
// names the damage. It goes through docs up to twice.
func Build(docs iter.Seq2[Document, error], tok *tokenizer.Tokenizer, folder string) (*Stream, error) {
	return build(docs, tok, folder, shardTokens)
}

func build(docs iter.Seq2[Document, error], tok *tokenizer.Tokenizer, folder string, perShard int) (*Stream, error) {
	s, err := reuse(docs, tok, folder)
	var damage *atomicfile.DamagedError
	if s != nil || err != nil && !errors.As(err, &damage) {
		return s, err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	w := &writer{folder: folder, tok: tok, perShard: perShard, all: sha256.New(), source: sha256.New()}
	if err := w.run(docs); err != nil {
		return nil, err
	}
	s, err = Open(folder)
	if err == nil && damage != nil {
		s.Rebuilt = damage.File
	}
	return s, err
}

// reuse opens the stream in folder if it is that of docs and tok. Without one it
// returns nil and no error.
func reuse(docs iter.Seq2[Document, error], tok *tokenizer.Tokenizer, folder string) (*Stream, error) {
	m, err := readManifest(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || m.Tokenizer != tok.Hash() {
		return nil, err
	}
	source := sha256.New()
	for d, err := range docs {
		if err != nil {
			return nil, err
		}
		addDocument(source, d)
	}
	if m.Source != hex.EncodeToString(source.Sum(nil)) {
		return nil, nil
	}
	return load(folder, m)
}

// addDocument hashes a text, its length first so that the borders of documents count.
func addDocument(h hash.Hash, d Document) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(d.Text))))
	h.Write([]byte(d.Text))
}

// Open opens the stream that Build left in folder and verifies every checksum.
// What is damaged is a *atomicfile.DamagedError.
func Open(folder string) (*Stream, error) {
	m, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	return load(folder, m)
}

// load reads what m lists. Sizes are compared before memory is taken.
func load(folder string, m *manifest) (*Stream, error) {
	if err := m.checkSizes(folder); err != nil {
		return nil, err
	}
	s := &Stream{Hash: m.Hash, Tokenizer: m.Tokenizer, Tokens: make([]int32, 0, m.Tokens)}
	shards, index := m.Files[:len(m.Files)-1], m.Files[len(m.Files)-1]
	for _, f := range shards {
		if err := readNumbers(folder, f, func(n uint32) { s.Tokens = append(s.Tokens, int32(n)) }); err != nil {
			return nil, err
		}
	}
	var lengths []uint32 // tokens and bytes in turn
	if err := readNumbers(folder, index, func(n uint32) { lengths = append(lengths, n) }); err != nil {
		return nil, err
	}
	at := 0
	for pair := range slices.Chunk(lengths, 2) {
		s.Starts = append(s.Starts, at)
		s.Bytes = append(s.Bytes, int(pair[1]))
		at += int(pair[0])
	}
	if at != len(s.Tokens) {
		return nil, atomicfile.Damaged(filepath.Join(folder, index.Name), fmt.Sprintf("its documents have %d tokens, the shards %d", at, len(s.Tokens)))
	}
	return s, nil
}

// readNumbers reads a file of little-endian 32-bit numbers and verifies its checksum.
func readNumbers(folder string, f atomicfile.Sum, take func(uint32)) error {
	path := filepath.Join(folder, f.Name)
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	buffer := make([]byte, 1<<18)
	for left := f.Bytes; left > 0; {
		chunk := buffer[:min(left, int64(len(buffer)))]
		if _, err := io.ReadFull(file, chunk); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		sum.Write(chunk)
		for i := 0; i+4 <= len(chunk); i += 4 {
			take(binary.LittleEndian.Uint32(chunk[i:]))
		}
		left -= int64(len(chunk))
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return atomicfile.Damaged(path, "its checksum does not fit")
	}
	return nil
}
