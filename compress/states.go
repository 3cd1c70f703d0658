package compress

import (
	"plumb/kernels"
	"plumb/model"
)

// states are what layers are given for some text.
type states struct {
	byLayer [][][]float32 // [layers][texts][tokens × width]
}

// statesOf runs the first texts of cal, tokens of them at most, through m. A text
// that is longer by itself is cut.
func statesOf(m *model.Model, cal *Calibration, tokens int) (*states, error) {
	s := &states{byLayer: make([][][]float32, m.Config().Layers)}
	for _, text := range cal.Texts {
		text = text[:min(len(text), tokens)]
		tokens -= len(text)
		if len(text) == 0 {
			continue
		}
		all, err := m.States(text)
		if err != nil {
			return nil, err
		}
		for layer := range s.byLayer {
			s.byLayer[layer] = append(s.byLayer[layer], all[layer])
		}
	}
	return s, nil
}

// outputs returns what the layers that run a block of m make of the states that
// they are given, [layers of the block][texts][tokens × width].
func (s *states) outputs(m *model.Model, block int) [][][]float32 {
	var all [][][]float32
	for layer, b := range m.Config().Blocks() {
		if b == block {
			all = append(all, m.RunLayer(layer, s.byLayer[layer]))
		}
	}
	return all
}

// squaredDistance sums the squares of differences.
func squaredDistance(a, b [][][]float32) float64 {
	sum := 0.0
	for i := range a {
		for j := range a[i] {
			d := make([]float32, len(a[i][j]))
			for k, v := range a[i][j] {
				d[k] = v - b[i][j][k]
			}
			sum += kernels.SumSquares(d)
		}
	}
	return sum
}
