package world

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"plumb/internal/registry"
)

// A topic is a subject of documents. Each is one file, which adds the topic here
// and the kinds of items that ask about it to kinds.
type topic struct {
	write   func(w *World, r *source, p *page)           // one document
	judge   func(w *World, sentences [][]string) verdict // of a document or of an item's text
	phrases func(w *World) []string                      // all words that write can use
}

var topics = registry.New[topic]("topic of the built-in world")

// A Mixture says how many documents of each topic there are among every
// Σ counts, on average. Topics that it lacks are not written about.
type Mixture map[string]int

var mixtures = registry.New[Mixture]("mixture of the built-in world")

func init() {
	// Shows recall, scripts and weights within 1M tokens.
	mixtures.Add("quickstart", Mixture{"walks": 1, "recall": 1, "scripts": 1, "weights": 1})
	// Shows single steps within 1M tokens as well.
	mixtures.Add("mixed", Mixture{"walks": 3, "recall": 1, "scripts": 1, "weights": 1})
	// Separates depths from 2M to 4M tokens on.
	mixtures.Add("walks", Mixture{"walks": 1})
	// Separates sizes, with 512 people or more.
	mixtures.Add("recall", Mixture{"recall": 1})
	// What models of this size have not learnt within 2.5M tokens.
	mixtures.Add("hard", Mixture{"friends": 1, "boxes": 1, "gifts": 1, "reasons": 1})
}

// Mixtures lists the names that ParseMixture knows.
func Mixtures() []string { return mixtures.Names() }

// colonOrder is what four numbers with colons stand for.
var colonOrder = []string{"walks", "recall", "scripts", "weights"}

// ParseMixture reads a mixture in any of the forms of Options.Mixture.
func ParseMixture(s string) (Mixture, error) {
	switch {
	case strings.Contains(s, "="):
		return parseTopics(s)
	case strings.Contains(s, ":"):
		return parseColons(s)
	}
	m, err := mixtures.Get(s)
	if err != nil {
		return nil, fmt.Errorf("world: %w, or give numbers as in \"3:1:1:1\" or \"walks=2 friends=1\"", err)
	}
	return maps.Clone(m), nil
}

func parseColons(s string) (Mixture, error) {
	counts := strings.Split(s, ":")
	if len(counts) != len(colonOrder) {
		return nil, fmt.Errorf("world: mixture %q has %d numbers, not one for each of %s", s, len(counts), strings.Join(colonOrder, ":"))
	}
	m := Mixture{}
	for i, count := range counts {
		if err := m.set(colonOrder[i], count); err != nil {
			return nil, err
		}
	}
	return m, m.check(s)
}

func parseTopics(s string) (Mixture, error) {
	m := Mixture{}
	for _, field := range strings.Fields(s) {
		name, count, _ := strings.Cut(field, "=")
		if _, err := topics.Get(name); err != nil {
			return nil, fmt.Errorf("world: mixture %q: %w", s, err)
		}
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("world: mixture %q names %s twice", s, name)
		}
		if err := m.set(name, count); err != nil {
			return nil, err
		}
	}
	return m, m.check(s)
}

func (m Mixture) set(topic, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1000 {
		return fmt.Errorf("world: mixture: %q documents of %s is not a whole number from 0 to 1000", count, topic)
	}
	m[topic] = n
	return nil
}

func (m Mixture) check(s string) error {
	if len(m.topics()) == 0 {
		return fmt.Errorf("world: mixture %q has no documents; give one topic a number above 0", s)
	}
	return nil
}

// topics lists in order the topics with at least one document.
func (m Mixture) topics() []string {
	var names []string
	for _, name := range topics.Names() {
		if m[name] > 0 {
			names = append(names, name)
		}
	}
	return names
}

// writers lists each topic's writer as often as the mixture has its documents.
func (m Mixture) writers() []func(*World, *source, *page) {
	var all []func(*World, *source, *page)
	for _, name := range m.topics() {
		t, err := topics.Get(name)
		if err != nil {
			panic("world: writers: " + err.Error())
		}
		all = append(all, slices.Repeat([]func(*World, *source, *page){t.write}, m[name])...)
	}
	return all
}
