package tokenizer

import (
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// minPairs is how often a pair must occur to become a token.
const minPairs = 2

// Train learns a byte-level vocabulary of vocab ids from texts: the end of text
// as id 0, the 256 bytes in the order of their characters, and then, one after
// the other, the most frequent pair of neighbours inside words. Of equally
// frequent pairs the one with the smaller ids wins, so the result depends on
// the texts alone, and not on their order.
func Train(texts iter.Seq[string], vocab int) (*Tokenizer, error) {
	if vocab < 257 || vocab > maxVocab {
		return nil, fmt.Errorf("vocabulary of %d; it must be from 257 (the bytes and the end of text) to %d", vocab, maxVocab)
	}
	t := newTokenizer()
	t.steps, t.ends.eos = gpt2Steps, 0
	t.tokens = make([]string, 1, vocab)
	t.tokens[0], t.special[0] = endOfText, true
	for _, r := range slices.Sorted(slices.Values(byteToRune[:])) {
		b := runeToByte[r]
		t.byteID[b] = int32(len(t.tokens))
		t.tokens = append(t.tokens, string([]byte{b}))
	}
	newTrainer(t, countWords(texts)).run(vocab)
	if len(t.tokens) < vocab {
		return nil, &ShortTextError{vocab, len(t.tokens)}
	}
	if err := t.setAdded([]addedToken{{ID: 0, Content: endOfText, Special: true}}); err != nil {
		return nil, err
	}
	return t.ready(), nil
}

// A ShortTextError says that a text repeats too little to fill a vocabulary.
type ShortTextError struct {
	Vocab int // ids that were asked for
	Most  int // ids that the text has repeated pairs for
}

// Error names both numbers.
func (e *ShortTextError) Error() string {
	return fmt.Sprintf("vocabulary of %d, but the text has repeated pairs for %d only; ask for at most %d or give more text", e.Vocab, e.Most, e.Most)
}

// countWords returns how often each word occurs. Sums do not depend on which
// worker counted what.
func countWords(texts iter.Seq[string]) map[string]int {
	queue := make(chan string)
	var counts sync.Mutex
	total := map[string]int{}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			own := map[string]*int{}
			for text := range queue {
				countInto(own, text)
			}
			counts.Lock()
			defer counts.Unlock()
			for word, n := range own {
				total[word] += *n
			}
		})
	}
	for text := range texts {
		queue <- text
	}
	close(queue)
	workers.Wait()
	return total
}

// countInto copies a word the first time, because a part of a text would keep
// all of it in memory.
func countInto(own map[string]*int, text string) {
	w := words{text: text, scan: gpt2Word}
	for word := w.next(); word != ""; word = w.next() {
		if n := own[word]; n != nil {
			*n++
			continue
		}
		n := 1
		own[strings.Clone(word)] = &n
	}
}

// A trainer holds every distinct word as symbols and merges in all of them at once.
type trainer struct {
	t      *Tokenizer
	ids    map[string]int32 // id of each token by its bytes
	words  [][]int32        // symbols of each distinct word
	counts []int            // how often each word occurs
	pairs  map[pair]*pairStat
	queue  heap[candidate]
	grown  []pair // pairs that the current merge has made more frequent
}

// A pairStat is where a pair occurs. Words may be listed that no longer have
// it, and the same word may be listed more than once.
type pairStat struct {
	count int
	words []int32
}

// A candidate is a pair as frequent as it was when queued. Counts that fell
// since are seen when it is its turn.
type candidate struct {
	count int
	pair  pair
}

func (c candidate) less(d candidate) bool {
	return c.count > d.count || c.count == d.count && c.pair < d.pair
}

func newTrainer(t *Tokenizer, counts map[string]int) *trainer {
	tr := &trainer{t: t, ids: map[string]int32{}, pairs: map[pair]*pairStat{}}
	for id, token := range t.tokens {
		if !t.special[int32(id)] {
			tr.ids[token] = int32(id)
		}
	}
	for i, word := range slices.Sorted(maps.Keys(counts)) {
		symbols := make([]int32, len(word))
		for j := range symbols {
			symbols[j] = t.byteID[word[j]]
		}
		tr.words = append(tr.words, symbols)
		tr.counts = append(tr.counts, counts[word])
		for j := range len(symbols) - 1 {
			tr.add(makePair(symbols[j], symbols[j+1]), counts[word], int32(i))
		}
	}
	tr.queueGrown()
	return tr
}

// add counts n more of p in a word.
func (tr *trainer) add(p pair, n int, word int32) {
	stat := tr.pairs[p]
	if stat == nil {
		stat = &pairStat{}
		tr.pairs[p] = stat
	}
	stat.count += n
	if last := len(stat.words) - 1; last < 0 || stat.words[last] != word {
		stat.words = append(stat.words, word)
	}
	tr.grown = append(tr.grown, p)
}

// queueGrown queues every pair that has grown, once.
func (tr *trainer) queueGrown() {
	slices.Sort(tr.grown)
	for _, p := range slices.Compact(tr.grown) {
		if count := tr.pairs[p].count; count > 0 {
			tr.queue.push(candidate{count, p})
		}
	}
	tr.grown = tr.grown[:0]
}

// run adds merges until there are vocab tokens or no pair is left to merge.
func (tr *trainer) run(vocab int) {
	for len(tr.t.tokens) < vocab && len(tr.queue) > 0 {
		best := tr.queue.pop()
		stat := tr.pairs[best.pair]
		if best.count != stat.count {
			if best.count > stat.count && stat.count > 0 {
				tr.queue.push(candidate{stat.count, best.pair})
			}
			continue
		}
		if best.count < minPairs {
			return
		}
		tr.merge(best.pair, stat)
	}
}

// merge makes p a token, or another way to a token that there is already.
func (tr *trainer) merge(p pair, stat *pairStat) {
	left, right := p.ids()
	token := tr.t.tokens[left] + tr.t.tokens[right]
	id, known := tr.ids[token]
	if !known {
		id = int32(len(tr.t.tokens))
		tr.ids[token] = id
		tr.t.tokens = append(tr.t.tokens, token)
	}
	if _, again := tr.t.merges[p]; !again {
		tr.t.addMerge(p, id)
	}
	slices.Sort(stat.words)
	for _, word := range slices.Compact(stat.words) {
		tr.mergeWord(word, left, right, id)
	}
	stat.count, stat.words = 0, nil
	tr.queueGrown()
}

// mergeWord replaces left right by id from left to right, and keeps the counts
// of the pairs that this ends and begins.
func (tr *trainer) mergeWord(word, left, right, id int32) {
	symbols, n := tr.words[word], tr.counts[word]
	kept := symbols[:0]
	for i := 0; i < len(symbols); i++ {
		if i+1 == len(symbols) || symbols[i] != left || symbols[i+1] != right {
			kept = append(kept, symbols[i])
			continue
		}
		if len(kept) > 0 {
			before := kept[len(kept)-1]
			tr.pairs[makePair(before, left)].count -= n
			tr.add(makePair(before, id), n, word)
		}
		if i+2 < len(symbols) {
			tr.pairs[makePair(right, symbols[i+2])].count -= n
			tr.add(makePair(id, symbols[i+2]), n, word)
		}
		kept = append(kept, id)
		i++
	}
	tr.words[word] = kept
}

// addMerge appends a merge of p to id after all others.
func (t *Tokenizer) addMerge(p pair, id int32) {
	t.merges[p] = merge{rank: int32(len(t.order)), id: id}
	t.order = append(t.order, p)
}
