// Package tasks turns benchmark files into items: questions whose answers a
// language model scores. A benchmark is one file of this package, which adds
// its Task to All; what the model sees of each is in testdata/NAME.golden.
package tasks

import (
	"strings"
	"unicode/utf8"

	"plumb/internal/registry"
	"plumb/internal/world"
)

// A Choice is a text in two parts, of which only Continuation is scored.
// HellaSwag choices share their context and differ in the continuation;
// WinoGrande choices differ in the context and share the continuation.
// Scoring need not know which.
type Choice struct {
	Context      string // may be empty
	Continuation string // begins with its delimiter, one space, where there is one
	Length       int    // code points of the choice without the delimiter, for acc_norm
}

// An Item is one question: the answers on offer, and which of them is right.
// Items of the other kinds have one choice: of LastWord the right word, of Text
// the whole text, of Generated the prompt alone.
type Item struct {
	ID      string   // unique within a loaded task
	Before  string   // stands before every context: a task's preamble and solved examples
	Choices []Choice // at least two, or the one
	Gold    int      // index into Choices
	Cluster string   // items of one cluster were made together and vary together; "" stands alone

	Answers []string // Generated: texts that are right; the first is the one that examples show
	Words   int      // Text: pieces of the original text between white space
	Bytes   int      // Text: UTF-8 bytes of the original text
}

// A Kind says what is asked of a model.
type Kind int

// The kinds of tasks.
const (
	Choosing  Kind = iota // which of several continuations is the most likely
	LastWord              // whether the one right continuation is the most likely, and how likely
	Text                  // to predict whole texts token by token
	Generated             // to continue a prompt, token by token the most likely, into a right answer
)

// A Rule says which tokens of a choice are scored. The tokens are always those
// of context and continuation encoded as one text.
type Rule int

// The rules, by whom they are.
const (
	AfterContext Rule = iota // all after as many as the context alone has: lm-evaluation-harness
	AfterCommon              // all after those that every choice begins with: llama.cpp, HellaSwag
	AfterBlank               // those after the context but for the last: llama.cpp, WinoGrande
)

// A Cut says how a text becomes windows that a model can read.
type Cut int

// The ways to cut, see eval.Texts.
const (
	Rolling    Cut = iota // every token predicted once, each text from a start token: lm-evaluation-harness
	Apart                 // windows side by side, the first token of each unpredicted, the last partial one dropped: GPTQ and others
	ApartWhole            // the same, and the last partial one is kept: papers on compressed GPT-2
	SecondHalf            // windows side by side behind a start token, their second half predicted: llama.cpp
)

// A Row is one row of a task file as its parser gets it.
type Row struct {
	Line  []byte // a JSON object; or text, when Plain
	Plain bool   // the file is plain text
	Label string // its line of the file of labels; "" where there is no such file
}

// A Task is a benchmark under one protocol. It has either Parse, and is read
// from one of Files, or Generate, and comes from the built-in world.
type Task struct {
	About   string   // what is asked, in one line
	Version string   // of the protocol: how a row becomes requests
	Split   string   // of the data set, such as "validation"
	Files   []string // paths below a data folder, in the order they are looked for
	Train   []string // likewise of the split that solved examples are taken from; none: from the other items
	Metrics []string // what is reported, the first is the main one: "acc", "acc_norm"

	Kind   Kind
	Rule   Rule     // of Choosing and LastWord
	Cut    Cut      // of Text
	Window int      // tokens of a window of Text, at most the model's context; 0 means that
	Stop   []string // of Generated: an answer ends before the first of these
	Tokens int      // of Generated: most tokens of an answer
	// Mark says what a generated answer is worth by each of Metrics, from 0 to 1.
	Mark     func(answer string, right []string) map[string]float64
	Preamble string // before the examples, or the item where there are none
	Between  string // after each solved example; "" means a blank line

	Hard     bool    // a built-in kind that small models are not expected to learn
	Added    bool    // stated in a file of the user, see AddFile
	Shortcut float64 // share right by the best known shortcut, above chance; 0 where none is known

	// Labelled says that the official file X.jsonl has its labels in X-labels.lst.
	Labelled bool
	// Pieces cuts a file of plain text into rows; nil means lines.
	Pieces func(text string) []string
	// Parse reads one row of a file. An empty ID is filled in by Load with the
	// zero-based number of the row.
	Parse func(row Row) (Item, error)
	// Generate makes n items, or the fewer that complete clusters or that exist.
	Generate func(w *world.World, n int) ([]Item, error)
}

// All holds every task by name. A second protocol of a benchmark is called
// NAME@PROTOCOL.
var All = registry.New[Task]("task")

// newChoice is a choice whose continuation is one space and then text.
func newChoice(context, text string) Choice {
	return choiceOf(context, " "+text)
}

// choiceOf is a choice whose continuation begins with its delimiter.
func choiceOf(context, continuation string) Choice {
	length := utf8.RuneCountInString(strings.TrimPrefix(continuation, " "))
	return Choice{context, continuation, length}
}
