package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/internal/atomicfile"
)

const (
	streamFormat  = 1
	manifestName  = "stream.json"
	documentsName = "documents.bin"
	documentBytes = 8        // a document in documents.bin: its tokens and its bytes, 32 bits each
	shardTokens   = 16 << 20 // tokens in a full shard: 64 MB
)

// A manifest lists the files of a stream. It is written last, so a folder that
// has one had all its files.
type manifest struct {
	Format    int              `json:"format"`
	Tokenizer string           `json:"tokenizer"`
	Source    string           `json:"source"` // hash of the documents
	Hash      string           `json:"hash"`   // of the tokens
	Tokens    int              `json:"tokens"`
	Documents int              `json:"documents"`
	Files     []atomicfile.Sum `json:"files"` // the shards in order, then documents.bin
	Checksum  string           `json:"checksum"`
}

// sum returns the checksum of all other fields.
func (m manifest) sum() string {
	m.Checksum = ""
	return atomicfile.Hash(m.encode())
}

func (m manifest) encode() []byte {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic("corpus: manifest.encode: " + err.Error()) // strings and numbers only
	}
	return append(data, '\n')
}

func readManifest(folder string) (*manifest, error) {
	path := filepath.Join(folder, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, atomicfile.Damaged(path, err.Error())
	}
	if m.Checksum != m.sum() || !bytes.Equal(data, m.encode()) {
		return nil, atomicfile.Damaged(path, "its checksum does not fit")
	}
	if m.Format != streamFormat || len(m.Files) == 0 {
		return nil, atomicfile.Damaged(path, fmt.Sprintf("format %d, want %d", m.Format, streamFormat))
	}
	return &m, nil
}

// checkSizes compares the sizes of all files with each other and with the disk.
func (m *manifest) checkSizes(folder string) error {
	last := len(m.Files) - 1
	var shards int64
	for _, f := range m.Files[:last] {
		shards += f.Bytes
	}
	if shards != 4*int64(m.Tokens) || m.Files[last].Bytes != documentBytes*int64(m.Documents) {
		return atomicfile.Damaged(filepath.Join(folder, manifestName), "its sizes contradict each other")
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return atomicfile.Damaged(filepath.Join(folder, manifestName), fmt.Sprintf("%q is no file of its folder", f.Name))
		}
		info, err := os.Stat(filepath.Join(folder, f.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || info.Size() != f.Bytes {
			return atomicfile.Damaged(filepath.Join(folder, f.Name), fmt.Sprintf("it has not the %d bytes it was written with", f.Bytes))
		}
	}
	return nil
}
