package tasks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"plumb/internal/world"
)

// Limits of a task file; the largest official one here has 12 MB and lines of
// at most a few thousand bytes.
const (
	MaxFileBytes = 1 << 28
	MaxLineBytes = 1 << 20
)

// maxReported is how many bad lines of one file are named.
const maxReported = 10

// A Source says where the items of tasks come from.
type Source struct {
	Dir   string            // folder below which the files of tasks are looked for
	Files map[string]string // file by name of task; wins over Dir
	World *world.World      // makes the built-in items; nil where there are none
	Items int               // items of each built-in kind; 0 means DefaultItems
	Limit int               // only the first so many items; 0 means all
	Shots Shots             // solved examples before each item
}

// DefaultItems is how many items of a built-in kind are made when nothing else
// is asked: a binomial standard error of 1.4 points at one in four.
const DefaultItems = 1000

// Provenance says what a task was loaded from.
type Provenance struct {
	File   string `json:"file"`   // path, or "built-in world"
	Rows   int    `json:"rows"`   // rows of the file, before Source.Limit
	Hash   string `json:"sha256"` // of the file; for built-in kinds the Digest of the items
	Digest string `json:"digest"` // Digest of the items returned

	Shots     int    `json:"shots,omitempty"`      // solved examples before each item
	ShotsFrom string `json:"shots_from,omitempty"` // the file they are of, or OtherItems
	ShotsPick string `json:"shots_pick,omitempty"` // Shots.String: which of them
}

// ShotsText says which solved examples stand before each item, as part of a
// protocol's name; it is empty where there are none.
func (p Provenance) ShotsText() string {
	if p.Shots == 0 {
		return ""
	}
	source := p.ShotsFrom
	if source != OtherItems {
		source = filepath.Base(source)
	}
	return fmt.Sprintf("%d shots, %s, of %s", p.Shots, p.ShotsPick, source)
}

