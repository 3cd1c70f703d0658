package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/internal/atomicfile"
)

// A Choice is what one answer on offer scored.
type Choice struct {
	Sum       float64 `json:"sum"`                 // nats: ln p of the continuation, summed over its tokens
	Tokens    int     `json:"tokens"`              // tokens of the continuation
	Length    int     `json:"length"`              // what normalises Sum: code points of the choice, bytes of a document
	Greedy    bool    `json:"greedy,omitempty"`    // each token was the most likely one
	Truncated int     `json:"truncated,omitempty"` // tokens of context that did not fit
	Bytes     int     `json:"bytes,omitempty"`     // UTF-8 bytes of the choice, where they are not Length
	Words     int     `json:"words,omitempty"`     // of a document
}

// An Item is one question, or one document, and what its choices scored.
type Item struct {
	ID      string   `json:"id"`
	Cluster string   `json:"cluster,omitempty"` // items of one cluster are not independent; empty: the item stands alone
	Gold    int      `json:"gold"`              // index of the right choice
	Choices []Choice `json:"choices"`

	Answer string             `json:"answer,omitempty"` // what the model wrote, where it was asked to
	Marks  map[string]float64 `json:"marks,omitempty"`  // what Answer is worth, by metric
}

// Items is what a model scored on every item of a task: paired comparisons,
// re-scoring and audits are made from it.
type Items struct {
	Task     string // such as "winogrande"
	Version  string // version of the task: what is asked
	Protocol string // how it was scored: a hash or a name of the settings
	Items    []Item
}

// itemsHeader is the first line of an items file.
type itemsHeader struct {
	Format   string `json:"format"`
	Task     string `json:"task"`
	Version  string `json:"version"`
	Protocol string `json:"protocol"`
	Count    int    `json:"items"`
}

const itemsFormat = "plumb items 1"

// Check says what keeps x from being stored: sums that are not numbers, gold
// answers that do not exist, items of the same name.
func (x Items) Check() error {
	if err := validText(x.Task, x.Version, x.Protocol); err != nil {
		return err
	}
	seen := make(map[string]bool, len(x.Items))
	for _, item := range x.Items {
		if seen[item.ID] {
			return fmt.Errorf("task %s: two items are called %q", x.Task, item.ID)
		}
		seen[item.ID] = true
		if err := item.check(); err != nil {
			return fmt.Errorf("task %s: item %q: %w", x.Task, item.ID, err)
		}
	}
	return nil
}

func (item Item) check() error {
	if item.Gold < 0 || item.Gold >= len(item.Choices) {
		return fmt.Errorf("gold %d, but the choices are 0 to %d", item.Gold, len(item.Choices)-1)
	}
	for i, c := range item.Choices {
		if !finite(c.Sum) {
			return fmt.Errorf("choice %d scored %v; record the measurement as diverged", i, c.Sum)
		}
		if c.Tokens < 0 || c.Length < 0 || c.Truncated < 0 || c.Bytes < 0 || c.Words < 0 {
			return fmt.Errorf("choice %d has a negative count", i)
		}
	}
	for metric, mark := range item.Marks {
		if !finite(mark) {
			return fmt.Errorf("%s is %v", metric, mark)
		}
	}
	return validText(item.ID, item.Cluster, item.Answer)
}

// Encode returns the bytes of an items file: a header, then a sealed line an
// item, in the given order. Sums keep every bit.
func (x Items) Encode() ([]byte, error) {
	if err := x.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeSealed(&b, itemsHeader{itemsFormat, x.Task, x.Version, x.Protocol, len(x.Items)}); err != nil {
		return nil, err
	}
	for _, item := range x.Items {
		if err := writeSealed(&b, item); err != nil {
			return nil, fmt.Errorf("task %s: %w", x.Task, err)
		}
	}
	return b.Bytes(), nil
}

// ItemsPath is where the items file with this hash lies below dir.
func ItemsPath(dir, hash string) string { return filepath.Join(dir, hash+".jsonl") }

