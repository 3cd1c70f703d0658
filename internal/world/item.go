package world

import (
	"fmt"
	"slices"

	"plumb/internal/registry"
)

// A Choice is a text in two parts, of which only Continuation is scored.
type Choice struct {
	Context      string
	Continuation string // begins with the space that delimits it, ends with a full stop
}

// An Item is one question with its choices, of which one is right.
type Item struct {
	ID      string // stable for a world seed and unique within it
	Choices []Choice
	Gold    int    // index of the right choice
	Cluster string // items with one Cluster belong together, and their errors too
}

// clusterSize is the number of items in a cluster of any kind.
const clusterSize = 4

// A Kind describes items that ask for one thing.
type Kind struct {
	About   string  // what is asked
	Needs   string  // what a model needs to answer
	Topic   string  // what the text must be about
	Chance  float64 // share right by guessing: 1 / choices
	Partial float64 // share right by the best known shortcut, above Chance; zero where none is known
	Hard    bool    // models of about 0.2M body parameters stayed at chance within 2.5M tokens

	clusters func(w *World) int           // how many there are
	cluster  func(w *World, i int) []Item // the i-th, without ID and Cluster
}

var kinds = registry.New[Kind]("kind of item of the built-in world")

// Kinds lists the kinds that small models learn, in the order of their names.
func Kinds() []string { return kindsWhere(false) }

// HardKinds lists the kinds that small models have not learnt: all of them
// need something bound together that was stated a few words before.
func HardKinds() []string { return kindsWhere(true) }

func kindsWhere(hard bool) []string {
	var names []string
	for _, name := range kinds.Names() {
		if k, _ := kinds.Get(name); k.Hard == hard {
			names = append(names, name)
		}
	}
	return names
}

// Describe returns the kind called name, hard or not.
func Describe(name string) (Kind, error) { return kinds.Get(name) }

// Available returns how many items of a kind the world has. Every case that the
// text leaves out is asked once in each of its forms.
func (w *World) Available(kind string) (int, error) {
	k, err := kinds.Get(kind)
	if err != nil {
		return 0, err
	}
	return clusterSize * k.clusters(w), nil
}

// Items returns the first n items of a kind, rounded down to whole clusters of
// four, or all that are Available if those are fewer. They depend on the
// world's seed, people and rooms alone, and asking for more items leaves the
// first ones as they were.
func (w *World) Items(kind string, n int) ([]Item, error) {
	k, err := kinds.Get(kind)
	if err != nil {
		return nil, err
	}
	if n < clusterSize {
		return nil, fmt.Errorf("world: %d items of %s are asked for; they come in clusters of %d, so ask for at least that many", n, kind, clusterSize)
	}
	count := min(n/clusterSize, k.clusters(w))
	items := make([]Item, 0, clusterSize*count)
	for i := range count {
		cluster := k.cluster(w, i)
		name := fmt.Sprintf("%s-%05d", kind, i)
		shuffle(newSource(w.seed, "order of "+kind, uint64(i)), cluster)
		for j := range cluster {
			cluster[j].ID = fmt.Sprintf("%s-%d", name, j)
			cluster[j].Cluster = name
		}
		items = append(items, cluster...)
	}
	return items, nil
}

// quartet makes four items of four contexts and their four right answers. Every
// item offers all four answers, in one order.
func quartet(r *source, contexts, answers [clusterSize]string) []Item {
	order := r.permutation(clusterSize)
	items := make([]Item, clusterSize)
	for i := range items {
		choices := make([]Choice, clusterSize)
		for j, answer := range answers {
			choices[order[j]] = Choice{contexts[i], answer}
		}
		items[i] = Item{Choices: choices, Gold: order[i]}
	}
	return items
}

// quartets divides ids into fours with four different values each, as many as
// there can be. What is left over is left out.
func quartets(r *source, ids []int, value func(id int) int) [][clusterSize]int {
	byValue := map[int][]int{}
	var values []int
	for _, i := range r.permutation(len(ids)) {
		v := value(ids[i])
		if len(byValue[v]) == 0 {
			values = append(values, v)
		}
		byValue[v] = append(byValue[v], ids[i])
	}
	var all [][clusterSize]int
	for {
		four, ok := takeFour(values, byValue)
		if !ok {
			return all
		}
		all = append(all, four)
	}
}

// takeFour takes one id from each of the four values that have the most left.
func takeFour(values []int, byValue map[int][]int) (four [clusterSize]int, ok bool) {
	var taken [clusterSize]int
	for i := range four {
		best, most := -1, 0
		for _, v := range values {
			if len(byValue[v]) > most && !slices.Contains(taken[:i], v) {
				best, most = v, len(byValue[v])
			}
		}
		if most == 0 {
			return four, false
		}
		taken[i] = best
	}
	for i, v := range taken {
		last := len(byValue[v]) - 1
		four[i], byValue[v] = byValue[v][last], byValue[v][:last]
	}
	return four, true
}

// matchings draws degree different ways of pairing up 0 .. n-1, with no pair
// twice and only pairs that are allowed. So every number is in degree pairs.
func matchings(r *source, n, degree int, allowed func(a, b int) bool) [][2]int {
	var all [][2]int
	used := make([]bool, n*n)
	for len(all) < degree*n/2 {
		p := r.permutation(n)
		if fits(p, used, allowed) {
			for i := 0; i < n; i += 2 {
				used[p[i]*n+p[i+1]], used[p[i+1]*n+p[i]] = true, true
				all = append(all, [2]int{p[i], p[i+1]})
			}
		}
	}
	return all
}

func fits(p []int, used []bool, allowed func(a, b int) bool) bool {
	for i := 0; i < len(p); i += 2 {
		if used[p[i]*len(p)+p[i+1]] || !allowed(p[i], p[i+1]) {
			return false
		}
	}
	return true
}
