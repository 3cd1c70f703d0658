package tasks

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// MaxShots bounds the solved examples before an item; a model's context holds
// far fewer.
const MaxShots = 1000

// OtherItems is where solved examples come from that no file of a training
// split holds: from the items of the task itself, but for the one that is
// asked and those of its cluster.
const OtherItems = "the other items"

// Shots says which solved examples stand before each item: the first N of those
// that can, the same ones before every item, or N drawn anew for each item.
type Shots struct {
	N      int
	Sample bool   // drawn without replacement; the draw depends on Seed and the item's place alone
	Seed   uint64 // of the draws
}

// String says which examples are taken: "first", or "sampled, seed 7".
func (s Shots) String() string {
	if s.Sample {
		return fmt.Sprintf("sampled, seed %d", s.Seed)
	}
	return "first"
}

// Check reports a number of examples that cannot be.
func (s Shots) Check() error {
	if s.N < 0 || s.N > MaxShots {
		return fmt.Errorf("%d shots: the number is from 0 to %d", s.N, MaxShots)
	}
	return nil
}

// addShots puts solved examples from pool before each item. Where pool is the
// task's own, items are its beginning, and none is an example for itself or its
// cluster.
func (t Task) addShots(items, pool []Item, own bool, s Shots) error {
	if err := s.Check(); err != nil {
		return err
	}
	solved := make([]string, len(pool))
	made := map[string]string{} // texts of examples that several items share
	for i := range items {
		able := func(j int) bool { return !own || j != i && !sameCluster(pool[i], pool[j]) }
		chosen := s.choose(i, len(pool), able)
		if len(chosen) < s.N {
			return fmt.Errorf("%d shots, but only %d examples can stand before item %s", s.N, len(chosen), items[i].ID)
		}
		key := fmt.Sprint(chosen)
		if _, ok := made[key]; !ok || s.Sample {
			clear(made)
			made[key] = t.examplesText(chosen, pool, solved)
		}
		items[i].Before = made[key]
	}
	return nil
}

func sameCluster(a, b Item) bool { return a.Cluster != "" && a.Cluster == b.Cluster }

// choose returns the examples of item, at most s.N of the n there are.
func (s Shots) choose(item, n int, able func(int) bool) []int {
	if s.Sample {
		return s.draw(item, n, able)
	}
	var chosen []int
	for j := 0; j < n && len(chosen) < s.N; j++ {
		if able(j) {
			chosen = append(chosen, j)
		}
	}
	return chosen
}

// draw takes s.N of the n examples at random, in the order drawn: the head of
// a shuffle that is done only as far as needed.
func (s Shots) draw(item, n int, able func(int) bool) []int {
	random := rand.New(rand.NewPCG(s.Seed, uint64(item)))
	moved := map[int]int{}
	at := func(i int) int {
		if j, ok := moved[i]; ok {
			return j
		}
		return i
	}
	var chosen []int
	for i := 0; i < n && len(chosen) < s.N; i++ {
		j := i + random.IntN(n-i)
		picked := at(j)
		moved[j] = at(i)
		if able(picked) {
			chosen = append(chosen, picked)
		}
	}
	return chosen
}

// examplesText is the preamble and the chosen examples, each with its answer.
// Solved keeps the text of each example.
func (t Task) examplesText(chosen []int, pool []Item, solved []string) string {
	between := t.Between
	if between == "" {
		between = "\n\n"
	}
	var b strings.Builder
	b.WriteString(t.Preamble)
	for _, j := range chosen {
		if solved[j] == "" {
			solved[j] = pool[j].solved()
		}
		b.WriteString(solved[j] + between)
	}
	return b.String()
}

// solved is the item with its right answer.
func (it Item) solved() string {
	right := it.Choices[it.Gold]
	if len(it.Answers) > 0 {
		return right.Context + " " + it.Answers[0]
	}
	return right.Context + right.Continuation
}