// ParseSource reads the values of a command line's data settings: a folder, or
// TASK=FILE for one task, which wins over the folder.
func ParseSource(values []string) (Source, error) {
	src := Source{Files: map[string]string{}}
	var errs []error
	for _, value := range values {
		name, file, named := strings.Cut(value, "=")
		switch {
		case !named || strings.ContainsAny(name, `/\`):
			if src.Dir != "" {
				errs = append(errs, fmt.Errorf("two data folders, %q and %q; give one, or TASK=FILE", src.Dir, value))
			}
			src.Dir = value
		default:
			name = Canonical(name)
			errs = append(errs, checkOverride(name, file))
			src.Files[name] = file
		}
	}
	return src, errors.Join(errs...)
}

// checkOverride refuses a file for something that is not read from a file.
func checkOverride(name, file string) error {
	t, err := All.Get(name)
	if err != nil {
		return err
	}
	if t.Parse == nil {
		return fmt.Errorf("task %s is made by the built-in world and reads no file; leave %q out", name, file)
	}
	if file == "" {
		return fmt.Errorf("task %s: no file after =", name)
	}
	return nil
}

// Load returns the items of the task called name in file order. A file with a
// bad line gives no items, only an error of the form FILE:LINE: REASON. A file
// that is nowhere gives an error with every path that was tried.
func Load(name string, src Source) ([]Item, Provenance, error) {
	t, err := All.Get(name)
	if err != nil {
		return nil, Provenance{}, err
	}
	items, from, err := t.load(name, src)
	if err == nil {
		items, err = t.prepare(name, items, &from, src)
	}
	if err != nil {
		return nil, Provenance{}, err
	}
	from.Digest = Digest(items)
	return items, from, nil
}

// load returns all items as the file or the world has them.
func (t Task) load(name string, src Source) ([]Item, Provenance, error) {
	if t.Generate != nil {
		return t.generate(name, src)
	}
	path, err := t.find(name, t.Files, src)
	if err != nil {
		return nil, Provenance{}, err
	}
	items, hash, err := t.read(name, path)
	return items, Provenance{File: path, Rows: len(items), Hash: hash}, err
}

// prepare cuts items to the limit and puts before each what stands there.
func (t Task) prepare(name string, items []Item, from *Provenance, src Source) ([]Item, error) {
	pool := items
	if src.Limit > 0 && src.Limit < len(items) {
		items = slices.Clone(items[:src.Limit])
	}
	if src.Shots.N == 0 {
		for i := range items {
			items[i].Before = t.Preamble
		}
		return items, nil
	}
	if t.Kind == Text {
		return nil, fmt.Errorf("task %s predicts whole texts, before which no examples can stand; leave it out or ask for 0 shots", name)
	}
	pool, own, err := t.examples(name, pool, from, src)
	if err == nil {
		from.Shots, from.ShotsPick = src.Shots.N, src.Shots.String()
		err = t.addShots(items, pool, own, src.Shots)
	}
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	return items, nil
}

// examples returns the items that solved examples are taken from: those of the
// training split where there is a file of it, else the task's own.
func (t Task) examples(name string, items []Item, from *Provenance, src Source) (pool []Item, own bool, err error) {
	if len(t.Train) > 0 && src.Dir != "" {
		path, err := t.find(name, t.Train, Source{Dir: src.Dir})
		if err == nil {
			from.ShotsFrom = path
			pool, _, err = t.read(name, path)
			return pool, false, err
		}
		if missing := (*missingError)(nil); !errors.As(err, &missing) {
			return nil, false, err
		}
	}
	from.ShotsFrom = OtherItems
	return items, true, nil
}

func (t Task) generate(name string, src Source) ([]Item, Provenance, error) {
	if src.World == nil {
		return nil, Provenance{}, fmt.Errorf("task %s needs the built-in world, and there is none", name)
	}
	n := src.Items
	if n <= 0 {
		n = DefaultItems
	}
	items, err := t.Generate(src.World, n)
	if err != nil {
		return nil, Provenance{}, fmt.Errorf("task %s: %w", name, err)
	}
	return items, Provenance{File: "built-in world", Rows: len(items), Hash: Digest(items)}, nil
}

// read parses the file at path, and returns the SHA-256 of its bytes.
func (t Task) read(name, path string) ([]Item, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("task %s: %w", name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > MaxFileBytes {
		return nil, "", fmt.Errorf("task %s: %s has %d bytes, more than the %d a task file may have",
			name, path, info.Size(), MaxFileBytes)
	}
	return t.parseAll(path, f)
}

// Find returns the file that the task called name would read, or an error that
// lists all that were tried.
func Find(name string, src Source) (string, error) {
	t, err := All.Get(name)
	if err != nil {
		return "", err
	}
	return t.find(name, t.Files, src)
}

// A missingError lists the paths at which no file was found.
type missingError struct{ message string }

// Error names the paths and what to do.
func (e *missingError) Error() string { return e.message }

// find returns the first of files that exists, or an error that lists all that
// were tried. A file named for the task, or for another protocol of the same
// files, wins.
func (t Task) find(name string, files []string, src Source) (string, error) {
	named := src.Files[t.named(name, src)]
	candidates, tables := []string{named}, []string(nil)
	if named == "" {
		if src.Dir == "" {
			return "", fmt.Errorf("task %s needs a data folder with one of %s; give --data DIR or --data %s=FILE",
				name, strings.Join(files, ", "), name)
		}
		candidates = nil
		for _, file := range files {
			candidates = append(candidates, filepath.Join(src.Dir, filepath.FromSlash(file)))
		}
		tables = asTables(candidates)
	}
	for _, path := range slices.Concat(candidates, tables) {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return "", fmt.Errorf("task %s: %s is a folder, not a file", name, path)
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("task %s: %w", name, err)
		}
	}
	if named != "" {
		return "", fmt.Errorf("task %s: there is no file %s; --data %s=FILE names another", name, candidates[0], name)
	}
	return "", &missingError{fmt.Sprintf("task %s: no data file; looked for\n  %s\nput one of them there, as it is or as .parquet, or name one with --data %s=FILE",
		name, strings.Join(candidates, "\n  "), name)}
}

// named is the name whose file among src.Files the task reads: its own, or that
// of the benchmark of which it is another protocol.
func (t Task) named(name string, src Source) string {
	base, _, protocol := strings.Cut(name, "@")
	if src.Files[name] != "" || !protocol {
		return name
	}
	if other, err := All.Get(base); err != nil || len(t.Files) == 0 || other.Files[0] != t.Files[0] {
		return name
	}
	return base
}

// parseAll parses every row of r, the file at path, and returns the SHA-256 of
// its bytes.
func (t Task) parseAll(path string, r io.Reader) ([]Item, string, error) {
	sum := sha256.New()
	labels, err := t.labels(path)
	if err != nil {
		return nil, "", err
	}
	var items []Item
	var bad badLines
	var size budget
	rows := 0
	for line, row := range t.rows(path, io.TeeReader(io.LimitReader(r, MaxFileBytes+1), io.MultiWriter(sum, &size))) {
		if row.err != nil {
			bad.add(path, line, row.err)
			continue
		}
		if rows < len(labels) {
			row.Label = labels[rows]
		}
		rows++
		item, err := t.parseRow(row.Row)
		if err != nil {
			bad.add(path, line, err)
			continue
		}
		if item.ID == "" {
			item.ID = strconv.Itoa(len(items))
		}
		if err := size.take(item); err != nil {
			return nil, "", fmt.Errorf("%s:%d: %w", path, line, err)
		}
		items = append(items, item)
	}
	if err := bad.err(); err != nil {
		return nil, "", err
	}
	if len(items) == 0 {
		return nil, "", fmt.Errorf("%s: no rows", path)
	}
	if labels != nil && len(labels) != rows {
		return nil, "", fmt.Errorf("%s: %d labels for the %d rows of %s", labelFile(path), len(labels), rows, path)
	}
	makeUnique(items)
	return items, hex.EncodeToString(sum.Sum(nil)), nil
}

// What the items of a file may take, by its bytes. The rows of real files have
// a hundred bytes or more, compressed ones thirty.
const (
	itemSlack  = 4 << 20
	itemFactor = 12
)

// A budget counts what is read and what is made of it.
type budget struct{ read, made int }

// Write implements io.Writer for what is read.
func (b *budget) Write(p []byte) (int, error) {
	b.read += len(p)
	return len(p), nil
}

// take refuses items that take many times the memory of their file.
func (b *budget) take(item Item) error {
	const each, choice = 200, 64 // an item with its place in lists and maps, and a choice without their texts
	b.made += each + len(item.ID) + len(item.Cluster)
	last := ""
	for _, c := range item.Choices {
		b.made += choice + len(c.Continuation)
		if c.Context != last {
			b.made += len(c.Context)
			last = c.Context
		}
	}
	for _, answer := range item.Answers {
		b.made += len(answer) + choice
	}
	if b.made > itemSlack+itemFactor*b.read {
		return fmt.Errorf("the items of %d bytes take more than %d: rows are tiny or repeat themselves; split the file", b.read, itemSlack+itemFactor*b.read)
	}
	return nil
}

// badLines names the first few lines that are wrong and counts the others.
type badLines struct {
	named []error
	more  int
}

func (b *badLines) add(path string, line int, err error) {
	if len(b.named) == maxReported {
		b.more++
		return
	}
	b.named = append(b.named, fmt.Errorf("%s:%d: %w", path, line, err))
}

func (b *badLines) err() error {
	if b.more > 0 {
		return errors.Join(append(b.named, fmt.Errorf("and %d more bad lines", b.more))...)
	}
	return errors.Join(b.named...)
}

// parseRow parses one row and checks what every item promises.
func (t Task) parseRow(row Row) (Item, error) {
	if !utf8.Valid(row.Line) {
		return Item{}, errors.New("not UTF-8 text")
	}
	return t.Parse(row)
}

// makeUnique appends "#2", "#3", ... to identities that came before, so that
// results can be paired by identity.
func makeUnique(items []Item) {
	seen := map[string]int{}
	for i := range items {
		id := items[i].ID
		seen[id]++
		for n := seen[id]; n > 1; n++ {
			candidate := fmt.Sprintf("%s#%d", id, n)
			if seen[candidate] == 0 {
				items[i].ID = candidate
				seen[candidate] = 1
				break
			}
		}
	}
}
