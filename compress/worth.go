package compress

import (
	"errors"
	"fmt"
	"math"

	"plumb/model"
)

// worth measures what heads and hidden units do for a model. Both write into
// the residual stream through a matrix [width, units·channels], and what follows
// is about the channels of a unit in this matrix, W, and their activations, a.
type worth struct {
	// By is taylor: the mean over texts of |Σ a·g|, where g is the gradient of the
	// loss; it is what the loss would change by without the unit, to first order
	// (Michel et al. 2019, section 4.1; Molchanov et al. 2017). Or activation: the
	// mean square of W·a, which is what the unit adds to the stream.
	By string `stage:"by"`
}

func (w *worth) Check() error { return oneOf("by", w.By, []string{"taylor", "activation"}) }

// of returns the importance [blocks][units] of what enters the matrix called part
// in every block of the dense model m.
func (w *worth) of(m *model.Model, cal *Calibration, part string, channels int) ([][]float64, error) {
	all := make([][]float64, m.Config().BlockCount())
	block := map[string]int{}
	for b := range all {
		block[blockSlot(b, part)] = b
	}
	var err error
	if w.By == "taylor" {
		err = taylor(all, m, cal, block, channels)
	} else {
		err = activation(all, m, cal, block, channels)
	}
	if err != nil {
		return nil, err
	}
	for b, units := range all {
		if units == nil {
			return nil, errors.New("the calibration text has nothing to predict: texts of two tokens or more are wanted")
		}
		for _, v := range units {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%s: %w", blockSlot(b, part), errBroken)
			}
		}
	}
	return all, nil
}

// taylor uses that Σ a·g over tokens is Σ W·∂L/∂W over the weights of the channels.
func taylor(all [][]float64, m *model.Model, cal *Calibration, block map[string]int, channels int) error {
	width := m.Config().Width
	return cal.eachGradient(m, func(slot string, w, g []float32) {
		b, ok := block[slot]
		if !ok {
			return
		}
		in := len(w) / width
		if all[b] == nil {
			all[b] = make([]float64, in/channels)
		}
		sums := make([]float64, in/channels)
		for i, v := range w {
			sums[i%in/channels] += float64(float64(v) * float64(g[i]))
		}
		for u, v := range sums {
			all[b][u] += math.Abs(v) / float64(len(cal.Texts))
		}
	})
}

// activation takes units of one channel by themselves, and others with how their
// channels go together.
func activation(all [][]float64, m *model.Model, cal *Calibration, block map[string]int, channels int) error {
	needs := Moments
	if channels > 1 {
		needs = Gram
	}
	seen, err := cal.gather(m, needs, func(slot string) bool { _, ok := block[slot]; return ok })
	if err != nil {
		return err
	}
	for _, s := range m.Slots() {
		b, ok := block[s.Name]
		if !ok {
			continue
		}
		w := model.Expand(s.Matrix)
		all[b] = make([]float64, w.In/channels)
		for u := range all[b] {
			all[b][u] = added(w, seen[s.Name], u*channels, channels)
		}
	}
	return nil
}

// added is the mean square of what the inputs from from on add to outputs.
func added(w *model.Dense, in *Inputs, from, channels int) float64 {
	if in.Gram == nil {
		sum := 0.0
		for r := range w.Out {
			v := float64(w.Row(r)[from])
			sum += v * v
		}
		return sum * in.MeanSquare[from]
	}
	rows, gram := make([]float32, 0, w.Out*channels), make([]float64, 0, channels*channels)
	for r := range w.Out {
		rows = append(rows, w.Row(r)[from:from+channels]...)
	}
	for i := from; i < from+channels; i++ {
		gram = append(gram, in.Gram[i*w.In+from:i*w.In+from+channels]...)
	}
	return energy(rows, gram, channels) / float64(in.Rows)
}

// kept tells which share of the importance in all blocks is that of kept units.
func (w *worth) kept(all [][]float64, kept [][]int) float64 {
	part, whole := 0.0, 0.0
	for b, units := range all {
		for _, v := range units {
			whole += v
		}
		for _, u := range kept[b] {
			part += units[u]
		}
	}
	return portion(part, whole)
}
