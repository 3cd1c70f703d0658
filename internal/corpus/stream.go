package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
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

// TotalBytes returns the bytes of all texts.
func (s *Stream) TotalBytes() int {
	total := 0
	for _, n := range s.Bytes {
		total += n
	}
	return total
}

// A DamagedError names a file of a stream that is not as it was written.
type DamagedError struct {
	File   string
	Reason string
}

func (e *DamagedError) Error() string { return e.File + ": damaged: " + e.Reason }

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
	Format    int       `json:"format"`
	Tokenizer string    `json:"tokenizer"`
	Source    string    `json:"source"` // hash of the documents
	Hash      string    `json:"hash"`   // of the tokens
	Tokens    int       `json:"tokens"`
	Documents int       `json:"documents"`
	Files     []fileSum `json:"files"` // the shards in order, then documents.bin
	Checksum  string    `json:"checksum"`
}

type fileSum struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// sum returns the checksum of all other fields.
func (m manifest) sum() string {
	m.Checksum = ""
	return hexSum(m.encode())
}

func (m manifest) encode() []byte {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic("corpus: manifest.encode: " + err.Error()) // strings and numbers only
	}
	return append(data, '\n')
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
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
	var damage *DamagedError
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
// What is damaged is a *DamagedError.
func Open(folder string) (*Stream, error) {
	m, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	return load(folder, m)
}

func readManifest(folder string) (*manifest, error) {
	path := filepath.Join(folder, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, &DamagedError{path, err.Error()}
	}
	if m.Checksum != m.sum() || !bytes.Equal(data, m.encode()) {
		return nil, &DamagedError{path, "its checksum does not fit"}
	}
	if m.Format != streamFormat || len(m.Files) == 0 {
		return nil, &DamagedError{path, fmt.Sprintf("format %d, want %d", m.Format, streamFormat)}
	}
	return &m, nil
}

// load reads what m lists. Sizes are compared before memory is taken.
func load(folder string, m *manifest) (*Stream, error) {
	s := &Stream{Hash: m.Hash, Tokenizer: m.Tokenizer}
	last := len(m.Files) - 1
	var size int64
	for _, f := range m.Files[:last] {
		size += f.Bytes
	}
	if size != 4*int64(m.Tokens) || m.Files[last].Bytes != documentBytes*int64(m.Documents) {
		return nil, &DamagedError{filepath.Join(folder, manifestName), "its sizes contradict each other"}
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return nil, &DamagedError{filepath.Join(folder, manifestName), fmt.Sprintf("%q is no file of its folder", f.Name)}
		}
		info, err := os.Stat(filepath.Join(folder, f.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || info.Size() != f.Bytes {
			return nil, &DamagedError{filepath.Join(folder, f.Name), fmt.Sprintf("it has not the %d bytes it was written with", f.Bytes)}
		}
	}
	s.Tokens = make([]int32, 0, m.Tokens)
	for _, f := range m.Files[:last] {
		if err := readNumbers(folder, f, func(n uint32) { s.Tokens = append(s.Tokens, int32(n)) }); err != nil {
			return nil, err
		}
	}
	var lengths []uint32
	if err := readNumbers(folder, m.Files[last], func(n uint32) { lengths = append(lengths, n) }); err != nil {
		return nil, err
	}
	at := 0
	for i := 0; i < len(lengths); i += 2 {
		s.Starts = append(s.Starts, at)
		s.Bytes = append(s.Bytes, int(lengths[i+1]))
		at += int(lengths[i])
	}
	if at != len(s.Tokens) {
		return nil, &DamagedError{filepath.Join(folder, documentsName), fmt.Sprintf("its documents have %d tokens, the shards %d", at, len(s.Tokens))}
	}
	return s, nil
}

// readNumbers reads a file of little-endian 32-bit numbers and verifies its checksum.
func readNumbers(folder string, f fileSum, take func(uint32)) error {
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
		return &DamagedError{path, "its checksum does not fit"}
	}
	return nil
}

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

func (f *sumFile) commit() (fileSum, error) {
	return fileSum{f.name, f.size, hex.EncodeToString(f.sum.Sum(nil))}, f.file.Commit()
}
