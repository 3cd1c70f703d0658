package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"plumb/eval"
	"plumb/kernels"
	"plumb/model"
	"plumb/results"
)

// Metrics of specs with recipes. Those of what is stored are counted.
const (
	validPerplexity = "valid/token_perplexity"
	baseDivergence  = "base/kl"        // mean over tokens of KL(base ‖ model), nats
	baseAgreement   = "base/agreement" // share of tokens for which both find the same one most likely
	storedBytes     = "size/stored"    // of all arrays, as they are stored

	fileBytes    = "size/file" // of the file of weights
	weightBits   = "size/bits_per_weight"
	macsPerToken = "macs/token" // averaged over a full context
)

// sizeMetrics are counted of every model of a spec with recipes.
var sizeMetrics = []string{storedBytes, fileBytes, weightBits, macsPerToken}

// comparedMetrics lists what models of specs with recipes are measured by.
func comparedMetrics(all []*Trial) []string {
	if !slices.ContainsFunc(all, func(t *Trial) bool { return t.Compared }) {
		return nil
	}
	return slices.Concat(sizeMetrics, []string{validPerplexity, baseDivergence, baseAgreement}, sortedKeys(speedUnits))
}

// remeasure measures a compressed model on the validation text, by itself and
// beside the model that it was made of.
func (s *scoring) remeasure(ctx context.Context) error {
	var err error
	if s.outcome, err = statusOf(s.ModelDir); err != nil {
		return err
	}
	c, err := results.ReadCurve(filepath.Join(s.ModelDir, curveFile))
	if err != nil {
		return err
	}
	if err := s.writeCurve(filepath.Join(s.Dir, curveFile), c.Points, c.Status, s.Trial.Keys); err != nil {
		return err
	}
	if s.outcome.Status != results.StatusOK {
		s.lost()
		return nil
	}
	d, err := openData(s.DataDir)
	if err != nil {
		return err
	}
	docs := d.heldOut(s.Trial.Settings.Data.ValidTokens)
	m, err := model.Load(filepath.Join(s.ModelDir, modelFolder))
	if err != nil {
		return err
	}
	m.Freeze()
	r, err := eval.Perplexity(ctx, m, d.tok, docs, eval.Options{})
	if errors.Is(err, eval.ErrInvalid) {
		s.outcome = Outcome{results.StatusDiverged, err.Error()}
		s.lost()
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.held(r); err != nil {
		return err
	}
	return s.compare(ctx, m, docs, d.tok.EndOfText())
}

// lost records that a model which diverged has no measures.
func (s *scoring) lost() {
	for metric, unit := range map[string]string{
		validBits: "bits/byte", validNats: "nats/token", validPerplexity: "perplexity", baseDivergence: "nats/token", baseAgreement: "share",
	} {
		s.add(results.Record{Metric: metric, Unit: unit, Status: s.outcome.Status, Note: s.outcome.Note})
	}
	slices.SortFunc(s.records, func(a, b results.Record) int { return slices.Compare([]string{a.Metric}, []string{b.Metric}) })
}

// held records the measures of the validation text.
func (s *scoring) held(r eval.Rolling) error {
	hash, err := s.writeItems(r.Stored(validTask, validVersion))
	if err != nil {
		return err
	}
	record := results.Record{Items: hash, Tokens: r.TokenHash, Status: results.StatusOK}
	add := func(metric, unit string, value, stdErr float64) {
		one := record
		one.Metric, one.Unit, one.Origin = metric, unit, results.Measured
		measure(&one, value, stdErr, r.Tokens)
		s.add(one)
	}
	add(validBits, "bits/byte", r.BitsPerByte, r.BitsStdErr)
	add(validNats, "nats/token", r.NatsPerToken, r.NatsStdErr)
	s.perplexity(s.records[len(s.records)-1])
	return nil
}

// perplexity records e to the power of the mean loss that nats is a record of.
func (s *scoring) perplexity(nats results.Record) {
	if nats.Metric != validNats {
		return
	}
	r := nats
	r.Metric, r.Unit = validPerplexity, "perplexity"
	if nats.Value != nil {
		r.Value = results.Number(kernels.Exp64(*nats.Value))
	}
	if nats.Value != nil && nats.StdErr != nil {
		r.StdErr = results.Number(*r.Value * *nats.StdErr)
	}
	s.add(r)
}

// comparedTokens is about how many tokens two models are compared on, whose
// every logit is computed.
const comparedTokens = 8192

// compare records how far the model is from that at the recipe's start.
func (s *scoring) compare(ctx context.Context, m *model.Model, docs []eval.Document, start int32) error {
	base, err := model.Load(filepath.Join(s.BaseDir, modelFolder))
	if err != nil {
		return err
	}
	base.Freeze()
	var c comparison
	for _, window := range windowsOf(docs, start, m.Context()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.add(base, m, window); err != nil {
			return err
		}
	}
	add := func(metric, unit string, sums []float64) {
		r := results.Record{Metric: metric, Unit: unit, Status: results.StatusOK, Origin: results.Measured}
		value, stdErr := ratioOf(sums, c.tokens)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			r.Status, r.Note = results.StatusDiverged, "logits hold a NaN or Inf"
		} else {
			measure(&r, value, stdErr, c.all())
		}
		s.add(r)
	}
	add(baseDivergence, "nats/token", c.divergence)
	add(baseAgreement, "share", c.agreed)
	return nil
}

