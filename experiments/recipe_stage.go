package experiments

import (
	"plumb/train"
)

// compressInputs is what a stage that compresses depends on.
type compressInputs struct {
	Model       string            `json:"model"`
	Stage       string            `json:"stage"` // with all its settings
	Calibration *calibrationInput `json:"calibration,omitempty"`
	Numerics    int               `json:"numerics"`
}

// calibrationInput names the text that a method is shown.
type calibrationInput struct {
	Data    string `json:"data"`
	Packing string `json:"packing"`
	Calibration
}

// healInputs is what a stage that trains a compressed model depends on.
type healInputs struct {
	Model    string       `json:"model"`
	Base     string       `json:"base"` // which may teach
	Stage    string       `json:"stage"`
	Train    train.Config `json:"train"`
	Data     string       `json:"data"`
	Packing  string       `json:"packing"`
	First    int64        `json:"first"` // row of the text
	Seed     uint64       `json:"seed"`
	Numerics int          `json:"numerics"`
}

// recipe names the stages of the trial's recipe behind every training that may
// be scored, and tells the trial's inputs of them.
func (id *identity) recipe(in *scoreInputs) error {
	if id.trial.Recipe == nil {
		return nil
	}
	for _, base := range id.finals {
		chain, err := id.trial.chain(base)
		if err != nil {
			return err
		}
		id.chains = append(id.chains, chain)
		in.Recipe = append(in.Recipe, chain[len(chain)-1].ID)
	}
	return nil
}

// chain names the stages of the recipe behind a training.
func (t *Trial) chain(base *Stage) (chain []*Stage, err error) {
	first := rowsOf(base.Train, t.Shape.Context)
	before := base
	for i := range t.Recipe.Steps {
		step := &t.Recipe.Steps[i]
		var s *Stage
		if step.Trains() {
			c := step.Config(base.Train)
			s, err = newStage(HealStage, t, healInputs{before.ID, base.ID, step.Stage.String(), c, base.Data, t.Settings.Data.Packing, first, base.Seed, Numerics})
			if err == nil {
				s.Train, s.First = c, first
				first += rowsOf(c, t.Shape.Context)
			}
		} else {
			in := compressInputs{Model: before.ID, Stage: step.Stage.String(), Numerics: Numerics}
			if step.Calibrates() {
				in.Calibration = &calibrationInput{base.Data, t.Settings.Data.Packing, t.Calibration}
			}
			s, err = newStage(CompressStage, t, in)
		}
		if err != nil {
			return nil, err
		}
		s.Step, s.Seed, s.Data, s.Model, s.Base = step, base.Seed, base.Data, before.ID, base.ID
		chain, before = append(chain, s), s
	}
	return chain, nil
}

// rowsOf is how many rows of the text a training reads.
func rowsOf(c train.Config, context int) int64 {
	return int64(c.Steps(context)) * int64(c.Rows(context))
}
