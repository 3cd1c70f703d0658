// Package world writes text about a small made-up world and questions whose
// answers only someone who knows that world can give. It needs no download, so
// a first run and the nightly runs can train and score honestly anywhere.
//
// A World is drawn from a seed: a map of rooms, the facts about some people,
// the weights of 32 things, the ways of 16 crafts. Documents streams endless
// lower-case text about it. Items asks about it in the form of real benchmarks:
// four endings of one context as HellaSwag has them, or one ending scored
// under two contexts as WinoGrande has them. What items ask is never written in
// the text in the items' own words, for any amount of text.
//
// Items come in clusters of four that leave nothing to word counts. Where there
// are four choices, four contexts share the same four endings and each ending is
// right once; where there are two, both adjectives and both orders of the nouns
// are asked. The four words before a scored answer are the same throughout a
// cluster, so an n-gram model up to n = 5 scores exactly the chance level.
package world

import (
	"fmt"
	"iter"
	"slices"
)

// Options say what a world holds and what its text is about. The zero value is
// the quickstart: 16 rooms, 24 people, a document of each topic in turn.
type Options struct {
	// Mixture is how often the text turns to each topic: the name of a mixture
	// (quickstart, mixed, walks, recall, hard), four numbers that stand for
	// walks:recall:scripts:weights such as "3:1:1:1", or topics with numbers such
	// as "walks=2 friends=1". Empty means quickstart. It changes no item.
	Mixture string `toml:"mixture" json:"mixture"`
	// People is how many people the text states facts about, four facts of four
	// bits each: 12 to 1024, and 24 if zero.
	People int `toml:"people" json:"people"`
	// Rooms is the size of the map: a multiple of 4 from 8 to 24, and 16 if zero.
	Rooms int `toml:"rooms" json:"rooms"`
}

const (
	defaultMixture = "quickstart"
	defaultPeople  = 24
	defaultRooms   = 16
)

// WithDefaults returns o with every zero field replaced by its default.
func (o Options) WithDefaults() Options {
	if o.Mixture == "" {
		o.Mixture = defaultMixture
	}
	if o.People == 0 {
		o.People = defaultPeople
	}
	if o.Rooms == 0 {
		o.Rooms = defaultRooms
	}
	return o
}

// Validate says what is wrong with o, and what would be right.
func (o Options) Validate() error {
	o = o.WithDefaults()
	if _, err := ParseMixture(o.Mixture); err != nil {
		return err
	}
	if most := len(firstNames) * len(lastNames); o.People < 12 || o.People > most {
		return fmt.Errorf("world: people = %d is outside 12 to %d", o.People, most)
	}
	if o.Rooms < 8 || o.Rooms > len(roomNames) || o.Rooms%4 != 0 {
		return fmt.Errorf("world: rooms = %d is not a multiple of 4 from 8 to %d", o.Rooms, len(roomNames))
	}
	return nil
}

// A World is one drawn world. It never changes once made, so any number of
// goroutines may use it.
type World struct {
	seed    uint64
	options Options
	mixture Mixture
	walks   walkMap
	people  people
	weights scales
	scripts scripts
	reasons reasons
}

// New draws the world of a seed. The seed fixes the map, the facts, the weights
// and the items; o.Mixture changes none of these, o.People only the facts and
// o.Rooms only the map.
func New(seed uint64, o Options) (*World, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	mixture, err := ParseMixture(o.Mixture)
	if err != nil {
		return nil, err
	}
	return &World{
		seed:    seed,
		options: o,
		mixture: mixture,
		walks:   drawWalkMap(newSource(seed, "walks"), o.Rooms),
		people:  drawPeople(newSource(seed, "recall"), o.People),
		weights: drawScales(newSource(seed, "weights")),
		scripts: drawScripts(newSource(seed, "scripts")),
		reasons: drawReasons(newSource(seed, "reasons")),
	}, nil
}

// Options returns what the world was made with, defaults filled in.
func (w *World) Options() Options { return w.options }

// Documents streams documents without end: lower-case sentences of 60 to 85
// words and punctuation marks, each document about one topic. The seed chooses
// the text and only the text: another seed tells of the same world, for example
// for validation. One seed always gives the same bytes.
func (w *World) Documents(seed uint64) iter.Seq[string] {
	return func(yield func(string) bool) {
		r := newSource(seed, "text")
		writers := w.mixture.writers()
		var p page
		for {
			p.clear()
			writers[r.below(len(writers))](w, r, &p)
			if !yield(p.String()) {
				return
			}
		}
	}
}

// Words lists in order the distinct words and punctuation marks of the text
// that this world's mixture writes. With the default options there are fewer
// than 400.
func (w *World) Words() []string {
	var words []string
	for _, name := range w.mixture.topics() {
		t, err := topics.Get(name)
		if err != nil {
			panic("world: Words: " + err.Error())
		}
		for _, phrase := range t.phrases(w) {
			words = append(words, tokens(phrase)...)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}
