package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"plumb/eval"
	"plumb/internal/golden"
	"plumb/kernels"
	"plumb/tasks"
)

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

// stories opens stories260K in one of its forms.
func stories(t *testing.T, form string) *trained {
	t.Helper()
	m, err := openModel(golden.Shared(t, "models", "stories260K", form))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func readStoriesGolden(t *testing.T) (want storiesGolden) {
	t.Helper()
	raw, err := os.ReadFile(golden.Shared(t, "models", "stories260K", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	return want
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
	m, golds := stories(t, "hf"), readStoriesGolden(t)
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
			r, err := eval.Score(context.Background(), m.model, m.tokenizer, task, items, eval.Options{BOS: eval.BOSAuto})
			if err != nil {
				t.Fatal(err)
			}
			for i, item := range want.Items {
				lls, tokens := floats(t, item.LL), floats(t, item.Tokens)
				for c, choice := range r.Items[i].Choices {
					if math.Abs(choice.Sum-lls[c]) > 1e-4 || choice.Tokens != int(tokens[c]) {
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
				checkPerToken(t, m, items, short, golds)
			}
		})
	}
}

// checkPerToken scores what follows the tokens that all choices begin with.
func checkPerToken(t *testing.T, m *trained, items []tasks.Item, short string, golds storiesGolden) {
	t.Helper()
	r, err := eval.MultipleChoice(context.Background(), m.model, m.tokenizer, items, eval.Options{BOS: eval.BOSAuto, Rule: tasks.AfterCommon})
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
	m, want := stories(t, "hf"), readStoriesGolden(t)
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
	r, err := eval.Texts(context.Background(), m.model, m.tokenizer, task, items, eval.Options{BOS: eval.BOSAuto, Windows: want.Windows.Windows})
	if err != nil {
		t.Fatal(err)
	}
	all := r.Items
	for i, running := range want.Windows.Running {
		r.Items = all[:i+1]
		checkMetric(t, r, "token_perplexity", running, 1e-4*running)
	}
}

// TestFormsScoreTheSame: every form of the same float32 weights, every batch and
// every number of workers give the same bits.
func TestFormsScoreTheSame(t *testing.T) {
	defer kernels.SetWorkers(kernels.Workers())
	names := []string{"hellaswag", "winogrande@llama.cpp", "lambada_openai", "boolq", "triviaqa"}
	var want []string
	for i, form := range []string{"hf", "stories260K.bin", "gguf/stories260K-f32.gguf"} {
		m := stories(t, form)
		kernels.SetWorkers(1 + i)
		var got []string
		for _, name := range names {
			task, err := tasks.All.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			items, _, err := tasks.Load(name, tasks.Source{Dir: golden.Shared(t, "data"), Limit: 6, Shots: tasks.Shots{N: 1}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := eval.Score(context.Background(), m.model, m.tokenizer, task, items, eval.Options{BOS: eval.BOSAuto, Batch: 1 + 2*i})
			if err != nil {
				t.Fatal(err)
			}
			text, err := r.Stored(name, task.Version).Encode()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s scores otherwise than the first form", form)
		}
	}
}
