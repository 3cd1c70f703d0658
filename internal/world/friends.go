package world

import (
	"fmt"
	"slices"
	"strings"
)

// Friends ask for look-ups in a story that is told once. Eight people stand in a
// ring, each the friend of the one before; the ring is told in a random order and
// then somebody's friend, or friend's friend, is asked for. Nothing is stored:
// the next story has another ring.
//
// The chance level is 1/4 and the ceiling 1. A quartet asks about four people of
// one story, none of whom is among the choices. A quarter of all rings are held
// out.

const ringSize = 8

// maxFriends is the longest chain that is told.
const maxFriends = 2

func init() {
	topics.Add("friends", topic{write: writeFriends, judge: judgeFriends, phrases: friendPhrases})
	for i, who := range []string{"someone's friend is", "the friend of someone's friend is"} {
		k := i + 1
		kinds.Add(fmt.Sprintf("friends%d", k), Kind{
			About:    "who " + who + ", in a ring of friends told once",
			Needs:    []string{"a look-up", "two look-ups, the second starting where the first ended,"}[i] + " of what was stated once, a few sentences before",
			Topic:    "friends",
			Chance:   0.25,
			Hard:     true,
			clusters: func(*World) int { return storyQuartets },
			cluster:  func(w *World, i int) []Item { return friendQuartet(w, k, i) },
		})
	}
}

// storyQuartets bounds the quartets of kinds whose stories are too many to list.
const storyQuartets = 2500

// heldOut says whether a story, given by the numbers that make it up, is kept
// for the items. A quarter of all stories are.
func (w *World) heldOut(topic string, story []int) bool {
	parts := make([]uint64, len(story))
	for i, n := range story {
		parts[i] = uint64(n)
	}
	return hash(w.seed, "held out of "+topic, parts...)%4 == 0
}

// ring draws who stands in the ring, from whom to whom, until the story is held
// out or is not, as wanted. It begins with the lowest number, so that one ring
// has one name.
func (w *World) ring(r *source, held bool) []int {
	for {
		ring := r.permutation(len(cast))[:ringSize]
		first := slices.Index(ring, slices.Min(ring))
		ring = slices.Concat(ring[first:], ring[:first])
		if w.heldOut("friends", ring) == held {
			return ring
		}
	}
}

// tellRing states every friendship in a random order.
func tellRing(r *source, ring []int) string {
	var told []string
	for _, i := range r.permutation(len(ring)) {
		told = append(told, "the friend of "+cast[ring[i]]+" is "+cast[ring[(i+1)%len(ring)]]+".")
	}
	return strings.Join(told, " ")
}

func askFriend(k, person int) string {
	return " so " + strings.Repeat("the friend of ", k) + cast[person] + " is, as told here,"
}

func writeFriends(w *World, r *source, p *page) {
	ring := w.ring(r, false)
	p.say(tellRing(r, ring))
	for _, step := range r.permutation(maxFriends) {
		k, i := step+1, r.below(ringSize)
		p.add(askFriend(k, ring[i]), " ", cast[ring[(i+k)%ringSize]], ".")
	}
}

// friendQuartet asks about k people, leaves k out, and so on round the ring.
func friendQuartet(w *World, k, i int) []Item {
	r := newSource(w.seed, "friend stories", uint64(k), uint64(i))
	ring := w.ring(r, true)
	story := tellRing(r, ring)
	var contexts, answers [clusterSize]string
	for j := range contexts {
		place := j/k*2*k + j%k
		contexts[j] = story + askFriend(k, ring[place])
		answers[j] = " " + cast[ring[(place+k)%ringSize]] + "."
	}
	return quartet(r, contexts, answers)
}

// judgeFriends notes each friend told and follows them where one is asked for.
func judgeFriends(_ *World, read [][]string) verdict {
	names, friend := indexes(cast), map[int]int{}
	for _, sentence := range read {
		people, steps := find(sentence, names), find(sentence, map[string]int{"friend": 1})
		if len(people) != 2 || len(steps) == 0 {
			return unknown
		}
		if sentence[0] != "so" {
			friend[people[0]] = people[1]
			continue
		}
		reached, ok := people[0], true
		for range steps {
			if reached, ok = friend[reached]; !ok {
				return untrue
			}
		}
		if reached != people[1] {
			return untrue
		}
	}
	return holds
}

func friendPhrases(*World) []string {
	return append([]string{"the friend of is.", askFriend(1, 0)}, cast...)
}
