package eval

import (
	"context"
	"slices"
	"strings"
	"testing"

	"plumb/tasks"
)

// A writer is a model that continues every prompt with the same text.
type writer struct {
	fake
	text    string
	prompts []string
	limit   int
}

func (w *writer) Greedy(_ context.Context, prompts [][]int32, limit int, stop func(int, []int32) bool) ([][]int32, error) {
	w.limit = limit
	answers := make([][]int32, len(prompts))
	for i, prompt := range prompts {
		w.prompts = append(w.prompts, table{}.Decode(prompt))
		for _, b := range []byte(w.text) {
			if answers[i] = append(answers[i], int32(b)); len(answers[i]) == limit || stop(i, answers[i]) {
				break
			}
		}
	}
	return answers, nil
}

func quiz(prompt string, right ...string) tasks.Item {
	return tasks.Item{ID: prompt, Before: "Q\n", Choices: []tasks.Choice{{Context: prompt}}, Answers: right}
}

func TestAnswers(t *testing.T) {
	trivia, err := tasks.All.Get("triviaqa")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		context    int
		answer     string
		generated  int
		exact, f1  float64
	}{
		{"right", " Dog\nnext", 600, "Dog", 5, 1, 1},
		{"another alias", " the  dog.", 600, "the  dog", 10, 0, 1}, // articles and spaces count for one only
		{"case and punctuation", " \"DOG\"!\n", 600, "\"DOG\"!", 8, 1, 1},
		{"part of it", " big dog,", 600, "big dog", 9, 0, 2.0 / 3},
		{"wrong", " cat\n", 600, "cat", 5, 0, 0},
		{"nothing", ".", 600, "", 1, 0, 0},
		{"end of text", " dog\x00 more", 600, "dog", 5, 1, 1},
		{"limit", " dog and on", 8, "dog", 4, 1, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &writer{fake: fake{context: test.context}, text: test.text}
			r, err := Score(context.Background(), m, table{}, trivia, []tasks.Item{quiz("Who barks?", "Canis", "Dog")}, Options{BOS: BOSAlways})
			if err != nil {
				t.Fatal(err)
			}
			got := r.Items[0]
			if got.Answer != test.answer || r.Tokens != test.generated {
				t.Errorf("answer %q of %d tokens, want %q of %d", got.Answer, r.Tokens, test.answer, test.generated)
			}
			metrics, err := r.Metrics("exact_match", "f1")
			if err != nil {
				t.Fatal(err)
			}
			near(t, "exact match", metrics[0].Value, test.exact, 0)
			near(t, "f1", metrics[1].Value, test.f1, 1e-12)
			if err := r.Stored("triviaqa", "3.0").Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPromptsAreCut: what does not leave room for an answer goes from the left.
func TestPromptsAreCut(t *testing.T) {
	task := tasks.Task{Kind: tasks.Generated, Tokens: 4, Stop: []string{"\n"}, Mark: func(string, []string) map[string]float64 { return nil }}
	m := &writer{fake: fake{context: 12}, text: "abcdefgh"}
	r, err := Score(context.Background(), m, table{}, task, []tasks.Item{quiz("abcdefgh"), quiz("abc")}, Options{BOS: BOSAlways, Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"abcdefgh", "\x00Q\nabc"}; !slices.Equal(m.prompts, want) || r.Truncated != 1 || m.limit != 4 {
		t.Errorf("prompts %q, %d cut, limit %d", m.prompts, r.Truncated, m.limit)
	}
	if r.Items[0].Choices[0].Truncated != 3 {
		t.Errorf("%+v", r.Items[0])
	}
	m = &writer{fake: fake{context: 6}, text: "abcdefgh"}
	r, err = Score(context.Background(), m, table{}, task, []tasks.Item{quiz("abc")}, Options{BOS: BOSNever})
	if err != nil || m.limit != 3 || !strings.Contains(r.Remark, "at most 3 tokens") {
		t.Errorf("limit %d, %q, %v", m.limit, r.Remark, err)
	}
}

func TestAnswersNeedAGenerator(t *testing.T) {
	_, err := Score(context.Background(), &fake{context: 8}, table{}, tasks.Task{Kind: tasks.Generated}, nil, Options{BOS: BOSNever})
	if err == nil || !strings.Contains(err.Error(), "cannot generate") {
		t.Error(err)
	}
}