// A comparison gathers by window how far two models are apart.
type comparison struct {
	tokens, divergence, agreed []float64
	gradient                   []float32
}

func (c *comparison) all() int {
	n := 0.0
	for _, t := range c.tokens {
		n += t
	}
	return int(n)
}

// add runs both models on a window.
func (c *comparison) add(base, m *model.Model, window []int32) error {
	p, err := base.Logits(window)
	if err != nil {
		return err
	}
	q, err := m.Logits(window)
	if err != nil {
		return err
	}
	if len(p) != len(q) {
		return fmt.Errorf("the models have vocabularies of %d and %d ids and cannot be compared", len(p)/len(window), len(q)/len(window))
	}
	losses, targets := make([]float64, len(window)), make([]int32, len(window))
	c.gradient = slices.Grow(c.gradient[:0], len(p))[:len(p)]
	clear(c.gradient)
	kernels.Divergence(c.gradient, losses, q, p, targets, 1, 0)
	sum, agreed, vocab := 0.0, 0.0, len(p)/len(window)
	for i, loss := range losses {
		sum += loss
		if mostLikely(p[i*vocab:(i+1)*vocab]) == mostLikely(q[i*vocab:(i+1)*vocab]) {
			agreed++
		}
	}
	c.tokens, c.divergence, c.agreed = append(c.tokens, float64(len(window))), append(c.divergence, sum), append(c.agreed, agreed)
	return nil
}

// mostLikely is the index of the greatest logit, of equals the first.
func mostLikely(logits []float32) int {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return best
}

// windowsOf cuts documents into rows of context tokens behind a start token, and
// keeps about comparedTokens of them, spread evenly.
func windowsOf(docs []eval.Document, start int32, context int) [][]int32 {
	var all [][]int32
	for _, doc := range docs {
		for t := doc.Tokens; len(t) > 0; t = t[min(context-1, len(t)):] {
			all = append(all, append([]int32{start}, t[:min(context-1, len(t))]...))
		}
	}
	most := max(2, comparedTokens/context)
	stride := (len(all) + most - 1) / most
	var some [][]int32
	for i := 0; i < len(all); i += max(1, stride) {
		some = append(some, all[i])
	}
	return some
}

// ratioOf is Σa/Σb and its standard error over clusters, NaN with fewer than two.
func ratioOf(a, b []float64) (value, stdErr float64) {
	sumA, sumB := 0.0, 0.0
	for i := range a {
		sumA, sumB = sumA+a[i], sumB+b[i]
	}
	value = sumA / sumB
	if len(a) < 2 {
		return value, math.NaN()
	}
	squares, g := 0.0, float64(len(a))
	for i := range a {
		deviation := a[i] - float64(value*b[i])
		squares += float64(deviation * deviation)
	}
	return value, math.Sqrt(g/(g-1)*squares) / sumB
}

// sizes records what the model stores and computes, in specs with recipes.
func (s *scoring) sizes() error {
	if !s.Trial.Compared || s.outcome.Status != results.StatusOK {
		return nil
	}
	dir := filepath.Join(s.ModelDir, modelFolder)
	m, err := model.Load(dir)
	if err != nil {
		return err
	}
	file, err := os.Stat(filepath.Join(dir, model.WeightsFile))
	if err != nil {
		return err
	}
	size := m.Size()
	count := func(metric, unit string, value float64) {
		s.add(results.Record{Metric: metric, Unit: unit, Value: &value, N: 1, Status: results.StatusOK, Origin: results.Computed})
	}
	count(storedBytes, "bytes", float64(size.Bytes))
	count(fileBytes, "bytes", float64(file.Size()))
	count(weightBits, "bits/weight", 8*float64(size.Bytes)/float64(max(1, size.Params.Total)))
	count(macsPerToken, "MACs", float64(m.MACs(m.Context())))
	if s.Trial.Recipe != nil {
		count("params/total", "parameters", float64(size.Params.Total))
		count("params/body", "parameters", float64(size.Params.Body))
		count("params/embedding", "parameters", float64(size.Params.Embedding))
	}
	return nil
}
