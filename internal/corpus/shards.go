package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"plumb/internal/atomicfile"
	"plumb/internal/tokenizer"
)

// A writer turns documents into shards.
type writer struct {
	folder   string
	tok      *tokenizer.Tokenizer
	perShard int // tokens in a shard

	shard       *sumFile  // open, or nil
	all, source hash.Hash // of tokens and of texts
	ids         []int32
	buffer      []byte
	documents   []byte // content of documents.bin
	done        manifest
}

func (w *writer) run(docs iter.Seq2[Document, error]) error {
	for d, err := range docs {
		if err == nil {
			err = w.add(d)
		}
		if err != nil {
			w.abort()
			return err
		}
	}
	if w.done.Documents == 0 {
		return errors.New("there is no text: not one document has any")
	}
	return w.finish()
}

// add encodes a document and appends it to the shards.
func (w *writer) add(d Document) error {
	end := w.tok.EndOfText()
	w.ids = w.tok.Append(append(w.ids[:0], end), d.Text)
	if at := slices.Index(w.ids[1:], end); at >= 0 {
		return fmt.Errorf("%s: the text has %q, which is the end of a text in this vocabulary", d.Name, w.tok.Token(end))
	}
	addDocument(w.source, d)
	w.documents = binary.LittleEndian.AppendUint32(w.documents, uint32(len(w.ids)))
	w.documents = binary.LittleEndian.AppendUint32(w.documents, uint32(len(d.Text)))
	w.done.Documents++
	w.done.Tokens += len(w.ids)
	for rest := w.ids; len(rest) > 0; {
		n, err := w.write(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// write appends ids to the current shard, as many as it has room for.
func (w *writer) write(ids []int32) (int, error) {
	if w.shard == nil {
		shard, err := createSum(w.folder, fmt.Sprintf("tokens-%04d.bin", len(w.done.Files)))
		if err != nil {
			return 0, err
		}
		w.shard = shard
	}
	room := w.perShard - int(w.shard.size/4)
	ids = ids[:min(len(ids), room, 1<<16)]
	w.buffer = w.buffer[:0]
	for _, id := range ids {
		w.buffer = binary.LittleEndian.AppendUint32(w.buffer, uint32(id))
	}
	w.all.Write(w.buffer)
	if _, err := w.shard.Write(w.buffer); err != nil {
		return 0, err
	}
	if len(ids) == room {
		return len(ids), w.closeShard()
	}
	return len(ids), nil
}

func (w *writer) closeShard() error {
	if w.shard == nil {
		return nil
	}
	sum, err := w.shard.commit()
	w.done.Files = append(w.done.Files, sum)
	w.shard = nil
	return err
}

func (w *writer) abort() {
	if w.shard != nil {
		w.shard.file.Abort()
	}
}

// finish writes the list of documents, and the manifest last.
func (w *writer) finish() error {
	if err := w.closeShard(); err != nil {
		return err
	}
	index, err := createSum(w.folder, documentsName)
	if err != nil {
		return err
	}
	defer index.file.Abort()
	if _, err := index.Write(w.documents); err != nil {
		return err
	}
	sum, err := index.commit()
	if err != nil {
		return err
	}
	w.done.Files = append(w.done.Files, sum)
	w.done.Format, w.done.Tokenizer = streamFormat, w.tok.Hash()
	w.done.Source = hex.EncodeToString(w.source.Sum(nil))
	w.done.Hash = hex.EncodeToString(w.all.Sum(nil))
	w.done.Checksum = w.done.sum()
	if err := atomicfile.Write(filepath.Join(w.folder, manifestName), w.done.encode()); err != nil {
		return err
	}
	return w.removeOld()
}

// removeOld removes shards of a longer stream that stood here before.
func (w *writer) removeOld() error {
	for n := len(w.done.Files) - 1; ; n++ {
		err := os.Remove(filepath.Join(w.folder, fmt.Sprintf("tokens-%04d.bin", n)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A sumFile is written with its checksum.
type sumFile struct {
	file *atomicfile.File
	name string
	sum  hash.Hash
	size int64
}

func createSum(folder, name string) (*sumFile, error) {
	file, err := atomicfile.Create(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	return &sumFile{file: file, name: name, sum: sha256.New()}, nil
}

func (f *sumFile) Write(p []byte) (int, error) {
	f.sum.Write(p)
	f.size += int64(len(p))
	return f.file.Write(p)
}

func (f *sumFile) commit() (atomicfile.Sum, error) {
	return atomicfile.Sum{Name: f.name, Bytes: f.size, SHA256: hex.EncodeToString(f.sum.Sum(nil))}, f.file.Commit()
}
