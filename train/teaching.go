package train

import (
	"errors"
	"fmt"

	"plumb/arch"
	"plumb/kernels"
	"plumb/model"
)

// teaching holds the settings of what is learned from a teacher. The loss of a
// token is the sum of the weighted losses; each is a mean over the tokens that
// are predicted, that of attention over heads too, and those of layers are added
// up over the layers that are compared.
type teaching struct {
	Label         float64 `stage:"label"`          // weight of the text's cross-entropy
	Logits        float64 `stage:"logits"`         // weight of the distance of logits
	LogitLoss     string  `stage:"logits_loss"`    // a name in LogitLosses
	Temperature   float64 `stage:"temperature"`    // of kl, which is multiplied by its square
	Hidden        float64 `stage:"hidden"`         // weight of the distance of what layers give
	HiddenLoss    string  `stage:"hidden_loss"`    // a name in StateLosses
	Embedding     float64 `stage:"embedding"`      // weight of the same of what enters the first layer
	Attention     float64 `stage:"attention"`      // weight of the distance of attention
	AttentionLoss string  `stage:"attention_loss"` // a name in AttentionLosses
	Layers        string  `stage:"layers"`         // which are compared: a name in LayerMaps, or pairs
}

// newTeaching has the weights and temperature of DistilBERT's script for
// generative models.
func newTeaching() teaching {
	return teaching{
		Label: 0.5, Logits: 0.5, LogitLoss: "kl", Temperature: 2,
		HiddenLoss: "cosine", AttentionLoss: "kl", Layers: "last",
	}
}

// uses reports whether anything is learned from the teacher.
func (t *teaching) uses() bool { return t.Logits > 0 || t.states() || t.Attention > 0 }

func (t *teaching) states() bool { return t.Hidden > 0 || t.Embedding > 0 }

// Check reports settings that make no sense.
func (t *teaching) Check() error {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	sum := 0.0
	for _, w := range []struct {
		name   string
		weight float64
	}{{"label", t.Label}, {"logits", t.Logits}, {"hidden", t.Hidden}, {"embedding", t.Embedding}, {"attention", t.Attention}} {
		if !(w.weight >= 0 && w.weight <= 1e6) {
			note(fmt.Errorf("%s=%v: a weight between 0 and 1e6 is wanted", w.name, w.weight))
		}
		sum += w.weight
	}
	if sum == 0 {
		note(errors.New("all weights are 0: there is nothing to learn"))
	}
	if !(t.Temperature >= 0.01 && t.Temperature <= 1000) {
		note(fmt.Errorf("temperature=%v: between 0.01 and 1000 is wanted", t.Temperature))
	}
	_, err := LogitLosses.Get(t.LogitLoss)
	note(err)
	_, err = StateLosses.Get(t.HiddenLoss)
	note(err)
	_, err = AttentionLosses.Get(t.AttentionLoss)
	note(err)
	if _, err := LayerMaps.Get(t.Layers); err != nil {
		_, err = parsePairs(t.Layers)
		note(err)
	}
	return errors.Join(problems...)
}

// Fits implements Learner.
func (t *teaching) Fits(student, teacher arch.Config) error {
	if !t.uses() {
		return nil
	}
	if student.Vocab != teacher.Vocab {
		return fmt.Errorf("the teacher knows %d tokens and the student %d: both must have the same vocabulary", teacher.Vocab, student.Vocab)
	}
	if teacher.Context < student.Context {
		return fmt.Errorf("the teacher reads %d tokens and the student learns from rows of %d: its context must be as long", teacher.Context, student.Context)
	}
	if _, err := layerMap(t.Layers, student.Layers, teacher.Layers); err != nil {
		return err
	}
	if t.states() && (student.Width != teacher.Width || student.TokenWidth() != teacher.TokenWidth()) {
		return fmt.Errorf("hidden states of width %d cannot be compared with the teacher's of %d: leave out hidden and embedding", student.Width, teacher.Width)
	}
	if t.Attention > 0 {
		return sameAttention(student, teacher)
	}
	return nil
}

// sameAttention reports why the attention of two shapes cannot be compared.
func sameAttention(student, teacher arch.Config) error {
	if student.Heads != teacher.Heads {
		return fmt.Errorf("%d heads cannot be compared with the teacher's %d: leave out attention", student.Heads, teacher.Heads)
	}
	for _, c := range []arch.Config{student, teacher} {
		if c.Window > 0 || c.AttentionSoftCap > 0 {
			return errors.New("attention with a window or a soft cap cannot be compared: leave out attention")
		}
	}
	return nil
}

