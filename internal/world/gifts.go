package world

// Gifts ask who holds a thing after things have changed hands: four people have a
// thing each, then two of them trade what they have, then two again, and it
// is asked who has a thing now.
//
// The chance level is 1/4 and the ceiling 1. A quartet asks about the four things of
// one story. In the items' stories just one of the four people has the first
// thing back or never gave it away, so that "whoever had it first" is right in a
// quarter too. A quarter of all stories are held out.

func init() {
	topics.Add("gifts", topic{write: writeGifts, judge: judgeGifts, phrases: giftPhrases})
	kinds.Add("gifts", Kind{
		About:    "who has a thing after two trades",
		Needs:    "following a state that changes as it is told",
		Topic:    "gifts",
		Chance:   0.25,
		Hard:     true,
		clusters: func(*World) int { return storyQuartets },
		cluster:  giftQuartet,
	})
}

// A giftStory has four people with a thing each, and trades between two of the
// four.
type giftStory struct {
	people, things []int
	trades         [][2]int
}

// giftStory draws a story until it is held out or is not, as wanted. Whether it
// is depends on all of it, in the order told.
func (w *World) giftStory(r *source, trades int, held bool) giftStory {
	for {
		s := giftStory{people: r.permutation(len(cast))[:4], things: r.permutation(len(thingNames))[:4]}
		story := append(append([]int{}, s.people...), s.things...)
		for range trades {
			a, b := r.two(4)
			s.trades = append(s.trades, [2]int{a, b})
			story = append(story, min(a, b), max(a, b))
		}
		if w.heldOut("gifts", story) == held {
			return s
		}
	}
}

// holders returns who of the four has each of the four things in the end.
func (s giftStory) holders() []int {
	has, holder := []int{0, 1, 2, 3}, make([]int, 4)
	for _, t := range s.trades {
		has[t[0]], has[t[1]] = has[t[1]], has[t[0]]
	}
	for person, thing := range has {
		holder[thing] = person
	}
	return holder
}

// unmoved counts the things that are where they were at first.
func (s giftStory) unmoved() int {
	count := 0
	for thing, person := range s.holders() {
		if thing == person {
			count++
		}
	}
	return count
}

func (s giftStory) tell() string {
	told := "now"
	for i, person := range s.people {
		told += " " + cast[person] + " has the " + thingNames[s.things[i]] + "."
	}
	for _, t := range s.trades {
		told += " then " + cast[s.people[t[0]]] + " and " + cast[s.people[t[1]]] + " trade."
	}
	return told
}

func askGift(thing int) string {
	return " so the one with the " + thingNames[thing] + " is, as told here,"
}

func writeGifts(w *World, r *source, p *page) {
	s := w.giftStory(r, 2+r.below(2), false)
	p.say(s.tell())
	holders := s.holders()
	for _, i := range r.permutation(4)[:3] {
		p.add(askGift(s.things[i]), " ", cast[s.people[holders[i]]], ".")
	}
}

func giftQuartet(w *World, i int) []Item {
	r := newSource(w.seed, "gift stories", uint64(i))
	s := w.giftStory(r, 2, true)
	for s.unmoved() != 1 {
		s = w.giftStory(r, 2, true)
	}
	story, holders := s.tell(), s.holders()
	var contexts, answers [clusterSize]string
	for j := range contexts {
		contexts[j] = story + askGift(s.things[j])
		answers[j] = " " + cast[s.people[holders[j]]] + "."
	}
	return quartet(r, contexts, answers)
}

// judgeGifts notes who has what, carries out the trades and compares.
func judgeGifts(_ *World, read [][]string) verdict {
	names, things, has := indexes(cast), indexes(thingNames), map[int]int{}
	for _, sentence := range read {
		people, thing := find(sentence, names), find(sentence, things)
		switch {
		case sentence[0] == "so" && len(people) == 1 && len(thing) == 1:
			if held, ok := has[people[0]]; !ok || held != thing[0] {
				return untrue
			}
		case sentence[len(sentence)-1] == "trade" && len(people) == 2:
			has[people[0]], has[people[1]] = has[people[1]], has[people[0]]
		case len(people) == 1 && len(thing) == 1:
			has[people[0]] = thing[0]
		default:
			return unknown
		}
	}
	return holds
}

func giftPhrases(*World) []string {
	all := append([]string{"now has the.", " then and trade.", askGift(0)}, cast...)
	return append(all, thingNames...)
}
