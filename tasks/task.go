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
	Continuation string // begins with its delimiter, one space
	Length       int    // code points of the choice without the delimiter, for acc_norm
}

// An Item is one question: the answers on offer, and which of them is right.
type Item struct {
	ID      string   // unique within a loaded task
	Choices []Choice // at least two
	Gold    int      // index into Choices
	Cluster string   // items of one cluster were made together and vary together; "" stands alone
}

// A Task is a benchmark. It has either Parse, and is read from one of Files,
// or Generate, and comes from the built-in world.
type Task struct {
	About   string   // what is asked, in one line
	Version string   // of the protocol: how a row becomes requests
	Split   string   // of the data set, such as "validation"
	Files   []string // paths below a data folder, in the order they are looked for
	Metrics []string // what is reported, the first is the main one: "acc", "acc_norm"

	Hard     bool    // a built-in kind that small models are not expected to learn
	Shortcut float64 // share right by the best known shortcut, above chance; 0 where none is known

	// Parse reads one line of a file. An empty ID is filled in by Load with the
	// zero-based number of the row.
	Parse func(line []byte) (Item, error)
	// Generate makes n items, or the fewer that complete clusters or that exist.
	Generate func(w *world.World, n int) ([]Item, error)
}

// All holds every task by name.
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
