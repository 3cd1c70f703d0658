package experiments

import (
	"encoding/json"
	"fmt"

	"plumb/arch"
	"plumb/eval"
	"plumb/internal/atomicfile"
	"plumb/internal/world"
	"plumb/train"
)

// Kinds of stages, in the order of a trial.
const (
	DataStage  = "data"  // text and tokenizer become token streams
	TrainStage = "train" // a model learns, and is validated

	CompressStage = "compress" // a method of compression makes a smaller model
	HealStage     = "heal"     // a compressed model learns again

	ScoreStage = "score" // its tasks are scored; the stage is the trial's own

	speedStage = "speed" // all models are timed; in events only
)

// Numerics is the version of everything that decides the bits of a result:
// kernels, the forward and backward pass, the optimiser, scoring. Whoever
// changes one of these bits raises it, and all trials are run anew.
const Numerics = 2

// A Stage is one piece of work. Stages that depend on the same things are the
// same stage and are done once.
type Stage struct {
	Kind  string
	ID    string // hash of all that it depends on; names its folder
	Trial *Trial // the first of the trials that need it

	Train  train.Config // of a training stage: with the tuned settings filled in
	Seed   uint64       // likewise
	Data   string       // ID of the stage that it reads; empty for data itself
	Model  string       // of a score stage: ID of the stage whose model is scored; of a recipe's: of that which it is given
	Base   string       // of stages behind a training: its ID
	Step   *Step        // of a recipe's stage
	First  int64        // of a stage that heals: the row of the text that it begins with
	Tuning *Tuning      // of a score stage of a tuned trial

	inputs json.RawMessage
}

// A Tuning is what came of the candidates of a trial.
type Tuning struct {
	Stages []string   // IDs of the candidates' training stages
	Losses []*float64 // nats per token of the validation text; nil for one that diverged
	Best   int        // index in the trial's Tuned
	Edge   []string   // keys whose best value is the least or greatest tried
}

// identify returns the ID of a stage with these inputs: 16 hexadecimal digits.
func identify(kind string, inputs []byte) string {
	return atomicfile.Hash(append([]byte(stageFormat+" "+kind+"\n"), inputs...))[:16]
}

func newStage(kind string, trial *Trial, inputs any) (*Stage, error) {
	data, err := json.Marshal(inputs)
	if err != nil {
		return nil, fmt.Errorf("experiments: inputs of a stage cannot be written: %w", err)
	}
	return &Stage{Kind: kind, ID: identify(kind, data), Trial: trial, inputs: data}, nil
}

// dataInputs is what a data stage depends on.
type dataInputs struct {
	Train      string         `json:"train"` // hash of the texts, or "world"
	Valid      string         `json:"valid"`
	ValidShare float64        `json:"valid_share,omitempty"`
	Documents  string         `json:"documents,omitempty"`
	Vocab      string         `json:"vocab"`
	WorldSeed  uint64         `json:"world_seed,omitempty"`
	World      *world.Options `json:"world,omitempty"`
	TrainBytes int            `json:"train_bytes,omitempty"`
	VocabBytes int            `json:"vocab_bytes,omitempty"` // where the tokenizer learns from more than that
	ValidBytes int            `json:"valid_bytes,omitempty"`
	Numerics   int            `json:"numerics"`
}

// dataStage names the data of a trial.
func dataStage(t *Trial, src *sources) (*Stage, error) {
	d := t.Settings.Data
	in := dataInputs{Train: WorldText, Valid: WorldText, Vocab: d.Vocab.String(), Numerics: Numerics}
	if d.Train == WorldText {
		options := d.World.WithDefaults()
		in.WorldSeed, in.World = d.World.Seed, &options
		in.TrainBytes, in.ValidBytes = t.worldBytes()
		if in.TrainBytes < worldVocabBytes && !d.Vocab.Bytes {
			in.VocabBytes = worldVocabBytes
		}
		return newStage(DataStage, t, in)
	}
	in.Documents = d.Documents
	var err error
	if in.Train, err = src.textHash(d.Train); err != nil {
		return nil, err
	}
	in.Valid, in.ValidShare = "", d.ValidShare
	if d.Valid != "" {
		in.ValidShare = 0
		in.Valid, err = src.textHash(d.Valid)
	}
	if err != nil {
		return nil, err
	}
	return newStage(DataStage, t, in)
}

// worldBytesPerToken is a little more text than a token of the world's words
// takes, so that training reads hardly any of it twice.
const worldBytesPerToken = 6

