package world

import "strings"

// Boxes ask for two look-ups in a story that is told once: four things are in
// four boxes and these in four rooms, all told in a random order, and then it is
// asked in which room a thing is.
//
// The chance level is 1/4 and the ceiling 1. A quartet asks about the four things of
// one story. A quarter of all stories are held out.

var boxNames = []string{"bag", "bin", "box", "case", "jar", "pot", "sack", "tin"}

// boxRooms are the rooms of stories, whatever the size of the map.
var boxRooms = roomNames[:defaultRooms]

func init() {
	topics.Add("boxes", topic{write: writeBoxes, judge: judgeBoxes, phrases: boxPhrases})
	kinds.Add("boxes", Kind{
		About:    "in which room a thing is, when told its box and the box's room",
		Needs:    "two look-ups of what was stated once, the second starting where the first ended",
		Topic:    "boxes",
		Chance:   0.25,
		Hard:     true,
		clusters: func(*World) int { return storyQuartets },
		cluster:  boxQuartet,
	})
}

// A boxStory has things, boxes and rooms: the i-th thing is in the i-th box and
// that in the i-th room.
type boxStory struct{ things, boxes, rooms []int }

// boxStory draws a story until it is held out or is not, as wanted. Whether it
// is depends on which thing is in which room, in whatever order they are drawn.
func (w *World) boxStory(r *source, held bool) boxStory {
	for {
		s := boxStory{r.permutation(len(thingNames))[:4], r.permutation(len(boxNames))[:4], r.permutation(len(boxRooms))[:4]}
		roomOf := make([]int, len(thingNames))
		for i, thing := range s.things {
			roomOf[thing] = s.rooms[i] + 1
		}
		if w.heldOut("boxes", roomOf) == held {
			return s
		}
	}
}

func (s boxStory) tell(r *source) string {
	var told []string
	for _, i := range r.permutation(8) {
		box := boxNames[s.boxes[i/2]]
		if i%2 == 0 {
			told = append(told, "the "+thingNames[s.things[i/2]]+" is in the "+box+".")
		} else {
			told = append(told, "the "+box+" is in the "+boxRooms[s.rooms[i/2]]+".")
		}
	}
	return strings.Join(told, " ")
}

func askBox(thing int) string {
	return " so the " + thingNames[thing] + " is, as told here, in the"
}

func writeBoxes(w *World, r *source, p *page) {
	s := w.boxStory(r, false)
	p.say(s.tell(r))
	first, second := r.two(4)
	for _, i := range []int{first, second} {
		p.add(askBox(s.things[i]), " ", boxRooms[s.rooms[i]], ".")
	}
}

func boxQuartet(w *World, i int) []Item {
	r := newSource(w.seed, "box stories", uint64(i))
	s := w.boxStory(r, true)
	story := s.tell(r)
	var contexts, answers [clusterSize]string
	for j := range contexts {
		contexts[j] = story + askBox(s.things[j])
		answers[j] = " " + boxRooms[s.rooms[j]] + "."
	}
	return quartet(r, contexts, answers)
}

// judgeBoxes notes what is in what and looks up twice where it is asked.
func judgeBoxes(_ *World, read [][]string) verdict {
	inside := map[string]string{}
	for _, sentence := range read {
		last := len(sentence) - 1
		switch {
		case last == 5 && sentence[3] == "in":
			inside[sentence[1]] = sentence[last]
		case last == 9 && sentence[0] == "so":
			if inside[inside[sentence[2]]] != sentence[last] {
				return untrue
			}
		default:
			return unknown
		}
	}
	return holds
}

func boxPhrases(*World) []string {
	all := append([]string{askBox(0), "."}, boxNames...)
	return append(append(all, thingNames...), boxRooms...)
}
