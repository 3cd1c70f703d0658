package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"plumb/eval"
	"plumb/internal/golden"
	"plumb/model"
	"plumb/tasks"
)

// A pieceTokenizer is that of llama2.c, read from its own file: pieces with
// scores, joined greedily.
type pieceTokenizer struct {
	pieces []string
	scores []float32
	ids    map[string]int32
}

func readPieces(t *testing.T, path string) *pieceTokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &pieceTokenizer{ids: map[string]int32{}}
	for data = data[4:]; len(data) > 0; {
		score := math.Float32frombits(binary.LittleEndian.Uint32(data))
		n := int(binary.LittleEndian.Uint32(data[4:]))
		piece := string(data[8 : 8+n])
		if _, twice := p.ids[piece]; !twice {
			p.ids[piece] = int32(len(p.pieces))
		}
		p.pieces, p.scores = append(p.pieces, piece), append(p.scores, score)
		data = data[8+n:]
	}
	return p
}

func (p *pieceTokenizer) EndOfText() int32         { return 2 }
func (p *pieceTokenizer) BOS() (int32, bool, bool) { return 1, true, true }

func (p *pieceTokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 3 && id < 259 {
			b.WriteByte(byte(id - 3))
			continue
		}
		b.WriteString(p.pieces[id])
	}
	return b.String()
}

// Encode takes words one by one, since no piece has a space behind its first
// byte.
func (p *pieceTokenizer) Encode(text string) (ids []int32) {
	if text == "" {
		return nil
	}
	for _, word := range strings.Split(text, " ") {
		ids = append(ids, p.join(" "+word)...)
	}
	return ids
}

