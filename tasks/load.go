package tasks

import (
	"bufio"
	"bytes"
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
	var items []Item
	var from Provenance
	if t.Generate != nil {
		items, from, err = t.generate(name, src)
	} else {
		items, from, err = t.read(name, src)
	}
	if err != nil {
		return nil, Provenance{}, err
	}
	if src.Limit > 0 && src.Limit < len(items) {
		items = items[:src.Limit]
	}
	from.Digest = Digest(items)
	return items, from, nil
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

func (t Task) read(name string, src Source) ([]Item, Provenance, error) {
	path, err := t.find(name, src)
	if err != nil {
		return nil, Provenance{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Provenance{}, fmt.Errorf("task %s: %w", name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > MaxFileBytes {
		return nil, Provenance{}, fmt.Errorf("task %s: %s has %d bytes, more than the %d a task file may have",
			name, path, info.Size(), MaxFileBytes)
	}
	items, hash, err := t.parseAll(path, f)
	if err != nil {
		return nil, Provenance{}, err
	}
	return items, Provenance{File: path, Rows: len(items), Hash: hash}, nil
}

// Find returns the file that the task called name would read, or an error that
// lists all that were tried.
func Find(name string, src Source) (string, error) {
	t, err := All.Get(name)
	if err != nil {
		return "", err
	}
	return t.find(name, src)
}

// find returns the file to read, or an error that lists all that were tried.
func (t Task) find(name string, src Source) (string, error) {
	candidates := []string{src.Files[name]}
	if src.Files[name] == "" {
		if src.Dir == "" {
			return "", fmt.Errorf("task %s needs a data folder with one of %s; give --data DIR or --data %s=FILE",
				name, strings.Join(t.Files, ", "), name)
		}
		candidates = nil
		for _, file := range t.Files {
			candidates = append(candidates, filepath.Join(src.Dir, filepath.FromSlash(file)))
		}
	}
	for _, path := range candidates {
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
	if src.Files[name] != "" {
		return "", fmt.Errorf("task %s: there is no file %s; --data %s=FILE names another", name, candidates[0], name)
	}
	return "", fmt.Errorf("task %s: no data file; looked for\n  %s\nput one of them there, or name one with --data %s=FILE",
		name, strings.Join(candidates, "\n  "), name)
}

// parseAll parses every line of r and returns the SHA-256 of its bytes.
func (t Task) parseAll(path string, r io.Reader) ([]Item, string, error) {
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(io.LimitReader(r, MaxFileBytes+1), sum))
	lines.Buffer(make([]byte, 0, 1<<16), MaxLineBytes)
	var items []Item
	var bad []error
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")) // byte-order mark
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		item, err := t.parseLine(line)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s:%d: %w", path, number, err))
			continue
		}
		if item.ID == "" {
			item.ID = strconv.Itoa(len(items))
		}
		items = append(items, item)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		bad = append(bad, fmt.Errorf("%s:%d: line longer than %d bytes", path, number+1, MaxLineBytes))
	case err != nil:
		bad = append(bad, fmt.Errorf("%s:%d: %w", path, number+1, err))
	case len(items) == 0 && len(bad) == 0:
		bad = append(bad, fmt.Errorf("%s: no rows", path))
	}
	if err := firstOf(bad); err != nil {
		return nil, "", err
	}
	makeUnique(items)
	return items, hex.EncodeToString(sum.Sum(nil)), nil
}

// parseLine parses one line and checks what every item promises.
func (t Task) parseLine(line []byte) (Item, error) {
	if !utf8.Valid(line) {
		return Item{}, errors.New("not UTF-8 text")
	}
	return t.Parse(line)
}

// firstOf joins the first few errors and counts the others.
func firstOf(errs []error) error {
	if more := len(errs) - maxReported; more > 0 {
		errs = append(slices.Clone(errs[:maxReported]), fmt.Errorf("and %d more bad lines", more))
	}
	return errors.Join(errs...)
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
