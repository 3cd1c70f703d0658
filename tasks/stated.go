package tasks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// A Stated is a task of several choices that is stated in a TOML file, one of
// its [[task]] tables, instead of in Go.
type Stated struct {
	Name     string   `toml:"name"`
	About    string   `toml:"about"`
	Version  string   `toml:"version"`
	Split    string   `toml:"split"`
	Files    []string `toml:"files"`    // below a data folder, in the order they are looked for
	Train    []string `toml:"train"`    // likewise of the split that solved examples are taken from
	Metrics  []string `toml:"metrics"`  // acc, acc_norm, acc_bytes, acc_tokens; default the first two
	Labelled bool     `toml:"labelled"` // labels stand in X-labels.lst beside X.jsonl

	ID        string   `toml:"id"`         // field that names an item; default its row
	Context   string   `toml:"context"`    // template
	Contexts  []string `toml:"contexts"`   // instead: a template for each choice
	Choices   []string `toml:"choices"`    // a template for each choice; with contexts, one for all of them will do
	ChoicesIn string   `toml:"choices_in"` // instead: the field that holds the list of them
	Delimiter *string  `toml:"delimiter"`  // between context and choice; default one space
	Gold      string   `toml:"gold"`       // field of the right choice
	First     int      `toml:"first"`      // gold is a number and counts from this
	Labels    []string `toml:"labels"`     // instead: gold is one of these, in the order of the choices
	LabelsIn  string   `toml:"labels_in"`  // instead: the field that holds the list of them
}

// Limits of a file that states tasks.
const (
	maxStatedBytes = 1 << 16
	maxStated      = 256
)

// AddFile adds the tasks of a TOML file, or of every .toml file of a folder, to
// All. All mistakes of a file are reported at once, and then none of its tasks
// is added.
func AddFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no file or folder of tasks %s", path)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return addStated(path)
	}
	files, err := filepath.Glob(filepath.Join(path, "*.toml"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("folder %s holds no .toml file with tasks", path)
	}
	for _, file := range files {
		err = errors.Join(err, addStated(file))
	}
	return err
}

