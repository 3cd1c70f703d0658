package experiments

import (
	"context"

	"plumb/results"
)

// An Executor does the work of stages. It writes into Job.Dir only, and what it
// writes there, timings and checkpoints apart, depends on the stage's inputs
// alone. When ctx ends it leaves a checkpoint if it can and returns the
// context's error.
type Executor interface {
	// Prepare turns text into token streams and a tokenizer.
	Prepare(ctx context.Context, job *Job) (Outcome, error)
	// Train trains a model and measures it on the validation text.
	Train(ctx context.Context, job *Job) (Outcome, error)
	// Compress makes a smaller model by a step of a recipe.
	Compress(ctx context.Context, job *Job) (Outcome, error)
	// Heal trains a compressed model by a step of a recipe.
	Heal(ctx context.Context, job *Job) (Outcome, error)
	// Score measures the model on the trial's tasks.
	Score(ctx context.Context, job *Job) (Outcome, error)
}

// A Job is a stage to be done.
type Job struct {
	*Stage
	Experiment string
	Dir        string   // of this stage
	DataDir    string   // of the data stage; empty for data itself
	ModelDir   string   // of the stage whose model is scored, or given to a recipe's stage
	BaseDir    string   // of the training stage that it began with
	TuningDirs []string // of the candidates' training stages, for a tuned trial that is scored
	Workers    int      // kernels may use so many goroutines

	Progress func(Progress) // may be called from one goroutine, often
	Warn     func(error)    // about what was found damaged and is done again

	sources *sources
	disk    disk
}

// Progress says how far a stage is.
type Progress struct {
	Done, Total int     // steps of training, items of scoring
	Tokens      int     // trained on in this stage so far
	Loss        float64 // of the last step, nats per token; 0 when scoring
}

// An Outcome says how a stage ended that was done to its end.
type Outcome struct {
	Status results.Status // ok, diverged or invalid
	Note   string         // why it is not ok
}