// join merges the neighbours of the best score until none merge.
func (p *pieceTokenizer) join(word string) (ids []int32) {
	for _, r := range word {
		if id, ok := p.ids[string(r)]; ok {
			ids = append(ids, id)
			continue
		}
		for _, b := range []byte(string(r)) {
			ids = append(ids, int32(b)+3)
		}
	}
	for {
		best, at := float32(math.Inf(-1)), -1
		for i := 0; i+1 < len(ids); i++ {
			if id, ok := p.ids[p.pieces[ids[i]]+p.pieces[ids[i+1]]]; ok && p.scores[id] > best {
				best, at = p.scores[id], i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = p.ids[p.pieces[ids[at]]+p.pieces[ids[at+1]]]
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}

// A storiesGolden is what an independent implementation computed with the
// weights of stories260K.
type storiesGolden struct {
	Tasks map[string]struct {
		N     int     `json:"n"`
		Acc   float64 `json:"acc"`
		Chars float64 `json:"acc_norm_chars"`
		PPL   float64 `json:"ppl"`

		PerToken float64 `json:"acc_per_token"`
		Items    []struct {
			LL       json.RawMessage `json:"ll"`
			Tokens   json.RawMessage `json:"tokens"`
			PerToken []float64       `json:"ll_per_token_after_common_prefix"`
		} `json:"items"`
	} `json:"tasks"`
	Windows struct {
		Windows int       `json:"windows"`
		Running []float64 `json:"running_ppl"`
	} `json:"wikitext2_windows"`
}

func stories(t *testing.T) (*model.Model, *pieceTokenizer, storiesGolden) {
	t.Helper()
	raw, err := os.ReadFile(golden.Shared(t, "models", "stories260K", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want storiesGolden
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(golden.Shared(t, "models", "stories260K", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	return m, readPieces(t, golden.Shared(t, "models", "stories260K", "tok512.bin")), want
}

// floats reads a number, or a list of them.
func floats(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	var list []float64
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one float64
	if err := json.Unmarshal(raw, &one); err != nil {
		t.Fatal(err)
	}
	return []float64{one}
}

// TestGoldenItems scores real items with a real model: each log-likelihood is
// that of the reference.
func TestGoldenItems(t *testing.T) {
	m, tok, golds := stories(t)
	names := map[string]string{"lambada": "lambada_openai"}
	for short, want := range golds.Tasks {
		t.Run(short, func(t *testing.T) {
			name := short
			if names[short] != "" {
				name = names[short]
			}
			task, err := tasks.All.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			items, _, err := tasks.Load(name, tasks.Source{Dir: golden.Shared(t, "data"), Limit: want.N})
			if err != nil {
				t.Fatal(err)
			}
			r, err := eval.Score(context.Background(), m, tok, task, items, eval.Options{BOS: eval.BOSAuto})
			if err != nil {
				t.Fatal(err)
			}
			for i, item := range want.Items {
				lls, tokens := floats(t, item.LL), floats(t, item.Tokens)
				for c, choice := range r.Items[i].Choices {
					if math.Abs(choice.Sum-lls[c]) > tolerance(lls[c]) || choice.Tokens != int(tokens[c]) {
						t.Errorf("item %d, choice %d: %v over %d tokens, want %v over %v", i, c, choice.Sum, choice.Tokens, lls[c], tokens[c])
					}
				}
			}
			checkMetric(t, r, "acc", want.Acc, 1e-12)
			if want.Chars != 0 {
				checkMetric(t, r, "acc_norm", want.Chars, 1e-12)
			}
			if want.PPL != 0 {
				checkMetric(t, r, "perplexity", want.PPL, 1e-4*want.PPL)
			}
			if want.Items[0].PerToken != nil {
				checkPerToken(t, m, tok, items, short, golds)
			}
		})
	}
}

// checkPerToken scores what follows the tokens that all choices begin with.
func checkPerToken(t *testing.T, m *model.Model, tok eval.Tokenizer, items []tasks.Item, short string, golds storiesGolden) {
	t.Helper()
	r, err := eval.MultipleChoice(context.Background(), m, tok, items, eval.Options{BOS: eval.BOSAuto, Rule: tasks.AfterCommon})
	if err != nil {
		t.Fatal(err)
	}
	for i, item := range golds.Tasks[short].Items {
		for c, choice := range r.Items[i].Choices {
			if got := choice.Sum / float64(choice.Tokens); math.Abs(got-item.PerToken[c]) > 1e-5 {
				t.Errorf("item %d, choice %d: %v a token, want %v", i, c, got, item.PerToken[c])
			}
		}
	}
	checkMetric(t, r, "acc_tokens", golds.Tasks[short].PerToken, 1e-12)
}

// tolerance is 1e-4, or of long texts one millionth: their terms are computed
// from float32 logits.
func tolerance(ll float64) float64 { return max(1e-4, -1e-6*ll) }

func checkMetric(t *testing.T, r eval.Result, name string, want, tolerance float64) {
	t.Helper()
	m, err := r.Metrics(name)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(m[0].Value-want) > tolerance {
		t.Errorf("%s is %v, want %v", name, m[0].Value, want)
	}
}

// TestGoldenWindows is the perplexity of llama.cpp's protocol.
func TestGoldenWindows(t *testing.T) {
	m, tok, want := stories(t)
	task, err := tasks.All.Get("wikitext@llama.cpp")
	if err != nil {
		t.Fatal(err)
	}
	items, _, err := tasks.Load("wikitext@llama.cpp", tasks.Source{Dir: golden.Shared(t, "data")})
	if err != nil {
		t.Fatal(err)
	}
	text := &items[0].Choices[0].Continuation
	*text = (*text)[:20_000] // more than twenty windows
	r, err := eval.Texts(context.Background(), m, tok, task, items, eval.Options{BOS: eval.BOSAuto, Windows: want.Windows.Windows})
	if err != nil {
		t.Fatal(err)
	}
	all := r.Items
	for i, running := range want.Windows.Running {
		r.Items = all[:i+1]
		checkMetric(t, r, "token_perplexity", running, 1e-4*running)
	}
}
