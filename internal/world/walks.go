package world

import (
	"fmt"
	"slices"
	"strings"
)

// Walks ask for composition. The map is the whole knowledge: for each of four
// directions one permutation of the rooms without a fixed room, 64 single steps
// for 16 rooms. A walk of k steps looks up k of them one after the other, and as
// the permutations do not commute there is no shorter way. There are 16·4^k
// walks of k steps; a quarter of those with two steps or more is never written
// and supplies the items. Single steps are all written, each in three of four
// wordings, and asked for in the fourth.
//
// The chance level is 1/4 and the ceiling 1. A quartet has one path from four
// rooms: its four ends are then all rooms that the text never reaches by this
// path, so that storing "north then east never ends in the barn" helps nobody.
// Models that store walks instead of composing them may still fall somewhat
// below chance at two steps, where the text has 12 of the 16 walks from a room.

var roomNames = []string{
	"attic", "barn", "cellar", "court", "den", "dock", "hall", "kitchen",
	"loft", "mill", "porch", "shed", "stable", "study", "tower", "yard",
	"cave", "gate", "hut", "lobby", "pantry", "store", "tent", "vault",
}

var directions = []string{"north", "south", "east", "west"}

const maxSteps = 4

// stepsOften is how many steps the walks of the text have, each as often as it
// is listed: 4 : 3 : 2 : 1.
var stepsOften = []int{1, 1, 1, 1, 2, 2, 2, 3, 3, 4}

func init() {
	topics.Add("walks", topic{write: writeWalks, judge: judgeWalks, phrases: walkPhrases})
	for i, far := range []string{"one step", "two steps", "three steps", "four steps"} {
		k := i + 1
		needs := "composition: a look-up in one stored map for each step, starting where the last one ended"
		if k == 1 {
			needs = "a stored map of single steps, asked for in the one of four wordings that the text does not use for it"
		}
		kinds.Add(fmt.Sprintf("walk%d", k), Kind{
			About:    "which room a walk of " + far + " reaches",
			Needs:    needs,
			Topic:    "walks",
			Chance:   0.25,
			clusters: func(w *World) int { return len(w.walks.quartets[k]) },
			cluster:  func(w *World, i int) []Item { return walkQuartet(w, k, i) },
		})
	}
}

// A walkMap is the map and what the text says about it. A path of k steps is a
// number below 4^k whose digits in base 4 are the directions, the first step in
// the lowest digit; a walk is numbered path·rooms + start.
type walkMap struct {
	rooms    []string
	next     [4][]int               // room after one step, by direction and room
	held     [maxSteps + 1][]bool   // walks of k steps that the text never takes, k >= 2
	wording  []int                  // wording of a single step that the text never uses
	quartets [maxSteps + 1][][4]int // walks of k steps: one path from four rooms
}

func drawWalkMap(r *source, rooms int) walkMap {
	m := walkMap{rooms: roomNames[:rooms], wording: make([]int, 4*rooms)}
	for d := range m.next {
		m.next[d] = r.derangement(rooms)
	}
	for d := 0; d < len(directions); d += 2 {
		m.holdOutWordings(r, d)
	}
	for k := 2; k <= maxSteps; k++ {
		m.holdOutWalks(r, k)
	}
	for k := range m.quartets {
		shuffle(r, m.quartets[k])
	}
	return m
}

// holdOutWordings keeps each single step in directions d and d+1 from the text
// in one wording. A room that is missing as an end of wording d in direction d is
// missing as an end of wording d+1 in direction d+1. So in the four directions
// each room is missing as an end of each wording once.
func (m *walkMap) holdOutWordings(r *source, d int) {
	rooms := r.permutation(len(m.rooms))
	cut := (len(rooms)/4 + 1) / 2 * 4
	for i, direction := range []int{d, d + 1} {
		for half, ends := range [][]int{rooms[:cut], rooms[cut:]} {
			wording := d + (i+half)%2
			for _, group := range m.inFours(r, ends, 1, []int{direction}) {
				four := m.walksTo(direction, 1, group)
				m.quartets[1] = append(m.quartets[1], four)
				for _, walk := range four {
					m.wording[walk] = wording
				}
			}
		}
	}
}

// holdOutWalks keeps a quarter of the walks of k steps from the text. It takes
// the paths four at a time in a random order and deals the rooms to them in
// groups of four, as the ends that these paths shall never be seen to reach. So
// each room is missing as an end equally often.
func (m *walkMap) holdOutWalks(r *source, k int) {
	paths := r.permutation(1 << (2 * k))
	m.held[k] = make([]bool, len(paths)*len(m.rooms))
	for block := range slices.Chunk(paths, 4) {
		all := r.permutation(len(m.rooms))
		for g, group := range m.inFours(r, all, k, block) {
			four := m.walksTo(block[g%len(block)], k, group)
			m.quartets[k] = append(m.quartets[k], four)
			for _, walk := range four {
				m.held[k][walk] = true
			}
		}
	}
}

