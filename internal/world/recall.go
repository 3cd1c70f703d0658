package world

import "slices"

// Recall asks for stored facts: for each person a job, a town, a dish and an
// animal, each one of 16, so four bits a fact. Each attribute has three
// wordings. For each person and attribute the text uses two of them and the
// items the third, so that the answer is a fact and no remembered sentence.
// With 24 people all of it is learnt early; with 512 or more the share right at a
// fixed number of tokens grows with the size of the model.
//
// The chance level is 1/4 and the ceiling 1. A quartet has one attribute in one
// wording for four people. At least four words stand between a name and the
// answer.

var firstNames = []string{
	"ann", "ben", "carl", "dora", "emma", "fred", "gina", "hugh",
	"iris", "jack", "kate", "leo", "mary", "ned", "owen", "paul",
	"rose", "sam", "tom", "una", "vera", "walt", "yan", "zoe",
	"alma", "bert", "dan", "eve", "gus", "jane", "lena", "mark",
}

var lastNames = []string{
	"adams", "blake", "brown", "clark", "cole", "dean", "drake", "dunn",
	"ellis", "frost", "gray", "green", "hale", "hart", "holt", "king",
	"lamb", "lane", "lee", "marsh", "moss", "nash", "park", "pike",
	"pope", "reed", "shaw", "snow", "swan", "todd", "wade", "webb",
}

// cast are the names that stories use, whatever the number of people.
var cast = firstNames[:24]

// A wording states a fact: before, the person, after, the value.
type wording struct{ before, after string }

type attribute struct {
	values   []string
	wordings [3]wording
}

var attributes = []attribute{
	{
		values: []string{
			"baker", "barber", "clerk", "cook", "farmer", "judge", "mason", "miner",
			"nurse", "porter", "potter", "sailor", "smith", "tailor", "tanner", "weaver",
		},
		wordings: [3]wording{
			{"the work of", "is mainly that of a"},
			{"all day", "earns some money as a"},
			{"when young,", "was trained to be a"},
		},
	}, {
		values: []string{
			"bern", "cadiz", "delhi", "dover", "genoa", "kyoto", "lagos", "lima",
			"milan", "oslo", "paris", "quito", "rome", "seoul", "tunis", "york",
		},
		wordings: [3]wording{
			{"the home of", "stands in the town of"},
			{"for years", "has had a house in"},
			{"to find", "you must go to"},
		},
	}, {
		values: []string{
			"beans", "bread", "cake", "cheese", "corn", "fish", "ham", "honey",
			"jam", "nuts", "pears", "pie", "plums", "rice", "soup", "stew",
		},
		wordings: [3]wording{
			{"at noon", "has a plate of"},
			{"the meal that", "loves more than all is"},
			{"for supper", "will only ask for some"},
		},
	}, {
		values: []string{
			"cat", "cow", "crow", "dog", "dove", "duck", "fox", "frog",
			"goat", "hen", "horse", "mouse", "mule", "pig", "sheep", "toad",
		},
		wordings: [3]wording{
			{"in spring", "takes care of a young"},
			{"for hours", "is out with the"},
			{"last year", "went to buy a"},
		},
	},
}

func init() {
	topics.Add("recall", topic{write: writeRecall, judge: judgeRecall, phrases: recallPhrases})
	kinds.Add("recall", Kind{
		About:    "a fact about a person, in words that the text does not use for it",
		Needs:    "stored facts: 16 bits a person",
		Topic:    "recall",
		Chance:   0.25,
		clusters: func(w *World) int { return len(w.people.quartets) },
		cluster:  recallQuartet,
	})
}

// people holds what is known of everyone. Person i is called
// firstNames[i mod 32] lastNames[(i + i/32) mod 32].
type people struct {
	names    []string
	facts    [][]int // value, by attribute and person; each value equally often, or once more
	held     [][]int // wording that the text never uses, by attribute and person
	quartets []recallFour
}

// A recallFour is a quartet of items: four people with different values of an
// attribute, whose held-out wording is the same.
type recallFour struct {
	attribute, wording int
	people             [clusterSize]int
}

func drawPeople(r *source, count int) people {
	p := people{names: make([]string, count)}
	for i := range p.names {
		p.names[i] = firstNames[i%len(firstNames)] + " " + lastNames[(i+i/len(firstNames))%len(lastNames)]
	}
	for a, attribute := range attributes {
		p.facts = append(p.facts, evenly(r, count, len(attribute.values)))
		p.held = append(p.held, evenly(r, count, len(attribute.wordings)))
		for w := range attribute.wordings {
			p.addQuartets(r, a, w)
		}
	}
	shuffle(r, p.quartets)
	return p
}

// evenly returns count numbers below n in a random order, each equally often or
// once more.
func evenly(r *source, count, n int) []int {
	first := r.permutation(n)
	numbers := make([]int, count)
	for i := range numbers {
		numbers[i] = first[i%n]
	}
	shuffle(r, numbers)
	return numbers
}

func (p *people) addQuartets(r *source, attribute, wording int) {
	var ids []int
	for i, held := range p.held[attribute] {
		if held == wording {
			ids = append(ids, i)
		}
	}
	value := func(i int) int { return p.facts[attribute][i] }
	for _, four := range quartets(r, ids, value) {
		p.quartets = append(p.quartets, recallFour{attribute, wording, four})
	}
}

func (p *people) context(attribute, wording, person int) string {
	words := attributes[attribute].wordings[wording]
	return words.before + " " + p.names[person] + " " + words.after
}

func (p *people) ending(attribute, person int) string {
	return " " + attributes[attribute].values[p.facts[attribute][person]] + "."
}

func writeRecall(w *World, r *source, p *page) {
	for !p.full() {
		person, attribute := r.below(len(w.people.names)), r.below(len(attributes))
		wording := (w.people.held[attribute][person] + 1 + r.below(2)) % 3
		p.say(w.people.context(attribute, wording, person), w.people.ending(attribute, person))
	}
}

func recallQuartet(w *World, i int) []Item {
	four := w.people.quartets[i]
	var contexts, answers [clusterSize]string
	for j, person := range four.people {
		contexts[j] = w.people.context(four.attribute, four.wording, person)
		answers[j] = w.people.ending(four.attribute, person)
	}
	return quartet(newSource(w.seed, "recall choices", uint64(i)), contexts, answers)
}

// judgeRecall looks in each sentence for a person and takes its last word as the
// value of the attribute that has such a value.
func judgeRecall(w *World, read [][]string) verdict {
	names := indexes(w.people.names)
	for _, sentence := range read {
		person := -1
		for i := range len(sentence) - 1 {
			if p, ok := names[sentence[i]+" "+sentence[i+1]]; ok {
				person = p
			}
		}
		attribute, value := attributeOf(sentence[len(sentence)-1])
		if person < 0 || attribute < 0 {
			return unknown
		}
		if w.people.facts[attribute][person] != value {
			return untrue
		}
	}
	return holds
}

func attributeOf(word string) (attribute, value int) {
	for a := range attributes {
		if v := slices.Index(attributes[a].values, word); v >= 0 {
			return a, v
		}
	}
	return -1, -1
}

func recallPhrases(w *World) []string {
	all := slices.Clone(w.people.names)
	for _, attribute := range attributes {
		all = append(all, attribute.values...)
		for _, words := range attribute.wordings {
			all = append(all, words.before, words.after)
		}
	}
	return append(all, ".")
}
