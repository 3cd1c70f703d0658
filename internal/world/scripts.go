package world

import "slices"

// Scripts ask how a story goes on, as HellaSwag does. Two people want to do one
// thing each, and then one of them goes about it. Two of the four endings belong
// to neither aim, the third to the other person's. So the answer takes two steps:
// to know which doings belong to which aim, a stored fact, and to know whose aim
// it was, which has to be bound within the story. The text never has two aims
// that are held out as a pair in one story.
//
// The chance level is 1/4 and the ceiling 1. Knowing the aims without knowing whose
// they are gives exactly 1/2 in every quartet, and so does taking the aim that
// was named first, or last. Models of 0.2M body parameters come to 1/2 within 1M
// tokens and none was seen above it.

// A script is an aim and what is done about it. All doings have seven words and
// 34 letters and spaces.
type script struct{ aim, doing string }

var scriptList = []script{
	{"forge iron", "lifts the hammer and stirs the fire"},
	{"weave cloth", "threads the loom and winds the yarn"},
	{"bake rolls", "kneads the flour and heats the oven"},
	{"catch eels", "baits the hooks and throws the line"},
	{"grow beets", "plants the seeds and digs the field"},
	{"sell goods", "opens the stall and names the price"},
	{"write poems", "takes the quill and folds the paper"},
	{"cut wood", "swings the axe and splits the trunk"},
	{"wash linen", "fills the tub and wrings the shirts"},
	{"paint walls", "mixes the colors and wets the brush"},
	{"play songs", "tunes the fiddle and hums the notes"},
	{"build homes", "lays the bricks and nails the beams"},
	{"cross seas", "hoists the sail and turns the wheel"},
	{"heal wounds", "grinds the herbs and binds the cuts"},
	{"hunt game", "strings the bow and tracks the deer"},
	{"teach class", "reads the book and chalks the board"},
}

// heldAims is the number of aims with which an aim never shares a story.
const heldAims = 4

func init() {
	topics.Add("scripts", topic{write: writeScripts, judge: judgeScripts, phrases: scriptPhrases})
	kinds.Add("scripts", Kind{
		About:    "how someone with an aim goes about it",
		Needs:    "stored doings of 16 aims for one half, and binding aims to people for the other",
		Topic:    "scripts",
		Chance:   0.25,
		Partial:  0.5,
		clusters: func(w *World) int { return len(w.scripts.stories) * len(w.scripts.names) },
		cluster:  scriptQuartet,
	})
}

type scripts struct {
	held    []bool      // by a·scripts + b, both ways round
	stories [][2][2]int // two held-out pairs of different aims, in a random order
	names   [][2]int    // who is asked about, and the other one, in a random order
}

func drawScripts(r *source) scripts {
	n := len(scriptList)
	s := scripts{held: make([]bool, n*n)}
	pairs := matchings(r, n, heldAims, func(int, int) bool { return true })
	for i, pair := range pairs {
		s.held[pair[0]*n+pair[1]], s.held[pair[1]*n+pair[0]] = true, true
		for _, other := range pairs[:i] {
			if !slices.Contains(other[:], pair[0]) && !slices.Contains(other[:], pair[1]) {
				s.stories = append(s.stories, [2][2]int{other, pair})
			}
		}
	}
	for asked := range cast {
		for other := range cast {
			if asked != other {
				s.names = append(s.names, [2]int{asked, other})
			}
		}
	}
	shuffle(r, s.stories)
	shuffle(r, s.names)
	return s
}

// A role is a person of the cast and the script of that person's aim.
type role struct{ person, script int }

func scriptContext(first, second role, asked int) string {
	return "today " + cast[first.person] + " wants to " + scriptList[first.script].aim +
		" and " + cast[second.person] + " wants to " + scriptList[second.script].aim +
		". the bell rings twice and the day begins. then " + cast[asked]
}

func scriptEnding(script int) string { return " " + scriptList[script].doing + "." }

func writeScripts(w *World, r *source, p *page) {
	n := len(scriptList)
	for !p.full() {
		a, b := r.two(n)
		for w.scripts.held[a*n+b] {
			a, b = r.two(n)
		}
		one, two := r.two(len(cast))
		first, second := role{one, a}, role{two, b}
		acting, after := first, second
		if r.below(2) == 1 {
			acting, after = second, first
		}
		p.say(scriptContext(first, second, acting.person), scriptEnding(acting.script),
			" then "+cast[after.person], scriptEnding(after.script))
	}
}

// scriptQuartet asks about one person in four stories: one pair of aims both
// ways round with this person named first, another pair both ways round with
// this person named second.
func scriptQuartet(w *World, i int) []Item {
	s := &w.scripts
	place := i % len(s.stories)
	story := s.stories[place]
	names := s.names[(i/len(s.stories)+place)%len(s.names)]
	r := newSource(w.seed, "script choices", uint64(i))
	asked, other := names[0], names[1]
	var contexts, answers [clusterSize]string
	for j := range contexts {
		pair := story[j/2]
		own, others := role{asked, pair[j%2]}, role{other, pair[1-j%2]}
		if j/2 == 0 {
			contexts[j] = scriptContext(own, others, asked)
		} else {
			contexts[j] = scriptContext(others, own, asked)
		}
		answers[j] = scriptEnding(own.script)
	}
	return quartet(r, contexts, answers)
}

// judgeScripts notes who wants what, and compares what people then do.
func judgeScripts(_ *World, read [][]string) verdict {
	names, aims, doings := indexes(cast), map[string]int{}, map[string]int{}
	for i, s := range scriptList {
		aims[tokens(s.aim)[0]], doings[tokens(s.doing)[0]] = i, i
	}
	wants := map[int]int{}
	for _, sentence := range read {
		people, aim, doing := find(sentence, names), find(sentence, aims), find(sentence, doings)
		switch {
		case len(people) == 2 && len(aim) == 2:
			wants[people[0]], wants[people[1]] = aim[0], aim[1]
		case len(people) == 1 && len(doing) == 1 && len(wants) > 0:
			if want, ok := wants[people[0]]; !ok || want != doing[0] {
				return untrue
			}
		case sentence[0] != "the":
			return unknown
		}
	}
	if len(wants) == 0 {
		return unknown
	}
	return holds
}

func scriptPhrases(*World) []string {
	all := slices.Concat([]string{scriptContext(role{}, role{}, 0), "."}, cast)
	for _, s := range scriptList {
		all = append(all, s.aim, s.doing)
	}
	return all
}
