package experiments

import (
	"fmt"
	"strconv"

	"plumb/arch"
	"plumb/internal/world"
	"plumb/results"
	"plumb/train"
)

// A Spec is what an author wrote: one question, the models that answer it, and
// how to show the answer. Load makes one.
type Spec struct {
	Name     string   `toml:"name"`     // of the folder below runs; letters, digits, dots and dashes
	Question string   `toml:"question"` // what the experiment asks, in a sentence
	Seeds    []uint64 `toml:"seeds"`    // every trial is run once with each; [1] when absent
	Settings

	Sweep map[string]any   `toml:"sweep"` // axes: every combination; zip inside goes side by side
	List  []map[string]any `toml:"trial"` // or trials one by one
	Views []results.View   `toml:"view"`

	Recipes     []recipeText `toml:"recipe"`      // each model is measured as trained, and again after every recipe
	Calibration Calibration  `toml:"calibration"` // text that methods of compression are shown

	Speed Rounds `toml:"speed"` // how they are timed behind all that

	Source string   `toml:"-"` // the file it was read from
	Text   []byte   `toml:"-"` // that file, as written
	Set    []string `toml:"-"` // what the command line changed, key=value

	doc  *document
	made []*Trial
}

// Settings are what a trial is made of; a sweep may vary all of them.
type Settings struct {
	Tasks  []string `toml:"tasks" json:"tasks"` // names of tasks or groups
	Limit  int      `toml:"limit" json:"limit"` // only the first so many items of each task; 0 means all
	Items  int      `toml:"items" json:"items"` // items made of each built-in kind; 0 means tasks.DefaultItems
	Shots  int      `toml:"shots" json:"shots"` // solved examples before each item, the first that can stand there
	Data   Data     `toml:"data" json:"data"`
	Model  Model    `toml:"model" json:"model"`
	Budget Budget   `toml:"budget" json:"budget"`
	Train  Train    `toml:"train" json:"train"`
}

// Data says what models learn from.
type Data struct {
	Train       string  `toml:"train" json:"train"`               // file or folder of text below --data, or "world"
	Valid       string  `toml:"valid" json:"valid"`               // likewise; empty keeps valid_share of the documents of train
	ValidShare  float64 `toml:"valid_share" json:"valid_share"`   // of documents held out when valid is empty
	ValidTokens int     `toml:"valid_tokens" json:"valid_tokens"` // at most so many tokens are scored for validation; 0 means all
	Vocab       Vocab   `toml:"vocab" json:"vocab"`               // byte-level BPE trained on train, or "bytes"
	Documents   string  `toml:"documents" json:"documents"`       // how a text falls into documents, see corpus
	Packing     string  `toml:"packing" json:"packing"`           // "document": rows begin at a document; "stream": anywhere
	TrainBytes  int     `toml:"train_bytes" json:"train_bytes"`   // of text that the world writes; 0 means about what train.tokens reads once
	World       World   `toml:"world" json:"world"`
}

// World is the built-in world that data.train = "world" and the tasks called
// world_… speak about.
type World struct {
	Seed          uint64 `toml:"seed" json:"seed"`
	world.Options `toml:""`
}

// Model is what trials have in common, or a sweep varies.
type Model struct {
	arch.Config    `toml:",without=name vocab repeat"`
	Sharing        string  `toml:"sharing" json:"sharing_spec"`            // with its repeat count: "immediate x2"
	Blocks         int     `toml:"blocks" json:"blocks"`                   // instead of layers: layers are blocks × repeat
	KVGroup        int     `toml:"kv_group" json:"kv_group"`               // instead of kv_heads: query heads that share a key-value head
	FFNRatio       float64 `toml:"ffn_ratio" json:"ffn_ratio"`             // feed-forward width per width; 0 means 8/3 for gated kinds, else 4
	EmbeddingScale Scale   `toml:"embedding_scale" json:"embedding_scale"` // "width" for sqrt(width), or a number
}

// Budget is what every trial may cost; its width follows. Where a spec gives
// several budgets, match says which one holds, and may be swept.
type Budget struct {
	arch.Budget
	Match string `toml:"match" json:"match"` // "total", "body" or "flops"
}

// Train is a training run, and which of its settings each shape finds for itself.
type Train struct {
	train.Config
	Tune map[string]any `toml:"tune" json:"tune,omitempty"` // key of train → the values to try at the first seed
}

// Sizes of vocabularies where a spec gives none. The world has few words, and
// its walks fewest: their text has repeated pairs for 350 ids or so.
const (
	textVocab  = 1024
	worldVocab = 320
)

// vocab is the vocabulary that the spec gives, or else one that its text fills.
func (d Data) vocab() Vocab {
	switch {
	case d.Vocab.Size > 0:
		return d.Vocab
	case d.Train == WorldText:
		return Vocab{Size: worldVocab}
	}
	return Vocab{Size: textVocab}
}

// A Vocab is the number of ids of a vocabulary, or bytes.
type Vocab struct {
	Size  int  // ids; 0 leaves the choice to Data.vocab
	Bytes bool // ids are the bytes of the text
}

func (v *Vocab) choose(value any) error {
	if value == "bytes" {
		*v = Vocab{256, true}
		return nil
	}
	n, ok := value.(int64)
	if !ok || n < 257 || n > 1<<20 {
		return fmt.Errorf(`want a number of ids from 257 (the bytes and an end of text) to 1048576, or "bytes", got %s`, describe(value))
	}
	*v = Vocab{Size: int(n)}
	return nil
}

// String is the vocabulary as a spec writes it.
func (v Vocab) String() string {
	if v.Bytes {
		return "bytes"
	}
	return strconv.Itoa(v.Size)
}

// A Scale is a factor, or the square root of the width of the model.
type Scale struct {
	Factor    float64 // 0 means 1
	RootWidth bool
}

func (s *Scale) choose(value any) error {
	if value == "width" {
		*s = Scale{RootWidth: true}
		return nil
	}
	f, ok := number(value)
	if !ok || !(f > 0 && f < 1e6) {
		return fmt.Errorf(`want a number above 0, or "width" for sqrt(width), got %s`, describe(value))
	}
	*s = Scale{Factor: f}
	return nil
}

// reserved are keys of specs that this version knows of but does not read.
var reserved = map[string]string{
	"claim": "claims (verdicts in reports) are not supported by this version; remove [[claim]]",
}

// defaults is what a spec that says nothing means.
func defaults() Spec {
	return Spec{
		Seeds:       []uint64{1},
		Calibration: defaultCalibration,
		Speed:       Rounds{Workers: 1},
		Settings: Settings{
			Data: Data{
				Train: "world", ValidShare: 0.05, ValidTokens: 100_000, // vocab: see Data.vocab
				Documents: "file", Packing: "document",
				World: World{Seed: 1},
			},
			Model: Model{
				Config: arch.Config{
					Context: 256, HeadDim: 16, Activation: "swiglu", Norm: "rmsnorm", NormEps: 1e-5,
					Position: "rotary", RotaryTheta: 10_000, RotaryShare: 1, TiedHead: true,
				},
				Sharing: arch.NoSharing, EmbeddingScale: Scale{RootWidth: true},
			},
			Train: Train{Config: train.Defaults()},
		},
	}
}