// worldBytes returns how much text the world writes for training and validation.
func (t *Trial) worldBytes() (trainBytes, validBytes int) {
	perToken := worldBytesPerToken
	if t.Settings.Data.Vocab.Bytes {
		perToken = 2
	}
	trainBytes = t.Settings.Data.TrainBytes
	if trainBytes == 0 {
		trainBytes = t.Settings.Train.Tokens * perToken
	}
	validBytes = t.Settings.Data.ValidTokens * perToken
	if validBytes == 0 {
		validBytes = max(20_000, trainBytes/20)
	}
	return trainBytes, validBytes
}

// trainInputs is what a training stage depends on.
type trainInputs struct {
	Data        string       `json:"data"`
	Shape       arch.Config  `json:"shape"`
	Train       train.Config `json:"train"`
	Packing     string       `json:"packing"`
	ValidTokens int          `json:"valid_tokens"`
	Seed        uint64       `json:"seed"`
	Numerics    int          `json:"numerics"`
}

// trainStage names the training of the trial's shape with some settings.
func trainStage(t *Trial, data string, c train.Config, seed uint64) (*Stage, error) {
	shape := t.Shape
	shape.Name = ""
	s, err := newStage(TrainStage, t, trainInputs{data, shape, c, t.Settings.Data.Packing, t.Settings.Data.ValidTokens, seed, Numerics})
	if err != nil {
		return nil, err
	}
	s.Train, s.Seed, s.Data = c, seed, data
	return s, nil
}

// scoreInputs is what a trial depends on. A tuned trial depends on all its
// candidates, so its ID is known before they are trained.
type scoreInputs struct {
	Keys       map[string]string `json:"keys"`
	Axes       []string          `json:"axes"`
	Train      string            `json:"train,omitempty"`      // the training stage of a trial that tunes nothing
	Candidates []string          `json:"candidates,omitempty"` // the training stages that decide
	Final      []string          `json:"final,omitempty"`      // the training stages of this seed, one of which is scored
	Recipe     []string          `json:"recipe,omitempty"`     // the last stages of the recipe, one for each of those that may be scored
	Tasks      []taskInputs      `json:"tasks"`
	BOS        string            `json:"bos"`
	Numerics   int               `json:"numerics"`
}

type taskInputs struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"` // of every text that is scored
}

// bosSetting is how scored texts begin: as documents in training do.
const bosSetting = eval.BOSAlways

// An identity is a trial with the names of its stages.
type identity struct {
	trial      *Trial
	data       *Stage
	candidates []*Stage   // at the first seed, in the order of Trial.Tuned
	finals     []*Stage   // at the trial's own seed, in the same order; one when nothing is tuned
	base       *Stage     // the score stage of the model as trained; score itself without a recipe
	chains     [][]*Stage // the recipe's stages behind each of finals
	score      *Stage
}

// identify names all stages of a trial.
func (t *Trial) identify(src *sources) (*identity, error) {
	id := &identity{trial: t}
	var err error
	if id.data, err = dataStage(t, src); err != nil {
		return nil, err
	}
	in := scoreInputs{Keys: t.Keys, Axes: t.Axes, BOS: bosSetting, Numerics: Numerics}
	if in.Tasks, err = src.taskInputs(t); err != nil {
		return nil, err
	}
	if err := id.trainings(&in); err != nil {
		return nil, err
	}
	if id.base, err = newStage(ScoreStage, t, in); err != nil {
		return nil, err
	}
	if err := id.recipe(&in); err != nil {
		return nil, err
	}
	if id.score, err = newStage(ScoreStage, t, in); err != nil {
		return nil, err
	}
	id.score.Seed, id.score.Data = t.Seed, id.data.ID
	return id, nil
}

// trainings names the training stages, and tells the trial's inputs of them.
func (id *identity) trainings(in *scoreInputs) error {
	t := id.trial
	if len(t.Tuned) == 0 {
		only, err := trainStage(t, id.data.ID, t.Settings.Train.Config, t.Seed)
		if err != nil {
			return err
		}
		id.finals, in.Train = []*Stage{only}, only.ID
		return nil
	}
	for _, c := range t.Tuned {
		candidate, err := trainStage(t, id.data.ID, c.Train, t.First)
		if err != nil {
			return err
		}
		final, err := trainStage(t, id.data.ID, c.Train, t.Seed)
		if err != nil {
			return err
		}
		id.candidates, id.finals = append(id.candidates, candidate), append(id.finals, final)
		in.Candidates, in.Final = append(in.Candidates, candidate.ID), append(in.Final, final.ID)
	}
	return nil
}
