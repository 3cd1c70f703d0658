package world

import "slices"

// Reasons ask which of two people a reason fits, as WinoGrande does: somebody
// carried somebody because one of them was strong, or tired. Of each deed one
// adjective belongs to the one who did it and another to the one it was done to;
// what has to be bound is who that was.
//
// Items are twin sentences: the same suffix is scored after either name. A
// cluster has both adjectives and both orders of the names. The chance level is
// 1/2 and the ceiling 1. A quarter of all pairs of people are held out for each deed.

// A deed has one adjective for the one who does it and one for the other.
type deed struct{ verb, doer, other string }

var deeds = []deed{
	{"carried", "strong", "tired"},
	{"fed", "rich", "hungry"},
	{"taught", "wise", "curious"},
	{"feared", "shy", "fierce"},
	{"thanked", "glad", "helpful"},
	{"healed", "skilled", "sick"},
	{"hired", "busy", "able"},
	{"praised", "pleased", "brave"},
}

func init() {
	topics.Add("reasons", topic{write: writeReasons, judge: judgeReasons, phrases: reasonPhrases})
	kinds.Add("reasons", Kind{
		About:    "which of two people a reason is about",
		Needs:    "stored adjectives of 8 deeds, and binding who did one to whom",
		Topic:    "reasons",
		Chance:   0.5,
		Hard:     true,
		clusters: func(w *World) int { return len(w.reasons.cases) },
		cluster:  reasonTwins,
	})
}

// A reasonCase is a deed between two people of the cast, either way round; a is
// below b.
type reasonCase struct{ deed, a, b int }

// heldDeeds is the number of people with whom a person never shares a deed in
// the text, a quarter of the others.
const heldDeeds = 6

// reasons are the held-out cases in a random order. For each deed every person
// is in equally many of them.
type reasons struct {
	cases []reasonCase
	held  map[reasonCase]bool
}

func drawReasons(r *source) reasons {
	s := reasons{held: map[reasonCase]bool{}}
	for d := range deeds {
		for _, pair := range matchings(r, len(cast), heldDeeds, func(int, int) bool { return true }) {
			c := caseOf(d, pair[0], pair[1])
			s.cases = append(s.cases, c)
			s.held[c] = true
		}
	}
	shuffle(r, s.cases)
	return s
}

func caseOf(deed, one, other int) reasonCase {
	return reasonCase{deed, min(one, other), max(one, other)}
}

func reasonContext(d, doer, other, subject int) string {
	return "at last " + cast[doer] + " " + deeds[d].verb + " " + cast[other] + " because " + cast[subject]
}

func reasonEnding(adjective string) string { return " was, as all can see, " + adjective + "." }

func writeReasons(w *World, r *source, p *page) {
	for !p.full() {
		d := r.below(len(deeds))
		doer, other := r.two(len(cast))
		for w.reasons.held[caseOf(d, doer, other)] {
			doer, other = r.two(len(cast))
		}
		if r.below(2) == 0 {
			p.say(reasonContext(d, doer, other, doer), reasonEnding(deeds[d].doer))
		} else {
			p.say(reasonContext(d, doer, other, other), reasonEnding(deeds[d].other))
		}
	}
}

func reasonTwins(w *World, i int) []Item {
	var items []Item
	c := w.reasons.cases[i]
	for _, pair := range [][2]int{{c.a, c.b}, {c.b, c.a}} {
		first, second := reasonContext(c.deed, pair[0], pair[1], pair[0]), reasonContext(c.deed, pair[0], pair[1], pair[1])
		items = append(items, twins(first, second, reasonEnding(deeds[c.deed].doer), reasonEnding(deeds[c.deed].other))...)
	}
	return items
}

// judgeReasons compares the person named last with the one whom the adjective
// belongs to.
func judgeReasons(_ *World, read [][]string) verdict {
	names := indexes(cast)
	for _, sentence := range read {
		people := find(sentence, names)
		d := slices.IndexFunc(deeds, func(d deed) bool { return slices.Contains(sentence, d.verb) })
		if len(people) != 3 || d < 0 {
			return unknown
		}
		right := deeds[d].other
		if people[2] == people[0] {
			right = deeds[d].doer
		}
		if sentence[len(sentence)-1] != right {
			return untrue
		}
	}
	return holds
}

func reasonPhrases(*World) []string {
	all := append([]string{reasonContext(0, 0, 0, 0), reasonEnding("")}, cast...)
	for _, d := range deeds {
		all = append(all, d.verb, d.doer, d.other)
	}
	return all
}