// inFours divides ends into groups of four, the g-th for path g modulo their
// number. It looks for a division where no group has a room from which its path
// leads into the group, so that no choice of an item is a room that the item
// starts from; where the map has none it takes the best of what it tried.
func (m *walkMap) inFours(r *source, ends []int, k int, paths []int) [][]int {
	best, fewest := []int(nil), len(m.rooms)*len(paths)+1
	for try := 0; try < 2000 && fewest > 0; try++ {
		shuffle(r, ends)
		clashes := 0
		for g := 0; g < len(ends)/4; g++ {
			clashes += m.clashes(ends[4*g:4*g+4], k, paths[g%len(paths)])
		}
		if clashes < fewest {
			best, fewest = slices.Clone(ends), clashes
		}
	}
	return slices.Collect(slices.Chunk(best, 4))
}

// clashes counts the rooms of group from which path leads into group.
func (m *walkMap) clashes(group []int, k, path int) int {
	count := 0
	for _, room := range group {
		if slices.Contains(group, m.end(path, k, room)) {
			count++
		}
	}
	return count
}

// walksTo returns the walks by path that end in the four rooms of group.
func (m *walkMap) walksTo(path, k int, group []int) (four [4]int) {
	for start := range m.rooms {
		if i := slices.Index(group, m.end(path, k, start)); i >= 0 {
			four[i] = path*len(m.rooms) + start
		}
	}
	return four
}

// end returns the room that k steps along path reach from start.
func (m *walkMap) end(path, k, start int) int {
	room := start
	for range k {
		room = m.next[path%4][room]
		path /= 4
	}
	return room
}

// walkVerbs are the wordings of a walk, as many as there are directions. The text
// has each single step in all of them but one, so that it teaches that they mean
// the same. (With two verbs the text had each step in one only, and a model of
// four layers took them for two maps: it knew 67 % of the steps after 1M tokens.)
var walkVerbs = [4]string{"go", "walk", "head", "turn"}

// walkContext words a walk up to its end.
func walkContext(m *walkMap, k, walk, wording int) string {
	path, start := walk/len(m.rooms), walk%len(m.rooms)
	text := make([]byte, 0, 96)
	text = append(text, "from the "...)
	text = append(text, m.rooms[start]...)
	text = append(text, ' ')
	text = append(text, walkVerbs[wording]...)
	for step := range k {
		if step > 0 {
			text = append(text, " then"...)
		}
		text = append(text, ' ')
		text = append(text, directions[path%4]...)
		path /= 4
	}
	text = append(text, " and then you reach the"...)
	return string(text)
}

func walkEnding(m *walkMap, k, walk int) string {
	path, start := walk/len(m.rooms), walk%len(m.rooms)
	return " " + m.rooms[m.end(path, k, start)] + "."
}

func writeWalks(w *World, r *source, p *page) {
	m := &w.walks
	for !p.full() {
		k := stepsOften[r.below(len(stepsOften))]
		walk := r.below(len(m.rooms) << (2 * k))
		for k > 1 && m.held[k][walk] {
			walk = r.below(len(m.rooms) << (2 * k))
		}
		wording := r.below(len(walkVerbs))
		for k == 1 && wording == m.wording[walk] {
			wording = r.below(len(walkVerbs))
		}
		p.say(walkContext(m, k, walk, wording), walkEnding(m, k, walk))
	}
}

func walkQuartet(w *World, k, i int) []Item {
	m := &w.walks
	r := newSource(w.seed, "walk choices", uint64(k), uint64(i))
	wording := r.below(len(walkVerbs))
	var contexts, answers [clusterSize]string
	for j, walk := range m.quartets[k][i] {
		if k == 1 {
			wording = m.wording[walk]
		}
		contexts[j] = walkContext(m, k, walk, wording)
		answers[j] = walkEnding(m, k, walk)
	}
	return quartet(r, contexts, answers)
}

// judgeWalks follows the directions of each sentence from its first room and
// compares where it arrives with the last room.
func judgeWalks(w *World, read [][]string) verdict {
	m := &w.walks
	rooms, ways := indexes(m.rooms), indexes(directions)
	for _, sentence := range read {
		named, steps := find(sentence, rooms), find(sentence, ways)
		if !slices.Contains(sentence, "reach") || len(named) != 2 || len(steps) == 0 {
			return unknown
		}
		room := named[0]
		for _, d := range steps {
			room = m.next[d][room]
		}
		if room != named[1] {
			return untrue
		}
	}
	return holds
}

func walkPhrases(w *World) []string {
	m := &w.walks
	all := []string{walkContext(m, 2, 0, 0), strings.Join(walkVerbs[:], " "), ".", strings.Join(directions, " ")}
	return append(all, m.rooms...)
}