// Write puts x below dir, under a name made of its hash, which it returns: 32
// hexadecimal digits of the SHA-256 of the file. A file that is there already
// holds the same bytes and is left alone, unless it has been damaged.
func (x Items) Write(dir string) (hash string, err error) {
	data, err := x.Encode()
	if err != nil {
		return "", err
	}
	hash = hashOf(data)
	path := ItemsPath(dir, hash)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return hash, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return hash, atomicfile.Write(path, data)
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// ReadItems reads the items file with this hash below dir. A file whose bytes
// do not have the hash is a *CorruptError.
func ReadItems(dir, hash string) (Items, error) {
	if !isHash(hash) {
		return Items{}, fmt.Errorf("%q is no hash of an items file: 32 hexadecimal digits", hash)
	}
	path := ItemsPath(dir, hash)
	data, err := os.ReadFile(path)
	if err != nil {
		return Items{}, err
	}
	if got := hashOf(data); got != hash {
		return Items{}, &CorruptError{File: path, Reason: fmt.Sprintf("its bytes have the hash %s", got)}
	}
	return parseItems(path, data)
}

// isHash keeps names from a record, which may come from anywhere, from
// leading out of the folder.
func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 32
}

// ReadItemsFile reads an items file wherever it lies, checking each line
// against its checksum and the number of lines against the header.
func ReadItemsFile(path string) (Items, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Items{}, err
	}
	return parseItems(path, data)
}

// parseItems reads the bytes of the file called path.
func parseItems(path string, data []byte) (Items, error) {
	lines, whole, torn := sealedLines(data)
	corrupt := func(line int, err error) (Items, error) {
		return Items{}, &CorruptError{File: path, Line: line, Reason: err.Error()}
	}
	if torn > 0 || whole == 0 {
		return corrupt(whole+1, errors.New("the file is cut off"))
	}
	var x Items
	for i, line := range lines {
		if i == 0 {
			head, err := readItemsHeader(line)
			if err != nil {
				return corrupt(1, err)
			}
			if head.Count != whole-1 {
				return corrupt(0, fmt.Errorf("%d items, but its header says %d", whole-1, head.Count))
			}
			x = Items{Task: head.Task, Version: head.Version, Protocol: head.Protocol}
			continue
		}
		var item Item
		if err := unseal(line, &item); err != nil {
			return corrupt(i+1, err)
		}
		x.Items = append(x.Items, item)
	}
	if err := x.Check(); err != nil {
		return corrupt(0, err)
	}
	return x, nil
}

func readItemsHeader(line []byte) (head itemsHeader, err error) {
	if err := unseal(line, &head); err != nil {
		return head, err
	}
	if head.Format != itemsFormat {
		return head, fmt.Errorf("format %q, but this program reads %q", head.Format, itemsFormat)
	}
	return head, nil
}

// Scores returns one number an item whose mean is the metric (its part behind
// the slash) and whose spread is its error, see Measure. ok is false when the
// items do not determine the metric.
func (x Items) Scores(metric string) (scores []float64, ok bool) {
	m, err := Measures.Get(metric)
	if err != nil {
		return nil, false
	}
	_, scores, ok = m.Of(x.Items)
	return scores, ok
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Chance returns the accuracy of a guess: the mean over items of one over the
// number of choices. ok is false where nothing is chosen.
func (x Items) Chance() (chance float64, ok bool) {
	for _, item := range x.Items {
		if len(item.Choices) < 2 {
			return 0, false
		}
		chance += 1 / float64(len(item.Choices))
	}
	return chance / float64(max(1, len(x.Items))), len(x.Items) > 0
}

// Truncated returns how many items lost a part of their context.
func (x Items) Truncated() int {
	n := 0
	for _, item := range x.Items {
		for _, c := range item.Choices {
			if c.Truncated > 0 {
				n++
				break
			}
		}
	}
	return n
}

// An ItemSource finds the items of a record by their hash.
type ItemSource func(hash string) (Items, error)

// ItemFolders returns a source that looks in every folder called items below
// root, whatever trial it belongs to, and reads each file once.
func ItemFolders(root string) ItemSource {
	read := map[string]Items{}
	var folders []string
	walked := false
	return func(hash string) (Items, error) {
		if x, ok := read[hash]; ok {
			return x, nil
		}
		if !walked {
			folders, walked = itemFolders(root), true
		}
		for _, folder := range folders {
			x, err := ReadItems(folder, hash)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				read[hash] = x
			}
			return x, err
		}
		return Items{}, fmt.Errorf("no items file %s.jsonl in the items folders below %s: %w", hash, root, fs.ErrNotExist)
	}
}

func itemFolders(root string) (folders []string) {
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "items" {
			folders = append(folders, path)
		}
		return nil
	})
	return folders
}