// teachable reports a teacher that has nothing to teach.
func teachable(teacher *model.Model) error {
	if teacher == nil {
		return errors.New("this stage learns from a teacher: give it one, or set label=1 and the other weights to 0")
	}
	if name, ok := teacher.AllFinite(); !ok {
		return fmt.Errorf("array %s of the teacher holds a NaN or Inf", name)
	}
	return nil
}

// A distiller is the guide of a student: it runs the teacher on the same rows,
// compares, and adds up.
type distiller struct {
	*teaching
	teacher *model.Model
	reading *model.Reading
	layers  map[int]int // layers of the student that are compared, to the teacher's
	depth   int         // layers of the student
	logits  LogitLoss
	state   StateLoss
	heads   AttentionLoss

	batch, length int
	targets       []int32   // [t]
	tokens        []float64 // [t] losses
	perHead       []float64 // [t, h]
	scale         float64   // 1 / tokens of a step
	sum           float64   // of weighted losses since read
}

// distiller returns a guide to what teacher knows, nil where nothing of it has
// any weight. t has been checked.
func (t *teaching) distiller(student, teacher *model.Model) (*distiller, error) {
	if !t.uses() {
		return nil, nil
	}
	if err := teachable(teacher); err != nil {
		return nil, err
	}
	if err := t.Fits(student.Config(), teacher.Config()); err != nil {
		return nil, err
	}
	d := &distiller{teaching: t, teacher: teacher, depth: student.Config().Layers, layers: map[int]int{}}
	pairs, err := layerMap(t.Layers, d.depth, teacher.Config().Layers)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		d.layers[p.student] = p.teacher
	}
	d.logits, err = LogitLosses.Get(t.LogitLoss)
	if err == nil {
		d.state, err = StateLosses.Get(t.HiddenLoss)
	}
	if err == nil {
		d.heads, err = AttentionLosses.Get(t.AttentionLoss)
	}
	return d, err
}

// attend takes the memory for passes of batch rows and lets d see those of tape.
func (d *distiller) attend(tape *model.Tape, heads, batch, length int) {
	d.batch, d.length = batch, length
	d.reading = d.teacher.NewReading(batch, length, d.teaching.Attention > 0)
	d.targets, d.tokens = make([]int32, batch*length), make([]float64, batch*length)
	d.perHead = make([]float64, batch*length*heads)
	tape.Guide(d)
}

// read shows the teacher the rows [batch, length+1] that the student will see
// next. scale is that of a token's loss.
func (d *distiller) read(tokens []int32, scale float64) {
	d.sum, d.scale = 0, scale
	for b := range d.batch {
		copy(d.targets[b*d.length:(b+1)*d.length], tokens[b*(d.length+1)+1:(b+1)*(d.length+1)])
	}
	d.reading.Read(tokens)
}

// loss is the weighted loss of the rows that were read last, their share of
// that of the step.
func (d *distiller) loss() float64 { return d.sum }

// flops is what the teacher's forward pass costs for a token.
func (d *distiller) flops() float64 { return d.teacher.Config().ForwardFLOPs(d.length) }

// Logits implements model.Guide.
func (d *distiller) Logits(dlogits, logits []float32, from, rows int) {
	if d.teaching.Logits == 0 {
		return
	}
	losses := d.tokens[:rows]
	clear(losses)
	d.logits(dlogits, losses, logits, d.reading.Logits(from, rows), d.targets[from:from+rows], float32(d.Temperature), float32(d.scale*d.teaching.Logits))
	d.add(losses, d.teaching.Logits)
}

// State implements model.Guide. What a layer gives is what the next is given.
func (d *distiller) State(dx, x []float32, layer int) {
	if layer == 0 {
		d.compare(dx, x, 0, d.Embedding)
	} else if teacher, ok := d.layers[layer-1]; ok {
		d.compare(dx, x, teacher+1, d.Hidden)
	}
}

// compare adds the loss of a state and the teacher's before a layer.
func (d *distiller) compare(dx, x []float32, teacher int, weight float64) {
	if weight == 0 {
		return
	}
	clear(d.tokens)
	d.state(dx, d.tokens, x, d.reading.State(teacher), d.targets, float32(d.scale*weight))
	d.add(d.tokens, weight)
}

// Attention implements model.Guide.
func (d *distiller) Attention(dq, dk []float32, seen kernels.Attended, layer int) {
	teacher, ok := d.layers[layer]
	if !ok || d.teaching.Attention == 0 {
		return
	}
	clear(d.perHead)
	weight := d.teaching.Attention / float64(seen.Query)
	d.heads(dq, dk, d.perHead, seen, d.reading.Attention(teacher), d.targets, d.batch, float32(d.scale*weight))
	d.add(d.perHead, weight)
}

func (d *distiller) add(losses []float64, weight float64) {
	sum := 0.0
	for _, loss := range losses {
		sum += loss
	}
	d.sum += float64(sum * weight * d.scale)
}
