package eval

import (
	"hash/fnv"
	"math"
	"slices"
	"strings"
)

// A table is a toy tokenizer: ids below 256 are bytes, 0 is the start token,
// and higher ids are pieces of text. It takes the longest piece that fits.
type table struct{ pieces []string }

func (t table) EndOfText() int32 { return 0 }

func (t table) Encode(text string) []int32 {
	var ids []int32
	for len(text) > 0 {
		id, size := int32(text[0]), 1
		for i, piece := range t.pieces {
			if len(piece) > size && strings.HasPrefix(text, piece) {
				id, size = int32(256+i), len(piece)
			}
		}
		ids = append(ids, id)
		text = text[size:]
	}
	return ids
}

func (t table) Decode(ids []int32) string {
	var text strings.Builder
	for _, id := range ids {
		if id < 256 {
			text.WriteByte(byte(id))
		} else {
			text.WriteString(t.pieces[id-256])
		}
	}
	return text.String()
}

// A spelling is a tokenizer that knows the encodings of a few texts by heart.
type spelling map[string][]int32

func (s spelling) EndOfText() int32           { return 0 }
func (s spelling) Encode(text string) []int32 { return slices.Clone(s[text]) }

// Decode gives each id as many bytes as its value.
func (s spelling) Decode(ids []int32) string {
	n := 0
	for _, id := range ids {
		n += int(id)
	}
	return strings.Repeat("x", n)
}

// A fake is a model whose log-probabilities are a function of the token and of
// all before it. It remembers what it was asked.
type fake struct {
	context int
	logProb func(before []int32, next int32) float64
	rows    [][]int32
	from    []int
	calls   int
}

func (f *fake) Context() int { return f.context }

func (f *fake) LogProbs(rows [][]int32, from []int) ([]float64, []bool, error) {
	f.calls++
	sums, greedy := make([]float64, len(rows)), make([]bool, len(rows))
	for i, row := range rows {
		if from[i] < 1 || len(row) > f.context+1 || from[i] >= len(row) {
			panic("a row that the model cannot score")
		}
		f.rows, f.from = append(f.rows, row), append(f.from, from[i])
		greedy[i] = true
		for p := from[i]; p < len(row); p++ {
			l := f.logProb(row[:p], row[p])
			sums[i] += l
			greedy[i] = greedy[i] && l > -math.Ln2
		}
	}
	return sums, greedy, nil
}

// bigram is the closed form -(1 + (5a + 3b) mod 7)/4 for b after a.
func bigram(before []int32, next int32) float64 {
	return -float64(1+(5*before[len(before)-1]+3*next)%7) / 4
}

// everything makes the log-probability depend on every token before, so that
// one token more or less changes it.
func everything(before []int32, next int32) float64 {
	h := fnv.New64a()
	for _, id := range append(slices.Clone(before), next) {
		h.Write([]byte{byte(id), byte(id >> 8)})
	}
	return -float64(h.Sum64()>>11) / (1 << 50)
}