func addStated(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxStatedBytes {
		return fmt.Errorf("%s has %d bytes, more than the %d a file of tasks may have", path, info.Size(), maxStatedBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	stated, err := ParseStated(text)
	if err != nil {
		return fmt.Errorf("%s:\n%w", path, err)
	}
	for _, s := range stated {
		t, err := s.Task()
		if err != nil {
			return fmt.Errorf("%s:\n%w", path, err)
		}
		All.Add(s.Name, t)
	}
	return nil
}

// ParseStated reads the tasks of a TOML file and checks them.
func ParseStated(text []byte) ([]Stated, error) {
	var file struct {
		Tasks []Stated `toml:"task"`
	}
	errs, err := decodeTOML(text, &file)
	if err != nil {
		return nil, err
	}
	if len(file.Tasks) == 0 {
		errs = append(errs, errors.New("no [[task]]"))
	}
	if len(file.Tasks) > maxStated {
		errs = append(errs, fmt.Errorf("%d tasks, more than the %d a file may have", len(file.Tasks), maxStated))
		return nil, errors.Join(errs...)
	}
	seen := map[string]bool{}
	for _, s := range file.Tasks {
		if seen[s.Name] {
			errs = append(errs, fmt.Errorf("task %q is stated twice", s.Name))
		}
		seen[s.Name] = true
		if _, err := s.Task(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return file.Tasks, nil
}

// decodeTOML decodes text into v. Unknown keys are listed with their lines;
// what is no TOML at all is an error of its own.
func decodeTOML(text []byte, v any) (unknown []error, err error) {
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(v)
	var strict *toml.StrictMissingError
	if !errors.As(err, &strict) {
		var broken *toml.DecodeError
		if errors.As(err, &broken) {
			line, column := broken.Position()
			err = fmt.Errorf("line %d, column %d: %w", line, column, err)
		}
		return nil, err
	}
	for _, e := range strict.Errors {
		line, _ := e.Position()
		unknown = append(unknown, fmt.Errorf("line %d: unknown key %s", line, strings.Join(e.Key(), ".")))
	}
	return unknown, nil
}

// accuracies are the metrics that a task of several choices may have, which
// package results computes.
var accuracies = []string{"acc", "acc_norm", "acc_bytes", "acc_tokens", "acc_tokens_late"}

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.@-]{0,63}$`)

// Task returns the task that s states, or all that is wrong with it.
func (s Stated) Task() (Task, error) {
	var wrong []error
	add := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("task %q: "+format, append([]any{s.Name}, args...)...))
		}
	}
	add(goodName.MatchString(s.Name), "a name has small letters, digits, and . _ - @ inside")
	_, exists := All.Get(s.Name)
	_, group := Members(s.Name)
	add(exists != nil && !group && Canonical(s.Name) == s.Name, "there is one of this name; choose another, such as %s@mine", s.Name)
	add(s.About != "" && s.Version != "" && s.Split != "", "about, version and split say what it is; none may be missing")
	add(len(s.Files) > 0, "no files to look for below a data folder")
	add((s.Context != "") != (len(s.Contexts) > 0), "give context, or contexts with one for each choice")
	add((len(s.Choices) > 0) != (s.ChoicesIn != ""), "give choices, or choices_in")
	add(len(s.Contexts) == 0 || s.ChoicesIn == "" && (len(s.Choices) == 1 || len(s.Choices) == len(s.Contexts)), "contexts need as many choices, or one for all of them")
	add(len(s.Choices) == 0 || max(len(s.Choices), len(s.Contexts)) >= 2, "at least two choices")
	add(s.Gold != "" || s.Labelled, "gold names the field of the right choice")
	add(len(s.Labels) == 0 || s.LabelsIn == "", "give labels or labels_in, not both")
	metrics := s.Metrics
	if len(metrics) == 0 {
		metrics = []string{"acc", "acc_norm"}
	}
	for _, metric := range metrics {
		add(slices.Contains(accuracies, metric), "no metric %q (have %s)", metric, strings.Join(accuracies, ", "))
	}
	p, err := s.parser()
	if err != nil {
		wrong = append(wrong, fmt.Errorf("task %q: %w", s.Name, err))
	}
	return Task{
		About: s.About, Version: s.Version, Split: s.Split, Files: s.Files, Train: s.Train,
		Metrics: metrics, Labelled: s.Labelled, Added: true, Parse: p.parse,
	}, errors.Join(wrong...)
}

// A statedParser parses rows as a Stated says.
type statedParser struct {
	stated    Stated
	contexts  []template // one, or one for each choice
	choices   []template
	delimiter string
}

func (s Stated) parser() (statedParser, error) {
	p := statedParser{stated: s, delimiter: " "}
	if s.Delimiter != nil {
		p.delimiter = *s.Delimiter
	}
	contexts := s.Contexts
	if len(contexts) == 0 {
		contexts = []string{s.Context}
	}
	var err1, err2 error
	p.contexts, err1 = parseTemplates(contexts)
	p.choices, err2 = parseTemplates(s.Choices)
	return p, errors.Join(err1, err2)
}

func (p statedParser) parse(from Row) (Item, error) {
	var raw map[string]any
	if from.Plain {
		return Item{}, errors.New("a stated task reads rows of JSON, not plain text")
	}
	decoder := json.NewDecoder(bytes.NewReader(from.Line))
	decoder.UseNumber()
	if err := decode(from, &json.RawMessage{}); err != nil {
		return Item{}, err
	}
	if err := decoder.Decode(&raw); err != nil {
		return Item{}, err
	}
	item, err := p.item(raw)
	if err != nil {
		return Item{}, err
	}
	item.Gold, err = p.gold(raw, from.Label, len(item.Choices))
	if err == nil && p.stated.ID != "" {
		item.ID, err = textAt(raw, p.stated.ID)
	}
	return item, err
}

// item fills the templates.
func (p statedParser) item(row map[string]any) (Item, error) {
	contexts, err := fill(p.contexts, row)
	if err != nil {
		return Item{}, err
	}
	var choices []string
	if p.stated.ChoicesIn != "" {
		choices, err = textsAt(row, p.stated.ChoicesIn)
	} else {
		choices, err = fill(p.choices, row)
	}
	if err != nil {
		return Item{}, err
	}
	n := max(len(contexts), len(choices))
	if n < 2 || n > MaxChoices {
		return Item{}, fmt.Errorf("%d choices, not 2 to %d", n, MaxChoices)
	}
	var item Item
	for i := range n {
		context, choice := contexts[min(i, len(contexts)-1)], choices[min(i, len(choices)-1)]
		if choice == "" {
			return Item{}, fmt.Errorf("choice %d is empty", i)
		}
		item.Choices = append(item.Choices, Choice{context, p.delimiter + choice, utf8.RuneCountInString(choice)})
	}
	return item, nil
}

// gold is the index of the right choice.
func (p statedParser) gold(row map[string]any, label string, choices int) (int, error) {
	var err error
	if label == "" {
		if label, err = textAt(row, p.stated.Gold); err != nil {
			return 0, err
		}
	}
	labels := p.stated.Labels
	if p.stated.LabelsIn != "" {
		if labels, err = textsAt(row, p.stated.LabelsIn); err != nil {
			return 0, err
		}
	}
	if labels == nil {
		n, err := strconv.Atoi(label)
		if err != nil || n < p.stated.First || n >= p.stated.First+choices {
			return 0, fmt.Errorf("%s %q is not a whole number from %d to %d", p.stated.Gold, label, p.stated.First, p.stated.First+choices-1)
		}
		return n - p.stated.First, nil
	}
	at := slices.Index(labels, label)
	if at < 0 || at >= choices {
		return 0, fmt.Errorf("%s %q is none of the labels %q of %d choices", p.stated.Gold, label, labels, choices)
	}
	return at, nil
}
