package experiments

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"sync"

	"plumb/internal/corpus"
	"plumb/internal/tokenizer"
	"plumb/internal/world"
	"plumb/results"
)

// A trainer is the Executor that trains and scores models.
type trainer struct{}

// Names in the folder of a data stage.
const (
	tokenizerFile = "tokenizer.json"
	trainFolder   = "train"
	validFolder   = "valid"
)

// Prepare implements Executor: a tokenizer learns from the training text, and
// both texts become token streams.
func (trainer) Prepare(ctx context.Context, job *Job) (Outcome, error) {
	words, learn, valid, err := job.texts(ctx)
	if err != nil {
		return Outcome{}, err
	}
	tok, err := learnTokenizer(job.Trial.Settings.Data.Vocab, words)
	if err != nil {
		return Outcome{}, err
	}
	if err := job.disk.write(filepath.Join(job.Dir, tokenizerFile), tok.JSON()); err != nil {
		return Outcome{}, err
	}
	parts := []struct {
		folder string
		docs   iter.Seq2[corpus.Document, error]
	}{{trainFolder, learn}, {validFolder, valid}}
	for _, part := range parts {
		err := job.disk.do("build", filepath.Join(job.Dir, part.folder), func() error {
			_, err := corpus.Build(part.docs, tok, filepath.Join(job.Dir, part.folder))
			return err
		})
		if err != nil {
			return Outcome{}, fmt.Errorf("%s text: %w", part.folder, err)
		}
	}
	return Outcome{Status: results.StatusOK}, nil
}

// texts returns the documents that a tokenizer learns from, those that a model
// learns from, and those held out.
func (job *Job) texts(ctx context.Context) (words, learn, valid iter.Seq2[corpus.Document, error], err error) {
	d := job.Trial.Settings.Data
	if d.Train == WorldText {
		words, learn, valid, err = job.worldTexts()
	} else {
		learn, valid, err = job.fileTexts(d)
		words = learn
	}
	return until(ctx, words), until(ctx, learn), until(ctx, valid), err
}

// Seeds of the world's texts. Training and validation tell of the same world
// in different words; neither holds a test item's answer sentence.
const (
	worldTrainText = 1
	worldValidText = 2
)

// worldVocabBytes is the least of the world's text that a tokenizer learns from.
// It holds all words of a world many times, so that a short run has the same
// vocabulary to fill as a long one.
const worldVocabBytes = 1 << 20

func (job *Job) worldTexts() (words, learn, valid iter.Seq2[corpus.Document, error], err error) {
	w, err := job.sources.world(job.Trial.Settings.Data.World)
	if err != nil {
		return nil, nil, nil, err
	}
	trainBytes, validBytes := job.Trial.worldBytes()
	train := w.Documents(worldTrainText)
	return corpus.WorldDocuments(train, max(trainBytes, worldVocabBytes)), corpus.WorldDocuments(train, trainBytes),
		corpus.WorldDocuments(w.Documents(worldValidText), validBytes), nil
}

// vocabFits remembers what worldVocabFits found, by world and size.
var vocabFits sync.Map

type vocabFit struct {
	world World
	size  int
}

// worldVocabFits says whether a world's text fills a vocabulary of so many ids.
func worldVocabFits(w World, size int) error {
	w.Options = w.WithDefaults()
	if known, ok := vocabFits.Load(vocabFit{w, size}); ok {
		err, _ := known.(error)
		return err
	}
	made, err := world.New(w.Seed, w.Options)
	if err == nil {
		_, err = learnTokenizer(Vocab{Size: size}, corpus.WorldDocuments(made.Documents(worldTrainText), worldVocabBytes))
	}
	vocabFits.Store(vocabFit{w, size}, err)
	return err
}

func (job *Job) fileTexts(d Data) (learn, valid iter.Seq2[corpus.Document, error], err error) {
	path, err := job.sources.textPath(d.Train)
	if err != nil {
		return nil, nil, err
	}
	learn = corpus.Documents(path, d.Documents)
	if d.Valid == "" {
		return corpus.TrainPart(learn, d.ValidShare), corpus.ValidPart(learn, d.ValidShare), nil
	}
	path, err = job.sources.textPath(d.Valid)
	return learn, corpus.Documents(path, d.Documents), err
}

// until ends a sequence with the context's error when ctx ends.
func until(ctx context.Context, docs iter.Seq2[corpus.Document, error]) iter.Seq2[corpus.Document, error] {
	return func(yield func(corpus.Document, error) bool) {
		for d, err := range docs {
			if ctx.Err() != nil {
				yield(corpus.Document{}, ctx.Err())
				return
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func learnTokenizer(v Vocab, docs iter.Seq2[corpus.Document, error]) (*tokenizer.Tokenizer, error) {
	if v.Bytes {
		return tokenizer.Bytes(), nil
	}
	var failure error
	tok, err := tokenizer.Train(corpus.Texts(docs, &failure), v.Size)
	if failure != nil {
		return nil, failure
	}
	if err != nil {
		return nil, fmt.Errorf("data.vocab: %w", err)
	}
	return tok, nil
}
