package world

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestShortcuts scores rules that use part of what an item says. Each rule gives a
// choice a number; the best number wins and ties share.
func TestShortcuts(t *testing.T) {
	tests := []struct {
		name, kind string
		rule       func(w *World, c Choice) float64
		want       float64 // exactly, in every cluster
	}{
		{"the aims named in the story", "scripts", aimPlace(func(int) float64 { return 0 }), 0.5},
		{"the aim named first", "scripts", aimPlace(func(at int) float64 { return -float64(at) }), 0.5},
		{"the aim named last", "scripts", aimPlace(func(at int) float64 { return float64(at) }), 0.5},
		{"who had it first", "gifts", firstHolder, 0.25},
		{"the thing named first", "weights", namedFirst, 0.5},
		{"the person named first", "reasons", namedFirst, 0.5},
		{"the heavier thing, whatever is asked", "weights", heavierThing, 0.5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 4, Options{})
			mean, stderr := accuracy(someItems(t, w, test.kind, 400), func(c Choice) float64 { return test.rule(w, c) })
			if math.Abs(mean-test.want) > 1e-9 || stderr > 1e-9 {
				t.Errorf("scores %g ± %g, not exactly %g", mean, stderr, test.want)
			}
		})
	}
}

// aimPlace rates an ending by where the aim that it belongs to is named in the
// context, and last if it is not.
func aimPlace(rate func(at int) float64) func(*World, Choice) float64 {
	return func(_ *World, c Choice) float64 {
		for _, s := range scriptList {
			if strings.Contains(c.Continuation, s.doing) {
				if at := strings.Index(c.Context, s.aim); at >= 0 {
					return rate(at)
				}
			}
		}
		return math.Inf(-1)
	}
}

func firstHolder(_ *World, c Choice) float64 {
	read := sentences(c.Context)
	asked := find(read[len(read)-1], indexes(thingNames))
	for _, sentence := range read {
		if slices.Equal(find(sentence, indexes(thingNames)), asked) && slices.Contains(sentence, tokens(c.Continuation)[0]) {
			return 1
		}
	}
	return 0
}

// namedFirst prefers the choice whose last word comes first in its context.
func namedFirst(_ *World, c Choice) float64 {
	words := strings.Fields(c.Context)
	return -float64(slices.Index(words, words[len(words)-1]))
}

func heavierThing(w *World, c Choice) float64 {
	words := strings.Fields(c.Context)
	return float64(w.weights.rank[slices.Index(thingNames, words[len(words)-1])])
}

// TestWalkChoicesAreNotWhereItStarts: a room that the question names would be
// a choice that guessing rules out.
func TestWalkChoicesAreNotWhereItStarts(t *testing.T) {
	named, items := 0, 0
	for seed := range uint64(8) {
		w := newWorld(t, seed, Options{})
		for _, kind := range []string{"walk1", "walk2", "walk3", "walk4"} {
			for _, item := range someItems(t, w, kind, 2000) {
				items++
				for _, c := range item.Choices {
					if slices.Contains(tokens(c.Context), strings.Trim(c.Continuation, " .")) {
						named++
					}
				}
			}
		}
	}
	if share := float64(named) / float64(items); share > 0.01 {
		t.Errorf("%d of %d items offer the room that they start from", named, items)
	}
}

// TestPartsOfAWalkTellLittle scores held-out walks by how often the text, were it
// endless, reaches each choice from the same start by what is the same part of
// the path. Nothing but the whole path tells the end.
func TestPartsOfAWalkTellLittle(t *testing.T) {
	tests := []struct {
		name string
		part func(steps []int) []int
	}{
		{"nothing", func([]int) []int { return nil }},
		{"number of steps", func(steps []int) []int { return make([]int, len(steps)) }},
		{"first step", func(steps []int) []int { return []int{len(steps), steps[0]} }},
		{"last step", func(steps []int) []int { return []int{len(steps), steps[len(steps)-1]} }},
		{"steps in any order", func(steps []int) []int { return slices.Sorted(slices.Values(steps)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for k := 2; k <= maxSteps; k++ {
				sum, worlds := 0.0, 8
				for seed := range worlds {
					w := newWorld(t, uint64(seed), Options{})
					sum += partialWalks(&w.walks, k, test.part)
				}
				if share := sum / float64(worlds); share < 0.18 || share > 0.32 {
					t.Errorf("%d steps: %.3f right", k, share)
				}
			}
		})
	}
}

// partialWalks returns the share of held-out walks of k steps whose end the text
// reaches most often among the choices.
func partialWalks(m *walkMap, k int, part func([]int) []int) float64 {
	reached := map[string]float64{}
	key := func(steps, walk, end int) string {
		return fmt.Sprint(walk%len(m.rooms), part(digits(walk/len(m.rooms), steps)), end)
	}
	often := []float64{2: 3, 3: 2, 4: 1} // of the text's walks, by steps
	for steps := 2; steps <= maxSteps; steps++ {
		for walk, held := range m.held[steps] {
			if !held {
				end := m.end(walk/len(m.rooms), steps, walk%len(m.rooms))
				reached[key(steps, walk, end)] += often[steps] / float64(len(m.held[steps]))
			}
		}
	}
	sum := 0.0
	for _, four := range m.quartets[k] {
		for i, walk := range four {
			var scores []float64
			for _, other := range four {
				scores = append(scores, reached[key(k, walk, m.end(other/len(m.rooms), k, other%len(m.rooms)))])
			}
			sum += credit(scores, i)
		}
	}
	return sum / float64(clusterSize*len(m.quartets[k]))
}

// digits returns the directions of a path.
func digits(path, k int) []int {
	steps := make([]int, k)
	for i := range steps {
		steps[i], path = path%4, path/4
	}
	return steps
}
