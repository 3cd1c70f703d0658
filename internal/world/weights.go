package world

import "slices"

// Weights ask for a stored order. Each of 32 things has its rank; the text
// compares two at a time, and a pair that is held out is compared nowhere in
// it, but both its things are, with others. Pairs next to each other in the order
// are never held out, so the text determines the whole order.
//
// Items are twin sentences: the same suffix is scored after either thing's name.
// A cluster has both adjectives and both orders of the names, so whoever
// prefers a name, a place or an adjective is right in exactly half of it. The
// chance level is 1/2 and the ceiling 1.

var thingNames = []string{
	"anvil", "barrel", "basket", "bench", "bottle", "bowl", "broom", "bucket",
	"candle", "chair", "clock", "coin", "comb", "crate", "cup", "drum",
	"fan", "flute", "globe", "harp", "kettle", "key", "knife", "ladder",
	"lamp", "lock", "mirror", "pillow", "pipe", "ring", "rope", "vase",
}

// heldPartners is the number of things with which a thing is never compared, a
// quarter of the others.
const heldPartners = 8

// heavierEnding and lighterEnding keep four words between a name and the
// adjective.
const (
	heavierEnding = " is, as all can see, the heavier one."
	lighterEnding = " is, as all can see, the lighter one."
)

func init() {
	topics.Add("weights", topic{write: writeWeights, judge: judgeWeights, phrases: weightPhrases})
	kinds.Add("weights", Kind{
		About:    "which of two things is heavier, or lighter",
		Needs:    "a stored order of 32 things, and two of them compared",
		Topic:    "weights",
		Chance:   0.5,
		clusters: func(w *World) int { return len(w.weights.pairs) },
		cluster:  weightTwins,
	})
}

type scales struct {
	rank  []int    // of each thing; the highest is the heaviest
	pairs [][2]int // held out, each thing in heldPartners of them
	held  []bool   // by a·things + b, both ways round
}

func drawScales(r *source) scales {
	n := len(thingNames)
	s := scales{rank: r.permutation(n), held: make([]bool, n*n)}
	apart := func(a, b int) bool { return max(s.rank[a]-s.rank[b], s.rank[b]-s.rank[a]) > 1 }
	s.pairs = matchings(r, n, heldPartners, apart)
	shuffle(r, s.pairs)
	for _, pair := range s.pairs {
		s.held[pair[0]*n+pair[1]], s.held[pair[1]*n+pair[0]] = true, true
	}
	return s
}

func weightContext(first, second, subject int) string {
	return "the " + thingNames[first] + " and the " + thingNames[second] + " are on the scales. the " + thingNames[subject]
}

func (s *scales) ending(subject, other int) string {
	if s.rank[subject] > s.rank[other] {
		return heavierEnding
	}
	return lighterEnding
}

func writeWeights(w *World, r *source, p *page) {
	n := len(thingNames)
	for !p.full() {
		a, b := r.two(n)
		for w.weights.held[a*n+b] {
			a, b = r.two(n)
		}
		subject, other := a, b
		if r.below(2) == 1 {
			subject, other = b, a
		}
		p.say(weightContext(a, b, subject), w.weights.ending(subject, other))
	}
}

func weightTwins(w *World, i int) []Item {
	var items []Item
	a, b := w.weights.pairs[i][0], w.weights.pairs[i][1]
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		first, second := weightContext(pair[0], pair[1], pair[0]), weightContext(pair[0], pair[1], pair[1])
		items = append(items, twins(first, second, w.weights.ending(pair[0], pair[1]), w.weights.ending(pair[1], pair[0]))...)
	}
	return items
}

// twins makes two items of two contexts: each ending is offered after both, and
// is right after the context of its own place.
func twins(first, second, firstEnding, secondEnding string) []Item {
	return []Item{
		{Choices: []Choice{{first, firstEnding}, {second, firstEnding}}, Gold: 0},
		{Choices: []Choice{{first, secondEnding}, {second, secondEnding}}, Gold: 1},
	}
}

// judgeWeights reads two sentences at a time: which things are on the scales,
// and what one of them is said to be.
func judgeWeights(w *World, read [][]string) verdict {
	things := indexes(thingNames)
	for i := 0; i < len(read); i += 2 {
		if i+1 == len(read) || !slices.Contains(read[i], "scales") {
			return unknown
		}
		both, subject := find(read[i], things), find(read[i+1], things)
		if len(both) != 2 || len(subject) != 1 {
			return unknown
		}
		other := both[0] + both[1] - subject[0]
		heavier := slices.Contains(read[i+1], "heavier")
		if heavier != (w.weights.rank[subject[0]] > w.weights.rank[other]) {
			return untrue
		}
	}
	return holds
}

func weightPhrases(*World) []string {
	return append([]string{weightContext(0, 1, 0), heavierEnding, lighterEnding}, thingNames...)
}
