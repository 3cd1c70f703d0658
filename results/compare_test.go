package results

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// answers are items of two choices, answered rightly where right says so.
func answers(task string, right ...bool) Items {
	x := Items{Task: task, Version: "1", Protocol: "p"}
	for i, yes := range right {
		sums := []float64{-1, -2}
		if !yes {
			sums = []float64{-2, -1}
		}
		x.Items = append(x.Items, Item{ID: fmt.Sprint(i), Choices: []Choice{{Sum: sums[0], Length: 1}, {Sum: sums[1], Length: 1}}})
	}
	return x
}

// TestCompare: the difference of paired answers, with the error of their mean.
func TestCompare(t *testing.T) {
	a, b := answers("x", true, true, true, false), answers("x", true, false, true, false)
	c, err := Compare(a, b, "acc")
	if err != nil {
		t.Fatal(err)
	}
	se := math.Sqrt((3*0.0625 + 0.5625) / 3 / 4) // differences 0 1 0 0
	if c.Diff != 0.25 || math.Abs(c.SE-se) > 1e-15 || c.DF != 3 || c.Items != 4 || c.Significant() {
		t.Errorf("%+v, want an error of %v", c, se)
	}
	if _, err := Compare(a, answers("y", true, true, true, true), "acc"); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
		t.Error(err)
	}
	if _, err := Compare(a, b, "f1"); err == nil {
		t.Error("choices have no F1")
	}
}

func TestAverageOf(t *testing.T) {
	parts := []Comparison{{Diff: 0.1, SE: 0.03, DF: 99, P: 0.1, Items: 100, Clusters: 100}, {Diff: 0.3, SE: 0.04, DF: 49, P: 0.1, Items: 50, Clusters: 50}}
	c := AverageOf(parts)
	if math.Abs(c.Diff-0.2) > 1e-15 || math.Abs(c.SE-0.025) > 1e-15 || c.Items != 150 {
		t.Errorf("%+v", c)
	}
	if c.DF < 49 || c.DF > 148 || !c.Significant() {
		t.Errorf("%+v", c)
	}
	if AverageOf(nil).Testable() || AverageOf([]Comparison{{P: math.NaN()}}).Testable() {
		t.Error("nothing is tested")
	}
	equal := AverageOf([]Comparison{{P: 1}, {P: 1}})
	if equal.P != 1 || equal.Diff != 0 {
		t.Errorf("%+v", equal)
	}
}

// TestPerplexityScores: the mean of the scores is the value, to rounding, and
// their spread that of the linear approximation.
func TestPerplexityScores(t *testing.T) {
	x := Items{Items: []Item{
		{ID: "a", Choices: []Choice{{Sum: -30, Tokens: 10, Length: 40, Words: 8}}},
		{ID: "b", Choices: []Choice{{Sum: -50, Tokens: 30, Length: 90, Words: 16}}},
	}}
	want := map[string]float64{
		"perplexity": math.Exp(40), "token_perplexity": math.Exp(2), "byte_perplexity": math.Exp(80.0 / 130),
		"word_perplexity": math.Exp(80.0 / 24), "window_perplexity": math.Exp((3 + 5.0/3) / 2), "bits_per_byte": 80 / 130.0 / math.Ln2, "nats_per_token": 2,
	}
	for metric, value := range want {
		measure, err := Measures.Get(metric)
		if err != nil {
			t.Fatal(err)
		}
		got, scores, ok := measure.Of(x.Items)
		if !ok || math.Abs(got-value) > 1e-14*value || math.Abs(mean(scores)-value) > 1e-12*value {
			t.Errorf("%s is %v with scores of mean %v, want %v", metric, got, mean(scores), value)
		}
	}
	x.Items[0].Choices[0].Sum = -1e6
	if _, ok := x.Scores("perplexity"); ok {
		t.Error("an infinite perplexity is a number")
	}
}

func TestExp(t *testing.T) {
	for _, x := range []float64{-800, -745, -50.5, -1, -1e-9, 0, 1e-9, 0.3, 1, 2.5, 88, 709} {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 3e-16*want {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsInf(exp(710), 1) {
		t.Error("exp(710) is finite")
	}
}

func TestMarks(t *testing.T) {
	x := Items{Items: []Item{{Marks: map[string]float64{"f1": 0.5}}, {Marks: map[string]float64{"f1": 1}}}}
	if scores, ok := x.Scores("f1"); !ok || mean(scores) != 0.75 {
		t.Error(scores, ok)
	}
	if _, ok := x.Scores("exact_match"); ok {
		t.Error("a mark that no item has")
	}
}
