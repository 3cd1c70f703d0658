package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A unigram model cuts a word into the tokens whose log-probabilities have the
// greatest sum (Kudo 2018, section 3.1), by Viterbi's algorithm.
type unigram struct {
	pieces  *matcher
	scores  []float64 // ln p of each id
	unknown float64   // that of a character without a token
	single  bool      // sums are kept in float32, as SentencePiece keeps them
}

// unknownPenalty is how much less likely than the rarest token an unknown
// character is, nats.
const unknownPenalty = 10

// userScore is the score of a user-defined token in SentencePiece, whatever its
// length: greater than that of any way around it.
const userScore = -0.1

// A viterbi is the best way to a place in a word.
type viterbi struct {
	sum   float64
	start int32 // of the last token; -1 before there is a way
	id    int32
}

// append appends the ids of word, those of its unknown characters as t spells them.
func (u *unigram) append(dst []int32, word string, t *Tokenizer) []int32 {
	ways := u.ways(word, t.symbols.unknown)
	var back []int32 // ends of tokens, from the last
	for at := int32(len(word)); at > 0; at = ways[at].start {
		back = append(back, at)
	}
	start := len(dst)
	slices.Reverse(back)
	for _, at := range back {
		if way := ways[at]; way.id != t.symbols.unknown {
			dst = append(dst, way.id)
		} else {
			dst = t.appendUnknown(dst, start, validPart(word[way.start:at]))
		}
	}
	return dst
}

// validPart returns the character, or U+FFFD for what is none.
func validPart(char string) string {
	r, _ := utf8.DecodeRuneInString(char)
	return string(r)
}

// ways returns the best way to each place; that to the end of word is at len(word).
func (u *unigram) ways(word string, unknown int32) []viterbi {
	ways := make([]viterbi, len(word)+1)
	for i := range ways {
		ways[i].start = -1
	}
	for at := 0; at < len(word); {
		_, width := utf8.DecodeRuneInString(word[at:])
		known := false
		u.pieces.each(word[at:], func(length int, id int32) {
			u.offer(ways, at, at+length, id, u.scores[id])
			known = known || length == width
		})
		if !known {
			u.offer(ways, at, at+width, unknown, u.unknown)
		}
		at += width
	}
	return ways
}

// offer takes the way to from and on to to by id if it is the best yet.
func (u *unigram) offer(ways []viterbi, from, to int, id int32, score float64) {
	sum := score + ways[from].sum
	way := &ways[to]
	if way.start >= 0 && sum <= way.sum {
		return
	}
	if u.single {
		sum = float64(float32(sum))
	}
	*way = viterbi{sum, int32(from), id}
}

// each calls visit for every token at the start of text, the shortest first.
func (m *matcher) each(text string, visit func(length int, id int32)) {
	node := int32(0)
	for i := range len(text) {
		after, ok := m.next[matchEdge{node, text[i]}]
		if !ok {
			return
		}
		node = after
		if token := m.tokens[node]; token != nil {
			visit(i+1, int32(token.ID))
		}
	}
}

// newUnigram makes a model of the ordinary tokens by name.
func newUnigram(ids map[string]int32, scores []float64, least float64) (*unigram, error) {
	pieces := make([]addedToken, 0, len(ids))
	for name, id := range ids {
		pieces = append(pieces, addedToken{ID: int64(id), Content: name})
	}
	m, err := newMatcher(pieces, func(a addedToken) string { return a.Content })
	if m == nil && err == nil {
		err = errors.New("the vocabulary has no text")
	}
	return &unigram{pieces: m, scores: scores, unknown: least - unknownPenalty}, err
}

// setUnigramModel builds the unigram model of a tokenizer.json.
func (t *Tokenizer) setUnigramModel(m *modelJSON, added []addedToken, d decoding) error {
	if d.byteLevel {
		return errors.New("model Unigram of bytes is not supported")
	}
	vocab, scores := vocabulary{}, []float64{}
	err := eachElement(m.Vocab, func(de *json.Decoder) error {
		name, score, err := scoredRow(de)
		if err != nil {
			return fmt.Errorf("token %d: %w", len(scores), err)
		}
		if _, twice := vocab[name]; twice {
			return fmt.Errorf("token %q is in the vocabulary twice", name)
		}
		vocab[name], scores = int64(len(scores)), append(scores, score)
		return nil
	})
	if err != nil {
		return fmt.Errorf("model: vocab: %w", err)
	}
	if len(scores) == 0 {
		return errors.New("the vocabulary is empty")
	}
	if err := t.setTokens(vocab, added, d); err != nil {
		return err
	}
	if m.UnknownID != nil {
		if *m.UnknownID < 0 || *m.UnknownID >= int64(len(scores)) {
			return fmt.Errorf("model: unk_id %d is not in the vocabulary of %d", *m.UnknownID, len(scores))
		}
		t.symbols.unknown = int32(*m.UnknownID)
	}
	return t.setUnigram(scores, m.ByteFallback)
}

// scoredRow reads ["token", score].
func scoredRow(d *json.Decoder) (name string, score float64, err error) {
	row := [4]json.Token{} // with what opens and closes it
	for i := range row {
		if row[i], err = d.Token(); err != nil {
			return "", 0, err
		}
	}
	name, isText := row[1].(string)
	score, isNumber := row[2].(float64)
	if row[0] != json.Delim('[') || !isText || !isNumber || row[3] != json.Delim(']') {
		return "", 0, errors.New("it is no pair of a text and a number")
	}
	return name, score, nil
}

// setUnigram makes scores the model. Special tokens are no text.
func (t *Tokenizer) setUnigram(scores []float64, fallback bool) error {
	ids := t.ordinary()
	t.setBytes(ids, fallbackByte)
	t.symbols.bytes, t.symbols.fuse = fallback, true
	if t.symbols.unknown != none {
		delete(ids, t.names[t.symbols.unknown])
	}
	for name, id := range ids {
		if int(id) >= len(scores) {
			delete(ids, name) // an added token, which the model does not know
		}
	}
	var err error
	t.unigram, err = newUnigram(ids, scores, slices.Min(scores))
	return err
}
