package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// A pieceKind is SentencePiece's type of a token; GGUF has the same numbers.
type pieceKind uint8

const (
	normalPiece  pieceKind = 1
	unknownPiece pieceKind = 2
	controlPiece pieceKind = 3 // no text encodes to it
	userPiece    pieceKind = 4 // is found in any text before anything else
	unusedPiece  pieceKind = 5
	bytePiece    pieceKind = 6 // "<0x0A>" for a byte of characters without a piece
)

// A piece is a token of SentencePiece.
type piece struct {
	text  string
	score float32 // the pair that gives the piece of highest score merges first; ln p in unigram models
	kind  pieceKind
}

// maxPiece bounds the length of a piece, bytes. All ways to cut it in two are looked at.
const maxPiece = 512

// A spm is a tokenizer in SentencePiece's terms, wherever it was read.
type spm struct {
	pieces   []piece
	rules    spmRules
	unigram  bool
	bos, eos int32 // or none
	addBOS   bool  // where there is one
	addEOS   bool
}

// tokenizer builds s. A config, if there is one, knows better about ends.
func (s *spm) tokenizer(config *configJSON) (*Tokenizer, error) {
	t := newTokenizer()
	if err := s.setPieces(t); err != nil {
		return nil, err
	}
	if err := s.setRules(t); err != nil {
		return nil, err
	}
	ids := s.texts()
	if s.unigram {
		if err := s.setUnigram(t, ids); err != nil {
			return nil, err
		}
	} else {
		s.setPairs(t, ids)
		if s.cutsAtSpaces(t, ids) {
			t.steps = []step{{name: metaspace, scan: metaspaceWord}}
		}
	}
	t.ends = ends{bos: s.bos, eos: s.eos, addBOS: s.addBOS && s.bos != none, addEOS: s.addEOS && s.eos != none}
	if err := config.setEnds(t); err != nil {
		return nil, err
	}
	if err := t.setEnds(); err != nil {
		return nil, err
	}
	t.source = s.json(t)
	t.parts = s.partsOf(t)
	return t.ready(), nil
}

// setPieces fills tokens, names, special, the bytes and the unknown token.
func (s *spm) setPieces(t *Tokenizer) error {
	if len(s.pieces) > maxVocab {
		return fmt.Errorf("%d pieces; at most %d are allowed", len(s.pieces), maxVocab)
	}
	t.tokens, t.names = make([]string, len(s.pieces)), make([]string, len(s.pieces))
	seen := make(map[string]int, len(s.pieces))
	for id, p := range s.pieces {
		if err := p.check(); err != nil {
			return fmt.Errorf("piece %d: %w", id, err)
		}
		if other, twice := seen[p.text]; twice {
			return fmt.Errorf("piece %q has ids %d and %d", p.text, other, id)
		}
		seen[p.text] = id
		t.names[id], t.tokens[id] = p.text, strings.ReplaceAll(p.text, metaspace, " ")
		if err := s.setKind(t, int32(id), p); err != nil {
			return err
		}
	}
	t.symbols.fuse = true
	if t.symbols.bytes && slices.Contains(t.byteID[:], none) {
		return errors.New("some of the 256 bytes have a piece and others none")
	}
	if t.symbols.unknown == none && !t.symbols.bytes {
		return errors.New("neither an unknown piece nor bytes for characters that have no piece")
	}
	return nil
}

func (p piece) check() error {
	switch {
	case p.text == "":
		return errors.New("it is empty")
	case len(p.text) > maxPiece:
		return fmt.Errorf("it has %d bytes; at most %d are allowed", len(p.text), maxPiece)
	case !utf8.ValidString(p.text):
		return fmt.Errorf("%q is not UTF-8", p.text)
	case p.score != p.score || math.IsInf(float64(p.score), 0):
		return fmt.Errorf("%q has score %v", p.text, p.score)
	case p.kind < normalPiece || p.kind > bytePiece:
		return fmt.Errorf("%q has type %d; types are from 1 to 6", p.text, p.kind)
	}
	return nil
}

func (s *spm) setKind(t *Tokenizer, id int32, p piece) error {
	switch p.kind {
	case unknownPiece:
		if t.symbols.unknown != none {
			return fmt.Errorf("pieces %d and %d are both the unknown one", t.symbols.unknown, id)
		}
		t.symbols.unknown, t.special[id] = id, true
	case controlPiece:
		t.special[id] = true
	case bytePiece:
		b, ok := namedByte(p.text)
		if !ok || t.byteID[b] != none {
			return fmt.Errorf("piece %d: %q names no byte or one that is there already", id, p.text)
		}
		t.byteID[b], t.tokens[id], t.symbols.bytes = id, string([]byte{b}), true
	}
	return nil
}

