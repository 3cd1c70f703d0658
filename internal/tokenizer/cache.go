package tokenizer

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// The cache stays below about 10 MB: 64 parts of 1024 words of at most 64 bytes.
const (
	cacheParts = 64
	partWords  = 1024
	cachedWord = 64 // bytes
)

// A cache keeps the ids of words met before. Its parts have their own locks, so
// that goroutines seldom wait for each other. What it holds never changes a result.
type cache struct {
	seed  maphash.Seed
	parts [cacheParts]struct {
		sync.RWMutex
		ids map[string][]int32
	}
}

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.parts {
		c.parts[i].ids = map[string][]int32{}
	}
	return c
}

func (c *cache) get(word string) ([]int32, bool) {
	if len(word) > cachedWord {
		return nil, false
	}
	part := &c.parts[maphash.String(c.seed, word)%cacheParts]
	part.RLock()
	defer part.RUnlock()
	ids, ok := part.ids[word]
	return ids, ok
}

// put keeps a copy of word and ids. A part that is full starts anew.
func (c *cache) put(word string, ids []int32) {
	if len(word) > cachedWord {
		return
	}
	part := &c.parts[maphash.String(c.seed, word)%cacheParts]
	part.Lock()
	defer part.Unlock()
	if len(part.ids) >= partWords {
		clear(part.ids)
	}
	part.ids[strings.Clone(word)] = slices.Clone(ids)
}