// setRules makes the normalizer and finds special and user-defined tokens.
func (s *spm) setRules(t *Tokenizer) error {
	var specials, users []addedToken
	for id, p := range s.pieces {
		switch p.kind {
		case controlPiece, unknownPiece:
			specials = append(specials, addedToken{ID: int64(id), Content: p.text, Special: true})
		case userPiece:
			users = append(users, addedToken{ID: int64(id), Content: p.text})
		}
	}
	content := func(a addedToken) string { return a.Content }
	var err error
	if t.raw, err = newMatcher(specials, content); err != nil {
		return err
	}
	if t.normalized, err = newMatcher(users, content); err != nil {
		return err
	}
	s.rules.users = t.normalized
	if err := s.rules.readCharsmap(); err != nil {
		return err
	}
	t.normalize = []normalizer{{"SentencePiece", s.rules.normalize}}
	switch {
	case s.rules.trimSpaces:
		t.front = dropAllSpaces
	case s.rules.dummyPrefix:
		t.front = dropOneSpace
	}
	return nil
}

// texts returns the ids of pieces that merges or paths may give.
func (s *spm) texts() map[string]int32 {
	ids := make(map[string]int32, len(s.pieces))
	for id, p := range s.pieces {
		if p.kind == normalPiece || p.kind == userPiece || p.kind == unusedPiece {
			ids[p.text] = int32(id)
		}
	}
	return ids
}

// setPairs makes a merge of every way to cut a piece in two that merges could
// come to. Its rank is that of the piece's score.
func (s *spm) setPairs(t *Tokenizer, ids map[string]int32) {
	symbolOf := s.setSymbols(t, ids)
	ranks := s.ranks()
	for text, id := range ids {
		p := s.pieces[id]
		if p.kind == userPiece {
			continue // is cut out before
		}
		for cut := range text {
			if cut == 0 {
				continue
			}
			left, okLeft := symbolOf(text[:cut])
			right, okRight := symbolOf(text[cut:])
			if okLeft && okRight {
				t.merges[makePair(left, right)] = merge{rank: ranks[p.score], id: id}
			}
		}
		if p.kind == unusedPiece {
			if t.unused == nil {
				t.unused = map[int32]bool{}
			}
			t.unused[id] = true
		}
	}
}

// setSymbols makes characters the symbols of words, those inside pieces that
// are no pieces themselves too. It returns how to find the symbol of a text.
func (s *spm) setSymbols(t *Tokenizer, ids map[string]int32) func(text string) (int32, bool) {
	t.setRunes(ids)
	for _, text := range slices.Sorted(maps.Keys(ids)) {
		for _, r := range text {
			if _, known := t.symbols.runeID[r]; !known {
				t.symbols.runeID[r] = int32(len(t.tokens) + len(t.symbols.spare))
				t.symbols.spare = append(t.symbols.spare, string(r))
			}
		}
	}
	return func(text string) (int32, bool) {
		if id, ok := ids[text]; ok {
			return id, s.pieces[id].kind != userPiece
		}
		if r, single := onlyRune(text); single {
			id, ok := t.symbols.runeID[r]
			return id, ok
		}
		return 0, false
	}
}

// ranks numbers the scores of pieces from the highest.
func (s *spm) ranks() map[float32]int32 {
	scores := make([]float32, len(s.pieces))
	for i, p := range s.pieces {
		scores[i] = p.score
	}
	slices.Sort(scores)
	scores = slices.Compact(scores)
	slices.Reverse(scores)
	ranks := make(map[float32]int32, len(scores))
	for rank, score := range scores {
		ranks[score] = int32(rank)
	}
	return ranks
}

// cutsAtSpaces says whether the words of metaspaceWord can be encoded one by one.
func (s *spm) cutsAtSpaces(t *Tokenizer, ids map[string]int32) bool {
	if _, known := ids[metaspace]; !known || s.unigram || t.unused != nil {
		return false
	}
	for text := range ids {
		if crossesWords(text) {
			return false
		}
	}
	return true
}

// setUnigram makes scores the model.
func (s *spm) setUnigram(t *Tokenizer, ids map[string]int32) error {
	scores := make([]float64, len(s.pieces))
	least := math.Inf(1)
	for id, p := range s.pieces {
		scores[id] = float64(p.score)
		switch p.kind {
		case userPiece:
			scores[id] = userScore
		case normalPiece:
			least = min(least, scores[id])
		case unusedPiece:
			delete(ids, p.text)
		}
	}
	if math.IsInf(least, 1) {
		return errors.New("no normal pieces")
	}
	var err error
	if t.unigram, err = newUnigram(ids, scores, least); err != nil {
		return err
	}
	t.unigram.single = true
	t.unigram.unknown = float64(float32(least) - unknownPenalty)
	return nil
}
